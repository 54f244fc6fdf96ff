"""The SDKs whose calls are recorded: openai, and those that are generated like it. A row each.

Their `_base_client` has the same classes, so one set of patches serves all of them. Nothing here imports an SDK.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class SDK:
    """One SDK. Its errors have openai's names, but for that of the one that all others derive from."""

    package: str
    """As it is imported."""
    distribution: str
    """As it is installed."""
    oldest: str
    """The oldest version that is supported."""
    client: str
    """The class of its sync client; the async one is called the same with "Async" before it."""
    variable: str
    """The environment variable that holds the API key."""
    credentials: tuple[str, ...] = ("api_key",)
    """The attributes of a client, and the arguments that make one, that hold what opens the account."""
    argument_headers: frozenset[str] = frozenset()
    """The headers, in lower case, by which its methods send arguments that change the answer."""
    lasting_headers: frozenset[str] = frozenset()
    """Those of them that stay a client's own in a call that omits them."""
    warm_up: str = ""
    """The endpoint that every new client requests, ignoring failures."""
    asks_llama_stack: bool = False
    """Whether its clients ask the server that llama-stack's recorder runs in, which leaves them alone."""

    @property
    def version(self) -> str:
        """The version that is imported, "" before it is."""
        return str(getattr(sys.modules.get(f"{self.package}._version"), "__version__", ""))

    @property
    def error(self) -> str:
        """The class that all its errors derive from."""
        return f"{self.client}Error"

    @property
    def module(self) -> ModuleType:
        """The imported package."""
        return sys.modules[self.package]

    @property
    def errors(self) -> dict[str, Any]:
        """The names of the imported package, and those of its errors that it does not export."""
        return {**vars(sys.modules[f"{self.package}._exceptions"]), **vars(self.module)}


OPENAI = SDK(
    "openai",
    "openai",
    "1.66",
    "OpenAI",
    "OPENAI_API_KEY",
    ("api_key", "admin_api_key", "azure_ad_token", "azure_ad_token_provider", "workload_identity", "provider"),
)
ANTHROPIC = SDK(
    "anthropic",
    "anthropic",
    "0.40",
    "Anthropic",
    "ANTHROPIC_API_KEY",
    ("api_key", "auth_token"),
    argument_headers=frozenset({"anthropic-beta", "anthropic-user-profile-id", "anthropic-workspace-id"}),
    lasting_headers=frozenset({"anthropic-user-profile-id", "anthropic-workspace-id"}),
)
SDKS = (
    OPENAI,
    ANTHROPIC,
    SDK("groq", "groq", "0.13", "Groq", "GROQ_API_KEY"),
    SDK("cerebras.cloud.sdk", "cerebras-cloud-sdk", "1.0", "Cerebras", "CEREBRAS_API_KEY", warm_up="/v1/tcp_warming"),
    SDK("together", "together", "2.0", "Together", "TOGETHER_API_KEY"),
    SDK(
        "llama_stack_client",
        "llama-stack-client",
        "0.2.12",
        "LlamaStackClient",
        "LLAMA_STACK_CLIENT_API_KEY",
        asks_llama_stack=True,
    ),
    SDK("ogx_client", "ogx-client", "0.7.2", "OgxClient", "OGX_CLIENT_API_KEY", asks_llama_stack=True),
)


@lru_cache(maxsize=1024)
def sdk_of_module(name: str) -> SDK | None:
    """Return the SDK that a module belongs to, None for any other module."""
    return next((sdk for sdk in SDKS if name == sdk.package or name.startswith(f"{sdk.package}.")), None)


def sdk_of(kind: type) -> SDK | None:
    """Return the SDK that a class, or a class that it derives from, belongs to."""
    return next((sdk for base in kind.__mro__ if (sdk := sdk_of_module(base.__module__)) is not None), None)


def sdk_of_client(client: object) -> SDK:
    """Return the SDK of a client; openai for one that is of none, such as a mock."""
    return sdk_of(type(client)) or OPENAI
