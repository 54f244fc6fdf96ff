"""`inference-recorder import`: recordings made of what another tool recorded."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ..errors import RecorderError
from ..modes import InferenceMode
from ..storage.directories import check_usable
from ..storage.store import Store
from ..text import visible
from .configured import directory_for
from .console import counted, encodable, output, show_json, tracked
from .import_vcr.cassettes import Cassette, UnreadableCassette, cassettes_in
from .import_vcr.importing import Fate, Importer
from .import_vcr.node_ids import node_id_of


@click.group("import")
def import_() -> None:
    """Make recordings of what another tool recorded."""


@import_.command()
@click.argument("cassettes", metavar="CASSETTE...", nargs=-1, required=True,
                type=click.Path(exists=True, path_type=Path))  # fmt: skip
@click.option("-o", "--dir", "directory", type=click.Path(file_okay=False, path_type=Path),
              help="The folder for the recordings, instead of where the environment says.")  # fmt: skip
@click.option("--test-id", metavar="ID", help="The test that made the calls, as pytest names it.")
@click.option("--no-test-id", is_flag=True, help="The calls are made outside a test.")
@click.option("--rootdir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="pytest's rootdir, below which tests are named; else the nearest folder with a configuration file.",
              )  # fmt: skip
@click.option("--base-url", metavar="URL", help="The client's base url, for requests below it.")
@click.option("--overwrite", is_flag=True, help="Replace recordings of the same requests.")
@click.option("--dry-run", is_flag=True, help="Say what would be imported and write nothing.")
@click.option("--json", "is_json", is_flag=True, help="Say it as JSON.")
def vcr(
    cassettes: tuple[Path, ...],
    directory: Path | None,
    test_id: str | None,
    no_test_id: bool,
    rootdir: Path | None,
    base_url: str | None,
    overwrite: bool,
    dry_run: bool,
    is_json: bool,
) -> None:
    """Import OpenAI calls from cassettes of vcrpy and pytest-recording, or from folders of them.

    A recording answers the call of one test. A cassette that is called and lies as pytest-recording, pytest-vcr and
    vcrpy's TestCase have it belongs to the test of that name; all others need --test-id, or their recordings answer
    outside a test only.

    The cassettes stay as they are. Each call is made again on a client of the SDK that gets the cassette's answer, and
    recorded as a live one. Where the SDK retried a call (408, 409, 429, 5xx), only the last answer is recorded.

    HTTP does not tell all that the call said, and it is taken so:

    \b
      - What the SDK's method does not take was given as extra_body. What it takes
        and was given as extra_body all the same, or by client.post, is not found.
      - A query is extra_query, but for api-version and keys, which are the client's.
      - Embeddings in base64 are what the SDK asks for by itself.
      - A request to a deployment of Azure's that is called as its model comes from
        a client without azure_deployment; for one that has it, give its --base-url.
      - An upload's media type was not given if its name says it too.
      - pytest-recording writes each of <>?%*:|"'/\\ in a test's name as "-", and so
        it stays in the test's id: give such a test's --test-id.

    \b
    Exit codes:
      0  every call of the cassettes is recorded
      1  something was skipped or could not be read
      2  the options are wrong
    """
    if test_id is not None and no_test_id:
        raise click.UsageError("--test-id and --no-test-id exclude each other")
    report = _Report(is_dry_run=dry_run)
    try:
        directories, _ = directory_for(directory)
        check_usable(directories, InferenceMode.RECORD)
        importer = Importer(Store(directories), base_url=base_url, overwrites=overwrite, is_dry_run=dry_run)
        for found in tracked(list(cassettes_in(cassettes)), "Importing"):
            if isinstance(found, Cassette):
                own_id = None if no_test_id else test_id or node_id_of(found.path, rootdir)
                report.add(found.path, own_id, importer.take(found, own_id), is_meant=own_id is not None or no_test_id)
            elif isinstance(found, UnreadableCassette):
                report.unreadable.append(found)
            else:
                report.passed_over.append(found)
    except RecorderError as error:
        raise click.ClickException(str(error)) from error
    if is_json:
        show_json(report.as_json())
    else:
        click.echo(encodable(visible(report.as_text()), output().encoding))
    sys.exit(0 if report.is_all_taken else 1)


@dataclass(slots=True)
class _Report:
    is_dry_run: bool
    taken: list[tuple[Path, str | None, list[Fate]]] = field(default_factory=list)
    unreadable: list[UnreadableCassette] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)
    """Files of a folder that are no cassettes."""
    testless: list[Path] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, path: Path, test_id: str | None, fates: list[Fate], *, is_meant: bool) -> None:
        self.taken.append((path, test_id, fates))
        self.counts.update(fate.outcome for fate in fates)
        if not is_meant and any(fate.recording is not None for fate in fates):
            self.testless.append(path)

    @property
    def is_all_taken(self) -> bool:
        return bool(self.taken) and not self.unreadable and not self.counts["skipped"]

    def as_text(self) -> str:
        lines = [line for path, test_id, fates in self.taken for line in _told(path, test_id, fates)]
        lines += [f"{error}; nothing of it is imported" for error in self.unreadable]
        if self.passed_over:
            lines.append(f"passed over, being no cassettes: {', '.join(map(str, self.passed_over))}")
        if self.testless:
            lines.append(
                "no test is known for the following, so their recordings answer outside a test only; give --test-id or "
                f"--rootdir, or --no-test-id if that is meant: {', '.join(map(str, self.testless))}"
            )
        return "\n".join([*lines, self._summary()])

    def _summary(self) -> str:
        would = "would be " if self.is_dry_run else ""
        parts = [f"{counted(self.counts['imported'], 'call')} {would}imported", f"{self.counts['skipped']} skipped"]
        if self.counts["unchanged"]:
            parts.append(f"{self.counts['unchanged']} recorded already")
        if self.counts["retried"]:
            parts.append(f"{counted(self.counts['retried'], 'retried answer')} left out")
        if self.unreadable:
            parts.append(f"{counted(len(self.unreadable), 'cassette')} unreadable")
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        return {
            "is_dry_run": self.is_dry_run,
            "counts": {name: self.counts[name] for name in ("imported", "skipped", "unchanged", "retried")},
            "cassettes": [
                {"cassette": str(path), "test_id": test_id, "interactions": [_fate_as_json(fate) for fate in fates]}
                for path, test_id, fates in self.taken
            ],
            "unreadable": [
                {"cassette": str(error.path), "line": error.line, "reason": error.reason} for error in self.unreadable
            ],
            "passed_over": [str(path) for path in self.passed_over],
            "without_test": [str(path) for path in self.testless],
        }


def _told(path: Path, test_id: str | None, fates: Sequence[Fate]) -> Iterable[str]:
    counts = Counter(fate.outcome for fate in fates)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no interactions"
    yield f"{path}: {told}" + ("" if test_id is None else f" (for {test_id})")
    for fate in fates:
        if fate.outcome == "skipped":
            yield f"  skipped {fate.number}, {fate.request}: {fate.reason}"
        if fate.placeholders and fate.outcome != "skipped":
            named = ", ".join(fate.placeholders)
            yield f"  filtered {fate.number}, {fate.request}: {named} is kept as it is; a call that says else is missed"


def _fate_as_json(fate: Fate) -> dict[str, Any]:
    return {
        "number": fate.number,
        "request": fate.request,
        "outcome": fate.outcome,
        "reason": fate.reason or None,
        "recording": None if fate.recording is None else str(fate.recording),
        "filtered": list(fate.placeholders),
    }
