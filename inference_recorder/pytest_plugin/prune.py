"""`--inference-prune`: what no test needs goes, or is listed; what may be needed is listed with the reason."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path

import pytest

from ..errors import UnwritableRecording
from ..storage.directories import directories_from
from ..storage.trash import Deletion, remove_expired
from ..text import visible_line
from .hooks import shown_path
from .journal import Journal
from .options import DELETE
from .summary import MOST_LINES, write_list
from .unused import NOT_FOUND, NOT_RUN, OF_FIXTURES, Unused, own_directories

_REMOVABLE = (NOT_FOUND, NOT_RUN, OF_FIXTURES)
"""Whether these are needed, only people know."""


def prune(
    journal: Journal,
    unasked: list[Unused],
    config: pytest.Config,
    common: Path,
    terminal: pytest.TerminalReporter,
) -> None:
    """List all recordings that nothing asked for, and delete the needless ones with `--inference-prune=delete`."""
    needless = [unused for unused in unasked if unused.is_needless]
    kept = [unused for unused in unasked if not unused.is_needless]
    is_real = config.getoption("inference_prune") == DELETE
    for unused in needless:
        told = f"  {shown_path(unused.path, config.rootpath)}: {unused.reason} ({unused.test_id})"
        terminal.write_line(visible_line(told))
    used_ids = {use["test_id"] for use in (*journal.calls, *journal.used)}
    limit = None if config.option.verbose > 0 else MOST_LINES
    for reason in sorted({unused.reason for unused in kept}):
        of_reason = [unused for unused in kept if unused.reason == reason]
        other_ids = used_ids | {unused.test_id for unused in unasked if unused.reason != reason}
        named = _named(of_reason, config, common)
        _write_kept(terminal, reason, of_reason, {test_id or "" for test_id in other_ids}, named, limit)
    deletion = Deletion()
    if is_real:
        try:
            remove_expired(own_directories(journal, config.rootpath, common))
            deletion.discard(unused.path for unused in needless)
        except UnwritableRecording as error:
            terminal.write_line(f"  {error}", red=True)
        needless = [unused for unused in needless if unused.path in deletion.moved]
    count = "1 recording" if len(needless) == 1 else f"{len(needless)} recordings"
    kept_count = f", {len(kept)} kept that no test asked for" if kept else ""
    done, to_do = f"pruned: {count} deleted{kept_count}", f"to prune: {count}{kept_count}"
    terminal.write_line(done if is_real else f"{to_do} (--inference-prune=delete deletes)")
    if deletion.kept:
        terminal.write_line(f"  {len(deletion.kept)} stayed, since a later answer to the same request stays")
    if deletion.moved:
        terminal.write_line(f"  {deletion.undo_command(config.invocation_params.dir)} brings them back")


def _named(kept: list[Unused], config: pytest.Config, common: Path) -> list[str]:
    """Return the directories that a command has to name: all, unless they are what it looks through by itself."""
    directories = {unused.path.parent for unused in kept}
    is_plain = config.invocation_params.dir == config.rootpath and not config.getoption("inference_recordings")
    if is_plain and directories <= set(directories_from(common).read):
        return []
    return sorted(shown_path(directory, config.invocation_params.dir) for directory in directories)


def _write_kept(
    terminal: pytest.TerminalReporter,
    reason: str,
    kept: list[Unused],
    other_ids: set[str],
    directories: list[str],
    limit: int | None,
) -> None:
    counts = Counter(unused.test_id for unused in kept)
    lines = [f"{'no test id' if test_id is None else test_id}: {count}" for test_id, count in counts.items()]
    write_list(terminal, f"kept, since {reason}", lines, limit)
    if reason not in _REMOVABLE:
        return
    ids = [test_id for test_id in list(counts)[:limit] if test_id is not None and _is_removable(test_id, other_ids)]
    if ids:
        options = [part for directory in directories for part in ("--dir", directory)]
        end_of_options = ["--"] if any(test_id.startswith("-") for test_id in ids) else []
        command = shlex.join(["inference-recorder", "rm", *options, *end_of_options, *ids])
        terminal.write_line(f"    to remove them: {command}")


def _is_removable(test_id: str, other_ids: set[str]) -> bool:
    """Whether a pasted command removes what is listed and nothing else: `rm` takes all that is below an id too."""
    starts = tuple(test_id + separator for separator in ("[", "::", "/"))
    is_plain = visible_line(test_id) == test_id
    return is_plain and test_id not in other_ids and not any(other.startswith(starts) for other in other_ids)
