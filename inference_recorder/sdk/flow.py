"""The course of a call, written once: a generator that yields what is to be done, which a driver does (see `drivers`).

A recorded answer needs no course: it is found before one begins, which saves a replay two percent.

A call is intercepted as a resource method or as the client request below it; each has its adapter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any, TypeAlias

from ..engine.decisions import Decision, Live, Record, Replay, Wait
from ..engine.engine import Engine
from ..recording.answer import Answer
from ..request.request import Request
from .capture import Capture
from .context import current_engine, engine_after
from .hand_over import HandOver
from .own_servers import is_asked_by, own_servers
from .patching import Args, Original, kept_patched


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call a function of the SDK; the course goes on with its result, in async code once that was awaited."""

    function: Callable[[], Any] = field(repr=False)
    hand_over: HandOver | None = None
    """What the function is to find as the call that it belongs to."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Let another worker go on with its call; the course goes on with whether it may wait again."""

    engine: Engine
    wait: Wait


@dataclass(frozen=True, slots=True)
class Save:
    """Store an answer; None gives the call up. An error of storing carries `response`, what the caller would get."""

    capture: Capture
    answer: Answer | None
    response: object = field(default=None, repr=False)


Step: TypeAlias = Invoke | Pause | Save
Course: TypeAlias = Generator[Step, Any, object]
"""Yields steps, is sent what each came to, and returns what the caller gets."""


@dataclass(slots=True, eq=False, repr=False)
class InterceptedCall(ABC):
    """One call of the SDK, in one of the two ways in which it is intercepted."""

    wrapped: Original
    """The SDK's own method."""
    instance: Any
    """The resource or client that it was called on."""
    args: Args
    kwargs: Mapping[str, Any]
    is_async: bool
    engine: Engine | None
    """The session that the call belongs to, in async code the one it was made in; None if that is still to be found."""
    is_decided_elsewhere: bool = field(init=False)
    """Whether the other level decides or has decided to record; set by `describe`."""

    @property
    def asking_client(self) -> object:
        """The client of the SDK that makes it, None for no such client."""
        return None

    def original(self) -> object:
        """Call what was intercepted."""
        __tracebackhide__ = True
        return self.wrapped(*self.args, **self.kwargs)

    def engine_after(self, closed: Engine) -> Engine | None:
        """Return the session of a call that is awaited after its own was closed; raises ClosedSession."""
        __tracebackhide__ = True
        return engine_after(closed, self.name)

    def note_live(self, engine: Engine) -> None:  # noqa: B027 - a resource method leaves it to its client request
        """Log a call that goes out unrecorded."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What was called, for an error."""

    @abstractmethod
    def describe(self) -> Request:
        """Return its request; raises UnrecordableValue or UnrecordableCall."""

    @abstractmethod
    def decide(self, engine: Engine, request: Request) -> Decision:
        """Return the engine's decision about the request, which may have been made at the other level."""

    @abstractmethod
    def hand_over(self, engine: Engine, request: Request, capture: Capture | None = None) -> HandOver:
        """Return what to call the original with, to be recorded by `capture` or else by the other level."""

    @abstractmethod
    def replay(self, engine: Engine, request: Request, decision: Replay) -> object:
        """Return the recorded answer, or the course that makes it; raises a recorded failure."""

    @abstractmethod
    def capture(self, engine: Engine, decision: Record) -> Capture:
        """Return what records the answer."""

    @abstractmethod
    def received(self, capture: Capture, result: object) -> tuple[object, Answer | None]:
        """Return what the caller gets, and the answer to store now, None for one that is stored as it arrives."""


def begin(call: InterceptedCall) -> object:
    """Find the session, describe the request, decide; return the recorded answer, or the course to be driven."""
    __tracebackhide__ = True
    engine = call.engine
    if engine is None:
        engine = current_engine()
    elif not engine.is_open:
        engine = call.engine_after(engine)
    if engine is None or engine.is_live:
        if engine is not None:
            call.note_live(engine)
        return course_of(Invoke(call.original))
    if own_servers and is_asked_by(call.asking_client):
        return course_of(Invoke(call.original))
    engine = engine.at_call()
    request = call.describe()
    if call.is_decided_elsewhere:
        return course_of(Invoke(call.original, call.hand_over(engine, request)))
    decision = call.decide(engine, request)
    if isinstance(decision, Replay):
        return call.replay(engine, request, decision)
    return _course(call, engine, request, decision)


def course_of(step: Invoke) -> Course:
    """Return the course that takes one step and returns its result."""
    __tracebackhide__ = True
    return (yield step)


def _course(call: InterceptedCall, engine: Engine, request: Request, decision: Decision) -> Course:
    """Wait while another worker makes the same call; then replay, or make the call and record it."""
    __tracebackhide__ = True
    while isinstance(decision, Wait):
        may_wait = yield Pause(engine, decision)
        decision = engine.decide_again(decision, may_wait=may_wait)
    if isinstance(decision, Record):
        return (yield from _recorded(call, engine, request, call.capture(engine, decision)))
    if isinstance(decision, Live):
        call.note_live(engine)
        return (yield Invoke(call.original))
    replayed = call.replay(engine, request, decision)
    return (yield from replayed) if isinstance(replayed, GeneratorType) else replayed


def _recorded(call: InterceptedCall, engine: Engine, request: Request, capture: Capture) -> Course:
    __tracebackhide__ = True
    try:
        with kept_patched():  # the session may be closed before the response arrives
            result = yield Invoke(call.original, call.hand_over(engine, request, capture))
    except Exception as error:
        if not capture.stores_response:
            yield Save(capture, capture.failed(error), error)
        raise
    except BaseException:
        if not capture.stores_response:
            capture.abandon()
        raise
    try:
        result, answer = call.received(capture, result)
    except BaseException:
        capture.abandon()
        raise
    if answer is not None:
        yield Save(capture, answer, result)
    return result
