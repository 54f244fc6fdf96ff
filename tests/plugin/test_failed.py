"""Recordings of failed tests are moved to .failed, unless `--inference-keep-failed`."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from ..cli.recorded import run as run_command
from ..conftest import files_of
from ..support.directories import contents_of
from ..support.openai_server import Reply
from .conftest import Suite, line_of

RECORD = "--inference-mode=record"


def failed_directory(suite: Suite, directory: str = "recordings") -> Path:
    return suite.directory / directory / ".failed"


@pytest.mark.parametrize(
    "failing",
    [
        "def test_it(): ask(); assert 0",
        "@pytest.mark.asyncio\n    async def test_it(): await ask_async(); assert 0",
        "@pytest.fixture\n    def broken(): ask(); assert 0\n    def test_it(broken): pass",
        "@pytest.fixture\n    def broken():\n        yield\n        ask(); assert 0\n    def test_it(broken): pass",
        "def test_it():\n        with inference_recording(): ask()\n        assert 0",
        "def test_it(inference_session): ask(); try_to_ask('x'); assert 0",
    ],
    ids=["plain", "async", "setup", "teardown", "in code", "fixture"],
)
def test_the_recordings_of_a_failing_test_are_moved_to_failed(failing: str, suite: Suite) -> None:
    """A wrong answer that is committed replays for ever; one thrown away cannot be looked at."""
    suite.write("test_it.py", f"    pytestmark = pytest.mark.inference_recording\n    {failing}\n")

    result = suite.run(RECORD)

    count = 2 if "'x'" in failing else 1
    assert ([], count) == (suite.files(), len(suite.files("recordings/.failed")))
    assert "*\n" == (failed_directory(suite) / ".gitignore").read_text()
    result.stdout.fnmatch_lines([f"  {count} recorded by tests that failed: moved to recordings/.failed *"])


def test_what_was_there_before_comes_back(suite: Suite) -> None:
    """The whole series: the second answer, and the third that the new recording cut off."""
    suite.write("test_it.py", "def test_it(inference_session): [ask() for _ in range(3)]")
    suite.run(RECORD).assert_outcomes(passed=1)
    before = contents_of(suite.directory / "recordings")
    suite.write("test_it.py", "def test_it(inference_session): ask(); ask(); assert 0")

    suite.run(RECORD).assert_outcomes(failed=1)

    assert before == contents_of(suite.directory / "recordings")
    assert 2 == len(suite.files("recordings/.failed"))


def test_an_answers_bytes_move_and_come_back_with_it(suite: Suite) -> None:
    """A recording without the file beside it is corrupt."""
    suite.write(
        "test_it.py",
        """
        import openai, os

        @pytest.mark.inference_recording
        def test_it():
            with openai.OpenAI(base_url=os.environ["SERVER"], api_key="x") as client:
                speech = client.audio.speech.create(model="m", voice="alloy", input="Hello").content
            assert speech == b"1" * 300_000
        """,
    )
    replies = [Reply(content=number * 300_000, media_type="audio/mpeg") for number in (b"1", b"2")]
    suite.server.answers("/v1/audio/speech", *replies)
    suite.run(RECORD).assert_outcomes(passed=1)
    before = contents_of(suite.directory / "recordings")

    suite.run(RECORD).assert_outcomes(failed=1)

    assert 2 == len(before)
    assert before == contents_of(suite.directory / "recordings")
    assert [b"2" * 300_000] == [path.read_bytes() for path in failed_directory(suite).glob("*.bin")]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs a device that never ends")
def test_a_link_to_a_device_is_not_read_to_be_brought_back(suite: Suite) -> None:
    """A stranger's recordings may hold links; reading this one would fill the memory."""
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    suite.run(RECORD)
    [path] = (suite.directory / "recordings").glob("*.json")
    path.unlink()
    path.symlink_to("/dev/zero")

    suite.run(RECORD).assert_outcomes(passed=1)

    assert not path.is_symlink()


