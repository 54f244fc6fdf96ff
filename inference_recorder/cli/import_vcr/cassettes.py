"""The cassettes in files and directories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .documents import UnreadableDocument, parse_document

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_OLD_FORMAT = "vcrpy before 1.0 wrote it; `python -m vcr.migration PATH` makes it readable"


@dataclass(frozen=True, slots=True)
class Cassette:
    """A cassette's file and its interactions, unparsed."""

    path: Path
    interactions: list[object]


@dataclass(frozen=True, slots=True)
class UnreadableCassette:
    """A file that cannot be read as a cassette."""

    path: Path
    line: int | None
    """Counted from 1; None if unknown."""
    reason: str
    is_other: bool = False
    """Whether it seems to be something else than a cassette."""

    def __str__(self) -> str:
        return f"{self.path}{'' if self.line is None else f', line {self.line}'}: {self.reason}"


def cassettes_in(paths: Iterable[Path]) -> Iterator[Cassette | UnreadableCassette]:
    """Yield the cassettes in these files and directories, searched recursively, or why one cannot be read.

    Only files of a directory can be something else than a cassette: others were meant to be one.
    """
    for path in paths:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
            yield from map(_cassette, files)
        else:
            cassette = _cassette(path)
            yield replace(cassette, is_other=False) if isinstance(cassette, UnreadableCassette) else cassette


def _cassette(path: Path) -> Cassette | UnreadableCassette:
    try:
        content = path.read_bytes()
    except OSError as error:
        return UnreadableCassette(path, None, error.strerror or str(error))
    try:
        document = parse_document(content)
    except UnreadableDocument as error:
        is_other = error.line is not None and b"interactions" not in content
        return UnreadableCassette(path, error.line, error.reason, is_other)
    if isinstance(document, list) and document and isinstance(document[0], dict) and "request" in document[0]:
        return UnreadableCassette(path, 1, _OLD_FORMAT, is_other=b"interactions" not in content)
    interactions = document.get("interactions") if isinstance(document, dict) else None
    if not isinstance(interactions, list):
        return UnreadableCassette(path, 1, 'it is not a cassette: it has no list of "interactions"', is_other=True)
    return Cassette(path, interactions)
