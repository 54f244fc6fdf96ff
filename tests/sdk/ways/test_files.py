"""Files: binary answers, and uploads in every form the SDK takes them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import MissingRecording, UnrecordableCall, inference_recording

from ...conftest import Colour, files_of
from ...support.differences import differences
from ...support.openai_server import OpenAIServer
from .server_scripts import LARGE, SMALL
from .watching import Use, Way, calling, check, entered, skip_without, stable, used

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")

SPEECH: dict[str, Any] = {"model": "tts-1", "voice": "alloy"}
SIZES = {"small": SMALL, "600 KiB": LARGE}
CONTENTS = {
    "binary": "file-small",
    "empty": "file-empty",
    "JSON with its own spacing and a time": "file-json",
    "JSON lines": "file-jsonl",
    "a single JSON line": "file-line",
    "a single JSON line named so": "file-ndjson",
    "Latin text": "file-latin",
    "text with CRLF and NUL": "file-text",
}


def read_whole(sdk: Colour, answer: Any, directory: Path) -> Any:
    return [answer.content, answer.read(), answer.response.headers["content-type"]]


def awaited(sdk: Colour, answer: Any, directory: Path) -> Any:
    return sdk.wait(answer.aread()) if sdk.is_async else answer.read()


def in_bytes(sdk: Colour, answer: Any, directory: Path) -> Any:
    return b"".join(sdk.items(sdk.wait(answer.aiter_bytes()) if sdk.is_async else answer.iter_bytes()))


def in_raw_bytes(sdk: Colour, answer: Any, directory: Path) -> Any:
    return b"".join(answer.iter_bytes(1000))


def to_a_file(sdk: Colour, answer: Any, directory: Path) -> Any:
    answer.write_to_file(directory / "written")
    return (directory / "written").read_bytes()


def iterated(sdk: Colour, answer: Any, directory: Path) -> Any:
    return b"".join(sdk.items(answer.iter_bytes()))


def read(sdk: Colour, answer: Any, directory: Path) -> Any:
    return sdk.wait(answer.read())


def streamed_to_a_file(sdk: Colour, answer: Any, directory: Path) -> Any:
    sdk.wait(answer.stream_to_file(directory / "streamed"))
    return (directory / "streamed").read_bytes()


@pytest.mark.parametrize("seen", [read_whole, awaited, in_bytes, in_raw_bytes, to_a_file])
@pytest.mark.parametrize("size", SIZES)
def test_speech_replays_the_same_bytes(
    size: str, seen: Callable[..., Any], sdk: Colour, server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """A test of a voice app needs the sound itself, not a string made of it."""
    way = Way(lambda sdk: seen(sdk, sdk.call("audio.speech.create", **SPEECH, input=_input(size)), tmp_path))
    replayed = check(way, sdk, server, recordings)

    assert SIZES[size] == (replayed[0] if seen is read_whole else replayed)


@pytest.mark.parametrize("seen", [iterated, read, streamed_to_a_file])
@pytest.mark.parametrize("size", SIZES)
def test_speech_that_is_streamed_replays_the_same_bytes(
    size: str, seen: Callable[..., Any], sdk: Colour, server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """Speech is the one binary answer that most people stream."""

    def use(sdk: Colour) -> Any:
        manager = sdk.client.audio.speech.with_streaming_response.create(**SPEECH, input=_input(size))
        with entered(sdk, manager) as answer:
            return seen(sdk, answer, tmp_path)

    assert SIZES[size] == check(Way(use), sdk, server, recordings)


def test_speech_left_early_replays_what_was_received(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """A player that is stopped leaves the rest of the sound unread."""

    def use(sdk: Colour) -> bytes:
        manager = sdk.client.audio.speech.with_streaming_response.create(**SPEECH, input="large")
        with entered(sdk, manager) as answer:
            return b"".join(sdk.take(answer.iter_bytes(1024), 2))

    assert LARGE[:2048] == check(Way(use), sdk, server, recordings)


@pytest.mark.parametrize("content", CONTENTS)
def test_a_files_content_replays_the_same_bytes(
    content: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Batch results are downloaded this way; verifying a checksum needs every byte."""

    def use(sdk: Colour) -> list[Any]:
        answer = sdk.call("files.content", CONTENTS[content])
        return [answer.content, answer.text, answer.encoding]

    check(Way(use), sdk, server, recordings)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("videos.download_content", ("video_1",)),
        ("containers.files.content.retrieve", ("cfile_1",)),
        ("files.content", ("file-large",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.filterwarnings("ignore:The Sora API is:DeprecationWarning")
def test_downloads_replay_the_same_bytes(
    name: str, args: tuple[str, ...], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Endpoints that give files have no row in the table of methods."""
    kwargs = {"container_id": "cntr_1"} if name.startswith("containers") else {}
    check(Way(lambda sdk: sdk.call(name, *args, **kwargs).content, name), sdk, server, recordings)


CONTENT = b"the content of an upload, which is nobody's business"
OTHER_CONTENT = b"the content of another one, which is not the first"
FORMS: dict[str, Callable[[Path, bytes], Any]] = {
    "bytes": lambda directory, content: content,
    "path": lambda directory, content: _written(directory, content),
    "open file": lambda directory, content: _written(directory, content).open("rb"),
    "BytesIO": lambda directory, content: io.BytesIO(content),
    "named BytesIO": lambda directory, content: _named(io.BytesIO(content)),
    "name and bytes": lambda directory, content: ("notes.txt", content),
    "name and BytesIO": lambda directory, content: ("notes.txt", io.BytesIO(content)),
    "name and path": lambda directory, content: ("notes.txt", _written(directory, content)),
    "name, bytes and media type": lambda directory, content: ("notes.txt", content, "text/x-notes"),
    "name, bytes, media type and headers": lambda directory, content: ("n.txt", content, "text/plain", {"X-Part": "1"}),
}
UPLOADS: dict[str, Callable[[Any], Use]] = {
    "files.create": lambda file: calling("files.create", file=file, purpose="assistants"),
    "audio.transcriptions.create": lambda file: calling("audio.transcriptions.create", file=file, model="whisper-1"),
    "images.edit": lambda file: calling("images.edit", image=file, prompt="a hat"),
    "uploads.parts.create": lambda file: calling("uploads.parts.create", "upload_1", data=file),
}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(("files.create", form) for form in FORMS),
        *((name, form) for name in list(UPLOADS)[1:] for form in ("path", "BytesIO", "name and bytes")),
    ],
)
def test_an_upload_replays_for_the_same_content_only(
    name: str, form: str, sdk: Colour, server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """An upload is identified by its content, which is not part of a file that is committed."""
    if form == "name and path" and int(openai.__version__.partition(".")[0]) < 3:
        pytest.skip(f"openai {openai.__version__} itself cannot send it")

    def use_of(content: bytes) -> Any:
        file = FORMS[form](tmp_path, content)
        try:
            return UPLOADS[name](file)(sdk)
        finally:
            if isinstance(file, io.IOBase):
                file.close()

    live = used(lambda sdk: use_of(CONTENT), sdk, server)
    with inference_recording("record", recordings) as recording:
        recorded = used(lambda sdk: use_of(CONTENT), sdk, server)
        use_of(OTHER_CONTENT)
    server.received.clear()
    with inference_recording("replay", recordings):
        replayed = use_of(CONTENT)
        use_of(OTHER_CONTENT)
        with pytest.raises(MissingRecording):
            use_of(CONTENT + b"!")

    assert 0 == server.count
    assert 2 == len({call.key for call in recording.recorded})
    assert [] == differences(live, recorded)
    assert [] == differences(stable(recorded), stable(replayed))
    for path in recordings.glob("*.json"):
        text = path.read_text()
        assert CONTENT.decode()[:20] not in text
        assert base64.b64encode(CONTENT).decode()[:20] not in text


@pytest.mark.parametrize("position", [0, 7])
def test_an_open_file_is_sent_whole_and_left_where_it_was_in_replay(
    position: int, sdk: Colour, server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """Reading the file to know it must not change what is sent."""
    _written(tmp_path, CONTENT)

    def use(sdk: Colour, content: bytes = CONTENT) -> Any:
        with _written(tmp_path, content).open("rb") as file:
            file.seek(position)
            answer = sdk.call("files.create", file=file, purpose="assistants")
            return [answer, file.tell()]

    live = used(use, sdk, server)
    with inference_recording("record", recordings):
        recorded = used(use, sdk, server)
    with inference_recording("replay", recordings):
        replayed, left_at = use(sdk)

    assert [] == differences(live, recorded)
    assert [] == differences(stable(recorded[0]), stable(replayed))
    assert position == left_at


def test_an_open_file_is_known_by_what_is_sent_of_it(
    sdk: Colour, server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """The HTTP library rewinds a file before it sends it, so what lies before its position counts too."""
    with inference_recording("record", recordings) as session:
        for content in (b"one" + CONTENT, b"two" + CONTENT):
            with _written(tmp_path, content).open("rb") as file:
                file.seek(3)
                sdk.call("files.create", file=file, purpose="assistants")
    sent = {
        asked.content.partition(b"\r\n\r\nassistants")[2][-400:].partition(CONTENT)[0][-3:] for asked in server.received
    }

    assert sent in ({b"one", b"two"}, {b"\r\n\r\n"[1:]})
    assert len(sent) == len({call.key for call in session.recorded})


class Pipe(io.RawIOBase):
    """A file that cannot be read twice."""

    def __init__(self, content: bytes) -> None:
        self._left = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def test_a_file_that_can_be_read_only_once_is_refused_by_name(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The SDK sends it; the error says what to pass instead."""
    with inference_recording("record", recordings), pytest.raises(UnrecordableCall):
        sdk.call("files.create", file=Pipe(CONTENT), purpose="assistants")

    assert 0 == server.count


def test_a_path_and_an_open_file_of_one_name_are_one_upload(
    sdk: Colour, server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """What is sent is the same, so the recording is."""
    path = _written(tmp_path, CONTENT)
    with inference_recording("record", recordings):
        recorded = sdk.call("files.create", file=path, purpose="assistants")
    with inference_recording("replay", recordings), path.open("rb") as file:
        replayed = [
            sdk.call("files.create", file=file, purpose="assistants"),
            sdk.call("files.create", file=("notes.txt", CONTENT), purpose="assistants"),
        ]

    for answer in replayed:
        assert [] == differences(stable(recorded), stable(answer))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("a.txt", CONTENT), ("b.txt", CONTENT)),
        (("a.txt", CONTENT, "text/plain"), ("a.txt", CONTENT, "text/html")),
    ],
    ids=["name", "media type"],
)
def test_uploads_that_differ_in_more_than_content_are_other_recordings(
    first: Any, second: Any, sdk: Colour, recordings: Path
) -> None:
    """The name says how the API reads the file."""
    with inference_recording("record", recordings):
        for file in (first, second):
            sdk.call("files.create", file=file, purpose="assistants")

    assert 2 == len(files_of(recordings))


FORMATS: dict[str, dict[str, Any]] = {
    "json": {},
    "json by name": {"response_format": "json"},
    "text": {"response_format": "text"},
    "srt": {"response_format": "srt"},
    "verbose": {"response_format": "verbose_json"},
    "streamed": {"stream": True},
}


@pytest.mark.parametrize("name", ["audio.transcriptions.create", "audio.translations.create"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_transcription_replays_in_each_format(
    form: str, name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Half of the formats are no JSON but text."""
    if form == "streamed" and "translations" in name:
        pytest.skip("translations have no stream")
    use = calling(name, model="whisper-1", file=("a.wav", b"sound"), **FORMATS[form])
    replayed = check(Way(use), sdk, server, recordings)

    assert form not in ("text", "srt") or isinstance(replayed, str)


IMAGES: dict[str, Way] = {
    "images.edit": Way(calling("images.edit", image=b"png", prompt="a hat")),
    "images.edit of several": Way(calling("images.edit", image=[b"one", ("b.png", b"two")], prompt="a hat")),
    "images.edit with mask": Way(calling("images.edit", image=b"one", mask=("m.png", b"two"), prompt="a hat")),
    "images.edit, streamed": Way(calling("images.edit", image=b"one", prompt="a hat", model="m", stream=True)),
    "images.create_variation": Way(calling("images.create_variation", image=b"png")),
    "images.generate": Way(calling("images.generate", prompt="a cat", model="gpt-image-1")),
    "images.generate of 600 KiB": Way(calling("images.generate", prompt="large", model="gpt-image-1")),
    "images.generate, streamed": Way(calling("images.generate", prompt="a cat", model="gpt-image-1", stream=True)),
}


@pytest.mark.parametrize("way", IMAGES.values(), ids=IMAGES)
def test_images_replay(way: Way, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Images come as base64 within JSON and go out as files."""
    check(way, sdk, server, recordings)


# openai 1 leaves the file open.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("form", ["path", "bytes"])
def test_an_upload_in_parts_replays(
    form: str, sdk: Colour, server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """Large files go out in parts that differ by their content alone."""
    file: Any = _written(tmp_path, CONTENT) if form == "path" else CONTENT
    kwargs: dict[str, Any] = {"mime_type": "text/plain", "purpose": "assistants", "part_size": 20}
    if form == "bytes":
        kwargs |= {"filename": "notes.txt", "bytes": len(CONTENT)}
    way = Way(calling("uploads.upload_file_chunked", file=file, **kwargs), "uploads.upload_file_chunked", 5)
    replayed = check(way, sdk, server, recordings)

    assert "completed" == replayed.status


def test_an_upload_in_parts_by_hand_replays(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Two parts of the same content are two parts."""

    def use(sdk: Colour) -> Any:
        upload = sdk.call("uploads.create", bytes=6, filename="n", mime_type="text/plain", purpose="assistants")
        parts = [sdk.call("uploads.parts.create", upload.id, data=b"abc") for _ in range(2)]
        done = sdk.call("uploads.complete", upload.id, part_ids=[part.id for part in parts])
        return [upload, *parts, done]

    skip_without(sdk, "uploads.parts")
    replayed = check(Way(use, requests=4), sdk, server, recordings)
    assert ["part_0", "part_1"] == [part.id for part in replayed[1:3]]


def _input(size: str) -> str:
    return "large" if size == "600 KiB" else "small"


def _written(directory: Path, content: bytes) -> Path:
    path = directory / "notes.txt"
    path.write_bytes(content)
    return path


def _named(file: io.BytesIO) -> io.BytesIO:
    file.name = "notes.txt"
    return file
