"""`inference-recorder rekey`: other normalizers are declared, and the recordings follow, without a live call."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ..identity.keys import request_key
from ..identity.normalizers import BUILT_IN_NAMES, Normalizers, NormalizeRule
from ..storage.catalogue import Entry
from .configured import configured
from .console import counted, remark
from .folders import Folders, takes_folders
from .orphans import is_shared, naming_rule
from .relocation import Relocation, entries_read, relocated


@click.command()
@takes_folders
@click.option(
    "--normalize",
    "names",
    multiple=True,
    type=click.Choice(BUILT_IN_NAMES),
    help="A built-in normalizer that is declared now; may be repeated.",
)
@click.option("--none", "is_none", is_flag=True, help="No normalizer is declared now.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@click.option("--json", "is_json", is_flag=True, help="One JSON array, as described above.")
def rekey(folders: Folders, names: tuple[str, ...], is_none: bool, dry_run: bool, is_json: bool) -> None:
    """Rename recordings so that they are found under the normalizers that are declared now.

    A recording declares the normalizers that its key was made under. Where those declared now give another key, the
    file takes its name, without a live call; what was asked and answered stays as it is. They are those that pytest,
    started here, would find configured (normalize = [...] in [tool.inference_recorder], or inference_normalize), unless
    --normalize or --none says otherwise. What single tests declare in normalize=[...] is not known here: do not give a
    folder of theirs as DIR.

    A recording stays as it is, and is named, if no key rule gives its name, or if another one that says something else
    has the new name: two requests that are one under the new normalizers need one answer.

    \b
    --json gives one object a recording that is not under its key:
      path, new_path, test_id, new_test_id, refusal (why it stays, else null), is_moved

    \b
    Exit codes:
      0  all recordings are found under the normalizers declared now (with --dry-run: can be)
      1  one stays as it is
      2  there is no such folder, or the arguments are wrong
    """
    if names and is_none:
        raise click.UsageError("--none and --normalize exclude each other")
    normalizers = Normalizers(() if is_none else names or _configured())
    found, number = _found(folders, normalizers)
    accepted, refused = relocated(found, folders, is_dry_run=dry_run, is_json=is_json)
    told = f"{accepted:,} of {counted(number, 'recording')} {'would be ' * dry_run}renamed"
    remark(f"{told}; normalizers: {normalizers}")
    sys.exit(1 if refused else 0)


def _configured() -> Sequence[NormalizeRule]:
    if (declared := configured().normalize) is None:
        raise click.UsageError(
            "the configuration declares no normalizers; name them with --normalize, or say --none, which gives "
            "recordings the names that they have without"
        )
    return declared


def _found(folders: Folders, normalizers: Normalizers) -> tuple[list[Relocation], int]:
    """Return the recordings that are not under their key, and how many calls of the SDK there are."""
    found, number = [], 0
    for entry in entries_read(folders):
        if entry.is_of_the_sdk:
            number += 1
            if (one := _relocation(entry, normalizers)) is not None:
                found.append(one)
    return found, number


def _relocation(entry: Entry, normalizers: Normalizers) -> Relocation | None:
    """Return what becomes of a recording, None where the same normalizers change its request as before."""
    declared = normalizers.declared_for(entry.body)
    if list(entry.request.get("normalize") or []) == declared:
        return None
    rule = naming_rule(entry)
    one = Relocation(entry.path, entry.key, entry.test_id, entry.test_id, entry.key, entry.path, normalizers=declared)
    if rule is None:
        one.refusal = "no key rule gives its name; record it anew"
    elif not is_shared(entry, rule):
        one.new_key = request_key(entry.asked_under(normalizers), entry.test_id)
    return one