def test_they_stay_in_place_with_keep_failed(suite: Suite) -> None:
    """While the failing test is being fixed, the answer is not paid for again."""
    suite.write("test_it.py", "def test_it(inference_session): ask(); assert 0")

    result = suite.run(RECORD, "--inference-keep-failed")

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*moved to*")
    assert (1, False) == (len(suite.files()), failed_directory(suite).exists())


@pytest.mark.parametrize("mark", ["xfail", "skip in the middle"])
def test_those_of_a_test_that_does_not_fail_are_kept(mark: str, suite: Suite) -> None:
    """A test that is expected to fail has to fail in replay too."""
    head, tail = ("@pytest.mark.xfail\n", "assert 0") if mark == "xfail" else ("", "pytest.skip()")
    suite.write("test_it.py", f"{head}def test_it(inference_session): ask(); {tail}")

    suite.run(RECORD)

    assert (1, False) == (len(suite.files()), failed_directory(suite).exists())


def test_those_of_wider_fixtures_and_shared_ones_are_kept(suite: Suite) -> None:
    """Other tests of the run have been answered from them."""
    suite.write(
        "test_it.py",
        """
        @pytest.fixture(scope="module")
        def wide(): ask("wide")

        @pytest.mark.inference_recording
        def test_it(wide):
            with inference_recording(scope="shared"): ask("shared")
            ask("mine")
            assert 0
        """,
    )

    suite.run(RECORD).assert_outcomes(failed=1)

    assert [None, "test_it.py@wide"] == suite.test_ids()
    assert ["test_it.py::test_it"] == suite.test_ids("recordings/.failed")


@pytest.mark.parametrize("in_code", [False, True], ids=["marker", "a session around all attempts"])
def test_only_the_last_attempt_of_a_rerun_counts(in_code: bool, suite: Suite) -> None:
    """The flaky first attempt's answers are nobody's."""
    fixture = """
        @pytest.fixture(scope="session", autouse=True)
        def recorder():
            with inference_recording("record"): yield
    """
    suite.write(
        "test_it.py",
        f"""
        {fixture if in_code else "pytestmark = pytest.mark.inference_recording"}
        attempts = []

        def test_it():
            attempts.append(1)
            ask()
            if len(attempts) == 1:
                ask("only the first attempt")
                ask()
            assert len(attempts) == 2
        """,
    )

    result = suite.run(RECORD, "--reruns=1")

    result.assert_outcomes(passed=1)
    assert 4 == suite.server.count, "two attempts, of three calls and one"
    [recording], [name] = suite.recordings(), suite.files()
    assert "Hello 3!" == recording["response"]["body"]["__data__"]["choices"][0]["message"]["content"]
    assert 64 == len(name.removesuffix(".json")), "the first place of its row"
    assert [] == suite.files("recordings/.failed")
    if not in_code:
        result.stdout.fnmatch_lines(["recordings: 0 replayed, 1 recorded, 0 missed, 0 live, 0 unused"])


def test_a_test_that_passes_again_clears_its_failed_recordings(suite: Suite) -> None:
    """Otherwise the directory only grows, and old failures look like new ones."""
    suite.write("test_it.py", "def test_it(inference_session): ask(); assert 0")
    suite.run(RECORD).assert_outcomes(failed=1)
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    suite.run(RECORD).assert_outcomes(passed=1)

    assert ([], 1) == (suite.files("recordings/.failed"), len(suite.files()))


@pytest.mark.slow
def test_an_interrupted_tests_recordings_are_moved_to_failed(suite: Suite) -> None:
    """A test must not keep some new answers among its old ones."""
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    suite.run(RECORD)
    before = contents_of(suite.directory / "recordings")
    suite.write("test_it.py", "def test_it(inference_session):\n    ask()\n    raise KeyboardInterrupt")

    result = suite.run_apart(RECORD)

    assert pytest.ExitCode.INTERRUPTED == result.ret
    assert before == contents_of(suite.directory / "recordings")
    assert 1 == len(suite.files("recordings/.failed"))


