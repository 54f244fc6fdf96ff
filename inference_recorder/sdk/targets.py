"""All that is patched: the two doors, how clients are made, and the websockets."""

from __future__ import annotations

from . import client_requests, credentials, resource_methods, websockets
from .patching import Target


def targets() -> list[Target]:
    """Return every method to patch, in the doors' order."""
    return [*resource_methods.targets(), *client_requests.targets(), *credentials.targets(), *websockets.targets()]
