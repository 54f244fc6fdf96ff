"""What the run says of calls past the SDK, and the options that go with it."""

from __future__ import annotations

import pytest

from ..robustness.model_hosts import resolved_to_loopback
from .conftest import Suite, line_of

HOST = "api.mistral.ai"
CALL = """
    import os
    import httpx

    def call(host="api.mistral.ai"):
        url = os.environ["SERVER"].replace("127.0.0.1", host)
        with httpx.Client(verify=False) as client:
            return client.post(f"{url}/moderations", json={}).status_code
"""


@pytest.fixture(autouse=True)
def _hosts(suite: Suite) -> object:
    suite.write("call.py", CALL)
    with resolved_to_loopback(HOST, "tool.example.org"):
        yield


def test_the_summary_names_test_and_host(suite: Suite) -> None:
    """Nothing goes live unseen; a refusal that the code under test caught fails its test, as any miss does."""
    suite.write(
        "test_it.py",
        """
        from call import call

        @pytest.mark.inference_recording
        def test_it():
            ask()
            call()
            call()

        @pytest.mark.inference_recording(allow_hosts=["api.mistral.ai"])
        def test_allowed():
            call()

        @pytest.mark.inference_recording
        def test_caught():
            try:
                call()
            except Exception:
                pass
        """,
    )

    recorded = suite.run("--inference-mode=record-if-missing")
    replayed = suite.run()
    line = f'    {HOST}: refused, past the SDK; allow_hosts=["{HOST}"] lets calls through'
    assert line in replayed.outlines

    recorded.assert_outcomes(passed=3)
    assert "recordings: 0 replayed, 1 recorded, 0 missed, 3 live, 0 unused" == line_of(recorded, "recordings:")
    recorded.stdout.fnmatch_lines(
        ["  live, past the SDK:", f"    test_it.py::test_it: 2 x {HOST}", f"    test_it.py::test_caught: 1 x {HOST}"],
        consecutive=True,
    )
    replayed.assert_outcomes(passed=2, failed=1, errors=1)
    replayed.stdout.fnmatch_lines(["E*LiveCallBlocked: Live call to api.mistral.ai:* refused; nothing was sent"])
    replayed.stdout.fnmatch_lines(["E*called by: call.py:* in call", 'E*allow_hosts=[[]"api.mistral.ai"[]]'])
    replayed.stdout.fnmatch_lines(
        ["*had no recording, and the code under test went on*", "*Live call to api.mistral.ai*"]
    )
    replayed.stdout.fnmatch_lines(
        ["  missed:", f"    test_it.py::test_it: 1 x {HOST}", f"    test_it.py::test_caught: 1 x {HOST}"],
        consecutive=True,
    )
    assert 6 == suite.server.count


def test_a_test_whose_sdk_raises_its_own_error_shows_the_refusal_last(suite: Suite) -> None:
    """SDKs wrap what their connection raises, and print a traceback of hundreds of lines."""
    suite.write(
        "test_it.py",
        """
        from call import call

        @pytest.mark.inference_recording
        def test_it():
            try:
                call()
            except Exception as error:
                raise ConnectionError("of another SDK") from error
        """,
    )

    result = suite.run()
    advice = line_of(result, f"    {HOST}: refused, past the SDK; ").partition("; ")[2].partition(" lets")[0]
    suite.configure(advice.replace("=", " = "))
    allowed = suite.run()

    result.assert_outcomes(failed=1)
    section = [line for line in result.outlines if "- recordings -" in line]
    result.stdout.fnmatch_lines(
        ["E *ConnectionError: of another SDK", *section, "Live call to * refused; nothing was sent"]
    )
    assert 1 == len(section)
    allowed.assert_outcomes(passed=1)
