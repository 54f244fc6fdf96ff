"""Which test runs now. Holds state: the environment variable is pytest's own."""

from __future__ import annotations

import os

PYTEST_VARIABLE = "PYTEST_CURRENT_TEST"


def running_test_id() -> str | None:
    """Return the node id of the test that runs now, None outside a test.

    Source: pytest sets PYTEST_CURRENT_TEST to "<node id> (<phase>)"; the phase is cut off, since a call keeps its
    recording when it moves from a test into one of the test's fixtures.
    """
    current = os.environ.get(PYTEST_VARIABLE)
    if not current:
        return None
    node_id, _, phase = current.rpartition(" ")
    return node_id if phase in ("(setup)", "(call)", "(teardown)") else current
