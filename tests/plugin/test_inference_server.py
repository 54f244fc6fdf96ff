"""The fixture `inference_server`: programs that tests start replay and record as the tests themselves.

How it ends, what comes too late, and who else is around is in `test_inference_server_ends.py`.
"""

from __future__ import annotations

import json

import pytest

from ..support.openai_server import Reply, completion, error
from .conftest import Suite, line_of
from .programs import PATH, RECORD, texts, write

pytestmark = pytest.mark.usefixtures("programs")
IF_MISSING = "--inference-mode=record-if-missing"


def test_a_program_replays_and_records_as_its_test(suite: Suite) -> None:
    """It is counted, stored under the test's id, and needs neither key nor network the next time."""
    write(
        suite,
        """
        def test_it(inference_server, inference_session):
            env, url, anthropic_url = inference_server.env, inference_server.url, inference_server.anthropic_url
            assert [url, url] == [env["OPENAI_BASE_URL"], env["OPENAI_API_BASE"]]
            assert [anthropic_url, f"{anthropic_url}/v1"] == [env["ANTHROPIC_BASE_URL"], url]
            assert "/t/test_it.py%3A%3Atest_it/" in url
            assert ["Hello 0!", "Hello 1!"] == [say("Hi", env), say("Hi", env)]
            assert 2 == sum(inference_session.counts.values())
        """,
    )

    recorded = suite.run(RECORD)
    replayed = suite.run()

    recorded.assert_outcomes(passed=1)
    replayed.assert_outcomes(passed=1)
    assert "recordings: 0 replayed, 2 recorded, 0 missed, 0 live, 0 unused" == line_of(recorded, "recordings:")
    assert "recordings: 2 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(replayed, "recordings:")
    assert ["test_it.py::test_it"] * 2 == suite.test_ids()
    assert 2 == suite.server.count


@pytest.mark.slow
def test_each_mode_does_what_it_does_in_process(suite: Suite) -> None:
    """Whether the mode comes from the command line or from the marker."""
    test = """
        @pytest.mark.inference_recording({mode})
        def test_it(inference_server, inference_session):
            say("Hi", inference_server.env)
            print("\\ncounts:", dict(inference_session.counts))
    """
    write(suite, test.format(mode=""))

    def counts(*arguments: str) -> list[str]:
        result = suite.run("-s", *arguments)
        return [line for line in result.outlines if line.startswith("counts:")]

    assert ["counts: {'live': 1}"] == counts("--inference-mode=live")
    assert (1, []) == (suite.server.count, suite.files())
    assert ["counts: {'recorded': 1}"] == counts(IF_MISSING)
    assert ["counts: {'replayed': 1}"] == counts(IF_MISSING)
    assert ["counts: {'replayed': 1}"] == counts()
    assert (2, ["Hello 1!"]) == (suite.server.count, texts(suite))
    write(suite, test.format(mode="'record'"))
    assert ["counts: {'recorded': 1}"] == counts()
    assert (3, ["Hello 2!"]) == (suite.server.count, texts(suite))


