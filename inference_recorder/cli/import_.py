"""`inference-recorder import`: makes recordings from what another tool recorded."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..modes import InferenceMode
from ..storage.directories import check_usable, directories_from
from ..storage.store import Store
from ..text import visible
from .configured import chosen_directory
from .console import encodable, output, show_json, tracked
from .import_vcr.cassettes import Cassette, cassettes_in
from .import_vcr.importer import Importer
from .import_vcr.node_ids import node_id_of
from .import_vcr.report import ImportReport


@click.group("import")
def import_() -> None:
    """Make recordings from what another tool recorded."""


@import_.command()
@click.argument("cassettes", metavar="CASSETTE...", nargs=-1, required=True,
                type=click.Path(exists=True, path_type=Path))  # fmt: skip
@click.option("-o", "--dir", "directory", type=click.Path(file_okay=False, path_type=Path),
              help="The directory for the recordings; default: the configured one.")  # fmt: skip
@click.option("--test-id", metavar="ID", help="The test that made the calls, as pytest names it.")
@click.option("--no-test-id", is_flag=True, help="The calls were made outside tests.")
@click.option("--rootdir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="pytest's rootdir, which test ids are relative to; default: the nearest directory with a "
              "configuration file.")  # fmt: skip
@click.option("--base-url", metavar="URL", help="The client's base URL, for requests below it.")
@click.option("--overwrite", is_flag=True, help="Replace recordings of the same requests.")
@click.option("--dry-run", is_flag=True, help="Report what would be imported and write nothing.")
@click.option("--json", "is_json", is_flag=True, help="Report as JSON.")
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
    """Import OpenAI calls from cassettes of vcrpy and pytest-recording, or from directories of them.

    A recording answers the calls of one test. A cassette with the name and path that pytest-recording, pytest-vcr or
    vcrpy's TestCase give it is imported for the test it is named after. Any other needs --test-id; without it, its
    recordings answer only outside tests.

    The cassettes stay as they are. Each call is made again on a client of the SDK that gets the cassette's answer, and
    is recorded like a live call. Where the SDK retried a call (408, 409, 429, 5xx), only the last answer is recorded.

    HTTP does not show everything about a call, so the importer assumes:

    \b
      - What the SDK's method does not take was passed as extra_body. A call that
        passed one of the method's own arguments as extra_body, or that was made
        by client.post, will not find its recording.
      - A query was passed as extra_query, except for api-version and keys, which
        belong to the client.
      - Embeddings in base64 are the SDK's own choice.
      - A request to an Azure deployment named like its model comes from a client
        without azure_deployment; for a client with one, give its --base-url.
      - An upload's media type was not given if the file's name implies it.
      - pytest-recording replaces each of <>?%*:|"'/\\ in a test's name by "-", and
        so does the imported test id: give --test-id for such a test.

    \b
    Exit codes:
      0  every call of the cassettes is recorded
      1  there are no cassettes, or something was skipped or could not be read
      2  the options are wrong
    """
    if test_id is not None and no_test_id:
        raise click.UsageError("--test-id and --no-test-id exclude each other")
    report = ImportReport(is_dry_run=dry_run, needs_test_ids=not no_test_id)
    directories = directories_from(chosen_directory(directory).value)
    check_usable(directories, InferenceMode.RECORD)
    importer = Importer(Store(directories), base_url=base_url, overwrites=overwrite, is_dry_run=dry_run)
    for item in tracked(list(cassettes_in(cassettes)), "Importing"):
        if isinstance(item, Cassette):
            own_id = None if no_test_id else test_id or node_id_of(item.path, rootdir)
            report.add(item.path, own_id, importer.import_cassette(item, own_id))
        elif item.is_other:
            report.not_cassettes.append(item.path)
        else:
            report.unreadable.append(item)
    if is_json:
        show_json(report.as_json())
    else:
        click.echo(encodable(visible(report.as_text()), output().encoding))
    sys.exit(0 if report.is_complete else 1)
