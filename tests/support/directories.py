"""What a directory holds."""

from __future__ import annotations

from pathlib import Path


def contents_of(directory: Path) -> dict[str, bytes]:
    """Return the files directly in a directory, by name; {} if it does not exist."""
    return {path.name: path.read_bytes() for path in sorted(directory.glob("*")) if path.is_file()}
