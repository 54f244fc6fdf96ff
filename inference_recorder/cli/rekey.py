"""`inference-recorder rekey`: recordings get the names that other normalizers give, or their exact keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import click

from ..redaction.placeholders import NUMBERED
from ..redaction.requests import with_version
from ..redaction.shapes import is_secret_by_name
from ..request.keys import EXACT, renamed_under, request_key
from ..request.normalizers import BUILT_IN_NAMES, Normalizers, NormalizeRule, without_roots
from ..storage.catalogue import Entry
from ..storage.key_versions import is_shared, key_version
from ..storage.renames import Renaming
from .configured import configured
from .directories import SearchedDirectories, takes_directories
from .renaming import PlannedRename, carry_out


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
@click.option("--exact", "is_exact", is_flag=True, help="Also give recordings with a key that folds their exact key.")
@click.option("--dry-run", is_flag=True, help="Print what would be renamed.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON array, as described above.")
def rekey(
    directories: SearchedDirectories,
    names: tuple[str, ...],
    is_none: bool,
    is_exact: bool,
    dry_run: bool,
    is_json: bool,
) -> None:
    """Rename recordings after a change of normalizers.

    The recordings in DIR are then found with the normalizers that are declared now. A recording declares the
    normalizers that its key was made with. If those declared now give another key, the file gets the name of that key,
    without a live call; its request and answer stay as they are. The normalizers declared now are those that are
    configured (normalize = [...] in [tool.inference_recorder] of the nearest pyproject.toml), unless --normalize or
    --none is given. This command does not see what single tests declare in normalize=[...]: do not name a directory of
    their recordings as DIR.

    --exact is for recordings made by llama-stack's recorder, or by this one before it had exact keys: such a recording
    answers all requests that llama-stack treats as equal to its own ("score: 1" and "score: 5"). It gets the name of
    its exact key, and from then on answers only an equal request. Model lists that all tests share stay. Without
    --normalize or --none, each recording keeps the normalizers that it declares.

    A recording stays as it is, and is listed on stderr, if no key version gives its name, or if a different recording
    has the new name: two requests that become equal under the new normalizers need the same answer.

    \b
    --json gives one object for each recording that is not under its key:
      path, new_path, test_id, new_test_id, refusal (why it stays, or null), is_moved

    \b
    Exit codes:
      0  all recordings are found with the normalizers declared now (with --dry-run: can be)
      1  one stays as it is
      2  the directory does not exist, or the arguments are wrong
    """
    if names and is_none:
        raise click.UsageError("--none and --normalize exclude each other")
    keeps_declared = is_exact and not is_none and not names
    normalizers = None if keeps_declared else Normalizers(() if is_none else names or _configured())
    renames, number = _planned(directories, normalizers, is_exact)
    note = f"; normalizers: {'as declared' if normalizers is None else normalizers}"
    carry_out(renames, of=number, note=note, is_dry_run=dry_run, is_json=is_json)


def _configured() -> Sequence[NormalizeRule]:
    if (declared := configured().table.normalize) is None:
        raise click.UsageError(
            "no normalizers are configured; name them with --normalize, or use --none for the names that recordings "
            "have without normalizers"
        )
    return declared


def _planned(
    directories: SearchedDirectories, normalizers: Normalizers | None, is_exact: bool
) -> tuple[list[PlannedRename], int]:
    """Return a rename for each recording that is not under its key, and the number of calls of the SDK."""
    renames, number = [], 0
    series: defaultdict[tuple[Path, str], list[tuple[int, PlannedRename]]] = defaultdict(list)
    for entry in directories.readable_entries():
        if not entry.is_sdk_call:
            continue
        number += 1
        if (rename := _rename(entry, normalizers, is_exact)) is not None:
            renames.append(rename)
            if is_exact and not rename.refusal and not entry.name.startswith("models-"):
                series[entry.path.parent, rename.renaming.key].append((entry.position, rename))
    # Requests that had the same old key shared one series, which is now split.
    for answers in series.values():
        for position, (_, rename) in enumerate(sorted(answers, key=itemgetter(0)), start=1):
            rename.renaming = rename.renaming._replace(position=position)
    return renames, number


def _rename(entry: Entry, normalizers: Normalizers | None, is_exact: bool) -> PlannedRename | None:
    """Return the rename of a recording, None if it keeps its name and its normalizers."""
    old_version = key_version(entry)
    if normalizers is not None:
        normalizers = normalizers.rooted_as(entry.normalize)
    declared = entry.normalize if normalizers is None else normalizers.declared_for(entry.body)
    is_same = without_roots(entry.normalize) == without_roots(declared)
    if is_same and (not is_exact or old_version is EXACT or is_shared(entry, old_version)):
        return None
    rename = PlannedRename(entry.path, entry.key, entry.test_id, Renaming(entry.key, entry.test_id), entry.path)
    version = EXACT if is_exact or old_version is None else renamed_under(old_version)
    if old_version is None:
        rename.refusal = "no key version gives its name; record it again"
    elif version is EXACT and old_version is not EXACT and _hides_an_account(entry):
        rename.refusal = (
            "its request hides a project or an organization, which is part of an exact key; record it again"
        )
    else:
        request = {name: value for name, value in entry.request.items() if name != "normalize"}
        request = with_version(request | ({"normalize": declared} if declared else {}), version)
        is_kept = is_shared(entry, old_version)
        key = entry.key if is_kept else request_key(entry.asked_under(normalizers), entry.test_id, version)
        rename.renaming = Renaming(key, entry.test_id, request=request)
    return rename


def _hides_an_account(entry: Entry) -> bool:
    """Whether a value that is hidden because of its name was recorded without its fingerprint."""
    members = [entry.body.get(name) for name in ("extra_body", "extra_query")]
    return any(
        isinstance(value, str) and NUMBERED.fullmatch(value) and is_secret_by_name("extra_body", name, value)
        for member in members
        if isinstance(member, dict)
        for name, value in member.items()
    )
