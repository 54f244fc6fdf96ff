"""`@pytest.mark.inference_recording(...)`, and `auto` in the configuration."""

from __future__ import annotations

import pytest

from .conftest import Suite

RECORD = "--inference-mode=record"


def test_a_marker_counts_on_tests_classes_and_modules(suite: Suite) -> None:
    """As with every other marker of pytest, the nearest one counts."""
    suite.write(
        "test_module.py",
        """
        import unittest
        pytestmark = pytest.mark.inference_recording(storage_dir="of_module")

        def test_plain(): ask("1")

        @pytest.mark.inference_recording(test_id="mine")
        class TestClass:
            def test_method(self): ask("2")

            @pytest.mark.inference_recording("record", "of_test")
            def test_other(self): ask("3")

        class TestCase(unittest.TestCase):
            def setUp(self): ask("4")
            def test_unittest(self): pass

        @pytest.mark.asyncio
        async def test_async(): await ask_async("5")

        @pytest.mark.anyio
        async def test_anyio(anyio_backend): await ask_async("6")
        """,
    )
    suite.write("conftest.py", "@pytest.fixture\ndef anyio_backend(): return 'asyncio'")

    suite.run(RECORD).assert_outcomes(passed=6)
    suite.run("-k", "not other").assert_outcomes(passed=5, deselected=1)

    start = "test_module.py::"
    assert ["mine"] == suite.test_ids("of_test")
    assert [
        "mine",
        f"{start}TestCase::test_unittest",
        f"{start}test_anyio",
        f"{start}test_async",
        f"{start}test_plain",
    ] == suite.test_ids("of_module")
    assert 6 == suite.server.count


def test_the_session_is_open_while_fixtures_are_set_up_and_torn_down(suite: Suite) -> None:
    """Most agents are set up and torn down in fixtures."""
    suite.write(
        "test_it.py",
        """
        @pytest.fixture
        def agent():
            ask("up")
            yield
            ask("down")

        @pytest.mark.inference_recording
        def test_it(agent): pass
        """,
    )
    suite.run(RECORD).assert_outcomes(passed=1)
    suite.run().assert_outcomes(passed=1)

    assert (2, ["test_it.py::test_it"] * 2) == (suite.server.count, suite.test_ids())


def test_what_is_not_marked_is_left_alone(suite: Suite) -> None:
    """A suite may contain tests that must be live."""
    suite.write("test_it.py", "@pytest.mark.inference_recording\ndef test_a(): ask()\ndef test_b(): ask()")

    suite.run(RECORD).assert_outcomes(passed=2)

    assert (2, 1) == (suite.server.count, len(suite.files()))


def test_shared_requests_are_stored_once_without_a_test_id(suite: Suite) -> None:
    """The same embedding for a hundred tests is one file, not a hundred."""
    suite.write(
        "test_it.py",
        """
        @pytest.mark.inference_recording(scope="shared")
        @pytest.mark.parametrize("n", range(3))
        def test_marked(n): ask()

        def test_in_code():
            with inference_recording(scope="shared"): ask()
        """,
    )
    suite.run("--inference-mode=record-if-missing").assert_outcomes(passed=4)
    suite.run().assert_outcomes(passed=4)

    assert (1, [None]) == (suite.server.count, suite.test_ids())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("modus='record'", "; it takes mode, storage_dir, "),
        ("recordErrors=True", "; it takes *; did you mean 'record_errors'[?]"),
        ("'record', 'here', 'more'", "; it takes mode, storage_dir, "),
        ("'rekord'", "mode is 'rekord'; it must be one of live, record, replay, record-if-missing"),
        ("scope='module'", 'scope is \'module\'; it must be "test" or "shared"'),
        ("scope='shared', test_id='mine'", "stores requests under no test_id"),
        ("allow_misses='yes'", "allow_misses is 'yes'; it must be True or False"),
        ("block_network='yes'", "block_network is 'yes'; it must be True or False"),
    ],
)
def test_a_wrong_marker_is_an_error_that_names_the_test(arguments: str, message: str, suite: Suite) -> None:
    """If a misspelt argument were ignored, the test would record or send what it should not."""
    suite.write("test_it.py", f"@pytest.mark.inference_recording({arguments})\ndef test_it(): pass")
    suite.write("test_other.py", "def test_other(): pass")

    result = suite.run("--continue-on-collection-errors")

    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines([f"test_it.py::test_it: @pytest.mark.inference_recording: *{message}*"])


