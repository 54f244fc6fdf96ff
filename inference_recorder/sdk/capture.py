"""One call being recorded: keeps what arrives and stores it once, however the call ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ..engine.captures import answer_so_far
from ..engine.decisions import Record
from ..engine.engine import Engine
from ..errors import UnwritableRecording
from ..json_tree import JsonValue
from ..recording.answer import RESPONSE_ENDS, Answer, Failed, Failure, Http, ModelList, Streamed, Value, items_of
from ..recording.body import LIST, PLAIN, TEXT, Chunk, data_in, is_plain, plain_body, typed, typed_json, untyped
from ..recording.deep_json import dumped
from ..recording.failures import describe_failure
from ..recording.model_lists import page_beside
from ..recording.stability import without_volatile
from ..request.jsonable import as_recorded
from ..tasks import is_interruption, runs_an_event_loop
from .bodies import kept_as_sent, media_type_of
from .http import event_name, kept
from .methods import method_for
from .revive import reviver

_BIG = 64 * 1024
_BYTES_OF_A_FLOAT = 20
STREAM_ENDS = RESPONSE_ENDS | {"error", "message_stop"}
"""Events after which a stream of the Responses API, or of anthropic, sends nothing more: leaving it loses nothing."""


class Capture:
    """An answer that is being recorded while it arrives: the result of a resource method."""

    def __init__(self, engine: Engine, decision: Record) -> None:
        self.engine = engine
        self.decision = decision
        self.http: Http | None = None
        self.stores_response = False
        """Whether the answer is the HTTP response that has arrived, whatever the method makes of it."""
        self._response: Any = None
        self.is_pulling = False
        """Whether the next chunk is being fetched; at this point only the SDK closes the stream."""
        self._chunks: list[JsonValue] = []
        self._is_at_its_end = False

    def receive(self, response: Any, *, cast_to: Any, stream_cls: Any, options: Any) -> Answer | None:
        """Note the HTTP response that has arrived; return the answer if it is to be stored at once."""
        self.http, self._response = kept(response), response
        return None

    def begin(self) -> None:
        """Record a stream from now on."""
        self._response = None
        self.engine.captures.expect(self.decision, self.left_early)

    def pulls(self) -> None:
        """Note that the next chunk is being fetched, and by which task."""
        self.is_pulling = True
        self.decision.state.consumer.reads()

    def ended(self, answer: Answer) -> None:
        """Note the final answer. From now on nothing else is stored, even if the stream or the session is closed."""
        self.engine.captures.expect_final(self.decision, answer)

    def abandon(self) -> None:
        """Give the call up, whose answer cannot be stored."""
        self.engine.captures.abandon(self.decision)

    def add(self, chunk: object) -> None:
        """Record one chunk as it is now: its consumer may change it."""
        self.decision.state.chunk_times.append(time.time())
        body = body_of(chunk, self.decision.key)
        if not isinstance(body, dict):
            body = plain_body(body)
        self._chunks.append(body)
        self._is_at_its_end = event_name(body, data_in(body, "")) in STREAM_ENDS

    def whole(self, result: object) -> Value:
        """Return the answer for a plain result; raises UnrecordableValue if it has no JSON form."""
        body, kind = body_of(result, self.decision.key), _kind(result)
        return Value(body if kind is None else typed(kind, body), http=self.http)

    def models(self, page: object) -> ModelList:
        """Return the answer for a page of models, or for a list of them that a mock returned."""
        items: Any = getattr(page, "data", page)
        models = [body_of(item, self.decision.key) for item in items]
        members = dumped(page) if hasattr(page, "model_dump") else None
        beside = page_beside(members) if isinstance(members, dict) else None
        return ModelList(models, beside, http=self.http)

    def complete(self) -> Answer:
        """Return the answer for the chunks so far, as a complete stream."""
        return self._of_chunks()

    def failed(self, error: BaseException) -> Value | Failed | None:
        """Return the answer for a failed call; None if the error did not come from a server.

        If the SDK could not read the response, that is the answer: the SDK will fail on it again.
        """
        failure, response = describe_failure(error), self._response
        if failure is None and response is not None and response.is_closed:
            return replace(kept_as_sent(response.content, media_type_of(response.headers)), http=self.http)
        if failure is None:
            return None
        return Failed(failure, http=self.http or kept(getattr(error, "response", None)))

    def broken(self, error: BaseException) -> Answer:
        """Return the answer for a stream that ended with `error`.

        An error that did not come from a server cuts the stream short, just as leaving it does.
        """
        failure = self.failure_of(error)
        if isinstance(error, json.JSONDecodeError) and _is_of_its_text(error):
            self._chunks.append(typed(TEXT, error.doc))
        return self._of_chunks(failure=failure, is_complete=failure is not None)

    def failure_of(self, error: BaseException) -> Failure | None:
        """Return what a stream that ended with `error` failed with; None if that did not come from a server."""
        self.decision.state.is_interrupted = self.decision.state.is_interrupted or is_interruption(error)
        return describe_failure(error)

    def keep(self, answer: Answer, response: object = None, *, wait: bool = True) -> bool:
        """Store the answer if it is to be recorded.

        If storing fails, the error holds `response`, or by default what was received of the stream.

        Returns False, with nothing stored, if another writer holds the lock and `wait` is False.
        """
        try:
            return self.engine.captures.save(self.decision, answer, wait=wait)
        except UnwritableRecording as error:
            error.response = self.received_so_far() if response is None else response
            raise

    def keep_in_thread(self, answer: Answer, response: object = None) -> None:
        """Store the answer in a thread; the session's end raises an error too, unless the caller receives it."""
        try:
            self.keep(answer, response)
        except Exception as error:
            self.engine.captures.raise_at_close(error)
            raise

    def left(self, *, is_collected: bool = False) -> None:
        """Store what was received of a stream whose consumer closed it, let go of it or was interrupted."""
        if self.decision.state.final is not None:  # what called `ended` stores it; a big answer in a thread
            return
        if self.decision.state.is_over or self.engine.captures.puts_off(self.decision, is_collected=is_collected):
            return
        answer = answer_so_far(self.decision)
        if (is_big(answer) and runs_an_event_loop()) or not self.keep(answer, wait=False):
            self.engine.captures.save_later(self.decision, answer)

    def collected(self) -> None:
        """Like `left`, for a stream that was collected as garbage, where no error can be raised."""
        try:
            self.left(is_collected=True)
        except Exception as error:
            self.engine.captures.raise_at_close(error)

    def received_so_far(self) -> object:
        """Return what the consumer of a stream has got of it."""
        method = method_for(self.decision.request.endpoint)
        if method is None or not method.chunk:
            return [untyped(chunk) for chunk in self._chunks]
        revived = reviver(method.chunk_type).from_value
        return [untyped(chunk) if is_plain(chunk) else revived(untyped(chunk)) for chunk in self._chunks]

    def left_early(self) -> Answer:
        """Return the answer for what has arrived of a stream."""
        return self._of_chunks(is_complete=self._is_at_its_end)

    def _of_chunks(self, *, failure: Failure | None = None, is_complete: bool = True) -> Streamed:
        return Streamed(self._chunks.copy(), failure, http=self.http, is_complete=is_complete)


