"""A request without a recording, and what of its session a diagnosis needs."""

from __future__ import annotations

from typing import NamedTuple

from ..request.keys import EXACT, KeyVersion
from ..request.normalizers import NONE, Normalizers
from ..request.request import Request


class Question(NamedTuple):
    """A request without a recording."""

    request: Request
    key: str
    test_id: str | None
    position: int = 1
    """Which of the session's calls with this key it is, counted from 1."""
    normalizers: Normalizers = NONE
    """What the session's requests are normalised by, beside the rules of the format."""
    version: KeyVersion = EXACT
    """The key version that names what the session records."""
    variables: tuple[str, ...] = ()
    """The names of the environment variables whose values are secrets of the request."""
    is_shared: bool = False
    """Whether it belongs to no test because of scope="shared"."""
    is_configured: bool = True
    """Whether the session's normalizers are those of the configuration, and not an argument's."""
