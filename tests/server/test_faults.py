"""What may go wrong while a server records: nothing is lost or torn, nothing leaks, and its clients learn of it."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from inference_recorder import UnusableDirectory, UnwritableRecording, inference_recording
from inference_recorder.recording.codec import decode_thoroughly
from inference_recorder.server import running as server_running
from inference_recorder.server import upstream as server_upstream
from inference_recorder.server.app import RecordingServer
from inference_recorder.server.paths import prefix
from inference_recorder.server.running import serving
from inference_recorder.server.upstream import BaseUrls

from ..conftest import HELLO, files_of
from ..robustness.test_writing import no_file_longer_than
from ..support.openai_server import OpenAIServer, Reply, chunks, completion, error
from .process import server_process
from .served import CHAT, STREAMED, answered, connected, request_bytes, served

pytestmark = pytest.mark.usefixtures("without_plugin")

WORDS = [f"word{number} " for number in range(20)]


def streamed_slowly(seconds: float = 1.0, **changes: Any) -> Reply:
    return Reply(events=chunks(*WORDS), pause_seconds=seconds / len(WORDS), **changes)


def first_part(url: str, body: dict[str, Any] = STREAMED) -> bytes:
    """Return the beginning of a stream, whose client leaves then."""
    with httpx.stream("POST", url + CHAT, json=body, timeout=30) as response:
        return next(response.iter_raw())


def words_of(recording: Path) -> tuple[list[str], bool]:
    """Return the words of a recorded stream, and whether it is complete."""
    response = json.loads(recording.read_text())["response"]
    choices = [chunk["__data__"]["choices"] for chunk in response["body"]]
    words = [choice[0]["delta"].get("content") for choice in choices if choice]
    return [word for word in words if word], response.get("is_complete", True)


def test_what_its_client_left_is_recorded_to_its_end(server: OpenAIServer, recordings: Path) -> None:
    """A test that has seen enough leaves its stream; the answer is paid for, and the next test may read on."""
    server.answers(CHAT, streamed_slowly(0.2))
    with served("record", recordings, server.base_url) as running:
        part = first_part(running.url)

    assert part
    [recording] = recordings.glob("*.json")
    assert (WORDS, True) == words_of(recording)
    assert [] == running.reports


@pytest.mark.slow
def test_a_text_about_the_end_of_streams_does_not_hold_up_its_stream(server: OpenAIServer, recordings: Path) -> None:
    """The end of a stream waits until it is stored; a model that explains SSE writes of it in the middle."""
    words = ["[DONE]", "data: [DONE]", "event: message_stop", '"response.completed"', "then "] + ["more "] * 40
    server.answers(CHAT, Reply(events=chunks(*words), pause_seconds=0.1))
    with served("record", recordings, server.base_url) as running:
        with httpx.stream("POST", running.url + CHAT, json=STREAMED, timeout=30) as response:
            begun, content, parts = time.monotonic(), b"", response.iter_raw()
            while b"then " not in content:
                content += next(parts)
            seconds = time.monotonic() - begun

    assert b"more " not in content
    assert seconds < 3  # of more than four


@pytest.mark.slow
def test_an_answer_that_comes_after_its_client_has_left_is_recorded(server: OpenAIServer, recordings: Path) -> None:
    """A client with a short timeout tries again, and finds the answer then."""
    server.answers(CHAT, Reply(completion("Late."), delay_seconds=0.5))
    with served("record-if-missing", recordings, server.base_url) as running:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(running.url + CHAT, json=HELLO, timeout=0.1)
        again = httpx.post(running.url + CHAT, json=HELLO, timeout=30)

    assert "Late." == again.json()["choices"][0]["message"]["content"]
    assert 1 == server.count == len(files_of(recordings))


@pytest.mark.slow
class TestEndings:
    """A server that ends while it records."""

    def test_a_killed_server_leaves_whole_recordings_and_no_lock(
        self, server: OpenAIServer, recordings: Path, tmp_path: Path
    ) -> None:
        """CI jobs are cancelled; what they leave is used by the next run."""
        ready_file, chance, before = tmp_path / "ready", random.Random(1), dict[str, bytes]()
        for number in range(4):
            server.answers(CHAT, Reply(completion(f"Answer {number}")))
            with server_process(recordings, "record", server.base_url, ready_file=ready_file) as process:
                url = process.url + prefix(test_id=f"test {number}")
                assert 200 == httpx.post(url + CHAT, json=HELLO).status_code
                server.answers(CHAT, streamed_slowly(3), streamed_slowly(0), Reply(completion("x" * 100_000)))
                first_part(url)
                more = threading.Thread(target=_ask_until_it_ends, args=(url,))
                more.start()
                more.join(chance.uniform(0, 0.3))
                process.kill()
                more.join(60)
            for path in recordings.glob("*.json"):
                decode_thoroughly(path.read_bytes(), str(path))
            assert before == {name: (recordings / name).read_bytes() for name in before}
            before = {path.name: path.read_bytes() for path in recordings.glob("*.json")}

        server.answers(CHAT, streamed_slowly(0))
        count = server.count
        with served("record-if-missing", recordings, server.base_url) as running:
            url = running.url + prefix(test_id="test 0")
            texts = [httpx.post(url + CHAT, json=body, timeout=4).text for body in (HELLO, STREAMED)]

        assert "Answer 0" in texts[0]
        assert "[DONE]" in texts[1]
        assert count + 1 >= server.count
        assert [] == list(recordings.glob(".*.tmp"))

    @pytest.mark.parametrize("leaves", [True, False], ids=["its client left", "its client reads on"])
    def test_a_stream_that_is_being_recorded_is_finished_before_the_server_ends(
        self, leaves: bool, server: OpenAIServer, recordings: Path, tmp_path: Path
    ) -> None:
        """`docker stop` and the end of a pytest run send SIGTERM, perhaps while an answer arrives."""
        server.answers(CHAT, streamed_slowly())
        with server_process(recordings, "record", server.base_url, ready_file=tmp_path / "ready") as process:
            with httpx.stream("POST", process.url + CHAT, json=STREAMED, timeout=30) as response:
                parts = response.iter_raw()
                content = next(parts)
                if not leaves:
                    process.process.terminate()
                    content += b"".join(parts)
            output = process.end()

        [recording] = recordings.glob("*.json")
        assert (WORDS, True) == words_of(recording)
        assert leaves or content.endswith(b"data: [DONE]\n\n")
        assert "recordings: 1 recorded\n" == output.splitlines(keepends=True)[-1]

    def test_of_a_stream_that_takes_too_long_at_the_end_what_has_arrived_is_recorded(
        self, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A model that thinks for minutes must not hold up the end of a run; a replay says what is missing."""
        monkeypatch.setattr(server_running, "GRACE_SECONDS", 0.5)
        server.answers(CHAT, streamed_slowly(30))
        with served("record", recordings, server.base_url) as running:
            first_part(running.url)
        with served("replay", recordings, server.base_url) as running:
            replayed = httpx.post(running.url + CHAT, json=STREAMED)

        [recording] = recordings.glob("*.json")
        words, is_complete = words_of(recording)
        assert (WORDS[: len(words)], False) == (words, is_complete)
        assert "event: error\n" in replayed.text
        assert ["IncompleteRecording"] == [type(reported).__name__ for _, reported in running.reports]

    def test_a_client_that_reads_nothing_is_cut_off_at_the_end(
        self, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would wait for the rest for ever, and its socket would stay open in the process that runs the tests."""
        monkeypatch.setattr(server_running, "GRACE_SECONDS", 0.5)
        server.answers(CHAT, Reply(events=chunks(*["word " * 10_000] * 400)))
        with served("record", recordings, server.base_url) as running:
            connection = connected(running.url)
            connection.sendall(request_bytes(body=json.dumps(STREAMED).encode()))
            assert b"HTTP/1.1 200" == connection.recv(12)
        with connection, suppress(ConnectionResetError):
            while connection.recv(1 << 20):
                pass

        [recording] = recordings.glob("*.json")
        assert not words_of(recording)[1]

    @pytest.mark.parametrize("mode", ["record", "record-if-missing", "replay"])
    def test_a_request_after_the_session_is_refused(self, mode: str, server: OpenAIServer, recordings: Path) -> None:
        """A task that outlives its test must not spend money, nor be answered as another test."""
        app = RecordingServer(BaseUrls(server.base_url))
        with serving(app) as url:
            before = httpx.post(url + CHAT, json=HELLO)
            with inference_recording("record", recordings):
                during = httpx.post(url + CHAT, json=HELLO)
            with inference_recording(mode, recordings):
                pass
            after = [httpx.post(url + CHAT, json=body) for body in (HELLO, STREAMED)]

        assert [422, 200, 422, 422] == [response.status_code for response in (before, during, *after)]
        assert {"false"} == {response.headers["x-should-retry"] for response in after}
        assert 1 == server.count == len(files_of(recordings))


def _ask_until_it_ends(url: str) -> None:
    try:
        for _ in range(1000):
            httpx.post(url + CHAT, json=STREAMED, timeout=30)
            httpx.post(url + CHAT, json=HELLO, timeout=30)
    except httpx.TransportError:
        pass


@pytest.mark.slow
class TestUpstream:
    """The servers of the models fail."""

    def test_a_stream_that_breaks_is_cut_for_the_client_and_not_recorded(
        self, server: OpenAIServer, recordings: Path
    ) -> None:
        """A reader must not take half an answer for a whole one."""
        server.answers(CHAT, Reply(events=chunks("Hel", "lo"), breaks=True), Reply(events=chunks("Whole")))
        with served("record-if-missing", recordings, server.base_url) as running:
            content = _cut_stream(running.url)
            nothing = files_of(recordings)
            again = httpx.post(running.url + CHAT, json=STREAMED)

        assert b"Hel" in content
        assert b"[DONE]" not in content
        assert [] == nothing
        assert "Whole" in again.text
        assert {"dropped": 1, "recorded": 1} == running.session.counts

    def test_a_broken_stream_that_is_recorded_breaks_again(self, server: OpenAIServer, recordings: Path) -> None:
        """Code that goes on after a cut connection is tested offline with `record_errors`."""
        server.answers(CHAT, Reply(events=chunks("Hel", "lo"), breaks=True))
        with served("record", recordings, server.base_url, session={"record_errors": True}) as running:
            live = _cut_stream(running.url)
        with served("replay", recordings, server.base_url) as running:
            replayed = _cut_stream(running.url)

        assert _stable(live) == _stable(replayed)
        assert 1 == server.count == len(files_of(recordings))

    @pytest.mark.parametrize("status", [502, 504])
    def test_a_server_that_does_not_answer_may_be_asked_again(
        self, status: int, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The client retries as it would without us, and nothing of it is recorded."""
        monkeypatch.setattr(server_upstream, "TIMEOUT", httpx.Timeout(0.2))
        server.answers(CHAT, Reply(completion("Late."), delay_seconds=1))
        base_url = server.base_url if status == 504 else "http://127.0.0.1:9/v1"
        with served("record", recordings, base_url) as running:
            response = httpx.post(running.url + CHAT, json=HELLO)
            client = openai.OpenAI(base_url=running.url + "/v1", api_key="sk-test", max_retries=1)
            with closing(client), pytest.raises(openai.InternalServerError) as caught:
                client.chat.completions.create(**HELLO)

        assert (status, status) == (response.status_code, caught.value.status_code)
        assert "x-should-retry" not in response.headers
        assert {"dropped": 3} == running.session.counts
        assert [] == files_of(recordings)

    def test_a_refused_connection_that_is_recorded_is_cut_again(self, recordings: Path) -> None:
        """A replay cannot refuse a connection that stands; the client sees a lost one."""
        with served("record", recordings, "http://127.0.0.1:9/v1", session={"record_errors": True}) as running:
            live = httpx.post(running.url + CHAT, json=HELLO)
        with served("replay", recordings, "http://127.0.0.1:9/v1") as running:
            replayed = answered(running.url, request_bytes())
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.post(running.url + CHAT, json=HELLO)

        assert 502 == live.status_code
        assert b"" == replayed[1]

    def test_an_error_passes_unchanged(self, server: OpenAIServer, recordings: Path) -> None:
        """Clients read the code and the headers of an error, to wait as long as these say."""
        limited = error(429, "Slow down.", code="rate_limit")
        limited.headers |= {"retry-after": "7", "x-should-retry": "true"}
        server.answers(CHAT, limited)
        with served("record", recordings, server.base_url) as running:
            response = httpx.post(running.url + CHAT, json=HELLO)

        assert (429, "7", "true") == (
            response.status_code, response.headers["retry-after"], response.headers["x-should-retry"],
        )  # fmt: skip
        assert limited.json == response.json()
        assert [] == files_of(recordings)


def _cut_stream(url: str) -> bytes:
    content = b""
    with pytest.raises(httpx.RemoteProtocolError):
        with httpx.stream("POST", url + CHAT, json=STREAMED) as response:
            for part in response.iter_raw():
                content += part
    return content


def _stable(events: bytes) -> list[Any]:
    """Return the chunks of a stream without what a recording normalizes."""
    lines = [json.loads(line.removeprefix(b"data: ")) for line in events.split(b"\n\n") if line]
    return [line | {"id": "", "created": 0} for line in lines]


@pytest.mark.slow
class TestDisks:
    """The answer is paid for, whatever becomes of its file."""

    @pytest.mark.parametrize("body", [HELLO, STREAMED], ids=["plain", "streamed"])
    def test_an_answer_that_the_disk_has_no_room_for_reaches_its_client(
        self, body: dict[str, Any], server: OpenAIServer, recordings: Path
    ) -> None:
        """The error is the test run's to report; the earlier recording stays."""
        server.answers(CHAT, Reply(events=chunks("Old")) if body.get("stream") else Reply(completion("Old")))
        with served("record", recordings, server.base_url) as running:
            httpx.post(running.url + CHAT, json=body)
        before = {path.name: path.read_bytes() for path in recordings.glob("*.json")}
        server.answers(CHAT, Reply(events=chunks("New")) if body.get("stream") else Reply(completion("New")))
        with served("record", recordings, server.base_url) as running:
            with no_file_longer_than(100):
                response = httpx.post(running.url + CHAT, json=body)

        assert (200, True) == (response.status_code, "New" in response.text)
        assert not body.get("stream") or response.text.endswith("data: [DONE]\n\n")
        assert [UnwritableRecording] == [type(reported) for _, reported in running.reports]
        assert before == {path.name: path.read_bytes() for path in recordings.glob("*.json")}

    @pytest.mark.parametrize("body", [HELLO, STREAMED], ids=["plain", "streamed"])
    def test_a_directory_that_cannot_be_written_any_more_is_reported(
        self, body: dict[str, Any], server: OpenAIServer, recordings: Path
    ) -> None:
        """A clean-up step may remove it, or a volume may be mounted over it."""
        with served("record", recordings, server.base_url) as running:
            recordings.write_text("in its place")
            response = httpx.post(running.url + CHAT, json=body)
        recordings.unlink()
        with served("record-if-missing", recordings, server.base_url) as refusing:
            recordings.write_text("in its place")
            refused = httpx.post(refusing.url + CHAT, json=body)

        assert (200, 422) == (response.status_code, refused.status_code)
        assert str(recordings) in refused.json()["error"]["message"]
        assert [UnwritableRecording] == [type(reported) for _, reported in running.reports]
        assert [UnusableDirectory] == [type(reported) for _, reported in refusing.reports]
        assert 1 == server.count


@contextmanager
def bytes_server(answer: bytes) -> Iterator[str]:
    """Answer each request with these bytes, then close the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(60)


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{",
        b"\x00\x01\x02 no HTTP\r\n\r\n",
    ],
    ids=["nothing", "half a body", "half a chunk", "no HTTP"],
)
def test_an_answer_that_breaks_off_is_a_bad_gateway(answer: bytes, recordings: Path) -> None:
    """Half an answer is none: the client may try again, and a replay has nothing to give."""
    with bytes_server(answer) as base_url, served("record", recordings, base_url) as running:
        response = httpx.post(running.url + CHAT, json=HELLO)

    assert 502 == response.status_code
    assert "x-should-retry" not in response.headers
    assert [] == files_of(recordings)
