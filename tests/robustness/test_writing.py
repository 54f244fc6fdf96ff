"""A disk that will not have a recording: an error that names path and reason and holds the answer; nothing is lost."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import CorruptRecording, UnusableDirectory, UnwritableRecording, inference_recording
from inference_recorder.recording.codec import decode_thoroughly
from inference_recorder.recording.layout import digest_of
from inference_recorder.storage.attachments import read_attachment
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.store import Store

from ..conftest import HELLO, Colour, files_of
from ..support.openai_server import OpenAIServer, Reply, chunks, completion, error

resource = pytest.importorskip("resource", reason="needs limits of file size, which this platform has not")
STREAMED = HELLO | {"stream": True}


def content_of(answer: Any) -> str:
    """Return the text of a plain answer, however it was asked for."""
    return str(answer.choices[0].message.content)


def texts_of(answers: Any) -> str:
    """Return the text of chunks."""
    return "".join(item.choices[0].delta.content or "" for item in answers if item.choices)


def read_stream(sdk: Colour, name: str) -> None:
    stream = sdk.call(name, **STREAMED)
    if "raw" in name:
        stream = sdk.wait(stream.parse())
    sdk.items(stream)


WAYS: dict[str, tuple[Callable[[Colour], Any], Callable[[Any], str]]] = {
    "plain": (lambda sdk: sdk.call("chat.completions.create", **HELLO), content_of),
    "streamed": (lambda sdk: read_stream(sdk, "chat.completions.create"), texts_of),
    "raw": (
        lambda sdk: sdk.call("chat.completions.with_raw_response.create", **HELLO),
        lambda response: str(response.json()["choices"][0]["message"]["content"]),
    ),
    "raw and streamed": (
        lambda sdk: read_stream(sdk, "chat.completions.with_raw_response.create"),
        lambda content: "Hello!" if all(part in content for part in (b'"Hel"', b'"lo"', b'"!"')) else repr(content),
    ),
}


@contextmanager
def no_file_longer_than(length: int) -> Iterator[None]:
    """Have every write beyond this many bytes of a file fail, as on a full disk; Python ignores the signal of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[None]:
    """Mount a file system of this size on a folder, where this process may."""
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this process may not mount a file system; the limit of file size above is what it can have")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_the_disk_has_no_room_for_is_in_the_error(
    way: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The call was paid for: its answer must not be lost with the disk, nor what was stored before."""
    ask, content_in = WAYS[way]
    events = chunks("Hel", "lo", "!")
    server.scripts["/v1/chat/completions"] = lambda asked, number: (
        Reply(events=events) if asked.json.get("stream") else Reply(completion("Hello!" if number else "Once."))
    )
    with inference_recording("record", recordings):
        sdk.call("chat.completions.create", **HELLO)
    [old] = recordings.glob("*.json")
    before = old.read_bytes(), old.stat().st_mtime_ns
    with inference_recording("record", recordings) as session, no_file_longer_than(100):
        with pytest.raises(UnwritableRecording, match=os.strerror(errno.EFBIG)) as caught:
            ask(sdk)

    assert "Hello!" == content_in(caught.value.response)
    assert str(caught.value.path) in str(caught.value)
    assert caught.value.path.parent == recordings
    assert "the answer itself is this error's .response" in str(caught.value)
    assert before == (old.read_bytes(), old.stat().st_mtime_ns)
    assert [old.name] == files_of(recordings)
    assert not list(recordings.glob(".*.tmp"))
    assert 2 == server.count, "an error of storing must not make the SDK ask again"
    assert {} == session.counts


def test_a_failed_call_that_cannot_be_stored_keeps_its_failure(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """What the API answered is what the developer looks for, full disk or not."""
    server.answers("/v1/chat/completions", error(400, "no such thing"))
    with inference_recording("record", recordings), no_file_longer_than(100):
        with pytest.raises(UnwritableRecording) as caught:
            sdk.call("chat.completions.create", **HELLO)

    assert isinstance(caught.value.response, openai.BadRequestError)


def test_a_stream_dropped_on_a_full_disk_is_reported_at_the_end(client: openai.OpenAI, recordings: Path) -> None:
    """Garbage collection of a stream cannot raise an error; the session can."""
    with pytest.raises(UnwritableRecording, match=os.strerror(errno.EFBIG)) as caught:
        with inference_recording("record", recordings):
            with no_file_longer_than(100):
                stream = client.chat.completions.create(**STREAMED)
                next(stream)
                del stream
                gc.collect()

    assert 1 == len(caught.value.response)  # type: ignore[arg-type]


def test_a_full_disk_loses_nothing_and_is_usable_again(client: openai.OpenAI, tmp_path: Path) -> None:
    """Each write on a full disk fails with our error; what was there stays, and room that is made is used."""
    directory = tmp_path / "disk"
    with small_disk(directory, "96k"):
        refused = []
        with inference_recording("record", directory):
            for seed in range(40):
                try:
                    client.chat.completions.create(**HELLO, seed=seed)
                except UnwritableRecording as unwritten:
                    refused.append(unwritten)
            stored = files_of(directory)
            (directory / stored[0]).unlink()
            client.chat.completions.create(**HELLO, seed=1000)
        whole = [decode_thoroughly(path.read_bytes(), str(path)) for path in directory.glob("*.json")]
        left = list(directory.glob(".*.tmp"))

    print(
        f"full disk: {len(stored)} stored, {len(refused)} refused with their answers, {len(left)} temporary files left"
    )
    assert len(stored) + len(refused) == 40
    assert min(len(stored), len(refused)) > 0
    assert {os.strerror(errno.ENOSPC)} == {error.reason for error in refused}
    assert all("Hello" in content_of(error.response) for error in refused)
    assert len(stored) == len(whole)
    assert [] == left


def test_a_directory_that_becomes_read_only_is_read_and_not_written(
    client: openai.OpenAI, server: OpenAIServer, tmp_path: Path
) -> None:
    """CI mounts checkouts read-only; a miss there must say so before anything is sent."""
    directory = tmp_path / "disk"
    with small_disk(directory, "1m"):
        with inference_recording("record", directory):
            client.chat.completions.create(**HELLO)
        before = server.count
        with inference_recording("record", directory), inference_recording("record-if-missing", directory) as inner:
            subprocess.run(["mount", "-o", "remount,ro", str(directory)], check=True)
            client.chat.completions.create(**HELLO)
            with pytest.raises(UnusableDirectory, match=os.strerror(errno.EROFS)):
                client.chat.completions.create(**HELLO, seed=1)
        assert before == server.count
        assert {"replayed": 1} == inner.counts
        with pytest.raises(UnusableDirectory, match="read-only"), inference_recording("record", directory):
            pass
        with inference_recording("replay", directory):
            assert "Hello 0!" == content_of(client.chat.completions.create(**HELLO))


@pytest.mark.usefixtures("sessions_are_runs")
def test_a_directory_in_place_of_a_recording_is_named(client: openai.OpenAI, recordings: Path) -> None:
    """Neither read as missing nor removed with what it holds."""
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO)
    [path] = recordings.glob("*.json")
    path.unlink()
    path.mkdir()
    with inference_recording("record", recordings), pytest.raises(UnwritableRecording) as caught:
        client.chat.completions.create(**HELLO)
    with inference_recording("record-if-missing", recordings), pytest.raises(CorruptRecording) as unread:
        client.chat.completions.create(**HELLO)

    assert path == caught.value.path == unread.value.path
    assert [os.strerror(errno.EISDIR)] * 2 == [caught.value.reason, unread.value.reason]
    assert "Hello 1!" == content_of(caught.value.response)
    assert not list(recordings.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x" * 300, os.strerror(errno.ENAMETOOLONG)),
        ("nul\0", "cannot keep recordings in "),
        ("file/below", "is a file"),
        ("nowhere", "a link to"),
    ],
    ids=["too long", "with a NUL", "below a file", "a dangling link"],
)
def test_a_directory_that_cannot_be_is_an_error_at_entry(name: str, reason: str, tmp_path: Path) -> None:
    """Before a call is paid for."""
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "not there")
    with pytest.raises(UnusableDirectory, match=reason), inference_recording("record", tmp_path / name):
        pass


def test_a_path_that_gets_too_long_for_a_recording_is_named(client: openai.OpenAI, tmp_path: Path) -> None:
    """The folder fits, its files do not; 4,096 bytes are Linux' limit."""
    directory = tmp_path
    while (room := 4_050 - len(str(directory))) > 1:
        directory = directory / ("d" * min(100, room - 1))
    with (
        inference_recording("record", directory),
        pytest.raises(UnwritableRecording, match=os.strerror(errno.ENAMETOOLONG)) as caught,
    ):
        client.chat.completions.create(**HELLO)

    assert "Hello 0!" == content_of(caught.value.response)


