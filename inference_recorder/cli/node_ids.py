"""Whether a test that a recording names is still there: told from its file's syntax tree, running nothing."""

from __future__ import annotations

import ast
import os
import warnings
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from ..fixture_ids import SESSION, FixtureId, parsed_fixture_id

_NO_BASES_WITH_TESTS = frozenset({"object", "ABC", "Protocol", "Generic", "TestCase", "IsolatedAsyncioTestCase"})
_MAKERS_OF_TESTS = frozenset({"exec", "globals", "setattr"})
"""A file that calls one of these may hold tests that its syntax tree does not name."""


class Presence(Enum):
    """What is known of a test."""

    THERE = "there"
    GONE = "gone"
    UNKNOWN = "unknown"
    """Nobody can tell: its file cannot be parsed, or the id is not one that pytest gave."""


class Verdict(NamedTuple):
    """Whether a test is there, and why that is said."""

    presence: Presence
    reason: str = ""


_THERE = Verdict(Presence.THERE)


@dataclass(slots=True)
class TestFiles:
    """The tests below pytest's rootdir; each file is parsed once."""

    __test__ = False
    rootdir: Path
    _scopes: dict[str, _Scope | Verdict] = field(default_factory=dict)

    def verdict(self, test_id: str) -> Verdict:
        """Return whether the test with this id is there.

        GONE only where its file, class or function certainly is not; what parameters a test has is not looked into. Of
        a fixture's id it is told of the class, file or directory whose fixture it is.
        A test may also be one that is inherited, imported or made by a decorator: whatever might be is UNKNOWN.
        """
        fixture = parsed_fixture_id(test_id)
        if fixture is not None and "::" not in fixture.scope:
            return self._verdict_of_scope(fixture)
        file, separator, rest = (test_id if fixture is None else fixture.scope).partition("::")
        if not separator:
            return Verdict(Presence.UNKNOWN, "its test id is not one of pytest's")
        if file not in self._scopes:
            self._scopes[file] = _scope_of(self.rootdir, file)
        scope = self._scopes[file]
        return scope if isinstance(scope, Verdict) else _in_module(scope, file, rest.partition("[")[0].split("::"))

    def has_file_of(self, test_id: str) -> bool:
        """Whether the file that a test's id names exists."""
        fixture = parsed_fixture_id(test_id)
        return _is_file(self.rootdir, (test_id if fixture is None else fixture.scope).partition("::")[0])

    def _verdict_of_scope(self, fixture: FixtureId) -> Verdict:
        if fixture.scope.endswith("/"):
            is_there = os.path.isdir(self.rootdir / fixture.scope)  # False for one that no directory can have
            return _THERE if is_there else Verdict(Presence.GONE, f"there is no directory {fixture.node_id}")
        if fixture.scope == SESSION or _is_file(self.rootdir, fixture.scope):
            return _THERE
        if fixture.scope.endswith(".py"):
            return Verdict(Presence.GONE, f"there is no file {fixture.scope}")
        return Verdict(Presence.UNKNOWN, "its test id is not one of pytest's")


@dataclass(slots=True)
class _Scope:
    """What a module or a class binds, as far as its syntax tree tells."""

    functions: dict[str, bool] = field(default_factory=dict)
    """Name -> whether it is decorated."""
    classes: dict[str, _Scope] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    """Names that are assigned or imported."""
    bases: tuple[str, ...] = ()
    is_open: bool = False
    """Whether it may hold more names than are written there."""


def _is_file(rootdir: Path, file: str) -> bool:
    try:
        return (rootdir / file).is_file()
    except (OSError, ValueError):  # a name too long, or one that holds NUL
        return False


def _scope_of(rootdir: Path, file: str) -> _Scope | Verdict:
    if not _is_file(rootdir, file):
        return Verdict(Presence.GONE, f"there is no file {file}")
    if not file.endswith(".py"):
        return Verdict(Presence.UNKNOWN, f"{file} is not a Python file")
    try:
        content = (rootdir / file).read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
        scope = _bound_in(tree.body)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Verdict(Presence.UNKNOWN, f"{file} cannot be parsed ({type(error).__name__})")
    scope.is_open |= any(isinstance(node, ast.Name) and node.id in _MAKERS_OF_TESTS for node in ast.walk(tree))
    return scope


def _bound_in(body: list[ast.stmt]) -> _Scope:
    scope = _Scope()
    for node in body:
        _bind(node, scope)
    return scope


def _bind(node: ast.AST, scope: _Scope) -> None:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        scope.functions[node.name] = bool(node.decorator_list)
    elif isinstance(node, ast.ClassDef):
        inner = _bound_in(node.body)
        inner.bases = tuple(ast.unparse(base).partition("[")[0] for base in node.bases)
        inner.is_open |= bool(node.keywords)
        scope.classes[node.name] = inner
        if node.decorator_list:  # parameterized_class and the like put more classes beside it
            scope.functions.setdefault(node.name, True)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        names = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        scope.is_open |= "*" in names
        scope.others |= names
    elif isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Store):
            scope.others.add(node.id)
    else:  # an assignment, or a block such as `if`, whose definitions are the scope's own
        for below in ast.iter_child_nodes(node):
            _bind(below, scope)


def _in_module(module: _Scope, file: str, names: list[str]) -> Verdict:
    scope = module
    for place, name in enumerate(names):
        lineage, elsewhere = _lineage(scope, module)
        if place == len(names) - 1 and any(name in one.functions for one in lineage):
            break
        inner = next((one.classes[name] for one in lineage if name in one.classes), None)
        if inner is None:
            return _not_written(name, "::".join((file, *names[:place])), [module, *lineage], elsewhere)
        scope = inner
    return _THERE


def _not_written(name: str, where: str, scopes: list[_Scope], elsewhere: list[str]) -> Verdict:
    if not name.isidentifier():  # such as a doctest's
        return Verdict(Presence.UNKNOWN, f"{name!r} is not the name of a test function")
    if any(name in one.others for one in scopes[1:]):
        return _THERE
    if any(one.is_open for one in scopes):
        return Verdict(Presence.UNKNOWN, f"{where} may hold more tests than are written there")
    if elsewhere:
        return Verdict(Presence.UNKNOWN, f"{where} may inherit {name} from {elsewhere[0]}")
    decorated = (other for one in scopes[1:] for other, is_decorated in one.functions.items() if is_decorated)
    if any(name.startswith(f"{other}_") for other in decorated):
        return Verdict(Presence.UNKNOWN, f"a decorator in {where} may make {name}")
    return Verdict(Presence.GONE, f"there is no {name} in {where}")


def _lineage(scope: _Scope, module: _Scope) -> tuple[list[_Scope], list[str]]:
    """Return a scope with the classes of its module that it inherits from, and its bases from elsewhere."""
    found: list[_Scope] = []
    elsewhere: list[str] = []
    waiting = [scope]
    while waiting:
        one = waiting.pop()
        if any(one is other for other in found):
            continue
        found.append(one)
        for base in one.bases:
            if base in module.classes:
                waiting.append(module.classes[base])
            elif base.rpartition(".")[2] not in _NO_BASES_WITH_TESTS:
                elsewhere.append(base)
    return found, elsewhere
