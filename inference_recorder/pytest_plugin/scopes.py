"""What calls belong to: a test, or a fixture wider than a test, whichever test ran first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from ..fixture_ids import SESSION, fixture_id
from .parameters import ParameterIds

if TYPE_CHECKING:
    from ..engine.attempt_series import AttemptSeries
    from ..session import Session

ITEM_ID = pytest.StashKey[str]()
"""A test's node id as it was collected: pytest-xdist adds its group's name to it."""


@dataclass(slots=True)
class Running:
    """What runs now: a test, or a wider fixture while it is set up or torn down."""

    test_id: str | None = None
    """None between tests."""
    directory: Path | None = None
    """Of its file; None for a fixture of the whole session."""
    attempt_series: AttemptSeries | None = None
    """Where its calls are counted."""
    node: pytest.Item | pytest.Collector | None = None


class Scope(NamedTuple):
    """What a fixture's calls belong to."""

    id: str
    """The fixture's test id."""
    directory: Path | None
    """Of the scope's tests; None for the whole session, whose recordings are beside no test."""
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
    fixture: pytest.FixtureDef[object], request: pytest.FixtureRequest, item: pytest.Item | None, ids: ParameterIds
) -> Scope | None:
    """Return the scope of a fixture that is being set up for a test; None if it is the test itself."""
    node = request.node
    if fixture.scope == "function" or node is item:  # scope="class" in a test outside a class
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
