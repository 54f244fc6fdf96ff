"""Runs pages of the documentation, and prints a line for each.

python -m tests.docs [PAGE ...]

A page is a path such as docs/start.md, or a folder of them; by default all. Exits 1 if a page is untrue.
"""

from __future__ import annotations

import sys

from .pages import PAGES
from .running import UntruePage, run


def main(names: list[str]) -> int:
    """Run the pages of these names; returns the exit status."""
    pages = [
        page
        for path, page in PAGES.items()
        if page.is_script and (not names or any(path == name or path.startswith(f"{name}/") for name in names))
    ]
    status = 0 if pages else 2
    for page in pages:
        try:
            print(f"{page}: {run(page)} commands")
        except UntruePage as error:
            print(error)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
