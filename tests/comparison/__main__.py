"""`python -m tests.comparison [TOOL ...] [--rows NAME ...] [--keep DIR] [--write]`

Tries the rows of docs/comparison.md with each tool, in an environment of its own with its newest release and the
newest openai, and prints its column. `--write` writes results.json beside this file, and the tables of the page. ogx
needs Python 3.12, and aimock npm. What cannot be installed is reported, and its stored results stay.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..reference.__main__ import main as write_parts
from ..support.openai_server import running_server
from .behaviours import BEHAVIOURS
from .table import OLDEST, OLDEST_OPENAI, RESULTS, read_results, table
from .tools import TOOLS
from .trial import CannotTell, Trial

_VERSION = "import importlib.metadata as m; print(m.version('{}'))"


def main() -> int:
    """Try the tools; 1 if one could not be tried or a row broke."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.comparison", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=f"of {', '.join(TOOLS)}; by default all")
    parser.add_argument("--rows", nargs="+", default=[], metavar="NAME", choices=[*BEHAVIOURS, OLDEST])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the environments there, and use those there")
    parser.add_argument("--write", action="store_true", help="write results.json and the table of the page")
    options = parser.parse_args()
    if unknown := set(options.tools) - set(TOOLS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    problems = []
    with TemporaryDirectory() as directory:
        environments = (options.keep or Path(directory)).resolve()
        for name in options.tools or TOOLS:
            tried, broken = _tried(name, environments, options.rows or [*BEHAVIOURS, OLDEST])
            problems += broken
            if tried:
                results = read_results()
                results.setdefault(name, {"rows": {}})["rows"].update(tried.pop("rows"))
                results[name].update(tried)
                print(table({name: results[name]}), flush=True)
                if options.write:
                    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    if options.write:
        write_parts()
    print(*problems, sep="\n", file=sys.stderr)
    return int(bool(problems))


def _tried(name: str, environments: Path, rows: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Return versions and rows of a tool, and what broke."""
    try:
        command = _environment(name, environments / name, "openai")
        version = _version(name, command)
    except subprocess.CalledProcessError as error:
        return {}, [f"{name}: cannot be installed here: {error.stderr[-500:]}"]
    found, problems = tried_rows(name, command, [row for row in rows if row != OLDEST], environments)
    if OLDEST in rows:
        found[OLDEST] = _works_with_the_oldest_openai(name, version, environments)
    versions = {"version": version, "openai": _printed(command[-1], _VERSION.format("openai"))}
    return {**versions, "rows": found}, problems


def tried_rows(name: str, command: list[str], rows: list[str], bytecode: Path) -> tuple[dict[str, str], list[str]]:
    """Return the cells of these rows by name, and what broke."""
    with ThreadPoolExecutor(2) as pool:
        tried = pool.map(lambda row: _cell(name, command, row, bytecode / "bytecode"), rows)
        cells = dict(zip(rows, tried, strict=True))
    problems = [f"{name}, {row}: {text}" for row, (cell, text) in cells.items() if not cell]
    for row, (cell, text) in cells.items():
        print(f"{name}, {row}: {cell} {text[:300]!r}", file=sys.stderr)
    return {row: cell for row, (cell, _) in cells.items() if cell}, problems


def _cell(name: str, command: list[str], row: str, bytecode: Path) -> tuple[str, str]:
    """Return the cell of a row, and the reason; an empty cell is one that could not be decided."""
    cell, reason = _verdict(name, command, row, bytecode, "")
    if cell == "no" and row in TOOLS[name].options:
        with_option, reason = _verdict(name, command, row, bytecode, row)
        return (TOOLS[name].options[row][0] if with_option.startswith("yes") else with_option), reason
    return cell, reason


def _verdict(name: str, command: list[str], row: str, bytecode: Path, option: str) -> tuple[str, str]:
    with TemporaryDirectory() as work, running_server() as server:
        try:
            note = BEHAVIOURS[row][1](Trial(name, command, server, Path(work), bytecode, option))
        except AssertionError as error:
            return "no", str(error)
        except (CannotTell, subprocess.SubprocessError) as error:
            return "", str(error)
    return f"yes, {note}" if note else "yes", ""


def _environment(name: str, directory: Path, *more: str) -> list[str]:
    """Return the command of a tool: the Python of its environment, after its server if it is one."""
    python = directory / "bin" / "python"
    if not (directory / "ready").exists():
        print(f"{name}: installing", file=sys.stderr, flush=True)
        venv.create(directory, with_pip=True, clear=True)
        _run([python, "-m", "pip", "install", "-q", *TOOLS[name].packages, *more, "httpx"])
        if name == "aimock":
            _run(["npm", "install", "--silent", "--prefix", directory, TOOLS[name].distribution])
        (directory / "ready").touch()
    if name == "aimock":
        return ["node", str(_aimock(directory) / "dist" / "cli.js"), str(python)]
    return [str(python)]


def _works_with_the_oldest_openai(name: str, version: str, environments: Path) -> str:
    """Return "no" if the tool cannot be installed beside it, or does not replay there."""
    try:
        wanted = [f"{TOOLS[name].distribution}=={version}"] if name not in ("ours", "aimock") else []
        command = _environment(name, environments / f"{name}-oldest", f"openai=={OLDEST_OPENAI}", *wanted)
    except subprocess.CalledProcessError:
        return "no"
    cells, _ = tried_rows(name, command, ["async"], environments / "oldest")
    return cells.get("async", "no")


def _version(name: str, command: list[str]) -> str:
    if name == "aimock":
        return str(json.loads((Path(command[1]).parents[1] / "package.json").read_text())["version"])
    return _printed(command[0], _VERSION.format(TOOLS[name].distribution))


def _aimock(directory: Path) -> Path:
    return directory / "node_modules" / "@copilotkit" / "aimock"


def _printed(python: str, script: str) -> str:
    return _run([python, "-c", script]).strip()


def _run(command: list[Any]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
