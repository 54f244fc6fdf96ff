"""What a failing test shows beside its error: answers that were recorded while it failed, and refused calls.

The former are forgotten once it passes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .terminal import from_here, shown_path

if TYPE_CHECKING:
    from ..session import Session

SECTION = "recordings"
_MOST_PATHS = 3


def remarks(
    sessions: Sequence[Session],
    server_errors: Iterable[Exception],
    node_id: str,
    config: pytest.Config,
    error: pytest.ExceptionInfo[BaseException] | None,
) -> Iterator[str]:
    """Yield what a failing test shows of what its server refused, or the guard, and of answers from a failed run."""
    past_sdk = [call.explanation for session in sessions for call in session.missed if call.host]
    if refused := dict.fromkeys([*map(str, server_errors), *past_sdk]):
        shown = "" if error is None else error.exconly()
        yield from (explanation for explanation in refused if explanation not in shown)
    if replayed := _remark(sessions, node_id, config):
        yield replayed


def _remark(sessions: Iterable[Session], node_id: str, config: pytest.Config) -> str:
    """Return what a failing test shows of such answers that it replayed; "" if there are none."""
    replayed: dict[str, None] = {}
    for session, directory, test_id in _noted(sessions):
        from ..storage.failed_runs import recorded_in_failed_run

        recorded = recorded_in_failed_run(directory, test_id)
        replayed |= dict.fromkeys(call.path for call in session.replayed if call.path in recorded)
    if not replayed:
        return ""
    paths = [shown_path(Path(path), config.rootpath) for path in replayed]
    more = [f"and {len(paths) - _MOST_PATHS} more"] if len(paths) > _MOST_PATHS else []
    return "\n".join(
        [
            "This test replayed what was first recorded while it failed:",
            *(f"  {line}" for line in [*paths[:_MOST_PATHS], *more]),
            "If that answer is the reason, record the test again, with a key:",
            f"  {shlex.join(['pytest', '--inference-mode=record', from_here(node_id, config)])}",
        ]
    )


def forget(sessions: Iterable[Session]) -> None:
    """Forget that answers of the running test were recorded while it failed: it has passed with them."""
    for _, directory, test_id in _noted(sessions):
        from ..storage.failed_runs import forget

        forget(directory, test_id)


def _noted(sessions: Iterable[Session]) -> Iterator[tuple[Session, Path, str | None]]:
    """Yield each session in whose directory something is noted, the directory, and the running test's id there."""
    for session in sessions:
        from ..storage.failed_runs import NOTES  # a test without a session does not need it

        if NOTES.has_any(directory := session.engine.directories_at_call().written):
            with suppress(Exception):  # where a function of `redact=` does not work, the test has shown it
                yield session, directory, session.engine.at_call().current_test_id()
