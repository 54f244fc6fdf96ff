"""Recording a part of a suite again leaves alone what the rest of it shares with that part."""

from __future__ import annotations

from itertools import count

import pytest

from ..support.directories import contents_of
from ..support.openai_server import ReceivedRequest, Reply, chunks, completion
from .conftest import Suite, line_of
from .noting import noted, write_tests

RECORD = "--inference-mode=record"

FIXTURES = """
    @pytest.fixture(scope="session")
    def of_session(): return ask("session")

    @pytest.fixture(scope="package")
    def of_package(): return ask("package")

    @pytest.fixture(scope="module")
    def of_module(): return ask("module")

    @pytest.fixture(scope="class")
    def of_class(): return ask("class")
"""
TESTS = """
    class TestIt:
        @pytest.mark.one
        def test_one(self, of_session, of_package, of_module, of_class):
            note(ask(f"one {of_session} {of_package} {of_module} {of_class}"))

        def test_two(self, of_session, of_package, of_module, of_class):
            note(ask(f"two {of_session} {of_package} {of_module} {of_class}"))

    class TestOther:
        def test_three(self, of_session, of_package, of_module, of_class):
            note(ask(f"three {of_session} {of_package} {of_module} {of_class}"))
"""


@pytest.fixture
def layered(suite: Suite) -> Suite:
    """Three directories with tests that share answers of each scope."""
    suite.pytester.makeini("[pytest]\nmarkers = one")
    suite.write("conftest.py", "")
    for directory, number in (("a", 1), ("a", 2), ("b", 3)):
        suite.write(f"{directory}/__init__.py", "")
        suite.write(f"{directory}/conftest.py", FIXTURES)
        write_tests(suite, TESTS.replace("test_", f"test_{number}_"), f"{directory}/test_{number}.py")
    return suite


def asked_live(suite: Suite, since: int) -> set[str]:
    """Return the requests sent to the server since then, without the tests' own."""
    texts = (asked.json["messages"][0]["content"] for asked in suite.server.received[since:])
    return {text for text in texts if " " not in text}


@pytest.mark.quick_cases(6)
@pytest.mark.parametrize(
    ("arguments", "recorded_again"),
    [
        (["-k", "test_1_one"], ""),
        (["-m", "one"], ""),
        (["a/test_1.py::TestIt::test_1_one"], ""),
        (["--deselect=a/test_1.py::TestIt::test_1_two", "a/test_1.py"], "class"),
        (["-k", "TestIt and test_1"], "class"),
        (["a/test_1.py::TestIt"], "class"),
        (["a/test_1.py::TestIt", "a/test_1.py::TestOther"], "class"),
        (["a/test_1.py"], "class module"),
        (["--ignore=a/test_2.py"], "class module"),
        (["--ignore-glob=*2.py"], "class module"),
        (["a"], "class module package"),
        (["a/test_1.py", "a/test_2.py"], "class module package"),
        (["a", "-k", "not test_2_three"], "class module"),
        (["a", "b"], "class module package session"),
        (["b/test_3.py", "a/test_2.py", "a/test_1.py"], "class module package session"),
        ([], "class module package session"),
        (["."], "class module package session"),
        (["-k", "test"], "class module package session"),
    ],
    ids=lambda value: " ".join(value) or "all" if isinstance(value, list) else "",
)
def test_only_what_all_its_tests_run_for_is_recorded_again(
    arguments: list[str], recorded_again: str, layered: Suite
) -> None:
    """A part of the tests took a new answer, and the prompts of the others held the old one."""
    layered.run(RECORD).assert_outcomes(passed=9)
    live, since = noted(layered), layered.server.count

    again = layered.run(RECORD, *arguments)

    assert pytest.ExitCode.OK == again.ret
    assert set(recorded_again.split()) == asked_live(layered, since)
    live |= noted(layered)
    layered.run().assert_outcomes(passed=9)
    assert live == noted(layered)
    is_listed = "  not recorded again, since not all tests that use them were selected:" in again.outlines
    assert is_listed == (recorded_again != "class module package session")


