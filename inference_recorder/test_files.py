"""The files that test ids name, and whether a test is still in its file."""

from __future__ import annotations

import re
from pathlib import Path

from .fixture_ids import SESSION, parsed_fixture_id


def file_of_test(test_id: str) -> str | None:
    """Return the Python file of a test or fixture, or the directory of a fixture; None for ids of another form."""
    fixture = parsed_fixture_id(test_id)
    if fixture is not None and fixture.scope != SESSION and fixture.scope.endswith("/"):
        return fixture.scope
    file, separator, _ = (test_id if fixture is None else fixture.scope).partition("::")
    return file if file.endswith(".py") and (separator or fixture is not None) else None


def is_in_its_file(test_id: str, rootdir: Path) -> bool:
    """Return whether the file of a test exists and names the test, its class and its function.

    Also True where the file does not tell, as for a fixture of the whole session.
    """
    name, fixture = file_of_test(test_id), parsed_fixture_id(test_id)
    if name is None or name.endswith("/"):
        return fixture is not None and (name is None or (rootdir / name).is_dir())
    try:
        text = (rootdir / name).read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):  # it is gone, its name is too long, or has a NUL
        return False
    names = (test_id if fixture is None else fixture.scope).partition("[")[0].split("::")[1:]
    names += [] if fixture is None or fixture.definer else [fixture.name]
    return all(re.search(rf"\b{re.escape(each)}\b", text) for each in names)