@pytest.mark.slow
def test_the_arguments_of_the_marker_count(suite: Suite) -> None:
    """A test that is marked need not care in which process its calls are made."""
    tests = """
        mark = pytest.mark.inference_recording

        @mark(storage_dir="elsewhere")
        def test_storage_dir(inference_server): assert say("1", inference_server.env) == "Hello 0!"

        @mark(redact=["a-password"])
        def test_redact(inference_server): assert say("a-password", inference_server.env) == "a-password"

        @mark(normalize=["uuids"])
        def test_normalize(inference_server):
            import uuid
            assert say(str(uuid.uuid4()), inference_server.env).startswith("Hello")

        @mark(allow_misses=True)
        def test_allow_misses(inference_server): {allowed}

        @mark(record_errors=True)
        def test_record_errors(inference_server): assert "503" in say("fail", inference_server.env)

        @mark(test_id="of another name")
        def test_test_id(inference_server):
            assert "/t/of%20another%20name/" in inference_server.url
            assert say("2", inference_server.env).startswith("Hello")

        @mark(scope="shared")
        @pytest.mark.parametrize("number", [1, 2])
        def test_shared(inference_server, number):
            assert "/t/" not in inference_server.url
            assert say("3", inference_server.env).startswith("Hello")

        @mark(repeats="error")
        def test_repeats(inference_server):
            for _ in range({times}):
                assert say("4", inference_server.env)
    """
    suite.server.scripts[PATH] = lambda request, number: {
        "fail": error(503),
        "a-password": Reply(completion("a-password")),
    }.get(request.json["messages"][0]["content"], Reply(completion(f"Hello {number}!")))
    write(suite, tests.format(allowed="pass", times=1))
    suite.run(RECORD).assert_outcomes(passed=9)
    recorded = suite.server.count
    write(suite, tests.format(allowed="say('none', inference_server.env)", times=2))

    result = suite.run()

    result.assert_outcomes(passed=9, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_repeats*"])
    assert (recorded, 1) == (suite.server.count, len(suite.files("elsewhere")))
    assert {None, "of another name"} == {name for name in suite.test_ids() if not (name and "::" in name)}
    assert "a-password" not in "".join(map(json.dumps, suite.recordings()))


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_miss_that_a_program_swallows_fails_its_test_at_its_end(suite: Suite, workers: str) -> None:
    """A green test would hide that its program got an error; the command that is printed ends the miss."""
    write(
        suite,
        """
        @pytest.fixture
        def late(inference_server):
            yield
            say("bye", inference_server.env)

        def test_before(inference_server): pass
        def test_one(inference_server): assert say("Hi", inference_server.env)
        def test_after(inference_server): pass
        def test_two(late): pass
        """,
    )

    result = suite.run_apart(workers)

    result.assert_outcomes(passed=4, errors=2)
    output = result.stdout.str()
    for test in ("test_one", "test_two"):
        assert 1 == output.count(f"ERROR at teardown of {test} ")
        assert 1 == output.count(f"  test: test_it.py::{test}\n")
        assert 1 == output.count(f"    pytest --inference-mode=record-if-missing test_it.py::{test}\n")
    assert "recordings: 0 replayed, 0 recorded, 2 missed, 0 live, 0 unused" == line_of(result, "recordings:")
    suite.run(IF_MISSING, "test_it.py::test_one", "test_it.py::test_two").assert_outcomes(passed=2)
    suite.run().assert_outcomes(passed=4)


@pytest.mark.slow
def test_a_test_that_fails_for_a_miss_shows_it_once(suite: Suite) -> None:
    """Its own error says only that a program ended with 1."""
    write(suite, "def test_it(inference_server): assert 'Hello' == say('Hi', inference_server.env)[:0]")

    result = suite.run()

    result.assert_outcomes(failed=1)
    assert 1 == result.stdout.str().count("\nRecording not found for POST /v1/chat/completions")


FAULTS = """
    def test_before(inference_server): assert say("before", inference_server.env).startswith("Hello")
    def test_it(inference_server): say("Hi", inference_server.env, stream=True)
    def test_after(inference_server): assert say("after", inference_server.env).startswith("Hello")
"""


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["corrupt", "incomplete", "unwritable"])
def test_another_error_fails_its_test_and_names_the_file(suite: Suite, fault: str) -> None:
    """Otherwise a test would be green with a recording that is not there the next time."""
    write(suite, FAULTS)
    suite.run(RECORD).assert_outcomes(passed=3)
    [path] = [path for path in (suite.directory / "recordings").glob("*.json") if b"::test_it" in path.read_bytes()]
    if fault == "corrupt":
        path.write_text("{")
    elif fault == "incomplete":
        recording = json.loads(path.read_text())
        recording["response"]["is_complete"] = False
        path.write_text(json.dumps(recording))
    else:
        path.unlink()
        path.mkdir()

    result = suite.run(*([RECORD] if fault == "unwritable" else []))

    result.assert_outcomes(passed=3, errors=1)
    kinds = {"corrupt": "CorruptRecording", "incomplete": "IncompleteRecording", "unwritable": "UnwritableRecording"}
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it *", f"{kinds[fault]}: *"])
    assert str(path) in result.stdout.str()
    path.rmdir() if path.is_dir() else path.unlink()
    suite.run(IF_MISSING, "test_it.py::test_it").assert_outcomes(passed=1)
    suite.run().assert_outcomes(passed=3)


