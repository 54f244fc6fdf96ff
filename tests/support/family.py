"""The other SDKs that are generated as openai is: what they are called, and callers of both colours for each."""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from ..conftest import AsyncColour, Colour
from .openai_server import OpenAIServer
from .secret_table import made


class Sdk(NamedTuple):
    """One SDK; `name` is that of its distribution."""

    name: str
    module: str
    client: str
    """The name of its sync client; the async one is the same with `Async` before it."""
    key_variable: str
    key: str
    """A key of the shape that its servers give out."""
    root_error: str

    @property
    def is_installed(self) -> bool:
        return bool(self.version)

    @property
    def version(self) -> str:
        """The installed version, "" without one."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return ""

    def imported(self) -> ModuleType:
        """Return its module; skips the test where it is not installed."""
        if not self.is_installed:
            pytest.skip(f"{self.name} is not installed")
        return import_module(self.module)

    def base_url(self, server: OpenAIServer) -> str:
        """Return what its clients take for the URL of a server; together's was the version's until 3.0."""
        is_below_the_version = self.name == "together" and int(self.version.partition(".")[0]) < 3
        return server.base_url if is_below_the_version else server.base_url.removesuffix("/v1")

    def client_class(self, *, is_async: bool) -> Any:
        return getattr(self.imported(), f"Async{self.client}" if is_async else self.client)

    def options(self, *, is_async: bool) -> dict[str, Any]:
        """Return what a client is made with: no certificates to load, which takes longer than all else."""
        module = self.imported()
        http_client = (module.DefaultAsyncHttpxClient if is_async else module.DefaultHttpxClient)(verify=False)
        options = {"api_key": self.key, "max_retries": 0, "http_client": http_client}
        kind = self.client_class(is_async=is_async)
        if "warm_tcp_connection" in inspect.signature(kind).parameters:
            options["warm_tcp_connection"] = False  # its constructor sends a request otherwise
        return options


FAMILY = {
    sdk.name: sdk
    for sdk in (
        Sdk(
            "anthropic",
            "anthropic",
            "Anthropic",
            "ANTHROPIC_API_KEY",
            "sk-" + "ant-api03-" + made(95, "anthropic"),
            "AnthropicError",
        ),
        Sdk("groq", "groq", "Groq", "GROQ_API_KEY", "gs" + "k_" + made(52, "groq"), "GroqError"),
        Sdk(
            "cerebras-cloud-sdk",
            "cerebras.cloud.sdk",
            "Cerebras",
            "CEREBRAS_API_KEY",
            "cs" + "k-" + made(48, "cerebras"),
            "CerebrasError",
        ),
        Sdk("together", "together", "Together", "TOGETHER_API_KEY", "tgp" + "_v1_" + made(43, "t"), "TogetherError"),
        Sdk(
            "llama-stack-client",
            "llama_stack_client",
            "LlamaStackClient",
            "LLAMA_STACK_CLIENT_API_KEY",
            made(40, "llama-stack"),
            "LlamaStackClientError",
        ),
        Sdk("ogx-client", "ogx_client", "OgxClient", "OGX_CLIENT_API_KEY", made(40, "ogx"), "OgxClientError"),
    )
}


class FamilyColour(Colour):
    """The sync client of one of these SDKs."""

    def __init__(self, sdk: Sdk, server: OpenAIServer, **options: Any) -> None:
        self.sdk, self.distribution, self.version = sdk, sdk.name, sdk.version
        super().__init__(sdk.base_url(server), **sdk.options(is_async=self.is_async) | options)

    def _make(self, **options: Any) -> Any:
        return self.sdk.client_class(is_async=self.is_async)(**options)


class AsyncFamilyColour(FamilyColour, AsyncColour):
    """The async client of one of these SDKs, on an event loop of its own."""
