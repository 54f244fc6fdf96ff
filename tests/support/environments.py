"""Virtual environments with the newest releases of what others make, and this checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
_PACKAGE = "inference-recorder"
_TIMEOUT_SECONDS = 1800


def made(directory: Path, packages: Sequence[str]) -> Path:
    """Return the Python of the environment there, with the newest releases of these packages and this checkout.

    An environment that is there is updated. It is made with uv if that is on the PATH, which takes a fifth of the time,
    and with pip otherwise, or if uv fails. Raises `subprocess.CalledProcessError` with what pip printed.
    """
    python = directory / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    requirements = [*packages, f"{CHECKOUT}[cli,server]"]
    if (uv := shutil.which("uv")) is not None and _is_made_by_uv(uv, python, directory, requirements):
        return python
    if not python.exists() or not _has_pip(python):
        venv.create(directory, with_pip=True, clear=True)
    _run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--upgrade", *requirements], directory)
    return python


def _is_made_by_uv(uv: str, python: Path, directory: Path, requirements: Sequence[str]) -> bool:
    # By default, uv takes a directory's package from its cache unless pyproject.toml was changed.
    always = ["--upgrade", "--reinstall-package", _PACKAGE]
    try:
        if not python.exists():
            directory.parent.mkdir(parents=True, exist_ok=True)
            _run([uv, "venv", "-q", "--python", sys.executable, directory], directory.parent)
        _run([uv, "pip", "install", "-q", "--python", python, *always, *requirements], directory)
    except subprocess.CalledProcessError as error:
        print(f"uv failed, so pip is tried:\n{error.stderr}", file=sys.stderr)
        return False
    return True


def _has_pip(python: Path) -> bool:
    return subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def _run(command: list[str | Path], directory: Path) -> None:
    subprocess.run(command, cwd=directory, timeout=_TIMEOUT_SECONDS, check=True, capture_output=True, text=True)