@pytest.mark.slow
@pytest.mark.parametrize("distribution", ["load", "loadscope"])
def test_each_worker_answers_its_own_tests(suite: Suite, distribution: str) -> None:
    """Whichever worker runs a test, it gets its own answers; and one that shares requests gets the shared ones."""
    write(
        suite,
        """
        @pytest.mark.parametrize("number", range(8))
        class TestThem:
            @pytest.mark.inference_recording(scope="shared")
            def test_shared(self, inference_server, number):
                print("\\nshared:", say("shared", inference_server.env))

            def test_own(self, inference_server, number, request):
                env = inference_server.env
                answers = [say(text, env) for text in ("same", "same", f"{number}")]
                known = request.config.rootpath / f"answers-{number}"
                if known.exists():
                    assert known.read_text() == repr(answers)
                known.write_text(repr(answers))
        """,
    )
    arguments = ("-n2", f"--dist={distribution}")
    recorded = suite.run_apart(*arguments, RECORD)
    requests = suite.server.count

    replayed = suite.run_apart(*arguments)

    recorded.assert_outcomes(passed=16)
    replayed.assert_outcomes(passed=16)
    assert "recordings: 32 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(replayed, "recordings:")
    assert requests == suite.server.count == len(suite.files()) == 25
    assert 24 == len({path.read_text() for path in suite.directory.glob("answers-*")}) * 3


@pytest.mark.slow
def test_a_rerun_gets_the_first_answers_again(suite: Suite) -> None:
    """Otherwise a flaky test would not be the same test in its second run."""
    test = """
        import pathlib

        def test_it(inference_server):
            answers = [say("same", inference_server.env) for _ in range(2)]
            print("\\nanswers:", answers)
            assert {passes}
    """
    write(suite, test.format(passes=True))
    recorded = suite.run("-s", RECORD)
    write(suite, test.format(passes="pathlib.Path('ran').exists() or pathlib.Path('ran').touch()"))

    result = suite.run("-s", "--reruns=1")

    assert "rerun" in result.stdout.str()
    answers = [[line for line in run.outlines if line.startswith("answers:")] for run in (recorded, result)]
    assert (answers[0] * 2, ["answers: ['Hello 0!', 'Hello 1!']"]) == (answers[1], answers[0])


@pytest.mark.slow
def test_what_a_failing_test_records_is_rolled_back(suite: Suite) -> None:
    """The recordings of a passing test are replaced only by those of a passing one, also where its id has a secret."""
    test = """
        @pytest.mark.inference_recording(redact=["hunter22"])
        @pytest.mark.parametrize("password", ["hunter22"])
        def test_it(inference_server, password):
            say("old", inference_server.env), say("{text}", inference_server.env)
            assert {passes}
    """
    write(suite, test.format(text="old", passes=True))
    suite.run(RECORD).assert_outcomes(passed=1)
    before = texts(suite)
    write(suite, test.format(text="new", passes=False))

    result = suite.run(RECORD)

    result.assert_outcomes(failed=1)
    assert (["Hello 0!", "Hello 1!"], ["Hello 0!", "Hello 1!"]) == (before, texts(suite))
    assert 2 == len(list((suite.directory / "recordings/.failed").glob("*.json")))
    result.stdout.fnmatch_lines(["*recorded by tests that failed: moved to recordings/.failed*"])


