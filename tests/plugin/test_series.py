"""A test's calls are counted through all its sessions; what several tests ask for is read by each from its start."""

from __future__ import annotations

import textwrap

import pytest

from ..support.directories import contents_of
from ..support.openai_server import Reply, completion
from .conftest import Suite, line_of
from .noting import noted, write_tests

RECORD, IF_MISSING = "--inference-mode=record", "--inference-mode=record-if-missing"
MODES = pytest.mark.parametrize("mode", [RECORD, IF_MISSING])


@pytest.mark.quick_cases(6)
@MODES
@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("""
        @inference_recording()
        def helper(): return ask()

        def test_it(): note(helper(), helper())
        """, 2),
        ("""
        @inference_recording()
        async def helper(): return await ask_async()

        @pytest.mark.asyncio
        async def test_it(): note(await helper(), await helper())
        """, 2),
        ("""
        def test_it():
            with inference_recording():
                first = ask()
                with inference_recording():
                    second = ask()
                third = ask()
            note(first, second, third, ask())
        """, 4),
        ("""
        from concurrent.futures import ThreadPoolExecutor

        @inference_recording()
        def helper(): return ask()

        def test_it():
            with ThreadPoolExecutor(1) as pool:
                note(helper(), pool.submit(helper).result(), ask())
        """, 3),
        ("""
        @pytest.fixture(scope="session", autouse=True)
        def around_all():
            with inference_recording(): yield

        def test_it():
            first = ask()
            with inference_recording(): second = ask()
            note(first, second)
        """, 2),
        ("""
        @pytest.fixture
        def before():
            with inference_recording(): yield ask()

        def test_it(before, inference_session): note(before, ask())
        """, 2),
    ],
    ids=["decorated", "decorated coroutine", "nested", "thread", "around all tests", "fixture"],
)  # fmt: skip
def test_sessions_of_a_test_count_on_from_each_other(mode: str, body: str, count: int, suite: Suite) -> None:
    """Each series began at the first position: two calls of a decorated helper got [1, 2], and in replay [2, 2]."""
    write_tests(suite, body)
    suite.run(mode).assert_outcomes(passed=1)
    live = noted(suite)["test_it"]

    suite.run().assert_outcomes(passed=1)

    assert [f"Hello {number}!" for number in range(count)] == live
    assert live == noted(suite)["test_it"]
    assert (count, count) == (suite.server.count, len(suite.files()))


def test_a_rerun_counts_from_the_first_place(suite: Suite) -> None:
    """A failed attempt may have stopped before its last calls."""
    write_tests(
        suite,
        """
        @inference_recording()
        def helper(): return ask()

        attempts = []

        def test_it():
            attempts.append(1)
            note(helper(), helper())
            assert 2 == len(attempts)
        """,
    )
    suite.run(RECORD, "--reruns=1")
    live = noted(suite)["test_it"]

    suite.run("--reruns=1")

    assert ["Hello 0!", "Hello 1!", "Hello 2!", "Hello 3!"] == live
    assert live[2:] * 2 == noted(suite)["test_it"]


def test_modes_and_directories_count_apart(suite: Suite) -> None:
    """A test of a recorder records first and then replays, and a second directory holds a series of its own."""
    write_tests(
        suite,
        """
        def test_it(tmp_path):
            for folder in (tmp_path / "one", tmp_path / "two"):
                for mode in ("record", "replay"):
                    with inference_recording(mode, folder): note(ask())
        """,
    )
    suite.run().assert_outcomes(passed=1)

    assert ["Hello 0!", "Hello 0!", "Hello 1!", "Hello 1!"] == noted(suite)["test_it"]


def test_a_series_is_cut_when_its_test_has_passed(suite: Suite) -> None:
    """A session that closes early in the test knows nothing of the answers that the next one will store."""
    test = "def test_it():\n    for _ in range({}):\n        with inference_recording(): note(ask())\n"
    write_tests(suite, test.format(3))
    suite.run(RECORD).assert_outcomes(passed=1)
    write_tests(suite, test.format(2))
    suite.run(RECORD).assert_outcomes(passed=1)
    noted(suite)

    suite.run().assert_outcomes(passed=1)

    assert ["Hello 3!", "Hello 4!"] == noted(suite)["test_it"]
    assert 2 == len(suite.files())


