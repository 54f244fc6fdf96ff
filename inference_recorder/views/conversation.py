"""A whole call as a person reads it: messages, tools, settings and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..errors import CorruptRecording, assert_never
from ..json_tree import JsonObject, JsonValue, object_in
from ..recording import json_bytes
from ..recording.answer import Failed, Failure, ModelList, Streamed, Value, failure_of, is_complete
from ..recording.body import Chunk, untyped
from ..recording.usage import Usage, usage_of
from ..storage.catalogue import Entry
from . import others
from .chat import chat_characters, chat_reply, request_messages, request_prompts, streamed_chat
from .items import request_items, response_characters, response_reply, streamed_response
from .messages import count_reply, message_characters, message_reply, request_batch, request_blocks, streamed_message
from .parts import Turn, objects_in, pretty, text_in
from .reply import Reply

_NOT_SETTINGS = frozenset({"model", "stream", "tools", "functions", "extra_headers"})
_AS_SENT = frozenset({"text", "base64", "attached"})


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model was offered."""

    name: str
    description: str
    parameters: str
    """The JSON Schema of its arguments; of a tool that the server has, its own settings."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A recording as a conversation. It may come from a stranger: its texts are unchecked."""

    asked: tuple[Turn, ...]
    answered: tuple[Turn, ...]
    tools: tuple[Tool, ...]
    settings: JsonObject
    """The other arguments, such as temperature, under the API's names."""
    usage: Usage | None
    failure: str
    """How the call failed, in a line or more; "" for a call that succeeded."""
    chunk_sizes: tuple[int, ...] | None
    """Characters that each chunk of a stream adds, in their order; None for an answer other than a stream."""
    is_complete: bool
    """False for a stream whose consumer left before its end."""


def conversation_of(entry: Entry) -> Conversation:
    """Return what a recording says; raises CorruptRecording."""
    recording = entry.recording()
    answer = recording.answer
    kind = _kind_of(entry.endpoint) if entry.is_sdk_call else _UNKNOWN
    reply, chunk_sizes = Reply(()), None
    match answer:
        case Value():
            reply = _reply(kind, answer)
        case Streamed():
            chunks = _values(entry, answer.chunks)
            reply, chunk_sizes = _joined_reply(kind, chunks), tuple(map(kind.characters_in, chunks))
        case ModelList():
            reply = _joined_reply(kind, _values(entry, answer.models))
        case Failed():
            pass
        case _:
            assert_never(answer)
    failures = [reply.failure, _failure_text(failure_of(answer))]
    return replace(
        request_of(entry),
        answered=reply.turns,
        usage=usage_of(recording),
        failure="\n".join(text for text in failures if text),
        chunk_sizes=chunk_sizes,
        is_complete=is_complete(answer),
    )


def request_of(entry: Entry) -> Conversation:
    """Return what was asked, without an answer."""
    kind = _kind_of(entry.endpoint) if entry.is_sdk_call else _UNKNOWN
    body = entry.body if entry.is_sdk_call else entry.request
    return Conversation(
        asked=tuple(kind.asked(body)), answered=(), tools=tuple(_tools(body)), settings=_settings(kind, body),
        usage=None, failure="", chunk_sizes=None, is_complete=True,
    )  # fmt: skip


class _Kind(NamedTuple):
    """How the calls of some endpoints are read."""

    turn_members: frozenset[str] | None
    """The members of a request's body from which its turns are made; None for all of them."""
    asked: Callable[[JsonObject], Iterator[Turn]]
    answered: Callable[[JsonValue], Reply]
    joined: Callable[[Sequence[JsonValue]], Reply] = others.joined_json
    characters_in: Callable[[JsonValue], int] = others.delta_characters
    """How many characters a chunk of its stream adds."""


