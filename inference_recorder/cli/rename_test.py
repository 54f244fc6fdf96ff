"""`inference-recorder rename-test`: the recordings of a renamed test get its new id."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from operator import itemgetter
from pathlib import Path

import click

from ..fixture_ids import SESSION, parsed_fixture_id
from ..request.keys import KEY_VERSIONS, KeyVersion, renamed_under, request_key
from ..storage.catalogue import Entry
from ..storage.key_versions import is_shared, key_version
from ..storage.renames import Renaming
from .directories import SearchedDirectories, shown, takes_directories
from .renaming import PlannedRename, carry_out


@click.command()
@click.argument("old")
@click.argument("new")
@takes_directories
@click.option("--dry-run", is_flag=True, help="Print what would be renamed.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON array, as described above.")
def rename_test(old: str, new: str, directories: SearchedDirectories, dry_run: bool, is_json: bool) -> None:
    """Keep the recordings of a test that was renamed.

    The recordings of OLD in DIR become those of NEW and replay there. OLD and NEW are pytest's ids: of a test, of a
    test with its parameters ("test_a.py::test_b[x]"), or of a class, a file or a directory with all tests and fixtures
    in it; or a fixture's id as `ls` shows it ("test_a.py@answer").

    Each file gets the new id and the name that its key version computes from it (of llama-stack's versions, the newest
    one). Ids in the answer that were made from the old name change with it, so that recording the test again gives no
    diff. Ids that a later request may name, such as a response's, stay.

    A recording stays as it is, and is listed on stderr, if no key version gives its name (its new name is then
    unknown), or if a different recording has the new name. All other answers to the same request then stay too.

    \b
    --json gives one object a recording:
      path, new_path, test_id, new_test_id, refusal (why it stays, or null), is_moved

    \b
    Exit codes:
      0  all recordings of OLD were renamed (with --dry-run: can be)
      1  there are none, or one stays as it is
      2  the directory does not exist, or the arguments are wrong
    """
    old, new = old.rstrip("/"), new.rstrip("/")
    if not old or not new or old == new:
        raise click.UsageError("OLD and NEW must be two different test ids")
    renames, other_ids = _planned(directories, old, new)
    if not renames:
        lines = "\n".join(guesses(old, other_ids) or [tests_are_listed_by([directories.root])])
        raise click.ClickException(f"no recording in {directories.root} is of {old}; {lines}")
    carry_out(renames, of=len(renames), is_dry_run=dry_run, is_json=is_json)


def renamed(test_id: str, old: str, new: str) -> str | None:
    """Return the id that a test has once `old` is called `new`, None for a test that is not part of `old`.

    `old` is the id of a test or a fixture, with or without parameters, or of a class, file or directory.
    """
    fixture = parsed_fixture_id(test_id)
    if fixture is None or test_id == old or parsed_fixture_id(old) is not None:
        return _renamed(test_id, old, new, has_parameters="::" in old or fixture is not None)
    definer = fixture.definer.rstrip("/:")
    new_scope = None if fixture.scope == SESSION else _renamed(fixture.node_id, old, new, has_parameters=False)
    new_definer = _renamed(definer, old, new, has_parameters=False)
    if new_scope is None and new_definer is None:
        return None
    if new_scope is not None:
        fixture = fixture._replace(scope=new_scope + fixture.scope[len(fixture.node_id) :])
    if new_definer is not None:
        fixture = fixture._replace(definer=new_definer + fixture.definer[len(definer) :])
    return str(fixture)


def _renamed(test_id: str, old: str, new: str, *, has_parameters: bool) -> str | None:
    if test_id == old:
        return new
    end = test_id.removeprefix(old)
    is_inside = end.startswith(("::", "[" if has_parameters else "/"))
    return new + end if end != test_id and is_inside else None


def enclosing_ids(test_id: str) -> Iterable[str]:
    """Return a test's id, its file, and the test without parameters: what a mistyped id may have meant."""
    return test_id, test_id.partition("::")[0], test_id.partition("[")[0]


def guesses(test_id: str, test_ids: Iterable[str]) -> list[str]:
    """Return lines that ask whether an id was mistyped; [] if no id is similar."""
    similar = get_close_matches(test_id, test_ids, n=3, cutoff=0.4)
    return ["did you mean one of these?", *(f"  {other}" for other in similar)] if similar else []


def tests_are_listed_by(directories: Sequence[Path]) -> str:
    """Return the line that says how to list the tests with recordings in these directories; by default all of them."""
    ls = ["inference-recorder", "ls"]
    commands = [shlex.join([*ls, shown(directory)]) for directory in directories] or [shlex.join(ls)]
    return f"the tests that have recordings are listed by: {' && '.join(commands)}"


def _planned(directories: SearchedDirectories, old: str, new: str) -> tuple[list[PlannedRename], set[str]]:
    """Return a rename for each recording of `old`, those with the newest key versions first, and all other ids."""
    other_ids: set[str] = set()
    renames: list[tuple[int, PlannedRename]] = []
    for entry in directories.readable_entries():
        test_id = entry.test_id or ""
        new_id = renamed(test_id, old, new)
        if new_id is None:
            other_ids.update(enclosing_ids(test_id))
            continue
        version, refusal = key_version(entry), ""
        if not entry.is_sdk_call:
            refusal = "it is not a call of the SDK"
        elif version is None:
            refusal = "no key version gives its name; record the test again under its new name"
        renaming = Renaming(_new_key(entry, version, new_id), new_id)
        rename = PlannedRename(entry.path, entry.key, test_id, renaming, entry.path, refusal)
        renames.append((len(KEY_VERSIONS) if version is None else KEY_VERSIONS.index(version), rename))
    return [rename for _, rename in sorted(renames, key=itemgetter(0))], other_ids


def _new_key(entry: Entry, version: KeyVersion | None, test_id: str) -> str:
    request = entry.asked
    if request is None or version is None or is_shared(entry, version):
        return entry.key
    return request_key(request, test_id, renamed_under(version))
