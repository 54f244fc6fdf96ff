"""An HTTP response being recorded: whole, or while its bytes pass."""

from __future__ import annotations

import base64
import binascii
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from hashlib import sha256
from typing import Any, get_args

from ..errors import CorruptRecording
from ..format import json_bytes
from ..format.codec import typed, untyped
from ..format.model_lists import MODEL_TYPE, models_in
from ..format.recording import Answer, Chunk, Failure, Recording
from ..format.typed import constructed
from ..format.volatile import without_volatile
from ..identity.jsonable import JsonValue
from ..storage.store import read_attachment
from .http import event_name, kept, library_of
from .saving import keep_async
from .table import method_for
from .tape import Tape

TEXT, BASE64, ATTACHED = "text", "base64", "attached"
"""The "__type__" of a body that is no JSON: its text, its bytes in base64, or the sha256 of the bytes beside it."""

_LARGEST_INLINE = 256 * 1024
"""Bytes of a binary answer above which it gets a file of its own: a diff of more helps nobody."""

_STREAM_ENDS = frozenset({"response.completed", "response.failed", "response.incomplete", "error"})
"""Events after which a stream of the Responses API says nothing more; who leaves then has heard it all."""


class ResponseTape:
    """Records the response of one request that the client door let go out. Holds no reference to the response."""

    def __init__(self, tape: Tape, client: Any) -> None:
        self.tape = tape
        self.client = client
        self.has_heard = False
        self._headers: Any = None
        self._cast_to: Any = None
        self._stream_cls: Any = None
        self._parts: list[bytes] = []

    def hear(self, response: Any, cast_to: Any, stream_cls: Any) -> None:
        """Take note of the response that arrived; storing it is this tape's business from now on."""
        self.has_heard = True
        self._headers, self._cast_to, self._stream_cls = response.headers, cast_to, stream_cls
        self.tape.http = kept(response)

    def whole(self, response: Any) -> Answer:
        """Return the answer that a response is which has been read."""
        return self._answer(response.content)

    def pass_on_bytes(self, response: Any) -> None:
        """Have the bytes of a response that is yet to be read pass by on their way to its reader."""
        if hasattr(response.stream, "__aiter__"):
            original, response.aiter_raw = response.aiter_raw, lambda *args: self._passing_async(original(*args))
        else:
            original, response.iter_raw = response.iter_raw, lambda *args: self._passing(original(*args))
        for name in ("close", "aclose"):
            setattr(response, name, self._telling(getattr(response, name)))
        self.tape.begin(lambda: self._answer(self._decoded(), is_complete=False))
        weakref.finalize(response, self._left)

    def _passing(self, source: Iterator[bytes]) -> Iterator[bytes]:
        tape = self.tape
        try:
            while True:
                tape.is_pulling = True
                try:
                    part = next(source)
                except StopIteration:
                    break
                finally:
                    tape.is_pulling = False
                self._parts.append(part)
                yield part
        except Exception as error:
            tape.keep(self._broken(error))
            raise
        except BaseException:  # closed or interrupted
            self._left()
            raise
        tape.keep(self._answer(self._decoded()))

    async def _passing_async(self, source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        tape = self.tape
        try:
            while True:
                tape.is_pulling = True
                try:
                    part = await anext(source)
                except StopAsyncIteration:
                    break
                finally:
                    tape.is_pulling = False
                self._parts.append(part)
                yield part
        except Exception as error:
            await keep_async(tape, self._broken(error))
            raise
        except BaseException:  # closed, cancelled or interrupted
            self._left()
            raise
        await keep_async(tape, self._answer(self._decoded()))

    def _telling(self, close: Callable[[], Any]) -> Callable[[], Any]:
        def close_and_tell() -> Any:
            if not self.tape.is_pulling:
                self._left()
            return close()

        return close_and_tell

    def _left(self) -> None:
        if not self.tape.plan.is_over:
            self.tape.left(self._answer(self._decoded(), is_complete=False))

    def _broken(self, error: BaseException) -> Answer | None:
        """Return the answer that a response is whose bytes broke off, None where it is not worth a recording."""
        broken = self.tape.broken(error)
        if broken is None:
            return None
        heard = self._answer(self._decoded(), is_complete=broken.is_complete)
        if heard.chunks is None and broken.failure is not None:  # half a file is no answer
            return Answer(failure=broken.failure, http=self.tape.http)
        return heard._replace(is_complete=broken.is_complete, failure=broken.failure)

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
        if not media_type or media_type.endswith("json"):
            try:
                data = json_bytes.loads(content)
            except (ValueError, RecursionError):
                pass
            else:
                return self._json(data, is_complete=is_complete)
        body: JsonValue
        try:
            if not (media_type.startswith("text/") or media_type.endswith(("json", "xml", "subrip"))):
                raise ValueError
            body = typed(TEXT, content.decode())
        except ValueError:
            if len(content) > _LARGEST_INLINE:
                body = typed(ATTACHED, sha256(content).hexdigest())
                return Answer(body=body, is_complete=is_complete, http=self.tape.http, attachment=content)
            body = typed(BASE64, base64.b64encode(content).decode())
        return Answer(body=body, is_complete=is_complete, http=self.tape.http)

    def _json(self, data: JsonValue, *, is_complete: bool) -> Answer:
        request, key = self.tape.plan.request, self.tape.plan.key
        if request.is_model_list and isinstance(data, dict) and isinstance(data.get("data"), list):
            models = [typed(MODEL_TYPE, model) for model in data["data"]]
            return Answer(chunks=models, is_complete=is_complete, http=self.tape.http)
        method = method_for(request.endpoint) if request.method == "POST" else None
        name = _type_name(self._cast_to if method is None else method.answer_type)
        return Answer(body=typed(name, without_volatile(data, key)), is_complete=is_complete, http=self.tape.http)

    def _streamed(self, content: bytes, *, is_complete: bool) -> Answer:
        chunks: list[Chunk] = []
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
            if isinstance(data, dict) and data.get("error") and "type" not in data:
                failure, is_complete = _event_failure(data["error"]), True
                break
            is_complete = is_complete or event.event in _STREAM_ENDS
            chunks.append(json_bytes.dumps(self._chunk(data, event.event, chunk_type)))
        return Answer(
            chunks=chunks, is_streaming=True, is_complete=is_complete, failure=failure, http=self.tape.http
        )  # fmt: skip

    def _chunk(self, data: JsonValue, event: str | None, chunk_type: Any) -> JsonValue:
        name = "object" if chunk_type is None else _type_name(type(constructed(chunk_type, data)))
        chunk = typed(name, without_volatile(data, self.tape.plan.key))
        if event_name(chunk, data) != event:
            chunk["__event__"] = event
        return chunk


def body_bytes(recording: Recording, *, is_model_list: bool) -> tuple[bytes, str]:
    """Return what a server would send for a recorded answer that is no stream, and its media type.

    Raises CorruptRecording where a body that is not JSON is none of what `ResponseTape` writes.
    """
    answer = recording.answer
    if is_model_list:
        return json_bytes.dumps({"object": "list", "data": models_in(answer)}), "application/json"
    body = answer.body if answer.chunks is None else list(answer.chunks)
    kind = body.get("__type__") if isinstance(body, dict) else None
    data = untyped(body)
    if kind == BASE64 and isinstance(data, str):
        try:
            return base64.b64decode(data, validate=True), "application/octet-stream"
        except binascii.Error as error:
            raise CorruptRecording(recording.path, f"$.response.body is not base64: {error}") from None
    if kind == ATTACHED:
        content = read_attachment(recording.path)
        if sha256(content).hexdigest() != data:
            raise CorruptRecording(recording.path, "the file beside it is not the one that was recorded with it")
        return content, "application/octet-stream"
    if kind == TEXT and isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    return (b"" if body is None else json_bytes.dumps(data)), "application/json"


def _event_failure(error: JsonValue) -> Failure:
    # As openai/_streaming.py words it.
    message = error.get("message") if isinstance(error, dict) else None
    text = message if isinstance(message, str) and message else "An error occurred during streaming"
    return Failure("APIError", text, body=error)


def _type_name(kind: Any) -> str:
    kind = getattr(kind, "__origin__", kind)
    return f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}"
