"""The store's promises, with real processes and real locks."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import CorruptRecording, UnusableDirectory, UnwritableRecording, inference_recording
from inference_recorder.storage import locks
from inference_recorder.storage.attachments import read_attachment
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.locks import Locks
from inference_recorder.storage.store import Store

from ...conftest import HELLO, files_of
from ...support.openai_server import OpenAIServer, Reply, completion

SPAWN = multiprocessing.get_context("spawn")


def record_many(base_url: str, directory: str, worker: int, count: int) -> None:
    with openai.OpenAI(base_url=base_url, api_key="x") as client, inference_recording("record", directory, test_id="t"):
        for number in range(count):
            client.chat.completions.create(**HELLO, seed=worker * count + number)


def record_missing(base_url: str, directory: str, ready: Any, count: int) -> None:
    with openai.OpenAI(base_url=base_url, api_key="x") as client:
        ready.wait()
        with inference_recording("record-if-missing", directory, test_id="t"):
            for number in range(count):
                client.chat.completions.create(**HELLO, seed=number)


def in_processes(target: Any, *arguments: tuple[Any, ...]) -> None:
    processes = [SPAWN.Process(target=target, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [0] * len(processes) == [process.exitcode for process in processes]


def test_processes_that_record_into_one_directory_lose_nothing(server: OpenAIServer, recordings: Path) -> None:
    """What pytest-xdist does; the issue's own figure is 8 x 200, run by the slow twin below."""
    in_processes(record_many, *((server.base_url, str(recordings), worker, 50) for worker in range(2)))

    assert 100 == len(files_of(recordings)) == server.count
    assert all(json.loads(path.read_bytes()) for path in recordings.glob("*.json"))
    assert not list(recordings.glob(".*.tmp"))


@pytest.mark.slow
def test_eight_processes_record_1600_files(server: OpenAIServer, recordings: Path) -> None:
    """8 x 200 recordings: 1,600 files, all readable."""
    in_processes(record_many, *((server.base_url, str(recordings), worker, 200) for worker in range(8)))

    assert 1600 == len(files_of(recordings)) == server.count
    assert all(json.loads(path.read_bytes()) for path in recordings.glob("*.json"))


