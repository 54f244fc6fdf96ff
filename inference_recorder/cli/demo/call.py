"""A call of the demo, and its answer: what the live call and its replay have to agree on."""

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
class DemoAnswer:
    """The answer to a call. Two answers are equal if their parts are."""

    parts: tuple[tuple[type, JsonObject], ...]
    """(class, content) of each of the SDK's objects: a completion, the chunks of a stream, or an error."""
    text: str = field(compare=False)
    milliseconds: float = field(compare=False)
    """From the call to the last chunk, without the time spent on showing the text."""

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
class DemoCall:
    """One call of `chat.completions.create`."""

    name: str
    model: str
    prompt: str
    is_streaming: bool = False
    must_fail: bool = False

    def make(self, client: OpenAI, show_text: Callable[[str], None]) -> DemoAnswer:
        """Return the answer, also if it is an APIError; `show_text` gets its text as it arrives."""
        import openai

        stopwatch = _Stopwatch()
        parts: list[tuple[type, JsonObject]] = []
        texts: list[str] = []
        try:
            for part in self._parts(client, stopwatch):
                content = part.model_dump(mode="json", exclude_unset=True, exclude=_CONSTANT_IN_RECORDINGS)
                parts.append((type(part), content))
                texts.append(_text_of(part))
                show_text(texts[-1])
        except openai.APIError as error:
            status_code = getattr(error, "status_code", None)
            parts.append((type(error), {"status_code": status_code, "message": error.message, "body": error.body}))
            texts.append(f"{type(error).__name__}: {_message_of(error)}")
            show_text(texts[-1])
        return DemoAnswer(tuple(parts), "".join(texts), stopwatch.milliseconds)

    def _parts(self, client: OpenAI, stopwatch: _Stopwatch) -> Iterator[ChatCompletion | ChatCompletionChunk]:
        create = client.chat.completions.create
        if not self.is_streaming:
            with stopwatch:
                completion = create(model=self.model, messages=[{"role": "user", "content": self.prompt}])
            yield completion
            return
        with stopwatch:
            stream = create(
                model=self.model,
                messages=[{"role": "user", "content": self.prompt}],
                stream=True,
                stream_options={"include_usage": True},
            )
        with stream:
            while True:
                with stopwatch:
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
    if not part.choices:  # the chunk with the usage
        return ""
    choice = part.choices[0]
    message = choice.delta if hasattr(choice, "delta") else choice.message
    return message.content or ""


def _message_of(error: APIError) -> str:
    message = error.body.get("message") if isinstance(error.body, dict) else None
    return str(message or error.message)
