"""`python -m tests.robustness.killing DIRECTORY KILLS SEED`: kill a recording process again and again; look each time.

Each child is forked from a parent that has the SDK imported, records the same three calls over and over with a new
answer each time (a plain one, a stream, and one whose bytes lie beside it), and gets kill -9 after a random while. Then
each recording must replay one whole answer, and none that was there may be missing.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.recording.codec import decode_thoroughly
from inference_recorder.recording.layout import owner_of_temporary

from ..support.openai_server import chunks, completion
from .in_memory import client_answered_by

_ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
_WORDS = 40
_BINARY_SIZE = 300_000


def main(directory: Path, kills: int, seed: int) -> dict[str, int]:
    """Return what was found after the kills: of the temporary files, and of the answers, how many were new."""
    chance, seen = random.Random(seed), {"plain": -1, "streamed": -1, "binary": -1}
    found = {"kills": kills, "with a temporary file": 0, "with bytes of no recording": 0, "answers that were new": 0}
    longest = _seconds_of_one_round()
    for number in range(kills):
        child = os.fork()
        if child == 0:
            _record_for_ever(directory, (number + 1) * 1_000_000)
        time.sleep(chance.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        before = dict(seen)
        for path in directory.glob("*.json"):
            decode_thoroughly(path.read_bytes(), str(path))
        for kind, generation in _replayed(directory).items():
            assert generation >= seen[kind], f"after kill {number}: {kind} went from {seen[kind]} to {generation}"
            seen[kind] = generation
        temporary, orphans = list(directory.glob(".*.tmp")), _orphans(directory)
        assert len(temporary) <= 1, temporary
        # By this name the next writer sees whether its own writer still holds the lock.
        assert {len(owner_of_temporary(path.name) or "") for path in temporary} <= {64}, temporary
        assert len(orphans) <= 1, orphans
        found["with a temporary file"] += len(temporary)
        found["with bytes of no recording"] += len(orphans)
        found["answers that were new"] += sum(before[kind] != seen[kind] for kind in seen)
    with inference_recording("record", directory):
        _ask(0)
    assert not list(directory.glob(".*.tmp"))
    assert not _orphans(directory)
    assert {0} == set(_replayed(directory).values())
    return found


def _seconds_of_one_round() -> float:
    """Return how long a child needs to record the three calls; the SDK has imported all that it needs by then."""
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(2):
            begun = time.monotonic()
            with inference_recording("record", directory):
                _ask(0)
        seconds = time.monotonic() - begun
        _replayed(Path(directory))
    return 1.5 * seconds


def _record_for_ever(directory: Path, generation: int) -> None:
    while True:
        with inference_recording("record", directory):
            _ask(generation)
        generation += 1


def _ask(generation: int) -> None:
    def answer(path: str, body: dict[str, Any]) -> Any:
        if path.endswith("speech"):
            return generation.to_bytes(4, "big") * (_BINARY_SIZE // 4)
        words = [f"{generation} "] * _WORDS
        return chunks(*words) if body.get("stream") else completion("".join(words))

    with client_answered_by(answer) as client:
        client.chat.completions.create(**_ASKED)
        list(client.chat.completions.create(**_ASKED, stream=True))
        client.audio.speech.create(model="tts-1", voice="alloy", input="Hello")


def _replayed(directory: Path) -> dict[str, int]:
    """Return which generation each recording holds, whole; what was never recorded is left out."""
    found: dict[str, int] = {}
    with inference_recording("replay", directory), client_answered_by(_nothing) as client:
        for kind, replay in _REPLAYS.items():
            try:
                answers = replay(client)
            except MissingRecording:
                continue
            assert 1 == len(set(answers)), f"{kind} holds parts of {set(answers)}"
            found[kind] = answers[0]
    return found


def _streamed(client: Any) -> list[int]:
    parts = [
        item.choices[0].delta.content for item in client.chat.completions.create(**_ASKED, stream=True) if item.choices
    ]
    answers = [int(part) for part in parts if part]
    assert _WORDS == len(answers)
    return answers


def _binary(client: Any) -> list[int]:
    content = client.audio.speech.create(model="tts-1", voice="alloy", input="Hello").content
    assert _BINARY_SIZE == len(content)
    return [int.from_bytes(content[position : position + 4], "big") for position in range(0, len(content), 4_000)]


_REPLAYS = {
    "plain": lambda client: [
        int(word) for word in client.chat.completions.create(**_ASKED).choices[0].message.content.split()
    ],
    "streamed": _streamed,
    "binary": _binary,
}


def _orphans(directory: Path) -> list[Path]:
    recordings = b"".join(path.read_bytes() for path in directory.glob("*.json"))
    return [path for path in directory.glob("*.bin") if path.name.split(".")[-2].encode() not in recordings]


def _nothing(path: str, body: dict[str, Any]) -> Any:
    raise AssertionError("replay asked the API")


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
