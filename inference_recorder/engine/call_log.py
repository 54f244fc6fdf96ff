"""The calls of one session."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import count
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, cast

from ..children import usage as process_usage
from ..children.origin import Origin
from ..children.sessions import ChildCall
from ..errors import CorruptRecording, LiveCallBlocked, MissingRecording
from ..explanation import Advice
from ..json_tree import JsonObject
from ..recording.answer import Failure, reason_of
from ..recording.usage import Usage, usage_of
from ..redaction.requests import RequestRules, recorded_request
from ..redaction.sent import Sent
from ..request.jsonable import NOT_PART_OF_A_REQUEST
from ..request.request import Request
from ..storage.catalogue import entry_of
from ..storage.dropped import DroppedCall, DroppedCalls
from ..storage.store import Store
from .decisions import Record

Outcome = Literal["replayed", "recorded", "missed", "dropped", "live"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a session."""

    endpoint: str
    """Such as "/v1/chat/completions"."""
    model: str
    """The requested model, "" if there is none."""
    key: str
    """The request's key. It is "" for a live call, whose key nobody computed, and for a call past the SDK."""
    test_id: str | None
    """The test that made the call. None outside a test, and for a live call of the SDK."""
    path: str | None = None
    """The recording's file as it was named then, or None."""
    started: float = 0.0
    """When the call was made, in seconds since 1970."""
    seconds: float = 0.0
    """From then until the whole answer was recorded; 0 for a call that was not recorded."""
    chunk_seconds: tuple[float, ...] = ()
    """When each chunk of a stream arrived while recording, counted from `started`."""
    explanation: str = ""
    """For a missed call or a refused connection the text of its error; for a dropped call, how it failed."""
    number: int = 0
    """Position among all calls of the session, in the order they were made; a clock may stand still or go back."""
    cause: Advice | None = None
    """What a missed call comes of, as far as other calls may miss for the same reason."""
    failure: str = ""
    """What a recorded or dropped call failed with, such as "429 RateLimitError"; "" for one that did not fail."""
    host: str = ""
    """The host of a live or missed call that went past the SDK; "" for any other."""


