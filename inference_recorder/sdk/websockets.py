"""Websocket endpoints: they are not recorded, and a replay refuses them."""

from __future__ import annotations

import warnings

from ..errors import UnrecordableCall
from ..modes import InferenceMode
from .context import current_engine
from .credentials import check_key
from .internals import client_of
from .patching import Args, Kwargs, Original, Target

_RESOURCES = "openai.resources."
CONNECTS = (
    ("beta.realtime", "beta.realtime.realtime", "Realtime", ""),
    ("realtime", "realtime.realtime", "Realtime", "1.109.1"),
    ("responses", "responses.responses", "Responses", "2.54.0"),
    ("beta.responses", "beta.responses.responses", "Responses", "2.54.0"),
    ("realtime.translations", "realtime.translations.translations", "Translations", "3.54.0"),
    ("live", "live.live", "Live", "3.54.0"),
    ("live.sideband", "live.sideband", "Sideband", "3.54.0"),
    ("live.forks", "live.forks", "Forks", "3.54.0"),
)
"""(as callers write it, module, class, the first version known to have it): what has a `connect` to a websocket."""
MODULES = frozenset(_RESOURCES + module for _, module, *_ in CONNECTS)
"""What opens websockets, each of which `connect` has counted."""


def targets() -> list[Target]:
    """Return the methods to patch: every `connect`, sync and async."""
    return [
        Target(_RESOURCES + module, start + owner, "connect", _connect, since, is_lasting=True)
        for _, module, owner, since in CONNECTS
        for start in ("", "Async")
    ]


def _connect(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
    engine = current_engine()
    if engine is not None:
        name = f"{type(instance).__name__}.connect"
        if engine.mode is InferenceMode.REPLAY:
            raise UnrecordableCall(
                f"{name} opens a websocket, which is not recorded and cannot be replayed; "
                "mock the connection in this test, or run it in live mode"
            )
        if engine.mode.writes and all(call.endpoint != name for call in engine.call_log.calls("live")):
            warnings.warn(f"{name} opens a websocket, which is not recorded; replay will raise here", stacklevel=3)
        engine.call_log.live(name)
    check_key(client_of(instance))
    return wrapped(*args, **kwargs)
