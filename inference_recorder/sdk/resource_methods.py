"""Resource methods, recorded as what they return and replayed without the SDK's machinery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..engine.decisions import Replay
from ..engine.engine import Engine
from ..errors import CorruptRecording, UnrecordableValue
from ..recording.body import is_plain, typed_data, untyped
from ..recording.failures import revive_failure
from ..recording.model_lists import page_in
from ..recording.recording import Answer, Recording
from ..request.request import Request
from ..request.unshown import unshown
from .bodies import check_body, is_kept_as_sent
from .calls import HandOver, asked_request, described, handed_down, is_raw
from .capture import Capture
from .context import current_engine
from .http import library_of
from .internals import (
    client_of,
    constructed,
    is_model,
    paginator_of,
    request_options,
    set_page_source,
    set_request_id,
    validates_strictly,
)
from .methods import METHODS, Method
from .mocked_lists import awaited_page, unread
from .patching import Target, Wrapper
from .refusals import raise_refusal
from .revive import reviver
from .saving import keep_async, settled, settled_async
from .streams import check_complete, record_iterable, record_stream, replayed_stream


def targets() -> list[Target]:
    """Return the methods to patch: two for each row of the table."""
    return [
        Target(method.module, start + method.owner, method.attribute, wrapper, method.since)
        for method in METHODS
        for start, wrapper in (("", _sync_wrapper(method)), ("Async", _async_wrapper(method)))
    ]


def _sync_wrapper(method: Method) -> Wrapper:
    return partial(_called, method, None)


def _async_wrapper(method: Method) -> Wrapper:
    return _paginator_wrapper(method) if method.is_list else partial(_called_async, method, None)


def _paginator_wrapper(method: Method) -> Wrapper:
    def intercept(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        __tracebackhide__ = True
        engine = current_engine()
        if engine is None:
            return wrapped(*args, **kwargs)

        from openai.pagination import AsyncPage

        page_type: Any = AsyncPage

        async def page_of(*args: Any, **kwargs: Any) -> Any:
            return await awaited_page(wrapped(*args, **kwargs))

        page_of.__wrapped__ = wrapped  # type: ignore[attr-defined]  # what `raise_refusal` asks

        return paginator_of(
            client_of(instance),
            _list_options(method),
            page_type[method.answer_type],
            method.answer_type,
            lambda: _called_async(method, engine, page_of, instance, args, kwargs),
        )

    return intercept


def _called(
    method: Method,
    engine: Engine | None,
    wrapped: Callable[..., Any],
    instance: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    __tracebackhide__ = True
    engine = engine or current_engine()
    if engine is None or engine.is_live:
        return wrapped(*args, **kwargs)
    client = client_of(instance)
    if "extra_headers" in kwargs:  # a traceback may show the locals
        kwargs["extra_headers"] = unshown(kwargs["extra_headers"])
    request, sdk_kwargs = _described(method, client, wrapped, instance, args, kwargs)
    if _is_for_client_requests(client, kwargs):
        with handed_down(HandOver(request, sdk_kwargs)):
            return wrapped(**sdk_kwargs)
    decision = settled(engine, request, partial(raise_refusal, wrapped, instance, (), sdk_kwargs))
    if isinstance(decision, Replay):
        if _is_revived_here(method, decision.recording, request):
            return _replayed(method, decision.recording, client, is_async=False)
        with handed_down(HandOver(request, sdk_kwargs, replay=decision)):
            return wrapped(**sdk_kwargs)
    call = HandOver(request, sdk_kwargs, is_settled_above=True, sent=decision.sent)
    capture = Capture(engine, decision)
    try:
        with handed_down(call):
            result = wrapped(**call.kwargs)
            items, result = unread(result) if method.is_list else (result, result)
    except Exception as error:
        capture.http = call.http
        capture.keep(capture.failed(error, call.response), error)
        raise
    except BaseException:
        engine.abandon(decision)
        raise
    capture.http = call.http
    if (stream := _recorded_stream(result, capture, method, client, call)) is not None:
        return stream
    capture.keep(_answer(method, items, capture), result)
    return result


async def _called_async(
    method: Method,
    engine: Engine | None,
    wrapped: Callable[..., Any],
    instance: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    __tracebackhide__ = True
    engine = engine or current_engine()
    if engine is None or engine.is_live:
        return await wrapped(*args, **kwargs)
    client = client_of(instance)
    if "extra_headers" in kwargs:  # a traceback may show the locals
        kwargs["extra_headers"] = unshown(kwargs["extra_headers"])
    request, sdk_kwargs = _described(method, client, wrapped, instance, args, kwargs)
    if _is_for_client_requests(client, kwargs):
        with handed_down(HandOver(request, sdk_kwargs)):
            return await wrapped(**sdk_kwargs)
    decision = await settled_async(engine, request, partial(raise_refusal, wrapped, instance, (), sdk_kwargs))
    if isinstance(decision, Replay):
        if _is_revived_here(method, decision.recording, request):
            return _replayed(method, decision.recording, client, is_async=True)
        with handed_down(HandOver(request, sdk_kwargs, replay=decision)):
            return await wrapped(**sdk_kwargs)
    call = HandOver(request, sdk_kwargs, is_settled_above=True, sent=decision.sent)
    capture = Capture(engine, decision)
    try:
        with handed_down(call):
            result = await wrapped(**call.kwargs)
            items, result = unread(result) if method.is_list else (result, result)
    except Exception as error:
        capture.http = call.http
        await keep_async(capture, capture.failed(error, call.response), error)
        raise
    except BaseException:
        engine.abandon(decision)
        raise
    capture.http = call.http
    if (stream := _recorded_stream(result, capture, method, client, call)) is not None:
        return stream
    await keep_async(capture, _answer(method, items, capture), result)
    return result


def _described(
    method: Method,
    client: Any,
    wrapped: Callable[..., Any],
    instance: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> tuple[Request, Mapping[str, Any]]:
    __tracebackhide__ = True
    try:
        if args:
            raise UnrecordableValue(f"{method.name} takes keyword arguments only; {len(args)} were passed by position")
        return described(method, client, kwargs)
    except UnrecordableValue:
        raise_refusal(wrapped, instance, args, kwargs)
        raise


def _is_for_client_requests(client: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether only the SDK itself can give what the caller wants: the HTTP response, or its own strict validation."""
    return is_raw(kwargs) or validates_strictly(client)


