"""`inference-recorder demo`: records three calls, replays them with nobody to ask, and compares."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from rich.console import Console

from ...errors import RecorderError
from ...recorder import inference_recording
from ...session import Session
from .loopback import serve
from .question import Question, Reply
from .report import DemoReport
from .server import NO_SUCH_MODEL, PAUSE_SECONDS, embedded_server

if TYPE_CHECKING:
    from openai import OpenAI

_TEMPORARY = "inference-recorder-demo-"
_FAIRNESS = (
    "Every call was made and replayed once before, untimed, so that neither side pays for imports.",
    "The live times include storing the answers.",
)
_EMBEDDED = (
    f"The server rests {PAUSE_SECONDS * 1000:.0f} ms before each chunk and has no model; a real one takes longer."
)
_REAL = "The first live call includes connecting to the API."


@click.command()
@click.option("--live", is_flag=True, help="Record against the real API; needs OPENAI_API_KEY.")
@click.option("--model", default="gpt-4o-mini", show_default=True, help="The model to ask.")
@click.option(
    "--dir", "directory", type=click.Path(file_okay=False, path_type=Path), help="Keep the recordings in this folder."
)
def demo(live: bool, model: str, directory: Path | None) -> None:
    """Record three calls of the OpenAI SDK and replay them with no server.

    A plain, a streamed and a failing call go to a small server in this process, so that no key and no network is
    needed. Then the server is stopped, the same calls are made again, and answers and times are compared.

    \b
    Exit codes:
      0  every call was replayed, each with the answer that was recorded
      1  an answer differs, or a call could not be made, recorded or replayed
      2  the options are wrong, such as --live without OPENAI_API_KEY
    """
    if live and not os.environ.get("OPENAI_API_KEY"):
        raise click.UsageError("--live asks the real API and needs OPENAI_API_KEY; without --live no key is needed")
    questions = (
        Question("plain", model, "Greet my test suite in one sentence."),
        Question("streamed", model, "Write a haiku about recorded answers.", is_streaming=True),
        Question("failing", NO_SUCH_MODEL, f"Is there a model called {NO_SUCH_MODEL}?", is_to_fail=True),
    )
    try:
        with ExitStack() as stack:
            chosen = directory or Path(stack.enter_context(TemporaryDirectory(prefix=_TEMPORARY)))
            _record_and_replay(questions, chosen, Console(highlight=False), is_live=live, is_kept=directory is not None)
    except RecorderError as error:
        raise click.ClickException(str(error)) from error


def _record_and_replay(
    questions: Sequence[Question], directory: Path, console: Console, *, is_live: bool, is_kept: bool
) -> None:
    report = DemoReport(console)
    with console.status("Warming up", spinner="line"):
        dead_url = _warm_up(questions)

    with _answering_client(is_live) as client:
        base_url = str(client.base_url).rstrip("/")
        report.heading("1 Record", f"three calls of the OpenAI SDK, to {base_url}")
        session, live = _asked("record", directory, client, questions, report)
    paths = [session.store.path_of(call.key) for call in session.recorded]
    report.stored(questions, paths, "" if is_kept else "(removed at the end; --dir DIR keeps them)")

    replay_url = dead_url + urlsplit(base_url).path if is_live else base_url
    reason = "without a key, and" if is_live else "the server is stopped:"
    report.heading("2 Replay", f"the same calls; {reason} nothing listens at {replay_url}")
    with _keyless_client(replay_url) as client:
        session, replayed = _asked("replay", directory, client, questions, _silent_report())
    report.comparison(questions, live, replayed)
    check_replayed(questions, live, replayed, session)
    report.remark(
        f"{len(session.replayed)} calls replayed, 0 requests sent.", *_FAIRNESS, _REAL if is_live else _EMBEDDED
    )

    report.next_step()


def _warm_up(questions: Sequence[Question]) -> str:
    """Record and replay everything once, so that what is loaded then is not timed later.

    Returns the base url of the server that was asked; nothing listens there any more.
    """
    with (
        TemporaryDirectory(prefix=_TEMPORARY) as directory,
        serve(embedded_server(pause_seconds=0)) as url,
        _keyless_client(f"{url}/v1") as client,
    ):
        for mode in ("record", "replay"):
            _asked(mode, Path(directory), client, questions, _silent_report())
    return url


def _asked(
    mode: str, directory: Path, client: OpenAI, questions: Sequence[Question], report: DemoReport
) -> tuple[Session, list[Reply]]:
    """Ask all questions in a session of `mode`; returns that session, closed, and the replies."""
    replies = []
    with inference_recording(mode, directory) as session:
        for question in questions:
            report.asked(question)
            reply = question.ask(client, report.heard)
            report.answered()
            if reply.is_failure != question.is_to_fail:
                outcome = "failed" if reply.is_failure else "succeeded"
                raise click.ClickException(f"the {question.name} call {outcome}: {reply.text}")
            replies.append(reply)
    return session, replies


def check_replayed(
    questions: Sequence[Question], live: Sequence[Reply], replayed: Sequence[Reply], session: Session
) -> None:
    """Raise ClickException, which exits with 1, where a call was not replayed or not as it was recorded."""
    for question, first, second in zip(questions, live, replayed, strict=True):
        if first != second:
            raise click.ClickException(
                f"the replay of the {question.name} call differs from its recording\n"
                f"  live:     {first.summary}, {first.text!r}\n"
                f"  replayed: {second.summary}, {second.text!r}"
            )
    if session.counts != {"replayed": len(questions)}:
        raise click.ClickException(f"not every call was replayed: {dict(session.counts)}")


@contextmanager
def _answering_client(is_live: bool) -> Iterator[OpenAI]:
    """Yield a client of the real API, else of an embedded server that runs until the block is left."""
    from openai import OpenAI

    if is_live:
        with OpenAI() as client:
            yield client
    else:
        with serve(embedded_server()) as url, _keyless_client(f"{url}/v1") as client:
            yield client


def _keyless_client(base_url: str) -> OpenAI:
    from openai import DefaultHttpxClient, OpenAI

    # Not from the environment: a proxy that is set there would be asked for 127.0.0.1 too.
    return OpenAI(base_url=base_url, api_key="none", http_client=DefaultHttpxClient(trust_env=False))


def _silent_report() -> DemoReport:
    return DemoReport(Console(quiet=True))