def is_big(answer: Answer) -> bool:
    """Return whether encoding and writing an answer would hold up an event loop: about 64 KiB or more."""
    if isinstance(answer, Value) and answer.attachment is not None:
        return True
    size = 0
    waiting: list[Chunk] = [answer.body] if isinstance(answer, Value) else [*items_of(answer)]
    while waiting and size < _BIG:
        value = waiting.pop()
        if isinstance(value, (str, bytes)):
            size += len(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            if value and type(value[0]) is float:
                size += len(value) * _BYTES_OF_A_FLOAT
            else:
                waiting.extend(value)
    return size >= _BIG


def notify_on_close(response: object, capture: Capture) -> None:
    """Make a response notify its capture when it is closed early, by its stream or by a helper that holds only it."""
    for name in ("close", "aclose"):
        original = getattr(response, name, None)
        if callable(original):
            setattr(response, name, _notifying(original, capture))


def _notifying(close: Callable[[], object], capture: Capture) -> Callable[[], object]:
    def close_and_notify() -> object:
        if not capture.is_pulling:
            capture.left()
        return close()

    return close_and_notify


def body_of(value: object, key: str) -> JsonValue:
    """Return what a recording holds of a result or a chunk; raises UnrecordableValue where it has no JSON form."""
    kind: Any = type(value)
    name = _name_of_model(kind)
    if name is None:
        return as_recorded(value, "the answer")
    return typed_json(name, without_volatile(dumped(value), key))


def _is_of_its_text(error: json.JSONDecodeError) -> bool:
    """Whether reading the text that an error names raises it again, as the SDK does with the data of an event."""
    try:
        json.loads(error.doc)
    except ValueError as again:
        return str(again) == str(error)
    return False


def _kind(result: object) -> str | None:
    """Return the "__type__" of a result that is not an object of the SDK, None for one that is."""
    if isinstance(result, list):
        return LIST if all(map(_is_model, result)) else PLAIN
    return None if _is_model(result) else PLAIN


def _is_model(value: object) -> bool:
    kind: Any = type(value)
    return _name_of_model(kind) is not None


@lru_cache(maxsize=256)
def _name_of_model(kind: type[Any]) -> str | None:
    """Return the full name of a pydantic model, None for another type."""
    is_model = callable(getattr(kind, "model_dump", None)) and isinstance(getattr(kind, "model_fields", None), dict)
    return f"{kind.__module__}.{kind.__qualname__}" if is_model else None
