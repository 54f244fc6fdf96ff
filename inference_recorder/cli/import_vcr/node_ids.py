"""Which test a cassette belongs to, judged by its path."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ..configured import nearest_rootdir

_CASSETTE_DIRECTORY = "cassettes"


def node_id_of(cassette: Path, rootdir: Path | None = None) -> str | None:
    """Return the id, relative to `rootdir`, of the test that a cassette is named after; None if there is no such test.

    pytest-recording writes `cassettes/<module>/<test>.yaml` beside the module, pytest-vcr and vcrpy's own TestCase
    `cassettes/<test>.yaml`, each with "<class>." before a method. `rootdir` defaults to the nearest directory above
    the test with a configuration file, or the working directory.
    """
    path = cassette.absolute()
    depth = next((depth for depth, parent in enumerate(path.parents[:2]) if parent.name == _CASSETTE_DIRECTORY), None)
    if depth is None:
        return None
    directory = path.parents[depth + 1]
    if depth:
        modules = [directory / f"{path.parent.name}.py"]
    else:
        modules = sorted({*directory.glob("test*.py"), *directory.glob("*_test.py")})
    name = path.name.removesuffix(path.suffix)
    candidates = [(module, names) for module in modules if (names := _names_in(module, name))]
    if len(candidates) != 1:
        return None
    module, names = candidates[0]
    root = (rootdir or nearest_rootdir(module.parent) or Path.cwd()).absolute()
    return "::".join((module.relative_to(root).as_posix(), *names)) if module.is_relative_to(root) else None


def _names_in(module: Path, name: str) -> tuple[str, ...] | None:
    """Return the classes and the test of a module that a cassette is named after, None if the module lacks them."""
    function, bracket, parameters = name.partition("[")
    functions = _functions_by_class(module)
    owner, dot, test = function.rpartition(".")
    if not dot:
        return (name,) if function in functions.get((), ()) else None
    # The name holds the innermost class only. Its tests may be inherited.
    paths = [path for path in functions if path and path[-1] == owner]
    return (*paths[0], test + bracket + parameters) if len(paths) == 1 else None


@lru_cache(maxsize=256)
def _functions_by_class(module: Path) -> dict[tuple[str, ...], frozenset[str]]:
    """Return the names of functions by the path to their class; () is the path of the module itself."""
    try:
        tree = ast.parse(module.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    return dict(_walk(tree, ()))


def _walk(node: ast.Module | ast.ClassDef, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    yield path, frozenset(child.name for child in node.body if isinstance(child, functions))
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            yield from _walk(child, (*path, child.name))
