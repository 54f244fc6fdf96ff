"""Clients made in replay need no key: nothing is sent, so there is nothing to prove."""

from __future__ import annotations

from typing import Any

from ..modes import InferenceMode
from ..request.unshown import Unshown
from .context import possible_engines
from .patching import Args, Kwargs, Original, Target

PLACEHOLDER_KEY = "made-in-replay-without-a-key"
_CREDENTIALS = (
    "api_key",
    "admin_api_key",
    "azure_ad_token",
    "azure_ad_token_provider",
    "workload_identity",
    "provider",
)


def targets() -> list[Target]:
    """Return the methods to patch: how every client of the SDK is made."""
    return [
        Target(module, start + owner, "__init__", _make)
        for module, owner in (("openai._client", "OpenAI"), ("openai.lib.azure", "AzureOpenAI"))
        for start in ("", "Async")
    ]


def _make(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> object:
    # A client may be made where nothing says which session it will be used in: only its calls belong to one.
    is_for_replay = any(engine.mode is InferenceMode.REPLAY for engine in possible_engines())
    has_credentials, given = _has_credentials(kwargs), Unshown((args, kwargs))
    del args, kwargs  # a traceback may show the locals
    if not is_for_replay or has_credentials:
        return wrapped(*given.value[0], **given.value[1])
    from openai import OpenAIError

    try:
        return wrapped(*given.value[0], **given.value[1])
    except OpenAIError:
        pass
    made = wrapped(*given.value[0], **{**given.value[1], "api_key": PLACEHOLDER_KEY})
    if isinstance(
        getattr(type(instance), "api_key", None), property
    ):  # the module's client keeps its key in the module
        instance.api_key = None
    return made


def _has_credentials(kwargs: Kwargs) -> bool:
    return any(kwargs.get(name) is not None for name in _CREDENTIALS)
