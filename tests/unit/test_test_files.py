"""Whether a test is still in its file, which decides between two pieces of advice."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_recorder.test_files import is_in_its_file

FILE = """
class TestIt:
    @pytest.mark.parametrize("text", ["a"])
    def test_one(self, text): pass

@pytest.fixture(scope="module")
def answer(): pass
"""


@pytest.mark.parametrize(
    ("test_id", "expected"),
    [
        ("a/test_it.py::TestIt::test_one[a::b]", True),
        ("a/test_it.py::TestIt::test_on", False),
        ("a/test_it.py::TestThat::test_one", False),
        ("a/test_that.py::TestIt::test_one", False),
        ("a/test_it.py@answer", True),
        ("a/test_it.py@question", False),
        ("a/test_it.py::TestIt@a/agent", True),
        ("a/@agent", True),
        ("b/@agent", False),
        ("session@a/agent", True),
        ("a name of one's own", False),
        ("a\0.py::test_one", False),
        (f"{'a' * 5000}.py::test_one", False),
    ],
)
def test_its_file_and_its_names_are_looked_for(test_id: str, expected: bool, tmp_path: Path) -> None:
    """A name that ends elsewhere is another; what no file tells counts as there."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "test_it.py").write_text(FILE)

    assert expected == is_in_its_file(test_id, tmp_path)