def _is_revived_here(method: Method, recording: Recording, request: Request) -> bool:
    answer = recording.answer
    if is_plain(answer.body) and answer.http is None:
        return True  # a mock returned it, whatever it was asked for
    if request.is_streaming and not answer.is_streaming and answer.failure is None:
        return False  # the server answered a streamed call with something else, and the SDK makes a stream of it
    body = answer.body
    # Embeddings in base64 were recorded by a raw call: the SDK decodes what it asked for so, for who asked for nothing.
    is_decoded_by_the_sdk = method.name == "embeddings.create" and "encoding_format" not in request.body
    if is_decoded_by_the_sdk and _has_encoded_embeddings(untyped(body)):
        return False
    is_empty = body is None and answer.http is not None and answer.http.status_code == 204
    return not is_empty and not is_kept_as_sent(body)


def _has_encoded_embeddings(data: Any) -> bool:
    items = data.get("data") if isinstance(data, dict) else None
    return isinstance(items, list) and any(map(_is_encoded, items))


def _is_encoded(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("embedding"), str)


def _with_encoded_embeddings(method: Method, data: Any) -> Any:
    """Return embeddings with strings where the SDK's type has numbers, as the SDK constructs them.

    Validation refuses the strings, and construction takes twenty times as long as putting them in afterwards.
    """
    items = data["data"]
    if not all(map(_is_encoded, items)):
        return reviver(method.answer_type).from_value(data)
    result = reviver(method.answer_type).from_value({**data, "data": [{**item, "embedding": []} for item in items]})
    for revived, item in zip(result.data, items, strict=True):
        revived.__dict__["embedding"] = item["embedding"]
    return result


def _replayed(method: Method, recording: Recording, client: Any, *, is_async: bool) -> Any:
    path, answer = recording
    if answer.is_streaming:
        if not method.chunk:
            raise CorruptRecording(path, f"it holds a stream, and {method.name} answers with none")
        return replayed_stream(recording, method, client, is_async=is_async)
    if answer.failure is not None:
        library = library_of(client)
        raise revive_failure(recording, library, asked_request(client, method, library))
    check_complete(recording)
    if method.is_list:
        return _page(method, page_in(answer, path), client, answer, is_async=is_async)
    data = typed_data(answer.body, path)
    if data is None:
        check_body(recording, method)
    if is_plain(answer.body):
        return untyped(answer.body)
    try:
        if method.name == "embeddings.create" and _has_encoded_embeddings(data):
            result = _with_encoded_embeddings(method, data)
        else:
            result = reviver(method.answer_type).from_value(data)
    except RecursionError:  # as the SDK raises it for an answer nested so deep
        raise
    except Exception as error:
        raise CorruptRecording(path, f"the SDK makes nothing of $.response.body: {error}") from error
    _add_request_id(result, answer)
    return result


def _recorded_stream(result: Any, capture: Capture, method: Method, client: Any, call: HandOver) -> Any:
    """Return the stream whose chunks `capture` records, None if the result is not a stream."""
    from openai import AsyncStream, Stream

    if isinstance(result, (Stream, AsyncStream)):
        return record_stream(result, capture)
    is_iterable = hasattr(result, "__aiter__") or hasattr(result, "__next__") or isinstance(result, (list, tuple))
    return record_iterable(result, capture, method, client) if call.request.is_streaming and is_iterable else None


def _answer(method: Method, result: Any, capture: Capture) -> Answer:
    try:
        if method.is_list:
            return capture.models(result)
        return capture.whole(result)
    except BaseException:
        capture.engine.abandon(capture.decision)
        raise


def _add_request_id(result: Any, answer: Answer) -> None:
    if is_model(result):
        set_request_id(result, None if answer.http is None else answer.http.headers.get("x-request-id"))


def _page(method: Method, content: dict[str, Any], client: Any, answer: Answer, *, is_async: bool) -> Any:
    from openai.pagination import AsyncPage, SyncPage

    kind: Any = AsyncPage if is_async else SyncPage
    page: Any = constructed(kind[method.answer_type], content)
    _add_request_id(page, answer)
    set_page_source(page, client, method.answer_type, _list_options(method))
    return page


def _list_options(method: Method) -> Any:
    return request_options("get", method.endpoint.removeprefix("/v1"))
