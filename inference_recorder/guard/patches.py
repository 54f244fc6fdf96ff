"""What is wrapped while the guard is held. Holds state: what is wrapped now, and for how many.

Only what is imported is wrapped. A library that is imported later is wrapped when it opens its first connection, which
the wrapped socket notices. When the last holder lets go, everything is the identical object it was.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from ..errors import LiveCallBlocked
from ..forks import renew_in_child
from ..sdk.patching import Args, Kwargs, Original, Target, wrapped_by
from . import http_layers, sockets
from .resolved import forget

_TARGETS = (*sockets.TARGETS, *http_layers.TARGETS)
_RETRIES = ("_sleep_for_retry", "_retry_request")
_MISSING = object()
_wrapped: dict[tuple[Any, str], tuple[object, object]] = {}
"""(class or module, name) -> (what was there itself, _MISSING for what a base class has; what is there now)"""
_seen: list[object] = []
"""The classes of the targets when they were last looked through, None for one that was not imported."""
_holders = 0
_guard = threading.RLock()
"""Guards all of these."""
renew_in_child(globals())


def hold() -> None:
    """Wrap everything for one more holder."""
    import http.client  # noqa: F401 - it names a request before it connects; the SDK imports it anyway

    for library, below in (("httpx", "httpcore"), ("httpx2", "httpcore2")):
        if library in sys.modules:  # its first client imports the other one; with uvloop, no socket would notice that
            import_module(below)
    global _holders
    with _guard:
        _holders += 1
        wrap_imported()


def let_go() -> None:
    """Take one holder's hold away; after the last one nothing is wrapped."""
    global _holders, _seen
    with _guard:
        _holders = max(0, _holders - 1)
        if _holders:
            return
        _seen = []
        forget()
        while _wrapped:
            (owner, name), (original, wrapped) = _wrapped.popitem()
            if vars(owner).get(name) is not wrapped:
                continue  # a patch on top of ours that was not undone stays; ours below it passes everything on
            if original is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)


def wrap_imported() -> bool:
    """Wrap what has been imported since; return whether there was anything."""
    global _seen
    with _guard:
        if not has_unwrapped():
            return False
        _seen, count = _classes(), len(_wrapped)
        _wrap(_TARGETS)
        return len(_wrapped) > count


def has_unwrapped() -> bool:
    """Return whether a library may have been imported since."""
    with _guard:
        return _holders > 0 and _seen != _classes()


def _classes() -> list[object]:
    return [getattr(sys.modules.get(target.module), target.owner, None) for target in _TARGETS]


def end_retries() -> None:
    """Make the SDKs that are imported raise LiveCallBlocked itself, where they would sleep and try again.

    Source: `_base_client.py` of all SDKs that Stainless generates, which are many of them. Each catches every Exception
    of its HTTP client and calls `_sleep_for_retry` (once `_retry_request`) while it handles it.
    """
    with _guard:
        if _holders:
            names = [name for name in list(sys.modules) if name.endswith("._base_client")]
            owners = ("SyncAPIClient", "AsyncAPIClient")
            _wrap(Target(name, owner, retry, _retry) for name in names for owner in owners for retry in _RETRIES)


def _retry(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, LiveCallBlocked):
        error = error.__cause__ or error.__context__
    if error is not None:
        raise error
    return wrapped(*args, **kwargs)


def _wrap(targets: Iterable[Target]) -> None:
    for target in targets:
        module = sys.modules.get(target.module)
        owner: Any = getattr(module, target.owner, None) if target.owner else module
        original = getattr(owner, target.method, None)
        if owner is None or original is None or (owner, target.method) in _wrapped or _is_stand_in(owner, target):
            continue
        there: Any = vars(owner).get(target.method, _MISSING)
        if getattr(there, "_self_wrapper", None) is target.wrapper:  # a patch that was undone after we left put it back
            bases = getattr(owner, "__mro__", ())[1:]
            is_inherited = any(vars(base).get(target.method) is there.__wrapped__ for base in bases)
            _wrapped[owner, target.method] = _MISSING if is_inherited else there.__wrapped__, there
            continue
        wrapped = wrapped_by(original, target.wrapper)
        _wrapped[owner, target.method] = there, wrapped
        setattr(owner, target.method, wrapped)


def _is_stand_in(owner: Any, target: Target) -> bool:
    """Whether another tool has put a class of its own in the place of the library's; it opens no connection there."""
    return bool(target.owner) and owner.__module__.partition(".")[0] != target.module.partition(".")[0]
