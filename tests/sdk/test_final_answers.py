"""Once a stream has been read to its end, nothing that happens later makes its recording an incomplete one."""

from __future__ import annotations

import asyncio
import gc
import json
import operator
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio.to_thread
import openai
import pytest
import wrapt
from openai._base_client import AsyncAPIClient

from inference_recorder import Session, inference_recording
from inference_recorder.engine.answer_writer import AnswerWriter
from inference_recorder.sdk.capture import _BIG
from inference_recorder.storage.locks import Locks

from ..conftest import HELLO, files_of
from ..support.openai_server import OpenAIServer, ReceivedRequest, Reply, chunks, completion

pytestmark = pytest.mark.usefixtures("sessions_are_runs")

CHAT = "/v1/chat/completions"
STREAMED: dict[str, Any] = HELLO | {"stream": True}
LARGE = ["word " * 200] * 100
assert sum(map(len, LARGE)) > _BIG


def is_complete(path: Path) -> bool:
    return bool(json.loads(path.read_bytes())["response"].get("is_complete", True))


async def read_named(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**STREAMED)
    async for _ in stream:
        pass


async def read_raw(client: openai.AsyncOpenAI) -> None:
    response = await client.chat.completions.with_raw_response.create(**STREAMED)
    async for _ in response.parse():
        pass


