"""What failing calls leave in the directory of recordings, compared with what the rule says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording, llama_stack

from ...conftest import HELLO, AsyncColour, Colour, files_of
from ...sdk.ways.asking import plain, posted, raw, streamed
from ...support.openai_server import OpenAIServer, Reply, chunks, completion, error

pytestmark = pytest.mark.usefixtures("sessions_are_runs")

CHAT = "/v1/chat/completions"
NOWHERE = "http://127.0.0.1:9/v1"
MODES = ["record", "record-if-missing"]
STATUSES = [400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 425, 429, 451, 500, 502, 503, 504, 529]
PASSING = {401, 402, 403, 408, 409, 429, *range(500, 600)}


class Kind(NamedTuple):
    """A way for a call to fail."""

    is_about_the_request: bool
    reply: Reply | None = None
    """What the server answers; None where it is not reached."""
    ask: str = "plain"
    seconds: float = 10.0
    """How long the client waits."""


def stream_that_says(failure: dict[str, Any]) -> Reply:
    return Reply(events=[*chunks("so", "far")[:2], {"error": failure | {"message": "No."}}])


KINDS = {
    "400": Kind(True, error(400)),
    "404, raw": Kind(True, error(404), "raw"),
    "422, posted": Kind(True, error(422), "posted"),
    "401": Kind(False, error(401)),
    "403, raw": Kind(False, error(403), "raw"),
    "429": Kind(False, error(429)),
    "429, opening a stream": Kind(False, error(429), "streamed"),
    "500, posted": Kind(False, error(500), "posted"),
    "503, streaming response": Kind(False, error(503), "streaming response"),
    "refused": Kind(False),
    "refused, raw": Kind(False, ask="raw"),
    "timeout": Kind(False, Reply(completion(), delay_seconds=0.1), seconds=0.02),
    "cut stream": Kind(False, Reply(events=chunks("so", "far"), breaks=True), "streamed"),
    "cut stream, raw": Kind(False, Reply(events=chunks("so", "far"), breaks=True), "raw stream"),
    "error in a stream": Kind(True, stream_that_says({"code": "content_filter"}), "streamed"),
    "error in a stream, raw": Kind(True, stream_that_says({"code": "content_filter"}), "raw stream"),
    "overload in a stream": Kind(False, stream_that_says({"type": "server_error"}), "streamed"),
    "overload in a stream, raw": Kind(False, stream_that_says({"code": 429}), "raw stream"),
}


def raw_stream(sdk: Colour) -> Any:
    return sdk.items(sdk.wait(sdk.call("chat.completions.with_raw_response.create", **HELLO, stream=True).parse()))


def streaming_response(sdk: Colour) -> Any:
    if sdk.is_async:
        return sdk.wait(_read_async(sdk))
    with sdk.client.chat.completions.with_streaming_response.create(**HELLO) as response:
        return response.read()


async def _read_async(sdk: Colour) -> Any:
    async with sdk.client.chat.completions.with_streaming_response.create(**HELLO) as response:
        return await response.read()


ASK: dict[str, Callable[[Colour], Any]] = {
    "plain": plain,
    "streamed": streamed,
    "raw": raw,
    "raw stream": raw_stream,
    "posted": posted,
    "streaming response": streaming_response,
}


def answer(text: str, ask: str) -> Reply:
    return Reply(events=chunks(text)) if "stream" in ask and ask != "streaming response" else Reply(completion(text))


def states(directory: Path) -> dict[str, bytes]:
    """Return the recordings of a directory by position: "1", "2" …"""
    return {path.name[65:-5] or "1": path.read_bytes() for path in directory.glob("*.json")}


def content_of(content: bytes) -> str:
    """Return what a recording answers in a word: its text, or "failure"."""
    response = json.loads(content)["response"]
    if "exception_data" in response:
        return "failure"
    return next(text for text in ("old 1", "old 2", "old 3", "new 1", "new 2", "new 3") if text in content.decode())


def expected(*, kind: Kind, mode: str, record_errors: bool | None, failing: int, before: int) -> dict[str, str]:
    """Return what the directory holds after three calls of which one fails, by the rule alone."""
    held = {str(position): f"old {position}" for position in range(1, before + 1)}
    if before and mode == "record-if-missing":
        return held
    is_kept = kind.is_about_the_request if record_errors is None else record_errors
    position = 1
    for number in (1, 2, 3):
        if number != failing or is_kept:
            held[str(position)] = "failure" if number == failing else f"new {number}"
            position += 1
    return held


def cases() -> Iterator[Any]:
    """Yield every case of the rule; each kind of failure is quick once, and so is each other value, in turn."""
    colours = (Colour, AsyncColour)
    others = list(product((0, 3), MODES, (None, True, False)))
    for number, name in enumerate(KINDS):
        # 5 and 12 have no common divisor, so that twelve kinds take all of the others.
        quick = (*others[number * 5 % len(others)], colours[number // 2 % 2])
        for case in product((0, 3), MODES, (None, True, False), colours):
            before, mode, record_errors, colour = case
            case_id = f"{name}-{mode}-{record_errors}-{before} before-{'async' if colour.is_async else 'sync'}"
            yield pytest.param(name, *case, id=case_id, marks=() if case == quick else pytest.mark.slow)


@pytest.mark.parametrize(("name", "before", "mode", "record_errors", "make_sdk"), list(cases()), indirect=["make_sdk"])
def test_the_directory_holds_what_the_rule_says(
    name: str, before: int, mode: str, record_errors: bool | None, make_sdk: Callable[..., Colour],
    server: OpenAIServer, recordings: Path,
) -> None:  # fmt: skip
    """Kind of failure x recorded before or not x mode x record_errors x position in the series."""
    kind = KINDS[name]
    sdk, ask = make_sdk(), ASK[kind.ask]
    if sdk.is_async and name.endswith("in a stream, raw") and openai.__version__ < "2":
        pytest.skip("this SDK leaves the stream open, so that the next call takes the next position")
    failing_sdk = make_sdk(base_url=server.base_url if kind.reply else NOWHERE, timeout=kind.seconds)
    answers_from_before = before > 0 and mode == "record-if-missing"
    for failing in (1, 2, 3):
        directory = recordings / str(failing)
        with inference_recording("record", directory):
            for position in range(1, before + 1):
                server.answers(CHAT, answer(f"old {position}", kind.ask))
                ask(sdk)
        old = states(directory)
        with inference_recording(mode, directory, record_errors=record_errors) as session:
            for number in (1, 2, 3):
                server.answers(CHAT, answer(f"new {number}", kind.ask))
                if number == failing and not answers_from_before:
                    server.answers(CHAT, kind.reply or Reply(completion("never sent")))
                    with pytest.raises(Exception):  # noqa: B017, PT011 - the class is not what this is about
                        ask(failing_sdk)
                else:
                    ask(sdk)

        new = states(directory)
        rule = expected(kind=kind, mode=mode, record_errors=record_errors, failing=failing, before=before)
        assert rule == {position: content_of(content) for position, content in new.items()}
        untouched = {position for position, text in rule.items() if text.startswith("old")}
        assert {position: old[position] for position in untouched} == {
            position: new[position] for position in untouched
        }
        is_dropped = "failure" not in rule.values() and not answers_from_before
        assert int(is_dropped) == session.counts["dropped"] == len(session.dropped)


@pytest.mark.parametrize("statuses", [STATUSES, pytest.param(range(400, 600), marks=pytest.mark.slow)], ids=len)
@pytest.mark.parametrize("mode", MODES)
def test_every_status_is_recorded_or_dropped_by_the_rule(
    mode: str, statuses: list[int], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The SDK retries some, has classes for some, and knows nothing of others."""
    server.scripts[CHAT] = lambda asked, number: error(int(asked.json["model"]))
    with inference_recording(mode, recordings) as session:
        for status in statuses:
            with pytest.raises(openai.APIStatusError):
                sdk.call("chat.completions.create", **HELLO | {"model": str(status)})

    assert PASSING & set(statuses) == {int(call.model) for call in session.dropped}
    assert set(statuses) - PASSING == {int(call.model) for call in session.recorded}
    assert [f"{status} " for status in sorted(PASSING & set(statuses))] == [
        call.failure[:4] for call in session.dropped
    ]
    assert len(session.recorded) == len(files_of(recordings))


