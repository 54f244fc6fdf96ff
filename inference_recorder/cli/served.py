"""What `serve` and `run` have in common: their options, their session, and what they say of it."""

from __future__ import annotations

import re
import shlex
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..asgi import checked_id
from ..children import variables
from ..config import Config
from ..engine.test_run import TestRun, set_test_run
from ..errors import MissingRecording
from ..joined import join
from ..modes import InferenceMode
from ..network import host_and_port, is_loopback
from ..recorder import inference_recording
from ..sdk.context import current_engine
from ..server.app import RecordingServer
from ..server.environment import base_urls
from ..server.running import serving
from ..server.upstream import ANTHROPIC_URL, OPENAI_URL
from ..session import Session
from .configured import configured
from .console import remark, remarks, show_text


def _url(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.match(r"https?://[^/]", value):
        raise click.BadParameter(f"{value!r} is not a URL that begins with http:// or https://")
    return value


def _checked_id(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else checked_id(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_OPTIONS = (
    click.option(
        "--mode",
        type=click.Choice([mode.value for mode in InferenceMode]),
        help="What happens to calls.  [default: that of the environment or the configuration, or replay]",
    ),
    click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path),
        help="Where recordings are.  [default: that of the environment or the configuration, or recordings]",
    ),
    click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 is a free port."),
    click.option(
        "--upstream", callback=_url, help=f"The base URL of OpenAI's API.  [default: OPENAI_BASE_URL, or {OPENAI_URL}]"
    ),
    click.option(
        "--anthropic-upstream",
        callback=_url,
        help=f"The base URL of Anthropic's API.  [default: ANTHROPIC_BASE_URL, or {ANTHROPIC_URL}]",
    ),
    click.option("--test-id", callback=_checked_id, help="The test of requests that name none."),
    click.option(
        "--pace",
        type=click.Choice(["none", "live"]),
        default="none",
        show_default=True,
        help="live records the pauses between the events of streams, and makes recorded ones.",
    ),
)


def takes_server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a server, which `Served` takes."""
    return reduce(lambda function, option: option(function), reversed(_OPTIONS), command)


class _ServedRun(TestRun):
    """The run of the programs that ask the server. None of their tests runs in this process."""

    test_id = None

    def __init__(self, config: Config, record_command: str) -> None:
        super().__init__()
        self.config, self.record_command = config, record_command

    def has_test(self, test_id: str, directory: Path, /) -> bool:
        """Return True: this process cannot tell which tests still exist."""
        return True


class Served:
    """A server's session, and the errors that its clients got."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self.errors = 0
        """How many requests were not answered or not stored, other than misses."""
        self._shown: set[str] = set()
        """Guarded by `_guard`."""
        self._guard = threading.Lock()

    @contextmanager
    def serving(self, host: str = "127.0.0.1", port: int = 0, token: str = "") -> Iterator[str]:
        """Serve while the block runs; yields the URL without a path. Raises click.UsageError."""
        options = self._options
        urls = base_urls(options["upstream"], options["anthropic_upstream"])
        is_paced = options["pace"] == "live"
        app = RecordingServer(urls, test_id=options["test_id"], token=token, is_paced=is_paced, report=self._report)
        with ExitStack() as stack:
            try:
                url = stack.enter_context(serving(app, host, port))
            except OSError as error:
                raise click.UsageError(f"nothing can listen at {host}:{port}: {error.strerror or error}") from None
            for name, upstream in urls._asdict().items():
                upstream_host, upstream_port = host_and_port(upstream)
                if is_loopback(upstream_host) and upstream_port == host_and_port(url)[1]:
                    raise click.UsageError(f"this server would ask itself: the base URL of {name}'s API is {upstream}")
            yield url

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open the session; raises RecorderError. At its end, say what became of the calls.

        A server that a test starts joins the session of that test, unless it was given a mode or a directory.
        """
        if (joined := self._joined()) is not None:
            yield joined
            return
        restore = set_test_run(_ServedRun(configured(), _record_command()))
        try:
            # Processes that are started here ask the server, and join no session.
            recorder = inference_recording(self._options["mode"], self._options["directory"], children=False)
            with recorder as session:
                yield session
            for line in _summary(session):
                remark(line)
        finally:
            restore()

    @property
    def may_join(self) -> bool:
        """Whether it would join the session of a test that starts it."""
        return not (self._options["mode"] or self._options["directory"])

    def _joined(self) -> Session | None:
        if not variables.inherited or not self.may_join:
            return None
        join()
        engine = current_engine()
        return None if engine is None else Session(engine)

    def _report(self, error: Exception, test_id: str | None) -> None:
        """Show an error once; the same request may miss often."""
        with self._guard:
            self.errors += not isinstance(error, MissingRecording)
            text = str(error)
            if text in self._shown:
                return
            self._shown.add(text)
        is_shown_alone = isinstance(error, MissingRecording) or test_id is None
        show_text(remarks(), text if is_shown_alone else f"{test_id}: {text}")


def _summary(session: Session) -> Iterator[str]:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in session.counts.items())
    yield f"recordings: {counts or 'no calls'}"
    failed = Counter(f"{call.failure}: {call.endpoint}" for call in session.dropped)
    yield from (f"  failed, and not recorded: {count} x {failure}" for failure, count in failed.items())


def _record_command() -> str:
    """Return the command that runs now, in the mode that records what is missing. It shows no token."""
    context = click.get_current_context()
    words = ["inference-recorder", str(context.info_name), "--mode", "record-if-missing"]
    for option in context.command.params:
        name = str(option.name)
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if isinstance(option, click.Option) and is_given and name != "mode":
            words += [option.opts[0], "TOKEN" if name == "token" else str(context.params[name])]
    command = context.params.get("command", ())
    return shlex.join([*words, *(["--", *command] if command else [])])
