"""All that is patched: resource methods, client requests, how clients are made, and what is refused in replay."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from ..errors import UnsupportedSDK
from . import awaited_later, client_requests, credentials, ogx_client, resource_methods, websockets
from .patching import Target, hold, let_go


def targets() -> list[Target]:
    """Return every method to patch, resource methods first."""
    modules = (resource_methods, client_requests, awaited_later, credentials, websockets, ogx_client)
    return [target for module in modules for target in module.targets()]


@cache
def targets_to_hold() -> tuple[Target, ...]:
    """Return the same, made once: each session holds them."""
    return tuple(targets())


def patch_lasting_targets() -> Callable[[], None]:
    """Patch what is to be patched outside sessions too; returns a function that ends this.

    Nothing is patched if the SDK is one that sessions cannot patch: they raise the error.
    """
    try:
        hold(targets_to_hold(), lasting=True)
    except UnsupportedSDK:
        return lambda: None
    return partial(let_go, lasting=True)
