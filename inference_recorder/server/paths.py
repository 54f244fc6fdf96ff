"""What the path of a request says before the API's own: /k/TOKEN, /t/TEST and /r/RUN, in any order."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, unquote

_TOKEN, _TEST, _RUN = "k", "t", "r"
_NAMES = frozenset({_TOKEN, _TEST, _RUN})


class Route(NamedTuple):
    """A path, taken apart."""

    path: str
    """The rest, in the encoding in which it was sent, from the "/" on."""
    token: str = ""
    test_id: str = ""
    run: str = ""


def prefix(*, test_id: str = "", run: str = "", token: str = "") -> str:
    """Return what a base url has before the API's own path, "" for nothing."""
    parts = ((_TOKEN, token), (_TEST, test_id), (_RUN, run))
    return "".join(f"/{name}/{quote(value, safe='')}" for name, value in parts if value)


def route_of(raw_path: str) -> Route:
    """Take a path apart. Raises ValueError if it says something twice."""
    found: dict[str, str] = {}
    path = raw_path
    while (parts := path.split("/", 3))[1:2] and parts[1] in _NAMES and len(parts) == 4:
        _, name, value, rest = parts
        if name in found:
            raise ValueError(f"the path names /{name}/ twice")
        found[name], path = unquote(value), f"/{rest}"
    return Route(path, found.get(_TOKEN, ""), found.get(_TEST, ""), found.get(_RUN, ""))
