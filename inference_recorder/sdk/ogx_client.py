"""ogx-client from 1.2 on, which another generator makes: its calls are not recorded, and a replay refuses them."""

from __future__ import annotations

from urllib.parse import urlparse

from ..errors import UnrecordableCall
from ..modes import InferenceMode
from .client_requests import outside_llama_stack
from .context import current_engine
from .patching import Args, Kwargs, Original, Target


def targets() -> list[Target]:
    """Return the methods to patch: what every request of such a client goes through."""
    call_api = outside_llama_stack(_call_api)
    return [
        Target("ogx_client.api_client", "ApiClient", "call_api", call_api, "1.2.0"),
        Target("ogx_client.async_api_client", "AsyncApiClient", "call_api", call_api, "1.2.0"),
    ]


def _call_api(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
    __tracebackhide__ = True
    engine = current_engine()
    if engine is not None:
        request = {**dict(zip(("method", "url"), args, strict=False)), **kwargs}
        endpoint = urlparse(str(request.get("url"))).path
        if engine.mode is InferenceMode.REPLAY:
            raise UnrecordableCall(
                f"{request.get('method')} {endpoint} is made by ogx-client 1.2 or later, which is not recorded and "
                "cannot be replayed; use ogx-client<1.2 or openai's client for the same server, or mock the call"
            )
        engine.call_log.live(endpoint)
    return wrapped(*args, **kwargs)
