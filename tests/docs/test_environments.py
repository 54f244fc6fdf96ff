"""Which pages run where."""

from __future__ import annotations

from pathlib import Path

import pytest

from .__main__ import is_named
from .environments import missing
from .pages import Page


@pytest.mark.parametrize(
    ("name", "is_it"),
    [
        ("docs/recipes/langchain.md", True),
        ("recipes/langchain", True),
        ("recipes", True),
        ("docs/recipes/", True),
        ("docs", True),
        ("recipes/lang", False),
        ("langchain", False),
    ],
)
def test_pages_are_named_by_path_or_folder(name: str, is_it: bool) -> None:
    """A person who changes one page runs that one."""
    assert is_it == is_named("docs/recipes/langchain.md", name)


def test_a_page_needs_an_environment_if_this_one_lacks_a_package_of_it(tmp_path: Path) -> None:
    """What the tests of this package install is not installed twice."""
    page = tmp_path / "page.md"
    page.write_text("```console\n$ pip install pytest 'no-such-thing[more]>=2' 'inference-recorder[cli]'\n```\n")

    assert ["no-such-thing[more]>=2"] == missing(Page(page))
