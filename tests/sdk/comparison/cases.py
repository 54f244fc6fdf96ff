"""The generated cases: how many chunks and bytes, which API, how it is sent and how it is read. One seed, one list."""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import inference_recorder

from ...support.openai_server import response_events

SEED = 20261127
MOST_BYTES = 2 * 1024 * 1024
MOST_CHUNKS = 5_000
_MARK = "the-text"
_REPETITIONS = 4
"""How often a stream of the Responses API says its text: in its deltas and, whole, in three of its last events."""
_ROOMS = ("recording", "redaction", "sdk", "storage")
"""Where a constant can decide how a stream is stored or read."""


class Case(NamedTuple):
    """One stream and one way of reading it."""

    number: int
    api: str
    """chat or responses."""
    chunks: int
    """The number of chunks of text."""
    size: int
    """How many bytes of text, all together."""
    way: str
    taken: int
    """After how many chunks a consumer leaves who leaves early."""
    mode: str
    is_async: bool
    is_compressed: bool
    is_paced: bool

    @property
    def request(self) -> dict[str, Any]:
        asked = {"input": "Hi"} if self.api == "responses" else {"messages": [{"role": "user", "content": "Hi"}]}
        return {"model": "m", "user": str(self.number), **asked}


@cache
def thresholds() -> list[int]:
    """Return the numbers of bytes at which the package may take another path: its own constants, found in its code."""
    found = set()
    for room in _ROOMS:
        for path in (Path(inference_recorder.__file__).parent / room).glob("*.py"):
            for node in ast.parse(path.read_text()).body:
                value = _number(node.value) if isinstance(node, ast.Assign) else None
                if value is not None and 512 <= value <= MOST_BYTES:
                    found.add(value)
    return sorted(found)


def _number(node: ast.expr) -> int | None:
    """Return the value of `1 << 16`, `64 * 1024` or a plain number; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if not isinstance(node, ast.BinOp):
        return None
    left, right = _number(node.left), _number(node.right)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.LShift):
        return left << right
    return left * right if isinstance(node.op, ast.Mult) else None


def generated(
    count: int, ways: list[str], *, most_chunks: int = MOST_CHUNKS, most_bytes: int = MOST_BYTES
) -> list[Case]:
    """Return this many cases: all ways in turn, in both colours, over sizes that lie close at every threshold."""
    chance, cases = random.Random(SEED), []
    edges = [edge for edge in thresholds() if edge <= most_bytes]
    lengths = [0, 1, 2, 3, 8, 40, 200, 1_000, MOST_CHUNKS]
    weights = [2, 4, 4, 6, 8, 8, 4, 1, 0.25]
    for number in range(count):
        edge = edges[number // 2 % len(edges)]
        size = chance.choice(
            [edge - 1, edge, edge + 1, chance.randint(1, edge), chance.randint(edge // 2, 2 * edge), 1, most_bytes]
        )
        chunks = min(chance.choices(lengths, weights)[0], most_chunks)
        cases.append(
            Case(
                number,
                api=chance.choice(["chat", "chat", "responses"]),
                chunks=chunks,
                size=max(1, min(size, most_bytes)) if chunks else 0,
                way=ways[number // 2 % len(ways)],
                taken=chance.choice([0, 1, chunks // 2, chunks]),
                mode=chance.choice(["record", "record-if-missing"]),
                is_async=number % 2 == 1,
                is_compressed=chance.random() < 0.25,
                is_paced=chance.random() < 0.25,
            )
        )
    return cases


def largest(first: int, ways: list[str]) -> list[Case]:
    """Return the extremes: most chunks, most bytes, and nothing at all, each way, in both colours."""
    shapes = [(MOST_CHUNKS, MOST_BYTES), (1, MOST_BYTES), (0, 0), (1, 1)]
    shaped = [(way, *shape) for way in ways for shape in shapes]
    return [
        Case(first + position * 2 + is_async, "chat", chunks, size, way, 0, "record", bool(is_async), False, False)
        for position, (way, chunks, size) in enumerate(shaped)
        for is_async in (0, 1)
    ]


def events_of(case: Case) -> Iterator[bytes]:
    """Yield the server-sent events of a case."""
    texts = [_text(case, position) for position in range(case.chunks)]
    if case.api == "responses":
        usual = response_events(_MARK)
        delta = next(event for event in usual if event["type"].endswith("text.delta"))
        position, whole = usual.index(delta), "".join(texts)
        events_sent = [(event, whole) for event in usual]
        events_sent[position : position + 1] = [(delta, text) for text in texts]
        for number, (event, text) in enumerate(events_sent):
            yield _event(event | {"sequence_number": number}, event["type"], text)
        return
    for text in texts:
        yield _event(_chunk({"role": "assistant", "content": text}))
    if texts:
        yield _event(_chunk({}, finish_reason="stop"))
    yield b"data: [DONE]\n\n"


def _text(case: Case, position: int) -> str:
    size = case.size // _REPETITIONS if case.api == "responses" else case.size
    length = size // case.chunks + (position < size % case.chunks)
    word = f"{position} é\n" if case.number % 5 == 0 else f"{position} "
    return (word * (length // len(word) + 1))[:length]


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_764_000_000,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


def _event(data: dict[str, Any], name: str = "", text: str = "") -> bytes:
    start = f"event: {name}\n" if name else ""
    return f"{start}data: {json.dumps(data).replace(_MARK, json.dumps(text)[1:-1])}\n\n".encode()
