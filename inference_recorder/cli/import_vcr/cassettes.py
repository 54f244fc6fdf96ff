"""The cassettes in files and directories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .documents import UnreadableDocument, parse_document

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_OLD_FORMAT = "vcrpy before 1.0 wrote it; `python -m vcr.migration PATH` makes it readable"


@dataclass(frozen=True, slots=True)
class Cassette:
    """A cassette's file and its interactions, unparsed."""

    path: Path
    interactions: list[object]


class UnreadableCassette(Exception):
    """A cassette that cannot be read. Attributes: `path`, `line` (counted from 1; None if unknown), `reason`."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        self.path = path
        self.line = line
        self.reason = reason
        super().__init__(f"{path}{'' if line is None else f', line {line}'}: {reason}")


class NotACassette(UnreadableCassette):
    """A readable file that holds something else."""


def cassettes_in(paths: Iterable[Path]) -> Iterator[Cassette | UnreadableCassette | Path]:
    """Yield the cassettes in these files and directories, searched recursively, or the error from reading one.

    A YAML or JSON file of a directory that is not a cassette is yielded as its path.
    """
    for path in paths:
        if not path.is_dir():
            yield _cassette_or_error(path)
            continue
        for file in sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file()):
            yield _cassette_or_path(file)


def _cassette_or_error(path: Path) -> Cassette | UnreadableCassette:
    try:
        content = path.read_bytes()
    except OSError as error:
        return UnreadableCassette(path, None, error.strerror or str(error))
    try:
        document = parse_document(content)
    except UnreadableDocument as error:
        return UnreadableCassette(path, error.line, error.reason)
    if isinstance(document, list) and document and isinstance(document[0], dict) and "request" in document[0]:
        return UnreadableCassette(path, 1, _OLD_FORMAT)
    interactions = document.get("interactions") if isinstance(document, dict) else None
    if not isinstance(interactions, list):
        return NotACassette(path, 1, 'it is not a cassette: it has no list of "interactions"')
    return Cassette(path, interactions)


def _cassette_or_path(path: Path) -> Cassette | UnreadableCassette | Path:
    """Return the cassette, the error from reading it, or the path if the file seems to be something else."""
    cassette = _cassette_or_error(path)
    if isinstance(cassette, NotACassette):
        return path
    is_malformed = isinstance(cassette, UnreadableCassette) and cassette.line is not None
    return path if is_malformed and b"interactions" not in path.read_bytes() else cassette
