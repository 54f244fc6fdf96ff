"""Client requests: every request of an SDK client that a resource method does not answer or record itself.

Replay hands an HTTP response in memory to the client's own `_process_response`; raw responses, parsers, streams and
pages are then the SDK's work. Recording takes the response that reaches `_process_response`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from ..engine.decisions import Decision, Record, Replay
from ..engine.engine import Engine
from ..errors import UnrecordableCall
from ..packages import OPENAI, SDK, SDKS
from ..recording.answer import Answer
from ..request.request import Request
from ..request.unshown import unshown
from .capture import Capture
from .context import current_engine, engine_after
from .describe import base_and_endpoint, described_options
from .drivers import Called, adrive, async_wrapper, drive, wrapper
from .flow import Course, InterceptedCall, Invoke, Save, begin, course_of
from .hand_over import HandOver, capture_of_response, note_sent, take
from .internals import overridden_cast_to, process_response
from .patching import Args, Kwargs, Original, Target, Wrapper
from .private_names import check
from .replay import recorded_response
from .response_capture import ResponseCapture


def targets() -> list[Target]:
    """Return the methods to patch: where a client's request begins, where it is built, and where its answer arrives."""
    return [target for sdk in SDKS for target in _targets_of(sdk)]


def _targets_of(sdk: SDK) -> list[Target]:
    module = f"{sdk.package}._base_client"
    request: Wrapper = _request
    async_request: Wrapper = _async_request
    if sdk is not OPENAI:
        request, async_request = _of_supported(sdk, request), _of_supported(sdk, async_request)
    if sdk.asks_llama_stack:
        request, async_request = outside_llama_stack(request), outside_llama_stack(async_request)
    return [
        Target(module, "SyncAPIClient", "request", request),
        Target(module, "AsyncAPIClient", "request", async_request),
        Target(module, "SyncAPIClient", "_process_response", wrapper(_process_response)),
        Target(module, "AsyncAPIClient", "_process_response", async_wrapper(_process_response)),
        Target(module, "BaseClient", "_build_request", _build_request),
    ]


def _of_supported(sdk: SDK, intercept: Wrapper) -> Wrapper:
    """Return a wrapper that raises UnsupportedSDK in a session where an SDK lacks what recording relies on."""

    def intercept_checked(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
        __tracebackhide__ = True
        engine = current_engine()
        if engine is not None and not engine.is_live:
            check(sdk)
        return intercept(wrapped, instance, args, kwargs)

    return intercept_checked


def outside_llama_stack(intercept: Wrapper) -> Wrapper:
    """Return a wrapper that leaves calls alone in sessions that record as llama-stack's recorder does.

    That recorder runs in the server which these clients ask.
    """

    def intercept_unless(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
        __tracebackhide__ = True
        engine = current_engine()
        if engine is not None and engine.rules.is_llama_stacks:
            return wrapped(*args, **kwargs)
        return intercept(wrapped, instance, args, kwargs)

    return intercept_unless


def _request(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
    __tracebackhide__ = True
    handed = take()
    engine = None if handed is None else handed.engine
    return drive(begin, _ClientRequest(wrapped, instance, args, kwargs, False, engine, handed))


def _async_request(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
    handed = take()
    engine = current_engine() if handed is None else handed.engine
    return adrive(begin, _ClientRequest(wrapped, instance, args, kwargs, True, engine, handed))


def _build_request(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
    request = wrapped(*args, **kwargs)  # once for each try, with the key of that one
    note_sent(request)
    return request


def _process_response(called: Called) -> Course:
    __tracebackhide__ = True
    wrapped, _, args, kwargs = called
    # With anthropic's middleware, responses that are raised as errors later, or tried again, come here too.
    capture = None if getattr(kwargs["response"], "is_error", False) is True else capture_of_response()
    if capture is not None:
        answer = capture.receive(
            kwargs["response"],
            cast_to=kwargs["cast_to"],
            stream_cls=kwargs["stream_cls"],
            options=kwargs["options"],
        )
        if answer is not None:
            yield Save(capture, answer, kwargs["response"])
    return (yield Invoke(partial(wrapped, *args, **kwargs)))


@dataclass(slots=True, eq=False, repr=False)
class _ClientRequest(InterceptedCall):
    """A request of a client, its own or that of the resource method which handed it over."""

    handed: HandOver | None

    @property
    def name(self) -> str:
        return f"{type(self.instance).__name__}.request"

    @property
    def asking_client(self) -> object:
        return self.instance

    def engine_after(self, closed: Engine) -> Engine | None:
        # A call that was handed over has begun while its session was open.
        return closed if self.handed is not None else engine_after(closed, self.name)

    def note_live(self, engine: Engine) -> None:
        engine.call_log.live(base_and_endpoint(self.instance, self._options.url)[1])

    def describe(self) -> Request:
        options = self._options
        options.headers = unshown(options.headers)  # a traceback may show the locals
        self.is_decided_elsewhere = self.handed is not None and self.handed.capture is not None
        return described_options(self.instance, options) if self.handed is None else self.handed.request

    def decide(self, engine: Engine, request: Request) -> Decision:
        __tracebackhide__ = True
        decided = None if self.handed is None else self.handed.replay
        return decided or engine.decide(request)

    def hand_over(self, engine: Engine, request: Request, capture: Capture | None = None) -> HandOver:
        if capture is None and self.handed is not None:
            return self.handed
        return HandOver(engine, request, capture=capture, is_taken=True)

    def replay(self, engine: Engine, request: Request, decision: Replay) -> object:
        __tracebackhide__ = True
        options = self._options
        response = recorded_response(decision.recording, request, self.instance, options, is_async=self.is_async)
        arguments = {
            "cast_to": overridden_cast_to(self.instance, self._argument(0, "cast_to"), options),
            "options": options,
            "response": response,
            "stream": self.kwargs.get("stream", False),
            "stream_cls": self.kwargs.get("stream_cls"),
            "retries_taken": 0,
        }
        return course_of(Invoke(partial(process_response, self.instance, arguments)))

    def capture(self, engine: Engine, decision: Record) -> Capture:
        return ResponseCapture(engine, decision, self.instance)

    def received(self, capture: Capture, result: object) -> tuple[object, Answer | None]:
        if not capture.stores_response:
            raise UnrecordableCall(
                f"{capture.decision.request.summary} was answered by {type(self.instance).__qualname__} without "
                "a response passing its _process_response; it cannot be recorded"
            )
        return result, None

    @property
    def _options(self) -> Any:
        return self._argument(1, "options")

    def _argument(self, position: int, name: str) -> Any:
        return self.args[position] if len(self.args) > position else self.kwargs[name]
