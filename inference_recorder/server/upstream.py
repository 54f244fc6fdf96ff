"""The servers of the models: requests go on to them as they came, with their own credentials."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import httpx
import openai

from ..packages import ANTHROPIC, SDK
from ..recording.answer import Failure
from ..recording.failures import describe_failure, failure_of_response
from ..sdk.bodies import media_type_of
from ..sdk.internals import status_error
from ..sdk.private_names import imported
from .requests import HttpRequest

OPENAI_URL, ANTHROPIC_URL = "https://api.openai.com/v1", "https://api.anthropic.com"
TIMEOUT = httpx.Timeout(600, connect=5)
"""In seconds; openai's own. Clients that give up earlier close their connection."""
_IDLE_SECONDS = 1.0
"""How long an idle connection may be used again; after that, its server may be about to close it."""
_NOT_PASSED_ON = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "content-length", "expect", "accept-encoding",
    }
)  # fmt: skip
"""Of one connection, by RFC 9110, 7.6.1, or made again for the next one."""
_OURS = "x-inference-test-"
_STREAM = "text/event-stream"


class BaseUrls(NamedTuple):
    """What clients of each API would have as their base url."""

    openai: str = OPENAI_URL
    anthropic: str = ANTHROPIC_URL

    def of(self, sdk: SDK) -> str:
        return self.anthropic if sdk is ANTHROPIC else self.openai


class Upstream:
    """Sends requests on to the servers of the models. Make and use it in one event loop."""

    def __init__(self, base_urls: BaseUrls) -> None:
        self.base_urls = base_urls

    # A replay needs none of them, and each loads certificates.

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=_IDLE_SECONDS)
        return httpx.AsyncClient(timeout=TIMEOUT, limits=limits, follow_redirects=True)

    @cached_property
    def client(self) -> openai.AsyncOpenAI:
        """A client of the SDK, which knows how an answer is read; it sends nothing."""
        return openai.AsyncOpenAI(api_key="unused", base_url=self.base_urls.openai)

    @cached_property
    def anthropic(self) -> Any:
        """A client of Anthropic's SDK, None where that is not installed."""
        module: Any = imported(ANTHROPIC.package)
        return module and module.AsyncAnthropic(api_key="unused", base_url=self.base_urls.anthropic)

    def failure(self, response: httpx.Response, sdk: SDK) -> Failure:
        """Return the failure that an SDK raises for a response with an error status."""
        client: Any = self.anthropic if sdk is ANTHROPIC else self.client
        described = None if client is None else describe_failure(status_error(client, response))
        return described or failure_of_response(response, sdk)

    def request(self, http: HttpRequest) -> httpx.Request:
        """Return the request to send on."""
        path = http.path if http.sdk is ANTHROPIC else http.path.removeprefix("/v1")
        url = self.base_urls.of(http.sdk).rstrip("/") + path + (f"?{http.query}" if http.query else "")
        headers = [(name, value) for name, value in http.headers.raw if is_passed_on(name.decode("latin-1"))]
        # The recording needs the bytes themselves, and a stream that is compressed arrives in larger parts.
        headers.append((b"accept-encoding", b"identity"))
        return self._client.build_request(http.method, url, headers=headers, content=http.content or None)

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Return the response, read unless it is a stream. Raises the SDK's errors of a connection."""
        sent: Any = request  # openai's newer versions use httpx2
        try:
            response = await self._client.send(request, stream=True)
            if response.status_code >= 400 or media_type_of(response.headers) != _STREAM:
                await response.aread()
        except httpx.TimeoutException as error:
            raise openai.APITimeoutError(sent) from error
        except httpx.TransportError as error:
            raise openai.APIConnectionError(request=sent) from error
        return response

    async def close(self) -> None:
        """Close the connections, if there are any."""
        if "_client" in vars(self):
            await self._client.aclose()


def is_passed_on(name: str) -> bool:
    """Return whether a header, given in lower case, goes on to the other side."""
    return name not in _NOT_PASSED_ON and not name.startswith(_OURS)
