"""A call of the demo, and its answer: what the live call and its replay have to agree on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from ...json_tree import JsonObject
from ...views.parts import text_in

if TYPE_CHECKING:
    from openai import OpenAI
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

        parts: list[tuple[type, JsonObject]] = []
        texts: list[str] = []

        def arrived(kind: type, content: JsonObject, text: str) -> None:
            parts.append((kind, content))
            texts.append(text)
            show_text(text)

        started = perf_counter()
        try:
            for part in self._parts(client):
                shown_from = perf_counter()
                content = part.model_dump(mode="json", exclude_unset=True, exclude=_CONSTANT_IN_RECORDINGS)
                arrived(type(part), content, _text_of(part))
                started += perf_counter() - shown_from
            ended = perf_counter()
        except openai.APIError as error:
            ended = perf_counter()
            content = {"status_code": getattr(error, "status_code", None), "message": error.message, "body": error.body}
            arrived(type(error), content, f"{type(error).__name__}: {text_in(error.body, 'message') or error.message}")
        return DemoAnswer(tuple(parts), "".join(texts), (ended - started) * 1000)

    def _parts(self, client: OpenAI) -> Iterator[ChatCompletion | ChatCompletionChunk]:
        create = client.chat.completions.create
        if not self.is_streaming:
            yield create(model=self.model, messages=[{"role": "user", "content": self.prompt}])
            return
        with create(
            model=self.model,
            messages=[{"role": "user", "content": self.prompt}],
            stream=True,
            stream_options={"include_usage": True},
        ) as stream:
            yield from stream


def _text_of(part: ChatCompletion | ChatCompletionChunk) -> str:
    if not part.choices:  # the chunk with the usage
        return ""
    choice = part.choices[0]
    message = choice.delta if hasattr(choice, "delta") else choice.message
    return message.content or ""