class CallLog:
    """The calls of one session.

    Threads only append to the lists, which needs no lock. A replay takes some 30 µs, so for one only what is at hand is
    kept.
    """

    def __init__(self, store: Store, mode: str) -> None:
        self.origin: Origin | None = None
        """In a process that was started in the session, or forked: where it reports its calls."""
        self.collect: Callable[[], None] = lambda: None
        """Adds the calls that child processes have reported."""
        self._mode = mode
        self._dropped = DroppedCalls(store)
        self._numbers = count(1)
        self._replays: list[tuple[str, str, str, str | None, str, float, int]] = []
        """The fields of a Call, which is made when it is read."""
        self._others: dict[Outcome, list[Call]] = {"recorded": [], "missed": [], "dropped": [], "live": []}
        self.urls: set[str] = set()
        """What the calls were meant for."""
        self._unanswered: list[tuple[int, Request, Sent]] = []
        """The number and the request of each call that no recording answered, and what it has sent."""
        self._recorded_elsewhere: list[Call] = []
        """What child processes recorded."""

    def next_number(self) -> int:
        """Return the position of a call that is made now among all calls of the session."""
        return next(self._numbers)

    def replayed(self, request: Request, key: str, test_id: str | None, path: str) -> None:
        """Log a call that a recording answers."""
        if process_usage.listeners:
            process_usage.tell_use("replayed", test_id, key, path)
        number = next(self._numbers)
        self._replays.append((request.endpoint, request.model, key, test_id, path, time.time(), number))
        if self.origin is not None:
            self.origin.report("replayed", asdict(self._replayed(self._replays[-1])))

    def made(self, decision: Record) -> None:
        """Log a call that is made to be recorded."""
        self._unanswered.append((decision.number, decision.request, decision.sent))

    def recorded(self, decision: Record, path: Path, request: JsonObject, failure: Failure | None) -> None:
        """Log a call whose answer is stored; `request` is the one in the recording, without secrets."""
        process_usage.tell_use("recorded", decision.test_id, decision.key, str(path))
        call = replace(
            _call(decision, request, failure),
            path=str(path),
            seconds=time.time() - decision.started,
            chunk_seconds=tuple(at - decision.started for at in decision.state.chunk_times),
        )
        is_alone = not (decision.series.is_wide or decision.request.is_model_list)
        self._log("recorded", call, decision.state.position if is_alone else 0)
        self._dropped.forget(decision.test_id, decision.key)

    def dropped(self, decision: Record, request: JsonObject, failure: Failure) -> None:
        """Log a failed call that is not recorded, for later runs too; neither argument holds a secret."""
        explanation = (
            f"{reason_of(failure)}: {failure.message}\n"
            "This failed call was not recorded and replaced nothing; run again, or record it with record_errors=True."
        )
        process_usage.tell_unanswered()
        call = replace(_call(decision, request, failure), explanation=explanation)
        self._log("dropped", call)
        failed_with = failure.type, failure.status_code, failure.message
        self._dropped.remember(
            decision.test_id, DroppedCall(call.key, call.endpoint, call.model, self._mode, call.started, *failed_with)
        )

    def missed(self, request: Request, key: str, test_id: str | None, error: MissingRecording) -> None:
        """Log a call that no recording answers, for which this error is raised."""
        process_usage.tell_unanswered()
        number = next(self._numbers)
        self._unanswered.append((number, request, Sent()))
        missed = Call(
            request.endpoint,
            request.model,
            key,
            test_id,
            None,
            time.time(),
            explanation=str(error),
            number=number,
            cause=error.cause,
        )
        self._log("missed", missed)

    def live(self, endpoint: str, *, test_id: str | None = None, host: str = "") -> None:
        """Log a call that goes to the network unrecorded; `host` is that of one that goes past the SDK."""
        self._log("live", Call(endpoint, "", "", test_id, started=time.time(), number=next(self._numbers), host=host))

    def _log(self, outcome: Outcome, call: Call, position: int = 0) -> None:
        self._others[outcome].append(call)
        if self.origin is not None:
            self.origin.report(outcome, asdict(call), position)

    def add(self, reported: ChildCall) -> None:
        """Log a call that a child process made."""
        outcome, number = cast(Outcome, reported["outcome"]), next(self._numbers)
        call = replace(call_of(reported), number=number)
        if outcome == "replayed":
            path = call.path or ""
            self._replays.append((call.endpoint, call.model, call.key, call.test_id, path, call.started, number))
        else:
            self._others[outcome].append(call)
            self._recorded_elsewhere += [call] if outcome == "recorded" else []

    def blocked(self, error: LiveCallBlocked) -> None:
        """Log a connection past the SDK that was refused, as a missed call: no recording answers it."""
        process_usage.tell_unanswered()
        number, started = next(self._numbers), time.time()
        call = Call("", "", "", error.test_id, None, started, explanation=str(error), number=number, host=error.host)
        self._log("missed", call)

    def counts(self) -> Counter[Outcome]:
        """Return the number of calls for each outcome, without those that are zero."""
        self.collect()
        lengths: dict[Outcome, int] = {"replayed": len(self._replays)}
        lengths |= {outcome: len(calls) for outcome, calls in self._others.items()}
        return Counter({outcome: length for outcome, length in lengths.items() if length})

    def calls(self, outcome: Outcome) -> tuple[Call, ...]:
        """Return the calls with this outcome, in order."""
        self.collect()
        if outcome != "replayed":
            return tuple(self._others[outcome])
        return tuple(map(self._replayed, self._replays))

    @staticmethod
    def _replayed(fields: tuple[str, str, str, str | None, str, float, int]) -> Call:
        endpoint, model, key, test_id, path, started, number = fields
        return Call(endpoint, model, key, test_id, path, started, number=number)

    def requests(self, rules: RequestRules) -> tuple[Request, ...]:
        """Return the requests in order, without secrets; for a replayed call the one in its recording.

        Of child processes, those that have a recording. Ten thousand requests kept would be ten megabytes. Raises
        CorruptRecording.
        """
        with_recordings = (*self.calls("replayed"), *self._recorded_elsewhere)
        replayed = [(call.number, _request_in(call.path)) for call in with_recordings if call.path]
        others = ((number, _shown(request, sent, rules)) for number, request, sent in self._unanswered)
        return tuple(request for _, request in sorted((*replayed, *others), key=itemgetter(0)))

    def unanswered(self, rules: RequestRules) -> dict[int, Request]:
        """Return the requests of the missed and dropped calls by the calls' numbers, without secrets."""
        numbers = {call.number for call in (*self._others["missed"], *self._others["dropped"])}
        return {number: _shown(request, sent, rules) for number, request, sent in self._unanswered if number in numbers}

    def usage(self) -> dict[str, Usage]:
        """Return the tokens used, by requested model; raises CorruptRecording."""
        used: dict[str, Usage] = {}
        for call in (*self.calls("replayed"), *self.calls("recorded")):
            if call.path is None:
                continue
            if (usage := usage_of(entry_of(Path(call.path)).recording())) is not None:
                used[call.model] = used.get(call.model, Usage()) + usage
        return used


def call_of(reported: ChildCall) -> Call:
    """Return a call that a child process has reported."""
    fields: dict[str, Any] = reported["call"] | {"chunk_seconds": tuple(reported["call"]["chunk_seconds"])}
    if fields["cause"] is not None:
        lines, command, target = fields["cause"]
        fields["cause"] = Advice(tuple(lines), tuple(command), target)
    return Call(**fields)


def _shown(request: Request, sent: Sent, rules: RequestRules) -> Request:
    # The bodies kept are the callers', who go on appending to their lists.
    request = rules.shown(request._replace(body=json.loads(request.body_text)))
    endpoint, url = sent.without_values(request.endpoint, "endpoint"), sent.without_values(request.url, "url")
    return request.with_body(sent.without_values(request.body, "body"))._replace(endpoint=endpoint, url=url)


def _call(decision: Record, request: JsonObject, failure: Failure | None) -> Call:
    return Call(
        str(request["endpoint"]), str(request["model"]), decision.key, decision.test_id, started=decision.started,
        number=decision.number, failure="" if failure is None else reason_of(failure),
    )  # fmt: skip


def _request_in(path: str) -> Request:
    entry = entry_of(Path(path))
    try:
        request = recorded_request(entry.request)
    except ValueError as error:
        raise CorruptRecording(path, f"$.request: {error}") from None
    return request.with_body({name: value for name, value in request.body.items() if name not in NOT_PART_OF_A_REQUEST})
