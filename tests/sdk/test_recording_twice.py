"""A suite that is recorded twice gives no diff, whatever the server calls its answers."""

from __future__ import annotations

import random
import shutil
import subprocess
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ..conftest import files_of
from ..robustness.test_xdist import run
from ..support.openai_server import (
    OpenAIServer,
    ReceivedRequest,
    Reply,
    chunks,
    completion,
    response,
    response_events,
    running_server,
)

SUITE = """
    import os
    import openai, pytest

    pytestmark = pytest.mark.inference_recording
    HELLO = [{"role": "user", "content": "Say hello."}]
    TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    client = openai.OpenAI(base_url=os.environ["SERVER"], api_key="x", max_retries=0)

    @pytest.mark.parametrize("number", range(4))
    def test_plain(number):
        for _ in range(2):
            client.chat.completions.create(model="gpt-4o", messages=HELLO)

    def test_streamed():
        with client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True) as stream:
            assert "Hello!" == "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)

    def test_tools():
        asked = client.chat.completions.create(model="gpt-4o", messages=HELLO, tools=TOOLS).choices[0].message
        results = [{"role": "tool", "tool_call_id": call.id, "content": "42"} for call in asked.tool_calls]
        reply = asked.model_dump(exclude_none=True)
        answer = client.chat.completions.create(model="gpt-4o", messages=[*HELLO, reply, *results], tools=TOOLS)
        assert "It is 42." == answer.choices[0].message.content

    @pytest.mark.parametrize("is_raw", [False, True])
    def test_chain(is_raw):
        create, previous = client.responses.create, None
        for text in ("one", "two", "three"):
            if is_raw:
                answer = client.responses.with_raw_response.create(
                    model="gpt-4o", input=text, previous_response_id=previous
                ).parse()
            else:
                answer = create(model="gpt-4o", input=text, previous_response_id=previous)
            previous = answer.id
            assert text == answer.output_text

    def test_streamed_responses():
        previous = None
        for text in ("one more", "and two"):
            with client.responses.create(
                model="gpt-4o", input=text, stream=True, previous_response_id=previous
            ) as stream:
                previous = [event for event in stream][-1].response.id

    def test_embeddings():
        assert 3 == len(client.embeddings.create(model="m", input="one").data[0].embedding)

    def test_models():
        assert ["gpt-4o", "gpt-4o-mini"] == sorted(model.id for model in client.models.list())

    def test_error():
        with pytest.raises(openai.NotFoundError, match="no such path"):
            client.post("/nothing", cast_to=object, body={})

    def test_audio():
        assert 300_000 == len(client.audio.speech.create(model="tts", voice="alloy", input="Hello!").content)

    def test_polled():
        batch = client.batches.create(
            completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-123456789"
        )
        statuses = [client.batches.retrieve(batch.id).status for _ in range(3)]
        assert ["validating", "in_progress", "completed"] == statuses
"""


class NewIds:
    """Answers that say the same each time, under ids, times and padding that nobody has seen before."""

    def __init__(self) -> None:
        self._polled: dict[str, int] = {}

    def chat(self, asked: ReceivedRequest, number: int) -> Reply:
        body, number = asked.json, _number()
        if body.get("stream"):
            events = chunks("Hel", "lo", "!", number=number)
            return Reply(events=[chunk | {"obfuscation": _name("")} for chunk in events], headers=_headers())
        if "tools" not in body:
            return Reply(completion(number=number), headers=_headers())
        if len(body["messages"]) > 1:
            return Reply(completion("It is 42.", number=number), headers=_headers())
        calls = [{"id": _name("call_"), "type": "function", "function": {"name": "look_up", "arguments": "{}"}}]
        answer = completion(None, number=number)  # type: ignore[arg-type]
        answer["choices"][0]["message"]["tool_calls"] = calls
        return Reply(answer, headers=_headers())

    def responses(self, asked: ReceivedRequest, number: int) -> Reply:
        body, number = asked.json, _number()
        previous = {"previous_response_id": body.get("previous_response_id")}
        if body.get("stream"):
            events = response_events(body["input"], number=number)
            for event in events:
                event.update({"response": event["response"] | previous} if "response" in event else {})
            return Reply(events=events, is_done_sent=False, headers=_headers())
        return Reply(response(body["input"], number=number, **previous), headers=_headers())

    def batches(self, asked: ReceivedRequest, number: int) -> Reply:
        name = _name("batch_") if asked.method == "POST" else asked.path.rpartition("/")[2]
        number = self._polled[name] = self._polled.get(name, -1) + 1
        status = ["validating", "validating", "in_progress", "completed"][number]
        batch: dict[str, Any] = {"id": name, "object": "batch", "endpoint": "/v1/chat/completions", "status": status}
        batch |= {f"{event}_at": 1_764_000_000 + _number() for event in ("created", status, "expires")}
        return Reply(batch | {"completion_window": "24h", "input_file_id": "file-123456789"}, headers=_headers())

    def speech(self, asked: ReceivedRequest, number: int) -> Reply:
        return Reply(content=b"RIFF" + bytes(299_996), media_type="audio/mpeg", headers=_headers())


def scripted(server: OpenAIServer) -> None:
    """Make a server answer all requests of the suite, with new ids each time."""
    new_ids, usual = NewIds(), server.elsewhere
    server.scripts |= {
        "/v1/chat/completions": new_ids.chat,
        "/v1/responses": new_ids.responses,
        "/v1/audio/speech": new_ids.speech,
    }
    server.elsewhere = lambda asked, number: (
        new_ids.batches(asked, number)
        if asked.path.startswith("/v1/batches")
        else replace(usual(asked, number), headers=_headers())
    )


def _number() -> int:
    return random.randrange(10**8)


def _name(start: str) -> str:
    return f"{start}{random.randbytes(12).hex()}"


def _headers() -> dict[str, str]:
    return {"x-request-id": _name("req_"), "date": _name("")}


def changed(directory: Path) -> str:
    """Return git's status of the recordings, without locks."""
    return git(directory, "status", "--porcelain", "--untracked-files=all", "recordings")


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_second_of_two_recordings_gives_no_diff(tmp_path: Path) -> None:
    """A diff in a pull request is then a change of a model's answer; ids and times would drown it."""
    (tmp_path / "test_suite.py").write_text(textwrap.dedent(SUITE))
    git(tmp_path, "init", "-q")
    with running_server() as server:
        scripted(server)
        recorded = run(tmp_path, server, "record")
        git(tmp_path, "add", "recordings")
        git(tmp_path, "commit", "-qm", "Record")
        asked = server.count
        again = run(tmp_path, server, "record")
    assert 2 * asked == server.count
    replayed = run(tmp_path, server, "replay")

    for done in (recorded, again, replayed):
        assert {"passed": 14} == pytest.RunResult.parse_summary_nouns(done.stdout.splitlines()), done.stdout
    assert "" == changed(tmp_path), git(tmp_path, "diff", "--unified=0", "recordings")
    assert 27 == asked == len(files_of(tmp_path / "recordings"))
