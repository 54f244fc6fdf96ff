"""Resource methods, recorded as what they return and replayed without the SDK's machinery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..engine.decisions import Decision, Record, Replay
from ..engine.engine import Engine
from ..errors import UnrecordableValue
from ..recording.answer import Answer
from ..request.request import Request
from ..request.unshown import unshown
from .capture import Capture
from .context import current_engine
from .describe import described, is_raw
from .drivers import adrive, drive
from .flow import InterceptedCall, Invoke, begin, course_of
from .hand_over import HandOver
from .internals import client_of, paginator_of, validates_strictly
from .methods import METHODS, Method
from .mocked_lists import awaited_page, page_of
from .patching import Args, Kwargs, Original, Target, Wrapper
from .refusals import raise_refusal
from .replay import is_revived_here, list_options, revived_answer
from .streams import record_iterable, record_stream


def targets() -> list[Target]:
    """Return the methods to patch: two for each row of the table."""
    return [
        Target(method.module, start + method.owner, method.attribute, wrapped_by, method.since)
        for method in METHODS
        for start, wrapped_by in (("", _wrapper(method)), ("Async", _async_wrapper(method)))
    ]


# These do what the wrappers of `drivers` do with two function calls less, and pass all fields by position, as
# keywords for a class make a dictionary. That saves a replay one or two percent.
def _wrapper(method: Method) -> Wrapper:
    def intercept(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
        __tracebackhide__ = True
        return drive(begin, _MethodCall(wrapped, instance, args, kwargs, False, None, method))

    return intercept


def _async_wrapper(method: Method) -> Wrapper:
    if method.is_list:
        return _paginator_wrapper(method)

    def intercept(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
        return adrive(begin, _MethodCall(wrapped, instance, args, kwargs, True, current_engine(), method))

    return intercept


def _paginator_wrapper(method: Method) -> Wrapper:
    """Return the wrapper of an async list method, which is a plain function that returns a paginator."""

    def intercept(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
        __tracebackhide__ = True
        engine = current_engine()
        if engine is None:
            return wrapped(*args, **kwargs)

        from openai.pagination import AsyncPage

        page_type: Any = AsyncPage

        return paginator_of(
            client_of(instance),
            list_options(method),
            page_type[method.answer_type],
            method.answer_type,
            lambda: adrive(begin, _MethodCall(wrapped, instance, args, kwargs, True, engine, method)),
        )

    return intercept


@dataclass(slots=True, eq=False, repr=False)
class _MethodCall(InterceptedCall):
    """A call of a resource method."""

    method: Method
    client: Any = field(init=False)

    @property
    def name(self) -> str:
        return self.method.name

    @property
    def asking_client(self) -> object:
        return client_of(self.instance)

    def original(self) -> object:
        __tracebackhide__ = True
        if not self.method.is_list:
            return self.wrapped(*self.args, **self.kwargs)
        return (awaited_page if self.is_async else page_of)(self.wrapped, *self.args, **self.kwargs)

    def describe(self) -> Request:
        __tracebackhide__ = True
        kwargs: Any = self.kwargs
        self.client = client_of(self.instance)
        # Only the SDK itself can do its own strict validation, or give the HTTP response.
        self.is_decided_elsewhere = validates_strictly(self.client)
        if "extra_headers" in kwargs:
            kwargs["extra_headers"] = unshown(kwargs["extra_headers"])  # a traceback may show the locals
            self.is_decided_elsewhere = self.is_decided_elsewhere or is_raw(kwargs["extra_headers"])
        try:
            if self.args:
                count = len(self.args)
                raise UnrecordableValue(
                    f"{self.method.name} takes keyword arguments only; {count} were passed by position"
                )
            request, self.kwargs = described(self.method, self.client, kwargs)
        except UnrecordableValue:
            self._raise_refusal()
            raise
        return request

    def _raise_refusal(self) -> None:
        __tracebackhide__ = True
        raise_refusal(self.wrapped, self.instance, self.args, self.kwargs)

    def decide(self, engine: Engine, request: Request) -> Decision:
        __tracebackhide__ = True
        return engine.decide(request, self._raise_refusal)

    def hand_over(self, engine: Engine, request: Request, capture: Capture | None = None) -> HandOver:
        return HandOver(engine, request, capture=capture)

    def replay(self, engine: Engine, request: Request, decision: Replay) -> object:
        __tracebackhide__ = True
        if is_revived_here(self.method, decision.recording, request):
            return revived_answer(self.method, decision.recording, self.client, is_async=self.is_async)
        return course_of(Invoke(self.original, HandOver(engine, request, decision)))

    def capture(self, engine: Engine, decision: Record) -> Capture:
        return Capture(engine, decision)

    def received(self, capture: Capture, result: object) -> tuple[object, Answer | None]:
        from openai import AsyncStream, Stream

        if isinstance(result, (Stream, AsyncStream)):
            return record_stream(result, capture), None
        is_iterable = hasattr(result, "__aiter__") or hasattr(result, "__next__") or isinstance(result, (list, tuple))
        if is_iterable and capture.decision.request.is_streaming:
            return record_iterable(result, capture, self.method, self.client), None
        return result, capture.models(result) if self.method.is_list else capture.whole(result)
