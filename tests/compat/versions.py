"""`python -m tests.compat.versions [--short] [VERSION ...]`: the suite against versions of the SDKs.

Versions of openai are tried each by itself. `oldest` and `newest` are those of all other SDKs, in one environment.
Without versions: the oldest openai that is supported, the last ones on httpx, the newest known one on httpx2, and both
sets of the others. `--short` runs what touches the SDK most; without it, the long comparison of generated streams runs
too, and the async clients of the others.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERSIONS = ("1.66.0", "1.109.1", "2.54.0", "3.54.0")
OTHERS = {
    "anthropic": ("0.40.0", "2.14.0"),
    "groq": ("0.13.0", "1.7.0"),
    "cerebras-cloud-sdk": ("1.0.0", "1.91.0"),
    "together": ("2.0.0", "3.1.1"),
    "ogx-client": ("0.7.2", "1.1.3"),  # from 1.2 on it is of another make
    "llama-stack-client": ("0.2.12", "0.7.5"),
}
"""The other SDKs: the oldest supported version and the newest known one."""
SETS = {"oldest": 0, "newest": -1}
NEEDS_312 = "llama-stack-client==0.7.5"
TOOLS = ("hypothesis", "httpx", "pytest", "pytest-asyncio", "pytest-xdist", "starlette", "uvicorn")
"""What the tests of the other SDKs need; the extra `test` does not go with every version of together."""
UNDECLARED = ("fire", "requests")
"""What llama-stack-client imports and older versions do not ask for."""
CONSTRAINTS = ROOT / "tests" / "constraints.txt"
SHORT = (
    "tests/sdk/test_recording_and_replaying.py",
    "tests/sdk/test_streams.py",
    "tests/unit/sdk",
    "tests/sdk/ways",
    "tests/sdk/comparison",
)


def newest(distribution: str) -> str:
    """Return the newest known version of an SDK."""
    return VERSIONS[-1] if distribution == "openai" else OTHERS[distribution][-1]


def main() -> None:
    """Run the suite against each version and exit 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", default=[*VERSIONS, *SETS], metavar="VERSION")
    parser.add_argument("--short", action="store_true", help="only what touches the SDK most")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(2) as pool:  # pip uses one core
        pythons = pool.map(lambda version: _environment(version, Path(directory) / version), options.versions)
        runs = zip(options.versions, pythons, strict=True)
        failed = [version for version, python in runs if not _passes(version, python, options.short)]
    print(f"\n{', '.join(options.versions)}: {'failed with ' + ', '.join(failed) if failed else 'all passed'}")
    sys.exit(bool(failed))


def _environment(version: str, directory: Path) -> str:
    """Return the Python of a new environment with this version of openai, or this set of the other SDKs."""
    venv.create(directory, with_pip=True)
    python = str(directory / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    if version in SETS:
        wanted = [f"{name}=={versions[SETS[version]]}" for name, versions in OTHERS.items()]
        packages = [*filter(_is_possible, wanted), *TOOLS, *UNDECLARED, str(ROOT)]
        free = {*OTHERS, "filelock", "rich"}  # together wants older ones
    else:
        packages, free = [f"openai=={version}", f"{ROOT}[test]"], {"openai"}
    held = directory / CONSTRAINTS.name
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines(keepends=True)
    held.write_text("".join(line for line in lines if line.partition("==")[0] not in free))
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages, "-c", str(held)]
    subprocess.run(command, check=True)
    return python


def _is_possible(wanted: str) -> bool:
    """Whether this Python can install an SDK; says so if not."""
    is_possible = wanted != NEEDS_312 or sys.version_info >= (3, 12)
    if not is_possible:
        print(f"not run: {wanted} needs Python 3.12")
    return is_possible


def _passes(version: str, python: str, is_short: bool) -> bool:
    print(f"\n== {version if version in SETS else f'openai {version}'}", flush=True)
    suite = [python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
    if version in SETS:
        sample = ["-k", "not async"] if is_short else []
        runs = [[*suite, "-m", "slow or not slow", *sample, "tests/sdk/family"]]
    elif is_short:
        runs = [[*suite, *SHORT]]
    else:
        runs = [suite, [*suite, "-m", "slow", "tests/sdk/comparison"]]
    return all(subprocess.run(run, cwd=ROOT, check=False).returncode == 0 for run in runs)


if __name__ == "__main__":
    main()
