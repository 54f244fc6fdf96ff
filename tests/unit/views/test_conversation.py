"""What a recording says: the shapes of every endpoint, whole and streamed, and none that makes it fail."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_recorder.errors import CorruptRecording
from inference_recorder.recording.answer import Answer, Failure, Http, ModelList, Streamed, Value
from inference_recorder.recording.body import typed
from inference_recorder.recording.codec import encode
from inference_recorder.recording.usage import Usage
from inference_recorder.storage.catalogue import Entry, entries_in, entry_of
from inference_recorder.views.conversation import Conversation, conversation_of
from inference_recorder.views.parts import Part, Turn

from ...conftest import SHARED

CORPUS = SHARED / "corpus"
CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
PIXEL = "data:image/png;base64," + base64.b64encode(b"x" * 1500).decode()


def shown_as(endpoint: str, body: Any, answer: Answer) -> Conversation:
    request = {"method": "POST", "url": "https://h/v1", "headers": {}, "body": body, "endpoint": endpoint, "model": ""}
    return conversation_of(Entry(Path("ab.json"), encode(None, request, answer), None, request))


def streamed(*chunks: Any, **answer: Any) -> Answer:
    return Streamed([typed("a.Chunk", chunk) for chunk in chunks], **answer)


def whole(data: Any, **answer: Any) -> Answer:
    return Value(typed("an.Answer", data), **answer)


def delta(**shown_as: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": shown_as, "finish_reason": None}]}


def call_delta(index: int, id_: str | None, **function: str) -> dict[str, Any]:
    return delta(tool_calls=[{"index": index, "id": id_, "function": function}])


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": [*content]}


def assistant(*calls: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [*calls]}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"role": "user", "content": "Hi"}, Turn("user", (Part("text", "Hi"),))),
        (
            user({"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": PIXEL}}),
            Turn("user", (Part("text", "What?"), Part("attachment", "image image/png, 1.5 kB"))),
        ),
        (
            user({"type": "image_url", "image_url": {"url": "https://h/cat.png"}}),
            Turn("user", (Part("attachment", "image at https://h/cat.png"),)),
        ),
        (
            user({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
            Turn("user", (Part("attachment", "audio wav 3 bytes"),)),
        ),
        (
            user({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}}),
            Turn("user", (Part("attachment", "file a.pdf application/pdf, 3 bytes"),)),
        ),
        (
            user({"type": "file", "file": {"file_id": "file-1"}}),
            Turn("user", (Part("attachment", "file file-1"),)),
        ),
        (
            assistant({"id": "c1", "function": {"name": "f", "arguments": "{}"}}),
            Turn("assistant", (Part("call", "{}", "f", "c1"),)),
        ),
        (
            assistant({"id": "c1", "type": "custom", "custom": {"name": "f", "input": "SELECT"}}),
            Turn("assistant", (Part("call", "SELECT", "f", "c1"),)),
        ),
        (
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            Turn("assistant", (Part("call", "{}", "f"),)),
        ),
        (
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "4"}]},
            Turn("tool", (Part("result", "4", "", "c1"),)),
        ),
        (
            {"role": "assistant", "refusal": "No.", "reasoning_content": "Hm."},
            Turn("assistant", (Part("reasoning", "Hm."), Part("refusal", "No."))),
        ),
        (
            user({"type": "hologram", "x": 1}),
            Turn("user", (Part("json", '{\n  "type": "hologram",\n  "x": 1\n}'),)),
        ),
    ],
    ids=[
        "a text", "a data url", "a url", "a sound", "a file's data", "a file's id", "a tool call", "a custom call",
        "a function call of old", "a tool's result", "a refusal, reasoned", "a part nobody knows",
    ],
)  # fmt: skip
def test_a_message_is_read_as_a_turn(message: dict[str, Any], expected: Turn) -> None:
    """The bytes of a picture help nobody; what it is does."""
    assert (expected,) == shown_as(CHAT, {"model": "m", "messages": [message]}, Value()).asked


def test_a_streamed_chat_is_joined() -> None:
    """A hundred chunks of a word each are no answer that a person reads."""
    usage = {"prompt_tokens": 9, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}
    answer = streamed(
        delta(role="assistant", reasoning="Let me "),
        delta(reasoning="see."),
        delta(content="It is "),
        delta(content="four."),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": usage},
    )
    conversation = shown_as(CHAT, {"messages": []}, answer)

    parts = (Part("reasoning", "Let me see."), Part("text", "It is four."))
    assert (Turn("assistant", parts, "stop"),) == conversation.answered
    assert (7, 4, 6, 5, 0, 0) == conversation.chunk_sizes
    assert Usage(9, 7, cached=4) == conversation.usage


@pytest.mark.parametrize("indices", [(0, 1), (0, 0)], ids=["as the API numbers them", "as Ollama does: all 0"])
def test_the_arguments_of_streamed_tool_calls_are_joined(indices: tuple[int, int]) -> None:
    """They come in chunks, several calls at once, some servers numbering all of them 0."""
    answer = streamed(
        call_delta(indices[0], "c1", name="find", arguments='{"a"'),
        call_delta(indices[0], None, arguments=":1}"),
        call_delta(indices[1], "c2", name="book", arguments=""),
        call_delta(indices[1], None, arguments="{}"),
    )

    (turn,) = shown_as(CHAT, {"messages": []}, answer).answered
    assert (Part("call", '{"a":1}', "find", "c1"), Part("call", "{}", "book", "c2")) == turn.parts


def test_every_choice_is_a_turn() -> None:
    """n=2 asks for two answers; showing the first alone hides half of what was paid."""
    choices = [
        {"index": position, "finish_reason": "stop", "text": text} for position, text in enumerate(("Blue", "Red"))
    ]
    conversation = shown_as("/v1/completions", {"prompt": "Roses are"}, whole({"choices": choices}))

    assert (Turn("prompt", (Part("text", "Roses are"),)),) == conversation.asked
    assert ["choice 0, stop", "choice 1, stop"] == [turn.note for turn in conversation.answered]
    assert [(Part("text", "Blue"),), (Part("text", "Red"),)] == [turn.parts for turn in conversation.answered]


ITEMS = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
    {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"},
    {"type": "web_search_call", "id": "ws1", "status": "completed", "action": {"query": "trains"}},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done.", "annotations": []}]},
]
ITEM_PARTS = (
    Part("reasoning", "Hm."),
    Part("call", "{}", "find", "c1"),
    Part("call", '{\n  "action": {\n    "query": "trains"\n  }\n}', "web_search", "ws1"),
    Part("text", "Done."),
)
RESPONSE = {
    "object": "response", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"},
    "output": ITEMS,
    "usage": {"input_tokens": 5, "output_tokens": 8, "output_tokens_details": {"reasoning_tokens": 3}},
}  # fmt: skip
EVENTS = [
    event
    for position, item in enumerate(ITEMS)
    for event in (
        {"type": "response.output_item.added", "output_index": position, "item": {**item, "content": []}},
        {"type": "response.output_text.delta", "output_index": position, "delta": "begun"},
        {"type": "response.output_item.done", "output_index": position, "item": item},
    )
]


@pytest.mark.parametrize(
    "answer",
    [whole(RESPONSE), streamed(*EVENTS, {"type": "response.incomplete", "response": {**RESPONSE, "output": []}})],
    ids=["whole", "streamed"],
)
def test_the_items_of_a_response_are_read(answer: Answer) -> None:
    """Reasoning, calls of our tools and of the server's, and the text: one turn of the assistant."""
    conversation = shown_as(RESPONSES, {"input": "Go", "instructions": "Be brief."}, answer)

    assert ["instructions", "user"] == [turn.role for turn in conversation.asked]
    assert (Turn("assistant", ITEM_PARTS, "incomplete: max_output_tokens"),) == conversation.answered
    assert Usage(5, 8, reasoning=3) == conversation.usage


