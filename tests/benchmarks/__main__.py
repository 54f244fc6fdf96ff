"""`python -m tests.benchmarks [--only NAME ...] [--rounds N] [--quick] [--here] [--list]`

What replaying and recording cost, against the plain SDK in memory, the data alone and our peers, in one run.

Each contender runs in a process of its own. They measure in turns, round by round, so that a machine that slows down
slows all of them; a ratio is the median of the rounds' ratios. All answers are checked for their content.
The environment with the peers is made on first use, in the temporary directory. A whole run writes results.json beside
this file, and docs/images/chart.svg.
"""

from __future__ import annotations

import argparse
import inspect
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .chart import write_chart
from .clock import Busyness
from .environment import CHECKOUT, environment
from .report import tables, write_json
from .run import Run
from .workloads import WORKLOADS

_HERE = Path(__file__).parent


def main() -> int:
    """Measure, and print what was found; 1 where our own side failed, whatever the figures are."""
    options = _options()
    if options.list:
        for name, workload in WORKLOADS.items():
            print(f"{name:20}{inspect.getdoc(workload)}".replace("\n", "\n" + " " * 20))
        return 0
    python = sys.executable if options.here else environment()
    before, begun = Busyness.now(), time.monotonic()
    with tempfile.TemporaryDirectory() as directory, _loopback_server(python) as base_url:
        run = Run(python, Path(directory), base_url, rounds=options.rounds, is_quick=options.quick)
        run.measure([WORKLOADS[name] for name in options.only or WORKLOADS], _print_name)
    machine = _machine(python) | Busyness.now().since(before) | {"seconds": round(time.monotonic() - begun)}
    print(tables(run, machine))
    output = options.output or (None if options.only or options.quick else _HERE)
    if output is not None:
        write_json(output / "results.json", run, machine)
        write_chart((options.output or CHECKOUT / "docs" / "images") / "chart.svg", run.results)
    return int(run.has_failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=WORKLOADS, help="only these workloads (see --list)"
    )
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="at most so many (default 7)")
    parser.add_argument("--quick", action="store_true", help="one round of a tenth: whether it works, no figures")
    parser.add_argument("--here", action="store_true", help="in this environment, with the peers that it has")
    parser.add_argument("--list", action="store_true", help="say what each workload is, and measure nothing")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write results.json and chart.svg there")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


@contextmanager
def _loopback_server(python: str) -> Iterator[str]:
    command = [python, "-m", "tests.benchmarks.server"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def _machine(python: str) -> dict[str, Any]:
    names = ("openai", "pydantic", "orjson", "wrapt", "vcrpy", "cassetter", "llama-stack")
    script = (
        "from importlib.metadata import version, PackageNotFoundError\n"
        f"for name in {names}:\n"
        "    try: print(name, version(name), end=', ')\n"
        "    except PackageNotFoundError: pass"
    )
    versions = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout
    return {"python": platform.python_version(), "versions": versions.rstrip(", "), "cores": os.cpu_count()}


def _print_name(name: str) -> None:
    print(f"  {name}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
