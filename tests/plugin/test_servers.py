"""A server under test in a fixture of the whole run: its calls belong to the tests whose requests caused them."""

from __future__ import annotations

import json
import re

import pytest

from ..support.chat_app import ROOT
from ..support.openai_server import Reply, chunks, completion
from ..support.systems import needs_inherited_sockets
from .conftest import Suite, line_of

pytestmark = pytest.mark.slow

CONFTEST = """
    import os
    from pathlib import Path
    import httpx
    from inference_recorder.asgi import event_hooks
    from tests.support import chat_app

    @pytest.fixture(scope="{scope}")
    def url():
        with chat_app.{serve}(os.environ["SERVER"]{arguments}) as url:
            yield url

    @pytest.fixture
    def say(url):
        def say(way, text, hooks=event_hooks()):
            with httpx.Client(base_url=url, event_hooks=hooks, verify=False, timeout=60) as client:
                return client.get(f"/{{way}}", params={{"text": text}}).text

        return say
"""
TESTS = """
    import json
    from pathlib import Path

    @pytest.mark.inference_recording
    @pytest.mark.parametrize("number", range(8))
    def test_it(say, number):
        texts = ["same", "same", f"{number}"]
        answers = [say(way, f"{way} {text}") for way in ("plain", "in_thread", "streamed") for text in texts]
        Path(f"answers-{number}.json").write_text(json.dumps(answers))
        assert all(answer.startswith("Answer") for answer in answers), answers
"""
SERVED = pytest.mark.parametrize("serve", ["in_thread", "in_process"])


