"""The data of the page as JSON: calls and their recordings, each turn once however many calls repeat it."""

from __future__ import annotations

import os
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ...errors import CorruptRecording
from ...json_tree import JsonObject, JsonValue
from ...storage.catalogue import Entry, entries_in, entry_of
from ...storage.walk import common_parent
from ..conversation import Conversation, Tool, conversation_of, request_of
from ..parts import Part, Turn, pretty

_MOST_BARS = 240
"""Chunks beyond that share a bar of the time line."""
_MOST_PARTS = 300
"""The most parts of one turn; an unknown stream may have thousands."""
_LONGEST_NAME = 1_000


class PageData:
    """The data of one page, read once; `to_json` cuts its texts to a length."""

    def __init__(
        self,
        directories: Sequence[Path],
        calls: Sequence[JsonObject],
        misses: Sequence[JsonObject],
        outcomes: Mapping[str, str],
    ) -> None:
        self._outcomes = outcomes
        self._directories = [directory.absolute() for directory in directories]
        self._recordings: dict[str, _Recording] = {}
        if calls or misses:
            self._calls = [*_explained(calls, misses)]
            for path in dict.fromkeys(str(call["path"]) for call in self._calls if call.get("path")):
                self._recordings[path] = _Recording.read(Path(path))
        else:
            for entry in entries_in(directories):
                self._recordings[str(entry.path)] = _Recording(entry)
            self._calls = [recording.as_call() for recording in sorted(self._recordings.values(), key=_Recording.order)]

    def to_json(self, longest: int) -> JsonObject:
        """Return the page's JSON, its texts cut to `longest` characters. Its shape is read in script/calls.js.

        A turn is [role, note, parts], a part [kind, text, name, id, characters of the whole text where it was cut],
        a tool [name, description, parameters].
        """
        turns, tools = _Once(), _Once()
        indexes = {path: index for index, path in enumerate(self._recordings)}
        return {
            "written": int(time.time()),
            "directory": _shown(common) if (common := common_parent(self._directories)) else "",
            "directories": len(self._directories),
            "longest": longest,
            "recordings": [recording.to_json(turns, tools, longest) for recording in self._recordings.values()],
            "calls": [
                _call_json(call, indexes, longest)
                | self._outcome_json(call)
                | _request_json(call, turns, tools, longest)
                for call in self._calls
            ],
            "turns": turns.items,
            "tools": tools.items,
        }

    def _outcome_json(self, call: JsonObject) -> JsonObject:
        outcome = self._outcomes.get(str(call.get("test_id")))
        return {} if outcome is None else {"result": outcome}


class _Once:
    """A list of values without repetition: a conversation that grows call by call repeats its turns in each request."""

    def __init__(self) -> None:
        self.items: list[JsonValue] = []
        self._indexes: dict[Hashable, int] = {}

    def index_of(self, value: Hashable, as_json: JsonValue) -> int:
        """Return the index of a value, which is added as `as_json` if it is new."""
        index = self._indexes.setdefault(value, len(self.items))
        if index == len(self.items):
            self.items.append(as_json)
        return index


class _Recording:
    """A recording as a conversation, or why it cannot be read."""

    def __init__(self, found: Entry | CorruptRecording) -> None:
        self.path = found.path
        self.entry: Entry | None = None
        self.conversation: Conversation | None = None
        self.problem = ""
        self.size = 0
        try:
            if isinstance(found, CorruptRecording):
                raise found
            self.conversation = conversation_of(found)
            self.size = len(found.content)
            # Without its content: thousands of recordings are held at a time.
            self.entry = Entry(found.path, b"", found.test_id, found.request)
        except CorruptRecording as error:
            self.problem = str(error)

    @classmethod
    def read(cls, path: Path) -> _Recording:
        try:
            return cls(entry_of(path))
        except CorruptRecording as error:
            return cls(error)

    def order(self) -> tuple[str, int, str]:
        """Return what sorts by test and then by length of the history, which grows with each call of an agent.

        No file holds the time of its call.
        """
        entry, conversation = self.entry, self.conversation
        return (entry.test_id or "" if entry else "", len(conversation.asked) if conversation else 0, self.path.name)

    def as_call(self) -> JsonObject:
        """Return the call that was recorded here; nothing is known of when."""
        call: JsonObject = {"outcome": "stored" if self.entry else "unreadable", "path": str(self.path)}
        if self.entry is not None:
            entry = self.entry
            call |= {"test_id": entry.test_id, "endpoint": entry.endpoint, "model": entry.model, "key": entry.key}
        return call

    def to_json(self, turns: _Once, tools: _Once, longest: int) -> JsonObject:
        file: JsonObject = {"file": _shown(self.path), "bytes": self.size}
        conversation = self.conversation
        if conversation is None:
            return {**file, "problem": self.problem}
        usage = conversation.usage
        return {
            **file,
            **_conversation_json(conversation, turns, tools, longest),
            "usage": None if usage is None else [usage.tokens_in, usage.tokens_out, usage.cached, usage.reasoning],
            "failure": _cut(conversation.failure, longest)[0],
            "chunks": None if conversation.chunk_sizes is None else _bars(conversation.chunk_sizes),
            "left": not conversation.is_complete,
        }