async def read_lines(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.with_streaming_response.create(**STREAMED) as response:
        async for _ in response.iter_lines():
            pass


async def read_in_block(client: openai.AsyncOpenAI) -> None:
    async with await client.chat.completions.create(**STREAMED) as stream:
        async for _ in stream:
            pass


READERS = [read_named, read_raw, read_lines, read_in_block]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("length", [1, 60_000, 70_000, 400_000])
async def test_an_async_stream_of_any_size_is_recorded_whole(
    read: Callable[[openai.AsyncOpenAI], Any], length: int, server: OpenAIServer, recordings: Path
) -> None:
    """A thread stores a large one; meanwhile the event loop closed its response, and half an answer was stored."""
    server.answers(CHAT, Reply(events=chunks(*["x" * (length // 20 + 1)] * 20)))
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        with inference_recording("record", recordings) as session:
            await read(client)

    assert {"recorded": 1} == session.counts
    assert [True] == [is_complete(path) for path in recordings.glob("*.json")]


@pytest.mark.parametrize("end", ["close the stream", "close the session", "collect garbage", "cancel the task"])
async def test_nothing_that_happens_while_a_large_stream_is_stored_makes_it_incomplete(
    end: str, server: OpenAIServer, recordings: Path
) -> None:
    """Its writer waits for the lock here: as long as it likes, for others to interfere."""
    server.answers(CHAT, Reply(events=chunks(*LARGE)))
    locks, streams = Locks(recordings), []
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        recorder = inference_recording("record", recordings)
        session = recorder.__enter__()
        await read_named(client)
        [path] = recordings.glob("*.json")
        path.unlink()
        session.engine.close()
        session = recorder.__enter__()

        async def read() -> None:
            streams.append(await client.chat.completions.create(**STREAMED))
            async for _ in streams[0]:
                pass

        with lock_held(locks, path.stem):
            reading = asyncio.create_task(read())
            while not has_final(session):
                await asyncio.sleep(0.001)
            if end == "close the stream":
                await streams[0].close()
            elif end == "collect garbage":
                streams.clear()
                gc.collect()
            elif end == "cancel the task":
                reading.cancel()
                await asyncio.wait([reading])
                assert reading.cancelled()
        if end != "close the session":
            await asyncio.wait([reading])
        recorder.__exit__(None, None, None)
        await asyncio.wait([reading])
        recorder.__exit__(None, None, None)

    assert {"recorded": 1} == session.counts
    assert is_complete(path)


def has_final(session: Session) -> bool:
    return any(decision.state.final is not None for decision in tuple(session.engine.captures._unfinished))


class lock_held:  # noqa: N801 - it is used as a function
    """Has a thread hold a write lock while the block runs: a thread of its own would get it again."""

    def __init__(self, locks: Locks, name: str) -> None:
        self._locks, self._name = locks, name
        self._holds, self._is_over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        with self._locks.writing(self._name):
            self._holds.set()
            self._is_over.wait(60)

    def __enter__(self) -> None:
        self._thread.start()
        self._holds.wait(60)

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


def test_the_end_of_a_session_waits_for_a_thread_that_is_storing(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Two at once would count the answer twice; one that went on without waiting would leave no file."""
    server.answers(CHAT, Reply(events=chunks(*LARGE)))
    with inference_recording("record", recordings):
        list(client.chat.completions.create(**STREAMED))
    [path] = recordings.glob("*.json")
    path.unlink()
    recorder = inference_recording("record", recordings)
    session = recorder.__enter__()
    with ThreadPoolExecutor(1) as pool:
        with lock_held(Locks(recordings), path.stem):
            reading = pool.submit(lambda: list(client.chat.completions.create(**STREAMED)))
            while not has_final(session):
                pass
            closing = threading.Thread(target=recorder.__exit__, args=(None, None, None))
            closing.start()
        closing.join()
        has_file = path.exists()
        reading.result()

    assert has_file
    assert {"recorded": 1} == session.counts
    assert is_complete(path)


def test_a_stream_collected_as_garbage_while_another_is_stored_is_kept(server: OpenAIServer, recordings: Path) -> None:
    """The collector runs anywhere, also in the first import of what storing needs: its streams could not be stored."""
    program = f"""
        import gc, sys
        import openai
        from inference_recorder import inference_recording

        class Collecting:
            @staticmethod
            def find_spec(name, *_):
                if name.startswith("filelock."):
                    gc.collect()

        gc.disable()
        sys.meta_path.insert(0, Collecting)
        client = openai.OpenAI(base_url={server.base_url!r}, api_key="x")
        with inference_recording("record", {str(recordings)!r}) as session:
            kept = client.chat.completions.create(**{STREAMED!r}, seed=0)
            for seed in (1, 2):
                cycle = [client.chat.completions.create(**{STREAMED!r}, seed=seed)]
                next(cycle[0])
                cycle.append(cycle)
            del cycle
        print(session.counts["recorded"])
        client.close()
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False, timeout=60
    )

    assert ("3\n", "") == (result.stdout, result.stderr)
    assert 3 == len(files_of(recordings))


async def test_a_cancelled_task_leaves_the_answer_that_had_arrived(server: OpenAIServer, recordings: Path) -> None:
    """The call was paid for; and in record-if-missing the others wait for it."""
    server.answers(CHAT, Reply(completion("word " * 50_000)))
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        with inference_recording("record", recordings):
            await client.chat.completions.create(**HELLO)
        [path] = recordings.glob("*.json")
        path.unlink()
        with inference_recording("record-if-missing", recordings) as session:
            with lock_held(Locks(recordings), path.stem):
                asking = asyncio.create_task(client.chat.completions.create(**HELLO))
                while not has_final(session):
                    await asyncio.sleep(0.001)
                asking.cancel()
                await asyncio.wait([asking])
                asking_again = asyncio.create_task(client.chat.completions.create(**HELLO))
                await asyncio.sleep(0)  # it asks before the answer is stored: a later call would ask for a further one
            answer = await asyncio.wait_for(asking_again, 60)

    assert asking.cancelled()
    assert 50_000 == (answer.choices[0].message.content or "").count("word")
    assert {"recorded": 1, "replayed": 1} == session.counts
    assert 2 == server.count


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("threads", ["anyio", "asyncio"])
@pytest.mark.parametrize("is_large", [False, True], ids=["small", "large"])
async def test_storing_needs_no_thread_that_callers_may_all_hold(
    threads: str, is_large: bool, server: OpenAIServer, recordings: Path
) -> None:
    """All worker threads wait with sync calls for an answer in flight; to store it took one of them: 120 seconds."""
    words = 50_000 if is_large else 3
    server.answers(CHAT, Reply(completion("word " * words), delay_seconds=0.5))
    count = int(anyio.to_thread.current_default_thread_limiter().total_tokens)
    waiting, started = [], threading.Semaphore(0)

    def ask(client: openai.OpenAI) -> str:
        started.release()
        return str(client.chat.completions.create(**HELLO).choices[0].message.content)

    with ThreadPoolExecutor(count) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        with openai.OpenAI(base_url=server.base_url, api_key="x", max_retries=0) as client:
            async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x", max_retries=0) as async_client:
                with inference_recording("record-if-missing", recordings) as session:
                    first = asyncio.create_task(async_client.chat.completions.create(**HELLO))
                    while not server.count:
                        await asyncio.sleep(0.001)
                    for _ in range(count):
                        job = (
                            anyio.to_thread.run_sync(ask, client)
                            if threads == "anyio"
                            else asyncio.to_thread(ask, client)
                        )
                        waiting.append(asyncio.ensure_future(job))
                    answers = await asyncio.wait_for(asyncio.gather(*waiting), 30)
                    await first

    assert count == len(answers)
    assert 1 == len(set(answers))
    assert 1 == server.count
    assert {"recorded": 1, "replayed": count} == session.counts


def test_streams_of_several_event_loops_are_stored_at_once(server: OpenAIServer, recordings: Path) -> None:
    """Each loop has its own bound for the threads that store."""
    server.answers(CHAT, Reply(events=chunks(*LARGE)))

    async def read_many(first: int) -> None:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:

            async def read(seed: int) -> None:
                async for _ in await client.chat.completions.create(**STREAMED, seed=seed):
                    pass

            await asyncio.gather(*(read(first + number) for number in range(20)))

    with inference_recording("record", recordings) as session, ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda first: asyncio.run(read_many(first)), [0, 100]))

    assert {"recorded": 40} == session.counts
    assert 40 == len(files_of(recordings))
    assert all(is_complete(path) for path in recordings.glob("*.json"))


# The SDK drops its generators half way, of which trio warns.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_large_stream_is_recorded_whole_under_trio(server: OpenAIServer, recordings: Path) -> None:
    """The SDK runs there too, where threads and cancellation are trio's own."""
    trio = pytest.importorskip("trio", reason="trio is not installed")
    server.answers(CHAT, Reply(events=chunks(*LARGE)))

    async def main() -> None:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
            with inference_recording("record", recordings):
                await read_named(client)
                await read_raw(client)

    trio.run(main)

    assert 2 == len(files_of(recordings))
    assert all(is_complete(path) for path in recordings.glob("*.json"))


@pytest.mark.parametrize("read", [read_named, read_raw, read_lines])
async def test_a_large_stream_is_written_outside_the_event_loop(
    read: Callable[[openai.AsyncOpenAI], Any], server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK closes the response once the stream has ended, which wrote the file where other tasks wait."""
    server.answers(CHAT, Reply(events=chunks(*LARGE)))
    threads: list[threading.Thread] = []
    write = AnswerWriter.write

    def noted_write(*args: Any, **kwargs: Any) -> bool:
        threads.append(threading.current_thread())
        return write(*args, **kwargs)

    monkeypatch.setattr(AnswerWriter, "write", noted_write)
    async with openai.AsyncOpenAI(api_key="x", base_url=server.base_url) as client:
        with inference_recording("record", recordings):
            await read(client)

    [thread] = threads
    assert threading.main_thread() is not thread
    assert is_complete(*recordings.glob("*.json"))


@pytest.mark.parametrize("call", ["create", "with_raw_response.create"])
def test_an_answer_that_arrives_after_the_session_is_stored(call: str, server: OpenAIServer, recordings: Path) -> None:
    """A thread outlives the block: its call is paid for, and the SDK is not patched for anybody else any more."""
    has_arrived, may_answer = threading.Event(), threading.Event()

    def answer(request: ReceivedRequest, number: int) -> Reply:
        has_arrived.set()
        may_answer.wait(10)
        return Reply(json=completion("late"))

    server.scripts[CHAT] = answer
    with openai.OpenAI(api_key="x", base_url=server.base_url) as client, ThreadPoolExecutor(1) as pool:
        with inference_recording("record", recordings):
            create = operator.attrgetter(call)(client.chat.completions)
            future = pool.submit(create, **HELLO)
            assert has_arrived.wait(10)
        may_answer.set()
        future.result()

        with inference_recording("replay", recordings):
            replayed = client.chat.completions.create(**HELLO)

    assert "late" == replayed.choices[0].message.content
    assert 1 == server.count
    assert not isinstance(vars(AsyncAPIClient)["request"], wrapt.FunctionWrapper)


async def test_a_dropped_async_stream_is_stored_at_the_next_call_of_its_task(
    server: OpenAIServer, recordings: Path
) -> None:
    """asyncio closes its generator in a task of its own, which makes no further call."""
    async with openai.AsyncOpenAI(api_key="x", base_url=server.base_url) as client:
        with inference_recording("record", recordings):
            await read_named(client)
        [path] = recordings.glob("*.json")
        with inference_recording("record", recordings):
            await read_one_chunk(client)
            for _ in range(4):  # asyncio closes one generator after the other
                await asyncio.sleep(0)
                gc.collect()
            before = is_complete(path)
            await client.chat.completions.create(**HELLO)

            assert before
            assert not is_complete(path)


async def read_one_chunk(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**STREAMED)
    await anext(aiter(stream))
