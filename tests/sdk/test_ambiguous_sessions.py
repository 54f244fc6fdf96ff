"""Calls of threads that are in none of the open sessions are refused where the sessions do not enclose one another."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest

from inference_recorder import AmbiguousSession, Session, inference_recording
from inference_recorder.errors import OpenSession

from ..conftest import HELLO, Colour
from ..support.openai_server import OpenAIServer


class Entered(NamedTuple):
    """A session, and the context of the code that entered it."""

    session: Session
    context: contextvars.Context


@contextmanager
def beside(*modes: str, directory: Path) -> Iterator[list[Entered]]:
    """Open sessions side by side, each in a context of its own, none of them in this one."""
    entered = []
    for position, mode in enumerate(modes):
        context = contextvars.copy_context()
        recorder = inference_recording(mode, directory / str(position), test_id=f"test {position}")
        entered.append((Entered(context.run(recorder.__enter__), context), recorder))
    try:
        yield [one for one, _ in entered]
    finally:
        for (_, context), recorder in entered:
            context.run(recorder.__exit__, None, None, None)


def in_a_thread(function: Callable[[], Any]) -> Any:
    """Return what a function returns, or the error it raises, in a thread without context."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(function())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=lambda: contextvars.Context().run(run))  # Python 3.14 may pass the context on
    thread.start()
    thread.join(30)
    return outcome[0]


def ask(sdk: Colour) -> Any:
    return sdk.call("chat.completions.create", **HELLO)


CALLS: dict[str, Callable[[Colour], Any]] = {
    "method": ask,
    "stream": lambda sdk: sdk.call("chat.completions.create", **HELLO, stream=True),
    "raw": lambda sdk: sdk.call("chat.completions.with_raw_response.create", **HELLO),
    "list": lambda sdk: sdk.call("models.list"),
    "iterated list": lambda sdk: sdk.items(sdk.client.models.list()),
    "another request": lambda sdk: sdk.call("files.list"),
    "post": lambda sdk: sdk.call("post", "/chat/completions", cast_to=object, body=HELLO),
    "websocket": lambda sdk: sdk.client.beta.realtime.connect(model="m"),
}
MODES = [
    ("replay", "replay"),
    ("record", "record-if-missing"),
    ("replay", "live"),
    ("live", "record"),
    ("live", "live", "record"),
]


