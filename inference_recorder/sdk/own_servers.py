"""The servers of this package that run in this process or the one it joined. What SDK clients ask them, they record.

Holds state: their URLs. It needs no lock: each server adds and removes its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

own_servers: list[str] = []
"""The starts of their URLs; in a process that joined a test's session, what the URLs for that test have in them."""


@contextmanager
def running_at(url: str) -> Iterator[None]:
    """Leave calls to this URL, which has no path, alone while the block runs."""
    own_servers.append(url)
    try:
        yield
    finally:
        own_servers.remove(url)


def is_asked_by(client: Any) -> bool:
    """Return whether the base url of a client is one of those servers."""
    base_url = f"{getattr(client, 'base_url', None) or ''}/"
    return any(f"{url}/" in base_url for url in own_servers)
