"""The method door: the table's methods, recorded as what they return and replayed without the SDK's machinery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import CorruptRecording, UnrecordableValue
from ..format.codec import untyped
from ..format.failures import revive_failure
from ..format.model_lists import models_in
from ..format.recording import Answer
from ..format.typed import constructed, reviver
from ..plans import Replay
from ..session import Session
from .active import current_session
from .bodies import is_kept_as_sent
from .calls import Call, asked_request, described, handed_down, is_raw
from .http import library_of
from .patching import Target, Wrapper
from .saving import keep_async, settled, settled_async
from .streams import check_complete, record_iterable, record_stream, replayed_stream
from .table import METHODS, Method
from .tape import Tape


def targets() -> list[Target]:
    """Return the methods to patch: two for each row of the table."""
    return [
        Target(method.module, start + method.owner, method.attribute, wrapper, method.since)
        for method in METHODS
        for start, wrapper in (("", _sync_wrapper(method)), ("Async", _async_wrapper(method)))
    ]


def _sync_wrapper(method: Method) -> Wrapper:
    def intercept(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        __tracebackhide__ = True
        session = current_session()
        if session is None:
            return wrapped(*args, **kwargs)
        return _called(method, session, wrapped, instance, args, kwargs)

    return intercept


def _async_wrapper(method: Method) -> Wrapper:
    if method.is_list:
        return _paginator_wrapper(method)

    async def intercept(
        wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        session = current_session()
        if session is None:
            return await wrapped(*args, **kwargs)
        return await _called_async(method, session, wrapped, instance, args, kwargs)

    return intercept


def _paginator_wrapper(method: Method) -> Wrapper:
    def intercept(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        __tracebackhide__ = True
        session = current_session()
        if session is None:
            return wrapped(*args, **kwargs)

        async def page_of(*args: Any, **kwargs: Any) -> Any:
            pages = wrapped(*args, **kwargs)
            return await pages if hasattr(pages, "__await__") else [item async for item in pages]

        paginator = _paginator(_client_of(instance), method)
        paginator._get_page = lambda: _called_async(method, session, page_of, instance, args, kwargs)
        return paginator

    return intercept


def _called(
    method: Method,
    session: Session,
    wrapped: Callable[..., Any],
    instance: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    __tracebackhide__ = True
    if session.is_live:
        return wrapped(*args, **kwargs)
    client = _client_of(instance)
    call = _described(method, client, args, kwargs)
    if _is_for_the_client_door(client, kwargs):
        with handed_down(call):
            return wrapped(**call.kwargs)
    plan = settled(session, call.request)
    if isinstance(plan, Replay):
        if _is_revived_here(method, plan, call):
            return _replayed(method, plan, client, is_async=False)
        call.replay = plan
        with handed_down(call):
            return wrapped(**call.kwargs)
    call.is_settled_above = True
    tape = Tape(session, plan)
    try:
        with handed_down(call):
            result = wrapped(**call.kwargs)
    except Exception as error:
        tape.http = call.http
        tape.keep(tape.failed(error), error)
        raise
    except BaseException:
        session.abandon(plan)
        raise
    tape.http = call.http
    if (stream := _recorded_stream(result, tape, method, client, call)) is not None:
        return stream
    tape.keep(_answer(method, result, tape), result)
    return result


async def _called_async(
    method: Method,
    session: Session,
    wrapped: Callable[..., Any],
    instance: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    __tracebackhide__ = True
    if session.is_live:
        return await wrapped(*args, **kwargs)
    client = _client_of(instance)
    call = _described(method, client, args, kwargs)
    if _is_for_the_client_door(client, kwargs):
        with handed_down(call):
            return await wrapped(**call.kwargs)
    plan = await settled_async(session, call.request)
    if isinstance(plan, Replay):
        if _is_revived_here(method, plan, call):
            return _replayed(method, plan, client, is_async=True)
        call.replay = plan
        with handed_down(call):
            return await wrapped(**call.kwargs)
    call.is_settled_above = True
    tape = Tape(session, plan)
    try:
        with handed_down(call):
            result = await wrapped(**call.kwargs)
    except Exception as error:
        tape.http = call.http
        await keep_async(tape, tape.failed(error), error)
        raise
    except BaseException:
        session.abandon(plan)
        raise
    tape.http = call.http
    if (stream := _recorded_stream(result, tape, method, client, call)) is not None:
        return stream
    await keep_async(tape, _answer(method, result, tape), result)
    return result


def _described(method: Method, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
    if args:
        raise UnrecordableValue(f"{method.name} takes keyword arguments only; {len(args)} were passed by position")
    return described(method, client, kwargs)


def _is_for_the_client_door(client: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether only the SDK itself can give what the caller wants: the HTTP response, or its own strict validation."""
    return is_raw(kwargs) or getattr(client, "_strict_response_validation", False) is True