def test_a_response_that_was_left_early_says_what_was_received() -> None:
    """No item ended, no usage came; the deltas are all there is."""
    answer = streamed(
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Hm"},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"a'},
        {"type": "response.output_text.delta", "output_index": 2, "delta": "Hel"},
        {"type": "response.output_text.delta", "output_index": 2, "delta": "lo"},
        is_complete=False,
    )
    conversation = shown_as(RESPONSES, {"input": "Go"}, answer)

    assert (Part("reasoning", "Hm"), Part("call", '{"a'), Part("text", "Hello")) == conversation.answered[0].parts
    assert not conversation.is_complete
    assert (2, 3, 3, 2) == conversation.chunk_sizes


def test_the_input_items_of_a_response_are_turns() -> None:
    """An agent sends the conversation back: calls, results, pictures."""
    body = {
        "input": [
            user({"type": "input_text", "text": "See"}, {"type": "input_image", "image_url": PIXEL}),
            {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "none"},
            {"type": "item_reference", "id": "msg_1"},
        ],
        "tools": [{"type": "function", "name": "find", "description": "Finds.", "parameters": {"type": "object"}},
                  {"type": "web_search"}],
        "previous_response_id": "resp_0",
    }  # fmt: skip
    conversation = shown_as(RESPONSES, body, Value())

    assert [
        Turn("user", (Part("text", "See"), Part("attachment", "image image/png, 1.5 kB"))),
        Turn("assistant", (Part("call", "{}", "find", "c1"),)),
        Turn("tool", (Part("result", "none", "", "c1"),)),
        Turn("user", (Part("json", '{\n  "type": "item_reference",\n  "id": "msg_1"\n}'),)),
    ] == list(conversation.asked)
    assert [("find", "Finds."), ("web_search", "")] == [(tool.name, tool.description) for tool in conversation.tools]
    assert {"previous_response_id": "resp_0"} == conversation.settings


