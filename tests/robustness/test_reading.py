"""What may lie in a recording's place: it is named, with file, byte or JSON path; never missing, never overwritten."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import CorruptRecording, UnusableDirectory, inference_recording
from inference_recorder.recording.answer import Streamed, Value
from inference_recorder.recording.body import typed
from inference_recorder.recording.codec import decode, decode_thoroughly, encode
from inference_recorder.storage.catalogue import entries_in

from ..conftest import HELLO, SHARED, files_of
from ..support.openai_server import OpenAIServer, Reply

REQUEST = {"method": "POST", "body": {"model": "m"}, "endpoint": "e"}
WHOLE = encode("t", REQUEST, Value(typed("a.B", {"id": "x"})))
STREAM = encode("t", REQUEST, Streamed([typed("a.B", {"n": n}) for n in range(3)]))


def compact(changes: dict[str, Any]) -> bytes:
    """Return a recording in another layout than ours, with these members changed."""
    return json.dumps(json.loads(WHOLE) | changes).encode()


_DUMPED = json.dumps(json.loads(WHOLE) | {"response": {}, "id_normalization_mapping": {}}, separators=(",", ":"))
DAMAGES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it is empty"),
    "only blanks": (b" \n\n", "it is empty"),
    "cut off": (
        WHOLE[: len(WHOLE) // 2],
        f": its JSON breaks off or is malformed at byte ({len(WHOLE) // 2 - 1}|{len(WHOLE) // 2})",
    ),
    "a merge conflict": (
        WHOLE.replace(b'    "is_str', b'<<<<<<< ours\n    "is_str'),
        "unresolved git conflict at line 17; take one side",
    ),
    "binary": (b"\x00\x01\x02", "malformed at byte 0"),
    "not UTF-8": (compact({"test_id": "?"}).replace(b"?", b"\xff"), "not UTF-8 at byte 13"),
    "UTF-16": (json.dumps({"response": {}}).encode("utf-16"), "not UTF-8 at byte 0"),
    "deep": (b"[" * 100_000, "nested too deep"),
    "deep and whole": (b'{"response": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep"),
    "a list": (b"[1, 2]", "a JSON list, not an object"),
    "a number of 5,000 digits": (compact({}).replace(b'"x"', b"1" * 5_000), "its JSON cannot be read: |malformed"),
    "one name twice": (compact({}).replace(b'"id": "x"', b'"id": 1, "id": 2'), r"\$.response.body.__data__ has 'id'"),
    "two responses": (WHOLE.replace(b'  "id_n', b'  "response": {},\n  "id_n'), r"\$ has 'response' more than once"),
    "no response": (compact({"response": None}), r"\$.response must be an object"),
    "a response of another type": (compact({"response": [1]}), r"\$.response must be an object"),
    "a stream without chunks": (compact({"response": {"is_streaming": True}}), r"\$.response.body of a stream must"),
    "text for a boolean": (compact({"response": {"is_streaming": "no", "body": {}}}), "must be true or false"),
    "an invalid page": (compact({"response": {"body": [], "page": 7}}), r"\$.response.page must be an object"),
    "a status nobody has": (
        compact({"response": {"body": 1, "http": {"status_code": 1000, "headers": {}}}}),
        "status_code of 100 to 599",
    ),
    "headers that are no text": (
        compact({"response": {"body": 1, "http": {"status_code": 200, "headers": {"a": "\ud800"}}}}),
        "headers are not text",
    ),
    "ids that are no text": (compact({"id_normalization_mapping": {"a": 1}}), "must hold strings"),
    "ids that break it": (compact({"id_normalization_mapping": {'"': "response"}}), "mapping breaks it"),
    "ids that make a list of it": (
        compact({"response": {}, "id_normalization_mapping": {"[1]": _DUMPED}}),
        "the result is not an object",
    ),
    "ids that make it grow": (compact({"id_normalization_mapping": {"y" * 10_000: "e"}}), "grow to more than 10 times"),
    "ids that make it grow by and by": (
        compact({"id_normalization_mapping": {chr(97 + n + 1) * 9: chr(97 + n) for n in range(20)}}),
        "grow to more than 10 times|breaks it",
    ),
    "too many ids": (
        compact({"test_id": " " * 100_000, "id_normalization_mapping": {f"i{n}": "no" for n in range(90_000)}}),
        r"90000 ids are too many for 100\d\d\d characters",
    ),
    "a newer format": (
        WHOLE.replace(b'{\n  "test_id"', b'{\n  "format_version": 2,\n  "test_id"'),
        "its format is 2 and this inference_recorder reads up to 1; install a newer one",
    ),
    "a format that is not a number": (compact({"format_version": "1"}), r"\$.format_version must be a whole number"),
}


@pytest.mark.parametrize(("content", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_recording_is_named_by_file_and_place(
    content: bytes, reason: str, server: OpenAIServer, client: openai.OpenAI, recordings: Path
) -> None:
    """Treated as missing it would be paid for again in silence; overwritten, a newer format would be lost."""
    path = one_recording(client, recordings)
    path.write_bytes(content)
    for mode in ("replay", "record-if-missing"):
        with inference_recording(mode, recordings), pytest.raises(CorruptRecording, match=reason) as caught:
            client.chat.completions.create(**HELLO)
        assert str(path) in str(caught.value)
        assert "restore it from version control, or delete it" in str(caught.value)

    with pytest.raises(CorruptRecording, match=reason):
        decode_thoroughly(content, str(path))
    assert content == path.read_bytes()
    assert 1 == server.count


def test_of_our_own_layout_a_replay_reads_the_response_only() -> None:
    """What a replay does not look at is what `check` is for: reading it would cost more than all the rest."""
    damaged_request = WHOLE.replace(b'"model": "m"', b'"model": m')
    named_twice = WHOLE.replace(b'"is_streaming": false', b'"is_streaming": false,\n    "is_streaming": false')
    inner_twice = WHOLE.replace(b'"id": "x"', b'"id": "w", "id": "x"')
    for content in (damaged_request, named_twice, inner_twice):
        assert {"__type__": "a.B", "__data__": {"id": "x"}} == decode(content, "f").answer.body

    with pytest.raises(CorruptRecording, match="malformed at byte"):
        decode_thoroughly(damaged_request, "f")
    with pytest.raises(CorruptRecording, match=r"\$.response has 'is_streaming' more than once"):
        decode_thoroughly(named_twice, "f")
    with pytest.raises(CorruptRecording, match=r"\$.response.body.__data__ has 'id' more than once"):
        decode_thoroughly(inner_twice, "f")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (compact({"test_id": 7}), r"\$.test_id must be a string"),
        (compact({"request": []}), r"\$.request must be an object"),
        (compact({"response": {"body": 1, "is_exception": "no"}}), r"\$.response.is_exception must be true or false"),
        (STREAM.replace(b'{"n":1}},\n      ', b'{"n":1}}, '), "is not JSON"),
        (STREAM.replace(b'{"n":1}}', b'{"n":1'), "malformed at byte"),
    ],
    ids=["test id", "request", "is_exception", "two chunks on a line", "half a chunk"],
)
def test_a_thorough_look_finds_what_a_replay_may_pass_over(content: bytes, reason: str) -> None:
    """A slip in a file that nobody replays today is found before it is needed."""
    with pytest.raises(CorruptRecording, match=reason):
        decode_thoroughly(content, "f")


def test_a_thorough_look_finds_nothing_wrong_with_real_recordings() -> None:
    """Three ages of llama-stack's format and our own."""
    paths = [*(SHARED / "corpus").rglob("*.json"), *(Path(__file__).parents[2] / "recordings").glob("*.json")]
    for path in paths:
        content = path.read_bytes()
        assert decode(content, str(path)) == decode_thoroughly(content, str(path))

    print(f"thoroughly read: {len(paths)} real recordings")
    assert paths


