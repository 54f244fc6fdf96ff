"""Client requests: every request of an SDK client that a resource method does not answer or record itself.

Replay hands an HTTP response in memory to the client's own `_process_response`; raw responses, parsers, streams and
pages are then the SDK's work. Recording takes the response that reaches `_process_response`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.decisions import Replay
from ..errors import UnrecordableCall
from ..recording.answer import Recording
from ..request.request import Request
from ..request.unshown import unshown
from .calls import HandOver, listening, note_sent, take_handed_down, take_listener
from .capture import Capture
from .context import current_engine
from .describe import described_options, endpoint_of
from .http import kept
from .internals import overridden_cast_to, process_response
from .patching import Target
from .replay import recorded_response
from .response_capture import ResponseCapture
from .saving import keep_async, settled, settled_async

_MODULE = "openai._base_client"


def targets() -> list[Target]:
    """Return the methods to patch: where a client's request begins, where it is built, and where its answer arrives."""
    return [
        Target(_MODULE, "SyncAPIClient", "request", _request),
        Target(_MODULE, "AsyncAPIClient", "request", _request_async),
        Target(_MODULE, "SyncAPIClient", "_process_response", _process_response),
        Target(_MODULE, "AsyncAPIClient", "_process_response", _process_response_async),
        Target(_MODULE, "BaseClient", "_build_request", _build_request),
    ]


def _request(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    __tracebackhide__ = True
    call = take_handed_down()
    if call is not None and call.is_settled_above:
        _options(args, kwargs)
        with listening(call):
            return wrapped(*args, **kwargs)
    engine = current_engine()
    if engine is None:
        return wrapped(*args, **kwargs)
    if engine.is_live:
        engine.note_live(endpoint_of(_argument(args, kwargs, 1, "options").url))
        return wrapped(*args, **kwargs)
    options = _options(args, kwargs)
    request = call.request if call is not None else described_options(instance, options)
    decision = call.replay if call is not None and call.replay is not None else settled(engine, request)
    if isinstance(decision, Replay):
        arguments = _response_arguments(decision.recording, request, instance, args, kwargs, is_async=False)
        return process_response(instance, arguments)
    capture = ResponseCapture(Capture(engine, decision), instance)
    try:
        with listening(capture):
            result = wrapped(*args, **kwargs)
    except Exception as error:
        if not capture.has_received:
            capture.capture.keep(capture.capture.failed(error), error)
        raise
    except BaseException:
        if not capture.has_received:
            engine.abandon(decision)
        raise
    return _checked(result, capture)


async def _request_async(
    wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    __tracebackhide__ = True
    call = take_handed_down()
    if call is not None and call.is_settled_above:
        _options(args, kwargs)
        with listening(call):
            return await wrapped(*args, **kwargs)
    engine = current_engine()
    if engine is None:
        return await wrapped(*args, **kwargs)
    if engine.is_live:
        engine.note_live(endpoint_of(_argument(args, kwargs, 1, "options").url))
        return await wrapped(*args, **kwargs)
    options = _options(args, kwargs)
    request = call.request if call is not None else described_options(instance, options)
    decision = call.replay if call is not None and call.replay is not None else await settled_async(engine, request)
    if isinstance(decision, Replay):
        arguments = _response_arguments(decision.recording, request, instance, args, kwargs, is_async=True)
        return await process_response(instance, arguments)
    capture = ResponseCapture(Capture(engine, decision), instance)
    try:
        with listening(capture):
            result = await wrapped(*args, **kwargs)
    except Exception as error:
        if not capture.has_received:
            await keep_async(capture.capture, capture.capture.failed(error), error)
        raise
    except BaseException:
        if not capture.has_received:
            engine.abandon(decision)
        raise
    return _checked(result, capture)


def _build_request(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    request = wrapped(*args, **kwargs)  # once for each try, with the key of that one
    note_sent(request)
    return request


def _process_response(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if (capture := _listener_to(kwargs)) is not None:
        if kwargs["response"].is_closed:
            capture.capture.keep(capture.whole(kwargs["response"]), kwargs["response"])
        else:
            capture.pass_on_bytes(kwargs["response"])
    return wrapped(*args, **kwargs)


async def _process_response_async(
    wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if (capture := _listener_to(kwargs)) is not None:
        if kwargs["response"].is_closed:
            await keep_async(capture.capture, capture.whole(kwargs["response"]), kwargs["response"])
        else:
            capture.pass_on_bytes(kwargs["response"])
    return await wrapped(*args, **kwargs)


def _listener_to(kwargs: dict[str, Any]) -> ResponseCapture | None:
    """Pass a response to its listener; returns the capture that will store it, or None."""
    listener = take_listener()
    if isinstance(listener, HandOver):
        listener.http, listener.response = kept(kwargs["response"]), kwargs["response"]
    if not isinstance(listener, ResponseCapture):
        return None
    listener.receive(
        kwargs["response"],
        cast_to=kwargs["cast_to"],
        stream_cls=kwargs["stream_cls"],
        options=kwargs["options"],
    )
    return listener


def _response_arguments(
    recording: Recording,
    request: Request,
    client: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    is_async: bool,
) -> dict[str, Any]:
    """Return the arguments for `_process_response` that make it give the recorded answer; raises a recorded failure."""
    options = _argument(args, kwargs, 1, "options")
    return {
        "cast_to": overridden_cast_to(client, _argument(args, kwargs, 0, "cast_to"), options),
        "options": options,
        "response": recorded_response(recording, request, client, options, is_async=is_async),
        "stream": kwargs.get("stream", False),
        "stream_cls": kwargs.get("stream_cls"),
        "retries_taken": 0,
    }


def _checked(result: Any, capture: ResponseCapture) -> Any:
    if not capture.has_received:
        capture.capture.engine.abandon(capture.capture.decision)
        raise UnrecordableCall(
            f"{capture.capture.decision.request.summary} was answered by {type(capture.client).__qualname__} without "
            "a response passing its _process_response; it cannot be recorded"
        )
    return result


def _options(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the request's options, whose headers no repr shows from now on: a traceback may show the locals."""
    options = _argument(args, kwargs, 1, "options")
    options.headers = unshown(options.headers)
    return options


def _argument(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str) -> Any:
    return args[position] if len(args) > position else kwargs[name]
