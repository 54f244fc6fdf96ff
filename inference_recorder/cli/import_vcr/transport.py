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
    """Answers each request with `answer`, a response of the HTTP library."""

    def __init__(self, library: ModuleType) -> None:
        self._library = library
        self.answer: object = None

    def __call__(self, request: object) -> object:
        return self.answer

    def load(self, interaction: Interaction) -> None:
        """Answer the next request with this interaction; raises NotImportable if the SDK could not read the answer."""
        if interaction.status_code < 200 or 300 <= interaction.status_code < 400:
            raise NotImportable(f"its answer is a {interaction.status_code}, which the SDK does not return")
        stream = self._library.ByteStream(self._decoded(interaction))
        headers = list(interaction.answer_headers)
        self.answer = self._library.Response(interaction.status_code, headers=headers, stream=stream)

    def _decoded(self, interaction: Interaction) -> bytes:
        content, encoding = interaction.answer, interaction.encoding
        # Compressed bytes are not UTF-8: vcrpy decoded such a body, and sometimes keeps the header.
        if encoding in ("", "identity") or _is_text(content):
            return content
        try:
            decoded: bytes = self._library.Response(
                200, headers={"content-encoding": encoding}, content=content
            ).content
        except self._library.DecodingError as error:
            raise NotImportable(f"its answer's body is not {encoding}, as its header says: {error}") from None
        if decoded == content:
            package = _DECODERS.get(encoding, encoding)
            raise NotImportable(f"its answer's body is encoded as {encoding}: pip install {package}")
        return decoded


@contextmanager
def cassette_client(base_url: str) -> Iterator[tuple[OpenAI, CassetteTransport]]:
    """Yield an SDK client and the transport that answers it."""
    from openai import DefaultHttpxClient, OpenAI

    library = _http_library()
    transport = CassetteTransport(library)
    http_client = DefaultHttpxClient(transport=library.MockTransport(transport), trust_env=False)
    with OpenAI(base_url=base_url, api_key="none", max_retries=0, http_client=http_client) as client:
        yield client, transport


@cache
def _http_library() -> ModuleType:
    """Return the HTTP library of an SDK client that is given no HTTP client."""
    from openai import OpenAI

    with OpenAI(api_key="none") as client:
        return library_of(client)


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