def test_a_marker_of_almost_that_name_is_an_error_that_names_the_test(suite: Suite) -> None:
    """pytest takes any name for a marker, and the test would call the model; a name that is registered is another's."""
    suite.pytester.makeini("[pytest]\nmarkers = inference_records(kind): somebody else's")
    marker = "@pytest.mark.{}(mode='record')\ndef test_it(): ask()"
    for number, name in enumerate(("inference_recorder", "inference_recordings", "inference_records")):
        suite.write(f"test_{number}.py", marker.format(name))

    result = suite.run("--continue-on-collection-errors", "-W", "ignore::pytest.PytestUnknownMarkWarning")

    result.assert_outcomes(errors=2, passed=1)
    end = "the marker is called inference_recording"
    result.stdout.fnmatch_lines(
        [
            f"test_0.py::test_it: @pytest.mark.inference_recorder: {end}",
            f"test_1.py::test_it: @pytest.mark.inference_recordings: {end}",
        ]
    )
    suite.write("test_0.py", marker.format("inference_recording"))  # as it says
    suite.run("test_0.py").assert_outcomes(passed=1)
    assert ["test_0.py::test_it"] == suite.test_ids()


def test_an_unusable_directory_is_reported_without_a_traceback(suite: Suite) -> None:
    """The user's own test appears nowhere in it."""
    suite.write("test_it.py", "@pytest.mark.inference_recording(storage_dir='ask.py')\ndef test_it(): pass")

    result = suite.run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["cannot keep recordings in *ask.py: it is a file, not a directory*"])
    result.stdout.no_fnmatch_line("*another exception occurred*")
    result.stdout.no_fnmatch_line("*run.py*")


@pytest.mark.parametrize("mode", ["replay", "record-if-missing"])
def test_a_recording_that_cannot_be_read_is_reported_without_our_frames(mode: str, suite: Suite) -> None:
    """Its path and what to do about it are enough."""
    suite.write("test_it.py", "def test_it(inference_session): ask('one')")
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    [path] = (suite.directory / "recordings").glob("*.json")
    path.write_bytes(b"<<<<<<< ours\n" + path.read_bytes())

    result = suite.run(f"--inference-mode={mode}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*while the merge is unfinished: git checkout --ours*"])
    result.stdout.no_re_match_line(r".*inference_recorder/.*\.py:\d+")


def test_a_wider_fixture_whose_session_cannot_open_fails_its_test_alone(suite: Suite) -> None:
    """The next test's calls must not be taken for the fixture's."""
    suite.write(
        "test_it.py",
        """
        @pytest.mark.inference_recording(storage_dir="ask.py")
        class TestBroken:
            @pytest.fixture(scope="class")
            def wide(self): pass

            @pytest.mark.inference_recording(storage_dir="recordings")
            def test_it(self, wide): pass

        def test_next(inference_session):
            ask()
            assert "test_it.py::test_next" == inference_session.recorded[0].test_id
        """,
    )

    suite.run(RECORD).assert_outcomes(errors=1, passed=1)


def test_auto_records_every_test(suite: Suite) -> None:
    """In a suite of agents, every test needs a session."""
    suite.configure("auto = true")
    suite.write(
        "test_it.py",
        """
        import unittest
        def test_plain(): ask()
        @pytest.mark.inference_recording(storage_dir="other")
        def test_marked(): ask()
        @pytest.mark.asyncio
        async def test_async(): await ask_async()
        class TestCase(unittest.TestCase):
            def test_unittest(self): ask()
        def test_fixture(inference_session):
            ask()
            assert 1 == len(inference_session.recorded) + len(inference_session.replayed)
        @pytest.mark.skip
        def test_skipped(): pass
        """,
    )
    suite.run(RECORD).assert_outcomes(passed=5, skipped=1)
    suite.run().assert_outcomes(passed=5, skipped=1)

    assert (5, 4, 1) == (suite.server.count, len(suite.files()), len(suite.files("other")))


def test_a_session_opened_in_an_automatic_one_takes_its_calls(suite: Suite) -> None:
    """Switching auto on must not change tests that open their own."""
    suite.configure("auto = true")
    suite.write(
        "test_it.py",
        """
        def test_it(tmp_path, inference_session):
            with inference_recording("record", tmp_path) as inner: ask()
            with inference_recording("replay", tmp_path), pytest.raises(MissingRecording): ask("something else")
            assert ({"recorded": 1}, {}) == (inner.counts, inference_session.counts)
        """,
    )

    suite.run().assert_outcomes(passed=1)