def test_a_series_that_cannot_be_cut_fails_its_test(suite: Suite) -> None:
    """Its old answers would follow the new ones in the series, and the summary alone would not show it."""
    write_tests(suite, "def test_it(): note(ask(), ask())")
    suite.run(RECORD).assert_outcomes(passed=1)
    [conflict] = (suite.directory / "recordings").glob("*.2.json")
    conflict.unlink()
    conflict.mkdir()
    write_tests(suite, "def test_it(): ask()")

    result = suite.run(RECORD)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*UnwritableRecording*"])


def test_a_recorder_within_a_fixture_counts_from_its_setup_to_its_teardown(suite: Suite) -> None:
    """Without a marker too; the calls of the tests in between are their own."""
    write_tests(
        suite,
        """
        pytestmark = []

        @pytest.fixture(scope="module", autouse=True)
        def wide():
            with inference_recording():
                first = ask()
                yield
                note(first, ask())

        @pytest.mark.parametrize("number", range(2))
        def test_it(number): note(ask(), ask())
        """,
    )
    suite.run(RECORD).assert_outcomes(passed=2)
    live = noted(suite)
    suite.run().assert_outcomes(passed=2)

    assert {
        "test_it[0]": ["Hello 1!", "Hello 2!"],
        "test_it[1]": ["Hello 3!", "Hello 4!", "Hello 0!", "Hello 5!"],
    } == live
    assert live == noted(suite)
    tests = [f"test_it.py::test_it[{number}]" for number in (0, 0, 1, 1)]
    assert [*tests, "test_it.py@wide", "test_it.py@wide"] == suite.test_ids()


@pytest.mark.slow
def test_a_process_that_dies_within_a_test_has_cut_nothing(suite: Suite) -> None:
    """Its session had closed; the answers that the rest of the test would have replaced are all that there is."""
    write_tests(suite, "def test_it(): [ask() for _ in range(3)]")
    suite.run(RECORD).assert_outcomes(passed=1)
    before = contents_of(suite.directory / "recordings")
    write_tests(suite, "def test_it():\n    with inference_recording(): ask()\n    os._exit(1)\nimport os\n")

    suite.run_apart(RECORD)

    after = contents_of(suite.directory / "recordings")
    assert list(before) == list(after)
    assert 1 == sum(before[name] != after[name] for name in before)


@pytest.mark.parametrize("identity", ["scope='shared'", "test_id='everybody'"])
@MODES
def test_each_test_replays_what_it_got_of_a_shared_series(mode: str, identity: str, suite: Suite) -> None:
    """The tests make different numbers of calls, each from the first answer on."""
    write_tests(
        suite,
        f"""
        @inference_recording({identity})
        def shared(): return ask("shared")

        @pytest.mark.parametrize("count", [2, 1, 3])
        def test_it(count):
            note(*(shared() for _ in range(count)))
            ask(f"mine, after {{shared()}}")
        """,
    )
    suite.run(mode).assert_outcomes(passed=3)
    live = noted(suite)
    assert {"test_it[1]": ["Hello 0!"], "test_it[2]": ["Hello 0!", "Hello 1!"]}.items() <= live.items()
    asked = suite.server.count

    for arguments in ([], ["test_it.py::test_it[3]", "test_it.py::test_it[1]"], ["-k", "2"], [IF_MISSING]):
        suite.run(*arguments)
        replayed = noted(suite)
        assert replayed == {name: answers for name, answers in live.items() if name in replayed}
    assert asked == suite.server.count == 4 + 3


def test_recording_a_part_of_a_shared_series_again_replaces_only_that_part(suite: Suite) -> None:
    """The test that makes more calls did not run: its later answers must stay."""
    write_tests(
        suite,
        """
        @inference_recording(scope="shared")
        def shared(): return ask("shared")

        @pytest.mark.parametrize("count", [1, 3])
        def test_it(count): note(*(shared() for _ in range(count)))
        """,
    )
    suite.run(RECORD).assert_outcomes(passed=2)
    suite.run(RECORD, "-k", "1").assert_outcomes(passed=1, deselected=1)
    noted(suite)

    suite.run().assert_outcomes(passed=2)

    answers = ["Hello 3!", "Hello 1!", "Hello 2!"]
    assert {"test_it[1]": answers[:1], "test_it[3]": answers} == noted(suite)


