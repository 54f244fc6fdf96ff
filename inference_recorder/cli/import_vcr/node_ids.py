"""Which test a cassette belongs to, by where it lies and how it is called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ..configured import nearest_rootdir

_DIRECTORY = "cassettes"


def node_id_of(cassette: Path, rootdir: Path | None = None) -> str | None:
    """Return the id, below `rootdir`, of the test that a cassette is named after; None where there is none there.

    pytest-recording keeps `cassettes/<module>/<test>.yaml` beside the module, pytest-vcr and vcrpy's own TestCase
    `cassettes/<test>.yaml`, each with "<class>." before a method. Without `rootdir`, it is the nearest folder above
    the test with a configuration file, else the working directory.
    """
    path = cassette.absolute()
    inside = next((number for number, parent in enumerate(path.parents[:2]) if parent.name == _DIRECTORY), None)
    if inside is None:
        return None
    tests = path.parents[inside + 1]
    modules = (
        [tests / f"{path.parent.name}.py"] if inside else sorted({*tests.glob("test*.py"), *tests.glob("*_test.py")})
    )
    found = [(module, names) for module in modules if (names := _names_in(module, path.name.removesuffix(path.suffix)))]
    if len(found) != 1:
        return None
    module, names = found[0]
    root = (rootdir or nearest_rootdir(module.parent) or Path.cwd()).absolute()
    return "::".join((module.relative_to(root).as_posix(), *names)) if module.is_relative_to(root) else None


def _names_in(module: Path, name: str) -> tuple[str, ...] | None:
    """Return the classes and the test in a module that a cassette's name means, None where they are not there."""
    function, bracket, parameters = name.partition("[")
    classes = _classes_of(module)
    owner, dot, test = function.rpartition(".")
    if not dot:
        return (name,) if (function in classes.get((), ())) else None
    # The name holds the innermost class only. Its tests may be inherited.
    nested = [path for path in classes if path and path[-1] == owner]
    return (*nested[0], test + bracket + parameters) if len(nested) == 1 else None


@lru_cache(maxsize=256)
def _classes_of(module: Path) -> dict[tuple[str, ...], frozenset[str]]:
    """Return the functions of each class of a module by the path to it; () for those of the module itself."""
    try:
        tree = ast.parse(module.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    return dict(_walked(tree, ()))


def _walked(node: ast.Module | ast.ClassDef, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    yield path, frozenset(child.name for child in node.body if isinstance(child, functions))
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            yield from _walked(child, (*path, child.name))
