"""A writer that is stopped while it holds a write lock: others wait a few seconds for that name, and for no other."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import LockNotAvailable, inference_recording
from inference_recorder.recording.codec import decode_thoroughly
from inference_recorder.recording.layout import digest_of, recording_name
from inference_recorder.storage import files, locks
from inference_recorder.storage.attachments import read_attachment
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.locks import LONGEST_WAIT_SECONDS, Locks, Patience
from inference_recorder.storage.store import Store

from ...conftest import HELLO, files_of
from ...support.openai_server import OpenAIServer, Reply, chunks, completion

pytestmark = [
    pytest.mark.usefixtures("sessions_are_runs"),
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a signal that stops a process"),
]
SHORT_WAIT_SECONDS = 0.5
ENOUGH_SECONDS = 4
"""For a busy machine, and for two waits rather than ten; without a bound each of these tests would run for ever."""
NAMES = [f"{number:064x}" for number in range(40)]


@contextmanager
def stopped_holder(directory: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that takes the write lock of `name`, and stop it there."""
    program = f"""
        import sys
        from pathlib import Path
        from inference_recorder.storage.locks import Locks
        with Locks(Path({str(directory)!r})).writing({name!r}):
            print("held", flush=True)
            sys.stdin.read()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert "held\n" == holder.stdout.readline()
    holder.send_signal(signal.SIGSTOP)
    try:
        yield holder
    finally:
        holder.send_signal(signal.SIGCONT)
        holder.communicate()


@pytest.fixture(autouse=True)
def _shorter_wait(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs to sleep for five seconds in each of these tests."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(locks, "LONGEST_WAIT_SECONDS", SHORT_WAIT_SECONDS)


@contextmanager
def lasting_at_most(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


def store_in(directory: Path) -> Store:
    return Store(Directories(directory, (directory,)))


def recorded_key(client: openai.OpenAI, directory: Path) -> str:
    with inference_recording("record", directory) as session:
        client.chat.completions.create(**HELLO)
    return session.recorded[0].key


def test_a_stopped_writer_holds_up_no_other_name(recordings: Path) -> None:
    """Sixteen locks for all names stopped every recorder of the folder sooner or later."""
    store = store_in(recordings)
    with stopped_holder(recordings, NAMES[0]), lasting_at_most(ENOUGH_SECONDS):
        for name in NAMES[1:]:
            store.write(name, b"{}")

    assert len(NAMES) - 1 == len(files_of(recordings))


@pytest.mark.parametrize("is_there", [False, True], ids=["a new recording", "one to replace"])
def test_a_call_waits_a_few_seconds_for_a_stopped_writer_and_then_stores(
    is_there: bool, client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """It would wait for ever; what it paid for is stored whole, and the warning says what to look for."""
    key = recorded_key(client, recordings)
    if not is_there:
        (recordings / f"{key}.json").unlink()
    server.answers("/v1/chat/completions", Reply(completion("new")))
    with stopped_holder(recordings, key), lasting_at_most(ENOUGH_SECONDS):
        with pytest.warns(LockNotAvailable, match=f"{key}.write") as caught:
            with inference_recording("record", recordings) as session:
                client.chat.completions.create(**HELLO)

    [path] = recordings.glob("*.json")
    assert b'"new"' in path.read_bytes()
    decode_thoroughly(path.read_bytes(), str(path))
    assert {"recorded": 1} == session.counts
    warning = caught[0].message
    assert isinstance(warning, LockNotAvailable)
    assert (path, recordings / ".locks" / f"{key}.write") == (warning.path, warning.lock)


@pytest.mark.slow
def test_a_call_waits_five_seconds(client: openai.OpenAI, recordings: Path) -> None:
    """As the documentation has it; the other tests here wait for less."""
    key = recorded_key(client, recordings)
    begun = time.monotonic()
    with stopped_holder(recordings, key), pytest.warns(LockNotAvailable, match="for 5 seconds"):
        recorded_key(client, recordings)

    assert 5 == LONGEST_WAIT_SECONDS
    assert 5 <= time.monotonic() - begun < 5 + ENOUGH_SECONDS


def test_a_suite_that_makes_warnings_errors_keeps_the_recording(client: openai.OpenAI, recordings: Path) -> None:
    """The error comes after the file, and after the session has taken note of it."""
    key = recorded_key(client, recordings)
    (recordings / f"{key}.json").unlink()
    with stopped_holder(recordings, key), warnings.catch_warnings():
        warnings.simplefilter("error")
        with inference_recording("record", recordings) as session:
            with pytest.raises(LockNotAvailable):
                client.chat.completions.create(**HELLO)

    assert [f"{key}.json"] == files_of(recordings)
    assert {"recorded": 1} == session.counts
    assert not list(recordings.glob(".*.tmp"))


def test_a_suite_that_makes_warnings_errors_finishes_every_series(client: openai.OpenAI, recordings: Path) -> None:
    """One stopped writer must not leave old answers to other requests behind the new ones."""
    seeds = range(3)
    with inference_recording("record", recordings) as session:
        for seed in [*seeds, *seeds]:
            client.chat.completions.create(**HELLO, seed=seed)
    keys = [call.key for call in session.recorded][: len(seeds)]
    with stopped_holder(recordings, recording_name(keys[0], 2)), warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(LockNotAvailable):
            with inference_recording("record", recordings):
                for seed in seeds:
                    client.chat.completions.create(**HELLO, seed=seed)

    assert sorted(f"{key}.json" for key in keys) == files_of(recordings)


async def test_an_event_loop_goes_on_while_a_call_waits_for_a_stopped_writer(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Five seconds are long for everything else that the loop serves."""
    key = recorded_key(client, recordings)
    turns = 0

    async def call() -> None:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as async_client:
            with inference_recording("record", recordings):
                await async_client.chat.completions.create(**HELLO)

    async def call_and_count() -> None:
        nonlocal turns
        waiting = asyncio.create_task(call())
        while not waiting.done():
            await asyncio.sleep(0.01)
            turns += 1
        await waiting

    with stopped_holder(recordings, key), pytest.warns(LockNotAvailable):
        await call_and_count()

    assert turns > 10


