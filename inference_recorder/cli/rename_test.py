"""`inference-recorder rename-test`: a test got another name, and its recordings follow it."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from operator import itemgetter

import click

from ..fixture_ids import SESSION, parsed_fixture_id
from ..request.keys import GENERATIONS, Generation, renamed_under, request_key
from ..storage.catalogue import Entry
from .console import counted, remark
from .directories import ChosenDirectories, takes_directories
from .orphans import is_shared, naming_rule
from .relocation import Relocation, entries_read, relocated


@click.command()
@click.argument("old")
@click.argument("new")
@takes_directories
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@click.option("--json", "is_json", is_flag=True, help="One JSON array, as described above.")
def rename_test(old: str, new: str, directories: ChosenDirectories, dry_run: bool, is_json: bool) -> None:
    """Have a renamed test keep its recordings.

    The recordings of OLD in DIR become those of NEW and replay there. OLD and NEW are pytest's ids: of a test, of a
    test with its parameters ("test_a.py::test_b[x]"), or of a class, a file or a folder with all tests and fixtures in
    it; or a fixture's id as `ls` shows it ("test_a.py@answer").

    Each file gets the new id and the name that its key version gives (of llama-stack's versions, the newest one), and
    the ids that were made from its old name follow, so that recording the test again gives no diff. Ids that a later
    request may name, such as a response's, stay.

    A recording stays as it is, and is named, if no key rule gives its name (then nothing can say what its new name
    would be), or if another one that says something else has the new name. So do all answers to its request.

    \b
    --json gives one object a recording:
      path, new_path, test_id, new_test_id, refusal (why it stays, else null), is_moved

    \b
    Exit codes:
      0  all recordings of OLD were renamed (with --dry-run: can be)
      1  there are none, or one stays as it is
      2  there is no such folder, or the arguments are wrong
    """
    old, new = old.rstrip("/"), new.rstrip("/")
    if not old or not new or old == new:
        raise click.UsageError("OLD and NEW must be two tests' ids")
    found, others = _found(directories, old, new)
    if not found:
        near = get_close_matches(old, others, n=3, cutoff=0.4)
        told = "; did you mean one of these?" + "".join(f"\n  {one}" for one in near) if near else ""
        raise click.ClickException(f"no recording in {directories.chosen} is of {old}{told}")
    accepted, refused = relocated(found, directories, is_dry_run=dry_run, is_json=is_json)
    remark(f"{accepted:,} of {counted(len(found), 'recording')} {'would be ' * dry_run}renamed")
    sys.exit(1 if refused else 0)


def renamed(test_id: str, old: str, new: str) -> str | None:
    """Return the id that a test has once `old` is called `new`, None for a test that is not part of `old`.

    `old` is the id of a test or a fixture, with parameters or without, or of a class, file or folder.
    """
    fixture = parsed_fixture_id(test_id)
    if fixture is None or test_id == old or parsed_fixture_id(old) is not None:
        return _renamed(test_id, old, new, has_parameters="::" in old or fixture is not None)
    scope = None if fixture.scope == SESSION else _renamed(fixture.node_id, old, new, has_parameters=False)
    position = _renamed(fixture.position.rstrip("/:"), old, new, has_parameters=False)
    if scope is None and position is None:
        return None
    return str(
        fixture._replace(
            scope=fixture.scope if scope is None else scope + fixture.scope[len(fixture.node_id) :],
            position=fixture.position
            if position is None
            else position + fixture.position[len(fixture.position.rstrip("/:")) :],
        )
    )


def _renamed(test_id: str, old: str, new: str, *, has_parameters: bool) -> str | None:
    if test_id == old:
        return new
    after = test_id.removeprefix(old)
    is_inside = after.startswith(("::", "[" if has_parameters else "/"))
    return new + after if after != test_id and is_inside else None


def _found(directories: ChosenDirectories, old: str, new: str) -> tuple[list[Relocation], set[str]]:
    """Return the recordings of `old`, those with the newest key rules first, and the ids of other tests."""
    others: set[str] = set()
    found: list[tuple[int, Relocation]] = []
    for entry in entries_read(directories):
        test_id = entry.test_id or ""
        new_id = renamed(test_id, old, new)
        if new_id is None:
            others |= {test_id, test_id.partition("::")[0], test_id.partition("[")[0]}
            continue
        rule = naming_rule(entry)
        one = Relocation(entry.path, entry.key, test_id, new_id, _key(entry, rule, new_id), entry.path)
        if not entry.is_of_the_sdk:
            one.refusal = "it is not a call of the SDK"
        elif rule is None:
            one.refusal = "no key rule gives its name; record the test anew under its new name"
        found.append((len(GENERATIONS) if rule is None else GENERATIONS.index(rule), one))
    return [one for _, one in sorted(found, key=itemgetter(0))], others


def _key(entry: Entry, rule: Generation | None, test_id: str) -> str:
    asked = entry.asked
    if asked is None or rule is None or is_shared(entry, rule):
        return entry.key
    return request_key(asked, test_id, renamed_under(rule))
