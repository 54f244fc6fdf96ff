"""The cassettes of files and folders, YAML or JSON. Reading one runs nothing that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

_ENDINGS = frozenset({".yaml", ".yml", ".json"})
_DEEPEST = 1000
_DEEP_BLOCK = re.compile(rb"^[ ?:-]{%d}" % _DEEPEST, re.MULTILINE)
_OLD = "vcrpy before 1.0 wrote it; `python -m vcr.migration PATH` makes it readable"


@dataclass(frozen=True, slots=True)
class Cassette:
    """A cassette's file with its interactions, each as the file has it."""

    path: Path
    interactions: list[Any]


class UnreadableCassette(Exception):
    """A cassette that cannot be read. Attributes: `path`, `line` (counted from 1; None where none is to blame)."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        self.path = path
        self.line = line
        self.reason = reason
        super().__init__(f"{path}{'' if line is None else f', line {line}'}: {reason}")


class NoCassette(UnreadableCassette):
    """A file that can be read and is something else."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is not everywhere
    """YAML's safe loader and the few harmless tags that vcrpy writes, as vcrpy 9 reads them."""


class _TooDeep(yaml.YAMLError):
    """Collections nested so deep that they are not read."""

    def __init__(self, position: Any) -> None:
        self.problem_mark = position
        super().__init__(f"it is nested more than {_DEEPEST} levels deep")


def _text(loader: Any, node: Any) -> Any:
    return loader.construct_scalar(node)


def _tuple(loader: Any, node: Any) -> Any:
    return tuple(loader.construct_sequence(node, deep=True))


def _file(loader: Any, node: Any) -> BytesIO:
    state = loader.construct_mapping(node, deep=True).get("state") or (b"",)
    return BytesIO(state[0].encode() if isinstance(state[0], str) else state[0])


def _pieces(loader: Any, node: Any) -> Any:
    return next(iter(loader.construct_mapping(node, deep=True).get("args") or ()), [])


for _tag, _constructor in (
    ("str", _text),
    ("unicode", _text),
    ("tuple", _tuple),
    ("object/new:_io.BytesIO", _file),
    ("object/apply:builtins.iter", _pieces),
):
    _Loader.add_constructor(f"tag:yaml.org,2002:python/{_tag}", _constructor)


def cassettes_in(paths: Iterable[Path]) -> Iterator[Cassette | UnreadableCassette | Path]:
    """Yield the cassettes of these files and folders (and theirs), by name, or the error that reading one gave.

    A YAML or JSON file of a folder that is no cassette is yielded as its path.
    """
    for path in paths:
        if not path.is_dir():
            yield _cassette_or_error(path)
            continue
        for file in sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS and file.is_file()):
            yield _cassette_or_other(file)


def read_cassette(path: Path) -> Cassette:
    """Return the cassette in this file; raises UnreadableCassette."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableCassette(path, None, error.strerror or str(error)) from error
    try:
        document = _parsed(content)
    except json.JSONDecodeError as error:
        raise UnreadableCassette(path, error.lineno, f"it is not JSON: {error.msg}") from None
    except yaml.constructor.ConstructorError as error:
        refusal = f"it cannot be read, and nothing of it is run: {error.problem}"
        raise UnreadableCassette(path, _line(error, content), refusal) from None
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise UnreadableCassette(path, _line(error, content), f"it cannot be read as YAML: {reason}") from None
    except RecursionError:
        raise UnreadableCassette(path, None, "it cannot be read: it is nested too deep") from None
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise UnreadableCassette(path, None, f"it cannot be read: {error}") from None
    if isinstance(document, list) and document and isinstance(document[0], dict) and "request" in document[0]:
        raise UnreadableCassette(path, 1, _OLD)
    interactions = document.get("interactions") if isinstance(document, dict) else None
    if not isinstance(interactions, list):
        raise NoCassette(path, 1, 'it is no cassette: it has no list of "interactions"')
    return Cassette(path, interactions)


def _cassette_or_error(path: Path) -> Cassette | UnreadableCassette:
    try:
        return read_cassette(path)
    except UnreadableCassette as error:
        return error


def _cassette_or_other(path: Path) -> Cassette | UnreadableCassette | Path:
    """Return what a file of a folder is, which may be meant as something else."""
    found = _cassette_or_error(path)
    if isinstance(found, NoCassette):
        return path
    if isinstance(found, UnreadableCassette) and found.line is not None and b"interactions" not in path.read_bytes():
        return path
    return found


def _parsed(content: bytes) -> Any:
    # Any JSON is YAML too, nearly, but read ten times as fast.
    if content.lstrip()[:1] == b"{":
        return json.loads(content)
    _check_depth(content)
    return yaml.load(content, _Loader)  # noqa: S506 - a safe loader


def _check_depth(content: bytes) -> None:
    """Raise _TooDeep for what is nested so deep that an older libyaml would crash the process (some 50,000 levels)."""
    if content.count(b"[") + content.count(b"{") < _DEEPEST and _DEEP_BLOCK.search(content) is None:
        return
    depth = 0
    for event in yaml.parse(content, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _TooDeep(event.start_mark)


def _line(error: yaml.YAMLError, content: bytes) -> int | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    position = getattr(error, "position", None)
    return content[:position].count(b"\n") + 1 if isinstance(position, int) else None
