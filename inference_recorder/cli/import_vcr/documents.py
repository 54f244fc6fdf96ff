"""The value in a YAML or JSON file that anybody may have written. Reading it runs nothing that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from io import BytesIO

import yaml

_MAX_DEPTH = 1000
_DEEP_BLOCK = re.compile(rb"^[ ?:-]{%d}" % _MAX_DEPTH, re.MULTILINE)


class UnreadableDocument(Exception):
    """Content that cannot be parsed. Attributes: `line` (counted from 1; None if unknown), `reason`."""

    def __init__(self, line: int | None, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(reason)


def parse_document(content: bytes) -> object:
    """Return the value of YAML or JSON; raises UnreadableDocument."""
    try:
        # JSON is nearly always valid YAML too, but is read ten times as fast as JSON.
        if content.lstrip()[:1] == b"{":
            return json.loads(content)
        _check_depth(content)
        return yaml.load(content, _Loader)  # noqa: S506 - a safe loader
    except json.JSONDecodeError as error:
        raise UnreadableDocument(error.lineno, f"it is not JSON: {error.msg}") from None
    except yaml.constructor.ConstructorError as error:
        reason = f"it cannot be read, and nothing of it is run: {error.problem}"
        raise UnreadableDocument(_line(error, content), reason) from None
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise UnreadableDocument(_line(error, content), f"it cannot be read as YAML: {problem}") from None
    except RecursionError:
        raise UnreadableDocument(None, "it cannot be read: it is nested too deeply") from None
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise UnreadableDocument(None, f"it cannot be read: {error}") from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is not everywhere
    """YAML's safe loader plus the few harmless tags that vcrpy writes, read as vcrpy 9 reads them."""


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    return loader.construct_scalar(node)


def _tuple(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> object:
    return tuple(loader.construct_sequence(node, deep=True))


def _file(loader: yaml.SafeLoader, node: yaml.MappingNode) -> object:
    state = loader.construct_mapping(node, deep=True).get("state") or (b"",)
    return BytesIO(state[0].encode() if isinstance(state[0], str) else state[0])


def _iterated_list(loader: yaml.SafeLoader, node: yaml.MappingNode) -> object:
    return next(iter(loader.construct_mapping(node, deep=True).get("args") or ()), [])


_CONSTRUCTORS: dict[str, Callable[..., object]] = {
    "str": _text,
    "unicode": _text,
    "tuple": _tuple,
    "object/new:_io.BytesIO": _file,
    "object/apply:builtins.iter": _iterated_list,
}
for _tag, _constructor in _CONSTRUCTORS.items():
    _Loader.add_constructor(f"tag:yaml.org,2002:python/{_tag}", _constructor)


def _check_depth(content: bytes) -> None:
    """Raise UnreadableDocument for collections nested so deeply (50,000 levels) that an older libyaml would crash."""
    if content.count(b"[") + content.count(b"{") < _MAX_DEPTH and _DEEP_BLOCK.search(content) is None:
        return
    depth = 0
    for event in yaml.parse(content, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            reason = f"it cannot be read as YAML: it is nested more than {_MAX_DEPTH} levels deep"
            raise UnreadableDocument(event.start_mark.line + 1 if event.start_mark else None, reason)


def _line(error: yaml.YAMLError, content: bytes) -> int | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    position = getattr(error, "position", None)
    return content[:position].count(b"\n") + 1 if isinstance(position, int) else None
