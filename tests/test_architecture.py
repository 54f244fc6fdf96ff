"""Imports point one way, each outside library has one importer, and state is announced."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import inference_recorder

PACKAGE = Path(inference_recorder.__file__).parent
LAYERS = (
    ("forks", "packages", "text"),
    ("config", "errors", "explanation", "fixture_ids", "json_tree", "modes", "network", "tasks", "test_files"),
    ("decorated", "never_entered", "unittest_classes"),
    ("api_schema", "prefilter"),
    ("request",),
    ("recording",),
    ("redaction",),
    ("pyproject", "storage"),
    ("views",),
    ("children",),
    ("diagnosis",),
    ("engine",),
    ("session",),
    ("sdk",),
    ("guard",),
    ("recorder", "exported", "joined", "asgi"),
    ("server",),
    ("__init__", "llama_stack"),
    ("bootstrap", "cli", "pytest_plugin"),
)
"""Lowest first: a module imports from its own layer and from those before it."""

LIBRARIES = {
    "wrapt": {"sdk/patching.py"},
    "filelock": {"storage/locks.py"},
    "orjson": {"recording/json_bytes.py"},
    "click": {"cli"},
    "rich": {"cli"},
    "yaml": {"cli"},
    "pytest": {"pytest_plugin"},
    "starlette": {"server"},
    "uvicorn": {"server"},
    "httpx": {"server"},
}
STATEFUL = {
    "diagnosis/index.py",
    "engine/given_test.py",
    "exported.py",
    "guard/judge.py",
    "guard/patches.py",
    "guard/resolved.py",
    "sdk/context.py",
    "sdk/describe.py",
    "sdk/hand_over.py",
    "sdk/own_servers.py",
    "sdk/patching.py",
    "sdk/private_names.py",
    "storage/locks.py",
}
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    return module.split("/")[0].removesuffix(".py")


def imports_of(module: str) -> Iterator[tuple[str, bool]]:
    """Yield (module named, whether at the top of the file) for each import of a module of ours."""
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    package = ["inference_recorder", *module.split("/")[:-1]]
    for node in ast.walk(tree):
        is_top = node in tree.body
        if isinstance(node, ast.Import):
            yield from ((alias.name, is_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield ".".join([*base, *(node.module or "").split(".")]).rstrip("."), is_top


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    """If an import does not, the thing is in the wrong file."""
    position = {room: number for number, layer in enumerate(LAYERS) for room in layer}
    for name, _ in imports_of(module):
        if name.startswith("inference_recorder."):
            assert position[name.split(".")[1]] <= position[room_of(module)], f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES)
def test_an_outside_library_has_one_importer(module: str) -> None:
    """Changing a library is then a change of one file."""
    for name, _ in imports_of(module):
        library = name.split(".")[0]
        if library in LIBRARIES:
            assert module in LIBRARIES[library] or room_of(module) in LIBRARIES[library], f"{module} imports {library}"


@pytest.mark.parametrize("module", MODULES)
def test_state_that_outlives_a_call_is_announced(module: str) -> None:
    """A search for what survives a test ends at the first lines."""
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    holders = (ast.Dict, ast.List, ast.Set, ast.ListComp, ast.DictComp)
    state = [
        ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
        for node in tree.body
        if (isinstance(node, ast.Assign) or (isinstance(node, ast.AnnAssign) and node.value is not None))
        and (isinstance(node.value, holders) or "ContextVar" in ast.unparse(node.value))
    ]
    state = [name for name in state if not name.isupper() and name != "__all__"]  # a table in capitals is a constant
    assert bool(state) <= (module in STATEFUL), f"{module} keeps {state}"
    if module in STATEFUL:
        assert state, f"{module} announces state and holds none"
        assert "olds state" in (ast.get_docstring(tree) or ""), module


def test_importing_the_package_imports_no_sdk_and_no_terminal() -> None:
    """Every pytest run of a project that has us installed pays for what we import."""
    program = (
        "import sys, inference_recorder; print(sorted({'openai', 'pydantic', 'rich', 'httpx2'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "[]" == result.stdout.strip()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is(module: str) -> None:
    """One noun for each file; one that passes 250 lines probably has two."""
    text = (PACKAGE / module).read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400
