"""A question put through the SDK, and the reply that the live call and its replay have to agree on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from ...request.jsonable import JsonObject

if TYPE_CHECKING:
    from openai import APIError, OpenAI
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

_CONSTANT_IN_RECORDINGS = {"id", "created"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a question. Two replies are equal when their parts are."""

    parts: tuple[tuple[type, JsonObject], ...]
    """The SDK's objects (one answer, a stream's chunks, an error): the class of each and what it says."""
    text: str = field(compare=False)
    milliseconds: float = field(compare=False)
    """From the call to the last chunk, without what the listener did in between."""

    @property
    def is_failure(self) -> bool:
        return issubclass(self.parts[-1][0], Exception)

    @property
    def summary(self) -> str:
        """The parts in a few words: "ChatCompletion", "17 ChatCompletionChunks", "NotFoundError 404"."""
        kind, content = self.parts[-1]
        if self.is_failure:
            return f"{kind.__name__} {content['status_code'] or ''}".rstrip()
        return kind.__name__ if len(self.parts) == 1 else f"{len(self.parts)} {kind.__name__}s"


@dataclass(frozen=True, slots=True)
class Question:
    """One call of `chat.completions.create`."""

    name: str
    model: str
    text: str
    is_streaming: bool = False
    is_to_fail: bool = False

    def ask(self, client: OpenAI, listener: Callable[[str], None]) -> Reply:
        """Return the reply, which an APIError is too; `listener` hears each piece of its text as it arrives."""
        import openai

        watch = _Stopwatch()
        parts: list[tuple[type, JsonObject]] = []
        pieces: list[str] = []
        try:
            for part in self._answer(client, watch):
                said = part.model_dump(mode="json", exclude_unset=True, exclude=_CONSTANT_IN_RECORDINGS)
                parts.append((type(part), said))
                pieces.append(_text_of(part))
                listener(pieces[-1])
        except openai.APIError as error:
            status_code = getattr(error, "status_code", None)
            parts.append((type(error), {"status_code": status_code, "message": error.message, "body": error.body}))
            pieces.append(f"{type(error).__name__}: {_message_of(error)}")
            listener(pieces[-1])
        return Reply(tuple(parts), "".join(pieces), watch.milliseconds)

    def _answer(self, client: OpenAI, watch: _Stopwatch) -> Iterator[ChatCompletion | ChatCompletionChunk]:
        create = client.chat.completions.create
        if not self.is_streaming:
            with watch:
                answer = create(model=self.model, messages=[{"role": "user", "content": self.text}])
            yield answer
            return
        with watch:
            stream = create(
                model=self.model,
                messages=[{"role": "user", "content": self.text}],
                stream=True,
                stream_options={"include_usage": True},
            )
        with stream:
            while True:
                with watch:
                    chunk = next(stream, None)
                if chunk is None:
                    return
                yield chunk


class _Stopwatch:
    """Runs while it is entered; `milliseconds` is the sum."""

    def __init__(self) -> None:
        self.milliseconds = 0.0
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(self, *_: object) -> None:
        self.milliseconds += (perf_counter() - self._started) * 1000


def _text_of(part: ChatCompletion | ChatCompletionChunk) -> str:
    if not part.choices:  # the chunk that tells the usage
        return ""
    choice = part.choices[0]
    said = choice.delta if hasattr(choice, "delta") else choice.message
    return said.content or ""


def _message_of(error: APIError) -> str:
    message = error.body.get("message") if isinstance(error.body, dict) else None
    return str(message or error.message)