@pytest.mark.parametrize("is_retried", [False, True])
def test_a_call_dropped_in_the_middle_leaves_its_position_to_what_was_there_or_to_its_retry(
    is_retried: bool, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The others were under way already: only their own positions are new."""
    request = HELLO | {"stream": True}
    server.answers(CHAT, *(answer(f"old {position}", "streamed") for position in (1, 2, 3)))
    with inference_recording("record", recordings):
        for _ in range(3):
            streamed(sdk)
    old = states(recordings)
    cut = Reply(events=chunks("new 2"), breaks=True)
    server.answers(
        CHAT, answer("new 1", "streamed"), cut, answer("new 3", "streamed"), answer("new 2", "streamed")
    )  # fmt: skip
    with inference_recording("record", recordings) as session:
        streams = [sdk.call("chat.completions.create", **request) for _ in range(3)]
        with suppress(Exception):
            sdk.items(streams[1])
        if is_retried:
            streamed(sdk)
        for stream in (streams[0], streams[2]):
            sdk.items(stream)

    new = states(recordings)
    assert ["new 1", "new 2" if is_retried else "old 2", "new 3"] == [content_of(new[position]) for position in "123"]
    assert is_retried == (old["2"] != new["2"])
    assert {"recorded": 2 + is_retried, "dropped": 1} == session.counts
    assert 3 == len(new)


def test_a_retry_of_the_callers_own_takes_the_position_of_the_failed_call(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A loop around the call is how many handle rate limits; a replay meets none."""
    server.answers(CHAT, *map(Reply, map(completion, ["new 1", "-", "-", "new 2", "new 3"])))
    script = server.scripts[CHAT]
    server.scripts[CHAT] = lambda asked, number: error(429) if number in (1, 2) else script(asked, number)
    with inference_recording("record", recordings):
        for _ in range(3):
            while True:
                with suppress(openai.RateLimitError):
                    plain(sdk)
                    break

    assert ["new 1", "new 2", "new 3"] == [content_of(states(recordings)[position]) for position in "123"]


def test_a_dropped_call_keeps_the_other_series_of_its_test_whole(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Without its answer the code under test may have asked less than it usually does."""
    other = HELLO | {"model": "other"}
    with inference_recording("record", recordings):
        plain(sdk)
        for _ in range(3):
            sdk.call("chat.completions.create", **other)
    server.scripts[CHAT] = lambda asked, number: error(429) if asked.json["model"] == "gpt-4o" else Reply(completion())
    with inference_recording("record", recordings), suppress(openai.RateLimitError):
        sdk.call("chat.completions.create", **other)
        plain(sdk)

    assert 4 == len(files_of(recordings))


def test_a_stream_left_early_and_then_one_that_is_cut_keep_the_first(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Each is a call of its own: leaving is the consumer's choice, the cut is nobody's."""
    server.answers(CHAT, answer("new 1", "streamed"), Reply(events=chunks("new 2"), breaks=True))
    with inference_recording("record", recordings) as session:
        left = sdk.call("chat.completions.create", **HELLO, stream=True)
        sdk.take(left, 2)
        sdk.wait(left.close())
        with suppress(Exception):
            streamed(sdk)

    assert {"recorded": 1, "dropped": 1} == session.counts
    [content] = states(recordings).values()
    assert "new 1" == content_of(content)


def test_a_stream_read_on_after_its_session_and_cut_then_is_dropped(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """What the end of the session stored of it stays, as of a stream that was left there."""
    server.answers(CHAT, Reply(events=chunks("new 1"), breaks=True, pause_seconds=0.02))
    with inference_recording("record", recordings) as session:
        stream = sdk.call("chat.completions.create", **HELLO, stream=True)
        sdk.take(stream, 2)
    at_the_end = states(recordings)
    with pytest.raises(Exception):  # noqa: B017, PT011 - as above
        sdk.items(stream)

    assert at_the_end == states(recordings)
    assert {"recorded": 1, "dropped": 1} == session.counts


@pytest.mark.parametrize("record_errors", [None, True, False])
@pytest.mark.parametrize("ask", ["streamed", "raw stream"])
@pytest.mark.parametrize("code", ["server_error", "content_filter"])
def test_an_error_event_that_names_its_type_goes_by_the_rule(
    code: str, ask: str, record_errors: bool | None, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Gateways send it so, and the SDK raises it, however the stream was opened."""
    server.answers(CHAT, answer("old 1", ask))
    with inference_recording("record", recordings):
        ASK[ask](sdk)
    old = states(recordings)
    event = {"type": "error", "error": {"code": code, "message": "No."}}
    server.answers(CHAT, Reply(events=[*chunks("new 1")[:2], event]))
    with inference_recording("record", recordings, record_errors=record_errors) as session:
        with pytest.raises(openai.APIError) as raised:
            ASK[ask](sdk)

    is_kept = code == "content_filter" if record_errors is None else record_errors
    assert {"recorded" if is_kept else "dropped": 1} == session.counts
    assert ["APIError"] == [call.failure for call in (*session.recorded, *session.dropped)]
    assert is_kept == (old != states(recordings))
    if is_kept:
        with inference_recording("replay", recordings), pytest.raises(openai.APIError) as replayed:
            ASK[ask](sdk)
        assert (str(raised.value), raised.value.body) == (str(replayed.value), replayed.value.body)


@pytest.mark.parametrize("record_errors", [None, True])
def test_a_failure_in_bytes_still_being_read_at_the_end_of_the_session_goes_by_the_rule(
    record_errors: bool | None, client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """The server has answered, and nobody has read to the end."""
    overload = [*chunks("so")[:1], {"error": {"code": 503, "message": "No."}}, *chunks("never read")]
    server.answers(CHAT, Reply(events=overload, pause_seconds=0.05))
    request = HELLO | {"stream": True}
    with ExitStack() as stack:
        with inference_recording("record", recordings, record_errors=record_errors) as session:
            opened = client.chat.completions.with_streaming_response.create(**request)
            lines = stack.enter_context(opened).iter_lines()
            next(line for line in lines if "error" in line)

    assert {"recorded" if record_errors else "dropped": 1} == session.counts
    assert int(bool(record_errors)) == len(files_of(recordings))


@pytest.mark.parametrize("record_errors", [None, True, False])
@pytest.mark.parametrize("mode", MODES)
def test_a_failure_takes_a_list_of_models_away_only_if_all_are_recorded(
    mode: str, record_errors: bool | None, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """One revoked key, and the list was gone."""
    with inference_recording("record", recordings):
        sdk.call("models.list")
    before = {path.name: path.read_bytes() for path in recordings.glob("*.json")}
    server.answers("/v1/models", error(401))
    with inference_recording(mode, recordings, record_errors=record_errors), suppress(openai.AuthenticationError):
        sdk.call("models.list")

    is_replaced = mode == "record" and record_errors is True
    after = {path.name: path.read_bytes() for path in recordings.glob("*.json")}
    assert is_replaced == (before != after)
    assert 1 == len(after)


@pytest.mark.parametrize("mode", MODES)
def test_an_upload_a_page_and_a_binary_answer_go_by_the_same_rule(
    mode: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """They are requests of the client that no method of the table makes."""
    calls: dict[str, Callable[[], Any]] = {
        "/v1/files": lambda: sdk.call("files.create", file=("a.txt", b"abc"), purpose="assistants"),
        "/v1/fine_tuning/jobs": lambda: sdk.items(sdk.call("fine_tuning.jobs.list")),
        "/v1/audio/speech": lambda: sdk.call("audio.speech.create", model="tts-1", voice="alloy", input="Hi"),
    }
    for status in (401, 400):
        with inference_recording(mode, recordings) as session:
            for path, call in calls.items():
                server.answers(path, error(status))
                with pytest.raises(openai.APIStatusError):
                    call()
        assert {"recorded" if status == 400 else "dropped": 3} == session.counts

    assert 3 == len(files_of(recordings))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["401", "429", "refused", "timeout", "cut stream", "400"])
def test_llama_stacks_recorder_records_every_failure(
    name: str, mode: str, make_sdk: Callable[..., Colour], server: OpenAIServer, recordings: Path
) -> None:
    """As it always did: its suites replay them."""
    kind = KINDS[name]
    server.answers(CHAT, kind.reply or Reply(completion("never sent")))
    sdk = make_sdk(base_url=server.base_url if kind.reply else NOWHERE, timeout=kind.seconds)
    with llama_stack.inference_recording(mode, recordings) as session:
        with pytest.raises(Exception):  # noqa: B017, PT011 - as above
            ASK[kind.ask](sdk)
    assert {"recorded": 1} == session.counts

    with llama_stack.inference_recording(mode, recordings / "none", record_errors=False) as session:
        with pytest.raises(Exception):  # noqa: B017, PT011 - as above
            ASK[kind.ask](sdk)
    assert {"dropped": 1} == session.counts


async def test_those_who_wait_for_a_call_that_is_dropped_ask_themselves(server: OpenAIServer, recordings: Path) -> None:
    """One worker's lost connection says nothing about theirs."""
    server.answers(CHAT, error(401), Reply(completion("new 1")))
    first = server.scripts[CHAT]
    server.scripts[CHAT] = lambda asked, number: Reply(**vars(first(asked, number)) | {"delay_seconds": 0.05})
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x", max_retries=0) as client:
        with inference_recording("record-if-missing", recordings) as session:
            outcomes = await asyncio.gather(
                *(client.chat.completions.create(**HELLO) for _ in range(3)), return_exceptions=True
            )

    assert 1 == sum(isinstance(outcome, openai.AuthenticationError) for outcome in outcomes)
    assert {"dropped": 1, "recorded": 1, "replayed": 1} == session.counts
    assert 2 == server.count


@pytest.mark.parametrize("record_errors", [None, True])
@pytest.mark.parametrize("kind", [ConnectionResetError, TimeoutError])
def test_a_connection_lost_below_the_http_library_is_one_too(
    kind: type[Exception], record_errors: bool | None, client: openai.OpenAI, recordings: Path
) -> None:
    """A mock, or a transport of the caller's own, raises Python's own errors in the middle of a stream."""

    class Lost(kind):  # type: ignore[misc, valid-type]
        pass

    def create(*args: Any, **kwargs: Any) -> Any:
        yield openai.types.chat.ChatCompletionChunk.model_validate(chunks("so")[1])
        raise Lost("gone")

    request = HELLO | {"stream": True}
    with patch("openai.resources.chat.completions.Completions.create", side_effect=create):
        with inference_recording("record", recordings, record_errors=record_errors) as session:
            with pytest.raises(Lost):
                list(client.chat.completions.create(**request))
    assert {"recorded" if record_errors else "dropped": 1} == session.counts
    assert [kind.__name__] == [call.failure for call in (*session.recorded, *session.dropped)]

    with inference_recording("replay", recordings), pytest.raises(kind if record_errors else MissingRecording):
        list(client.chat.completions.create(**request))
