"""What the path of a request says before the API's own: /k/TOKEN, /t/TEST and /r/RUN, in any order."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, unquote

from ..asgi import checked_id

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
    """Take a path apart. Raises ValueError if it says something twice, has an invalid test id or leads upwards."""
    found: dict[str, str] = {}
    path = raw_path
    while (parts := path.split("/", 3))[1:2] and parts[1] in _NAMES and len(parts) == 4:
        _, name, value, rest = parts
        if name in found:
            raise ValueError(f"the path names /{name}/ twice")
        found[name], path = unquote(value), f"/{rest}"
    if not {".", ".."}.isdisjoint(unquote(path).split("/")):
        raise ValueError("the path has . or .. in it")  # it would leave the base url of the server of the models
    test_id = checked_id(found[_TEST]) if _TEST in found else ""
    return Route(path, found.get(_TOKEN, ""), test_id, found.get(_RUN, ""))