def _is_revived_here(method: Method, plan: Replay, call: Call) -> bool:
    answer = plan.recording.answer
    if not answer.is_streaming and answer.failure is None and call.request.is_streaming:
        return False  # the server answered a streamed call with something else, and the SDK makes a stream of it
    # Embeddings in base64 were recorded by a raw call: the SDK decodes what it asked for so, for who asked for nothing.
    body = plan.recording.answer.body
    is_decoded_by_the_sdk = method.name == "embeddings.create" and "encoding_format" not in call.kwargs
    if is_decoded_by_the_sdk and _has_encoded_embeddings(untyped(body)):
        return False
    return not is_kept_as_sent(body)


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


def _replayed(method: Method, plan: Replay, client: Any, *, is_async: bool) -> Any:
    answer, path = plan.recording.answer, plan.recording.path
    if answer.is_streaming:
        if not method.chunk:
            raise CorruptRecording(path, f"it holds a stream, and {method.name} answers with none")
        return replayed_stream(plan, method, client, is_async=is_async)
    if answer.failure is not None:
        library = library_of(client)
        raise revive_failure(plan.recording, library, asked_request(client, method, library))
    check_complete(plan.recording)
    if method.is_list:
        page = {"object": "list", **(answer.page or {}), "data": models_in(answer, path)}
        return _page(method, page, client, answer, is_async=is_async)
    if isinstance(answer.body, dict) and "__type__" in answer.body:
        try:
            data = untyped(answer.body)
            if method.name == "embeddings.create" and _has_encoded_embeddings(data):
                result = _with_encoded_embeddings(method, data)
            else:
                result = reviver(method.answer_type).from_value(data)
        except Exception as error:
            raise CorruptRecording(path, f"the SDK makes nothing of $.response.body: {error}") from error
        _add_request_id(result, answer)
        return result
    if answer.chunks is not None:
        raise CorruptRecording(path, f"$.response.body is a list, and {method.name} was not asked for a stream")
    return answer.body  # what a mock returned: it had no type then


def _recorded_stream(result: Any, tape: Tape, method: Method, client: Any, call: Call) -> Any:
    """Return the stream that passes its chunks by `tape`, None where the result is none."""
    from openai import AsyncStream, Stream

    if isinstance(result, (Stream, AsyncStream)):
        return record_stream(result, tape)
    is_iterable = hasattr(result, "__aiter__") or hasattr(result, "__next__") or isinstance(result, (list, tuple))
    return record_iterable(result, tape, method, client) if call.request.is_streaming and is_iterable else None


def _answer(method: Method, result: Any, tape: Tape) -> Answer:
    try:
        if method.is_list:
            return tape.models(result)
        return tape.whole(result)
    except BaseException:
        tape.session.abandon(tape.plan)
        raise


def _add_request_id(result: Any, answer: Answer) -> None:
    # As openai/_models.py, add_request_id: on the outermost object of every answer, None where the server sent none.
    if hasattr(result, "__pydantic_fields_set__"):
        result.__dict__["_request_id"] = None if answer.http is None else answer.http.headers.get("x-request-id")


def _page(method: Method, content: dict[str, Any], client: Any, answer: Answer, *, is_async: bool) -> Any:
    from openai.pagination import AsyncPage, SyncPage

    kind: Any = AsyncPage if is_async else SyncPage
    page: Any = constructed(kind[method.answer_type], content)
    _add_request_id(page, answer)
    page._set_private_attributes(client=client, model=method.answer_type, options=_list_options(method))
    return page


def _paginator(client: Any, method: Method) -> Any:
    from openai._base_client import AsyncPaginator
    from openai.pagination import AsyncPage

    page_type: Any = AsyncPage
    return AsyncPaginator(client, _list_options(method), page_type[method.answer_type], method.answer_type)


def _list_options(method: Method) -> Any:
    from openai._models import FinalRequestOptions

    return FinalRequestOptions.construct(method="get", url=method.endpoint.removeprefix("/v1"))


def _client_of(instance: Any) -> Any:
    return getattr(instance, "_client", None)
