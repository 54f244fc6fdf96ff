"""The store's promises, with real processes and real locks."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import CorruptRecording, UnwritableRecording, inference_recording
from inference_recorder.storage.places import Places
from inference_recorder.storage.store import Store

from ..conftest import HELLO, files_of
from ..openai_server import OpenAIServer, Reply, completion

SPAWN = multiprocessing.get_context("spawn")


def record_many(base_url: str, folder: str, worker: int, count: int) -> None:
    with openai.OpenAI(base_url=base_url, api_key="x") as client, inference_recording("record", folder, test_id="t"):
        for number in range(count):
            client.chat.completions.create(**HELLO, seed=worker * count + number)


def record_missing(base_url: str, folder: str, ready: Any, count: int) -> None:
    with openai.OpenAI(base_url=base_url, api_key="x") as client:
        ready.wait()
        with inference_recording("record-if-missing", folder, test_id="t"):
            for number in range(count):
                client.chat.completions.create(**HELLO, seed=number)


def in_processes(target: Any, *arguments: tuple[Any, ...]) -> None:
    processes = [SPAWN.Process(target=target, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [0] * len(processes) == [process.exitcode for process in processes]


def test_processes_that_record_into_one_folder_lose_nothing(server: OpenAIServer, recordings: Path) -> None:
    """What pytest-xdist does; the issue's own figure is 8 x 200, run by the slow twin below."""
    in_processes(record_many, *((server.base_url, str(recordings), worker, 25) for worker in range(4)))

    assert 100 == len(files_of(recordings)) == server.count
    assert all(json.loads(path.read_bytes()) for path in recordings.glob("*.json"))
    assert not list(recordings.glob(".*.tmp"))


@pytest.mark.slow
def test_eight_processes_record_1600_files(server: OpenAIServer, recordings: Path) -> None:
    """8 x 200 recordings: 1,600 files, all readable."""
    in_processes(record_many, *((server.base_url, str(recordings), worker, 200) for worker in range(8)))

    assert 1600 == len(files_of(recordings)) == server.count
    assert all(json.loads(path.read_bytes()) for path in recordings.glob("*.json"))


