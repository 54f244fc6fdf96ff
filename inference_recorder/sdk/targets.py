"""All that is patched: resource methods, client requests, how clients are made, and websockets."""

from __future__ import annotations

from . import client_requests, credentials, resource_methods, websockets
from .patching import Target


def targets() -> list[Target]:
    """Return every method to patch, resource methods first."""
    return [*resource_methods.targets(), *client_requests.targets(), *credentials.targets(), *websockets.targets()]
