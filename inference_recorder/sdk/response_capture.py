"""An HTTP response being recorded: whole, or while its bytes pass."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias, cast, get_args

from ..engine.decisions import Record
from ..engine.engine import Engine
from ..json_tree import JsonObject, JsonValue
from ..packages import OPENAI, sdk_of_client
from ..recording import json_bytes
from ..recording.answer import Answer, Failed, Failure, ModelList, Streamed, Value
from ..recording.body import TEXT, plain_body, typed, typed_json
from ..recording.model_lists import MODEL_TYPE, page_beside
from ..recording.stability import without_volatile
from .bodies import kept_as_sent, media_type_of
from .capture import STREAM_ENDS, Capture, notify_on_close
from .http import event_name, kept, library_of, usually_ends_with_done
from .internals import constructed, ends_at_errors, sse_decoder_of
from .methods import Method, method_for
from .streams import captured, captured_async

_Received: TypeAlias = Value | Streamed | ModelList
"""What a response that arrived is recorded as."""


class ResponseCapture(Capture):
    """Records the response to a client request that was sent. Holds no reference to the response."""

    def __init__(self, engine: Engine, decision: Record, client: object) -> None:
        super().__init__(engine, decision)
        self._client = client
        self._sdk = sdk_of_client(client)
        self._headers: Any = None
        self._cast_to: Any = None
        self._stream_cls: Any = None
        self._ends_at_errors = True
        self._parts: list[bytes] = []

    @property
    def _is_download(self) -> bool:
        """Whether the caller wants the bytes themselves, JSON or not."""
        kind = getattr(self._cast_to, "__origin__", self._cast_to)
        return "Binary" in getattr(kind, "__name__", "")  # HttpxBinaryResponseContent, StreamedBinaryAPIResponse, …

    @property
    def _method(self) -> Method | None:
        request = self.decision.request
        return method_for(request.endpoint) if request.method == "POST" and self._sdk is OPENAI else None

    def receive(self, response: Any, *, cast_to: Any, stream_cls: Any, options: Any) -> Answer | None:
        self._headers, self._cast_to, self._stream_cls = response.headers, cast_to, stream_cls
        # Other SDKs than openai raise at an error of a stream as they see fit when they read it.
        self._ends_at_errors = self._sdk is OPENAI and ends_at_errors(options)
        self.http = kept(response)
        answer = self._answer(response.content) if response.is_closed else None
        if answer is None:
            self._pass_on_bytes(response)
        self.stores_response = True
        return answer

    def _pass_on_bytes(self, response: Any) -> None:
        """Record the bytes of an unread response on their way to its reader."""
        is_async = hasattr(response.stream, "__aiter__")
        name, passing = ("aiter_raw", captured_async) if is_async else ("iter_raw", captured)
        original: Callable[..., Any] = getattr(response, name)
        setattr(response, name, lambda *args, **kwargs: passing(original(*args, **kwargs), self))
        self.begin()
        notify_on_close(response, self)
        weakref.finalize(response, self.collected)

    def add(self, chunk: object) -> None:
        """Record bytes that arrived."""
        self._parts.append(cast(bytes, chunk))

    def complete(self) -> Answer:
        """Return the answer for the bytes so far, as a complete response."""
        return self._answer(self.received_so_far())

    def broken(self, error: BaseException) -> Answer:
        """Return the answer for a response that ended early."""
        failure = self.failure_of(error)
        answer = self._answer(self.received_so_far(), is_complete=failure is not None)
        if isinstance(answer, Streamed):
            return replace(answer, failure=failure, is_complete=failure is not None)
        return answer if failure is None else Failed(failure, http=self.http)  # half a file is not an answer

    def left_early(self) -> Answer:
        return self._answer(self.received_so_far(), is_complete=False)

    def received_so_far(self) -> bytes:
        raw = b"".join(self._parts)
        encoding = self._headers.get("content-encoding")
        if not encoding or not raw:
            return raw
        content = library_of(self._client).Response(200, headers={"content-encoding": encoding}, content=raw).content
        return bytes(content)

    def _answer(self, content: bytes, *, is_complete: bool = True) -> _Received:
        media_type = media_type_of(self._headers)
        if media_type == "text/event-stream":
            return self._of_events(content, is_complete=is_complete)
        has_no_body = self._method is None or self.http is None or self.http.status_code == 204
        if not content and (not is_complete or (has_no_body and not media_type.endswith("json"))):
            return Value(is_complete=is_complete, http=self.http)
        if not self._is_download and (not media_type or media_type.endswith("json")):
            try:
                data = json_bytes.loads(content, exactly=True)
            except (ValueError, RecursionError):
                pass
            else:
                return self._json(data, is_complete=is_complete)
        kept_so = kept_as_sent(content, media_type)
        return replace(kept_so, is_complete=is_complete, http=self.http)

    def _json(self, data: JsonValue, *, is_complete: bool) -> Value | ModelList:
        request, key = self.decision.request, self.decision.key
        if request.is_model_list and isinstance(data, dict) and isinstance(items := data.get("data"), list):
            models: list[JsonValue] = [typed_json(MODEL_TYPE, model) for model in items]
            page = page_beside(data)
            return ModelList(models, page, is_complete=is_complete, http=self.http)
        method = self._method
        if method is not None and not isinstance(data, dict):
            return Value(plain_body(data), is_complete=is_complete, http=self.http)
        answer_type = self._cast_to if method is None or not method.is_installed else method.answer_type
        body = typed_json(_type_name(answer_type), without_volatile(data, key))
        return Value(body, is_complete=is_complete, http=self.http)

    def _of_events(self, content: bytes, *, is_complete: bool) -> Streamed:
        chunks: list[JsonValue] = []
        failure: Failure | None = None
        is_whole, has_events, is_done = is_complete, False, False
        chunk_type = next(iter(get_args(self._stream_cls)), None)
        for event in sse_decoder_of(self._client).iter_bytes(iter([content])):
            if event.data.startswith("[DONE]"):
                is_complete = is_done = True
                break
            if failure is not None:
                continue
            has_events = has_events or event.event is not None
            try:
                data = json_bytes.loads(event.data.encode(), exactly=True)
            except (ValueError, RecursionError):
                chunks.append(_with_event(typed(TEXT, event.data), None, event.event))
                continue
            if isinstance(data, dict) and data.get("error") and (self._ends_at_errors or self._sdk is not OPENAI):
                event_failure = _event_failure(data["error"])
                if "type" not in data and self._ends_at_errors:
                    failure, is_complete = event_failure, True
                    continue
                # Replayed as the event that it is, for which a failure has no place.
                self.decision.state.event_failure = self.decision.state.event_failure or event_failure
            is_complete = is_complete or event.event in STREAM_ENDS
            chunks.append(self._chunk(data, event.event, chunk_type))
        is_usual = is_done == usually_ends_with_done(has_events=has_events, has_failed=failure is not None)
        is_known = is_done or is_whole
        ends_with_done = is_done if is_known and not is_usual else None
        return Streamed(chunks, failure, ends_with_done, is_complete=is_complete, http=self.http)

    def _chunk(self, data: JsonValue, event: str | None, chunk_type: object) -> JsonValue:
        name = "object" if chunk_type is None else _type_name(type(constructed(chunk_type, data, self._sdk)))
        is_object = isinstance(data, dict)
        chunk = typed_json(name, without_volatile(data, self.decision.key)) if is_object else plain_body(data)
        return _with_event(chunk, data, event)


def _with_event(chunk: JsonObject, data: JsonValue, event: str | None) -> JsonObject:
    """Return a chunk with "__event__" unless its data names its event."""
    return chunk if event_name(chunk, data) == event else {**chunk, "__event__": event}


def _event_failure(error: JsonValue) -> Failure:
    # As openai/_streaming.py words it.
    message = error.get("message") if isinstance(error, dict) else None
    text = message if isinstance(message, str) and message else "An error occurred during streaming"
    return Failure("APIError", text, body=error)


def _type_name(kind: object) -> str:
    kind = getattr(kind, "__origin__", kind)
    return f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}"
