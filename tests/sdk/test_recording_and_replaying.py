"""The main job over real HTTP: what was recorded is replayed, equal, with nothing sent."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock, patch

import openai
import pytest
from openai.types.chat import ChatCompletion

from inference_recorder import (
    CorruptRecording,
    IncompleteRecording,
    MissingRecording,
    UnknownMode,
    UnusableDirectory,
    UnwritableRecording,
    inference_recording,
)
from inference_recorder.recording.stability import renamed_ids

from ..conftest import HELLO, Colour, files_of
from ..support.differences import differences, stable
from ..support.example_calls import EXAMPLES, ROWS, case, plain_calls
from ..support.openai_server import OpenAIServer, Reply, chunks, completion, error, response

CALLS: dict[str, tuple[str, dict[str, Any]]] = plain_calls() | {
    "chat streamed": ("chat.completions.create", HELLO | {"stream": True, "stream_options": {"include_usage": True}}),
    "completions streamed": ("completions.create", {"model": "m", "prompt": "Say hi", "stream": True}),
    "embeddings in base64": ("embeddings.create", {"model": "m", "input": "a", "encoding_format": "base64"}),
    "responses streamed": ("responses.create", {"model": "gpt-4o", "input": "Say hello.", "stream": True}),
}


@pytest.mark.parametrize("name", ROWS)
def test_every_method_of_the_table_has_example_arguments(name: str) -> None:
    """The tests of all ways of calling take their calls from there."""
    assert name in EXAMPLES, f"add arguments of {name} to EXAMPLES in tests/support/example_calls.py"


@pytest.mark.parametrize(("name", "kwargs"), [case(call[0], *call, case_id=name) for name, call in CALLS.items()])
def test_every_method_of_the_table_replays_what_was_answered(
    name: str, kwargs: dict[str, Any], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The promise of the product, in one test: live, recorded and replayed answers are the same objects."""
    live = _answer(sdk, name, kwargs)
    with inference_recording("record", recordings) as recording:
        recorded = _answer(sdk, name, kwargs)
    asked = server.count
    with inference_recording("replay", recordings) as replaying:
        replayed = _answer(sdk, name, kwargs)

    assert asked == server.count == 2
    assert {"recorded": 1} == recording.counts
    assert {"replayed": 1} == replaying.counts
    assert [] == differences(stable(recorded), stable(replayed))
    assert [type(item) for item in live] == [type(item) for item in replayed]


def test_a_model_list_replays_as_pages_and_as_an_iterator(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Apps await the page or iterate over it; llama-stack's recorder could only be iterated."""
    with inference_recording("record", recordings):
        recorded = sdk.call("models.list")
    with inference_recording("replay", recordings):
        replayed = sdk.call("models.list")
        items = sdk.items(sdk.client.models.list())

    assert 1 == server.count
    assert [] == differences(recorded.data, replayed.data)
    assert type(recorded) is type(replayed)
    assert ["gpt-4o", "gpt-4o-mini"] == [model.id for model in items]
    assert not replayed.has_next_page()
    [name] = files_of(recordings)
    assert name.startswith("models-")


def test_a_streamed_answer_is_a_real_stream_in_both_modes(sdk: Colour, recordings: Path) -> None:
    """Frameworks check the class, use it as a context manager and read `.response`."""
    kind = openai.AsyncStream if sdk.is_async else openai.Stream
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings):
            stream = sdk.call("chat.completions.create", **HELLO, stream=True)
            text = "".join(_text(item) for item in sdk.items(stream))

        assert kind is type(stream)
        assert "Hello!" == text
        assert 200 == stream.response.status_code
        assert "text/event-stream" in stream.response.headers["content-type"]
        assert stream.response.is_closed


