"""Every private name of an SDK that the package uses is declared in one module, and the installed SDK has it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import openai
import pytest

import inference_recorder
from inference_recorder import UnsupportedSDK
from inference_recorder.sdk import private_names as names_of_sdks
from inference_recorder.sdk.private_names import INTERNALS, Internal, check, installed_internals, missing_internals
from inference_recorder.sdk.targets import targets

PACKAGE = Path(inference_recorder.__file__).parent
SDK = PACKAGE / "sdk"
LIBRARIES = ("openai", "httpx", "httpx2", "pydantic", "pydantic_core")
OF_PYTHON = {"__aiter__", "__anext__", "__await__", "__func__", "__get__", "__loader__", "__mro__", "__next__",
             "__origin__", "__spec__", "__version__", "__wrapped__", "_initializing", "_replace"}  # fmt: skip
OF_RECORDINGS = {"__type__", "__data__", "__event__"}
NOT_OF_AN_SDK = {*dir(type), *dir(lambda: None), *OF_PYTHON, *OF_RECORDINGS}


def private_names(path: Path) -> Iterator[str]:
    """Yield the underscored attributes that a module uses of objects that are not its own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    own |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    own |= {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "cls", "super()")
    }
    for node in ast.walk(tree):
        name = None
        if isinstance(node, ast.Attribute):
            name = node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            name = node.value  # as getattr, setattr and tables name attributes
        if name is not None and name.startswith("_") and name not in own | NOT_OF_AN_SDK and name.strip("_"):
            yield name


def private_imports(path: Path) -> Iterator[str]:
    """Yield the imports of underscored modules, or underscored names, of the SDK and what it is built on."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in LIBRARIES and "._" in name)


def test_a_private_name_of_the_sdk_is_used_in_one_module() -> None:
    """An SDK release that moves a name is then a change in one place."""
    patched = {target.method for target in targets()}
    used = {path.name: set(private_names(path)) - patched for path in SDK.glob("*.py")}

    assert used.pop("internals.py") <= {internal.name for internal in INTERNALS}
    assert {} == {name: names for name, names in used.items() if names}


def test_a_private_module_of_the_sdk_is_imported_in_one_module() -> None:
    """Nothing else depends on how the SDK is built."""
    imported = {path.relative_to(PACKAGE).as_posix(): set(private_imports(path)) for path in PACKAGE.rglob("*.py")}

    assert ["sdk/internals.py"] == [name for name, names in imported.items() if names]


def test_every_private_name_that_is_imported_is_declared() -> None:
    """`check` verifies only what is declared."""
    declared = {f"{internal.module}.{internal.owner or internal.name}" for internal in INTERNALS}

    assert set(private_imports(SDK / "internals.py")) <= declared


def test_the_installed_sdk_has_every_declared_name() -> None:
    """This runs for each SDK version that we support; `python -m tests.compat.versions` does it."""
    assert [] == missing_internals(installed_internals(), openai.__version__)


def test_a_name_that_an_sdk_has_moved_is_missing() -> None:
    """Each name is looked for, wherever the SDK declares it."""
    for internal in INTERNALS:
        module = SimpleNamespace(**{internal.owner: type("Empty", (), {})} if internal.owner else {})
        assert internal in missing_internals({internal.module: module}, "9.0.0")


def test_a_name_of_a_later_sdk_is_not_missing_in_an_earlier_one() -> None:
    """Older SDKs are supported without it."""
    [internal] = [internal for internal in INTERNALS if internal.name == "stream_mode"]

    missing = missing_internals({internal.module: SimpleNamespace()}, "1.66.0")

    assert internal not in missing


def test_patching_an_sdk_that_has_moved_a_name_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A call would otherwise fail in the middle, or go out unrecorded."""
    moved = Internal("openai._base_client", "BaseClient", "_moved_away")
    monkeypatch.setattr(names_of_sdks, "INTERNALS", [*INTERNALS, moved])
    monkeypatch.setattr(names_of_sdks, "_checked", {})
    with pytest.raises(UnsupportedSDK, match=r"has no openai\._base_client\.BaseClient\._moved_away, which"):
        inference_recorder.inference_recording("replay", tmp_path).__enter__()

    monkeypatch.setattr(names_of_sdks, "INTERNALS", [*INTERNALS])
    check()
    with inference_recorder.inference_recording("replay", tmp_path):
        pass
