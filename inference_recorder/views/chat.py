"""Chat completions and completions: messages, tool calls, plain or streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..json_tree import JsonObject, JsonValue, object_in
from ..recording.joined import joined_choices
from .parts import Part, Turn, content_parts, described_media, objects_in, pretty, result_text, text_in
from .reply import Reply

_REASONING = ("reasoning_content", "reasoning")
_TEXTS = frozenset({"text", "content", "refusal", *_REASONING})


def request_messages(body: JsonObject) -> Iterator[Turn]:
    """Yield the messages of a request."""
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else [messages]:
        if isinstance(message, dict):
            yield _message_turn(message)
        elif message is not None:
            yield Turn("user", (Part("json", pretty(message)),))


def request_prompts(body: JsonObject) -> Iterator[Turn]:
    """Yield the prompt of a request; several prompts are several turns."""
    prompt = body.get("prompt")
    prompts = prompt if isinstance(prompt, list) and all(isinstance(one, str) for one in prompt) else [prompt]
    for one in prompts:
        yield Turn("prompt", (Part("text" if isinstance(one, str) else "json", pretty(one)),))


def chat_reply(answer: JsonValue) -> Reply:
    """Return the reply in a ChatCompletion or a Completion."""
    choices = objects_in(answer, "choices")
    return Reply(tuple(_choice_turn(choice, len(choices)) for choice in choices))


def streamed_chat(chunks: Sequence[JsonValue]) -> Reply:
    """Return the reply in the chunks of either stream."""
    return chat_reply(joined_choices(chunks))


def chat_characters(chunk: JsonValue) -> int:
    """Return how many characters a chunk adds: of text, of reasoning, of a call's arguments."""
    characters = 0
    for choice in objects_in(chunk, "choices"):
        delta = object_in(choice, "delta") or choice
        characters += sum(len(text) for name, text in delta.items() if name in _TEXTS and isinstance(text, str))
        for call in (*objects_in(delta, "tool_calls"), delta):
            called = object_in(call, "function") or object_in(call, "custom") or object_in(call, "function_call")
            characters += len(text_in(called, "arguments", "input"))
    return characters


def _message_turn(message: JsonObject, role: str = "user", note: str = "") -> Turn:
    role = text_in(message, "role") or role
    return Turn(role, tuple(_message_parts(message, role)), note)


def _message_parts(message: JsonObject, role: str) -> Iterator[Part]:
    if role in ("tool", "function"):
        text = result_text(message.get("content"))
        yield Part("result", text, text_in(message, "name"), text_in(message, "tool_call_id"))
        return
    if reasoning := text_in(message, *_REASONING):
        yield Part("reasoning", reasoning)
    for executed in objects_in(message, "executed_tools"):  # by groq
        yield Part("call", text_in(executed, "arguments"), text_in(executed, "type"))
        if output := text_in(executed, "output"):
            yield Part("result", output, text_in(executed, "type"))
    yield from content_parts(message.get("content"))
    if refusal := text_in(message, "refusal"):
        yield Part("refusal", refusal)
    if audio := object_in(message, "audio"):
        yield Part("attachment", described_media(audio, "audio"))
        if transcript := text_in(audio, "transcript"):
            yield Part("text", transcript)
    for call in objects_in(message, "tool_calls"):
        yield _call_part(call)
    if call := object_in(message, "function_call"):
        yield Part("call", pretty(call.get("arguments", "")), text_in(call, "name"))
    for cited in objects_in(message, "annotations"):
        url = object_in(cited, "url_citation")
        yield Part("attachment", f"cites {text_in(url, 'title', 'url') or pretty(cited)}")


def _call_part(call: JsonObject) -> Part:
    called = object_in(call, "function") or object_in(call, "custom")
    if not called and "function" not in call:  # which is empty in a stream that broke off
        return Part("json", pretty(call))
    arguments = called.get("arguments", called.get("input", ""))
    return Part("call", pretty(arguments), text_in(called, "name"), text_in(call, "id"))


def _choice_turn(choice: JsonObject, count: int) -> Turn:
    end = text_in(choice, "finish_reason")
    notes = [f"choice {choice.get('index')}" if count > 1 else "", end]
    note = ", ".join(note for note in notes if note)
    if "message" in choice:
        return _message_turn(object_in(choice, "message"), "assistant", note)
    return Turn("assistant", (Part("text", text_in(choice, "text")),), note)
