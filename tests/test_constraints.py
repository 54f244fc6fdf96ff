"""What a fresh machine installs for the test command is written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import requires
from operator import attrgetter
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .constraints import FILE, constraints, moved

PYTHONS = ("3.10.0", "3.10.13", "3.11.7", "3.12.1", "3.13.0", "3.14.0")


def required(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """Yield what an installed package requires in this environment, with these extras."""
    for text in requires(name) or ():
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def needed() -> set[str]:
    """Return the names of all packages that the extra [test] brings into this environment."""
    todo, seen = [("inference-recorder", frozenset({"test"}))], set()
    while todo:
        package = todo.pop()
        if package not in seen:
            seen.add(package)
            found = required(*package)
            todo += [(canonicalize_name(one.name), frozenset(one.extras)) for one in found]
    return {name for name, _ in seen} - {"inference-recorder"}


def test_every_package_that_the_suite_needs_is_held_at_one_version() -> None:
    """The release of a dependency must not turn the test command red overnight."""
    if moved():
        pytest.skip("other versions are installed, which may need other packages")

    assert needed() <= set(constraints())


@pytest.mark.parametrize("python", PYTHONS)
def test_a_package_is_held_once_on_each_python(python: str) -> None:
    """Two versions of one package cannot be installed; pip would refuse the whole command."""
    environment = {"python_version": python.rpartition(".")[0], "python_full_version": python}
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    applying = [one for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate(dict(environment))]

    assert len(constraints(environment)) == len(applying)
    assert {"openai", "orjson", "pytest", "pyyaml"} <= set(constraints(environment))
    assert ("tomli" in constraints(environment)) == python.startswith("3.10")


@pytest.mark.parametrize("file", [FILE, FILE.parents[1] / "docs" / "requirements.txt"], ids=attrgetter("name"))
def test_the_file_holds_exact_versions_and_no_place_of_its_maker(file: Path) -> None:
    """It is installed on machines that reach other registries."""
    lines = file.read_text(encoding="utf-8").splitlines()

    held = [line for line in lines if not line.startswith("#")]
    assert [] == [line for line in held if not re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+( ; .+)?", line)]
    assert [] == [line for line in lines if "://" in line]
