"""The servers of this package that run in this process. What its SDK clients ask them, they record themselves.

Holds state: their URLs. It needs no lock: each server adds and removes its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

own_servers: set[str] = set()


@contextmanager
def running_at(url: str) -> Iterator[None]:
    """Leave calls to this URL, which has no path, alone while the block runs."""
    own_servers.add(url)
    try:
        yield
    finally:
        own_servers.discard(url)


def is_asked_by(client: Any) -> bool:
    """Return whether the base url of a client is one of those servers."""
    base_url = str(getattr(client, "base_url", None) or "")
    return any(base_url.startswith(f"{url}/") for url in own_servers)