@pytest.fixture(autouse=True)
def _ready(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    suite.server.scripts["/v1/chat/completions"] = lambda asked, number: (
        Reply(events=chunks("Answer ", f"{number}"))
        if asked.json.get("stream")
        else Reply(json=completion(f"Answer {number}", number=number))
    )
    suite.write("test_chat.py", TESTS)


def served(suite: Suite, serve: str, arguments: str = "", scope: str = "session") -> None:
    if serve == "in_process":
        needs_inherited_sockets()
    suite.write("conftest.py", CONFTEST.format(serve=serve, arguments=arguments, scope=scope))


def answers(suite: Suite) -> list[list[str]]:
    """Return and remove what the tests got."""
    paths = sorted(suite.directory.glob("answers-*.json"))
    texts = [json.loads(path.read_text()) for path in paths]
    for path in paths:
        path.unlink()
    return texts


@SERVED
def test_each_test_replays_its_own_recordings(suite: Suite, serve: str) -> None:
    """Whichever worker runs it and whichever test started the server."""
    served(suite, serve)
    suite.run_apart("-n2", "--inference-mode=record").assert_outcomes(passed=8)
    recorded, requests = answers(suite), suite.server.count

    together = suite.run_apart("-n2", "--inference-prune")
    replayed = answers(suite)
    suite.run_apart("test_chat.py::test_it[5]").assert_outcomes(passed=1)

    assert [recorded, [recorded[5]]] == [replayed, answers(suite)]
    assert sorted([f"test_chat.py::test_it[{number}]" for number in range(8)] * 9) == suite.test_ids()
    assert (72, 72) == (requests, suite.server.count)
    together.assert_outcomes(passed=8)
    assert "recordings: 72 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(together, "recordings:")


@SERVED
def test_a_miss_names_the_test_whose_request_caused_it(suite: Suite, serve: str) -> None:
    """The summary and the command are all that its reader has: the server answers 500."""
    served(suite, serve)
    suite.write("test_chat.py", TESTS.replace(', "streamed")', ")"))
    suite.run("--inference-mode=record", "-k", "0 or 1").assert_outcomes(passed=2, deselected=6)
    requests = suite.server.count

    result = suite.run("-k", "0 or 1 or 3")

    result.assert_outcomes(passed=2, failed=1, deselected=5)
    result.stdout.fnmatch_lines(["  missed:", "    test_chat.py::test_it?3?: 6 x /v1/chat/completions (gpt-4o)"])
    [command] = set(re.findall(r"pytest (--inference-mode=record-if-missing) \\?'([^'\\]+)", result.stdout.str()))
    suite.run(*command).assert_outcomes(passed=1)
    assert requests + 6 == suite.server.count


@SERVED
def test_a_test_that_runs_again_gets_its_first_answers_again(suite: Suite, serve: str) -> None:
    """Otherwise a flaky test would not be the same test in its second run."""
    served(suite, serve)
    suite.run("--inference-mode=record", "-k", "2").assert_outcomes(passed=1, deselected=7)
    recorded = answers(suite)
    fail_once = "\n        assert Path('ran').exists() or Path('ran').touch()\n"
    suite.write("test_chat.py", TESTS + fail_once)

    suite.run("--reruns=1", "-k", "2").assert_outcomes(passed=1, deselected=7)

    assert recorded == answers(suite)


@SERVED
def test_a_miss_fails_its_test_though_the_server_goes_on(suite: Suite, serve: str) -> None:
    """It answers 500, and the test may not look."""
    served(suite, serve)
    missing = "@pytest.mark.inference_recording({})\ndef test_{}(say):\n    assert say('plain', '{}')\n"
    suite.write("test_chat.py", missing.format("", "one", "1") + missing.format("allow_misses=True", "two", "2"))

    result = suite.run()

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*a call had no recording*", "*test: test_chat.py::test_one"])


def test_a_miss_while_fixtures_are_torn_down_fails_its_test(suite: Suite) -> None:
    """What a test asks last, it may ask in the teardown of its fixtures."""
    served(suite, "in_process")
    suite.write(
        "test_chat.py",
        """
        @pytest.fixture
        def bye(say):
            yield
            say("plain", "bye")

        @pytest.mark.inference_recording
        def test_one(bye): pass

        @pytest.mark.inference_recording
        def test_two(): pass
        """,
    )

    result = suite.run()

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*test: test_chat.py::test_one"])


def test_a_server_of_a_test_records_with_it(suite: Suite) -> None:
    """In mode record, a failing test keeps its old recordings, whichever process asked; calls are counted together."""
    served(suite, "in_process", scope="function")
    test = """
        import json
        from pathlib import Path
        from tests.support.chat_app import ChatApp

        @pytest.mark.inference_recording
        def test_it(say):
            answers = [say("plain", "same"), ask("same"), say("in_thread", "same")]
            Path("answers-0.json").write_text(json.dumps(answers))
            assert {passes}
    """
    suite.write("test_chat.py", test.format(passes=True))
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    recorded = answers(suite)
    suite.write("test_chat.py", test.format(passes=False))
    suite.run("--inference-mode=record").assert_outcomes(failed=1)
    assert recorded != answers(suite)
    suite.write("test_chat.py", test.format(passes=True))

    suite.run().assert_outcomes(passed=1)

    assert recorded == answers(suite)
    assert (3, 6) == (len({*recorded[0]}), suite.server.count)


@SERVED
def test_what_a_failing_test_recorded_under_another_ones_id_stays(suite: Suite, serve: str) -> None:
    """It does not depend on its outcome."""
    served(suite, serve, scope="function")
    suite.write(
        "test_chat.py",
        """
        from inference_recorder import test_id_context

        @pytest.mark.inference_recording
        def test_it(say):
            with test_id_context("other"):
                assert not say("plain", "same")
        """,
    )

    suite.run("--inference-mode=record").assert_outcomes(failed=1)
    suite.run("--inference-mode=record").assert_outcomes(failed=1)

    [recording] = suite.recordings()
    assert "other" == recording["test_id"]
    assert "Answer 1" == recording["response"]["body"]["__data__"]["choices"][0]["message"]["content"]


def test_an_id_that_tests_share_is_counted_in_each_of_them(suite: Suite) -> None:
    """Otherwise the answers of a test would depend on the tests that ran before it."""
    suite.write(
        "test_chat.py",
        """
        from inference_recorder import test_id_context

        @pytest.mark.inference_recording
        @pytest.mark.parametrize("number", [1, 2])
        def test_it(number):
            with test_id_context("shared"):
                print("\\nanswers:", ask("same"), ask("same"))
        """,
    )

    recorded = suite.run("-s", "--inference-mode=record")
    one = suite.run("-s", "-k", "2")

    assert 2 == suite.server.count == len(suite.recordings())
    of_both, of_one = ([line for line in run.outlines if "answers:" in line] for run in (recorded, one))
    assert of_both == 2 * of_one == 2 * ["answers: Answer 0 Answer 1"]


def test_a_call_that_comes_late_belongs_to_the_test_that_caused_it(suite: Suite) -> None:
    """A background task may run while the next test does; its answer is a further one of its own test."""
    served(suite, "in_thread")
    suite.write(
        "test_chat.py",
        """
        import threading
        import openai
        from tests.support import chat_app

        begin, done = threading.Event(), threading.Event()

        @pytest.fixture(scope="session", autouse=True)
        def held():
            ask = chat_app.ChatApp._ask

            async def held(self, text):
                if text == "late":
                    import asyncio
                    await asyncio.to_thread(begin.wait, 60)
                try:
                    return await ask(self, "same")
                finally:
                    if text == "late":
                        done.set()

            chat_app.ChatApp._ask = held
            yield
            chat_app.ChatApp._ask = ask

        @pytest.mark.inference_recording
        def test_early(say):
            assert say("plain", "same")
            assert "soon" == say("in_task", "late")

        @pytest.mark.inference_recording
        def test_next(say, inference_session):
            begin.set()
            assert done.wait(60)
            assert say("plain", "same")
            assert 2 == sum(inference_session.counts.values())
        """,
    )

    suite.run("--inference-mode=record").assert_outcomes(passed=2)
    suite.run().assert_outcomes(passed=2)

    assert ["test_chat.py::test_early"] * 2 + ["test_chat.py::test_next"] == suite.test_ids()
    assert 3 == suite.server.count


def test_a_request_that_names_no_test_belongs_to_the_fixture_that_started_the_server(suite: Suite) -> None:
    """Not to the first test, which need not be the first in the next run."""
    served(suite, "in_process")
    suite.write("test_chat.py", TESTS.replace('f"{way} {text}")', 'f"{way} {text}", {})'))

    suite.run("--inference-mode=record", "-k", "0 or 1").assert_outcomes(passed=2, deselected=6)

    assert {"session@url"} == set(suite.test_ids())
    suite.run("-k", "0 or 1", "-p", "no:xdist").assert_outcomes(passed=2, deselected=6)


def test_a_server_with_a_session_of_its_own_forgets_during_which_test_it_was_started(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that pytest has set is inherited, and no later test changes it there."""
    served(suite, "in_process", ", own_session=True")
    tests = TESTS.replace("@pytest.mark.inference_recording\n", "\n")
    suite.write("test_chat.py", tests + "        say('plain', 'whose?', {})\n")
    monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "record")

    suite.run("-k", "0 or 1").assert_outcomes(passed=2, deselected=6)

    by_test = suite.test_ids()
    assert [None] * 2 + ["test_chat.py::test_it[0]"] * 9 + ["test_chat.py::test_it[1]"] * 9 == sorted(
        by_test, key=lambda test_id: test_id or ""
    )
