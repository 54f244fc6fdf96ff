"""Records and replays real frameworks, each in an environment of its own with its newest release.

python -m tests.compat.frameworks [NAME ...] [--keep DIR]

Every way of using a framework is recorded from a loopback server and, when that has stopped, replayed by another
process. Exits 1 where a result differs, a request passed by the recorder, or anything else went wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ...support.environments import made
from .table import described, verdicts

FRAMEWORKS: dict[str, tuple[str, ...]] = {
    "fastapi": ("httpx",),
    "openai-agents": (),
    "instructor": (),
    "langchain-openai": (),
    "langchain-anthropic": (),
    "pydantic-ai": (),
    "llama-index-llms-openai": ("llama-index-embeddings-openai",),
    "litellm": ("mcp",),  # which it imports where there are tools, and does not ask for
}
"""What is tried, lightest first: name on PyPI -> what is installed beside it."""

NOTHING_LEAVES = {
    "ANONYMIZED_TELEMETRY": "false",
    "DO_NOT_TRACK": "1",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NO_PROXY": "127.0.0.1",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}
_TIMEOUT_SECONDS = 600


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.compat.frameworks", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FRAMEWORKS)}; by default all")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the environments there, and use those there")
    options = parser.parse_args()
    if unknown := set(options.names) - set(FRAMEWORKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as directory:
        environments = (options.keep or Path(directory)).resolve()
        runs = {name: tried(name, environments, Path(directory)) for name in options.names or FRAMEWORKS}
    print(described(runs))
    return int(any("error" in run or any(verdicts(run).values()) for run in runs.values()))


def tried(name: str, environments: Path, directory: Path) -> dict[str, Any]:
    """Return {"recorded": …, "replayed": …} as the driver printed them, or {"error": text}."""
    print(f"{name}: installing", file=sys.stderr)
    work = directory / "work" / name
    _copy_of_the_driver(work)
    try:
        python = made(environments / name, [name, *FRAMEWORKS[name]])
        print(f"{name}: recording and replaying", file=sys.stderr)
        recorded = json.loads(_driven(python, work, name, "recordings"))
        replayed = json.loads(_driven(python, work, name, "recordings", recorded["base_url"]))
    except subprocess.CalledProcessError as error:
        return {"error": f"{error}\n{error.stdout[-4000:]}{error.stderr[-4000:]}"}
    except subprocess.TimeoutExpired as error:
        return {"error": str(error)}
    return {"recorded": recorded, "replayed": replayed}


def _copy_of_the_driver(work: Path) -> None:
    """Copy what the driver needs to where no checkout of inference_recorder lies beside it."""
    tests = Path(__file__).parents[2]
    for source in (
        "__init__.py",
        "support/__init__.py",
        "support/anthropic_replies.py",
        "support/loopback.py",
        "support/openai_server.py",
        "compat/__init__.py",
    ):
        (work / "tests" / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tests / source, work / "tests" / source)
    shutil.copytree(tests / "compat" / "frameworks", work / "tests" / "compat" / "frameworks")


def _driven(python: Path, work: Path, *arguments: str) -> str:
    ours = ("ANTHROPIC_", "OPENAI_", "LLAMA_STACK_", "OGX_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTEST_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = [python, "-m", "tests.compat.frameworks.driver", *arguments]
    return _run(command, inherited | NOTHING_LEAVES, work, _TIMEOUT_SECONDS)


def _run(command: list[Any], environment: Any, directory: Path, timeout_seconds: float) -> str:
    return subprocess.run(
        command, env=environment, cwd=directory, timeout=timeout_seconds, check=True, capture_output=True, text=True
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
