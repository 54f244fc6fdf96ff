"""Recordings that no test needs any more, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ..errors import CorruptRecording
from ..fixture_ids import parsed_fixture_id
from ..format.model_lists import MODEL_LIST_START
from ..identity.keys import generation_of, is_bound_to_its_test, request_key
from ..storage.catalogue import Entry, entries_in, key_of
from ..storage.places import Places, common_folder, places_from
from ..storage.store import Store
from .journal import Journal


class Unused(NamedTuple):
    """A recording that nothing asked for."""

    path: Path
    test_id: str | None
    reason: str


def unread_recordings(journal: Journal, folders: Iterable[Path]) -> Iterator[Unused]:
    """Yield the recordings of tests that passed in this run without asking for them."""
    passed = set(journal.passed) - set(journal.not_passed)
    for entry in _unread(journal, folders):
        if entry.test_id in passed and not _is_shared(entry):
            yield Unused(entry.path, entry.test_id, "its test passed and did not ask for it")


def needless_recordings(journal: Journal, folders: Iterable[Path]) -> Iterator[Unused]:
    """Yield the recordings that a passed run of the whole suite shows to be needless.

    To be asked only of such a run. Those of a test that was deselected, skipped or expected to fail are left out.
    """
    passed, collected = set(journal.passed) - set(journal.not_passed), set(journal.collected)
    known = {scope for test_id in collected for scope in _scopes_of(test_id)}
    have_all_passed = bool(collected) and passed >= collected and not journal.not_collected
    for entry in _unread(journal, folders):
        test_id = entry.test_id
        if _is_shared(entry):
            if have_all_passed:
                yield Unused(entry.path, test_id, "every test passed and none asked for it")
        elif test_id in passed:
            yield Unused(entry.path, test_id, "its test passed and did not ask for it")
        elif test_id in collected or _is_below(test_id and _node_id(test_id), journal.not_collected):
            continue
        elif test_id is not None and "::" in (node_id := _node_id(test_id)) and node_id not in known:
            yield Unused(entry.path, test_id, "there is no such test any more")
        elif have_all_passed:
            yield Unused(entry.path, test_id, "every test passed and none asked for it")


def folders_of_the_run(journal: Journal, root: Path) -> list[Path]:
    """Return where recordings of this run lie: below the root, or where an option or the environment says."""
    folders = [*places_from(common_folder()[0]).read, *map(Path, journal.folders)]
    return [folder for folder in dict.fromkeys(folders) if folder.is_relative_to(root) or folder in folders[:3]]


def is_whole_suite(config: pytest.Config) -> bool:
    """Whether this run looked at every test there is: no files or folders were named, and none left out."""
    named = config.args_source.name == "ARGS"
    is_at_root = config.args_source.name == "TESTPATHS" or config.invocation_params.dir == config.rootpath
    left_out = any(config.getoption(name, None) for name in ("ignore", "ignore_glob", "lf"))
    return not named and is_at_root and not left_out


def delete(unused: Iterable[Unused]) -> None:
    """Delete these recordings and what lies beside them; raises UnwritableRecording."""
    for one in unused:
        Store(Places(one.path.parent, ())).remove(one.path.name.removesuffix(".json"))


def _unread(journal: Journal, folders: Iterable[Path]) -> Iterator[Entry]:
    asked = {call["path"] for call in journal.calls}
    # A row recorded anew may have closed its gaps.
    keys = {call["key"] for call in journal.calls if call["outcome"] == "recorded"}
    united = _united_lists(journal)
    for entry in entries_in(folders):
        if isinstance(entry, CorruptRecording) or not entry.is_of_the_sdk:
            continue
        if str(entry.path) not in asked and entry.key not in keys and not _is_one_of(united, entry):
            yield entry


def _united_lists(journal: Journal) -> set[tuple[str, str | None, bool]]:
    """Return (key, test id, whether a list under that key answered) for each list of models that was replayed.

    The path of such a call is one of the several files that may have answered it together.
    """
    return {
        (call["key"], call["test_id"], key_of(path) == call["key"])
        for call in journal.calls
        if call["path"] is not None and (path := Path(call["path"])).name.startswith(MODEL_LIST_START)
    }


def _is_one_of(united: set[tuple[str, str | None, bool]], entry: Entry) -> bool:
    if not entry.name.startswith(MODEL_LIST_START) or (asked := entry.asked) is None:
        return False
    return any(
        entry.key == key if is_exact else request_key(asked, test_id) == key for key, test_id, is_exact in united
    )


def _is_shared(entry: Entry) -> bool:
    """Whether other tests than the one that made a recording may need it: its key does not hold the test."""
    try:
        asked = entry.asked
        rule = None if asked is None else generation_of(entry.key, asked, entry.test_id)
        return asked is not None and rule is not None and not is_bound_to_its_test(asked, rule)
    except RecursionError:  # arguments nested too deep to normalise: nobody asks for that
        return False


def _node_id(test_id: str) -> str:
    """Return pytest's id of a test, or of what the tests have in common that use a fixture."""
    fixture = parsed_fixture_id(test_id)
    return test_id if fixture is None else fixture.node_id


def _scopes_of(test_id: str) -> Iterator[str]:
    """Yield the ids of the classes, the module and the packages that a test is in."""
    names = test_id.split("::")
    yield from ("::".join(names[:count]) for count in range(1, len(names)))
    yield from (parent.as_posix() for parent in Path(names[0]).parents)


def _is_below(test_id: str | None, nodes: Iterable[str]) -> bool:
    return test_id is not None and any(
        not node or test_id == node or test_id.startswith((f"{node}::", f"{node}/")) for node in nodes
    )
