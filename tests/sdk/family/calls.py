"""The calls of each SDK that are tried in every way, by what they give."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...conftest import HELLO
from ...support.family import FAMILY


class Call(NamedTuple):
    """A method, as callers write it after the client, and its arguments."""

    method: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def with_model(self, model: str) -> Call:
        return self._replace(kwargs=self.kwargs | {"model": model})

    def streamed(self) -> Call:
        return self._replace(kwargs=self.kwargs | {"stream": True})


QUESTION = [{"role": "user", "content": "Say hello."}]
MESSAGE = {"model": "claude-of-tests", "max_tokens": 2_048, "messages": QUESTION}
WEATHER_TOOL = {
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
FUNCTION = {"name": "weather", "parameters": WEATHER_TOOL["input_schema"]}
WITH_TOOL: dict[str, Any] = {"tools": [{"type": "function", "function": FUNCTION}]}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1_024}}
BATCHED = [{"custom_id": "question 0", "params": MESSAGE}]
TEXT_FILE = ("notes.txt", b"some notes\r\nof ours \xff", "text/plain")
SOUND = ("a.wav", b"RIFF\x00sound")

_CHAT = Call("chat.completions.create", (), HELLO)
_COMPLETION = Call("completions.create", (), {"model": "m", "prompt": "Say hi"})
_EMBEDDINGS = Call("embeddings.create", (), {"model": "m", "input": ["a", "bcd"]})
_RESPONSE = Call("responses.create", (), {"model": "gpt-4o", "input": "Say hello."})
_LLAMA_STACK = {
    "chat": _CHAT,
    "tool use": _CHAT._replace(kwargs=HELLO | WITH_TOOL),
    "completion": _COMPLETION,
    "embeddings": _EMBEDDINGS,
    "response": _RESPONSE,
    "kept response": Call("responses.retrieve", ("resp_00000007",)),
    "pages of input items": Call("responses.input_items.list", ("resp_00000007",)),
    "models": Call("models.list"),
    "model": Call("models.retrieve", ("gpt-4o",)),
    "pages of files": Call("files.list"),
    "upload": Call("files.create", (), {"file": TEXT_FILE, "purpose": "assistants"}),
    "file": Call("files.retrieve", ("file-1",)),
    "file content": Call("files.content", ("file-text",)),
    "deletion": Call("files.delete", ("file-1",)),
    "pages of vector stores": Call("vector_stores.list"),
    "vector store": Call("vector_stores.create", (), {"name": "notes"}),
    "search": Call("vector_stores.search", ("vs_1",), {"query": "x"}),
    "conversation": Call("conversations.create"),
    "pages of items": Call("conversations.items.list", ("conv_1",)),
    "moderation": Call("moderations.create", (), {"input": "I like you.", "model": "m"}),
}
VALUES: dict[str, dict[str, Call]] = {
    "anthropic": {
        "message": Call("messages.create", (), MESSAGE),
        "odd JSON": Call("messages.create", (), MESSAGE | {"model": "odd"}),
        "a big message": Call("messages.create", (), MESSAGE | {"model": "big"}),
        "tool use": Call("messages.create", (), MESSAGE | {"tools": [WEATHER_TOOL]}),
        "thinking": Call("messages.create", (), MESSAGE | THINKING),
        "beta message": Call("beta.messages.create", (), MESSAGE | {"betas": ["a-beta-2026-01-01"]}),
        "tokens": Call("messages.count_tokens", (), {"model": "claude-of-tests", "messages": QUESTION}),
        "beta tokens": Call("beta.messages.count_tokens", (), {"model": "claude-of-tests", "messages": QUESTION}),
        "batch": Call("messages.batches.create", (), {"requests": BATCHED}),
        "beta batch": Call("beta.messages.batches.create", (), {"requests": BATCHED}),
        "kept batch": Call("messages.batches.retrieve", ("msgbatch_1",)),
        "cancelled batch": Call("messages.batches.cancel", ("msgbatch_1",)),
        "deleted batch": Call("messages.batches.delete", ("msgbatch_1",)),
        "results": Call("messages.batches.results", ("msgbatch_1",)),
        "pages of batches": Call("messages.batches.list"),
        "pages of models": Call("models.list"),
        "model": Call("models.retrieve", ("claude-a",)),
    },
    "groq": {
        "chat": _CHAT,
        "tool use": _CHAT._replace(kwargs=HELLO | WITH_TOOL),
        "embeddings": _EMBEDDINGS,
        "transcription": Call("audio.transcriptions.create", (), {"model": "whisper", "file": SOUND}),
        "translation": Call("audio.translations.create", (), {"model": "whisper", "file": SOUND}),
        "speech": Call("audio.speech.create", (), {"model": "m", "voice": "v", "input": "large"}),
        "models": Call("models.list"),
        "model": Call("models.retrieve", ("gpt-4o",)),
        "upload": Call("files.create", (), {"file": TEXT_FILE, "purpose": "batch"}),
        "file content": Call("files.content", ("file-large",)),
        "batches": Call("batches.list"),
    },
    "cerebras-cloud-sdk": {
        "chat": _CHAT,
        "tool use": _CHAT._replace(kwargs=HELLO | WITH_TOOL),
        "completion": _COMPLETION,
        "models": Call("models.list"),
        "model": Call("models.retrieve", ("gpt-4o",)),
    },
    "together": {
        "chat": _CHAT,
        "tool use": _CHAT._replace(kwargs=HELLO | WITH_TOOL),
        "completion": _COMPLETION,
        "embeddings": _EMBEDDINGS,
        "image": Call("images.generate", (), {"model": "m", "prompt": "large"}),
        "files": Call("files.list"),
        "file": Call("files.retrieve", ("file-1",)),
        "file content": Call("files.content", ("file-jsonl",)),
        "transcription": Call("audio.transcriptions.create", (), {"file": SOUND}),
        "speech": Call("audio.speech.create", (), {"model": "m", "voice": "v", "input": "large"}),
    },
    "llama-stack-client": _LLAMA_STACK,
    "ogx-client": _LLAMA_STACK,
}
"""What a call gives at once: values, pages, bytes."""

_MESSAGES = VALUES["anthropic"]
STREAMS: dict[str, dict[str, Call]] = {
    "anthropic": {
        "message": _MESSAGES["message"].streamed(),
        "odd JSON": _MESSAGES["odd JSON"].streamed(),
        "a big message": _MESSAGES["a big message"].streamed(),
        "tool use": _MESSAGES["tool use"].streamed(),
        "thinking": _MESSAGES["thinking"].streamed(),
        "beta message": _MESSAGES["beta message"].streamed(),
    },
    "groq": {"chat": _CHAT.streamed(), "a big chat": _CHAT.with_model("big").streamed()},
    "cerebras-cloud-sdk": {
        "chat": _CHAT.streamed(),
        "a big chat": _CHAT.with_model("big").streamed(),
        "completion": _COMPLETION.streamed(),
    },
    "together": {
        "chat": _CHAT.streamed(),
        "a big chat": _CHAT.with_model("big").streamed(),
        "completion": _COMPLETION.streamed(),
    },
    "llama-stack-client": {
        "chat": _CHAT.streamed(),
        "a big chat": _CHAT.with_model("big").streamed(),
        "completion": _COMPLETION.streamed(),
        "response": _RESPONSE.streamed(),
    },
}
STREAMS["ogx-client"] = STREAMS["llama-stack-client"]

INSTALLED = [name for name, sdk in FAMILY.items() if sdk.is_installed]

CHAT = {name: calls.get("chat") or calls["message"] for name, calls in VALUES.items()}
"""The call that each SDK is used for most."""
