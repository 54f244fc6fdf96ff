"""ogx-client from 1.2 on, which another generator makes: its calls are not recorded, and a replay refuses them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

from ..errors import UnrecordableCall
from ..modes import InferenceMode
from ..request.keys import EXACT
from .context import current_engine
from .patching import Args, Kwargs, Original, Target


def targets() -> list[Target]:
    """Return the methods to patch: what every request of such a client goes through."""
    return [
        Target("ogx_client.api_client", "ApiClient", "call_api", _call_api, "1.2.0"),
        Target("ogx_client.async_api_client", "AsyncApiClient", "call_api", _call_api, "1.2.0"),
    ]


def _call_api(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> Any:
    __tracebackhide__ = True
    engine = current_engine()
    # llama-stack's recorder leaves the clients of its server alone.
    if engine is None or engine.is_live or engine.rules.key_version is not EXACT:
        return wrapped(*args, **kwargs)
    method, url = [*args, kwargs.get("method"), kwargs.get("url")][:2]
    endpoint = urlparse(str(url)).path
    if engine.mode is InferenceMode.REPLAY:
        raise UnrecordableCall(
            f"{method} {endpoint} is made by ogx-client 1.2 or later, which is not recorded and cannot be replayed; "
            "use ogx-client<1.2 or openai's client for the same server, or mock the call"
        )
    engine.call_log.live(endpoint)
    return wrapped(*args, **kwargs)