def _explained(calls: Sequence[JsonObject], misses: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """Yield the calls, each miss among them with its explanation, then the misses that are not among them."""
    left = list(misses)
    for call in calls:
        position = next((position for position, miss in enumerate(left) if _is_same(call, miss)), None)
        yield call if position is None else {**call, **left.pop(position)}
    yield from ({"outcome": "missed", **miss} for miss in left)


def _is_same(call: JsonObject, miss: JsonObject) -> bool:
    if call.get("outcome") != "missed":
        return False
    return all(call.get(name) == miss.get(name) for name in ("test_id", "key", "started") if name in miss)


def _call_json(call: JsonObject, indexes: dict[str, int], longest: int) -> JsonObject:
    path = call.get("path")
    offsets = call.get("chunk_seconds")
    tokens: list[JsonValue] = [_count(call.get("tokens_in")), _count(call.get("tokens_out"))]
    members: JsonObject = {
        "outcome": str(call.get("outcome", "")),
        "test": _name(call.get("test_id")),
        "endpoint": _name(f"{call.get('host') or ''}{call.get('endpoint') or ''}"),
        "model": _name(call.get("model")),
        "key": str(call.get("key") or ""),
        "recording": indexes[str(path)] if path else -1,
        "started": _number(call.get("started")),
        "seconds": _number(call.get("seconds")),
        "tokens": tokens if any(tokens) else None,
        "offsets": [_number(one) for one in _thinned(offsets)] if isinstance(offsets, (list, tuple)) else None,
        "explanation": _cut(str(call.get("explanation") or ""), longest)[0],
    }
    return {name: value for name, value in members.items() if value not in (None, "")}


def _conversation_json(conversation: Conversation, turns: _Once, tools: _Once, longest: int) -> JsonObject:
    settings: JsonObject = {
        _name(name): _cut(pretty(value), longest)[0] for name, value in conversation.settings.items()
    }
    return {
        "asked": [turns.index_of(turn, _turn_json(turn, longest)) for turn in conversation.asked],
        "answered": [turns.index_of(turn, _turn_json(turn, longest)) for turn in conversation.answered],
        "tools": [tools.index_of(tool, _tool_json(tool, longest)) for tool in conversation.tools],
        "settings": settings,
    }


def _request_json(call: JsonObject, turns: _Once, tools: _Once, longest: int) -> JsonObject:
    """Return what a call without a recording asked, where that is known."""
    request = call.get("request")
    if not isinstance(request, dict):
        return {}
    conversation = request_of(Entry(Path(), b"", None, request))
    return {"request": _conversation_json(conversation, turns, tools, longest)}


def _turn_json(turn: Turn, longest: int) -> JsonValue:
    parts = [_part_json(part, longest) for part in turn.parts[:_MOST_PARTS]]
    if len(turn.parts) > _MOST_PARTS:
        parts.append(["attachment", f"{len(turn.parts) - _MOST_PARTS:,} more; see the file"])
    return [_name(turn.role), _name(turn.note), parts]


def _tool_json(tool: Tool, longest: int) -> JsonValue:
    return [_name(tool.name), _cut(tool.description, longest)[0], _cut(tool.parameters, longest)[0]]


def _part_json(part: Part, longest: int) -> JsonValue:
    text, whole = _cut(part.text, longest)
    members: list[JsonValue] = [part.kind, text, _name(part.name), _name(part.id), whole]
    while not members[-1]:
        members.pop()
    return members


def _cut(text: str, longest: int) -> tuple[str, int]:
    """Return a text of at most `longest` characters, and how many it had, 0 where it was not cut."""
    return (text, 0) if len(text) <= longest else (f"{text[:longest]}…", len(text))


def _name(text: object) -> str:
    return _cut(str(text or ""), _LONGEST_NAME)[0]


def _bars(sizes: Sequence[int]) -> JsonObject:
    step = _step(len(sizes))
    return {
        "count": len(sizes),
        "bars": [sum(sizes[position : position + step]) for position in range(0, len(sizes), step)],
        "step": step,
    }


def _thinned(offsets: Sequence[JsonValue]) -> Iterable[JsonValue]:
    return offsets[:: _step(len(offsets))]


def _step(count: int) -> int:
    return max(1, -(-count // _MOST_BARS))


def _number(value: JsonValue) -> float | None:
    # NaN and the infinities have no JSON that a browser reads.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e15:
        return None
    return round(float(value), 6)


def _count(value: JsonValue) -> int:
    return int(value) if isinstance(value, int) and 0 <= value < 2**53 else 0


def _shown(path: Path) -> str:
    """Return a path below the working directory without that: a report is read on other machines too."""
    absolute, here = Path(os.path.abspath(path)), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