def test_a_byte_order_mark_is_not_damage() -> None:
    """Editors on Windows write one."""
    assert {"__type__": "a.B", "__data__": {"id": "x"}} == decode(b"\xef\xbb\xbf" + WHOLE, "f").answer.body


def no_way_out(path: Path, elsewhere: Path) -> None:
    path.symlink_to(elsewhere)


def nowhere(path: Path, elsewhere: Path) -> None:
    path.symlink_to("not-there.json")


def itself(path: Path, elsewhere: Path) -> None:
    path.symlink_to(path.name)


def device(path: Path, elsewhere: Path) -> None:
    path.symlink_to("/dev/zero")


def pipe(path: Path, elsewhere: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path, elsewhere: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        before = os.getcwd()
        os.chdir(path.parent)  # the whole path may be longer than a socket's can be
        try:
            listener.bind(path.name)
        finally:
            os.chdir(before)


def unreadable_folder(path: Path, elsewhere: Path) -> None:
    path.mkdir()


@pytest.mark.usefixtures("sessions_are_runs")
@pytest.mark.skipif(os.name != "posix", reason="needs links, pipes and sockets")
@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (no_way_out, "it is a link out of its directory, to "),
        (device, "it is a link out of its directory, to /dev/zero"),
        (nowhere, "it is a link to not-there.json, which does not exist"),
        (itself, f"which does not exist|{re.escape(os.strerror(errno.ELOOP))}"),
        (pipe, "it is a pipe or a device, not a file"),
        (a_socket, "|".join(re.escape(os.strerror(number)) for number in (errno.ENXIO, errno.EOPNOTSUPP))),
        (unreadable_folder, re.escape(os.strerror(errno.EISDIR))),
    ],
)
def test_what_is_not_a_file_is_not_followed_and_does_not_hang(
    put: Callable[[Path, Path], None],
    reason: str,
    server: OpenAIServer,
    client: openai.OpenAI,
    recordings: Path,
    tmp_path: Path,
) -> None:
    """A stranger's pull request may hold links; what they lead to is none of its business."""
    path = one_recording(client, recordings)
    elsewhere = tmp_path / "elsewhere.json"
    path.rename(elsewhere)
    put(path, elsewhere)
    for mode in ("replay", "record-if-missing"):
        with inference_recording(mode, recordings), pytest.raises(CorruptRecording, match=reason) as caught:
            client.chat.completions.create(**HELLO)
        assert path == caught.value.path
    [found] = entries_in([recordings])

    assert isinstance(found, CorruptRecording)
    assert 1 == server.count
    with inference_recording("record", recordings) as session:
        if not path.is_dir() or path.is_symlink():
            client.chat.completions.create(**HELLO)
            assert {"recorded": 1} == session.counts
            assert path.is_file()
            assert not path.is_symlink()