@pytest.mark.parametrize("workers", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_workers_that_miss_the_same_keys_ask_once_for_each(
    workers: int, server: OpenAIServer, recordings: Path
) -> None:
    """Eight workers that start on a new suite would else pay eight times."""
    server.scripts["/v1/chat/completions"] = lambda asked, number: Reply(completion(), delay_seconds=0.05)
    ready = SPAWN.Barrier(workers)
    in_processes(record_missing, *((server.base_url, str(recordings), ready, 20) for _ in range(workers)))

    assert 20 == server.count == len(files_of(recordings))


def test_a_dead_holder_of_a_in_flight_request_does_not_block(
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
    holder.kill()
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


def test_a_nested_session_does_not_wait_for_its_own_thread(
    server: OpenAIServer, client: openai.OpenAI, recordings: Path
) -> None:
    """Its own stream, open in the outer session, is what it would wait for."""
    begun = time.monotonic()
    with inference_recording("record-if-missing", recordings):
        stream = client.chat.completions.create(**HELLO, stream=True)
        with inference_recording("record-if-missing", recordings):
            list(client.chat.completions.create(**HELLO, stream=True))
        list(stream)

    assert time.monotonic() - begun < 5


async def test_a_sync_call_does_not_wait_for_a_task_of_its_own_event_loop(
    server: OpenAIServer, client: openai.OpenAI, recordings: Path
) -> None:
    """Waiting without `await` would keep the task from ever getting its answer."""
    server.answers("/v1/chat/completions", Reply(completion(), delay_seconds=0.3), Reply(completion()))
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as async_client:
        with inference_recording("record-if-missing", recordings):
            asked = asyncio.create_task(async_client.chat.completions.create(**HELLO))
            await asyncio.sleep(0.1)
            begun = time.monotonic()
            client.chat.completions.create(**HELLO)
            seconds = time.monotonic() - begun
            await asked

    assert seconds < 5


def test_a_sync_call_does_not_wait_for_a_task_of_its_own_trio_loop(
    server: OpenAIServer, client: openai.OpenAI, recordings: Path
) -> None:
    """It used to wait for two minutes, since trio was not taken for an event loop."""
    trio = pytest.importorskip("trio", reason="trio is not installed")
    server.answers("/v1/chat/completions", Reply(completion(), delay_seconds=0.3), Reply(completion()))

    async def seconds_of_a_sync_call() -> float:
        async with (
            openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as async_client,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(partial(async_client.chat.completions.create, **HELLO))
            await trio.sleep(0.1)
            begun = time.monotonic()
            client.chat.completions.create(**HELLO)
            return time.monotonic() - begun

    with inference_recording("record-if-missing", recordings):
        assert trio.run(seconds_of_a_sync_call) < 5

    assert 2 == server.count


def test_a_stream_collected_as_garbage_releases_its_in_flight_request_anywhere(tmp_path: Path) -> None:
    """The collector may run a stream's finalizer anywhere, also while the requests in flight are counted."""
    is_released = threading.Event()

    def release_while_counting() -> None:
        in_flight = Locks(tmp_path).try_in_flight("key", "somebody")
        with locks._guard:
            assert in_flight is not None
            in_flight.release()
        is_released.set()

    threading.Thread(target=release_while_counting, daemon=True).start()

    assert is_released.wait(10)
    assert not locks.has_in_flight("somebody")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_its_parents_in_flight_request_for_ever(
    server: OpenAIServer, client: openai.OpenAI, recordings: Path
) -> None:
    """Servers fork their workers in the middle of other requests."""
    server.answers("/v1/chat/completions", Reply(completion(), delay_seconds=0.5))
    with inference_recording("record-if-missing", recordings) as session:
        thread = threading.Thread(target=lambda: client.chat.completions.create(**HELLO))
        thread.start()
        while not server.count:
            time.sleep(0.01)
        [in_flight_file] = (recordings / ".locks").glob("*.flight")
        child = os.fork()
        if child == 0:  # the fork: it waits for the file, which its parent writes, and for nothing in memory
            begun = time.monotonic()
            found = None
            while found is None and time.monotonic() - begun < 10:
                in_flight = session.store.locks.try_in_flight(in_flight_file.stem, "the child")
                found = None if in_flight is None else session.store.read(in_flight_file.stem)
                if in_flight is not None:
                    in_flight.release()
                time.sleep(0.01)
            os._exit(0 if found is not None else 1)
        _, status = os.waitpid(child, 0)
        thread.join()

    assert 0 == os.waitstatus_to_exitcode(status)


def test_releasing_an_in_flight_request_twice_leaves_another_holders_alone(tmp_path: Path) -> None:
    """A stream may end more than once: closed by its reader, and then by the session."""
    first = Locks(tmp_path).try_in_flight("key", "first")
    assert first is not None
    first.release()
    second = Locks(tmp_path).try_in_flight("key", "second")

    first.release()

    assert second is not None
    assert locks.has_in_flight("second")
    assert Locks(tmp_path).try_in_flight("key", "third") is None
    assert (tmp_path / ".locks" / "key.flight").exists()
    second.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_release_its_parents_in_flight_request(tmp_path: Path) -> None:
    """The child has a copy of the stream that holds the lock, and drops it when it ends."""
    in_flight = Locks(tmp_path).try_in_flight("key", "the parent")
    assert in_flight is not None

    child = os.fork()
    if child == 0:
        in_flight.release()
        os._exit(0)
    os.waitpid(child, 0)

    assert (tmp_path / ".locks" / "key.flight").exists()
    in_flight.release()
    assert not (tmp_path / ".locks" / "key.flight").exists()


@pytest.mark.parametrize("change", ["replace", "remove"])
def test_a_recording_whose_attachment_is_gone_can_be_changed(change: str, recordings: Path) -> None:
    """Somebody deleted large files by hand; recording again repairs that."""
    store, names = (
        Store(Directories(recordings, (recordings,))),
        [sha256(text).hexdigest() for text in (b"old", b"new")],
    )
    old, new = (b'{"__type__": "attached", "__data__": "%s"}' % name.encode() for name in names)
    store.write("a", old, attachment=b"old")
    next(recordings.glob("*.bin")).unlink()

    if change == "replace":
        store.write("a", new, attachment=b"new")
    else:
        store.remove("a")

    contents = sorted(path.read_bytes() for path in recordings.iterdir() if path.is_file())
    assert contents == ([b"new", new] if change == "replace" else [])


def test_a_big_binary_answer_is_never_seen_half_replaced(recordings: Path) -> None:
    """A worker that replays while another records again must find both files of one answer."""
    store = Store(Directories(recordings, (recordings,)))
    names = [sha256(content).hexdigest() for content in (b"old", b"new")]
    is_over = threading.Event()

    def record() -> None:
        for number in range(200):
            content = (b"old", b"new")[number % 2]
            body = b'{"__type__": "attached",\n      "__data__": "%s"}' % names[number % 2].encode()
            store.write("a", body, attachment=content)
        is_over.set()

    store.write("a", b'{"__type__": "attached", "__data__": "%s"}' % names[0].encode(), attachment=b"old")
    thread = threading.Thread(target=record)
    thread.start()
    seen = set()
    while not is_over.is_set():
        stored = store.read("a")
        assert stored is not None
        seen.add(read_attachment(stored.path, next(name for name in names if name.encode() in stored.content)))
    thread.join()

    assert seen <= {b"old", b"new"}
    assert 1 == len(list(recordings.glob("*.bin")))


def test_closing_stores_what_it_can_and_raises_what_it_could_not(client: openai.OpenAI, recordings: Path) -> None:
    """One stream that cannot be stored must not take the others with it, nor leave its request in flight."""
    with pytest.raises(UnwritableRecording), inference_recording("record-if-missing", recordings) as session:
        streams = [client.chat.completions.create(**HELLO, seed=seed, stream=True) for seed in range(2)]
        for stream in streams:
            next(stream)
        shutil.rmtree(recordings)
        recordings.touch()
    recordings.unlink()
    for stream in streams:
        list(stream)

    assert not locks.has_in_flight(threading.get_ident())
    assert {"recorded": 2} == session.counts


def test_a_thread_that_holds_a_write_lock_does_not_get_it_again(recordings: Path) -> None:
    """A stream collected as garbage while its thread writes would write into the middle of that."""
    held = locks.Locks(recordings)
    with held.writing("a") as is_held, held.writing("a", wait=False) as is_held_again:
        taken = [is_held, is_held_again]
    with held.writing("a", wait=False) as is_free:
        taken.append(is_free)

    assert [True, False, True] == taken


def test_no_lock_is_an_error_of_ours(client: openai.OpenAI, server: OpenAIServer, recordings: Path) -> None:
    """A FileExistsError out of a completion says nothing to anybody."""
    with inference_recording("record-if-missing", recordings):
        recordings.mkdir()
        (recordings / ".locks").touch()
        with pytest.raises(UnusableDirectory, match="no lock can be made there"):
            client.chat.completions.create(**HELLO)

    assert 0 == server.count


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
        (b'{"request": {}', "breaks off or is malformed at byte 14: "),
        (b"\xff\xfe\x00", "not UTF-8 at byte 0"),
        (b"[1, 2]", "not an object"),
        (b'{"request": {}}', "response must be an object"),
        (b'{"request": {}, "response": {"is_streaming": true, "body": {}}}', "list of chunks"),
        (b"[" * 100_000, "nested too deep"),
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
    (recordings / f".{'a' * 64}.tmp-{'0' * 16}.tmp").touch()
    Store(Directories(recordings, (recordings,))).write("def", b"{}")

    assert ["def.json"] == files_of(recordings)
    assert not list(recordings.glob(".*.tmp"))


@pytest.mark.parametrize(
    "name",
    [
        ".notes.tmp",
        ".report.json.tmp-0123.tmp",
        f".{'a' * 64}.tmp",
        f".{'a' * 64}.json.tmp",
        f".{'a' * 20}.tmp-{'0' * 16}.tmp",
        f".{'a' * 64}.tmp-{'0' * 16}.tmp~",
        "photo.bin",
        f"{'a' * 20}.{'0' * 16}.bin",
        f"{'a' * 64}.bin",
        ".lock",
        "pip.lock",
        ".locks/notes.write",
        f".locks/{'a' * 64}.lock",
    ],
)
def test_a_writer_removes_nothing_of_others(name: str, recordings: Path) -> None:
    """An editor or a sync tool keeps hidden temporary files too, and loses what was typed if one goes."""
    path = recordings / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"precious")

    Store(Directories(recordings, (recordings,))).write("a" * 64, b"{}")

    assert b"precious" == path.read_bytes()


@pytest.mark.parametrize("name", ["../up", "/abs", "a/b", "", ".hidden", "x" * 300, "nul\0", "line\n"])
def test_a_name_cannot_leave_the_directory(name: str, recordings: Path) -> None:
    """Names come from callers of ResponseStorage too."""
    with pytest.raises(ValueError, match="not a recording's name"):
        Store(Directories(recordings, (recordings,))).write(name, b"{}")
