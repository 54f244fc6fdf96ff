"""`inference-recorder check`: whether the recordings of a directory can be read, found and committed."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from .configured import configured_secrets
from .console import Column, counted, output, remark, show_json, show_rest, show_table
from .directories import SearchedDirectories, takes_directories
from .examination import Examination
from .examined_files import Finding

_MOST_SHOWN = 10
_TITLES = {
    "unreadable": "Cannot be read",
    "secret": "Contain a secret",
    "orphan": "Recorded by a test whose file is gone (rename-test moves them, rm removes them)",
    "name": "Have a name that no replay looks up",
    "gap": "Belong to a series with a gap",
    "no key version": "Found only by their name, which no key version gives",
    "attachment": "Belong to no recording",
    "temporary": "Left by a writer that died (the next writer removes them)",
}
"""The kinds of findings in their order, and what each is called at a terminal."""
_COLUMNS = (Column("file", gives_way=True), Column("test", gives_way=True), Column("reason", gives_way=True))


@click.command()
@takes_directories
@click.option("--rootdir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="pytest's rootdir, to which test ids are relative. Default: the working directory.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with 1 for notes too, except those about key versions.")
@click.option("--all", "shows_all", is_flag=True, help=f"Print all findings of each kind, not {_MOST_SHOWN}.")
@click.option("--json", "is_json", is_flag=True, help="Print a JSON object, as described above.")
def check(
    directories: SearchedDirectories, rootdir: Path | None, strict: bool, shows_all: bool, is_json: bool
) -> None:  # fmt: skip
    """Examine the recordings in DIR.

    Unreadable files and secrets (see `scan`) are errors. These are notes: recordings of tests whose file is gone,
    series with gaps, names that are not keys, files that belong to no recording, and names that no key version gives
    (such a file was edited, or is older than the key versions; it is found by its name, or not at all). In a pipe, each
    line has the kind of a finding, "error" or "note", the path, the test and the reason, separated by tabs.

    \b
    --json gives an object:
      recordings, others   how many files are calls of the SDK, and how many are not
      rules                how many names each key version gives: "exact" (ours), "G10" to "G1" (llama-stack's), "none"
      findings             kind, is_error, path, test_id (or null), reason

    \b
    Exit codes:
      0  no errors
      1  a file cannot be read or contains a secret; with --strict: also for notes
      2  the directory does not exist, or the options are wrong
    """
    examination = Examination(directories, rootdir or Path.cwd())
    examination.run(configured_secrets())
    findings = examination.findings
    if rootdir is None and examination.are_all_test_files_missing:
        findings = [finding for finding in findings if finding.kind != "orphan"]
        remark(
            "tests whose file is gone are not listed, because there are no test files where they were below "
            f"{examination.rootdir}; name pytest's rootdir with --rootdir"
        )
    order = list(_TITLES)
    findings.sort(key=lambda finding: (order.index(finding.kind), finding.path))
    if is_json:
        show_json(
            {
                "recordings": examination.recordings,
                "others": examination.others,
                "rules": examination.key_versions,
                "findings": [asdict(finding) for finding in findings],
            }
        )
    elif output().is_terminal:
        _show(findings, None if shows_all else _MOST_SHOWN)
    else:
        show_table((), [_cells(finding) for finding in findings])
    _summarize(examination, findings)
    is_failure = any(finding.is_error or (strict and finding.kind != "no key version") for finding in findings)
    sys.exit(1 if is_failure else 0)


def _cells(finding: Finding) -> tuple[str, ...]:
    return finding.kind, "error" if finding.is_error else "note", finding.path, finding.test_id or "", finding.reason


def _show(findings: list[Finding], most: int | None) -> None:
    console = output()
    for kind, title in _TITLES.items():
        of_kind = [finding for finding in findings if finding.kind == kind]
        if of_kind:
            console.print(f"{title}: {len(of_kind):,}", style="bold red" if of_kind[0].is_error else "bold")
            show_table(_COLUMNS, [(finding.path, finding.test_id or "", finding.reason) for finding in of_kind[:most]])
            show_rest(len(of_kind), most)
            console.print()


def _summarize(examination: Examination, findings: list[Finding]) -> None:
    older = [f"{name} {count:,}" for name, count in examination.key_versions.items() if name not in ("exact", "none")]
    by_version = f"; found by keys of llama-stack's recorder: {', '.join(older)}" if older else ""
    others = f", and {counted(examination.others, 'file')} of calls outside the SDK" if examination.others else ""
    remark(f"{counted(examination.recordings, 'recording')}{others}{by_version}")
    errors = sum(finding.is_error for finding in findings)
    kinds = Counter(finding.kind for finding in findings)
    by_kind = f" ({', '.join(f'{kind} {count:,}' for kind, count in kinds.items())})" if kinds else ""
    remark(f"{counted(errors, 'error')}, {counted(len(findings) - errors, 'note')}{by_kind}")
