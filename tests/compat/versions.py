"""`python -m tests.compat.versions [--short] [VERSION ...]`: the suite against versions of openai, each by itself.

Without versions: the oldest that is supported, the last ones on httpx, and the newest known one on httpx2. `--short`
runs what touches the SDK most; without it, the long comparison of generated streams runs too.
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
    "ogx-client": ("1.0.0", "1.1.3"),  # from 1.2 on it is of another make
    "llama-stack-client": ("0.3.0", "0.7.5"),
}
"""The other SDKs: the oldest supported version and the newest known one."""
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
    parser.add_argument("versions", nargs="*", default=VERSIONS, metavar="VERSION")
    parser.add_argument("--short", action="store_true", help="only what touches the SDK most")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(2) as pool:  # pip uses one core
        pythons = pool.map(lambda version: _environment(version, Path(directory) / version), options.versions)
        runs = zip(options.versions, pythons, strict=True)
        failed = [version for version, python in runs if not _passes(version, python, options.short)]
    print(f"\nopenai {', '.join(options.versions)}: {'failed with ' + ', '.join(failed) if failed else 'all passed'}")
    sys.exit(bool(failed))


def _environment(version: str, directory: Path) -> str:
    """Return the Python of a new environment with this version of openai."""
    venv.create(directory, with_pip=True)
    python = str(directory / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    held = directory / CONSTRAINTS.name
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines(keepends=True)
    held.write_text("".join(line for line in lines if not line.startswith("openai==")))
    packages = (f"openai=={version}", f"{ROOT}[test]", "-c", str(held))
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=True)
    return python


def _passes(version: str, python: str, is_short: bool) -> bool:
    print(f"\n== openai {version}", flush=True)
    tests = SHORT if is_short else ()
    suite = [python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *tests]
    runs = [suite] if is_short else [suite, [*suite, "-m", "slow", "tests/sdk/comparison"]]
    return all(subprocess.run(run, cwd=ROOT, check=False).returncode == 0 for run in runs)


if __name__ == "__main__":
    main()
