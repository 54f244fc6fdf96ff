"""`python -m tests.constraints`: the installed packages that tests/constraints.txt holds at another version.

`constraints.txt` names its own command, which makes it again from the newest releases.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

FILE = Path(__file__).with_suffix(".txt")


def constraints(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return each package that the file holds in an environment, else in this one -> its version."""
    lines = (line.partition("#")[0].strip() for line in FILE.read_text(encoding="utf-8").splitlines())
    requirements = [Requirement(line) for line in lines if line]
    return {
        requirement.name: str(requirement.specifier).removeprefix("==")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(dict(environment or {}))
    }


def moved() -> dict[str, tuple[str, str]]:
    """Return each package that is installed at another version -> the version held, the installed one."""
    versions = {name: (held, _installed(name)) for name, held in constraints().items()}
    return {name: (held, installed) for name, (held, installed) in versions.items() if held != installed}


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def main() -> None:
    """Print a line for each package that moved."""
    lines = [f"  {name}: {held} -> {installed}" for name, (held, installed) in moved().items()]
    print(f"{len(lines)} of {len(constraints())} packages are not those of {FILE.name}", *lines, sep="\n")


if __name__ == "__main__":
    main()
