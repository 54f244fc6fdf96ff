"""Which session a thread, an event loop or a server without context belongs to, where one session is the innermost."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from inference_recorder import AmbiguousSession, inference_recording
from inference_recorder.recorder import enter_process_wide, resume, suspend

from ..conftest import HELLO, AsyncColour, Colour
from ..support.openai_server import OpenAIServer
from .test_ambiguous_sessions import ask, beside, in_a_thread


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_a_call_without_context_belongs_to_the_innermost_of_a_chain(depth: int, sdk: Colour, recordings: Path) -> None:
    """One test with a session of the plugin's, one of a fixture's and its own, and a server in a thread."""
    recorders = [inference_recording("record", recordings / str(position)) for position in range(depth)]
    sessions = [recorder.__enter__() for recorder in recorders]
    for open_ones in range(depth, 0, -1):
        in_a_thread(lambda: ask(sdk))
        recorders[open_ones - 1].__exit__(None, None, None)

    assert [{"recorded": 1}] * depth == [session.counts for session in sessions]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_chain_may_be_left_in_any_order(order: tuple[int, ...], client: openai.OpenAI, recordings: Path) -> None:
    """Fixtures and generators end as they like; what is left is still one chain."""
    recorders = [inference_recording("record", recordings / str(position)) for position in range(3)]
    sessions = [recorder.__enter__() for recorder in recorders]
    expected = []
    for position in order:
        innermost = max(n for n, session in enumerate(sessions) if session.is_open)
        before = sessions[innermost].counts["recorded"]
        in_a_thread(lambda: client.chat.completions.create(**HELLO))
        expected.append(sessions[innermost].counts["recorded"] - before)
        contextvars.copy_context().run(recorders[position].__exit__, None, None, None)

    assert [1, 1, 1] == expected


def test_sessions_that_follow_each_other_are_not_refused(client: openai.OpenAI, recordings: Path) -> None:
    """Each test, each fixture and each event loop may have a context of its own."""
    sessions = []
    for _ in range(5):
        with beside("record", directory=recordings) as [(session, _)]:
            in_a_thread(lambda: client.chat.completions.create(**HELLO))
        sessions.append(session)

    assert [{"recorded": 1}] * 5 == [session.counts for session in sessions]


def test_two_sessions_within_one_are_no_chain(client: openai.OpenAI, recordings: Path) -> None:
    """A test's session around two tasks that have their own."""
    with inference_recording("record", recordings / "around") as around:
        with beside("record", "record", directory=recordings) as entered:
            refused = in_a_thread(lambda: client.chat.completions.create(**HELLO))
            for _, context in entered:
                context.run(lambda: client.chat.completions.create(**HELLO))
            client.chat.completions.create(**HELLO)
        in_a_thread(lambda: client.chat.completions.create(**HELLO))

    assert isinstance(refused, AmbiguousSession)
    assert 3 == len(refused.sessions)
    assert [{"recorded": 2}, {"recorded": 1}, {"recorded": 1}] == [
        session.counts for session in (around, *(session for session, _ in entered))
    ]


def test_a_session_that_is_resumed_is_around_what_it_was_around(client: openai.OpenAI, recordings: Path) -> None:
    """The plugin suspends a module's session and resumes it for the next fixture, in whichever context pytest is."""
    outer = inference_recording("record", recordings / "outer").__enter__()
    inner_recorder = inference_recording("record", recordings / "inner")
    inner = inner_recorder.__enter__()
    suspend(outer)
    contextvars.Context().run(resume, outer)
    in_a_thread(lambda: client.chat.completions.create(**HELLO))
    suspend(outer)
    resume(outer)  # now within the inner one
    in_a_thread(lambda: client.chat.completions.create(**HELLO))
    suspend(outer)
    inner_recorder.__exit__(None, None, None)
    outer.engine.close()

    assert [{"recorded": 1}, {"recorded": 1}] == [outer.counts, inner.counts]


def test_a_process_wide_session_is_around_what_other_contexts_enter(client: openai.OpenAI, recordings: Path) -> None:
    """anyio runs a module's tests in one context, which was copied before the plugin opened this test's session."""
    around = contextvars.Context().run(
        enter_process_wide, recorder := inference_recording("record", recordings / "around")
    )
    with beside("record", directory=recordings) as [(one, _)]:
        in_a_thread(lambda: client.chat.completions.create(**HELLO))
        with beside("record", directory=recordings / "other") as [(other, _)]:
            refused = in_a_thread(lambda: client.chat.completions.create(**HELLO))
    in_a_thread(lambda: client.chat.completions.create(**HELLO))
    recorder.__exit__(None, None, None)

    assert isinstance(refused, AmbiguousSession)
    assert [{"recorded": 1}, {"recorded": 1}, {}] == [session.counts for session in (around, one, other)]


