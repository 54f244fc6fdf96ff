"""What callers pass, in JSON's own types; what has no JSON form is refused by name."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import openai
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._types import NotGiven, Omit

from inference_recorder import UnrecordableValue, inference_recording
from inference_recorder.request.jsonable import _canonical_parts, canonical_text, omitted_names, plain, plain_arguments

from ...conftest import HELLO, Colour
from ...support.openai_server import OpenAIServer


class Part(pydantic.BaseModel):
    kind: str
    size: int | None = None


@dataclasses.dataclass
class Point:
    x: int
    tags: tuple[str, ...] = ()


class Role(str, enum.Enum):
    USER = "user"


class Level(enum.Enum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Part(kind="a"), {"kind": "a"}),
        (Point(1, ("a", "b")), {"x": 1, "tags": ["a", "b"]}),
        ((n for n in (1, 2)), [1, 2]),
        (map(str, (1, 2)), ["1", "2"]),
        ({"a": openai.NOT_GIVEN, "b": NotGiven(), "c": 1}, {"c": 1}),
        (Role.USER, "user"),
        (Level.HIGH, 3),
        (OrderedDict(b=1, a=Part(kind="x")), {"b": 1, "a": {"kind": "x"}}),
        (MappingProxyType({"a": (1, 2)}), {"a": [1, 2]}),
        (datetime.date(2026, 11, 23), "2026-11-23"),
        ({2: "a", None: "b", True: "c", 1.5: "d"}, {"2": "a", "null": "b", "true": "c", "1.5": "d"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_sdk_accepts_has_a_json_form(value: Any, expected: Any) -> None:
    """Frameworks pass models, dataclasses, generators and marks for what was not given."""
    assert expected == plain(value)


@pytest.mark.parametrize(
    "value",
    [object(), b"bytes", {1, 2}, Part, lambda: None, Path("x").open, 1j, openai.OpenAI],
    ids=["object", "bytes", "set", "model class", "lambda", "method", "complex", "class"],
)
def test_what_has_no_json_form_is_refused_by_its_place(value: Any) -> None:
    """llama-stack's recorder wrote "<object at 0x7f…>", which no later run ever matched."""
    with pytest.raises(UnrecordableValue, match=r"^\$\.messages\[0\]\.content is a .* no JSON form"):
        plain_arguments({"messages": [{"content": value}]})


@pytest.mark.parametrize("name", [(1, 2), b"a", object()], ids=["tuple", "bytes", "object"])
def test_a_name_that_has_no_json_form_is_refused(name: Any) -> None:
    """An encoder may leave such members out, and then two requests share a key."""
    with pytest.raises(UnrecordableValue, match="a name in"):
        plain_arguments({"messages": [{name: 1}]})


class Effort(enum.IntEnum):
    LOW = 1


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=9)
    | st.sampled_from([Role.USER, Effort.LOW, 10**400, "\x7f\u2028", ""]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(st.characters(), max_size=5) | st.just(Role.USER), inner, max_size=4),
        st.dictionaries(st.text(max_size=2), inner, max_size=2).map(OrderedDict),
        st.dictionaries(st.integers(0, 9), inner, max_size=3),
    ),
    max_leaves=12,
)
_ARGUMENTS = st.dictionaries(st.text(max_size=9), _PLAIN, max_size=4)


@given(arguments=_ARGUMENTS)
def test_a_canonical_text_is_the_standard_librarys(arguments: dict[str, Any]) -> None:
    """Keys are hashes of these bytes; the encoder is made once, not as json makes it for each text."""
    assert json.dumps(arguments, sort_keys=True) == canonical_text(arguments)
    # So that two were compared.
    assert json.encoder.c_make_encoder is None or isinstance(_canonical_parts, json.encoder.c_make_encoder)


@given(arguments=_ARGUMENTS, marked=st.booleans(), timeout=st.booleans())
def test_arguments_that_are_json_already_say_what_walking_them_says(
    arguments: dict[str, Any], marked: bool, timeout: bool
) -> None:
    """They are taken as they are, and encoded; those that are not are walked first."""
    given_arguments = {
        **arguments,
        **({"stop": openai.NOT_GIVEN} if marked else {}),
        **({"timeout": 1} if timeout else {}),
    }
    walked = plain({name: value for name, value in given_arguments.items() if name != "timeout"})

    body, text, callable_with = plain_arguments(given_arguments)

    assert canonical_text(walked) == text == canonical_text(body)
    assert callable_with is given_arguments


def test_a_cycle_is_refused() -> None:
    """Not a RecursionError out of the depths of json."""
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    with pytest.raises(UnrecordableValue, match="nested in itself"):
        plain_arguments({"messages": cycle})


def test_a_generator_of_messages_reaches_the_server_whole(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Reading it for the key must not leave nothing for the call; the SDK's types allow any iterable."""

    def messages() -> Iterator[dict[str, str]]:
        yield from HELLO["messages"]

    for mode in ("record", "replay"):
        with inference_recording(mode, recordings) as session:
            sdk.call("chat.completions.create", model="gpt-4o", messages=messages())

    assert {"replayed": 1} == session.counts
    assert HELLO["messages"] == server.received[0].json["messages"]
    assert 1 == server.count


def test_a_pydantic_model_in_the_messages_is_one_request_with_its_dict(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Agents append the SDK's own message objects to their lists."""
    from openai.types.chat import ChatCompletionMessage

    message = ChatCompletionMessage(role="assistant", content="Hello!")
    with inference_recording("record", recordings):
        sdk.call("chat.completions.create", model="m", messages=[*HELLO["messages"], message])
    with inference_recording("replay", recordings) as session:
        as_dict = {"role": "assistant", "content": "Hello!"}
        sdk.call("chat.completions.create", model="m", messages=[*HELLO["messages"], as_dict])

    assert {"replayed": 1} == session.counts


def test_marks_for_not_given_are_no_part_of_the_request(sdk: Colour, recordings: Path) -> None:
    """Frameworks pass them for all they leave out, each in an instance of its own."""
    with inference_recording("record", recordings):
        sdk.call("chat.completions.create", **HELLO, temperature=NotGiven(), tools=openai.NOT_GIVEN)
    with inference_recording("replay", recordings) as session:
        sdk.call("chat.completions.create", **HELLO)

    assert {"replayed": 1} == session.counts
    assert HELLO == json.loads(next(recordings.glob("*.json")).read_text())["request"]["body"]


def test_only_omit_in_extra_body_leaves_an_argument_out() -> None:
    """Any other value there replaces the argument, and the recording shows both."""
    assert {"a"} == omitted_names({"a": Omit(), "b": 1, "c": None})


def test_an_unrecordable_call_is_not_sent(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """It fails when recording, where somebody looks, and not as a surprise in replay."""
    for mode in ("record", "replay", "record-if-missing"):
        with inference_recording(mode, recordings), pytest.raises(UnrecordableValue, match=r"\$\.user"):
            sdk.call("chat.completions.create", **HELLO, user=object())

    assert 0 == server.count
