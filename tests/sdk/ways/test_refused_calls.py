"""Calls that the SDK itself refuses: its own error in replay too, and no miss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import openai
import pydantic
import pytest
from openai.resources.chat.completions import Completions

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.sdk.methods import METHODS

from ...conftest import HELLO, Colour
from ...support.example_calls import EXAMPLES, case
from ...support.openai_server import OpenAIServer

REFUSED = {
    f"{name}, {what}": (name, args, kwargs)
    for name, enough in EXAMPLES.items()
    for what, args, kwargs in [
        ("no arguments", (), {}),
        ("an unknown keyword", (), {**enough, "mesages": []}),
        ("an unknown keyword alone", (), {"mesages": []}),
        *(
            (f"without {left_out}", (), {other: value for other, value in enough.items() if other != left_out})
            for left_out in enough
        ),
        ("a positional argument", ("m",), enough),
    ]
} | {
    "chat, a model class as its format": (
        "chat.completions.create",
        (),
        {**HELLO, "response_format": type("Answer", (pydantic.BaseModel,), {})},
    ),
}


def refusal(sdk: Colour, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BaseException | None:
    """Return the error of a call, None where there is none."""
    try:
        sdk.call(name, *args, **kwargs)
    except Exception as error:
        return error
    return None


def test_all_methods_of_the_table_are_tried() -> None:
    """A row added to the table is tried here too."""
    assert {method.name for method in METHODS} == set(EXAMPLES)


@pytest.mark.parametrize("refused", [case(call[0], name) for name, call in REFUSED.items()])
def test_a_call_that_the_sdk_refuses_is_refused_the_same_in_replay(
    refused: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A typing mistake must not look like something to record."""
    name, args, kwargs = REFUSED[refused]
    live = refusal(sdk, name, args, kwargs)
    is_refused = server.count == 0
    server.received.clear()
    with inference_recording("replay", recordings) as session:
        replayed = refusal(sdk, name, args, kwargs)

    assert 0 == server.count
    if is_refused:
        assert (type(live), str(live)) == (type(replayed), str(replayed))
        assert ({}, ()) == (session.counts, session.requests)
    else:
        assert isinstance(replayed, MissingRecording)
        assert {"missed": 1} == session.counts


class Stopping(Mapping[str, str]):
    """Raises StopIteration when it is read."""

    def __iter__(self) -> Iterator[str]:
        raise StopIteration("nothing more")

    def __len__(self) -> int:
        return 1

    def __getitem__(self, name: str) -> str:
        return name


@pytest.mark.parametrize("mode", ["replay", "record", "record-if-missing"])
def test_a_stop_iteration_of_an_argument_is_what_it_is_in_the_sdk(
    mode: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """As itself it would end a loop of the caller's without a word."""
    live = refusal(sdk, "chat.completions.create", (), {**HELLO, "metadata": Stopping()})
    with inference_recording(mode, recordings):
        recorded = refusal(sdk, "chat.completions.create", (), {**HELLO, "metadata": Stopping()})

    assert RuntimeError is type(live) is type(recorded)
    assert 0 == server.count


@pytest.mark.parametrize("name", [case(name, name) for name in EXAMPLES])
def test_a_call_that_the_sdk_accepts_is_a_miss(name: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Asking the SDK first must neither hide a miss nor send anything."""
    with inference_recording("replay", recordings) as session, pytest.raises(MissingRecording):
        sdk.call(name, **EXAMPLES[name])

    assert {"missed": 1} == session.counts
    assert 0 == server.count


def test_a_refused_call_takes_no_place_among_the_answers(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """The next call that is accepted gets the first answer."""
    with inference_recording("record", recordings):
        recorded = [sdk.call("chat.completions.create", **HELLO).choices[0].message.content for _ in range(2)]
    with inference_recording("replay", recordings) as session:
        for _ in range(2):
            with pytest.raises(TypeError):
                sdk.call("chat.completions.create", model="gpt-4o")
        replayed = [sdk.call("chat.completions.create", **HELLO).choices[0].message.content for _ in range(2)]

    assert recorded == replayed
    assert {"replayed": 2} == session.counts


def test_a_one_shot_iterable_is_read_once(sdk: Colour, recordings: Path) -> None:
    """Its items are in the error of the miss; the SDK is asked with the same."""
    read: list[str] = []

    def messages() -> Iterator[dict[str, str]]:
        for word in ("a", "b"):
            read.append(word)
            yield {"role": "user", "content": word}

    with inference_recording("replay", recordings), pytest.raises(MissingRecording):
        sdk.call("chat.completions.create", model="gpt-4o", messages=messages())

    assert ["a", "b"] == read


@pytest.mark.parametrize("position", ["_post", "client"])
def test_what_a_test_put_in_place_of_sending_is_not_called(position: str, sdk: Colour, recordings: Path) -> None:
    """In replay nothing is sent, not to a mock either."""
    completions = sdk.client.chat.completions
    owner, name = (completions, "_post") if position == "_post" else (sdk.client, "post")
    with mock.patch.object(owner, name) as sent:
        with inference_recording("replay", recordings), pytest.raises(MissingRecording):
            sdk.call("chat.completions.create", **HELLO)
        assert completions._post is (sent if position == "_post" else completions._post)

    assert 0 == sent.call_count


def a_fake(self: Any, **kwargs: Any) -> Any:
    raise AssertionError("it was called in replay")


@pytest.mark.parametrize("kind", ["mock", "with a specification", "function", "wrapper"])
def test_a_mock_in_place_of_a_method_is_not_asked(
    kind: str, client: openai.OpenAI, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the SDK's own method is known to do nothing before it sends."""
    if kind == "mock":
        monkeypatch.setattr(Completions, "create", mock.Mock(side_effect=a_fake))
    elif kind == "with a specification":
        monkeypatch.setattr(Completions, "create", mock.create_autospec(Completions.create, side_effect=a_fake))
    else:
        if kind == "wrapper":
            monkeypatch.setattr(a_fake, "__module__", Completions.create.__module__)
        monkeypatch.setattr(Completions, "create", a_fake)
    with inference_recording("replay", recordings) as session, pytest.raises(MissingRecording):
        client.chat.completions.create(**HELLO)

    assert {"missed": 1} == session.counts
