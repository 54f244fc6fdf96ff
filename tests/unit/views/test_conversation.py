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
from inference_recorder.views.conversation import Conversation, conversation_of, request_of
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


MESSAGES = "/v1/messages"
BASE64_IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 2000}}
TEXT_SOURCE = {"type": "text", "media_type": "text/plain", "data": "Trains"}
FOUND = {"type": "web_search_result", "title": "Trains", "url": "https://h/t", "encrypted_content": "x" * 99}


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "text", "text": "Hi", "citations": [{"type": "char_location", "document_title": "Timetable"}]},
         "text Hi|attachment cites Timetable"),
        (BASE64_IMAGE, "attachment image image/png, 1.5 kB"),
        ({"type": "image", "source": {"type": "url", "url": "https://h/a.png"}}, "attachment image at https://h/a.png"),
        ({"type": "image", "source": {"type": "file", "file_id": "file_1"}}, "attachment image file_1"),
        ({"type": "document", "title": "Plan", "context": "Draft.",
          "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
         "attachment document Plan application/pdf, 3 bytes|text Draft."),
        ({"type": "document", "source": TEXT_SOURCE}, "attachment document|text Trains"),
        ({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}, BASE64_IMAGE]}},
         "attachment document|text a|attachment image image/png, 1.5 kB"),
        ({"type": "search_result", "source": "kb/1", "title": "Trains", "content": [{"type": "text", "text": "At 9."}]},
         "attachment search result Trains kb/1|text At 9."),
        ({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, "reasoning Hm."),
        ({"type": "thinking", "thinking": "", "signature": "c2ln"}, "reasoning (kept by the server)"),
        ({"type": "redacted_thinking", "data": "EncR"}, "reasoning (kept by the server)"),
        ({"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"a": 1}}, 'call {\n  "a": 1\n}'),
        ({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}, "call {}"),
        ({"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "4"}, BASE64_IMAGE]},
         "result 4\nimage image/png, 1.5 kB"),
        ({"type": "tool_result", "tool_use_id": "toolu_1", "content": "no", "is_error": True}, "result error: no"),
        ({"type": "tool_result", "tool_use_id": "toolu_1"}, "result "),
        ({"type": "web_search_tool_result", "tool_use_id": "s", "content": [FOUND]},
         "result web search result Trains https://h/t"),
        ({"type": "web_fetch_tool_result", "tool_use_id": "s",
          "content": {"type": "web_fetch_result", "url": "https://h/t",
                      "content": {"type": "document", "source": TEXT_SOURCE}}},
         "result web fetch result https://h/t\ndocument\nTrains"),
        ({"type": "container_upload", "file_id": "file_1"}, "attachment file file_1"),
        ({"type": "hologram", "x": 1}, 'json {\n  "type": "hologram",\n  "x": 1\n}'),
    ],
    ids=["a cited text", "an image", "an image's url", "an image's file", "a document", "a document that is a text",
         "a document of blocks", "a search result", "thinking", "thinking that is not shown", "redacted thinking",
         "a call", "a call of the server's tool", "a result with an image", "an error of a tool", "an empty result",
         "what a search found", "what was fetched", "an upload", "a block nobody knows"],
)  # fmt: skip
def test_a_block_of_a_message_says_the_same_asked_and_answered(block: Any, expected: str) -> None:
    """An agent sends back the blocks that it got, and results of tools beside them."""
    message = {"role": "assistant", "content": [block]}
    conversation = shown_as(MESSAGES, {"messages": [message]}, whole({**message, "stop_reason": "end_turn"}))

    (asked,), (answered,) = conversation.asked, conversation.answered
    assert expected == "|".join(f"{part.kind} {part.text}" for part in asked.parts)
    assert asked.parts == answered.parts
    assert "end_turn" == answered.note


def test_calls_and_results_of_messages_are_linked_by_their_ids() -> None:
    """A result is of the tool, as it is in a chat, and says which call it answers."""
    body = {
        "model": "claude", "max_tokens": 9, "tool_choice": {"type": "auto"}, "stream": True,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "Trains?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}}]},
            user({"type": "tool_result", "tool_use_id": "toolu_1", "content": "9:04"}, {"type": "text", "text": "So?"}),
        ],
        "tools": [{"name": "find", "description": "Finds.", "input_schema": {"type": "object"}},
                  {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}],
    }  # fmt: skip
    conversation = shown_as(MESSAGES, body, Value())

    assert [
        Turn("system", (Part("text", "Be brief."),)),
        Turn("user", (Part("text", "Trains?"),)),
        Turn("assistant", (Part("call", "{}", "find", "toolu_1"),)),
        Turn("tool", (Part("result", "9:04", "", "toolu_1"),)),
        Turn("user", (Part("text", "So?"),)),
    ] == list(conversation.asked)
    tools = [(tool.name, tool.description, tool.parameters) for tool in conversation.tools]
    assert [("find", "Finds.", '{\n  "type": "object"\n}'), ("web_search", "", '{\n  "max_uses": 2\n}')] == tools
    assert {"max_tokens": 9, "tool_choice": {"type": "auto"}} == conversation.settings


def test_a_streamed_message_is_joined() -> None:
    """Thinking, the text and the call, as in a plain answer, and what its chunks added to them."""
    answer = streamed(
        {"type": "message_start", "message": {"role": "assistant", "content": [], "usage": {"input_tokens": 9}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Four"}},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t", "name": "add"}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    )
    conversation = shown_as(MESSAGES, {"messages": []}, answer)

    parts = (Part("reasoning", "Hm."), Part("text", "Four"), Part("call", '{\n  "a": 1\n}', "add", "t"))
    assert (Turn("assistant", parts, "tool_use"),) == conversation.answered
    assert (0, 0, 3, 0, 4, 0, 5, 2, 0) == conversation.chunk_sizes
    assert Usage(9, 7) == conversation.usage


def test_a_message_that_broke_off_says_why() -> None:
    """The server's error is an event of the stream."""
    error = {"type": "overloaded_error", "message": "Overloaded"}
    begun = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Fo"}}
    conversation = shown_as(MESSAGES, {"messages": []}, streamed(begun, {"type": "error", "error": error}))

    assert (Part("text", "Fo"),) == conversation.answered[0].parts
    assert "Overloaded" == conversation.failure


@pytest.mark.parametrize(("levels", "expected"), [(3, "x"), (90, "x"), (900, "(nested too deep to show)")])
def test_results_nested_in_results_are_shown(levels: int, expected: str) -> None:
    """A stranger's file may nest them until Python's stack ends."""
    block: Any = "x"
    for _ in range(levels):
        block = {"type": "tool_result", "content": [block]}
    request = {"endpoint": MESSAGES, "body": {"messages": [user(block)]}}

    (turn,) = request_of(Entry(Path("ab.json"), b"", None, request)).asked
    assert expected in turn.parts[0].text


def test_a_batch_is_shown_by_the_names_of_its_requests() -> None:
    """It may hold a hundred thousand, whose answers come in another call."""
    body = {"requests": [{"custom_id": "a", "params": {"messages": []}}, {"params": {}}]}

    (turn,) = shown_as(f"{MESSAGES}/batches", body, Value()).asked
    assert (Part("attachment", "2 requests"), Part("text", "a\n(without an id)")) == turn.parts


def test_what_groq_has_executed_is_shown() -> None:
    """Its compound models call tools before they answer."""
    executed = [{"index": 0, "type": "python", "arguments": '{"code": "2+2"}', "output": "4"}]
    answer = streamed(delta(role="assistant", executed_tools=executed), delta(content="Four"))

    parts = (Part("call", '{"code": "2+2"}', "python"), Part("result", "4", "python"), Part("text", "Four"))
    assert parts == shown_as(CHAT, {"messages": []}, answer).answered[0].parts


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
        (MESSAGES, {"messages": []}, whole({"content": []}), '{\n  "content": []\n}'),
        (MESSAGES, {}, whole({"content": [], "stop_reason": "refusal", "stop_details": {"explanation": "No."}}), "No."),
        (f"{MESSAGES}/count_tokens", {"messages": []}, whole({"input_tokens": 1200}), "1,200 tokens in"),
        (f"{MESSAGES}/batches", {"requests": [{"custom_id": "a"}]}, whole({"id": "msgbatch_1"}),
         '{\n  "id": "msgbatch_1"\n}'),
        ("/v1/threads/thread_1/messages", {"role": "user"}, whole({"id": "msg_1"}), '{\n  "id": "msg_1"\n}'),
    ],
    ids=["vectors", "a vector in base64", "models", "models of old", "a flagged text", "a harmless text", "an image",
         "an image's url", "a streamed image", "a transcription", "a streamed transcription", "speech", "a file's text",
         "an unknown endpoint", "an unknown shape", "a text alone", "an empty message", "a refusal",
         "a count of tokens", "a batch", "a message of a thread"],
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
    "prompt", "error", "system", "source", "content_block", "partial_json", "thinking", "tool_use_id", "citations",
    "requests", "executed_tools", "stop_details", "is_error",
]  # fmt: skip
KINDS = [
    "message", "reasoning", "function_call", "image_url", "refusal", "response.output_item.added",
    "response.completed", "response.output_text.delta", "input_audio", "web_search_call", "function_call_output",
    "error", "output_text", "message_start", "message_delta", "content_block_start", "content_block_delta",
    "text_delta", "input_json_delta", "citations_delta", "tool_use", "tool_result", "document", "base64", "image",
    "web_search_result",
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
    "/v1/audio/transcriptions", "/v1/audio/speech", "/v1/files", MESSAGES,
    f"{MESSAGES}/count_tokens", f"{MESSAGES}/batches",
])  # fmt: skip


@given(
    ENDPOINTS,
    st.dictionaries(st.sampled_from(["messages", "input", "prompt", "tools", "files", "system", "requests"]), JSON),
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
