"""No repr of ours shows what a client asks with: not in a notebook, an assertion, or a traceback with its locals."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import openai
import pytest

import inference_recorder
from inference_recorder import CorruptRecording, MissingRecording, UnwritableRecording, inference_recording
from inference_recorder.engine.capture_state import CaptureState
from inference_recorder.engine.decisions import Record, Wait
from inference_recorder.engine.engine import Engine
from inference_recorder.engine.series import Series
from inference_recorder.modes import InferenceMode
from inference_recorder.recording.answer import Failed, Failure
from inference_recorder.redaction.recordings import RecordingRedactor
from inference_recorder.redaction.requests import RequestRules
from inference_recorder.redaction.sent import Sent
from inference_recorder.request.credentials import Credential
from inference_recorder.request.request import Request
from inference_recorder.request.unshown import Unshown, unshown
from inference_recorder.sdk.capture import Capture
from inference_recorder.sdk.flow import Invoke, Save
from inference_recorder.sdk.hand_over import HandOver
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.store import Store

from ..conftest import HELLO, Colour, files_of
from ..support.openai_server import OpenAIServer, error
from ..support.secret_table import made

KEY, TOKEN = made(40, "shown"), made(40, "shown in a header")
OURS = str(Path(inference_recorder.__file__).parent)
KINDS = {
    "plain": ("chat.completions.create", {}),
    "stream": ("chat.completions.create", {"stream": True}),
    "raw": ("chat.completions.with_raw_response.create", {}),
    "raw stream": ("chat.completions.with_raw_response.create", {"stream": True}),
    "post": ("post", {}),
}


def every_way_to_print(value: Any) -> Iterator[str]:
    """Yield what shows a value to people or to another process."""
    yield from (repr(value), str(value), f"{value}", ascii(value), f"{[value]}")
    for way in (vars, dataclasses.asdict, lambda it: it._asdict(), tuple, list, copy.copy, copy.deepcopy, json.dumps):
        try:
            yield repr(way(value))
        except (TypeError, AttributeError):  # it has no such way
            pass
    try:
        dumped = pickle.dumps(value)
    except (TypeError, pickle.PicklingError, AttributeError):
        return
    yield repr(dumped)
    yield repr(pickle.loads(dumped))


def objects() -> dict[str, Any]:
    """Return what holds a credential while a call is on its way."""
    request = Request("POST", "/v1/x", "https://host/v1/x", {"model": "m"}, '{"model": "m"}', Credential(KEY))
    row = Series("0" * 64, threading.Condition())
    sent = Sent()
    sent.note(openai.DefaultHttpxClient(verify=False).build_request("GET", "https://host", headers={"x-key": KEY}))
    rules = RequestRules()
    rules.keyed(request, f"test[{KEY}]")
    rules.scope("test", request.credential)
    answer = Failed(Failure("AuthenticationError", f"wrong key: {KEY}", 401, {"message": KEY}))
    record = Record(request, {}, "0" * 64, None, row, None, CaptureState(1, arrived=answer), sent=sent)
    engine = Engine(InferenceMode.RECORD, Store(Directories(written=Path(), read=())))
    capture = Capture(engine, record)
    return {
        "credential": request.credential,
        "request": request,
        "sent": sent,
        "plan to record": record,
        "plan to wait": Wait(request, "0" * 64, None, row, 1),
        "hand-over": repr(HandOver(engine, request, capture=capture)),
        "step to invoke": repr(Invoke(partial(sorted, [KEY]))),
        "step to save": repr(Save(capture, answer, [KEY])),
        "rules": rules,
        "what rules remember": rules._secrets,
        "hidden": repr(RecordingRedactor(rules.redactor_of(request), request.credential, sent)),
        "answer": repr(answer),  # its fields are the answer's own
        "unshown": Unshown(KEY),
    }


@pytest.mark.parametrize("name", list(objects()))
def test_nothing_of_ours_prints_a_credential(name: str) -> None:
    """`Request` was a tuple with the key in it: `session.requests` in a notebook cell showed it."""
    for shown in every_way_to_print(objects()[name]):
        assert KEY not in shown


def test_the_environment_is_not_among_the_variables_of_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """`vars(rules)` showed the whole environment, with all its keys."""
    monkeypatch.setenv("WEATHER_API_KEY", KEY)
    monkeypatch.setenv("WEATHER_PIN", TOKEN)
    recorder = inference_recording("replay")
    recorder(print)  # one that is not used warns

    for shown in (*every_way_to_print(recorder), *every_way_to_print(recorder._rules)):
        assert KEY not in shown
        assert TOKEN not in shown


def test_equal_keys_are_equal_and_a_copy_is_empty() -> None:
    """What is remembered of a client's key is found again; what leaves the process has none."""
    assert Credential(KEY) == Credential(KEY) != Credential(TOKEN)
    assert hash(Credential(KEY)) == hash(Credential(KEY))
    assert "" == copy.deepcopy(Credential(KEY)).text == pickle.loads(pickle.dumps(Credential(KEY))).text
    assert {"a": KEY} == unshown({"a": KEY})
    assert "{'a': <not shown>}" == repr(unshown({"a": KEY}))
    with pytest.raises(TypeError):
        copy.copy(Unshown(KEY))


