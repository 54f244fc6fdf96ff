"""Recording the calls of a cassette by making them again, so the code that records live calls records these too."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ...engine.test_run import PYTEST_VARIABLE, without_test_run
from ...errors import RecorderError
from ...recorder import inference_recording
from ...sdk.additions import RAW_RESPONSE_HEADER
from ...sdk.http import library_of
from ...sdk.internals import binary_content_type, request_options
from .calls import SdkCall
from .interaction import Interaction, NotImportable

if TYPE_CHECKING:
    from openai import OpenAI

_DECODERS = {"br": "brotli", "zstd": "zstandard"}


def record_calls(calls: Sequence[SdkCall], directory: Path, test_id: str | None) -> list[Path | str]:
    """Record these calls in an empty directory, as made in one test (None: outside a test).

    Returns the recording of each, or why there is none that holds what the cassette holds.
    """
    results: list[Path | str] = []
    with ExitStack() as stack:
        stack.enter_context(_outside_any_test())
        session = stack.enter_context(inference_recording("record", directory, test_id=test_id, record_errors=True))
        transport = _CassetteTransport()
        clients: dict[str, OpenAI] = {}
        for call in calls:
            if call.base_url not in clients:
                clients[call.base_url] = stack.enter_context(transport.client(call.base_url))
            count = len(session.recorded)
            problem = _try_call(call, clients[call.base_url], transport)
            path = session.recorded[-1].path if len(session.recorded) > count else None
            results.append(problem or (Path(path) if path else "it came to nothing that can be recorded"))
    return results


@contextmanager
def _outside_any_test() -> Iterator[None]:
    """Hide the running test from the block: the calls are not part of a test that runs this command."""
    running_test = os.environ.pop(PYTEST_VARIABLE, None)
    try:
        with without_test_run():
            yield
    finally:
        if running_test is not None:
            os.environ[PYTEST_VARIABLE] = running_test


def _try_call(call: SdkCall, client: OpenAI, transport: _CassetteTransport) -> str:
    """Make the call; returns why it cannot be made, "" if it succeeds or fails as the cassette says."""
    from openai import APIError

    try:
        transport.load(call.interaction)
        _make(call, client)
    except APIError:
        return ""
    except (NotImportable, RecorderError) as error:
        return str(error)
    except Exception as error:
        if isinstance(error, TypeError) and call.method is not None:
            return f"{call.method.name} does not take its body: {error}"
        return f"the SDK cannot read its answer: {type(error).__name__}: {error}"
    return ""


def _make(call: SdkCall, client: OpenAI) -> None:
    """Make the call and read its answer to the end."""
    if call.method is not None:
        from openai import Stream

        result = attrgetter(call.method.name)(client)(**call.arguments(call.method))
        for _ in result if isinstance(result, Stream) else ():
            pass
        return
    options = request_options(
        call.http_method.lower(),
        call.path,
        json_data=call.body,
        params=call.query,
        files=call.files,
        headers={RAW_RESPONSE_HEADER: "true"},  # the SDK then leaves the answer unparsed, whatever it is
    )
    is_download = call.path.endswith(("/content", "/audio/speech"))
    client.request(binary_content_type() if is_download else object, options)


class _CassetteTransport:
    """Answers the next requests with the answer of one interaction."""

    def __init__(self) -> None:
        self._answer: object = None

    def load(self, interaction: Interaction) -> None:
        """Answer the next request with this interaction; raises NotImportable if the SDK could not read the answer."""
        if interaction.status_code < 200 or 300 <= interaction.status_code < 400:
            raise NotImportable(f"its answer is a {interaction.status_code}, which the SDK does not return")
        stream, headers = _http_library().ByteStream(_decoded(interaction)), list(interaction.answer_headers)
        self._answer = _http_library().Response(interaction.status_code, headers=headers, stream=stream)

    @contextmanager
    def client(self, base_url: str) -> Iterator[OpenAI]:
        """Yield an SDK client that is answered by this transport."""
        from openai import DefaultHttpxClient, OpenAI

        transport = _http_library().MockTransport(lambda request: self._answer)
        http_client = DefaultHttpxClient(transport=transport, trust_env=False)
        with OpenAI(base_url=base_url, api_key="none", max_retries=0, http_client=http_client) as client:
            yield client


@cache
def _http_library() -> ModuleType:
    """Return the HTTP library of an SDK client that is given no HTTP client."""
    from openai import OpenAI

    with OpenAI(api_key="none") as client:
        return library_of(client)


def _decoded(interaction: Interaction) -> bytes:
    library, content, encoding = _http_library(), interaction.answer, interaction.encoding
    # Compressed bytes are not UTF-8: vcrpy decoded such a body, and sometimes keeps the header.
    if encoding in ("", "identity") or _is_text(content):
        return content
    try:
        decoded: bytes = library.Response(200, headers={"content-encoding": encoding}, content=content).content
    except library.DecodingError as error:
        raise NotImportable(f"its answer's body is not {encoding}, as its header says: {error}") from None
    if decoded == content:
        package = _DECODERS.get(encoding, encoding)
        raise NotImportable(f"its answer's body is encoded as {encoding}: pip install {package}")
    return decoded


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
