"""Which session a call belongs to, and what is left of the patches afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import openai
import pytest
from openai.resources.chat.completions import AsyncCompletions, Completions

from inference_recorder import (
    InferenceMode,
    MissingRecording,
    Session,
    UnknownMode,
    UnusableDirectory,
    inference_recording,
)
from inference_recorder.sdk.targets import targets

from ..conftest import HELLO, files_of
from ..support.openai_server import OpenAIServer


def patched_methods() -> dict[str, object]:
    """Return what stands in the place of every target now."""
    owners = {target: getattr(sys.modules.get(target.module), target.owner, object) for target in targets()}
    return {
        f"{target.module}.{target.owner}.{target.method}": owner.__dict__[target.method]
        for target, owner in owners.items()
        if target.method in owner.__dict__
    }


@pytest.fixture(autouse=True)
def _methods_are_the_identical_objects_afterwards() -> Iterator[None]:
    """After the last exit, whatever happened between, the SDK is as it was."""
    openai.OpenAI(api_key="x").models  # noqa: B018 - imports a lazy module, so that there is something to compare
    before = patched_methods()
    yield
    after = patched_methods()
    assert all(before[name] is after[name] for name in before)


def test_an_inner_session_takes_the_calls_and_gives_them_back(client: openai.OpenAI, recordings: Path) -> None:
    """A fixture records around a test that replays; llama-stack's recorder left the SDK broken after this."""
    with inference_recording("record", recordings) as outer:
        client.chat.completions.create(**HELLO)
        with inference_recording("replay", recordings) as inner:
            client.chat.completions.create(**HELLO)
        client.chat.completions.create(**HELLO)

    assert {"recorded": 2} == outer.counts
    assert {"replayed": 1} == inner.counts


def test_live_inside_replay_lets_calls_pass(client: openai.OpenAI, server: OpenAIServer, recordings: Path) -> None:
    """One call of a replayed test may have to be real."""
    with inference_recording("replay", recordings) as outer, inference_recording("live") as inner:
        client.chat.completions.create(**HELLO)
        client.models.list()

    assert 2 == server.count
    assert {} == outer.counts
    assert {"live": 2} == inner.counts


def test_an_exception_leaves_the_context(client: openai.OpenAI, recordings: Path) -> None:
    """A failing test must not leave its recorder to the next one."""
    with pytest.raises(ZeroDivisionError), inference_recording("replay", recordings):
        1 / 0  # noqa: B018

    client.chat.completions.create(**HELLO)


def test_contexts_may_be_left_in_any_order(client: openai.OpenAI, recordings: Path) -> None:
    """Fixtures of different scopes are torn down as pytest likes."""
    first, second = inference_recording("replay", recordings), inference_recording("record", recordings)
    first.__enter__()
    session = second.__enter__()
    first.__exit__(None, None, None)
    client.chat.completions.create(**HELLO)
    second.__exit__(None, None, None)

    assert {"recorded": 1} == session.counts


