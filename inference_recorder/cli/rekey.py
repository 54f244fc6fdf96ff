"""`inference-recorder rekey`: recordings take the name that other normalizers give, or their exact key."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import click

from ..redaction.placeholders import NUMBERED
from ..redaction.requests import with_version
from ..redaction.shapes import is_hidden_by_name
from ..request.keys import EXACT, renamed_under, request_key
from ..request.normalizers import BUILT_IN_NAMES, Normalizers, NormalizeRule, without_roots
from ..storage.catalogue import Entry
from .configured import configured_table
from .console import counted, remark
from .directories import ChosenDirectories, takes_directories
from .orphans import is_shared, naming_rule
from .relocation import Relocation, entries_read, relocated


@click.command()
@takes_directories
@click.option(
    "--normalize",
    "names",
    multiple=True,
    type=click.Choice(BUILT_IN_NAMES),
    help="A built-in normalizer that is declared now; may be repeated.",
)
@click.option("--none", "is_none", is_flag=True, help="No normalizer is declared now.")
@click.option("--exact", "is_exact", is_flag=True, help="Also give those named by folding the name of their exact key.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@click.option("--json", "is_json", is_flag=True, help="One JSON array, as described above.")
def rekey(
    directories: ChosenDirectories, names: tuple[str, ...], is_none: bool, is_exact: bool, dry_run: bool, is_json: bool
) -> None:
    """Rename recordings so that they are found under the normalizers that are declared now.

    A recording declares the normalizers that its key was made under. Where those declared now give another key, the
    file takes its name, without a live call; what was asked and answered stays as it is. They are those that pytest,
    started here, would find configured (normalize = [...] in [tool.inference_recorder], or inference_normalize), unless
    --normalize or --none says otherwise. What single tests declare in normalize=[...] is not known here: do not give a
    folder of theirs as DIR.

    --exact is for recordings that llama-stack's recorder made, or this one before it had exact keys: such a recording
    answers all requests that llama-stack treats as equal to its own ("score: 1" and "score: 5"). It gets the name of
    its exact key, and from then on answers only an equal request. Lists of models that all tests share stay. Without
    --normalize or --none, each recording keeps the normalizers that it declares.

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
    is_kept = is_exact and not is_none and not names
    normalizers = None if is_kept else Normalizers(() if is_none else names or _configured())
    found, number = _found(directories, normalizers, is_exact)
    accepted, refused = relocated(found, directories, is_dry_run=dry_run, is_json=is_json)
    told = f"{accepted:,} of {counted(number, 'recording')} {'would be ' * dry_run}renamed"
    remark(f"{told}; normalizers: {'as declared' if normalizers is None else normalizers}")
    sys.exit(1 if refused else 0)


def _configured() -> Sequence[NormalizeRule]:
    if (declared := configured_table().normalize) is None:
        raise click.UsageError(
            "the configuration declares no normalizers; name them with --normalize, or say --none, which gives "
            "recordings the names that they have without"
        )
    return declared


def _found(
    directories: ChosenDirectories, normalizers: Normalizers | None, is_exact: bool
) -> tuple[list[Relocation], int]:
    """Return the recordings that are not under their key, and how many calls of the SDK there are."""
    found, number = [], 0
    rows: defaultdict[tuple[Path, str], list[tuple[int, Relocation]]] = defaultdict(list)
    for entry in entries_read(directories):
        if entry.is_of_the_sdk:
            number += 1
            if (one := _relocation(entry, normalizers, is_exact)) is not None:
                found.append(one)
                if is_exact and not one.refusal and not _is_model_list(entry):
                    rows[entry.path.parent, one.new_key].append((entry.position, one))
    # Requests that were one under the old key had their answers in one row.
    for row in rows.values():
        for position, (_, one) in enumerate(sorted(row, key=itemgetter(0)), start=1):
            one.new_position = position
    return found, number


def _relocation(entry: Entry, normalizers: Normalizers | None, is_exact: bool) -> Relocation | None:
    """Return what becomes of a recording, None where it stays what it is."""
    was_declared = list(entry.request.get("normalize") or [])
    rule = naming_rule(entry)
    if normalizers is not None:
        normalizers = normalizers.rooted_as(was_declared)
    declared = was_declared if normalizers is None else normalizers.declared_for(entry.body)
    is_same = without_roots(was_declared) == without_roots(declared)
    if is_same and (not is_exact or rule is EXACT or is_shared(entry, rule)):
        return None
    one = Relocation(entry.path, entry.key, entry.test_id, entry.test_id, entry.key, entry.path)
    if rule is None:
        one.refusal = "no key version gives its name; record it again"
        return one
    version = EXACT if is_exact else renamed_under(rule)
    if version is EXACT and rule is not EXACT and _hides_an_account(entry):
        one.refusal = "its request hides a project or an organization, which an exact key tells apart; record it again"
        return one
    request = {name: value for name, value in entry.request.items() if name != "normalize"}
    one.new_request = with_version(request | ({"normalize": declared} if declared else {}), version)
    if not is_shared(entry, rule):
        one.new_key = request_key(entry.asked_under(normalizers), entry.test_id, version)
    return one


def _hides_an_account(entry: Entry) -> bool:
    """Whether a value that is hidden by its name was recorded without the fingerprint that tells it from others."""
    members = [entry.body.get(name) for name in ("extra_body", "extra_query")]
    return any(
        isinstance(value, str) and NUMBERED.fullmatch(value) and is_hidden_by_name("extra_body", name, value)
        for member in members
        if isinstance(member, dict)
        for name, value in member.items()
    )


def _is_model_list(entry: Entry) -> bool:
    return entry.name.startswith("models-")