@pytest.mark.usefixtures("sessions_are_runs")
def test_series_are_finished_though_one_of_them_cannot_be(client: openai.OpenAI, recordings: Path) -> None:
    """One file in the way must not leave the old answers of all other rows beside their new ones."""
    with inference_recording("record", recordings):
        for _ in range(2):
            for seed in range(3):
                client.chat.completions.create(**HELLO, seed=seed)
    with pytest.raises(UnwritableRecording, match=os.strerror(errno.EISDIR)) as caught:
        with inference_recording("record", recordings) as session:
            for seed in range(3):
                client.chat.completions.create(**HELLO, seed=seed)
            conflict = recordings / f"{session.recorded[0].key}.2.json"
            conflict.unlink()
            conflict.mkdir()

    assert conflict == caught.value.path
    assert 4 == len(files_of(recordings))


@pytest.mark.usefixtures("sessions_are_runs")
def test_a_link_is_replaced_and_not_written_through(client: openai.OpenAI, recordings: Path, tmp_path: Path) -> None:
    """A stranger's link must not have us overwrite what it leads to."""
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO)
    [path] = recordings.glob("*.json")
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    path.unlink()
    path.symlink_to(outside)
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO)

    assert b"precious" == outside.read_bytes()
    assert not path.is_symlink()
    decode_thoroughly(path.read_bytes(), str(path))


