"""Example arguments of each method of the table in `inference_recorder/sdk/methods.py`: add a method's own here."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from inference_recorder.sdk.methods import METHODS

from ..conftest import HELLO

EXAMPLES: dict[str, dict[str, Any]] = {
    "chat.completions.create": HELLO,
    "completions.create": {"model": "m", "prompt": "Say hi"},
    "embeddings.create": {"model": "text-embedding-3-small", "input": ["a", "bcd"]},
    "responses.create": {"model": "gpt-4o", "input": "Say hello."},
    "moderations.create": {"input": "I like you."},
    "images.generate": {"model": "gpt-image-1", "prompt": "a cat"},
    "models.list": {},
}
"""Name of a method -> keyword arguments that it takes and that `default_reply()` of the test server answers."""

ROWS = {method.name: method for method in METHODS}


def plain_calls() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return a call of each method, by the first word of its name: "chat", "images".

    A further method of the same resource is there by its whole name.
    """
    calls: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, arguments in EXAMPLES.items():
        resource = name.partition(".")[0]
        calls[name if resource in calls else resource] = (name, arguments)
    return calls


def is_installed(name: str) -> bool:
    """Return whether the installed SDK has this method; one without a row is taken to be there."""
    return name not in ROWS or ROWS[name].is_installed


def case(name: str, *values: object, case_id: str | None = None) -> Any:
    """Return a test's parameters, to be skipped where the installed SDK does not have the method of this name."""
    if is_installed(name):
        return pytest.param(*values, id=case_id)
    reason = f"{name} is new in openai {ROWS[name].since}; installed is {openai.__version__}"
    return pytest.param(*values, id=case_id, marks=pytest.mark.skip(reason=reason))