_INPUT = frozenset({"input"})
_PROMPT = frozenset({"prompt", "files"})
_IMAGES = _Kind(_PROMPT, others.request_prompt, others.images_reply, others.joined_images)
_AUDIO = _Kind(_PROMPT, others.request_prompt, others.audio_reply, others.joined_audio)
_UNKNOWN = _Kind(None, others.request_json, others.json_reply)
_BLOCKS = frozenset({"system", "messages"})
_RESPONSES = _Kind(_INPUT | {"instructions"}, request_items, response_reply, streamed_response, response_characters)
_KINDS = (
    ("/chat/completions", _Kind(frozenset({"messages"}), request_messages, chat_reply, streamed_chat, chat_characters)),
    ("/completions", _Kind(frozenset({"prompt"}), request_prompts, chat_reply, streamed_chat, chat_characters)),
    ("/responses", _RESPONSES),
    # With the "/v1": messages of OpenAI's threads end in "/messages" too.
    ("/v1/messages", _Kind(_BLOCKS, request_blocks, message_reply, streamed_message, message_characters)),
    ("/v1/messages/count_tokens", _Kind(_BLOCKS, request_blocks, count_reply)),
    ("/v1/messages/batches", _Kind(frozenset({"requests"}), request_batch, others.json_reply)),
    ("/embeddings", _Kind(_INPUT, others.request_input, others.embeddings_reply)),
    ("/moderations", _Kind(_INPUT, others.request_input, others.moderation_reply)),
    ("/models", _Kind(frozenset(), others.no_request_turns, others.models_reply, others.listed_models)),
    ("/images/generations", _IMAGES),
    ("/images/edits", _IMAGES),
    ("/images/variations", _IMAGES),
    ("/audio/transcriptions", _AUDIO),
    ("/audio/translations", _AUDIO),
    ("/audio/speech", _Kind(_INPUT, others.request_input, others.json_reply)),
)
"""The end of an endpoint -> how its calls are read; the first that fits."""


def _kind_of(endpoint: str) -> _Kind:
    return next((kind for end, kind in _KINDS if endpoint.rstrip("/").endswith(end)), _UNKNOWN)


def _settings(kind: _Kind, body: JsonObject) -> JsonObject:
    if kind.turn_members is None:
        return {}
    return {name: value for name, value in body.items() if name not in _NOT_SETTINGS and name not in kind.turn_members}


def _joined_reply(kind: _Kind, items: list[JsonValue]) -> Reply:
    reply = kind.joined(items)
    return reply if reply.turns or reply.failure else others.joined_json(items)


def _reply(kind: _Kind, answer: Value) -> Reply:
    if answer.body is None:
        return Reply(())
    data = untyped(answer.body)
    name = text_in(answer.body, "__type__")
    if name in _AS_SENT:
        headers = {} if answer.http is None else answer.http.headers
        return others.bytes_reply(name, data, headers.get("content-type", ""))
    reply = kind.answered(data)
    # A shape that its endpoint does not have is shown as it is, not passed over.
    return reply if reply.turns or reply.failure else others.json_reply(data)


def _values(entry: Entry, items: Sequence[Chunk]) -> list[JsonValue]:
    try:
        # A line holds no integer that orjson would change: such recordings are read as a whole.
        return [untyped(json_bytes.loads(item) if isinstance(item, bytes) else item) for item in items]
    except (ValueError, RecursionError) as error:
        raise CorruptRecording(entry.path, f"a chunk of its stream is not JSON: {error}") from None


def _failure_text(failure: Failure | None) -> str:
    if failure is None:
        return ""
    status = f" {failure.status_code}" if failure.status_code is not None else ""
    return f"{failure.type}{status}: {failure.message}"


def _tools(body: JsonObject) -> Iterator[Tool]:
    for tool in (*objects_in(body, "tools"), *objects_in(body, "functions")):
        described = object_in(tool, "function") or object_in(tool, "custom") or tool
        name = text_in(described, "name", "server_label", "type") or "(without a name)"
        rest = {key: value for key, value in described.items() if key not in ("name", "description", "type", "strict")}
        parameters = rest.get("parameters", rest.get("input_schema", rest))
        yield Tool(name, text_in(described, "description"), pretty(parameters) if parameters else "")
