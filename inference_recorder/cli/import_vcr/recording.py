"""Calls of a cassette, made again on a real client of the SDK that gets the cassette's answers: so they are recorded
by the very code that records live.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import RecorderError
from ...recorder import inference_recording
from ...sdk.additions import RAW_RESPONSE_HEADER
from ...sdk.http import library_of
from ...sdk.internals import binary_content_type, request_options
from ...test_run import PYTEST_VARIABLE, within_test_run
from .calls import SdkCall
from .interaction import Interaction, NotTaken

if TYPE_CHECKING:
    from openai import OpenAI


class Call(NamedTuple):
    """A call of the SDK and the interaction that came of it."""

    sdk_call: SdkCall
    interaction: Interaction


class Made(NamedTuple):
    """What became of a call."""

    key: str | None
    """Under which it was recorded; None if it was not."""
    problem: str
    """Why what was recorded, if anything, is not what the cassette holds; "" if it is."""


def record(calls: Sequence[Call], directory: Path, test_id: str | None) -> list[Made]:
    """Record these calls in an empty folder, as made in one test (None: outside a test); return what became of each."""
    became = []
    with ExitStack() as stack:
        stack.enter_context(_outside_any_test())
        session = stack.enter_context(inference_recording("record", directory, test_id=test_id, record_errors=True))
        clients: dict[str, _Client] = {}
        for call, interaction in calls:
            client = clients.get(call.base_url)
            if client is None:
                client = clients[call.base_url] = stack.enter_context(_client(call.base_url))
            before = len(session.recorded)
            problem = _problem_of(call, interaction, client)
            now = session.recorded
            if len(now) > before:
                became.append(Made(now[-1].key, problem))
            else:
                became.append(Made(None, problem or "it came to nothing that can be recorded"))
    return became


class _Client(NamedTuple):
    sdk: OpenAI
    transport: _Transport


class _Transport:
    """Answers the one request that the SDK makes next."""

    def __init__(self, library: ModuleType) -> None:
        self.library = library
        self.answer: Any = None

    def __call__(self, request: object) -> Any:
        return self.answer

    def response_of(self, interaction: Interaction) -> Any:
        """Return an interaction's answer as a server's, still to be read; raises NotTaken for one that is none."""
        if interaction.status_code < 200 or 300 <= interaction.status_code < 400:
            raise NotTaken(f"its answer is a {interaction.status_code}, which the SDK passes over")
        content = self._decoded(interaction)
        stream = self.library.ByteStream(content)
        return self.library.Response(
            interaction.status_code, headers=list(interaction.answer_headers), stream=stream
        )  # fmt: skip

    def _decoded(self, interaction: Interaction) -> bytes:
        content, encoding = interaction.answer, interaction.encoding
        # Compressed bytes are no UTF-8: such a body was decoded by vcrpy, which leaves the header at times.
        if encoding in ("", "identity") or _is_text(content):
            return content
        try:
            decoded: bytes = self.library.Response(200, headers={"content-encoding": encoding}, content=content).content
        except self.library.DecodingError as error:
            raise NotTaken(f"its answer's body is not the {encoding} that its header says: {error}") from None
        if decoded == content:
            raise NotTaken(
                f"its answer's body is encoded as {encoding}: pip install {_DECODERS.get(encoding, encoding)}"
            )
        return decoded


_DECODERS = {"br": "brotli", "zstd": "zstandard"}


@contextmanager
def _client(base_url: str) -> Iterator[_Client]:
    from openai import DefaultHttpxClient, OpenAI

    transport = _Transport(_library())
    mock = transport.library.MockTransport(transport)
    http_client = DefaultHttpxClient(transport=mock, trust_env=False)
    with OpenAI(base_url=base_url, api_key="none", max_retries=0, http_client=http_client) as sdk:
        yield _Client(sdk, transport)


@cache
def _library() -> ModuleType:
    """Return the HTTP library that the SDK uses where its caller gives it no client."""
    from openai import OpenAI

    with OpenAI(api_key="none") as client:
        return library_of(client)


@contextmanager
def _outside_any_test() -> Iterator[None]:
    """Have no test run in the block: a command that a test calls is no part of it."""
    running = os.environ.pop(PYTEST_VARIABLE, None)
    try:
        with within_test_run(None):
            yield
    finally:
        if running is not None:
            os.environ[PYTEST_VARIABLE] = running


def _problem_of(call: SdkCall, interaction: Interaction, client: _Client) -> str:
    """Make the call; returns why it cannot be, "" if it could or failed as it did when the cassette was made."""
    from openai import APIError

    try:
        client.transport.answer = client.transport.response_of(interaction)
        _make(call, client.sdk)
    except APIError:
        return ""
    except NotTaken as error:
        return str(error)
    except Exception as error:
        return _reason(call, error)
    return ""


def _make(call: SdkCall, client: OpenAI) -> None:
    """Make the call and read its answer to the end."""
    if call.row is not None:
        from openai import Stream

        result = attrgetter(call.row.name)(client)(**call.arguments(call.row))
        for _ in result if isinstance(result, Stream) else ():
            pass
        return
    options = request_options(
        call.http_method.lower(),
        call.path,
        json_data=call.body,
        params=call.query,
        files=call.files,
        headers={RAW_RESPONSE_HEADER: "true"},  # so that nothing is made of the answer, whatever it is
    )
    client.request(_cast_to(call), options)


def _cast_to(call: SdkCall) -> Any:
    is_download = call.path.endswith(("/content", "/audio/speech"))
    return binary_content_type() if is_download else object


def _reason(call: SdkCall, problem: Exception) -> str:
    if isinstance(problem, RecorderError):
        return str(problem)
    if isinstance(problem, TypeError) and call.row is not None:
        return f"{call.row.name} does not take its body: {problem}"
    return f"the SDK cannot read its answer: {type(problem).__name__}: {problem}"


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
