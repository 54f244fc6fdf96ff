"""The other SDKs that are generated as openai is: what they are called, and callers of both colours for each."""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from inference_recorder.packages import OPENAI, SDK, SDKS

from ..conftest import AsyncColour, Colour
from .openai_server import OpenAIServer
from .secret_table import made


class Sdk(NamedTuple):
    """One SDK: its row in the package's table, and a key of the shape that its servers give out."""

    row: SDK
    key: str

    @property
    def is_installed(self) -> bool:
        return bool(self.version)

    @property
    def version(self) -> str:
        """The installed version, "" without one."""
        try:
            return version(self.row.distribution)
        except PackageNotFoundError:
            return ""

    def imported(self) -> ModuleType:
        """Return its module; skips the test where it is not installed."""
        if not self.is_installed:
            pytest.skip(f"{self.row.distribution} is not installed")
        return import_module(self.row.package)

    def base_url(self, server: OpenAIServer) -> str:
        """Return what its clients take for the URL of a server; together's was the version's until 3.0."""
        is_below_the_version = self.row.distribution == "together" and int(self.version.partition(".")[0]) < 3
        return server.base_url if is_below_the_version else server.base_url.removesuffix("/v1")

    def client_class(self, *, is_async: bool) -> Any:
        return getattr(self.imported(), f"Async{self.row.client}" if is_async else self.row.client)

    def options(self, *, is_async: bool) -> dict[str, Any]:
        """Return what a client is made with: no certificates to load, which takes longer than all else."""
        module = self.imported()
        http_client = (module.DefaultAsyncHttpxClient if is_async else module.DefaultHttpxClient)(verify=False)
        options = {"api_key": self.key, "max_retries": 0, "http_client": http_client}
        kind = self.client_class(is_async=is_async)
        if "warm_tcp_connection" in inspect.signature(kind).parameters:
            options["warm_tcp_connection"] = False  # its constructor sends a request otherwise
        return options


KEYS = {
    "anthropic": "sk-" + "ant-api03-" + made(95, "anthropic"),
    "groq": "gs" + "k_" + made(52, "groq"),
    "cerebras-cloud-sdk": "cs" + "k-" + made(48, "cerebras"),
    "together": "tgp" + "_v1_" + made(43, "t"),
    "llama-stack-client": made(40, "llama-stack"),
    "ogx-client": made(40, "ogx"),
}
FAMILY = {row.distribution: Sdk(row, KEYS[row.distribution]) for row in SDKS if row is not OPENAI}


class FamilyColour(Colour):
    """The sync client of one of these SDKs."""

    def __init__(self, sdk: Sdk, server: OpenAIServer, **options: Any) -> None:
        self.sdk, self.distribution, self.version = sdk, sdk.row.distribution, sdk.version
        super().__init__(sdk.base_url(server), **sdk.options(is_async=self.is_async) | options)

    def _make(self, **options: Any) -> Any:
        return self.sdk.client_class(is_async=self.is_async)(**options)


class AsyncFamilyColour(FamilyColour, AsyncColour):
    """The async client of one of these SDKs, on an event loop of its own."""
