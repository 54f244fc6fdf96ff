"""`inference-recorder check`: whether a folder's recordings can be read, found and committed."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from .configured import configured_redactor
from .console import Column, counted, output, remark, show_json, show_rest, show_table
from .directories import ChosenDirectories, takes_directories
from .examination import Examination, Finding
from .orphans import Orphans, takes_rootdir

_MOST_SHOWN = 10
_TITLES = {
    "unreadable": "Cannot be read",
    "secret": "Hold a secret",
    "orphan": "Recorded by a test whose file is gone (rename-test moves them, rm removes them)",
    "name": "Have a name under which no recording is looked for",
    "gap": "Belong to a row with a gap",
    "no rule": "Found by their name only: no key rule gives it",
    "attachment": "Lie beside no recording",
    "temporary": "Left by a writer that died (the next writer removes them)",
}
"""What each kind of finding says of its files; in this order."""


@click.command()
@takes_directories
@takes_rootdir
@click.option("--strict", is_flag=True, help="Exit with 1 for notes too, other than those of key rules.")
@click.option("--all", "shows_all", is_flag=True, help=f"Show all findings of each kind, not {_MOST_SHOWN}.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object, as described above.")
def check(
    directories: ChosenDirectories, rootdir: Path | None, strict: bool, shows_all: bool, is_json: bool
) -> None:  # fmt: skip
    """Examine the recordings in DIR.

    What cannot be read, and secrets (see `scan`), are errors. These are notes: recordings of tests whose file is gone,
    rows with gaps, names that are no keys, files that lie beside no recording, and names that no rule derives from the
    request (such a file was edited, or is older than the rules; it is found by its name, or not at all). In a pipe,
    each line has the kind of a finding, "error" or "note", the path, the test and the reason, with tabs between them.

    \b
    --json gives an object:
      recordings, others   how many files are calls of the SDK, and how many are not
      rules                how many names each key rule gives: "exact" (ours), "G10" to "G1" (llama-stack's), and "none"
      findings             kind, is_error, path, test_id (or null), reason

    \b
    Exit codes:
      0  no errors
      1  a file cannot be read or holds a secret; with --strict: also for notes
      2  there is no such folder, or the options are wrong
    """
    orphans = Orphans(rootdir or Path.cwd())
    seen = Examination(directories, orphans, configured_redactor())
    seen.run()
    if rootdir is None and orphans.has_met_no_file:
        seen.findings = [one for one in seen.findings if one.kind != "orphan"]
        remark(
            f"not looked for: tests whose file is gone, since the files of all are missing below {orphans.rootdir}; "
            "name pytest's rootdir with --rootdir"
        )
    order = list(_TITLES)
    seen.findings.sort(key=lambda one: (order.index(one.kind), one.path))
    if is_json:
        show_json(
            {
                "recordings": seen.recordings,
                "others": seen.others,
                "rules": seen.rules,
                "findings": [asdict(one) for one in seen.findings],
            }
        )
    elif output().is_terminal:
        _show(seen.findings, None if shows_all else _MOST_SHOWN)
    else:
        show_table((), [_row(one) for one in seen.findings])
    _summarize(seen)
    is_wrong = any(one.is_error or (strict and one.kind != "no rule") for one in seen.findings)
    sys.exit(1 if is_wrong else 0)


def _row(one: Finding) -> tuple[str, str, str, str, str]:
    return one.kind, "error" if one.is_error else "note", one.path, one.test_id or "", one.reason


def _show(findings: list[Finding], most: int | None) -> None:
    console = output()
    columns = (Column("file", gives_way=True), Column("test", gives_way=True), Column("reason", gives_way=True))
    for kind, title in _TITLES.items():
        found = [one for one in findings if one.kind == kind]
        if found:
            console.print(f"{title}: {len(found):,}", style="bold red" if found[0].is_error else "bold")
            show_table(columns, [(one.path, one.test_id or "", one.reason) for one in found[:most]])
            show_rest(len(found), most)
            console.print()


def _summarize(seen: Examination) -> None:
    rules = ", ".join(f"{rule} {count:,}" for rule, count in seen.rules.items())
    others = f", and {counted(seen.others, 'file')} of other calls than the SDK's" if seen.others else ""
    remark(
        f"{counted(seen.recordings, 'recording')}{others}" + (f"; their names by key rule: {rules}" if rules else "")
    )
    kinds = Counter((one.is_error, one.kind) for one in seen.findings)
    errors = sum(count for (is_error, _), count in kinds.items() if is_error)
    told = ", ".join(f"{kind} {count:,}" for (_, kind), count in kinds.items())
    remark(
        f"{counted(errors, 'error')}, {counted(len(seen.findings) - errors, 'note')}" + (f" ({told})" if told else "")
    )
