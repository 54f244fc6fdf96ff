"""An HTTP response being recorded: whole, or while its bytes pass."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, get_args

from ..format import json_bytes
from ..format.codec import typed
from ..format.model_lists import MODEL_TYPE, page_beside
from ..format.recording import Answer, Failure
from ..format.typed import constructed
from ..format.volatile import without_volatile
from ..identity.jsonable import JsonValue
from .bodies import kept_as_sent
from .http import event_name, kept, library_of
from .streams import taped, taped_async
from .table import method_for
from .tape import STREAM_ENDS, Tape, tell_of_closing


class ResponseTape:
    """Records the response of one request that the client door let go out. Holds no reference to the response."""

    def __init__(self, tape: Tape, client: Any) -> None:
        self.tape = tape
        self.client = client
        self.has_heard = False
        self._headers: Any = None
        self._cast_to: Any = None
        self._stream_cls: Any = None
        self._ends_at_errors = True
        self._parts: list[bytes] = []

    @property
    def _is_download(self) -> bool:
        """Whether the caller wants the bytes themselves, be they JSON or not."""
        kind = getattr(self._cast_to, "__origin__", self._cast_to)
        return "Binary" in getattr(kind, "__name__", "")  # HttpxBinaryResponseContent, StreamedBinaryAPIResponse, …

    def hear(self, response: Any, *, cast_to: Any, stream_cls: Any, options: Any) -> None:
        """Take note of the response that arrived; storing it is this tape's business from now on."""
        self.has_heard = True
        self._headers, self._cast_to, self._stream_cls = response.headers, cast_to, stream_cls
        # In the stream mode "events" of openai 3.54, the SDK goes on after an error.
        self._ends_at_errors = getattr(options, "stream_mode", "legacy") == "legacy"
        self.tape.http = kept(response)

    def whole(self, response: Any) -> Answer:
        """Return the answer that a response is which has been read."""
        return self._answer(response.content)

    def pass_on_bytes(self, response: Any) -> None:
        """Have the bytes of a response that is yet to be read pass by on their way to its reader."""
        is_async = hasattr(response.stream, "__aiter__")
        name, passing = ("aiter_raw", taped_async) if is_async else ("iter_raw", taped)
        original: Callable[..., Any] = getattr(response, name)
        setattr(response, name, lambda *args, **kwargs: passing(original(*args, **kwargs), self.tape, self))
        self.tape.begin(self._left_there, self._decoded)
        tell_of_closing(response, self.tape)
        weakref.finalize(response, self.tape.dropped)

    def add(self, part: bytes) -> None:
        """Take down what arrived."""
        self._parts.append(part)

    def complete(self) -> Answer:
        """Return the answer that the bytes so far are, as a whole response."""
        return self._answer(self._decoded())

    def broken(self, error: BaseException) -> Answer | None:
        """Return the answer that a response is whose bytes broke off, None where it is not worth a recording."""
        broken = self.tape.broken(error)
        if broken is None:
            return None
        heard = self._answer(self._decoded(), is_complete=broken.is_complete)
        if heard.chunks is None and broken.failure is not None:  # half a file is no answer
            return Answer(failure=broken.failure, http=self.tape.http)
        return heard._replace(is_complete=broken.is_complete, failure=broken.failure)

    def _left_there(self) -> Answer:
        return self._answer(self._decoded(), is_complete=False)

    def _decoded(self) -> bytes:
        raw = b"".join(self._parts)
        encoding = self._headers.get("content-encoding")
        if not encoding or not raw:
            return raw
        content = library_of(self.client).Response(200, headers={"content-encoding": encoding}, content=raw).content
        return bytes(content)

    def _answer(self, content: bytes, *, is_complete: bool = True) -> Answer:
        media_type = str(self._headers.get("content-type", "")).partition(";")[0].strip().lower()
        if media_type == "text/event-stream":
            return self._streamed(content, is_complete=is_complete)
        if not content:
            return Answer(is_complete=is_complete, http=self.tape.http)
        if not self._is_download and (not media_type or media_type.endswith("json")):
            try:
                data = json_bytes.loads(content)
            except (ValueError, RecursionError):
                pass
            else:
                return self._json(data, is_complete=is_complete)
        kept_so = kept_as_sent(content, media_type)
        return kept_so._replace(is_complete=is_complete, http=self.tape.http)

    def _json(self, data: JsonValue, *, is_complete: bool) -> Answer:
        request, key = self.tape.plan.request, self.tape.plan.key
        if request.is_model_list and isinstance(data, dict) and isinstance(data.get("data"), list):
            models = [typed(MODEL_TYPE, model) for model in data["data"]]
            page = page_beside(data)
            return Answer(chunks=models, is_complete=is_complete, http=self.tape.http, page=page)
        method = method_for(request.endpoint) if request.method == "POST" else None
        name = _type_name(self._cast_to if method is None else method.answer_type)
        return Answer(body=typed(name, without_volatile(data, key)), is_complete=is_complete, http=self.tape.http)

    def _streamed(self, content: bytes, *, is_complete: bool) -> Answer:
        chunks: list[JsonValue] = []
        failure: Failure | None = None
        chunk_type = next(iter(get_args(self._stream_cls)), None)
        for event in self.client._make_sse_decoder().iter_bytes(iter([content])):
            if event.data.startswith("[DONE]"):
                is_complete = True
                break
            try:
                data = json_bytes.loads(event.data.encode())
            except (ValueError, RecursionError):
                continue  # the SDK raises here, to its caller; nothing of it can be replayed
            if self._ends_at_errors and isinstance(data, dict) and data.get("error") and "type" not in data:
                failure, is_complete = _event_failure(data["error"]), True
                break
            is_complete = is_complete or event.event in STREAM_ENDS
            chunks.append(self._chunk(data, event.event, chunk_type))
        return Answer(
            chunks=chunks, is_streaming=True, is_complete=is_complete, failure=failure, http=self.tape.http
        )  # fmt: skip

    def _chunk(self, data: JsonValue, event: str | None, chunk_type: Any) -> JsonValue:
        name = "object" if chunk_type is None else _type_name(type(constructed(chunk_type, data)))
        chunk = typed(name, without_volatile(data, self.tape.plan.key))
        if event_name(chunk, data) != event:
            chunk["__event__"] = event
        return chunk


def _event_failure(error: JsonValue) -> Failure:
    # As openai/_streaming.py words it.
    message = error.get("message") if isinstance(error, dict) else None
    text = message if isinstance(message, str) and message else "An error occurred during streaming"
    return Failure("APIError", text, body=error)


def _type_name(kind: Any) -> str:
    kind = getattr(kind, "__origin__", kind)
    return f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}"
