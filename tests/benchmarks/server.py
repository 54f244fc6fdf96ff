"""The server that is recorded, in a process of its own so that its CPU time is not ours."""

from __future__ import annotations

import json
import sys
from typing import Any

from ..support.openai_server import ReceivedRequest, Reply, running_server
from . import answers

_PAUSE_SECONDS = 0.002


def main() -> None:
    """Print the base url, and answer until stdin is closed."""
    with running_server() as server:
        server.scripts["/v1/chat/completions"] = lambda asked, position: _reply(server.received.pop())
        print(server.base_url, flush=True)
        sys.stdin.read()


def _reply(asked: ReceivedRequest) -> Reply:
    body: dict[str, Any] = asked.json
    text = body["messages"][-1]["content"]
    if body.get("stream"):
        words = int(text.split()[1])
        events = [json.loads(chunk) for chunk in answers.sent_chunks(words)]
        return Reply(events=events, pause_seconds=_PAUSE_SECONDS if words == answers.PACED_WORDS else 0)
    return Reply(json.loads(answers.sent_answer(int(text.rpartition("(")[2].rstrip(")")))))


if __name__ == "__main__":
    main()