@pytest.mark.parametrize("end", ["", "assert 0"], ids=["passes", "fails"])
@pytest.mark.parametrize("mark", ["", "(scope='shared')"], ids=["its own", "shared"])
def test_a_call_given_up_leaves_no_gap_in_its_series(mark: str, end: str, suite: Suite) -> None:
    """Hedged requests cancel the slower one; the answer that won was stored where no replay looks."""
    texts = iter(("first", "second"))
    suite.server.scripts["/v1/chat/completions"] = lambda asked, number: (
        Reply(completion("slow"), delay_seconds=5) if "x-slow" in asked.headers else Reply(completion(next(texts)))
    )
    head = f"pytestmark = pytest.mark.inference_recording{mark}\n\n"
    write_tests(
        suite,
        head
        + textwrap.dedent(f"""
        import asyncio

        @pytest.mark.asyncio
        async def test_it():
            slow = asyncio.create_task(ask_async(extra_headers={{"x-slow": "1"}}))
            await asyncio.sleep(0)
            note(await ask_async(), await ask_async())
            slow.cancel()
            await asyncio.wait([slow])
            {end}
        """),
    )
    recorded = suite.run(RECORD, "--inference-keep-failed")
    recorded.assert_outcomes(failed=1) if end else recorded.assert_outcomes(passed=1)
    assert {"test_it": ["first", "second"]} == noted(suite)

    write_tests(suite, head + "def test_it(): note(ask(), ask(), ask())")
    suite.run().assert_outcomes(passed=1)

    assert {"test_it": ["first", "second", "second"]} == noted(suite)
    assert 2 == len(suite.files())


def test_record_if_missing_repeats_the_end_of_a_series_of_an_earlier_run(suite: Suite) -> None:
    """Replay does the same; only a series that this run records itself continues beyond its end."""
    test = "def test_{0}():\n    with inference_recording(scope='shared'): note(*(ask('{0}') for _ in range({1})))\n"
    write_tests(suite, test.format("old", 1))
    suite.run(RECORD).assert_outcomes(passed=1)
    noted(suite)
    write_tests(suite, test.format("old", 2) + test.format("new", 2))

    suite.run(IF_MISSING).assert_outcomes(passed=2)

    assert {"test_old": ["Hello 0!"] * 2, "test_new": ["Hello 1!", "Hello 2!"]} == noted(suite)


@pytest.mark.parametrize("dist", ["load", "each"])
@pytest.mark.slow
@MODES
def test_workers_share_a_series(mode: str, dist: str, suite: Suite) -> None:
    """One worker makes each request; the others get its answer, and so does each replay."""
    write_tests(
        suite,
        """
        @inference_recording(scope="shared")
        def shared(): return ask("shared")

        @pytest.mark.parametrize("number", range(6))
        def test_it(number):
            first, second = note(shared(), shared())
            note(ask(f"{number} {first} {second}"))
        """,
    )
    times = 2 if dist == "each" else 1
    recorded = suite.run_apart(mode, "--tx", "2*popen", f"--dist={dist}")
    recorded.assert_outcomes(passed=6 * times)
    live, asked = noted(suite), suite.server.count

    replayed = suite.run_apart("-n0")

    replayed.assert_outcomes(passed=6)
    assert 1 == len({tuple(answers[:2]) for answers in live.values()})
    assert 2 == sum(recording["test_id"] is None for recording in suite.recordings())
    assert "recordings: 18 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(replayed, "recordings:")
    if times == 1:
        assert (live, 8) == (noted(suite), asked)


def test_a_request_made_too_often_is_a_miss_as_configured(suite: Suite) -> None:
    """The command that the miss prints records the further answers; the marker says otherwise for one test."""
    suite.configure('repeats = "error"')
    suite.write(
        "test_it.py",
        "def test_it(inference_session): ask()\ndef test_other(inference_session): assert 'Hello' in ask()",
    )
    suite.run("--inference-mode=record").assert_outcomes(passed=2)
    recorded = suite.recordings()
    suite.write(
        "test_it.py",
        """
        def test_it(inference_session): ask(); ask(); ask()

        @pytest.mark.inference_recording(repeats="last")
        def test_other(): assert ask() == ask()
        """,
    )

    missed = suite.run()

    missed.assert_outcomes(passed=1, failed=1)
    missed.stdout.fnmatch_lines(
        ['E * it has 1 answer, and this is call 2; repeats="last" replays the last answer again']
    )
    [command] = [line.split("pytest ")[1] for line in missed.outlines if "    pytest --inference-mode" in line]
    suite.run(*command.split()).assert_outcomes(passed=1)
    suite.run().assert_outcomes(passed=2)
    assert (4, 4) == (len(suite.files()), suite.server.count)
    assert all(recording in suite.recordings() for recording in recorded)
