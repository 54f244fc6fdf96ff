"""Answers built by validation: in all that they hold those that the SDK constructs, which is the reference."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from random import Random
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_recorder.sdk.internals import constructed
from inference_recorder.sdk.methods import METHODS
from inference_recorder.sdk.revive import reviver

from ...support.differences import differences

_WRONG: tuple[Any, ...] = (
    None, True, 0, 1, -1, 2**53 + 1, 2**63, 10**30, -0.0, 1.0, 1.5, float("inf"), "", "x", "1", "true", "é", "\ud800",
    [], {}, [1], ["a"], [None], [{}], {"a": 1}, {"type": "text"}, {"type": "no such type"}, {"object": "x", "id": 1},
)  # fmt: skip
_INTEGERS_FOR_FLOATS = (0, 3, 2**53, 2**53 + 1, -(2**63) - 1)


def _types() -> dict[str, Callable[[], Any]]:
    return {
        f"{method.name}, {kind}": (lambda name=f"{kind}_type", method=method: getattr(method, name))
        for method in METHODS
        for kind in ("answer", "chunk")
        if getattr(method, kind)
    }


@pytest.mark.parametrize("name", _types())
@settings(max_examples=100)
@given(random=st.randoms(use_true_random=True), wrongness=st.sampled_from([0.0, 0.0, 0.01, 0.05]))
def test_an_answer_is_the_one_that_the_sdk_constructs(name: str, random: Random, wrongness: float) -> None:
    """Type, values, their order, extra fields and fields set: whatever of it the code under test looks at."""
    try:
        type_ = _types()[name]()
    except AttributeError:
        pytest.skip("this version of the SDK has no such type")
    value = _like(type_, random, wrongness, 0)
    expected, from_json = constructed(type_, value), reviver(type_).from_json(json.dumps(value).encode())

    assert [] == differences(expected, reviver(type_).from_value(value))
    assert from_json is None or [] == differences(expected, from_json)
    if isinstance(expected, pydantic.BaseModel):
        actual = reviver(type_).from_value(value)
        assert expected.model_dump(warnings=False) == actual.model_dump(warnings=False)


def _like(type_: Any, random: Random, wrongness: float, depth: int) -> Any:
    """Return JSON as a server sends it for this type: with fields missing or unknown, and some wrong, at any depth."""
    if random.random() < wrongness:
        return random.choice(_WRONG)
    origin, below = get_origin(type_), get_args(type_)

    def like(inner: Any) -> Any:
        return _like(inner, random, wrongness, depth + 1)

    if origin is Annotated or origin in (Union, UnionType):
        may_end = depth > 5 and type(None) in below
        return None if may_end else like(random.choice(below) if origin is not Annotated else below[0])
    if origin is Literal:
        return random.choice(below)
    if origin is list:
        return [like(below[0]) for _ in range(random.randrange(3) if depth < 7 else 0)]
    if origin is dict:
        return {name: like(below[1]) for name in random.sample("abc", random.randrange(3))}
    if inspect.isclass(type_) and issubclass(type_, pydantic.BaseModel):
        return _like_model(type_, random, wrongness, like, depth)
    of_its_type: dict[Any, Any] = {
        type(None): [None],
        str: ["", "a", "é", "1"],
        bool: [True, False],
        int: [0, 7, 2**53 + 1, 2**63],
        float: [0.5, -0.0, 1e-9, random.choice(_INTEGERS_FOR_FLOATS)],
    }
    return random.choice(of_its_type.get(type_, _WRONG))


def _like_model(
    model: type[pydantic.BaseModel], random: Random, wrongness: float, like: Callable[[Any], Any], depth: int
) -> Any:
    usual = 0.4 if depth < 4 else 0.1
    members = [
        (field.alias or name, like(field.annotation))
        for name, field in model.model_fields.items()
        if random.random() < (1 - wrongness if field.is_required() else usual)
    ]
    members += [(name, random.choice(_WRONG)) for name in ("extra", "model_extra") if random.random() < 0.1]
    if random.random() < 0.3:
        random.shuffle(members)
    return dict(members)
