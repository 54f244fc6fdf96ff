"""All that is patched: the two doors, how clients are made, and the sockets."""

from __future__ import annotations

from . import client_door, credentials, method_door, sockets
from .patching import Target


def targets() -> list[Target]:
    """Return every method to patch, in the doors' order."""
    return [*method_door.targets(), *client_door.targets(), *credentials.targets(), *sockets.targets()]
