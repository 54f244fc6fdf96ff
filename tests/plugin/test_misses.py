"""A miss that the code under test swallowed fails the test all the same."""

from __future__ import annotations

import pytest

from .conftest import Suite


@pytest.mark.parametrize(
    "test",
    [
        "@pytest.mark.inference_recording\n    def test_it(): try_to_ask()",
        "def test_it(inference_session): try_to_ask()",
        "@pytest.mark.asyncio\n    async def test_it(inference_session): try_to_ask()",
        "@pytest.fixture\n    def agent(): try_to_ask()\n    def test_it(inference_session, agent): pass",
        "@pytest.fixture(scope='module')\n    def agent(): try_to_ask()\n"
        "    def test_it(inference_session, agent): pass",
        "import unittest\n    @pytest.mark.inference_recording\n    class TestIt(unittest.TestCase):\n"
        "        def test_it(self): try_to_ask()",
    ],
    ids=["marker", "fixture", "async", "in a fixture", "in a wider fixture", "unittest"],
)
def test_a_swallowed_miss_fails_the_test(test: str, suite: Suite) -> None:
    """Frameworks catch RuntimeErrors and go on without an answer; such a test passed for the wrong reason."""
    suite.write("test_it.py", f"    {test}\n")

    result = suite.run()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["a call had no recording, and the code under test went on without*", "Recording not found for POST*"]
    )
    result.stdout.no_fnmatch_line("*inference_recorder/pytest_plugin*")


def test_a_miss_that_failed_the_test_is_reported_once(suite: Suite) -> None:
    """Two reports of one cause send people to look for two."""
    suite.write(
        "test_it.py", "def test_it(inference_session): ask()\ndef test_b(inference_session): assert 'x' == try_to_ask()"
    )

    suite.run().assert_outcomes(failed=2)


def test_a_test_that_skips_itself_for_want_of_an_answer_fails(suite: Suite) -> None:
    """`except Exception: pytest.skip()` would hide the miss for ever."""
    suite.write("test_it.py", "def test_it(inference_session):\n    try_to_ask()\n    pytest.skip()")

    suite.run().assert_outcomes(skipped=1, errors=1)


@pytest.mark.parametrize(
    "test",
    [
        "@pytest.mark.inference_recording(allow_misses=True)\n    def test_it(): try_to_ask()",
        "@pytest.mark.inference_recording(allow_misses=True)\n    def test_it(inference_session):\n"
        "        with pytest.raises(MissingRecording): ask()",
        "@pytest.fixture(scope='module')\n    def agent(): try_to_ask()\n"
        "    @pytest.mark.inference_recording(allow_misses=True)\n    def test_it(agent): pass",
        "def test_it():\n        with inference_recording(), pytest.raises(MissingRecording): ask()",
        "@pytest.mark.xfail\n    def test_it(inference_session): ask()",
    ],
    ids=["marker", "with the fixture", "wider fixture", "in code", "xfail"],
)
def test_misses_that_are_meant_are_allowed(test: str, suite: Suite) -> None:
    """Some tests are about handling misses; contexts in code are left alone."""
    suite.write("test_it.py", f"    {test}\n")

    outcome = suite.run().parseoutcomes()

    assert {"passed": 1} == outcome or {"xfailed": 1} == outcome
