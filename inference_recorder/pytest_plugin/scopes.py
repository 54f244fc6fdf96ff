"""What calls belong to: a test, or a fixture wider than a test, whichever test ran first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..fixture_ids import SESSION, fixture_id
from .parameters import ParameterIds

if TYPE_CHECKING:
    from ..engine.attempt_series import AttemptSeries

ITEM_ID = pytest.StashKey[str]()
"""A test's node id as it was collected: pytest-xdist adds its group's name to it."""


@dataclass(slots=True, eq=False)
class RunningTest:
    """The test that runs; its calls are counted by its attempt."""

    test_id: str | None = None
    """None between tests."""
    directory: Path | None = None
    """Of its file."""


@dataclass(slots=True, eq=False)
class WideFixture:
    """A fixture wider than a test, from its setup to its teardown."""

    test_id: str
    directory: Path | None
    """Of its scope's tests; None for the whole session, whose recordings are beside no test."""
    node: pytest.Item | pytest.Collector
    """The class, file, directory or session whose tests share it."""
    defined_in: Path | None = None
    """The directory that defines a fixture of the whole session."""
    attempt_series: AttemptSeries | None = None
    """Where its calls are counted."""


def wide_fixture(
    fixture: pytest.FixtureDef[object], request: pytest.FixtureRequest, item: pytest.Item | None, ids: ParameterIds
) -> WideFixture | None:
    """Return the fixture that is being set up for a test; None if it is the test's own."""
    node = request.node
    if fixture.scope == "function" or node is item:  # scope="class" in a test outside a class
        return None
    if fixture.scope == "session" or not node.nodeid:
        scope, directory = SESSION, None
    else:
        scope, directory = f"{id_of(node)}{'/' if node.path.is_dir() else ''}", directory_of(node)
    parameter, others = ids.of(fixture, item)
    name = str(fixture_id(scope, fixture.baseid, fixture.argname, parameter, others)).replace("\x00", "(null)")
    defined_in = node.config.rootpath / fixture.baseid.partition("::")[0]
    return WideFixture(name, directory, node, defined_in if defined_in.is_dir() else defined_in.parent)


def id_of(node: pytest.Item | pytest.Collector) -> str:
    """Return a test's id as PYTEST_CURRENT_TEST has it, or a scope's."""
    return node.stash.get(ITEM_ID, node.nodeid).replace("\x00", "(null)")


def directory_of(node: pytest.Item | pytest.Collector) -> Path:
    return node.path if node.path.is_dir() else node.path.parent


def search_start(running: RunningTest | WideFixture) -> Path | None:
    """Return where the search for the directory of a project begins."""
    return running.defined_in if isinstance(running, WideFixture) and not running.directory else running.directory
