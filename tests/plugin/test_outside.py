"""Calls of the SDK outside every session are named, or refused."""

from __future__ import annotations

import pytest

from .conftest import Suite, line_of

FORGOT = """
    import httpx
    from openai import OpenAI

    def test_forgot(): ask(); ask()

    async def test_forgot_async(): await ask_async()

    @pytest.mark.inference_recording
    def test_marked(): ask()

    def test_in_code():
        with inference_recording("live"):
            ask()

    def test_mocked():
        import sys, openai
        from ask import question

        library = sys.modules.get("httpx2", httpx)
        transport = library.MockTransport(lambda request: library.Response(200, json={}))
        with openai.OpenAI(api_key="x", http_client=openai.DefaultHttpxClient(transport=transport)) as client:
            client.chat.completions.create(**question("Hi."))

    def test_of_a_tool():
        import os
        assert httpx.get(os.environ["SERVER"]).status_code
"""
FIRST_LINES = ["  3 live calls outside a session:", "    test_it.py::test_forgot has no marker: 2"]


def test_the_summary_names_the_tests(suite: Suite) -> None:
    """A forgotten marker costs money in every run, and nothing looks different."""
    suite.write("test_it.py", FORGOT)
    suite.write("conftest.py", "")

    both = suite.run("-o", "asyncio_mode=auto", "--inference-mode=record-if-missing")
    one = suite.run("-k", "test_forgot and not async", "--inference-strict")

    both.assert_outcomes(passed=6)
    both.stdout.fnmatch_lines([*FIRST_LINES, "    test_it.py::test_forgot_async has no marker: 1"], consecutive=True)
    assert "  2 live calls outside a session: test_it.py::test_forgot has no marker" in one.outlines
    one.stdout.fnmatch_lines(["*exit status 1, by --inference-strict: 2 calls outside a session"])
    assert 1 == one.ret
    assert 8 == suite.server.count


@pytest.mark.parametrize("configured", [True, False])
def test_it_may_be_said_that_they_are_allowed(configured: bool, suite: Suite) -> None:
    """Some suites test the real API, beside those that replay; a live run is live."""
    suite.write("test_it.py", "def test_it(): ask()\n@pytest.mark.inference_recording('live')\ndef test_live(): ask()")
    suite.configure('unmarked = "allow"' if configured else 'unmarked = "error"')

    result = suite.run() if configured else suite.run("--inference-mode=live")

    result.assert_outcomes(passed=2)
    assert "outside a session" not in str(result.stdout)


def test_following_the_advice_of_a_refusal_replays(suite: Suite) -> None:
    """With "error", no test of a suite spends money unseen."""
    suite.write("test_it.py", "def test_forgot(): ask()\nasync def test_async(): await ask_async()")
    suite.configure('unmarked = "error"')

    refused = suite.run("-o", "asyncio_mode=auto")

    refused.assert_outcomes(failed=2)
    assert 0 == suite.server.count
    refused.stdout.fnmatch_lines(["E*LiveCallBlocked: Live call to 127.0.0.1:* refused; nothing was sent"])
    refused.stdout.fnmatch_lines(["E*test: test_it.py::test_forgot", "E*called by: ask.py:* in ask"])
    marker = next(line.split()[-1] for line in refused.outlines if "@pytest.mark" in line)
    suite.write("test_it.py", f"{marker}\ndef test_forgot(): ask()")
    suite.run("--inference-mode=record-if-missing").assert_outcomes(passed=1)
    suite.run().assert_outcomes(passed=1)
    assert 1 == suite.server.count