@pytest.mark.parametrize("workers", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_workers_that_miss_the_same_keys_ask_once_for_each(
    workers: int, server: OpenAIServer, recordings: Path
) -> None:
    """Eight workers that start on a new suite would else pay eight times."""
    server.scripts["/v1/chat/completions"] = lambda asked, number: Reply(completion(), delay_seconds=0.05)
    ready = SPAWN.Barrier(workers)
    in_processes(record_missing, *((server.base_url, str(recordings), ready, 20) for _ in range(workers)))

    assert 20 == server.count == len(files_of(recordings))


def test_a_dead_holder_of_a_flight_does_not_block(
    server: OpenAIServer, client: openai.OpenAI, recordings: Path
) -> None:
    """A worker killed while it waits for the API must not stop the others for ever."""
    server.answers("/v1/chat/completions", Reply(completion(), delay_seconds=30), Reply(completion("second")))
    program = f"""
        import openai
        from inference_recorder import inference_recording
        with inference_recording("record-if-missing", {str(recordings)!r}, test_id="t"):
            openai.OpenAI(base_url={server.base_url!r}, api_key="x").chat.completions.create(**{HELLO!r})
    """
    holder = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    while not server.count:
        time.sleep(0.01)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    begun = time.monotonic()
    with inference_recording("record-if-missing", recordings, test_id="t"):
        answer = client.chat.completions.create(**HELLO)

    assert "second" == answer.choices[0].message.content
    assert time.monotonic() - begun < 5


def test_threads_that_miss_the_same_key_ask_once(server: OpenAIServer, client: openai.OpenAI, recordings: Path) -> None:
    """A server under test answers many requests at once."""
    server.scripts["/v1/chat/completions"] = lambda asked, number: Reply(completion(), delay_seconds=0.2)
    with inference_recording("record-if-missing", recordings) as session:
        threads = [threading.Thread(target=lambda: client.chat.completions.create(**HELLO)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert 1 == server.count
    assert {"recorded": 1, "replayed": 7} == session.counts


async def test_tasks_that_miss_the_same_key_ask_once(server: OpenAIServer, recordings: Path) -> None:
    """And waiting for it leaves the event loop to the others."""
    import asyncio

    server.scripts["/v1/chat/completions"] = lambda asked, number: Reply(completion(), delay_seconds=0.3)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        with inference_recording("record-if-missing", recordings) as session:
            await asyncio.gather(*(client.chat.completions.create(**HELLO) for _ in range(20)))
    ticking.cancel()

    assert 1 == server.count
    assert {"recorded": 1, "replayed": 19} == session.counts
    assert ticks > 10


def test_a_task_that_holds_a_stream_may_ask_the_same_again(
    server: OpenAIServer, client: openai.OpenAI, recordings: Path
) -> None:
    """It waits for nobody, least of all for itself."""
    with inference_recording("record-if-missing", recordings) as session:
        first = client.chat.completions.create(**HELLO, stream=True)
        second = client.chat.completions.create(**HELLO, stream=True)
        next(first)
        list(second)
        list(first)

    assert {"recorded": 2} == session.counts
    assert 2 == server.count


def test_locks_stay_out_of_git(client: openai.OpenAI, recordings: Path) -> None:
    """Nobody should have to write a .gitignore for us."""
    subprocess.run(["git", "init", "-q", str(recordings.parent)], check=True)
    with inference_recording("record-if-missing", recordings):
        client.chat.completions.create(**HELLO)
    status = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=recordings.parent, capture_output=True, text=True, check=True
    )

    assert 1 == len(status.stdout.splitlines())
    assert status.stdout.endswith(".json\n")
    assert not list(recordings.glob(".locks/*.flight"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b'{"request": {}', "malformed|breaks off|unexpected"),
        (b"\xff\xfe\x00", "UTF-8|malformed"),
        (b"[1, 2]", "not an object"),
        (b'{"request": {}}', "response must be an object"),
        (b'{"request": {}, "response": {"is_streaming": true, "body": {}}}', "list of chunks"),
        (b"[" * 100_000, "nested too deep|malformed"),
    ],
    ids=["empty", "truncated", "binary", "a list", "no response", "no chunks", "deep"],
)
def test_a_corrupt_recording_is_neither_missing_nor_overwritten(
    content: bytes, reason: str, server: OpenAIServer, client: openai.OpenAI, recordings: Path
) -> None:
    """A merge conflict in a recording must not be paid for again in silence."""
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO)
    [path] = recordings.glob("*.json")
    path.write_bytes(content)
    for mode in ("replay", "record-if-missing"):
        with inference_recording(mode, recordings), pytest.raises(CorruptRecording, match=reason) as caught:
            client.chat.completions.create(**HELLO)
        assert str(path) in str(caught.value)

    assert content == path.read_bytes()
    assert 1 == server.count


def test_an_answer_that_cannot_be_written_is_in_the_error(client: openai.OpenAI, recordings: Path) -> None:
    """The call was paid for; its answer must not be lost with the disk."""
    with inference_recording("record", recordings):
        recordings.mkdir()
        (recordings / ".locks").touch()
        with pytest.raises(UnwritableRecording) as caught:
            client.chat.completions.create(**HELLO)

    assert "Hello 0!" == caught.value.response.choices[0].message.content  # type: ignore[attr-defined]


def test_a_writer_removes_what_a_killed_one_left(recordings: Path) -> None:
    """At most one temporary file is left by a kill, and not for long."""
    recordings.mkdir()
    (recordings / ".abc.tmp-0123.tmp").touch()
    Store(Places(recordings, (recordings,))).write("def", b"{}")

    assert ["def.json"] == files_of(recordings)
    assert not list(recordings.glob(".*.tmp"))


@pytest.mark.parametrize("name", ["../up", "/abs", "a/b", "", ".hidden", "x" * 300, "nul\0", "line\n"])
def test_a_name_cannot_leave_the_folder(name: str, recordings: Path) -> None:
    """Names come from callers of ResponseStorage too."""
    with pytest.raises(ValueError, match="not a recording's name"):
        Store(Places(recordings, (recordings,))).write(name, b"{}")
