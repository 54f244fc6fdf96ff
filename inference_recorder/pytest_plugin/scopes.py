"""Fixtures wider than a test: their calls are those of their scope, whichever test ran first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from ..session import Session

SESSION_ID = "session"
"""The test id of what fixtures of the scope "session" ask."""
ITEM_ID = pytest.StashKey[str]()
"""A test's node id as it was collected: pytest-xdist adds its group's name to it."""


class Scope(NamedTuple):
    """What a fixture's calls belong to."""

    id: str
    folder: Path | None
    """Of the scope's tests; None for the whole run, whose recordings lie beside no test."""
    node: pytest.Item | pytest.Collector


class ScopeSession:
    """The plugin's session for the fixtures of one scope: open while one of them is set up or torn down."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._depth = 1

    def enter(self) -> None:
        from ..recorder import resume

        self._depth += 1
        if self._depth == 1:
            resume(self.session, is_process_wide=True)

    def leave(self) -> None:
        from ..recorder import suspend

        self._depth -= 1
        if self._depth == 0:
            suspend(self.session)


def scope_of(request: pytest.FixtureRequest) -> Scope:
    """Return the scope of a fixture that is being set up: a class, a module, a package or the whole run."""
    node = request.node
    if request.scope == "session" or not node.nodeid:
        return Scope(SESSION_ID, None, node)
    return Scope(id_of(node), folder_of(node), node)


def id_of(node: pytest.Item | pytest.Collector) -> str:
    """Return a test's id as PYTEST_CURRENT_TEST has it, or a scope's."""
    return node.stash.get(ITEM_ID, node.nodeid).replace("\x00", "(null)")


def folder_of(node: pytest.Item | pytest.Collector) -> Path:
    return node.path if node.path.is_dir() else node.path.parent
