"""The client of the SDK that makes the call which is under way."""

from __future__ import annotations

import inspect
from traceback import walk_stack

from ..network import host_and_port
from ..packages import SDKS
from .internals import base_url_of

_MODULES = frozenset(f"{sdk.package}._base_client" for sdk in SDKS)


def destination_of_calling_client() -> tuple[str, int] | None:
    """Return host and port of the base url of the client that sends what is sent here; None if none does."""
    for frame, _ in walk_stack(inspect.currentframe()):
        is_of_client = frame.f_globals.get("__name__") in _MODULES and "self" in frame.f_code.co_varnames
        if is_of_client and (base_url := base_url_of(frame.f_locals.get("self"))) is not None:
            return host_and_port(str(base_url))
    return None
