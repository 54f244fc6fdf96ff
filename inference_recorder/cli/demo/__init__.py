"""`inference-recorder demo`: records three calls, replays them without a server, and compares."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import click
from rich.console import Console

from ...recorder import inference_recording
from ...session import Session
from ..console import output, show_text
from .call import DemoAnswer, DemoCall
from .report import show_call, show_comparison, show_heading, show_recordings
from .server import NO_SUCH_MODEL, PAUSE_SECONDS, running_server

if TYPE_CHECKING:
    from openai import OpenAI

_TEMPORARY = "inference-recorder-demo-"
_SILENT = Console(quiet=True)
_REMARKS = (
    "  Every call was recorded and replayed once before, untimed, so that neither time includes imports.",
    "  The live times include storing the answers.",
)
_EMBEDDED_REMARK = (
    f"  The server waits {PAUSE_SECONDS * 1000:.0f} ms before each chunk and has no model; a real one takes longer."
)
_LIVE_REMARK = "  The first live call includes connecting to the API."
_USAGE = """
  from inference_recorder import inference_recording

  with inference_recording("record-if-missing", "tests/recordings"):
      answer = client.chat.completions.create(...)  # asks the API once, then never again"""


@click.command()
@click.option("--live", is_flag=True, help="Record from the real API; needs OPENAI_API_KEY.")
@click.option("--model", default="gpt-4o-mini", show_default=True, help="The model to use.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the recordings in this directory.",
)
def demo(live: bool, model: str, directory: Path | None) -> None:
    """Record three calls of the OpenAI SDK and replay them without a server.

    A plain, a streamed and a failing call go to a small server in this process, so no key and no network are needed.
    Then the server is stopped, the same calls are made again, and answers and times are compared.

    \b
    Exit codes:
      0  every call was replayed with the recorded answer
      1  an answer differs, or a call could not be made, recorded or replayed
      2  the options are wrong, such as --live without OPENAI_API_KEY
    """
    if live and not os.environ.get("OPENAI_API_KEY"):
        raise click.UsageError("--live calls the real API and needs OPENAI_API_KEY; without --live no key is needed")
    calls = (
        DemoCall("plain", model, "Greet my test suite in one sentence."),
        DemoCall("streamed", model, "Write a haiku about recorded answers.", is_streaming=True),
        DemoCall("failing", NO_SUCH_MODEL, f"Is there a model called {NO_SUCH_MODEL}?", must_fail=True),
    )
    with TemporaryDirectory(prefix=_TEMPORARY) as temporary:
        _record_and_replay(calls, directory or Path(temporary), output(), is_live=live, is_kept=directory is not None)


def _record_and_replay(
    calls: Sequence[DemoCall], directory: Path, console: Console, *, is_live: bool, is_kept: bool
) -> None:
    with console.status("Warming up", spinner="line"):
        dead_url = _warm_up(calls)
    with _recorded_client(is_live) as client:
        base_url = str(client.base_url).rstrip("/")
        show_heading(console, "1 Record", f"three calls of the OpenAI SDK, to {base_url}")
        session, live = _make_calls("record", directory, client, calls, console)
    paths = [session.store.path_of(call.key) for call in session.recorded]
    show_recordings(console, calls, paths, "" if is_kept else "  (removed at the end; --dir DIR keeps them)")

    replay_url = dead_url.removesuffix("/v1") + urlsplit(base_url).path if is_live else base_url
    reason = "without a key, and" if is_live else "the server is stopped:"
    show_heading(console, "2 Replay", f"the same calls; {reason} nothing listens at {replay_url}")
    with _keyless_client(replay_url) as client:
        session, replayed = _make_calls("replay", directory, client, calls, _SILENT)
    show_comparison(console, calls, live, replayed)
    check_replayed(calls, live, replayed, session)
    result = f"\n  {len(session.replayed)} calls replayed, 0 requests sent."
    remarks = [result, *_REMARKS, _LIVE_REMARK if is_live else _EMBEDDED_REMARK]
    show_text(console, "\n".join(remarks), style="dim")
    show_heading(console, "3 Your tests", f"these lines are all it takes:\n{_USAGE}")


def _warm_up(calls: Sequence[DemoCall]) -> str:
    """Record and replay everything once, so that no import is timed later.

    Returns the base URL of the server that answered; nothing listens there any more.
    """
    with (
        TemporaryDirectory(prefix=_TEMPORARY) as directory,
        running_server(pause_seconds=0) as base_url,
        _keyless_client(base_url) as client,
    ):
        _make_calls("record", Path(directory), client, calls, _SILENT)
        _make_calls("replay", Path(directory), client, calls, _SILENT)
    return base_url


def _make_calls(
    mode: Literal["record", "replay"], directory: Path, client: OpenAI, calls: Sequence[DemoCall], console: Console
) -> tuple[Session, list[DemoAnswer]]:
    """Make all calls in a session of this mode; returns the session, closed, and the answers."""
    answers = []
    with inference_recording(mode, directory) as session:
        for call in calls:
            answer = show_call(console, call, client)
            if answer.is_failure != call.must_fail:
                result = "failed" if answer.is_failure else "succeeded"
                raise click.ClickException(f"the {call.name} call {result}: {answer.text}")
            answers.append(answer)
    return session, answers


def check_replayed(
    calls: Sequence[DemoCall], live: Sequence[DemoAnswer], replayed: Sequence[DemoAnswer], session: Session
) -> None:
    """Raise ClickException, which exits with 1, if a call was not replayed or an answer differs from its recording."""
    for call, live_answer, replayed_answer in zip(calls, live, replayed, strict=True):
        if live_answer != replayed_answer:
            raise click.ClickException(
                f"the replay of the {call.name} call differs from its recording\n"
                f"  live:     {live_answer.summary}, {live_answer.text!r}\n"
                f"  replayed: {replayed_answer.summary}, {replayed_answer.text!r}"
            )
    if session.counts != {"replayed": len(calls)}:
        raise click.ClickException(f"not every call was replayed: {dict(session.counts)}")


@contextmanager
def _recorded_client(is_live: bool) -> Iterator[OpenAI]:
    """Yield a client of the real API, or of an embedded server that runs until the block ends."""
    from openai import OpenAI

    if is_live:
        with OpenAI() as client:
            yield client
    else:
        with running_server() as base_url, _keyless_client(base_url) as client:
            yield client


def _keyless_client(base_url: str) -> OpenAI:
    from openai import DefaultHttpxClient, OpenAI

    # trust_env=False: a proxy from the environment would also get the requests to 127.0.0.1.
    return OpenAI(base_url=base_url, api_key="none", http_client=DefaultHttpxClient(trust_env=False))
