"""A miss that an environment variable causes says so, and what it says to do helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.diagnosis.variables import _fillings

from ...conftest import Colour
from ...support.secret_table import SECRETS
from .directories import TEST

VALUE = "development-environment"
KEY = SECRETS[0].one
ADVICE = 'secret_env = ["!APP_TOKEN"]'


def asking(text: str) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}


def record(sdk: Colour, recordings: Path, text: str, **arguments: Any) -> None:
    with inference_recording("record", recordings, test_id=TEST, **arguments):
        sdk.call("chat.completions.create", **asking(text))


def miss(sdk: Colour, recordings: Path, text: str, **arguments: Any) -> MissingRecording:
    with inference_recording("replay", recordings, test_id=TEST, **arguments):
        with pytest.raises(MissingRecording) as caught:
            sdk.call("chat.completions.create", **asking(text))
    return caught.value


def assert_answers(sdk: Colour, recordings: Path, text: str, **arguments: Any) -> None:
    with inference_recording("replay", recordings, test_id=TEST, **arguments) as session:
        sdk.call("chat.completions.create", **asking(text))
    assert {"replayed": 1} == session.counts


def test_a_variable_that_hides_what_was_recorded_in_clear_is_named(
    sdk: Colour, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's shell has a variable that the machine that recorded had not."""
    text = f"Deploy {VALUE} with {KEY}."
    record(sdk, recordings, text)
    monkeypatch.setenv("APP_TOKEN", VALUE)

    error = miss(sdk, recordings, text)

    assert "the value of APP_TOKEN" in str(error)
    assert ADVICE in str(error)
    assert VALUE not in f"{error}{error!r}{error.__dict__}"
    assert_answers(sdk, recordings, text, secret_env=["!APP_TOKEN"])


def test_a_variable_that_hid_what_is_asked_in_clear_is_named(
    sdk: Colour, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In CI the variable of the developer's machine is not set, while the prompt is the same."""
    text = f"Deploy {VALUE}."
    monkeypatch.setenv("APP_TOKEN", VALUE)
    record(sdk, recordings, text)
    monkeypatch.delenv("APP_TOKEN")

    error = miss(sdk, recordings, text)

    assert "with the value of APP_TOKEN" in str(error)
    assert "set the variable to it" in str(error)
    assert "exclude the variable and record again" in str(error)
    assert ADVICE in str(error)
    monkeypatch.setenv("APP_TOKEN", VALUE)
    assert_answers(sdk, recordings, text)
    record(sdk, recordings, text, secret_env=["!APP_TOKEN"])
    monkeypatch.delenv("APP_TOKEN")
    assert_answers(sdk, recordings, text, secret_env=["!APP_TOKEN"])


def test_a_variable_with_another_value_is_named(sdk: Colour, recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another text of the same prompt is a secret now."""
    text = f"Deploy {VALUE} to amsterdam-of-the-north."
    monkeypatch.setenv("APP_TOKEN", VALUE)
    record(sdk, recordings, text)
    monkeypatch.setenv("APP_TOKEN", "amsterdam-of-the-north")

    error = miss(sdk, recordings, text)

    assert "the value of APP_TOKEN" in str(error)
    assert "amsterdam-of-the-north" not in str(error)
    monkeypatch.setenv("APP_TOKEN", VALUE)
    assert_answers(sdk, recordings, text)


@pytest.mark.parametrize("text", ["Deploy something else.", "Remove development-environment.", f"Deploy {VALUE}. Now."])
def test_no_variable_is_blamed_for_another_request(
    text: str, sdk: Colour, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Advice that cannot help is worse than none."""
    monkeypatch.setenv("APP_TOKEN", VALUE)
    record(sdk, recordings, f"Deploy {VALUE}.")

    error = miss(sdk, recordings, text)

    assert "APP_TOKEN" not in str(error)


def test_the_recording_names_the_variable_and_not_its_value(
    sdk: Colour, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the name, a user who has not set it cannot find it. A key that looks like one needs no variable."""
    monkeypatch.setenv("APP_TOKEN", VALUE)
    monkeypatch.setenv("LOOKS_LIKE_A_KEY", KEY)
    record(sdk, recordings, f"Deploy {VALUE} with {KEY}.")
    (path,) = recordings.glob("*.json")

    assert ["APP_TOKEN"] == json.loads(path.read_bytes())["request"]["secret_env"][:1]
    assert VALUE not in path.read_text()


@pytest.mark.parametrize(
    ("text", "filled", "expected"),
    [
        ('{"a": "__REDACTED__"}', '{"a": "x"}', ["x"]),
        ('{"a": "x __REDACTED__ y __REDACTED__"}', '{"a": "x 1 y 2 y 3"}', ["1", "2 y 3"]),
        ('{"a": "__REDACTED_N__"}', '{"a": 12}', ["12"]),
        ('{"a": "__REDACTED__, __REDACTED__"}', '{"a": "__REDACTED__, x"}', ["x"]),
        ('{"a": "__REDACTED__"}', '{"a": "x", "b": "y"}', None),
        ('{"a": "__REDACTED__"}', '{"a": ""}', None),
        ('{"a": "x"}', '{"a": "x"}', None),
    ],
)
def test_a_placeholder_stands_for_something_within_one_value(text: str, filled: str, expected: Any) -> None:
    """Two requests of other members are two requests."""
    assert expected == _fillings(text, filled)
