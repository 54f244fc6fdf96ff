"""The plugin under pytest-xdist, in all its ways to hand out tests."""

from __future__ import annotations

import sys

import pytest

from .conftest import Suite, line_of

pytestmark = pytest.mark.slow

SUITE = """
    pytestmark = pytest.mark.inference_recording

    @pytest.fixture(scope="session")
    def wide(): ask("wide")

    @pytest.mark.xdist_group("a group")
    @pytest.mark.parametrize("n", range(3))
    def test_grouped(n, wide): ask(str(n))

    @pytest.mark.asyncio
    async def test_async(wide): await ask_async()

    class TestClass:
        def test_method(self): ask()

    def test_failing():
        ask("failing")
        assert 0
"""


@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal", "each"])
def test_what_is_recorded_one_way_replays_every_other(dist: str, suite: Suite) -> None:
    """xdist renames tests of a group; under that name they were not found without it."""
    suite.write("test_it.py", SUITE)
    workers = ["--tx", "2*popen", f"--dist={dist}"]
    recorded = suite.run_apart("--inference-mode=record-if-missing", *workers)
    alone = suite.run("-k", "not failing")

    times = 2 if dist == "each" else 1
    recorded.assert_outcomes(passed=5 * times, failed=times)
    alone.assert_outcomes(passed=5, deselected=1)
    recorded.stdout.fnmatch_lines(
        ["*recorded by tests that failed, left in place *", "    test_it.py::test_failing: *"]
    )
    assert [] == suite.files("recordings/.failed")
    start = "test_it.py::"
    grouped = [f"{start}test_grouped[{n}]" for n in range(3)]
    assert [
        "session@test_it.py::wide",
        f"{start}TestClass::test_method",
        f"{start}test_async",
        f"{start}test_failing",
        *grouped,
    ] == suite.test_ids()
    assert "recordings: 6 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(alone, "recordings:")


def test_a_wrong_marker_is_a_collection_error_there_too(suite: Suite) -> None:
    """Workers report collection errors to the controller, but not usage errors."""
    suite.write("test_it.py", "@pytest.mark.inference_recording(modus='x')\ndef test_it(): pass")

    result = suite.run_apart("-n1")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*test_it.py::test_it: @pytest.mark.inference_recording: *; it takes mode, storage_dir, *"]
    )


def test_a_directory_of_the_command_line_is_the_controllers(suite: Suite) -> None:
    """A relative path means where pytest was started."""
    suite.pytester.makeini("[pytest]")
    suite.write("below/test_it.py", "def test_it(inference_session): ask()")

    suite.run_apart("-n1", "--inference-mode=record", "--inference-recordings=answers").assert_outcomes(passed=1)

    assert 1 == len(suite.files("answers"))


def test_a_text_that_has_no_utf8_does_not_end_a_worker(suite: Suite) -> None:
    """A model's name is sent to the controller, which only takes UTF-8."""
    suite.write(
        "test_it.py",
        """
        import os
        import openai

        def test_it():
            with openai.OpenAI(base_url=os.environ["SERVER"], api_key="x") as client, inference_recording("replay"):
                with pytest.raises(RuntimeError):
                    client.chat.completions.create(model="m\\ud800", messages=[])
        """,
    )
    result = suite.run_apart("-n1")

    result.assert_outcomes(passed=1)
    assert "recordings: 0 replayed, 0 recorded, 1 missed, 0 live, 0 unused" == line_of(result, "recordings:")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes as a name")
def test_a_directory_whose_name_has_no_utf8_is_known_to_the_controller(suite: Suite) -> None:
    """Otherwise nothing in it would count as unused."""
    text = """
        import os

        def test_it():
            with inference_recording(storage_dir=os.fsdecode(b"recordings\\xff")):
                ask("one"){more}
        """
    suite.write("test_it.py", text.format(more="; ask('two')"))
    suite.run_apart("-n1", "--inference-mode=record").assert_outcomes(passed=1)
    suite.write("test_it.py", text.format(more=""))

    result = suite.run_apart("-n1")

    assert "recordings: 1 replayed, 0 recorded, 0 missed, 0 live, 1 unused" == line_of(result, "recordings:")
