"""Runs pages of the documentation, and prints a line for each.

python -m tests.docs [--missing] [--keep DIR] [PAGE ...]

A page is a path below docs/ with or without its suffix (recipes/langchain), or a folder of pages; by default all. Pages
that install packages which are missing here run in environments of their own, with the newest releases; their lines
show which. Exits 1 if a page is untrue.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .environments import missing, python_for, versions
from .pages import PAGES, Page
from .running import UntruePage, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.docs", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "pages", nargs="*", metavar="PAGE", help="such as recipes/langchain, or recipes; by default all"
    )
    parser.add_argument(
        "--missing", action="store_true", help="only those that install packages which are missing here"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the environments there, and use those there")
    options = parser.parse_args()
    if unknown := [name for name in options.pages if not any(is_named(path, name) for path in PAGES)]:
        parser.error(f"no such page: {', '.join(unknown)}")
    pages = [
        page
        for path, page in PAGES.items()
        if page.is_script
        and (not options.pages or any(is_named(path, name) for name in options.pages))
        and (not options.missing or missing(page))
    ]
    if not pages:
        parser.error("no page to run")
    status = 0
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(2) as pool:
        environments = (options.keep or Path(directory)).resolve()
        for line, is_true in pool.map(lambda page: _outcome(page, environments), pages):
            print(line, flush=True)
            status = status if is_true else 1
    return status


def is_named(path: str, name: str) -> bool:
    """Whether a page's path, such as "docs/start.md", has this name or is in the folder of this name."""
    names = (name, f"docs/{name}", f"docs/{name}.md")
    return path in names or any(path.startswith(f"{folder.rstrip('/')}/") for folder in names[:2])


def _outcome(page: Page, environments: Path) -> tuple[str, bool]:
    """Return what to print of a page's run, and whether the page is true."""
    packages = missing(page)
    if absent := page.missing_programs:
        return f"not run: {page} needs {', '.join(absent)}", True
    try:
        python = python_for(page, environments)
        line = f"{page}: {run(page, python)} commands"
        return f"{line}, {versions(python, packages)}" if packages else line, True
    except UntruePage as error:
        return str(error), False
    except subprocess.SubprocessError as error:
        return f"{page}: no environment\n{error}\n{getattr(error, 'stderr', '')}", False


if __name__ == "__main__":
    sys.exit(main())
