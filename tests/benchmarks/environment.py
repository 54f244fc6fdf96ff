"""The benchmarks' own environment: with the peers; made on first use and kept in the temporary directory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PEERS = ("vcrpy", "cassetter[httpx2,httpx]")
LLAMA_STACK = "llama-stack==0.7.3"
"""Installed alone: it wants some forty packages and Python 3.12, of which its recorder needs what stands below."""
_FOR_LLAMA_STACK = ("aiohttp", "ollama", "structlog")


def environment() -> str:
    """Return the Python of the environment; raises CalledProcessError where it cannot be made."""
    wanted = " ".join((sys.version, str(CHECKOUT), *PEERS, LLAMA_STACK, *_FOR_LLAMA_STACK))
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:8]
    directory = Path(tempfile.gettempdir()) / f"inference_recorder-benchmarks-{digest}"
    python = directory / "bin" / "python"
    is_ready = directory / "ready"
    if not is_ready.exists():
        print(f"making {directory} (once; delete it to have newer releases)", file=sys.stderr, flush=True)
        venv.create(directory, with_pip=True, clear=True)
        _install(python, "--editable", f"{CHECKOUT}[test]", *PEERS, *_FOR_LLAMA_STACK)
        _install(python, "--no-deps", "--ignore-requires-python", LLAMA_STACK)
        is_ready.touch()
    return str(python)


def _install(python: Path, *what: str) -> None:
    subprocess.run([python, "-m", "pip", "install", "--quiet", *what], check=True)