@pytest.mark.parametrize("modes", MODES, ids="-".join)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_between_sessions_is_refused(
    call: Callable[[Colour], Any], modes: tuple[str, ...], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """It was recorded under the test that entered last, which changed from run to run."""
    with beside(*modes, directory=recordings) as entered:
        error = in_a_thread(lambda: call(sdk))

    assert isinstance(error, AmbiguousSession)
    expected = [OpenSession(mode, recordings / str(n), f"test {n}") for n, mode in enumerate(modes)]
    assert expected == list(error.sessions)
    assert all(f"{mode} in {recordings / str(n)}, test: test {n}" in str(error) for n, mode in enumerate(modes))
    assert 0 == server.count
    assert [{}] * len(modes) == [session.counts for session, _ in entered]


def test_a_method_kept_from_before_is_refused_too(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """It reaches only the client below the resources."""
    kept = sdk.client.chat.completions.create
    with beside("replay", "record", directory=recordings):
        error = in_a_thread(lambda: sdk.wait(kept(**HELLO)))

    assert isinstance(error, AmbiguousSession)
    assert 0 == server.count


def test_the_error_keeps_its_parts_between_processes(client: openai.OpenAI, recordings: Path) -> None:
    """pytest-xdist and multiprocessing send errors."""
    with beside("replay", "record", directory=recordings):
        error = in_a_thread(lambda: client.chat.completions.create(**HELLO))
    copy = pickle.loads(pickle.dumps(error))

    assert (error.sessions, str(error)) == (copy.sessions, str(copy))


def test_the_error_holds_no_secret(client: openai.OpenAI, recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parameter of a test may be one."""
    monkeypatch.setenv("SERVICE_TOKEN", "a-token-of-twenty-characters")
    with beside("replay", directory=recordings):
        recorder = inference_recording("replay", recordings, test_id="test[a-token-of-twenty-characters]")
        context = contextvars.copy_context()
        context.run(recorder.__enter__)
        error = in_a_thread(lambda: client.chat.completions.create(**HELLO))
        context.run(recorder.__exit__, None, None, None)

    assert isinstance(error, AmbiguousSession)
    assert "a-token" not in str(error)


def advice_in(error: AmbiguousSession) -> list[str]:
    return [line.strip() for line in str(error).splitlines() if "function, *arguments)" in line]


@pytest.mark.parametrize("position", range(4))
def test_the_advice_works_when_followed(position: int, server: OpenAIServer, recordings: Path) -> None:
    """Each line that the error prints is run as it stands."""
    client = openai.OpenAI(base_url=server.base_url, api_key="x", max_retries=0)
    function, arguments = client.chat.completions.create, ()
    with beside("record", "record", directory=recordings) as entered:
        error = in_a_thread(lambda: client.chat.completions.create(**HELLO))
        advice = advice_in(error)
        assert 4 == len(advice)

        async def follow(session: Session) -> None:
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(1) as executor:
                names = {"contextvars": contextvars, "threading": threading, "asyncio": asyncio, "loop": loop}
                names |= {"executor": executor, "function": lambda: function(**HELLO), "arguments": arguments}
                executor.submit(int).result()  # its thread was there before
                running: Any = eval(advice[position], names)  # noqa: S307 - the error's own advice
                if isinstance(running, threading.Thread):
                    running.start()
                    await loop.run_in_executor(None, running.join)
                elif asyncio.iscoroutine(running) or asyncio.isfuture(running):
                    await running
                else:
                    running.result()

        for session, context in entered:
            context.run(asyncio.run, follow(session))

    client.close()
    assert [{"recorded": 1}, {"recorded": 1}] == [session.counts for session, _ in entered]


@pytest.mark.parametrize("modes", [("replay", "replay"), ("replay", "record"), ("live", "replay")], ids="-".join)
@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI, openai.AzureOpenAI])
def test_a_client_may_be_made_between_sessions(kind: Any, modes: tuple[str, ...], recordings: Path) -> None:
    """Only its calls belong to a session; a pool that makes clients at its start must not fail."""
    more = {"azure_endpoint": "http://127.0.0.1:9", "api_version": "1"} if kind is openai.AzureOpenAI else {}
    with beside(*modes, directory=recordings):
        made = in_a_thread(lambda: kind(**more))
        with_key = in_a_thread(lambda: kind(api_key="sk-mine", **more))

    assert kind is type(made) is type(with_key)
    assert "sk-mine" == with_key.api_key


def test_between_sessions_of_which_none_replays_a_client_needs_its_key(recordings: Path) -> None:
    """A key of ours would be sent."""
    with beside("record", "live", directory=recordings):
        error = in_a_thread(openai.OpenAI)

    assert isinstance(error, openai.OpenAIError)


def test_a_client_made_between_sessions_replays_within_one(server: OpenAIServer, recordings: Path) -> None:
    """The key that it was given in place of one is part of no request."""
    with inference_recording("record", recordings / "0", test_id="test 0"):
        with openai.OpenAI(base_url=server.base_url, api_key="x") as recording:
            recording.chat.completions.create(**HELLO)
    with beside("replay", "replay", directory=recordings) as [(session, context), _]:
        client = in_a_thread(lambda: openai.OpenAI(base_url=server.base_url))
        context.run(lambda: client.chat.completions.create(**HELLO))

    assert {"replayed": 1} == session.counts


def test_between_live_sessions_a_kept_method_passes(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Where every session lets calls out there is nothing to decide."""
    with inference_recording("record", recordings):
        kept = client.chat.completions.create
    with beside("live", "live", directory=recordings):
        answer = in_a_thread(lambda: kept(**HELLO))

    assert "Hello 0!" == answer.choices[0].message.content