@pytest.mark.slow
@pytest.mark.parametrize("keeps", [False, True], ids=["", "--inference-keep-failed"])
def test_a_crashed_workers_recordings_are_moved_to_failed(keeps: bool, suite: Suite) -> None:
    """Its test did not end, and its own process cannot restore what it replaced."""
    text = "import os\ndef test_done(inference_session): ask()\ndef test_it(inference_session): ask(); "
    suite.write("test_it.py", f"{text}ask(); ask()")
    suite.run(RECORD).assert_outcomes(passed=2)
    before = contents_of(suite.directory / "recordings")
    suite.write("test_it.py", f"{text}ask('new'); os._exit(1)")

    result = suite.run_apart(RECORD, "-n1", *(["--inference-keep-failed"] if keeps else []))

    after = contents_of(suite.directory / "recordings")
    of_crashed = {name for name, content in before.items() if json.loads(content)["test_id"] == "test_it.py::test_it"}
    assert 3 == len(of_crashed)
    assert keeps == any(before[name] != after[name] for name in of_crashed)
    assert (5 if keeps else 4) == len(after)
    assert (0 if keeps else 2) == len(suite.files("recordings/.failed"))
    assert keeps != ("by tests that failed: moved" in str(result.stdout))


def test_what_was_set_aside_is_kept_by_the_command_that_the_summary_names(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers were paid for; where the test was wrong, nobody wants to pay again."""
    monkeypatch.chdir(suite.directory)
    test = "def test_{0}(inference_session): ask('{0}'); ask('{0}'); assert {1}\n"
    suite.write("test_it.py", test.format("a", 1) + test.format("b", 1) + test.format("c", 1))
    suite.run(RECORD).assert_outcomes(passed=3)
    before = contents_of(suite.directory / "recordings")
    suite.write("test_it.py", test.format("a", 0) + test.format("b", 0) + test.format("c", 1))

    failed = suite.run(RECORD)

    title = "  4 recorded by tests that failed: moved to recordings/.failed (inference-recorder keep accepts them):"
    failed.stdout.fnmatch_lines([title, "    test_it.py::test_a: 2", "    test_it.py::test_b: 2"])
    one, rest, nothing = [run_command("keep", *names) for names in (["test_it.py::test_b"], [], [])]
    assert ([0, 0, 1], 4) == ([done.exit_code for done in (one, rest, nothing)], len(one.stdout.split()))
    suite.run().assert_outcomes(failed=2, passed=1)
    texts = [str(recording["response"]["body"]["__data__"]) for recording in suite.recordings()]
    assert [] == [text for text in texts for number in range(4) if f"Hello {number}!" in text]
    assert [0, 0, 1] == [run_command("undo").exit_code for _ in range(3)]
    back = contents_of(suite.directory / "recordings")
    of_c = {name for name, content in before.items() if b"::test_c" in content}
    assert {name: before[name] for name in before.keys() - of_c} == {name: back[name] for name in back.keys() - of_c}
    assert 4 == len(suite.files("recordings/.failed"))


@pytest.mark.parametrize("count", [1, 5])
def test_a_directory_elsewhere_is_named_in_that_command(
    count: int, suite: Suite, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without it, the command would say that there is nothing to keep."""
    directory = tmp_path_factory.mktemp("elsewhere")
    suite.write(
        "test_it.py",
        f"""
        @pytest.mark.parametrize("number", range({count}))
        def test_it(number):
            with inference_recording("record", {str(directory)!r} + f"/{{number}}"): ask()
            assert 0
        """,
    )
    failed = suite.run()

    line = line_of(failed, f"  {count} recorded by tests that failed: moved to ")
    assert (count == 5) == ("moved to .failed of 5 directories (" in line)
    command = line.partition("(inference-recorder ")[2].removesuffix(" accepts them):")
    assert 0 == run_command(*shlex.split(command)).exit_code
    for number in range(count):
        assert ([], 1) == (files_of(directory / str(number) / ".failed"), len(files_of(directory / str(number))))