def test_a_missing_recording_is_an_error_and_nothing_is_sent(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A test that reaches the network in CI costs money or hangs; this one must say what to do instead."""
    with inference_recording("replay", recordings, test_id="tests/a.py::b") as session:
        with pytest.raises(RuntimeError, match=r"^Recording not found") as caught:
            sdk.call("chat.completions.create", **HELLO)

    assert isinstance(caught.value, MissingRecording)
    assert 0 == server.count
    assert {"missed": 1} == session.counts
    assert "tests/a.py::b" in str(caught.value)
    assert "/v1/chat/completions (model gpt-4o)" in str(caught.value)
    assert str(recordings) in str(caught.value)
    assert "record-if-missing" in str(caught.value)


def test_repeated_requests_replay_in_their_order_and_then_the_last(sdk: Colour, recordings: Path) -> None:
    """A loop that asks the same thing until the answer changes must end in replay too."""
    with inference_recording("record", recordings):
        recorded = [_content(sdk) for _ in range(3)]
    with inference_recording("replay", recordings):
        replayed = [_content(sdk) for _ in range(5)]

    assert ["Hello 0!", "Hello 1!", "Hello 2!"] == recorded
    assert [*recorded, "Hello 2!", "Hello 2!"] == replayed
    assert 3 == len(files_of(recordings))


@pytest.mark.usefixtures("sessions_are_runs")
def test_recording_again_replaces_the_whole_series(sdk: Colour, recordings: Path) -> None:
    """A row that kept an old third answer would replay a mixture of two days."""
    with inference_recording("record", recordings):
        for _ in range(3):
            _content(sdk)
    with inference_recording("record", recordings):
        last = _content(sdk)

    assert 1 == len(files_of(recordings))
    with inference_recording("replay", recordings):
        assert last == _content(sdk)


@pytest.mark.usefixtures("sessions_are_runs")
@pytest.mark.parametrize("is_there_before", [False, True], ids=["fresh", "an older row"])
async def test_a_call_given_up_leaves_no_gap_in_its_series(
    is_there_before: bool, server: OpenAIServer, recordings: Path
) -> None:
    """Hedged requests cancel the slower one; the answer that won was stored where nobody looked."""
    winner = Reply(completion("the winner"))
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x", max_retries=0) as client:
        if is_there_before:
            with inference_recording("record", recordings):
                for _ in range(3):
                    await client.chat.completions.create(**HELLO)
        server.answers("/v1/chat/completions", Reply(completion("slow"), delay_seconds=5), winner)
        with inference_recording("record", recordings):
            slow = asyncio.create_task(client.chat.completions.create(**HELLO))
            await asyncio.sleep(0.1)
            await client.chat.completions.create(**HELLO)
            slow.cancel()
            await asyncio.wait([slow])
        with inference_recording("replay", recordings):
            answer = await client.chat.completions.create(**HELLO)

    assert "the winner" == answer.choices[0].message.content
    assert 1 == len(files_of(recordings))


async def test_a_place_that_was_given_up_is_asked_for_once_more(server: OpenAIServer, recordings: Path) -> None:
    """Who waited for an answer that failed asks itself; a later call is a new question again."""
    server.answers(
        "/v1/chat/completions",
        Reply({"error": {}}, status=500, delay_seconds=0.2),
        *(Reply(completion(text)) for text in ("one", "two", "three")),
    )
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x", max_retries=0) as client:
        with inference_recording("record-if-missing", recordings):
            calls = (client.chat.completions.create(**HELLO) for _ in range(2))
            answers = await asyncio.gather(*calls, return_exceptions=True)
            later = [(await client.chat.completions.create(**HELLO)).choices[0].message.content for _ in range(2)]

    assert [openai.InternalServerError, ChatCompletion] == [type(answer) for answer in answers]
    assert ["two", "three"] == later


def test_every_error_crosses_a_process_boundary(recordings: Path) -> None:
    """A worker of a multiprocessing pool that missed a recording made its caller wait for ever."""
    errors: list[Exception] = [
        MissingRecording(key="a" * 64, summary="POST /v1/x", test_id=None, looked_in=[recordings]),
        CorruptRecording(recordings / "a.json", "it is empty"),
        IncompleteRecording(recordings / "a.json", 3),
        UnwritableRecording(recordings / "a.json", "no space"),
        UnknownMode("rekord", "mode", ["live"]),
        UnusableDirectory(recordings, "it is a file"),
    ]
    for one in errors:
        copy = pickle.loads(pickle.dumps(one))

        assert (type(one), str(one), vars(one)) == (type(copy), str(copy), vars(copy))


@pytest.mark.parametrize("made_of", [list, tuple, iter])
def test_chunks_that_a_mock_returns_at_once_are_a_stream_too(
    made_of: Any, client: openai.OpenAI, recordings: Path
) -> None:
    """Mocks return a list of chunks as readily as a generator."""
    items = [openai.types.chat.ChatCompletionChunk.model_validate(item) for item in chunks("one", "two")]
    client.chat.completions._post = Mock(return_value=made_of(items))  # type: ignore[method-assign]
    texts = []
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings):
            texts.append("".join(_text(item) for item in client.chat.completions.create(**HELLO, stream=True)))

    assert ["onetwo", "onetwo"] == texts


def test_a_replayed_failure_names_its_file(client: openai.OpenAI, server: OpenAIServer, recordings: Path) -> None:
    """ "Connection error." in a replay reads as if it had tried the network."""
    server.answers("/v1/chat/completions", error(400))
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings), pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**HELLO)

    if sys.version_info >= (3, 11):
        [path] = recordings.glob("*.json")
        assert [f"replayed by inference_recorder from {path}"] == caught.value.__notes__


def test_a_boolean_that_became_a_number_is_a_new_recording() -> None:
    """Python takes 1 and True for equal; the SDK's types do not."""
    assert {} == renamed_ids(b'{"response": {"body": 1}}', b'{"response":{"body":1}}')
    for other in (b"true", b"1.0", b"null"):
        assert renamed_ids(b'{"response": {"body": 1}}', b'{"response": {"body": ' + other + b"}}") is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"id": "resp_000001"}, {"id": "resp_000002"}, {"resp_000002": "resp_000001"}),
        ({"call_id": "call_abcdef"}, {"call_id": "call_ghijkl"}, {"call_ghijkl": "call_abcdef"}),
        ({"id": "resp_000001", "text": "a"}, {"id": "resp_000002", "text": "b"}, None),
        ({"a": [{"id": "m_000001"}, {"id": "m_000001"}]}, {"a": [{"id": "m_000002"}, {"id": "m_000003"}]}, None),
        ({"a": [{"id": "m_000001"}, {"id": "m_000002"}]}, {"a": [{"id": "m_000003"}, {"id": "m_000003"}]}, None),
        ({"id": "resp_000001"}, {"id": "msg_000002"}, None),
        ({"model": "gpt_000001"}, {"model": "gpt_000002"}, None),
        ({"id": "resp_000001"}, {"id": None}, None),
        ({"obfuscation": "aX"}, {"obfuscation": "bY9"}, {}),
        ({"response": {"created_at": 1764000000.0}}, {"response": {"created_at": 1764000007.0}}, {}),
        ({"expires_at": 1764000000}, {"expires_at": 1764000007}, {}),
        ({"expires_at": 1764000000}, {"expires_at": None}, None),
        ({"expires_at": 60}, {"expires_at": 1764000007}, None),
        ({"total": 1764000000}, {"total": 1764000007}, None),
    ],
    ids=[
        "an id", "a call's id", "another text", "one became two", "two became one", "another kind",
        "no id", "null", "padding", "a time", "another time", "no time yet", "a span", "a number",
    ],
)  # fmt: skip
def test_which_differences_are_only_new_ids(old: Any, new: Any, expected: dict[str, str] | None) -> None:
    """Ids are kept, since a later request may name them; if they are merely new, that is not a change."""
    assert expected == renamed_ids(json.dumps(old).encode(), json.dumps(new).encode())