def test_a_refusal_that_the_code_under_test_caught_is_named(suite: Suite) -> None:
    """Applications have a fallback for a model that cannot be reached, and the test passes."""
    suite.write(
        "test_it.py",
        """
        import socket

        def test_caught():
            try:
                ask()
            except Exception:
                pass

        @pytest.mark.inference_recording(block_network=True, allow_misses=True)
        def test_blocked():
            try:
                socket.create_connection(("192.0.2.1", 81), timeout=0.05)
            except Exception:
                pass
        """,
    )

    result = suite.run("--inference-unmarked=error", "--inference-strict")

    result.assert_outcomes(passed=2)
    assert "  1 call refused outside a session: test_it.py::test_caught has no marker" in result.outlines
    assert "    test_it.py::test_blocked: 1 x 192.0.2.1" in result.outlines
    result.stdout.fnmatch_lines(["*--inference-strict: 1 call refused outside a session, 1 call missed"])
    assert (1, 0) == (result.ret, suite.server.count)


def test_a_call_of_a_thread_that_an_earlier_test_left_accuses_no_other(suite: Suite) -> None:
    """A test that makes no call must not be asked for a marker."""
    suite.write(
        "test_it.py",
        """
        import threading

        over = threading.Event()
        thread = threading.Thread(target=lambda: over.wait() and ask())

        @pytest.mark.inference_recording
        def test_starts(): thread.start()

        def test_makes_no_call():
            over.set()
            thread.join()
        """,
    )

    result = suite.run()

    clause = "test_it.py::test_makes_no_call has no marker, or a thread that ran on after test_it.py::test_starts"
    assert f"  1 live call outside a session: {clause}" in result.outlines


def test_a_blocked_connection_that_the_code_under_test_caught_is_named(suite: Suite) -> None:
    """Without a session nothing else tells; the line says how to let it through."""
    suite.write(
        "test_it.py",
        """
        import socket
        from contextlib import suppress

        def test_caught():
            for _ in range(2):
                with suppress(Exception):
                    socket.create_connection(("192.0.2.1", 81), timeout=0.05)
        """,
    )

    blocked = suite.run("--inference-block-network", "--inference-strict")
    advice = line_of(blocked, "    allow_hosts").strip().partition(" in ")[0]
    suite.configure(advice)
    allowed = suite.run("--inference-block-network", "--inference-strict")

    blocked.assert_outcomes(passed=1)
    named = ["  refused outside a session, by block_network:", "    test_it.py::test_caught: 2 x 192.0.2.1"]
    blocked.stdout.fnmatch_lines(named, consecutive=True)
    blocked.stdout.fnmatch_lines(["*--inference-strict: 2 connections refused outside a session"])
    allowed.assert_outcomes(passed=1)
    assert (1, 0, False) == (blocked.ret, allowed.ret, "refused" in str(allowed.stdout))


def test_the_option_precedes_the_configuration(suite: Suite) -> None:
    """A host that is allowed is called all the same."""
    suite.write("test_it.py", "def test_it(): ask()")
    suite.configure('unmarked = "allow"', 'allow_hosts = ["localhost"]')

    suite.run("--inference-unmarked=error").assert_outcomes(failed=1)
    suite.configure('allow_hosts = ["127.*"]')
    suite.run("--inference-unmarked=error").assert_outcomes(passed=1)


@pytest.mark.slow
def test_workers_report_what_they_saw_and_a_late_import_is_noticed(suite: Suite) -> None:
    """Applications often import the SDK where they first use it."""
    late = "def test_{}():\n    from ask import ask\n    ask()\n"
    (suite.directory / "test_it.py").write_text(late.format("late") + late.format("later"))

    alone, workers = suite.run_apart(), suite.run_apart("-n", "2")

    for result in (alone, workers):
        result.assert_outcomes(passed=2)
        assert "  2 live calls outside a session:" == line_of(result, "  2 live")
    assert 4 == suite.server.count


@pytest.mark.slow
def test_a_run_without_the_sdk_imports_nothing_for_it(suite: Suite) -> None:
    """Every suite of an environment that has us installed pays for what the plugin imports."""
    (suite.directory / "test_it.py").write_text(
        "import sys, socket\n"
        "def test_it():\n"
        "    assert not {'wrapt', 'openai', 'inference_recorder.guard'} & set(sys.modules)\n"
        "    assert 'connect' not in vars(socket.socket)\n"
    )

    suite.run_apart("-p", "no:asyncio", "-p", "no:anyio").assert_outcomes(passed=1)