VECTOR = base64.b64encode(bytes(4 * 1536)).decode()


@pytest.mark.parametrize(
    ("endpoint", "body", "answer", "expected"),
    [
        ("/v1/embeddings", {"input": ["a"] * 64}, whole({"data": [{"embedding": [0.5] * 1536}] * 64}),
         "64 vectors of 1536"),
        ("/v1/embeddings", {"input": "a"}, whole({"data": [{"embedding": VECTOR}]}), "1 vector of 1536"),
        ("/v1/models", {}, ModelList([typed("Model", {"id": "a"}), typed("Model", {"id": "b"})]), "2 models|a\nb"),
        ("/v1/models", {}, whole({"object": "list", "data": [{"id": "a"}]}), "1 model|a"),
        ("/v1/moderations", {"input": "x"},
         whole({"results": [{"flagged": True, "categories": {"violence": True, "hate": False},
                             "category_scores": {"violence": 0.981}}]}), "flagged: violence 0.98"),
        ("/v1/moderations", {"input": "x"}, whole({"results": [{"flagged": False, "categories": {}}]}), "not flagged"),
        ("/v1/images/generations", {"prompt": "A cat"},
         whole({"data": [{"b64_json": "A" * 2000, "revised_prompt": "A grey cat"}]}), "image 1.5 kB|A grey cat"),
        ("/v1/images/generations", {"prompt": "A cat"}, whole({"data": [{"url": "https://h/a.png"}]}),
         "image at https://h/a.png"),
        ("/v1/images/generations", {"prompt": "A cat"},
         streamed({"type": "image_generation.completed", "b64_json": "A" * 2000}), "image 1.5 kB"),
        ("/v1/audio/transcriptions", {"files": [["file", "a.mp3", None, "sha256:ab"]]}, whole({"text": "Hello"}),
         "Hello"),
        ("/v1/audio/transcriptions", {},
         streamed({"type": "transcript.text.delta", "delta": "Hel"}, {"type": "transcript.text.delta", "delta": "lo"}),
         "Hello"),
        ("/v1/audio/speech", {"input": "Hi", "voice": "coral"},
         Value(typed("base64", "AAAA"), http=Http(200, {"content-type": "audio/mpeg"})), "audio/mpeg, 3 bytes"),
        ("/v1/files/f1/content", {}, Value(typed("text", "a,b")), "a,b"),
        ("/v1/files", {"purpose": "batch"}, whole({"id": "file-1"}), '{\n  "id": "file-1"\n}'),
        (CHAT, {"messages": []}, whole({"object": "list", "data": []}), '{\n  "object": "list",\n  "data": []\n}'),
        (CHAT, {"messages": []}, whole("just a text"), "just a text"),
    ],
    ids=["vectors", "a vector in base64", "models", "models of old", "a flagged text", "a harmless text", "an image",
         "an image's url", "a streamed image", "a transcription", "a streamed transcription", "speech", "a file's text",
         "an unknown endpoint", "an unknown shape", "a text alone"],
)  # fmt: skip
def test_what_an_answer_says(endpoint: str, body: Any, answer: Answer, expected: str) -> None:
    """In a few words where it is big, as its JSON where nobody knows it, and never as nothing."""
    turns = shown_as(endpoint, body, answer).answered

    assert expected == "|".join(part.text for turn in turns for part in turn.parts)


def test_seconds_are_no_tokens() -> None:
    """Some models bill transcriptions by their length; "0 tokens in, 0 out" would be wrong."""
    conversation = shown_as(
        "/v1/audio/transcriptions", {}, whole({"text": "Hello", "usage": {"type": "duration", "seconds": 3}})
    )

    assert conversation.usage is None


