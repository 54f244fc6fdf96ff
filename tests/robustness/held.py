"""`python -m tests.robustness.held WHAT DIRECTORY`: what replaying holds or takes, as JSON (see `main`)."""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from inference_recorder import inference_recording
from inference_recorder.recording import json_bytes
from inference_recorder.recording.answer import Streamed, Value
from inference_recorder.recording.body import typed
from inference_recorder.recording.codec import encode

from ..support.openai_server import chunk, completion
from .in_memory import client_answered_by, usual

SIZE = 50_000_000
_ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def held_after_replays(directory: Path) -> dict[str, float]:
    """Return by how much open files, threads and memory grow over 10,000 replays of three kinds in one session."""
    with client_answered_by(usual) as client:

        def ask(rounds: int) -> None:
            for number in range(rounds):
                list(client.chat.completions.create(**_ASKED, stream=True))
                if number % 10 == 0:
                    client.chat.completions.with_raw_response.create(**_ASKED).parse()
                else:
                    client.chat.completions.create(**_ASKED)

        with inference_recording("record-if-missing", directory):
            ask(1)
        with inference_recording("replay", directory):
            ask(500)
        before = _held()
        with inference_recording("replay", directory) as session:
            ask(5_000)
            after = _held()
            replays = session.counts["replayed"]
    return {"replays": replays} | {what: round(after[what] - before[what], 2) for what in before}


def taken_by_a_big_one(kind: str, directory: Path) -> dict[str, float]:
    """Return by how many megabytes the process grows at most while it replays one recording of 50."""
    asked = _ASKED | ({"stream": True} if kind == "streamed" else {})
    if os.fork() == 0:  # what makes the file must not count
        _make(kind, asked, directory)
        os._exit(0)
    os.wait()
    with client_answered_by(usual) as client:
        with inference_recording("record", directory.with_name("small")):
            _replay(client, "plain" if kind == "embeddings" else kind, asked)
        gc.collect()
        before = _most_memory()
        with inference_recording("replay", directory):
            _replay(client, kind, asked)
    taken = _most_memory() - before
    [path] = directory.glob("*.json")
    size = path.stat().st_size
    return {"megabytes in the file": size / 1e6, "megabytes taken": taken / 1e6, "times": round(taken / size, 2)}


def _replay(client: Any, kind: str, asked: dict[str, Any]) -> None:
    if kind == "embeddings":
        client.embeddings.create(model="m", input="x", encoding_format="float")
    elif kind == "streamed":
        for _ in client.chat.completions.create(**asked):
            pass
    else:
        client.chat.completions.create(**asked)


def _make(kind: str, asked: dict[str, Any], directory: Path) -> None:
    with client_answered_by(usual) as client, inference_recording("record", directory):
        _replay(client, kind, asked)
    [path] = directory.glob("*.json")
    request = json.loads(path.read_bytes())["request"]
    if kind == "streamed":
        line = json_bytes.dumps(typed("x", chunk({"content": "word word"})))
        answer = Streamed([line] * (SIZE // (len(line) + 8)))
    elif kind == "embeddings":
        vector = [1 / (position + 3) for position in range(1_000)]
        count = SIZE // (len(json_bytes.dumps(vector)) + 100)
        data = [{"object": "embedding", "index": position, "embedding": vector} for position in range(count)]
        answer = Value(typed("x", {"object": "list", "model": "m", "data": data, "usage": {}}))
    else:
        answer = Value(typed("x", completion("word " * (SIZE // 5))))
    path.write_bytes(encode(None, request, answer))


def _held() -> dict[str, float]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "megabytes": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
    }


def _most_memory() -> int:
    # Not getrusage, whose figure begins with that of the process that started this one.
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    kind, directory = sys.argv[1], Path(sys.argv[2])
    print(json.dumps(held_after_replays(directory) if kind == "replays" else taken_by_a_big_one(kind, directory)))
