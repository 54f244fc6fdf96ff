"""The test ids of fixtures that several tests share: `tests/test_a.py@answer[gpt-4o]`.

Before the "@" stands whose fixture it is: a class, a file, a directory (with a slash at its end) or "session". Then its
name, after the place where it is defined unless that is the same: `session@tests/answer`, `session@test_a.py::answer`.
Then pytest's ids of its own parameter and of those of the fixtures that it uses: `answer[gpt-4o][mode=fast]`.

Source of the form: pytest's node ids, which never hold "@" between such names; like them it needs no quotes in a shell
unless it has parameters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SESSION = "session"
_ID = re.compile(
    r"(?P<scope>(?:(?!::).)+?(?:::\w+)*)@"
    r"(?P<place>(?:(?!::|@).)*/|(?:(?!::|@).)+?(?:::\w+)*::|)"
    r"(?P<name>\w+)(?P<parameters>(?:\[.*\])?)",
    re.DOTALL,
)
_NAME_BY_PYTEST = re.compile(r"_(?:xunit|unittest)_(set[uU]p\w*?)_fixture_.*", re.DOTALL)
"""Of the fixtures that pytest makes of setup_module, setUpClass and their like; the rest says what they belong to."""


class FixtureId(NamedTuple):
    """A fixture's test id, taken apart."""

    scope: str
    """A class or file as pytest names it, a directory with a slash at its end, or "session"."""
    definer: str
    """Where the fixture is defined, with the separator that follows; "" for the scope itself."""
    name: str
    parameters: str
    """In brackets; "" for none."""

    def __str__(self) -> str:
        return f"{self.scope}@{self.definer}{self.name}{self.parameters}"

    @property
    def node_id(self) -> str:
        """The scope as pytest names it."""
        return self.scope.rstrip("/")


def fixture_id(
    scope: str, defined_in: str, name: str, parameter: str | None, others: Iterable[tuple[str, str]]
) -> FixtureId:
    """Return the id of a fixture; `scope` is as in FixtureId, `defined_in` the node id of where it is defined.

    `parameter` is pytest's id of its own parameter, `others` are (fixture, id) for the parameters it depends on.
    """
    defined_in = "" if defined_in == "." else defined_in
    if defined_in == ("" if scope == SESSION else scope.rstrip("/")):
        definer = ""
    else:
        is_file = "::" in defined_in or defined_in.endswith(".py")
        definer = f"{defined_in}::" if is_file else f"{defined_in}/"
    parameters = ([] if parameter is None else [parameter]) + [f"{other}={value}" for other, value in sorted(others)]
    return FixtureId(scope, definer, _NAME_BY_PYTEST.sub(r"\1", name), "".join(f"[{value}]" for value in parameters))


def parsed_fixture_id(test_id: str) -> FixtureId | None:
    """Return the parts of a fixture's id, None for the id of a test."""
    match = _ID.fullmatch(test_id)
    if match is None:
        return None
    fixture = FixtureId(*match.group("scope", "place", "name", "parameters"))
    return fixture if fixture.scope == SESSION or _are_related(fixture.node_id, fixture.definer.rstrip("/:")) else None


def moved_id(test_id: str, root: Path, new_root: Path) -> str | None:
    """Return the id, relative to `new_root`, of a test or fixture whose id is relative to `root`.

    None if it is not below `new_root`: its file, or for a fixture of the whole session, where that is defined.
    """
    fixture = parsed_fixture_id(test_id)
    if fixture is None:
        return _moved(test_id, root, new_root)
    node_id = "" if fixture.scope == SESSION else fixture.node_id
    scope = _moved(node_id, root, new_root) if node_id else ""
    # Rootdir itself has the node id "". What is defined above the new root is, as pytest sees it there, defined in it.
    defined_in = _moved(fixture.definer.rstrip("/:") if fixture.definer else node_id, root, new_root)
    if scope is None or (defined_in is None and not node_id):
        return None
    is_directory = fixture.scope.endswith("/")
    new = fixture_id(f"{scope}/" if is_directory else scope or SESSION, defined_in or "", fixture.name, None, ())
    return str(new._replace(parameters=fixture.parameters))


def _moved(node_id: str, root: Path, new_root: Path) -> str | None:
    file, separator, names = node_id.partition("::")
    try:
        path = os.path.relpath(os.path.join(root, file), new_root).replace(os.sep, "/")
    except ValueError:  # it is on another drive
        return None
    if path == ".." or path.startswith("../"):
        return None
    return ("" if path == "." else path) + separator + names


def _are_related(scope: str, definer: str) -> bool:
    """Whether tests of the one can see fixtures of the other; a directory's name may hold "@" too."""
    return (
        not definer
        or f"{scope}/".startswith((f"{definer}/", f"{definer}::"))
        or definer.startswith((f"{scope}/", f"{scope}::"))
    )
