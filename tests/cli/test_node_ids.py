"""Whether a test is still there, told from its file's text."""

from __future__ import annotations

import pytest

from inference_recorder.cli.node_ids import Presence, TestFiles

THERE, GONE, UNKNOWN = Presence.THERE, Presence.GONE, Presence.UNKNOWN

FILES = {
    "tests/test_a.py": """
        import unittest
        import pytest
        from elsewhere import test_imported, Base

        def test_plain(): ...
        async def test_async(): ...

        @pytest.mark.parametrize("x", [1])
        def test_with(x):
            def test_within(): ...

        if True:
            def test_in_a_block(): ...

        test_assigned = lambda: None

        class TestOne:
            def test_x(self): ...
            class TestInner:
                def test_y(self): ...

        class TestTwo(TestOne, unittest.TestCase):
            def test_z(self): ...

        class TestThree(Base):
            def test_own(self): ...

        class TestFour(unittest.TestCase):
            @parameterized.expand(["a"])
            def test_p(self): ...

        class Round(Trip): ...
        class Trip(Round): ...

        @parameterized_class([{}])
        class TestFive: ...
    """,
    "tests/deep/er/test_b.py": "def test_b(): ...",
    "tests/test_star.py": "from tests.test_a import *",
    "tests/test_made.py": "globals()['test_' + 'x'] = lambda: None",
    "tests/test_broken.py": "def test_b(:",
    "tests/test_nul.py": "def test_b(): ...\0",
    "tests/test_latin.py": "# -*- coding: latin-1 -*-\ndef test_b(): 'é'",
    "tests/test_escape.py": r"def test_b(): '\d'",
    "tests/cases.yaml": "a: 1",
}


@pytest.fixture(scope="module")
def tests(tmp_path_factory: pytest.TempPathFactory) -> TestFiles:
    root = tmp_path_factory.mktemp("root")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        encoding = "latin-1" if "latin" in name else "utf-8"
        (root / name).write_bytes(text.replace("\n        ", "\n").encode(encoding))
    (root / "tests/test_folder.py").mkdir()
    return TestFiles(root)


@pytest.mark.parametrize(
    ("test_id", "expected"),
    [
        ("tests/test_a.py::test_plain", THERE),
        ("tests/test_a.py::test_plain[a::b-c/d.py::e]", THERE),
        ("tests/test_a.py::test_async", THERE),
        ("tests/test_a.py::test_with[1]", THERE),
        ("tests/test_a.py::test_within", GONE),
        ("tests/test_a.py::test_in_a_block", THERE),
        ("tests/test_a.py::test_assigned", THERE),
        ("tests/test_a.py::test_imported", THERE),
        ("tests/test_a.py::test_plai", GONE),
        ("tests/test_a.py::test_plain_2", GONE),
        ("tests/test_a.py::test_with_2", UNKNOWN),
        ("tests/test_a.py::TestOne::test_x", THERE),
        ("tests/test_a.py::TestOne::test_plain", GONE),
        ("tests/test_a.py::TestOne::TestInner::test_y[1]", THERE),
        ("tests/test_a.py::TestOne::TestInner::test_x", GONE),
        ("tests/test_a.py::TestGone::test_x", GONE),
        ("tests/test_a.py::TestTwo::test_z", THERE),
        ("tests/test_a.py::TestTwo::test_x", THERE),
        ("tests/test_a.py::TestTwo::TestInner::test_y", THERE),
        ("tests/test_a.py::TestTwo::test_gone", GONE),
        ("tests/test_a.py::TestThree::test_own", THERE),
        ("tests/test_a.py::TestThree::test_of_base", UNKNOWN),
        ("tests/test_a.py::TestFour::test_p_0_a", UNKNOWN),
        ("tests/test_a.py::TestFour::test_q", GONE),
        ("tests/test_a.py::TestFive_0::test_x", UNKNOWN),
        ("tests/test_a.py::Round::test_x", GONE),
        ("tests/test_a.py::Base::test_x", THERE),
        ("tests/deep/er/test_b.py::test_b", THERE),
        ("tests/deep/test_b.py::test_b", GONE),
        ("tests/test_star.py::test_plain", UNKNOWN),
        ("tests/test_made.py::test_x", UNKNOWN),
        ("tests/test_broken.py::test_b", UNKNOWN),
        ("tests/test_nul.py::test_b", UNKNOWN),
        ("tests/test_latin.py::test_b", THERE),
        ("tests/test_latin.py::test_c", GONE),
        ("tests/test_escape.py::test_b", THERE),
        ("tests/cases.yaml::a", UNKNOWN),
        ("tests/gone.yaml::a", GONE),
        ("tests/test_folder.py::a", GONE),
        ("tests/test_a.py::tests.test_a.plain", UNKNOWN),
        ("README.md::README.md", GONE),
        ("session@wide", THERE),
        ("session@tests/wide[a/b.py::c]", THERE),
        ("session@tests/gone.py::wide", THERE),
        ("tests/deep/@wide", THERE),
        ("tests/gone/@wide", GONE),
        ("tests/\0/@wide", GONE),
        ("tests/test_a.py@wide[x::y]", THERE),
        ("tests/test_a.py@tests/wide", THERE),
        ("tests/gone.py@wide", GONE),
        ("tests/test_a.py::TestOne@wide", THERE),
        ("tests/test_a.py::TestOne::TestInner@wide", THERE),
        ("tests/test_a.py::TestGone@wide", GONE),
        ("me@home", UNKNOWN),
        ("a name of the user's own", UNKNOWN),
        ("tests/test_a.py", UNKNOWN),
        ("", UNKNOWN),
        ("../" * 40 + "dev/zero::x", GONE),
        ("\0::x", GONE),
        ("a" * 5000 + ".py::x", GONE),
    ],
)
def test_only_what_is_certainly_gone_is_called_so(test_id: str, expected: Presence, tests: TestFiles) -> None:
    """`prune --delete` believes it; a test that is inherited, generated or imported has recordings worth keeping."""
    verdict = tests.verdict(test_id)

    assert expected is verdict.presence, verdict.reason
    assert bool(verdict.reason) == (expected is not THERE)


def test_it_says_what_is_gone(tests: TestFiles) -> None:
    """The reason is what one reads before deleting."""
    assert "there is no file tests/test_z.py" == tests.verdict("tests/test_z.py::test_b").reason
    assert "there is no test_z in tests/test_a.py::TestOne" == tests.verdict("tests/test_a.py::TestOne::test_z").reason
    assert "tests/test_broken.py cannot be parsed (SyntaxError)" == tests.verdict("tests/test_broken.py::x").reason