def test_two_threads_have_their_own_contexts(client: openai.OpenAI, server: OpenAIServer, recordings: Path) -> None:
    """Tests that run in threads must not record into each other's folders."""
    both_in = threading.Barrier(2)
    counts: dict[str, dict[str, int]] = {}

    def run(mode: str) -> None:
        with inference_recording(mode, recordings / mode) as session:
            both_in.wait()
            for _ in range(5):
                try:
                    client.chat.completions.create(**HELLO)
                except MissingRecording:
                    pass
            both_in.wait()
        counts[mode] = dict(session.counts)

    threads = [threading.Thread(target=run, args=(mode,)) for mode in ("record", "replay")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {"record": {"recorded": 5}, "replay": {"missed": 5}} == counts
    assert 5 == server.count


def test_a_thread_that_lost_the_context_belongs_to_the_innermost_open_session(
    client: openai.OpenAI, recordings: Path
) -> None:
    """Servers under test answer in threads that were started before the test entered."""
    with inference_recording("record", recordings) as outer, inference_recording("record", recordings) as inner:
        thread = threading.Thread(target=lambda: client.chat.completions.create(**HELLO))
        thread.start()
        thread.join()

    assert {} == outer.counts
    assert {"recorded": 1} == inner.counts


def test_a_context_may_be_left_in_another_context_than_it_was_entered_in(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Async fixtures are set up and torn down in contexts of their own."""
    recording = inference_recording("record", recordings)
    session: Session = contextvars.copy_context().run(recording.__enter__)
    client.chat.completions.create(**HELLO)
    contextvars.copy_context().run(recording.__exit__, None, None, None)
    client.chat.completions.create(**HELLO)

    assert {"recorded": 1} == session.counts
    assert 2 == server.count


async def test_two_tasks_have_their_own_contexts(server: OpenAIServer, recordings: Path) -> None:
    """`asyncio.gather` of two tests' worth of work."""

    async def run(client: openai.AsyncOpenAI, name: str) -> dict[Any, int]:
        with inference_recording("record", recordings / name) as session:
            for _ in range(3):
                await client.chat.completions.create(**HELLO)
        return session.counts

    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        counts = await asyncio.gather(run(client, "a"), run(client, "b"))

    assert [{"recorded": 3}, {"recorded": 3}] == counts
    assert 3 == len(files_of(recordings / "a")) == len(files_of(recordings / "b"))


async def test_async_with_opens_a_session_for_its_task_and_the_tasks_in_it(
    server: OpenAIServer, recordings: Path
) -> None:
    """Async code is full of `async with`; the same recorder may be entered by several tasks at a time."""
    inner = inference_recording("record", recordings / "inner")
    both_in = asyncio.Event()

    async def run(client: openai.AsyncOpenAI, entered: list[Session]) -> None:
        async with inner as session:
            entered.append(session)
            if len(entered) == 2:
                both_in.set()
            await both_in.wait()
            await asyncio.create_task(client.chat.completions.create(**HELLO))
        await client.chat.completions.create(**HELLO)

    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        async with inference_recording("record", recordings) as outer:
            entered: list[Session] = []
            await asyncio.gather(run(client, entered), run(client, entered))
            assert outer.is_open
        assert not outer.is_open
        await client.chat.completions.create(**HELLO)

    assert [{"recorded": 1}, {"recorded": 1}] == [session.counts for session in entered]
    assert {"recorded": 2} == outer.counts
    assert 5 == server.count


@pytest.mark.usefixtures("sessions_are_runs")
async def test_async_with_is_left_by_a_cancellation_as_with_is(server: OpenAIServer, recordings: Path) -> None:
    """A stream that a cancellation broke off replaces no recording, whichever `with` it was in."""
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        async with inference_recording("record", recordings):
            whole = [chunk async for chunk in await client.chat.completions.create(**HELLO, stream=True)]
        with pytest.raises(asyncio.CancelledError):
            async with inference_recording("record", recordings):
                stream = await client.chat.completions.create(**HELLO, stream=True)
                await anext(stream)
                raise asyncio.CancelledError
        await stream.close()
        async with inference_recording("replay", recordings) as session:
            replayed = [chunk async for chunk in await client.chat.completions.create(**HELLO, stream=True)]

    assert len(whole) == len(replayed) > 1
    assert {"replayed": 1} == session.counts


def test_a_mock_that_outlives_the_context_leaves_no_wrapper_behind(client: openai.OpenAI, recordings: Path) -> None:
    """`patch` puts back what it found, which was our wrapper; it must let everything pass and go at the next exit."""
    original = Completions.__dict__["create"]
    mock = patch.object(Completions, "create")
    with inference_recording("record", recordings):
        mock.start()
    mock.stop()
    assert original is not Completions.__dict__["create"]
    assert "Hello 0!" == client.chat.completions.create(**HELLO).choices[0].message.content

    with inference_recording("record", recordings) as session:
        client.chat.completions.create(**HELLO)

    assert {"recorded": 1} == session.counts
    assert original is Completions.__dict__["create"]


def test_a_method_kept_from_inside_passes_outside(client: openai.OpenAI, recordings: Path) -> None:
    """instructor and raw wrappers keep bound methods for the life of the program."""
    with inference_recording("record", recordings) as session:
        kept = client.chat.completions.create
        raw = client.chat.completions.with_raw_response.create
    kept(**HELLO)
    raw(**HELLO)

    assert {} == session.counts
    assert not recordings.exists()


def test_a_method_kept_from_before_is_recorded(client: openai.OpenAI, server: OpenAIServer, recordings: Path) -> None:
    """It bypasses the resource method; the client request recognizes it as the same request."""
    kept, raw = client.chat.completions.create, client.chat.completions.with_raw_response.create
    with inference_recording("record", recordings):
        recorded = kept(**HELLO, extra_body={"top_k": 5})
    with inference_recording("replay", recordings):
        answers = [
            kept(**HELLO, extra_body={"top_k": 5}),
            raw(**HELLO, extra_body={"top_k": 5}).parse(),
            client.chat.completions.create(**HELLO, extra_body={"top_k": 5}),
        ]

    assert 1 == server.count
    assert {recorded.choices[0].message.content} == {answer.choices[0].message.content for answer in answers}


def test_one_recorder_used_by_two_threads_closes_what_each_entered(client: openai.OpenAI, recordings: Path) -> None:
    """A module's recorder is often one object; leaving used to close the other thread's session."""
    recorder = inference_recording("record", recordings)
    entered, left = threading.Event(), threading.Event()
    sessions: dict[str, Session] = {}

    def first() -> None:
        with recorder as sessions["first"]:
            entered.wait(10)
        left.set()

    thread = threading.Thread(target=first)
    thread.start()
    while "first" not in sessions:
        pass
    with recorder as sessions["second"]:
        entered.set()
        left.wait(10)
        assert (False, True) == (sessions["first"].is_open, sessions["second"].is_open)
        client.chat.completions.create(**HELLO)
    thread.join()

    assert {"recorded": 1} == sessions["second"].counts


def test_an_exception_reaches_a_decorated_async_generator(recordings: Path) -> None:
    """Under `asynccontextmanager` it is thrown into the generator, which may handle it."""
    caught: list[str] = []

    @contextlib.asynccontextmanager
    @inference_recording("replay", recordings)
    async def resource() -> AsyncIterator[int]:
        try:
            yield 1
        except KeyError as error:
            caught.append(repr(error))

    async def main() -> None:
        async with resource() as value:
            assert 1 == value
            raise KeyError("inside")

    asyncio.run(main())

    assert ["KeyError('inside')"] == caught


def test_live_inside_replay_does_not_look_at_the_request(client: openai.OpenAI, recordings: Path) -> None:
    """What cannot be recorded must still pass where nothing is."""
    with inference_recording("replay", recordings), inference_recording("live") as session:
        client.chat.completions.create(model="m", messages=iter(HELLO["messages"]), user=openai.NOT_GIVEN)
        client.chat.completions.create(**HELLO, extra_headers={"X-Plain": "yes"})

    assert {"live": 2} == session.counts


def test_a_bare_decorator_is_refused(recordings: Path) -> None:
    """pytest would have passed by the test it hides without failing."""
    with pytest.raises(TypeError, match=r"write @inference_recording\(\) with parentheses"):
        inference_recording(lambda: None)  # type: ignore[arg-type]


def test_functions_of_every_kind_are_decorated(client: openai.OpenAI, server: OpenAIServer, recordings: Path) -> None:
    """Tests, coroutine tests and fixtures that yield."""
    recorded = inference_recording("record", recordings)

    @recorded
    def plain(text: str) -> str:
        """Says it."""
        client.chat.completions.create(**HELLO)
        return text

    @recorded
    async def coroutine(text: str) -> str:
        return await asyncio.to_thread(plain, text)

    @recorded
    def generator() -> Iterator[str]:
        yield plain("generated")

    @recorded
    async def async_generator() -> AsyncIterator[str]:
        yield plain("async")

    async def collect() -> list[str]:
        return [item async for item in async_generator()]

    assert "one" == plain("one")
    assert "two" == asyncio.run(coroutine("two"))
    assert ["generated"] == list(generator())
    assert ["async"] == asyncio.run(collect())
    assert ("plain", "Says it.") == (plain.__name__, plain.__doc__)
    assert 4 == server.count
    with pytest.raises(TypeError, match="decorates functions"):
        recorded(object())  # type: ignore[type-var]


def test_a_decorated_function_may_call_itself(client: openai.OpenAI, recordings: Path) -> None:
    """Each run is a session of its own."""

    @inference_recording("record", recordings)
    def countdown(number: int) -> int:
        client.chat.completions.create(**HELLO)
        return countdown(number - 1) if number else 0

    assert 0 == countdown(2)


@pytest.mark.parametrize("mode", ["rekord", "", "none"])
def test_an_unknown_mode_is_an_error_at_entry(mode: str, recordings: Path) -> None:
    """A misspelt mode that fell back to another would record, or send, what it should not."""
    with pytest.raises(UnknownMode, match="live, record, replay, record-if-missing"):
        inference_recording(mode, recordings).__enter__()


def test_an_unknown_mode_in_the_environment_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be repaired only if it can be found."""
    monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "rekord")
    with pytest.raises(UnknownMode, match="LLAMA_STACK_TEST_INFERENCE_MODE is 'rekord'"):
        inference_recording().__enter__()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "replay"),
        ({"LLAMA_STACK_TEST_INFERENCE_MODE": "record"}, "record"),
        ({"LLAMA_STACK_TEST_INFERENCE_MODE": "RECORD-IF-MISSING"}, "record-if-missing"),
        ({"OGX_TEST_INFERENCE_MODE": "live"}, "live"),
        ({"LLAMA_STACK_TEST_INFERENCE_MODE": "record", "OGX_TEST_INFERENCE_MODE": "live"}, "record"),
    ],
)
def test_the_environment_chooses_the_mode(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Our variables first, then llama-stack's newer names."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with inference_recording(storage_dir=tmp_path) as session:
        assert InferenceMode(expected) is session.mode


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "recordings"),
        ({"LLAMA_STACK_TEST_RECORDING_DIR": "ours"}, "ours"),
        ({"OGX_TEST_RECORDING_DIR": "theirs"}, "theirs"),
        ({"LLAMA_STACK_TEST_RECORDING_DIR": "ours", "OGX_TEST_RECORDING_DIR": "theirs"}, "ours"),
    ],
)
@pytest.mark.usefixtures("without_plugin")
def test_the_environment_chooses_the_directory(
    variables: dict[str, str], expected: str, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As above."""
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with inference_recording("record"):
        client.chat.completions.create(**HELLO)

    assert 1 == len(files_of(tmp_path / expected))


def test_a_directory_that_is_a_file_is_an_error_at_entry(tmp_path: Path) -> None:
    """At entry, not after the first answer has been paid for."""
    (tmp_path / "file").touch()
    for mode in ("record", "replay", "record-if-missing"):
        for directory in ("file", "file/below"):
            with pytest.raises(UnusableDirectory, match="is a file, not a directory"):
                inference_recording(mode, tmp_path / directory).__enter__()


def test_the_running_test_is_part_of_the_identity(client: openai.OpenAI, recordings: Path) -> None:
    """pytest's own variable, without its phase, is what llama-stack's recordings hold."""
    with inference_recording("record", recordings) as session:
        client.chat.completions.create(**HELLO)

    assert session.recorded[0].test_id is not None
    assert session.recorded[0].test_id.endswith("::test_the_running_test_is_part_of_the_identity")


def test_a_test_id_given_takes_precedence(client: openai.OpenAI, recordings: Path) -> None:
    """For those who are no pytest."""
    with inference_recording("record", recordings, test_id="mine") as session:
        client.chat.completions.create(**HELLO)
    with inference_recording("replay", recordings), pytest.raises(MissingRecording):
        client.chat.completions.create(**HELLO)

    assert "mine" == session.recorded[0].test_id


def test_async_methods_are_wrapped_too(recordings: Path) -> None:
    """Guards the guard: the fixture above compares something that changes."""
    before = AsyncCompletions.__dict__["create"]
    with inference_recording("replay", recordings):
        assert before is not AsyncCompletions.__dict__["create"]


def test_the_sdk_may_be_in_the_middle_of_its_import_in_another_thread(recordings: Path) -> None:
    """A server's thread imports openai while a test enters; what it imported stayed unpatched and was let out."""
    program = f"""
        import sys, threading
        from inference_recorder import MissingRecording, inference_recording
        thread = threading.Thread(target=lambda: __import__("openai.resources.files"))
        thread.start()
        while "openai._base_client" not in sys.modules:
            pass
        with inference_recording("replay", {str(recordings)!r}):
            thread.join()
            import openai
            try:
                openai.OpenAI(api_key="x", base_url="http://127.0.0.1:9/v1").files.list()
            except MissingRecording:
                print("missed")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False, timeout=60
    )

    assert ("missed", "") == (result.stdout.strip(), result.stderr)


@pytest.mark.parametrize("when", ["before", "inside", "after"])
def test_the_sdk_may_be_imported_at_any_time(when: str, recordings: Path, server: OpenAIServer) -> None:
    """openai 3 loads its resources lazily, and some programs import it only inside the context."""
    program = f"""
        import sys
        {"import openai" if when == "before" else ""}
        from inference_recorder import inference_recording
        def ask():
            import openai
            client = openai.OpenAI(base_url={server.base_url!r}, api_key="x")
            client.completions.create(model="m", prompt="Hi", extra_body={{}})
            client.embeddings.create(model="m", input="Hi")
        with inference_recording("record", {str(recordings)!r}) as session:
            assert {when == "before"} == ("openai" in sys.modules), "entering imports nothing"
            {"ask()" if when != "after" else ""}
        {"ask()" if when == "after" else ""}
        import openai
        from openai.resources.completions import Completions
        from openai._base_client import SyncAPIClient
        assert type(Completions.create).__name__ == type(SyncAPIClient.request).__name__ == "function"
        print(len(session.recorded))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False, timeout=60
    )

    assert "" == result.stderr
    assert "0" if "after" == when else "2" == result.stdout.strip()
    assert 2 == server.count
    if when != "after":
        bodies = [path.read_text() for path in recordings.glob("*.json")]
        assert 1 == sum('"extra_body": {}' in body for body in bodies), "the resource method saw it"
