"""Which test a call is recorded for, in every phase and scope."""

from __future__ import annotations

import pytest

from .conftest import Suite, line_of

RECORD = "--inference-mode=record"


def test_a_test_has_the_id_that_pytest_gives_it(suite: Suite) -> None:
    """Recordings made without the plugin hold pytest's id; under another they would not be found."""
    suite.write(
        "tests/test_ids.py",
        """
        import os, unittest

        def same():
            assert os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0] == running_test_id()

        @pytest.fixture
        def around():
            same()
            yield
            same()

        def test_plain(around):
            same()

        @pytest.mark.parametrize("text", ["a b", "ü", "x::y", "a\\x00b"])
        def test_parametrized(around, text):
            same()

        class TestClass:
            def setup_method(self): same()
            def test_method(self): same()

        class TestCase(unittest.TestCase):
            def setUp(self): same()
            def test_of_unittest(self): same()

        @pytest.mark.asyncio
        async def test_asyncio(around): same()

        @pytest.mark.anyio
        async def test_anyio(around): same()
        """,
    )
    suite.write("conftest.py", "@pytest.fixture\ndef anyio_backend(): return 'asyncio'")

    result = suite.run()

    result.assert_outcomes(passed=9)


def test_a_wider_fixtures_calls_have_an_id_of_their_own(suite: Suite) -> None:
    """With the first test's id they were lost as soon as another test ran first."""
    suite.write(
        "pkg/conftest.py",
        """
        seen = []

        def fixture(scope):
            @pytest.fixture(scope=scope)
            def asking():
                seen.append(("setup", scope, running_test_id()))
                yield
                seen.append(("teardown", scope, running_test_id()))
            return asking

        of_class, of_module, of_package, of_session = map(fixture, ["class", "module", "package", "session"])

        def pytest_unconfigure():
            for line in seen:
                print(*line)
        """,
    )
    suite.write(
        "pkg/test_scopes.py",
        """
        import unittest

        class TestX:
            def test_one(self, of_class, of_module, of_package, of_session):
                assert "pkg/test_scopes.py::TestX::test_one" == running_test_id()

        class TestCase(unittest.TestCase):
            @classmethod
            def setUpClass(cls): print("\\nunittest", running_test_id())
            def test_it(self): pass
        """,
    )
    suite.write("pkg/__init__.py", "")

    result = suite.run("-s")

    result.assert_outcomes(passed=2)
    assert [
        "setup session session@pkg/of_session",
        "setup package pkg/@of_package",
        "setup module pkg/test_scopes.py@pkg/of_module",
        "setup class pkg/test_scopes.py::TestX@pkg/of_class",
        "teardown class pkg/test_scopes.py::TestX@pkg/of_class",
        "teardown module pkg/test_scopes.py@pkg/of_module",
        "teardown package pkg/@of_package",
        "teardown session session@pkg/of_session",
    ] == [line for line in result.outlines if line.startswith(("setup ", "teardown "))]
    assert "unittest pkg/test_scopes.py::TestCase@setUpClass" in result.outlines


def test_a_session_fixture_replays_whichever_test_runs_first(suite: Suite) -> None:
    """pytest-randomly and -k change who is first."""
    suite.write(
        "test_order.py",
        """
        pytestmark = pytest.mark.inference_recording

        @pytest.fixture(scope="session")
        def wide():
            before = ask("before")
            yield before
            assert "Hello" in ask("after")

        def test_one(wide): assert "Hello 0!" == wide
        def test_two(wide): assert "Hello 0!" == wide
        """,
    )
    recorded = suite.run(RECORD)
    asked = suite.server.count
    replayed = suite.run("test_order.py::test_two", "test_order.py::test_one")

    recorded.assert_outcomes(passed=2)
    replayed.assert_outcomes(passed=2)
    assert (2, 2) == (asked, suite.server.count)
    assert ["session@test_order.py::wide"] * 2 == suite.test_ids()


def test_a_wider_fixtures_series_goes_on_at_its_teardown(suite: Suite) -> None:
    """It is set up in one test's session and torn down in another's: the second answer replaced the first."""
    suite.write(
        "test_series.py",
        """
        pytestmark = pytest.mark.inference_recording

        @pytest.fixture(scope="module")
        def wide():
            first = ask()
            yield
            print("\\nanswers:", first, ask())

        def test_one(wide): pass
        def test_two(wide): pass
        """,
    )
    answers = []
    for mode in (RECORD, "--inference-mode=replay"):
        result = suite.run("-s", mode)
        result.assert_outcomes(passed=2)
        answers.append(line_of(result, "answers:"))

    assert ["answers: Hello 0! Hello 1!"] * 2 == answers
    assert 2 == len(suite.files())


@pytest.mark.parametrize("library", ["asyncio", "anyio"])
def test_a_wide_async_fixture_on_a_loop_of_its_own_is_recorded_in_its_scope(library: str, suite: Suite) -> None:
    """The loop's context remembers the first test's session; calls of later tests must not go there."""
    if library == "asyncio":
        mark, fixture = 'asyncio(loop_scope="session")', 'pytest_asyncio.fixture(scope="session", loop_scope="session")'
    else:
        mark, fixture = "anyio", 'pytest.fixture(scope="session")'
    suite.write(
        "test_loop.py",
        f"""
        import pytest_asyncio
        pytestmark = [pytest.mark.inference_recording, pytest.mark.{mark}]

        @pytest.fixture(scope="session")
        def anyio_backend(): return "asyncio"

        @{fixture}
        async def wide(anyio_backend):
            yield await ask_async("wide")
            await ask_async("later")

        async def test_one(wide, inference_session):
            await ask_async("one")
            assert 1 == len(inference_session.requests)

        async def test_two(wide, inference_session):
            await ask_async("two")
            assert 1 == len(inference_session.requests)
        """,
    )
    recorded, replayed = suite.run(RECORD), suite.run()

    recorded.assert_outcomes(passed=2)
    replayed.assert_outcomes(passed=2)
    wide = "session@test_loop.py::wide"
    assert [wide, wide, "test_loop.py::test_one", "test_loop.py::test_two"] == suite.test_ids()
    assert 4 == suite.server.count


@pytest.mark.slow
def test_randomly_ordered_tests_replay(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any order has to replay what any other recorded."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider")
    suite.write(
        "test_order.py",
        """
        pytestmark = pytest.mark.inference_recording

        @pytest.fixture(scope="module", autouse=True)
        def wide(): ask("wide")

        @pytest.mark.parametrize("n", range(10))
        def test_one(n): ask(str(n))
        """,
    )
    for mode, seed in (("record", 1), ("replay", 2), ("replay", 3)):
        result = suite.run_apart(f"--inference-mode={mode}", "-p", "randomly", f"--randomly-seed={seed}")
        result.assert_outcomes(passed=10)

    assert 11 == suite.server.count