def test_a_failure_after_chunks_shows_both() -> None:
    """A stream that broke off had content before."""
    conversation = shown_as(
        CHAT, {"messages": []}, streamed(delta(content="Hel"), failure=Failure("APIError", "overloaded", 529))
    )

    assert (Part("text", "Hel"),) == conversation.answered[0].parts
    assert "APIError 529: overloaded" == conversation.failure


def test_what_is_neither_a_message_nor_a_tool_is_a_setting() -> None:
    """Nothing of a request is passed over."""
    body = {"model": "m", "messages": [], "stream": True, "tools": [], "temperature": 0, "extra_body": {"a": 1}}

    assert {"temperature": 0, "extra_body": {"a": 1}} == shown_as(CHAT, body, Value()).settings


def test_a_recording_of_something_else_is_shown_as_it_is() -> None:
    """llama-stack's directories hold calls of tools too."""
    request = {"tool_name": "search", "kwargs": {"query": "x"}}
    content = encode(None, request, Value({"content": "y"}))
    conversation = conversation_of(Entry(Path("ab.json"), content, None, request))

    assert '"query": "x"' in conversation.asked[0].parts[0].text
    assert '"content": "y"' in conversation.answered[0].parts[0].text


NAMES = [
    "type", "text", "content", "role", "messages", "input", "output", "item", "delta", "choices", "message",
    "tool_calls", "function", "name", "arguments", "image_url", "url", "data", "usage", "response", "output_index",
    "index", "embedding", "categories", "results", "summary", "id", "audio", "annotations", "b64_json", "files",
    "prompt", "error",
]  # fmt: skip
KINDS = [
    "message", "reasoning", "function_call", "image_url", "refusal", "response.output_item.added",
    "response.completed", "response.output_text.delta", "input_audio", "web_search_call", "function_call_output",
    "error", "output_text",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(KINDS),
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inside, min_size=1, max_size=6)
    ),
    max_leaves=30,
)
ENDPOINTS = st.sampled_from([
    CHAT, RESPONSES, "/v1/completions", "/v1/embeddings", "/v1/models", "/v1/moderations", "/v1/images/generations",
    "/v1/audio/transcriptions", "/v1/audio/speech", "/v1/files",
])  # fmt: skip


@given(
    ENDPOINTS,
    st.dictionaries(st.sampled_from(["messages", "input", "prompt", "tools", "files"]), JSON),
    JSON,
    st.booleans(),
)
def test_no_shape_of_json_makes_it_fail(endpoint: str, body: Any, answer: Any, is_list: bool) -> None:
    """One strange file of three thousand must not cost the page; it comes from elsewhere."""
    recorded = streamed(*(answer if isinstance(answer, list) else [answer])) if is_list else whole(answer)

    conversation = shown_as(endpoint, body, recorded)

    texts = [part.text for turn in (*conversation.asked, *conversation.answered) for part in turn.parts]
    assert all(isinstance(text, str) for text in texts)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "it is empty"), (b"{", "JSON"), (b'{"response": []}', "response must be an object")],
    ids=["an empty file", "half a file", "no response"],
)
def test_what_cannot_be_read_is_an_error(tmp_path: Path, content: bytes, reason: str) -> None:
    """A corrupt recording is neither empty nor missing."""
    path = tmp_path / "ab.json"
    path.write_bytes(content)

    with pytest.raises(CorruptRecording, match=reason):
        conversation_of(entry_of(path))


def test_a_line_that_is_not_json_is_an_error(tmp_path: Path) -> None:
    """Replay finds it when it comes to that chunk; who looks finds it at once."""
    path = tmp_path / "ab.json"
    content = encode(None, {"endpoint": CHAT, "body": {}}, streamed({"a": 1}, {"b": 2}))
    path.write_bytes(content.replace(b'{"b":2}', b'{"b":2'))

    with pytest.raises(CorruptRecording, match="a chunk of its stream is not JSON"):
        conversation_of(entry_of(path))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="needs ../shared/corpus, which is not part of the project")
def test_every_real_recording_says_something() -> None:
    """Asked, and either answered or failed."""
    directories = sorted({path.parent for path in CORPUS.rglob("*.json")})
    conversations = [conversation_of(entry) for entry in entries_in(directories) if isinstance(entry, Entry)]

    assert 253 == len(conversations)
    assert all(one.answered or one.failure for one in conversations)
    assert not [
        part for one in conversations for turn in one.asked + one.answered for part in turn.parts if part.kind == "json"
    ]