@pytest.mark.parametrize("is_there", [True, False], ids=["to a folder", "to nothing"])
def test_locks_are_not_made_through_a_link(is_there: bool, recordings: Path, tmp_path: Path) -> None:
    """Else a stranger chooses where on this machine files appear."""
    elsewhere = tmp_path / "elsewhere"
    if is_there:
        elsewhere.mkdir()
    recordings.mkdir()
    (recordings / ".locks").symlink_to(elsewhere)
    with pytest.raises(UnwritableRecording, match="is a link or a file"):
        Store(Directories(recordings, (recordings,))).write("a", b"{}")

    assert is_there == elsewhere.exists()
    assert not is_there or [] == list(elsewhere.iterdir())


def test_an_attachment_that_is_another_file_is_written_again(recordings: Path, tmp_path: Path) -> None:
    """A link of the right name is not the right bytes."""
    store = Store(Directories(recordings, (recordings,)))
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    store.write("a", b"{}", attachment=b"big")
    [beside] = recordings.glob("*.bin")
    beside.unlink()
    beside.symlink_to(outside)
    store.write("a", b"{}", attachment=b"big")

    assert b"big" == beside.read_bytes()
    assert not beside.is_symlink()
    assert b"precious" == outside.read_bytes()


def test_renaming_keeps_the_bytes_beside_a_recording(recordings: Path) -> None:
    """A row whose gap is closed moves its big answers along."""
    store = Store(Directories(recordings, (recordings,)))
    digest = digest_of(b"big")
    store.write("a.2", b'{"__type__": "attached", "__data__": "%s"}' % digest.encode(), attachment=b"big")
    store.rename("a.2", "a")

    assert b"big" == read_attachment(str(recordings / "a.json"), digest)
    assert 2 == len([name for name in os.listdir(recordings) if not name.startswith(".")])


def test_the_next_writer_removes_what_a_killed_one_left_and_nothing_else(recordings: Path) -> None:
    """Bytes whose recording never came, and half a file; not what another writer is about to rename."""
    store = Store(Directories(recordings, (recordings,)))
    store.write("a" * 64, b"{}")
    lost, living = recordings / f"{'b' * 64}.{'0' * 16}.bin", recordings / f".{'c' * 64}.tmp-{'0' * 16}.tmp"
    named, foreign = recordings / f"{'a' * 64}.{'1' * 16}.bin", recordings / "photo.bin"
    (recordings / f"{'a' * 64}.json").write_bytes(b'{"__type__": "attached", "__data__": "%s"}' % (b"1" * 64))
    (recordings / f"{'e' * 64}.json").write_bytes(b"<<<<<<< ours")
    of_a_damaged_one = recordings / f"{'e' * 64}.{'2' * 16}.bin"
    for path in (lost, living, named, of_a_damaged_one, foreign, recordings / f".{'f' * 64}.tmp-{'1' * 16}.tmp"):
        path.touch()
    (recordings / ".folder.tmp").mkdir()
    with store.locks.writing("c" * 64):
        Store(Directories(recordings, (recordings,))).write("d" * 64, b"{}")

    assert sorted([named, of_a_damaged_one, foreign]) == sorted(recordings.glob("*.bin"))
    assert sorted([living, recordings / ".folder.tmp"]) == sorted(recordings.glob(".*.tmp"))
