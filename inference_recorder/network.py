"""Hosts of connections: which are this machine, and which a session lets through."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

_LOOPBACK = re.compile(r"localhost|.*\.localhost|127(\.\d+){3}|::ffff:127(\.\d+){3}|::1|0\.0\.0\.0|::", re.DOTALL)
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class NetworkRules:
    """What a session says about connections that are not its own calls."""

    blocks_all: bool = False
    """Whether every connection to another machine is refused."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts that are never refused: names or addresses, with "*" for any text, and ":port" for one port."""

    def allows(self, names: Iterable[str], port: int) -> bool:
        """Return whether `allow_hosts` names a host by one of its names or its address."""
        texts = [text for name in names for text in (name, f"{name}:{port}")]
        return any(fnmatchcase(text, pattern) for pattern in self.allow_hosts for text in texts)


def ascii_host(host: str) -> str:
    """Return a host as `socket` looks it up: other full stops and wide letters are the usual ones there."""
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host


def is_loopback(host: str) -> bool:
    """Return whether a name or address is this machine."""
    return _LOOPBACK.fullmatch(host) is not None


def host_and_port(url: str) -> tuple[str, int]:
    """Return the host and port of a url; ("", 0) for one that names none."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0