@pytest.mark.parametrize("mode", ["record", "replay"])
def test_the_requests_of_a_session_are_those_of_its_recordings(
    mode: str, make_sdk: Callable[..., Colour], recordings: Path
) -> None:
    """An assertion about them that holds while recording holds in a replay too."""
    call = HELLO | {"messages": [{"role": "user", "content": f"Use {KEY}, or sk-{made(40, 'shaped')}."}]}
    sdk = make_sdk(api_key=KEY)
    with inference_recording("record", recordings) as session:
        sdk.call("chat.completions.create", **call)
    if mode == "replay":
        with inference_recording("replay", recordings) as session:
            sdk.call("chat.completions.create", **call)

    (request,) = session.requests
    assert "Use __REDACTED__, or __REDACTED__." == request.body["messages"][0]["content"]
    assert request.credential is None
    json.dumps(session.requests)
    assert session.requests == pickle.loads(pickle.dumps(session.requests))


def frames_of(raised: BaseException | None) -> Iterator[FrameType]:
    """Yield the frames of this package that a traceback of an error shows, with those of its causes."""
    while raised is not None:
        traceback = raised.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename.startswith(OURS):
                yield traceback.tb_frame
            traceback = traceback.tb_next
        raised = raised.__cause__ or raised.__context__


def provoke(case: str, kind: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> BaseException:
    """Make a call go wrong in this way, and return the error that the caller gets."""
    name, more = KINDS[kind]
    arguments: Any = ("/chat/completions",) if kind == "post" else ()
    body = {"body": HELLO, "cast_to": object} if kind == "post" else HELLO | more
    headers = {"options": {"headers": {"x-token": TOKEN}}} if kind == "post" else {"extra_headers": {"x-token": TOKEN}}

    def call() -> None:
        result = sdk.call(name, *arguments, **body, **headers)
        result = result.parse() if "raw" in kind else result
        if "stream" in kind:
            sdk.items(result)

    mode, expected = {
        "miss": ("replay", MissingRecording),
        "corrupt": ("replay", CorruptRecording),
        "unwritable": ("record", UnwritableRecording),
        "failing": ("record", openai.AuthenticationError),
        "failing again": ("replay", openai.AuthenticationError),
    }[case]
    if case.startswith("failing"):
        server.answers("/v1/chat/completions", error(401, "Wrong key."))
    if case in ("corrupt", "unwritable", "failing again"):
        with inference_recording("record", recordings, test_id="t", record_errors=True):
            try:
                call()
            except openai.AuthenticationError:
                pass
        recording = recordings / files_of(recordings)[0]
        if case != "failing again":
            recording.unlink()
        if case == "corrupt":
            recording.write_text('{\n  "test_id": "t"')
        elif case == "unwritable":
            recording.mkdir()
    with (
        inference_recording(mode, recordings, test_id="t"),  # type: ignore[arg-type]
        pytest.raises(expected) as caught,  # type: ignore[var-annotated,arg-type]
    ):
        call()
    return caught.value  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow if kind in ("raw", "post") else ()) for kind in KINDS]
)
@pytest.mark.parametrize("case", ["miss", "corrupt", "unwritable", "failing", "failing again"])
def test_no_local_of_ours_shows_a_credential(
    case: str,
    kind: str,
    make_sdk: Callable[..., Colour],
    server: OpenAIServer,
    recordings: Path,
    sessions_are_runs: None,
) -> None:
    """`pytest --full-trace -l` prints the locals of each frame; CI logs are public."""
    raised = provoke(case, kind, make_sdk(api_key=KEY), server, recordings)

    frames = list(frames_of(raised))
    assert frames
    for frame in frames:
        for name, value in frame.f_locals.items():
            shown = repr(value)
            assert KEY not in shown, (frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else "", name)
            assert TOKEN not in shown, (frame.f_code.co_name, name)


def test_a_client_that_cannot_be_made_does_not_show_its_key(recordings: Path) -> None:
    """Our part of its constructor holds the arguments."""
    with inference_recording("replay", recordings), pytest.raises(Exception) as caught:  # noqa: PT011
        openai.AzureOpenAI(api_key=KEY, api_version="2024-06-01")  # type: ignore[call-overload]

    frames = list(frames_of(caught.value))
    assert frames
    assert [] == [frame for frame in frames for value in frame.f_locals.values() if KEY in repr(value)]


def test_a_rule_of_the_callers_that_fails_does_not_show_the_environment(
    client: openai.OpenAI, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values that were looked for just before were a local of the frame that called it."""
    monkeypatch.setenv("WEATHER_API_KEY", KEY)

    def broken(text: str) -> str:
        raise ValueError("the rule is broken")

    with (
        inference_recording("replay", recordings, redact=[broken]),
        pytest.raises(ValueError, match="broken") as caught,
    ):
        client.chat.completions.create(**HELLO)

    assert [] == [frame for frame in frames_of(caught.value) for value in frame.f_locals.values() if KEY in repr(value)]