def test_a_process_wide_session_is_within_the_one_that_was_open_before(client: openai.OpenAI, recordings: Path) -> None:
    """A wider fixture has a session of its own, in a context that pytest's hooks know nothing of."""
    with beside("record", directory=recordings) as [(wider, _)]:
        recorder = inference_recording("record", recordings / "test")
        session = contextvars.Context().run(enter_process_wide, recorder)
        in_a_thread(lambda: client.chat.completions.create(**HELLO))
        recorder.__exit__(None, None, None)

    assert [{"recorded": 1}, {}] == [session.counts, wider.counts]


def test_two_event_loops_in_two_threads_have_their_own_sessions(server: OpenAIServer, recordings: Path) -> None:
    """Two tests in threads, each with its loop; only a third thread without context is refused."""
    both_in, refused, done = threading.Barrier(3), [], threading.Barrier(3)
    counts: dict[str, Any] = {}

    async def run(name: str) -> None:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
            with inference_recording("record", recordings / name) as session:
                await asyncio.to_thread(both_in.wait, 30)
                await client.chat.completions.create(**HELLO)
                await asyncio.gather(*(client.chat.completions.create(**HELLO) for _ in range(3)))
                await asyncio.to_thread(done.wait, 30)
            counts[name] = session.counts

    threads = [threading.Thread(target=asyncio.run, args=(run(name),)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    sdk = Colour(server.base_url)
    both_in.wait(30)
    refused.append(in_a_thread(lambda: ask(sdk)))
    done.wait(30)
    for thread in threads:
        thread.join(30)
    sdk.close()

    assert isinstance(refused[0], AmbiguousSession)
    assert {"a": {"recorded": 4}, "b": {"recorded": 4}} == counts


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_an_app_under_a_test_client_belongs_to_the_tests_session(
    is_async: bool, server: OpenAIServer, recordings: Path
) -> None:
    """Its event loop runs in a thread of anyio's, which passes the context of the test on."""
    sdk = Colour(server.base_url)

    async def answer_async(request: Request) -> PlainTextResponse:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
            answer = await client.chat.completions.create(**HELLO)
        return PlainTextResponse(answer.choices[0].message.content)

    def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse(ask(sdk).choices[0].message.content)

    app = Starlette(routes=[Route("/", answer_async if is_async else answer)])
    with TestClient(app) as started_before:
        with beside("record", "record", directory=recordings) as entered:
            for _, context in entered:
                assert 200 == context.run(started_before.get, "/").status_code
                with context.run(TestClient, app) as own:
                    assert 200 == context.run(own.get, "/").status_code
    sdk.close()

    assert [{"recorded": 2}, {"recorded": 2}] == [session.counts for session, _ in entered]


def test_a_thread_from_before_belongs_to_the_only_session(client: openai.OpenAI, recordings: Path) -> None:
    """A server that all tests share starts before them."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(int).result()
        counts = []
        for position in range(2):
            with inference_recording("record", recordings / str(position)) as session:
                executor.submit(client.chat.completions.create, **HELLO).result()
            counts.append(session.counts)

    assert [{"recorded": 1}] * 2 == counts


@pytest.mark.skipif(sys.version_info < (3, 14), reason="threads take a context since Python 3.14")
def test_a_thread_that_inherits_the_context_is_in_its_session(client: openai.OpenAI, recordings: Path) -> None:
    """So do all threads of a free-threaded Python, or with -X thread_inherit_context=1."""
    with beside("record", "record", directory=recordings) as entered:
        for _, context in entered:
            kwargs: dict[str, Any] = {"context": context.copy()}
            thread = threading.Thread(target=lambda: client.chat.completions.create(**HELLO), **kwargs)
            thread.start()
            thread.join(30)

    assert [{"recorded": 1}, {"recorded": 1}] == [session.counts for session, _ in entered]


def test_async_generators_of_two_sessions_may_be_interleaved(server: OpenAIServer, recordings: Path) -> None:
    """Each `anext` runs in the caller's context, in which the session entered last is the innermost, as ever."""
    sdk = AsyncColour(server.base_url)

    async def main() -> list[Any]:
        async def generator(name: str) -> Any:
            with inference_recording("record", recordings / name) as session:
                yield session
                await sdk.client.chat.completions.create(**HELLO)
                yield session

        one, other = generator("one"), generator("other")
        sessions = [await anext(one), await anext(other)]
        await anext(other)
        await other.aclose()
        await anext(one)
        await one.aclose()
        return [session.counts for session in sessions]

    counts = sdk.wait(main())
    sdk.close()

    assert [{"recorded": 1}, {"recorded": 1}] == counts
