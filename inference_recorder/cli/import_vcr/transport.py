"""An HTTP transport that answers an SDK client from a cassette, over the HTTP library that the client uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from ...sdk.http import library_of
from .interaction import Interaction, NotImportable

if TYPE_CHECKING:
    from openai import OpenAI

_DECODERS = {"br": "brotli", "zstd": "zstandard"}


class CassetteTransport:
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
