"""Which test runs now. Holds state: the environment variable is pytest's own."""

from __future__ import annotations

import os
from typing import Any

PYTEST_VARIABLE = "PYTEST_CURRENT_TEST"


# os.environ encodes the name for each look-up, and there is one for every call; its own dict is asked first.
_ENVIRON: Any = getattr(os.environ, "_data", None)
_ENCODED_VARIABLE = os.fsencode(PYTEST_VARIABLE)


def running_test_id() -> str | None:
    """Return the node id of the test that runs now, None outside a test.

    Source: pytest sets PYTEST_CURRENT_TEST to "<node id> (<phase>)"; the phase is cut off, since a call keeps its
    recording when it moves from a test into one of the test's fixtures.
    """
    if _ENVIRON is not None and os.name == "posix" and _ENCODED_VARIABLE not in _ENVIRON:
        return None
    current = os.environ.get(PYTEST_VARIABLE)
    if not current:
        return None
    node_id, _, phase = current.rpartition(" ")
    return node_id if phase in ("(setup)", "(call)", "(teardown)") else current