def test_a_stream_that_is_left_does_not_wait_and_its_session_waits_once(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """A consumer that closes a stream is not to be held up; the end of the session is, for a few seconds in all."""
    server.answers("/v1/chat/completions", Reply(events=chunks("a", "b")))
    with inference_recording("record", recordings) as session:
        list(client.chat.completions.create(**HELLO, stream=True))
    key, sessions = session.recorded[0].key, []

    def leave() -> None:
        with inference_recording("record", recordings) as session:
            sessions.append(session)
            stream = client.chat.completions.create(**HELLO, stream=True)
            next(stream)
            with lasting_at_most(SHORT_WAIT_SECONDS):
                stream.close()

    with stopped_holder(recordings, key), lasting_at_most(ENOUGH_SECONDS), pytest.warns(LockNotAvailable):
        leave()

    assert {"recorded": 1} == sessions[0].counts
    assert b'"is_complete": false' in (recordings / f"{key}.json").read_bytes()


def with_rows(store: Store) -> None:
    for position in range(1, 6):
        store.write(recording_name(NAMES[0], position), b'{"place": %d}' % position)


CHANGES: dict[str, tuple[Callable[[Store], Any], str, list[str]]] = {
    "remove": (
        lambda store: store.remove(recording_name(NAMES[0], 2)),
        recording_name(NAMES[0], 2),
        ["", ".3", ".4", ".5"],
    ),
    "rename": (
        lambda store: store.rename(recording_name(NAMES[0], 5), recording_name(NAMES[0], 2)),
        recording_name(NAMES[0], 2),
        ["", ".2", ".3", ".4"],
    ),
    "cut": (lambda store: store.cut_series(NAMES[0], 1), recording_name(NAMES[0], 3), [""]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_directory_waits_a_few_seconds_only(change: str, recordings: Path) -> None:
    """Removing and renaming take the same locks as storing."""
    make, held, left = CHANGES[change]
    store = store_in(recordings)
    with_rows(store)
    with stopped_holder(recordings, held), lasting_at_most(ENOUGH_SECONDS), pytest.warns(LockNotAvailable):
        make(store)

    assert sorted(f"{NAMES[0]}{end}.json" for end in left) == files_of(recordings)


def test_one_call_waits_once_for_all_its_locks(recordings: Path) -> None:
    """A row whose places are all locked would otherwise take as many times as long."""
    store = store_in(recordings)
    with_rows(store)
    with (
        stopped_holder(recordings, recording_name(NAMES[0], 3)),
        stopped_holder(recordings, recording_name(NAMES[0], 4)),
    ):
        with lasting_at_most(ENOUGH_SECONDS), pytest.warns(LockNotAvailable):
            store.cut_series(NAMES[0], 1)

    assert [f"{NAMES[0]}.json"] == files_of(recordings)


def test_a_first_write_does_not_wait_to_tidy_up(recordings: Path) -> None:
    """What a stopped writer has begun is its own; what others left is removed."""
    recordings.mkdir()
    living = recordings / f".{NAMES[0]}.tmp-{'0' * 16}.tmp"
    living.touch()
    with stopped_holder(recordings, NAMES[0]), lasting_at_most(ENOUGH_SECONDS):
        store_in(recordings).write(NAMES[1], b"{}")

        assert living.exists()


def test_a_new_recording_never_overwrites_one_written_without_the_lock(recordings: Path) -> None:
    """A writer that goes on after a stop has not seen what was stored meanwhile; two without the lock neither."""
    store, path = store_in(recordings), recordings / "a.json"
    recordings.mkdir()
    with store.replacing("a") as slot:
        path.write_bytes(b"first")
        with pytest.raises(FileExistsError):
            files.create(path, b"second", "a")
        slot.put(b"third")

    assert b"first" == path.read_bytes()
    assert [path] == [one for one in recordings.iterdir() if one.is_file()]


def test_a_file_system_without_links_is_written_all_the_same(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network folders and phones have none."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store = store_in(recordings)
    store.write("a", b"first")
    with pytest.raises(FileExistsError):
        files.create(recordings / "a.json", b"second", "a")

    assert b"first" == (recordings / "a.json").read_bytes()
    assert not list(recordings.glob(".*.tmp"))


def test_writers_without_the_lock_leave_one_whole_recording(recordings: Path) -> None:
    """Several give up waiting at the same moment; the bytes beside a recording belong to it."""
    store, starting = store_in(recordings), threading.Barrier(6)
    recordings.mkdir()
    contents = [b"%d" % number * 300_000 for number in range(6)]

    def write(content: bytes) -> None:
        starting.wait()
        body = b'{"__type__": "attached", "__data__": "%s"}' % digest_of(content).encode()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            store_in(recordings).write(NAMES[0], body, attachment=content, patience=without_patience())

    with stopped_holder(recordings, NAMES[0]):
        threads = [threading.Thread(target=write, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    stored = store.read(NAMES[0])
    assert stored is not None
    store_in(recordings).write(NAMES[1], b"{}")  # removes what nobody names
    attached = read_attachment(stored.path, stored.content.split(b'"')[-2].decode())
    assert attached in contents
    assert 1 == len(list(recordings.glob("*.bin")))


def without_patience() -> Patience:
    patience = Patience()
    patience._seconds = 0.0
    return patience


def test_no_lock_file_is_left(recordings: Path) -> None:
    """A file for each name that was ever written would double the folder."""
    store = store_in(recordings)
    for name in NAMES:
        store.write(name, b"{}")
    store.remove(NAMES[0])
    store.rename(NAMES[1], NAMES[2])

    assert [".gitignore"] == os.listdir(recordings / ".locks")


def test_lock_files_of_killed_processes_are_removed(recordings: Path) -> None:
    """Each kill may leave one; a lock that is held stays."""
    with stopped_holder(recordings, NAMES[0]) as holder:
        holder.kill()
        holder.wait()
    (recordings / ".locks" / f"{NAMES[1]}.flight").touch()
    with stopped_holder(recordings, NAMES[2]):
        store_in(recordings).write(NAMES[3], b"{}")

        assert [".gitignore", f"{NAMES[2]}.write"] == sorted(os.listdir(recordings / ".locks"))


def test_a_lock_is_one_at_a_time_though_its_file_comes_and_goes(recordings: Path) -> None:
    """Who locked a file that was removed meanwhile must lock again."""
    inside, most = 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(40):
            with Locks(recordings).writing("a") as is_held:
                assert is_held
                with guard:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == most
