"""A request as people see it."""

from __future__ import annotations

from typing import Any

import pytest

from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.request import Request


@pytest.mark.parametrize(
    ("body", "expected"),
    [({"model": "m"}, "POST /v1/x (model m)"), ({}, "POST /v1/x"), ({"model": 7}, "POST /v1/x")],
    ids=["with a model", "without one", "with a model that is not a name"],
)
def test_a_summary_names_the_model_if_there_is_one(body: Any, expected: str) -> None:
    """It is the first line of a miss."""
    assert expected == Request("POST", "/v1/x", "https://host/v1/x", body, canonical_text(body)).summary
