"""Fixtures wider than a test: their calls are those of the fixture, whichever test ran first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ..fixture_ids import SESSION, fixture_id
from .parameters import ParameterIds

if TYPE_CHECKING:
    from ..session import Session

ITEM_ID = pytest.StashKey[str]()
"""A test's node id as it was collected: pytest-xdist adds its group's name to it."""


class Scope(NamedTuple):
    """What a fixture's calls belong to."""

    id: str
    """The fixture's test id."""
    directory: Path | None
    """Of the scope's tests; None for the whole run, whose recordings lie beside no test."""
    node: pytest.Item | pytest.Collector


class ScopeSession:
    """The plugin's session for one wider fixture: open while it is set up or torn down."""

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


def scope_of(
    fixture: pytest.FixtureDef[Any], request: pytest.FixtureRequest, item: pytest.Item | None, ids: ParameterIds
) -> Scope | None:
    """Return the scope of a fixture that is being set up for a test, None where it is the test itself."""
    node = request.node
    if fixture.scope == "function" or node is item:  # a fixture of the scope "class" in a test outside a class
        return None
    if fixture.scope == "session" or not node.nodeid:
        scope, directory = SESSION, None
    else:
        scope, directory = f"{id_of(node)}{'/' if node.path.is_dir() else ''}", directory_of(node)
    parameter, others = ids.of(fixture, item)
    name = str(fixture_id(scope, fixture.baseid, fixture.argname, parameter, others)).replace("\x00", "(null)")
    return Scope(name, directory, node)


def id_of(node: pytest.Item | pytest.Collector) -> str:
    """Return a test's id as PYTEST_CURRENT_TEST has it, or a scope's."""
    return node.stash.get(ITEM_ID, node.nodeid).replace("\x00", "(null)")


def directory_of(node: pytest.Item | pytest.Collector) -> Path:
    return node.path if node.path.is_dir() else node.path.parent
