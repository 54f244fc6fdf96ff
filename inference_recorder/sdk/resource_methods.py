"""Resource methods, recorded as what they return and replayed without the SDK's machinery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..engine.decisions import Replay
from ..engine.engine import Engine
from ..errors import UnrecordableValue
from ..recording.answer import Answer
from ..request.request import Request
from ..request.unshown import unshown
from .calls import HandOver, handed_down
from .capture import Capture
from .context import current_engine
from .describe import described, is_raw
from .internals import client_of, paginator_of, validates_strictly
from .methods import METHODS, Method
from .mocked_lists import awaited_page, unread
from .patching import Target, Wrapper
from .refusals import raise_refusal
from .replay import is_revived_here, list_options, revived_answer
from .saving import keep_async, settled, settled_async
from .streams import record_iterable, record_stream


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
            list_options(method),
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
        if is_revived_here(method, decision.recording, request):
            return revived_answer(method, decision.recording, client, is_async=False)
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
        if is_revived_here(method, decision.recording, request):
            return revived_answer(method, decision.recording, client, is_async=True)
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
