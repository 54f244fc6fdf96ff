"""Which test runs, as pytest's own environment variable says."""

from __future__ import annotations

import pytest

from inference_recorder.engine import test_run
from inference_recorder.engine.test_run import PYTEST_VARIABLE, running_node_id


@pytest.mark.parametrize("knows_dictionary", [True, False])
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
    variable: str | None, node_id: str | None, knows_dictionary: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the dictionary behind `os.environ`, which saves a microsecond, is not to be had."""
    if not knows_dictionary:
        monkeypatch.setattr(test_run, "_ENVIRONMENT", None)
    for value in ("test_before.py::test_it (call)", variable):
        if value is None:
            monkeypatch.delenv(PYTEST_VARIABLE)
        else:
            monkeypatch.setenv(PYTEST_VARIABLE, value)
        read = running_node_id()

    assert node_id == read