@pytest.mark.slow
def test_every_kind_of_test_can_use_it(suite: Suite) -> None:
    """Functions, methods, parameters, coroutines, and classes of unittest by way of a fixture of theirs."""
    write(
        suite,
        """
        import asyncio, unittest

        class TestClass:
            @pytest.mark.parametrize("text", ["one", "two"])
            def test_method(self, inference_server, text): assert say(text, inference_server.env).startswith("Hello")

        @pytest.mark.asyncio
        async def test_async(inference_server):
            env = inference_server.env
            answers = await asyncio.gather(*(asyncio.to_thread(say, text, env) for text in ("one", "two", "three")))
            assert 3 == len(set(answers))

        class Case(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _server(self, inference_server): self.server = inference_server

            def test_case(self): self.assertIn("Hello", say("one", self.server.env))

        class AsyncCase(unittest.IsolatedAsyncioTestCase):
            @pytest.fixture(autouse=True)
            def _server(self, inference_server): self.server = inference_server

            async def test_case(self): self.assertIn("Hello", await asyncio.to_thread(say, "one", self.server.env))
        """,
    )

    suite.run(RECORD).assert_outcomes(passed=5)
    suite.run("-n2").assert_outcomes(passed=5)

    tests = ["AsyncCase::test_case", "Case::test_case", "TestClass::test_method[one]", "TestClass::test_method[two]"]
    assert [f"test_it.py::{name}" for name in [*tests, *["test_async"] * 3]] == suite.test_ids()
    assert 7 == suite.server.count


ODD_IDS = {
    "spaces": "a b  c",
    "slashes": "a/b//c/../d?e#f&g",
    "dots": "..",
    "umlauts": "äöü-日本-😀",
    "brackets": "[[a]",
    "percent": "50%25%zz%",
    "quotes": "a\"b'c\\\\d",
    "newlines": "a\nb\r\n\tc",
    "long": "x" * 5_000,
}
ESCAPES = "disable_test_id_escaping_and_forfeit_all_rights_to_community_support"


@pytest.mark.slow
@pytest.mark.parametrize("as_marker", [False, True])
def test_test_ids_with_odd_characters_reach_the_recordings(suite: Suite, as_marker: bool) -> None:
    """A base url has them in its path, which servers and clients take apart. Some cannot be there."""
    (suite.directory / "pytest.ini").write_text(f"[pytest]\n{ESCAPES} = True\n")
    mark = ", marks=pytest.mark.inference_recording(test_id={0})" if as_marker else ""
    cases = ", ".join(f"pytest.param(id={text!r}{mark.format(repr(text))})" for text in ODD_IDS.values())
    write(
        suite,
        f"""
        import openai
        from ask import question

        @pytest.mark.parametrize((), [{cases}])
        def test_it(inference_server):
            assert "/../" not in inference_server.url
            assert say("same", inference_server.env) != say("same", inference_server.env)
            with openai.OpenAI(base_url=inference_server.url, api_key="x", max_retries=0) as client:
                assert client.chat.completions.create(**question("same")).choices
        """,
    )

    suite.run(RECORD).assert_outcomes(passed=len(ODD_IDS))
    suite.run().assert_outcomes(passed=len(ODD_IDS))

    expected = ODD_IDS.values() if as_marker else [f"test_it.py::test_it[{text}]" for text in ODD_IDS.values()]
    assert sorted([*expected] * 3) == suite.test_ids()
    assert len(ODD_IDS) * 3 == suite.server.count


@pytest.mark.slow
def test_a_secret_in_a_test_id_is_in_no_url_and_no_file(suite: Suite) -> None:
    """A program may log its base url."""
    secret = "sk-proj-" + "aB3" * 16
    write(
        suite,
        f"""
        @pytest.mark.parametrize("key", ["{secret}"])
        def test_it(inference_server, key):
            assert key not in inference_server.url
            assert say("Hi", inference_server.env).startswith("Hello")
            assert ask("Hi")
        """,
    )

    suite.run(RECORD).assert_outcomes(passed=1)
    suite.run().assert_outcomes(passed=1)

    assert 2 == len(suite.recordings())
    assert secret not in json.dumps(suite.recordings())


@pytest.mark.slow
def test_a_report_shows_what_programs_asked(suite: Suite) -> None:
    """As if the test had asked."""
    write(suite, "def test_it(inference_server): assert say('What is in the report?', inference_server.env)")

    suite.run(RECORD, "--inference-report=recorded.html").assert_outcomes(passed=1)
    suite.run("--inference-report=replayed.html").assert_outcomes(passed=1)

    for name in ("recorded", "replayed"):
        page = (suite.directory / f"{name}.html").read_text()
        assert all(text in page for text in ("What is in the report?", "Hello 0!", "test_it.py::test_it"))
