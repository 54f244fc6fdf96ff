"""Which test runs, as pytest's own environment variable says."""

from __future__ import annotations

import os

import pytest

from inference_recorder.engine import test_run
from inference_recorder.engine.test_run import PYTEST_VARIABLE, running_node_id


@pytest.mark.parametrize("environment", ["usual", "replaced", "Windows"])
@pytest.mark.parametrize(
    ("variable", "node_id"),
    [
        (None, None),
        ("", None),
        ("test_a.py::test_it (setup)", "test_a.py::test_it"),
        ("test_a.py::test_it (call)", "test_a.py::test_it"),
        ("test_a.py::test_it (teardown)", "test_a.py::test_it"),
        ("test_a.py::test_it[a (b)] (call)", "test_a.py::test_it[a (b)]"),
        ("test_a.py::test_ä", "test_a.py::test_ä"),
    ],
)
def test_the_node_id_is_read_each_time(
    variable: str | None, node_id: str | None, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where `os.environ` is a plain dictionary, and on Windows, where names are not encoded."""
    if environment == "Windows":
        monkeypatch.setattr(test_run, "_ENCODED_VARIABLE", None)
    if environment == "replaced":
        monkeypatch.setattr(os, "environ", {PYTEST_VARIABLE: ""})
    for value in ("test_before.py::test_it (call)", variable):
        if value is None:
            monkeypatch.delenv(PYTEST_VARIABLE)
        else:
            monkeypatch.setenv(PYTEST_VARIABLE, value)
        read = running_node_id()

    assert node_id == read