@pytest.mark.usefixtures("sessions_are_runs")
def test_a_chain_recorded_twice_is_left_alone_though_each_id_is_new(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The second answer names the first one's id, and so does its request; both runs have their own."""
    server.scripts["/v1/responses"] = lambda asked, number: Reply(
        response(f"after {bool(asked.json.get('previous_response_id'))}", number=number)
        | {"previous_response_id": asked.json.get("previous_response_id")}
    )

    def chain() -> list[str]:
        first = sdk.call("responses.create", model="gpt-4o", input="one")
        second = sdk.call("responses.create", model="gpt-4o", input="two", previous_response_id=first.id)
        got = sdk.call("responses.with_raw_response.create", model="gpt-4o", input="3", previous_response_id=second.id)
        return [first.output_text, second.output_text, got.parse().output_text]

    states = []
    for _ in range(2):
        with inference_recording("record", recordings):
            recorded = chain()
        states.append({path.name: path.stat().st_mtime_ns for path in recordings.glob("*.json")})
    with inference_recording("replay", recordings):
        replayed = chain()

    assert 6 == server.count
    assert states[0] == states[1]
    assert ["after False", "after True", "after True"] == recorded == replayed


@pytest.mark.usefixtures("sessions_are_runs")
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_recording_what_is_there_already_leaves_the_file_alone(
    streamed: bool, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Recording a suite again gives a diff of what has changed, not of every id, time and request id."""
    states = []
    for number in range(3):
        text = "another" if number == 2 else "the same"
        answer = Reply(events=chunks(text, number=number)) if streamed else Reply(completion(text, number=number))
        server.answers("/v1/chat/completions", answer)
        with inference_recording("record", recordings) as session:
            _answer(sdk, "chat.completions.create", HELLO | {"stream": streamed})
        [path] = recordings.glob("*.json")
        states.append((path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes()))
        assert {"recorded": 1} == session.counts

    assert states[0] == states[1]
    assert states[1][:2] != states[2][:2]


@pytest.mark.usefixtures("sessions_are_runs")
def test_record_if_missing_asks_only_for_what_is_not_there(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Adding one test to a suite must not record, and pay for, all the others again."""
    with inference_recording("record-if-missing", recordings) as first:
        sdk.call("chat.completions.create", **HELLO)
    with inference_recording("record-if-missing", recordings) as second:
        sdk.call("chat.completions.create", **HELLO)
        sdk.call("chat.completions.create", **HELLO | {"temperature": 0.5})

    assert {"recorded": 1} == first.counts
    assert {"replayed": 1, "recorded": 1} == second.counts
    assert 2 == server.count


@pytest.mark.usefixtures("sessions_are_runs")
def test_record_if_missing_records_a_polling_loop_to_its_end(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Answering the second poll with the first one's fresh recording would poll for ever."""
    server.answers("/v1/chat/completions", *(Reply(completion(text)) for text in ("queued", "running", "done")))
    with inference_recording("record-if-missing", recordings):
        recorded = [_content(sdk) for _ in range(3)]
    with inference_recording("record-if-missing", recordings):
        replayed = [_content(sdk) for _ in range(4)]

    assert ["queued", "running", "done"] == recorded
    assert ["queued", "running", "done", "done"] == replayed
    assert 3 == server.count


def test_live_touches_nothing(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Debugging against the real API must be the plain SDK."""
    before = openai.resources.chat.completions.Completions.__dict__["create"]
    with inference_recording("live", recordings):
        assert before is openai.resources.chat.completions.Completions.__dict__["create"]
        sdk.call("chat.completions.create", **HELLO)

    assert 1 == server.count
    assert not recordings.exists()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(400, code="bad"), openai.BadRequestError),
        (error(401), openai.AuthenticationError),
        (error(403), openai.PermissionDeniedError),
        (error(404), openai.NotFoundError),
        (error(409), openai.ConflictError),
        (error(422), openai.UnprocessableEntityError),
        (error(429, retry_after="7"), openai.RateLimitError),
        (error(500), openai.InternalServerError),
        (error(418), openai.APIStatusError),
        (Reply({"detail": "Not authenticated"}, status=401), openai.AuthenticationError),
        (Reply(content=b"upstream died", status=502, media_type="text/plain"), openai.InternalServerError),
        (Reply(content=b"", status=503), openai.InternalServerError),
    ],
    ids=["400", "401", "403", "404", "409", "422", "429", "500", "418", "no error member", "text", "empty"],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_failed_call_fails_again_in_replay(
    reply: Reply, kind: type[openai.APIStatusError], streamed: bool, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Error handling is tested too; it reads the class, the code, the body and the response."""
    server.answers("/v1/chat/completions", reply)
    caught = []
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings, record_errors=True), pytest.raises(openai.APIStatusError) as error:
            sdk.call("chat.completions.create", **HELLO, stream=streamed)
        caught.append(error.value)

    recorded, replayed = caught
    assert 1 == server.count
    assert kind is type(recorded) is type(replayed)
    for name in ("message", "status_code", "body", "code", "param", "type", "request_id"):
        assert getattr(recorded, name) == getattr(replayed, name), name
    assert str(recorded) == str(replayed)
    assert recorded.response.text == replayed.response.text or recorded.response.json() == replayed.response.json()
    assert recorded.response.headers.get("retry-after") == replayed.response.headers.get("retry-after")
    assert type(recorded.response) is type(replayed.response)
    assert str(recorded.request.url) != ""


def test_a_lost_connection_and_a_timeout_fail_again_in_replay(
    make_sdk: Any, server: OpenAIServer, recordings: Path
) -> None:
    """They are the failures that retry logic is written for."""
    server.answers("/v1/chat/completions", Reply(completion(), delay_seconds=0.5))
    for name, sdk, kind in (
        ("gone", make_sdk(base_url="http://127.0.0.1:9/v1"), openai.APIConnectionError),
        ("slow", make_sdk(timeout=0.05), openai.APITimeoutError),
    ):
        with inference_recording("record", recordings / name, record_errors=True):
            with pytest.raises(openai.APIConnectionError) as recorded:
                sdk.call("chat.completions.create", **HELLO)
        with inference_recording("replay", recordings / name), pytest.raises(openai.APIConnectionError) as replayed:
            sdk.call("chat.completions.create", **HELLO)

        assert kind is type(recorded.value) is type(replayed.value)
        assert recorded.value.message == replayed.value.message


@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
@pytest.mark.parametrize("status", [401, 402, 403, 408, 409, 429, 500, 503])
def test_what_the_next_run_may_not_meet_is_not_recorded(
    status: int, mode: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A rate limit at recording time, kept, would fail the suite until somebody finds the file."""
    server.answers("/v1/chat/completions", error(status), Reply(completion("at last")))
    with inference_recording(mode, recordings) as session:
        with pytest.raises(openai.APIStatusError):
            sdk.call("chat.completions.create", **HELLO)
        assert "at last" == _content(sdk)

    assert {"dropped": 1, "recorded": 1} == session.counts
    with inference_recording("replay", recordings):
        assert "at last" == _content(sdk)


@pytest.mark.parametrize(
    ("mode", "record_errors", "kept"),
    [("record-if-missing", True, 1), ("record", False, 0), ("record", None, 0), ("record-if-missing", None, 0)],
)
def test_record_errors_says_which_failures_are_kept(
    mode: str, record_errors: bool | None, kept: int, client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """A test of rate limits wants the 429; most others do not."""
    server.answers("/v1/chat/completions", error(429))
    with inference_recording(mode, recordings, record_errors=record_errors), pytest.raises(openai.RateLimitError):
        client.chat.completions.create(**HELLO)

    assert kept == len(files_of(recordings))


def test_a_call_whose_transport_method_is_mocked_is_recorded(client: openai.OpenAI, recordings: Path) -> None:
    """llama-stack's users, and many others, mock `_post` below `create`."""
    answer = ChatCompletion.model_validate(completion("from a mock"))
    client.chat.completions._post = Mock(return_value=answer)  # type: ignore[method-assign]
    with inference_recording("record", recordings):
        assert answer is client.chat.completions.create(**HELLO)
    with inference_recording("replay", recordings):
        replayed = client.chat.completions.create(**HELLO)

    assert "from a mock" == replayed.choices[0].message.content
    client.chat.completions._post.assert_called_once()


async def test_a_call_whose_async_transport_method_is_mocked_is_recorded(recordings: Path) -> None:
    """As above, awaited."""
    answer = ChatCompletion.model_validate(completion("from a mock"))
    async with openai.AsyncOpenAI(api_key="x") as client:
        client.chat.completions._post = AsyncMock(return_value=answer)  # type: ignore[method-assign]
        with inference_recording("record", recordings):
            await client.chat.completions.create(**HELLO)
        with inference_recording("replay", recordings):
            replayed = await client.chat.completions.create(**HELLO)

        client.chat.completions._post.assert_called_once()
    assert "from a mock" == replayed.choices[0].message.content


async def test_a_create_that_was_patched_is_recorded_and_restored(recordings: Path) -> None:
    """`unittest.mock.patch` puts a mock in the method's place, which is called without the resource."""
    answer = ChatCompletion.model_validate(completion("patched"))

    async def create(*args: Any, **kwargs: Any) -> ChatCompletion:
        return answer

    owner = openai.resources.chat.completions.AsyncCompletions
    with patch("openai.resources.chat.completions.AsyncCompletions.create", side_effect=create) as mock:
        async with openai.AsyncOpenAI(api_key="x", base_url="http://127.0.0.1:9/v1") as client:
            with inference_recording("record", recordings):
                assert answer is await client.chat.completions.create(**HELLO)
            with inference_recording("replay", recordings):
                replayed = await client.chat.completions.create(**HELLO)
        assert mock is owner.__dict__["create"]

    mock.assert_called_once_with(**HELLO)
    assert "patched" == replayed.choices[0].message.content
    assert "/v1/v1/chat/completions" in json.loads(next(recordings.glob("*.json")).read_text())["request"]["url"]


async def test_a_patched_create_that_returns_a_generator_is_a_real_stream(recordings: Path) -> None:
    """Mocks of streams are async generators; what gets them here expects `async with` and `.close()`."""

    async def create(*args: Any, **kwargs: Any) -> Any:
        async def generate() -> Any:
            for item in chunks("one", "two"):
                yield openai.types.chat.ChatCompletionChunk.model_validate(item)

        return generate()

    texts = []
    with patch("openai.resources.chat.completions.AsyncCompletions.create", side_effect=create):
        async with openai.AsyncOpenAI(api_key="x") as client:
            for mode in ("record", "replay"):
                with inference_recording(mode, recordings):
                    async with await client.chat.completions.create(**HELLO, stream=True) as stream:
                        assert openai.AsyncStream is type(stream)
                        texts.append("".join([_text(item) async for item in stream]))

    assert ["onetwo", "onetwo"] == texts


@pytest.mark.parametrize("name", ["chat.completions", "responses"])
def test_raw_responses_and_plain_calls_serve_each_other(
    name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """langchain asks raw what a test's own code asks plainly; one recording answers both."""
    kwargs = HELLO if name == "chat.completions" else {"model": "m", "input": "Hi"}
    with inference_recording("record", recordings / "plain"):
        plain = sdk.call(f"{name}.create", **kwargs)
    with inference_recording("replay", recordings / "plain"):
        raw = sdk.call(f"{name}.with_raw_response.create", **kwargs)
    assert [] == differences(stable(plain), stable(raw.parse()))
    assert ("req_0", 200) == (raw.request_id, raw.status_code)

    with inference_recording("record", recordings / "raw"):
        raw = sdk.call(f"{name}.with_raw_response.create", **kwargs)
    with inference_recording("replay", recordings / "raw"):
        plain = sdk.call(f"{name}.create", **kwargs)
    assert 2 == server.count
    assert [] == differences(stable(raw.parse()), stable(plain))
    assert "req_1" == plain._request_id


def test_parse_replays_the_parsed_object(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """`parse` never calls `create`; openai-agents, instructor and langchain's structured output rely on it."""
    import pydantic

    class City(pydantic.BaseModel):
        name: str

    if not hasattr(sdk.client.chat.completions, "parse"):
        pytest.skip("this SDK has it in beta")
    server.answers("/v1/chat/completions", Reply(completion('{"name": "Paris"}')))
    cities = []
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings):
            parsed = sdk.call("chat.completions.parse", **HELLO, response_format=City)
        cities.append(parsed.choices[0].message.parsed)

    assert [City(name="Paris"), City(name="Paris")] == cities
    assert 1 == server.count


def test_responses_parse_replays_the_parsed_object(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """As above, for the Responses API."""
    import pydantic

    class City(pydantic.BaseModel):
        name: str

    server.answers("/v1/responses", Reply(response('{"name": "Paris"}')))
    cities = []
    for mode in ("record", "replay"):
        with inference_recording(mode, recordings):
            cities.append(sdk.call("responses.parse", model="m", input="Hi", text_format=City).output_parsed)

    assert [City(name="Paris"), City(name="Paris")] == cities
    assert 1 == server.count


def test_nothing_of_the_request_but_its_arguments_is_stored(sdk: Colour, recordings: Path) -> None:
    """Recordings are committed: no key, no header, no cookie may be in them."""
    with inference_recording("record", recordings):
        sdk.call("chat.completions.create", **HELLO, extra_headers={"X-Secret": "hush"}, timeout=12.5)
    text = next(recordings.glob("*.json")).read_text()

    assert "sk-test" not in text
    assert "hush" not in text
    assert "12.5" not in text
    assert "session=secret" not in text
    assert "req_0" in text
    assert HELLO == json.loads(text)["request"]["body"]


def _answer(sdk: Colour, name: str, kwargs: dict[str, Any]) -> list[Any]:
    result = sdk.call(name, **kwargs)
    return sdk.items(result) if kwargs.get("stream") else [result]


def _content(sdk: Colour) -> str:
    return str(sdk.call("chat.completions.create", **HELLO).choices[0].message.content)


def _text(item: Any) -> str:
    return item.choices[0].delta.content or "" if item.choices else ""


@pytest.mark.parametrize(("size", "expected"), [(1_000, False), (100_000, True)], ids=["small", "big"])
async def test_a_big_answer_is_encoded_and_written_off_the_event_loop(
    size: int, expected: bool, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a megabyte is written, other tasks of the loop wait for nothing."""
    server.answers("/v1/chat/completions", Reply(completion("x" * size)))
    threads = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: threads.append(threading.get_ident()) or fsync(descriptor))
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x") as client:
        with inference_recording("record", recordings):
            await client.chat.completions.create(**HELLO)
            written_by = threads[:1]

    assert expected == (written_by != [threading.get_ident()])
