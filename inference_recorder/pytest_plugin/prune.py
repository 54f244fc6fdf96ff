"""`--inference-prune`: deletes or lists recordings that no test needs, and lists the others with the reason."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path

import pytest

from ..errors import UnwritableRecording
from ..storage.directories import directories_from
from ..storage.trash import Deletion
from ..text import visible_line
from .options import DELETE
from .run_report import RunReport
from .terminal import line_limit, shown_path, write_list
from .unused import NOT_FOUND, OF_FIXTURES, Unused

_REMOVABLE = (NOT_FOUND, OF_FIXTURES)
"""Reasons to keep a recording of which only the user knows whether it is needed."""


def prune(
    report: RunReport,
    unused: list[Unused],
    own_directories: list[Path],
    config: pytest.Config,
    common: Path,
    terminal: pytest.TerminalReporter,
) -> None:
    """List all unused recordings, and delete the needless ones with `--inference-prune=delete`.

    `own_directories` are those whose trash the run may empty of what has expired.
    """
    needless = [recording for recording in unused if recording.is_needless]
    kept = [recording for recording in unused if not recording.is_needless]
    is_real = config.getoption("inference_recorder_prune") == DELETE
    for recording in needless:
        line = f"  {shown_path(recording.path, config.rootpath)}: {recording.reason} ({recording.test_id})"
        terminal.write_line(visible_line(line))
    used_ids = {use["test_id"] or "" for use in (*report.calls, *report.used)}
    limit = line_limit(config)
    for reason in sorted({recording.reason for recording in kept}):
        of_reason = [recording for recording in kept if recording.reason == reason]
        counts = Counter("no test id" if each.test_id is None else each.test_id for each in of_reason)
        lines = [f"{test_id}: {count}" for test_id, count in counts.items()]
        write_list(terminal, limit, f"kept, since {reason}", lines)
        other_ids = used_ids | {recording.test_id or "" for recording in unused if recording.reason != reason}
        moved_ids = {each.test_id for each in of_reason if each.test_id != each.recorded_id}  # `rm` knows the recorded
        shown_ids = [test_id for test_id in list(counts)[:limit] if test_id not in moved_ids]
        ids = [test_id for test_id in shown_ids if _is_removable(test_id, other_ids)]
        if reason in _REMOVABLE and ids:
            terminal.write_line(f"    to remove them: {_removal(ids, _named(of_reason, config, common))}")
    deletion = Deletion(command="prune")
    if is_real:
        try:
            deletion.discard((recording.path for recording in needless), own_directories)
        except UnwritableRecording as error:
            terminal.write_line(f"  {error}", red=True)
        needless = [recording for recording in needless if recording.path in deletion.moved]
    count = "1 recording" if len(needless) == 1 else f"{len(needless)} recordings"
    kept_count = f", {len(kept)} kept that no test used" if kept else ""
    done, to_do = f"pruned: {count} deleted{kept_count}", f"to prune: {count}{kept_count}"
    terminal.write_line(done if is_real else f"{to_do} (--inference-prune=delete deletes)")
    if deletion.kept:
        terminal.write_line(f"  {len(deletion.kept)} kept, since a later answer to the same request is kept")
    if deletion.moved:
        terminal.write_line(f"  {deletion.undo_advice(config.invocation_params.dir)}")


def _named(kept: list[Unused], config: pytest.Config, common: Path) -> list[str]:
    """Return the directories that a command has to name; [] if it finds them by itself."""
    directories = {recording.path.parent for recording in kept}
    is_plain = config.invocation_params.dir == config.rootpath and not config.getoption("inference_recorder_recordings")
    if is_plain and directories <= set(directories_from(common).read):
        return []
    return sorted(shown_path(directory, config.invocation_params.dir) for directory in directories)


def _removal(ids: list[str], directories: list[str]) -> str:
    """Return the command that removes the recordings of these tests."""
    options = [part for directory in directories for part in ("--dir", directory)]
    end_of_options = ["--"] if any(test_id.startswith("-") for test_id in ids) else []
    return shlex.join(["inference-recorder", "rm", *options, *end_of_options, *ids])


def _is_removable(test_id: str, other_ids: set[str]) -> bool:
    """Whether a pasted `rm` removes what is listed and nothing else: it also takes everything below an id."""
    starts = tuple(test_id + separator for separator in ("[", "::", "/"))
    is_plain = visible_line(test_id) == test_id
    return is_plain and test_id not in other_ids and not any(other.startswith(starts) for other in other_ids)
