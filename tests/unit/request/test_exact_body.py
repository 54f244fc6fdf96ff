"""The body of a request as it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from inference_recorder.request.exact_body import exact_body


@pytest.mark.parametrize(
    "members",
    [
        {"content": "sha256:ab"},
        {"files": [["file", "a.txt", None, "sha256:ab"]]},
        {"json": {"a": 1}},
        {"extra_query": {"a": "1"}},
    ],
    ids=["bytes", "files", "not an object", "a query"],
)
def test_a_member_with_one_of_our_names_is_not_what_we_use_that_name_for(members: Any) -> None:
    """One request sends bytes, the other a text that looks like their digest: they get different answers."""
    assert exact_body(members) != exact_body({"extra_body": members})


def test_members_of_extra_body_are_merged() -> None:
    """So the SDK sends them, and they win."""
    body = {"a": 1, "b": 1, "extra_body": {"b": 2, "content": "text"}}

    assert {"a": 1, "b": 2, "content": "text"} == exact_body(body)
