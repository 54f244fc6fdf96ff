"""A session whose calls several processes make: what the others need to open it, and what they report."""

from __future__ import annotations

from ..children.positions import SharedPositions
from ..children.sessions import ChildCall
from ..json_tree import JsonObject
from ..modes import InferenceMode
from .attempt_series import AttemptSeries
from .engine import Engine


def positions(engine: Engine, attempt_series: AttemptSeries, path: str) -> SharedPositions:
    """Return what counts the calls together with other processes; it keeps them in `path` if it is new."""
    with attempt_series.guard:
        return attempt_series.positions.setdefault(engine.mode_and_directory, SharedPositions(path))


def share_positions(engine: Engine, attempt_series: AttemptSeries) -> None:
    """Count the calls together with other processes from now on."""
    attempt_series.share(engine.mode_and_directory)


def take(engine: Engine, attempt_series: AttemptSeries, reported: ChildCall) -> None:
    """Log a call of a child process, and let the end of the series know of its recording."""
    engine.call_log.add(reported)
    if reported["position"] or reported["outcome"] == "dropped":
        attempt_series.note_elsewhere(
            engine.mode_and_directory,
            str(reported["call"]["key"]),
            engine.store,
            reported["position"],
            is_replaced=engine.mode is InferenceMode.RECORD,
        )


def description_of(engine: Engine) -> JsonObject:
    """Return what a child process needs to open this session, in JSON and with the secrets of its rules."""
    from ..redaction.described import described  # not for sessions that start no process

    test_run, test_id, directories = engine.test_run, engine.unredacted_test_id(), engine.store.directories
    is_wide, roots, run_log = test_run.is_wide(test_id, engine.has_own_id), directories.roots, test_run.run_log
    engine.ids.of(test_id)  # the calls of the child processes have the id with which it is recorded
    return {
        "mode": engine.mode.value,
        "written": str(directories.written),
        "read": [str(directory) for directory in directories.read],
        "roots": None if roots is None else [str(path) for path in (roots.of_run, *roots.of_recordings)],
        "given_id": engine.given_test_id,
        "is_shared": engine.has_own_id and test_id is None,
        "test_id": test_run.test_id,
        "is_wide": is_wide,
        "is_kept": is_wide and engine.mode is InferenceMode.RECORD and test_run.is_kept(),
        "record_errors": engine.record_errors,
        "may_repeat": engine.lookup.may_repeat,
        "has_plugin": test_run.has_plugin,
        "run_log": None if run_log.directory is None else str(run_log.directory),
        "overwritten": test_run.overwritten,
        "network": [engine.network.blocks_all, list(engine.network.allow_hosts)],
        **described(engine.rules),
    }