@pytest.mark.parametrize(("arguments", "is_whole"), [([], True), (["a", "b"], True), (["a"], False)], ids=str)
def test_the_configured_test_paths_are_the_whole_suite(arguments: list[str], is_whole: bool, layered: Suite) -> None:
    """Files outside testpaths do not run unless they are named."""
    layered.pytester.makeini("[pytest]\nmarkers = one\ntestpaths = a b")
    layered.write("c/test_c.py", "def test_c(): pass")
    layered.run(RECORD).assert_outcomes(passed=9)
    since = layered.server.count

    layered.run(RECORD, *arguments)

    assert is_whole == ("session" in asked_live(layered, since))


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--lf", "--sw", "-n2"])
def test_a_part_that_pytest_chooses_leaves_the_rest_alone(
    option: str, layered: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--lf leaves tests out while it collects, stepwise begins at the last failure, and workers choose alike."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly")
    layered.run_apart(RECORD).assert_outcomes(passed=9)
    live = noted(layered)
    path = layered.directory / "a/test_2.py"
    text = path.read_text()
    path.write_text(text.replace('note(ask(f"two', 'assert 0 and note(ask(f"two'))
    layered.run_apart("--sw" if option == "--sw" else "-q")
    path.write_text(text)
    noted(layered)

    since = layered.server.count
    arguments = [option, "-k", "test_2_two"] if option == "-n2" else [option]
    again = layered.run_apart(RECORD, *arguments)

    assert pytest.ExitCode.OK == again.ret
    assert not asked_live(layered, since) & {"session"}
    live |= noted(layered)
    layered.run_apart().assert_outcomes(passed=9)
    assert live == noted(layered)


def test_a_scope_that_was_never_recorded_is_recorded_by_any_selection(layered: Suite) -> None:
    """There is nothing to keep."""
    layered.run(RECORD, "-k", "test_1_one").assert_outcomes(passed=1, deselected=8)
    live = noted(layered)
    assert {"session", "package", "module", "class"} == asked_live(layered, 0)

    layered.run("-k", "test_1_one").assert_outcomes(passed=1, deselected=8)

    assert live == noted(layered)


def changing(suite: Suite, *, is_streamed: bool = False) -> None:
    """Make the server answer each request with a different word, streamed if requested."""
    numbers = count()

    def answer(asked: ReceivedRequest, number: int) -> Reply:
        words = f"Word{next(numbers)} it", " is."
        if asked.json.get("stream"):
            return Reply(events=chunks(*words))
        return Reply(completion("".join(words)))

    suite.server.scripts["/v1/chat/completions"] = answer


FAILING = """
    import openai, os

    def streamed(text):
        with openai.OpenAI(base_url=os.environ["SERVER"], api_key="x") as client:
            chunks = client.chat.completions.create(
                model="m", messages=[{{"role": "user", "content": text}}], stream=True
            )
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    @pytest.fixture(scope="module")
    def wide(): return {asking}("wide")

    @pytest.fixture(scope="module")
    def wider(wide): return ask(f"wider, after {{wide}}")

    def test_depends(wide): ask(f"depends on: {{wide}}"); ask("depends, too"); assert {passes}
    def test_depends_far(wider): ask(f"depends on: {{wider}}"); assert {passes}
    def test_does_not(wide): ask("does not"); assert {passes}
"""


@pytest.mark.parametrize("asking", ["ask", "streamed"])
def test_new_recordings_stay_where_the_old_cannot_be_reached(asking: str, suite: Suite) -> None:
    """The old ones answer a prompt that holds the wide answer of another day, which is gone."""
    changing(suite)
    write_tests(suite, FAILING.format(asking=asking, passes=1))
    suite.run(RECORD).assert_outcomes(passed=3)
    before = contents_of(suite.directory / "recordings")
    write_tests(suite, FAILING.format(asking=asking, passes=0))

    result = suite.run(RECORD)

    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "  1 recorded by tests that failed: moved to recordings/.failed *",
            "  failed, but their new recordings stay: *",
            "    test_it.py::test_depends",
            "    test_it.py::test_depends_far",
        ]
    )
    assert ["test_it.py::test_does_not"] == suite.test_ids("recordings/.failed")
    write_tests(suite, FAILING.format(asking=asking, passes=1))
    suite.run().assert_outcomes(passed=3)
    [old] = [content for content in before.values() if b'"does not"' in content]
    assert old in contents_of(suite.directory / "recordings").values()


