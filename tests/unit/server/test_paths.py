"""Paths: what a base url says of its test comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_recorder.server.paths import Route, prefix, route_of

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]).filter(str.isprintable), max_size=30)


@given(test_id=_TEXTS, run=_TEXTS, token=_TEXTS)
def test_what_a_prefix_says_comes_back(test_id: str, run: str, token: str) -> None:
    """A test id has slashes, brackets and whatever a parameter holds."""
    route = route_of(f"{prefix(test_id=test_id, run=run, token=token)}/v1/chat/completions")

    assert Route("/v1/chat/completions", token, test_id, run) == route


@pytest.mark.parametrize(
    "path",
    ["/v1/models/a%2Fb", "//v1/models", "/t", "/t/", "/t/one", "/", "", "/v1/t/one/files"],
)
def test_another_path_is_left_as_it_was_sent(path: str) -> None:
    """Keys are made of it."""
    assert Route(path) == route_of(path)


@pytest.mark.parametrize(
    ("path", "reason"), [("/t/one/t/two/v1/models", "/t/ twice"), ("/v1/%2e%2e/%2E./models", r"has \. or \.\.")]
)
def test_a_path_that_is_not_plain_is_refused(path: str, reason: str) -> None:
    """One of two tests would be a guess, and a path upwards leaves the API."""
    with pytest.raises(ValueError, match=reason):
        route_of(path)
