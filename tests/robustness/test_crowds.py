"""Many who want the same at once: one asks the API, nobody waits for ever, a fork leaves its parent's work alone."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import inference_recording
from inference_recorder.engine.engine import Engine
from inference_recorder.storage import locks

from ..conftest import HELLO, files_of
from ..support.openai_server import chunks, completion
from .in_memory import async_client_answered_by, client_answered_by

FORKS = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


class Asked:
    """Counts the requests; the answer waits until `wanted` callers are on their way."""

    def __init__(self, wanted: int = 0) -> None:
        self.count = 0
        self.begun = 0
        self._wanted = wanted
        self._guard = threading.Lock()
        self._all_begun = threading.Event()

    def begin(self) -> None:
        with self._guard:
            self.begun += 1
            if self.begun == self._wanted:
                self._all_begun.set()

    def __call__(self, path: str, body: dict[str, Any]) -> Any:
        with self._guard:
            self.count += 1
            number = self.count
        assert self._wanted == 0 or self._all_begun.wait(60)
        return chunks("Hel", "lo") if body.get("stream") else completion(f"Answer {number}")


def test_two_hundred_threads_that_miss_one_key_ask_once(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server under test answers them all at once."""
    asked = Asked(wanted=200)
    texts: list[str | None] = []
    decide = Engine.decide

    def decide_and_begin(*args: Any, **kwargs: Any) -> Any:
        decided = decide(*args, **kwargs)
        asked.begin()
        return decided

    monkeypatch.setattr(Engine, "decide", decide_and_begin)  # a thread that came later would make a further call

    def ask() -> None:
        texts.append(client.chat.completions.create(**HELLO).choices[0].message.content)

    with client_answered_by(asked) as client, inference_recording("record-if-missing", recordings) as session:
        threads = [threading.Thread(target=ask) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    print(f"200 threads, one key: {asked.count} request")
    assert ["Answer 1"] * 200 == texts
    assert 1 == asked.count
    assert {"recorded": 1, "replayed": 199} == session.counts


@pytest.mark.parametrize("tasks", [100, pytest.param(500, marks=pytest.mark.slow)])
async def test_gathered_tasks_get_an_answer_each(tasks: int, recordings: Path) -> None:
    """asyncio.gather over distinct and equal requests, recorded and replayed."""
    asked, keys = Asked(), tasks // 5
    async with async_client_answered_by(asked) as client:
        for mode in ("record-if-missing", "replay"):
            with inference_recording(mode, recordings) as session:
                answers = await asyncio.gather(
                    *(client.chat.completions.create(**HELLO, seed=number % keys) for number in range(tasks))
                )
            texts = {number % keys: answer.choices[0].message.content for number, answer in enumerate(answers)}
            assert all(texts[number % keys] == a.choices[0].message.content for number, a in enumerate(answers))

    print(f"{tasks} tasks, {keys} keys: {asked.count} requests")
    assert keys == asked.count == len(set(texts.values())) == len(files_of(recordings))
    assert {"replayed": tasks} == session.counts


async def test_tasks_that_want_two_keys_in_opposite_order_both_end(recordings: Path) -> None:
    """Each holds what the other one wants; a holder of an in-flight lock never waits for another."""
    both_hold = [asyncio.Event(), asyncio.Event()]
    async with async_client_answered_by(Asked()) as client:

        async def ask(mine: int, other: int) -> int:
            stream = await client.chat.completions.create(**HELLO, seed=mine, stream=True)
            await anext(stream)
            both_hold[mine].set()
            await both_hold[other].wait()
            crossed = await client.chat.completions.create(**HELLO, seed=other, stream=True)
            return len([item async for item in crossed]) + len([item async for item in stream])

        with inference_recording("record-if-missing", recordings):
            lengths = await asyncio.wait_for(asyncio.gather(ask(0, 1), ask(1, 0)), 60)

    assert [9, 9] == lengths


async def test_a_cancelled_holder_leaves_its_key_to_the_others(recordings: Path) -> None:
    """A timeout around the first call must not keep the second from asking."""
    is_asked, asked = asyncio.Event(), Asked()

    async with async_client_answered_by(asked) as client:
        original = client._client.send

        async def send(*args: Any, **kwargs: Any) -> Any:
            if not is_asked.is_set():
                is_asked.set()
                await asyncio.Event().wait()
            return await original(*args, **kwargs)

        client._client.send = send  # type: ignore[method-assign]  # the network that never answers
        with inference_recording("record-if-missing", recordings) as session:
            first = asyncio.create_task(client.chat.completions.create(**HELLO))
            await is_asked.wait()
            second = asyncio.create_task(client.chat.completions.create(**HELLO))
            await asyncio.sleep(0)
            first.cancel()
            answer = await asyncio.wait_for(second, 60)

    assert first.cancelled()
    assert "Answer 1" == answer.choices[0].message.content
    assert {"recorded": 1} == session.counts


class Child:
    """A forked child that acts on a command and reports the outcome."""

    def __init__(self, work: Any) -> None:
        self._commands, self._tell = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            status = 1
            try:
                os.read(self._commands, 1)
                work()
                status = 0
            finally:
                os._exit(status)

    def run(self) -> int:
        """Have the child begin; returns its exit status."""
        os.write(self._tell, b"x")
        _, status = os.waitpid(self._pid, 0)
        os.close(self._tell)
        os.close(self._commands)
        return os.waitstatus_to_exitcode(status)


@pytest.fixture(autouse=True)
def _nothing_is_in_flight() -> Iterator[None]:
    yield
    assert {} == locks._in_flight


class TestForks:
    """Servers and `multiprocessing` fork in the middle of a context."""

    pytestmark = FORKS

    def test_a_child_records_and_replays_in_its_parents_context(self, recordings: Path) -> None:
        """What it records is its parent's to find."""
        with client_answered_by(Asked()) as client, inference_recording("record-if-missing", recordings) as session:
            client.chat.completions.create(**HELLO, seed=1)

            def ask() -> None:
                client.chat.completions.create(**HELLO, seed=2)
                assert {"recorded": 2} == session.counts

            assert 0 == Child(ask).run()
            client.chat.completions.create(**HELLO, seed=2)

        assert {"recorded": 2, "replayed": 1} == session.counts

    def test_a_child_takes_the_locks_that_its_parent_has_taken(self, recordings: Path) -> None:
        """A few locks serve all names, and filelock refuses a child what its parent made: the child's call failed."""
        with client_answered_by(Asked()) as client, inference_recording("record", recordings):

            def ask(first_seed: int) -> None:
                for seed in range(first_seed, first_seed + 16):
                    client.chat.completions.create(**HELLO, seed=seed)

            ask(0)
            assert 0 == Child(lambda: ask(16)).run()

        assert 32 == len(files_of(recordings))

    @pytest.mark.usefixtures("sessions_are_runs")
    def test_a_child_that_leaves_the_context_leaves_its_parents_series_alone(self, recordings: Path) -> None:
        """It would cut off the answers that came after the fork, and store half of a stream over the whole."""
        with client_answered_by(Asked()) as client, inference_recording("record", recordings) as session:
            client.chat.completions.create(**HELLO)
            stream = client.chat.completions.create(**HELLO, stream=True)
            next(stream)
            child = Child(session.engine.close)
            client.chat.completions.create(**HELLO)
            list(stream)
            before = {path.name: path.read_bytes() for path in recordings.glob("*.json")}
            assert 0 == child.run()

            assert 3 == len(before)
            assert before == {path.name: path.read_bytes() for path in recordings.glob("*.json")}