def test_old_recordings_come_back_where_the_wide_answer_says_the_same(suite: Suite) -> None:
    """The fixture was recorded again, and the tests' requests are the same as before."""
    suite.server.answers("/v1/chat/completions", Reply(completion("The same.")))
    text = "@pytest.fixture(scope='module')\ndef wide(): return ask('wide')\n\ndef test_it(wide): {}; assert {}\n"
    write_tests(suite, text.format("ask(wide)", 1))
    suite.run(RECORD).assert_outcomes(passed=1)
    before = contents_of(suite.directory / "recordings")
    write_tests(suite, text.format("ask(wide); ask('more')", 0))

    suite.run(RECORD).assert_outcomes(failed=1)

    assert before == contents_of(suite.directory / "recordings")


def test_a_word_that_a_request_always_had_takes_nothing_from_its_old_recordings(suite: Suite) -> None:
    """A wide "yes" that was "no" stands in "yes or no" too, which was asked before."""
    suite.server.answers("/v1/chat/completions", *(Reply(completion(text)) for text in ("no", "old", "yes", "new")))
    text = (
        "@pytest.fixture(scope='module')\ndef wide(): ask('wide')\n\ndef test_it(wide): ask('yes or no?'); assert {}\n"
    )
    write_tests(suite, text.format(1))
    suite.run(RECORD).assert_outcomes(passed=1)
    write_tests(suite, text.format(0))

    suite.run(RECORD).assert_outcomes(failed=1)

    [answer] = [one for one in suite.recordings() if one["test_id"] == "test_it.py::test_it"]
    assert "old" == answer["response"]["body"]["__data__"]["choices"][0]["message"]["content"]


def test_what_stayed_of_an_attempt_that_failed_goes_when_the_test_runs_again(suite: Suite) -> None:
    """The flaky first attempt's answers are nobody's, whatever they depend on."""
    changing(suite)
    text = """
        attempts = []

        @pytest.fixture(scope="session")
        def wide(): return ask("wide")

        def test_it(wide):
            attempts.append(1)
            ask(f"{{wide}} {{len(attempts)}}")
            assert {}
    """
    write_tests(suite, text.format("True"))
    suite.run(RECORD).assert_outcomes(passed=1)
    write_tests(suite, text.format("len(attempts) == 2"))

    suite.run(RECORD, "--reruns=1").assert_outcomes(passed=1)

    texts = [one["request"]["body"]["messages"][0]["content"] for one in suite.recordings()]
    assert ["Word0 it is. 1", "Word2 it is. 2", "wide"] == sorted(texts)


@pytest.mark.slow
def test_a_worker_knows_what_another_recorded_again(suite: Suite) -> None:
    """One worker recorded the wide answer; the failing test runs in another."""
    changing(suite)
    text = """
        @pytest.fixture(scope="session")
        def wide(): return ask("wide")

        @pytest.mark.parametrize("number", range(6))
        def test_it(wide, number): ask(f"{{number}} {{wide}}"); assert {}
    """
    write_tests(suite, text.format(1))
    suite.run_apart(RECORD, "-n2").assert_outcomes(passed=6)
    write_tests(suite, text.format(0))
    result = suite.run_apart(RECORD, "-n2", "-v")
    result.assert_outcomes(failed=6)
    assert [] == suite.files("recordings/.failed")
    write_tests(suite, text.format(1))

    replayed = suite.run_apart()

    replayed.assert_outcomes(passed=6)
    assert line_of(replayed, "recordings:").startswith("recordings: 7 replayed, 0 recorded, 0 missed, 0 live, ")