def test_an_attachment_is_not_read_through_a_link_that_leaves_the_directory(
    server: OpenAIServer, client: openai.OpenAI, recordings: Path, tmp_path: Path
) -> None:
    """The sha256 beside it is the stranger's own: it says nothing about whose file that is."""
    content = bytes(range(256)) * 2_000
    server.answers("/v1/audio/speech", Reply(content=content, media_type="audio/mpeg"))
    asked = {"model": "tts-1", "voice": "alloy", "input": "Hello"}
    with inference_recording("record", recordings):
        client.audio.speech.create(**asked)
    [beside] = recordings.glob("*.bin")
    beside.rename(tmp_path / "secret")
    beside.symlink_to(tmp_path / "secret")
    with (
        inference_recording("replay", recordings),
        pytest.raises(CorruptRecording, match="a link out of its directory"),
    ):
        client.audio.speech.create(**asked)


def test_links_that_stay_are_followed(client: openai.OpenAI, recordings: Path, tmp_path: Path) -> None:
    """The folder itself may be a link its owner chose, and two names may share a file in it."""
    path = one_recording(client, recordings)
    path.rename(recordings / "shared.json")
    path.symlink_to("shared.json")
    (tmp_path / "chosen").symlink_to(recordings)
    with inference_recording("replay", tmp_path / "chosen"):
        answer = client.chat.completions.create(**HELLO)

    assert "Hello 0!" == answer.choices[0].message.content


def test_a_directory_below_that_is_a_link_elsewhere_is_refused(recordings: Path, tmp_path: Path) -> None:
    """Recordings are looked for in `responses/` too; it must be the folder's own."""
    (recordings / "own").mkdir(parents=True)
    (recordings / "recordings").symlink_to("own")
    (recordings / "responses").symlink_to(tmp_path)
    with pytest.raises(UnusableDirectory, match="responses: it is a link out of"):
        with inference_recording("replay", recordings):
            pass


def one_recording(client: openai.OpenAI, recordings: Path) -> Path:
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO)
    [name] = files_of(recordings)
    return recordings / name
