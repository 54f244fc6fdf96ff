"""`--inference-report`: what the page gets of a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Suite

SUITE = """
    @pytest.mark.inference_recording(redact=["Bert Brown"])
    def test_missed(): ask("Who is Bert Brown?", temperature=0)

    def test_passed(inference_session): ask("recorded")

    def test_skipped(inference_session):
        ask("recorded")
        pytest.skip()

    @pytest.mark.xfail
    def test_xfailed(inference_session):
        ask("recorded")
        assert False

    def test_fails_at_its_end(inference_session, request):
        ask("recorded")
        request.addfinalizer(lambda: 1 / 0)
"""


def page_data(suite: Suite) -> dict[str, Any]:
    page = (suite.directory / "page.html").read_text()
    data: dict[str, Any] = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    return data


@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["here", "xdist"])
def test_the_page_knows_how_tests_ended_and_what_a_missed_call_asked(suite: Suite, workers: tuple[str, ...]) -> None:
    """After a red run one looks for the failed tests, and for the request that had no recording."""
    suite.write("test_it.py", SUITE)
    suite.run("--inference-mode=record", "--inference-keep-failed", "-k", "not missed")

    suite.run("--inference-report=page.html", *workers)

    data = page_data(suite)
    assert {
        "test_it.py::test_missed": ("missed", "failed"),
        "test_it.py::test_passed": ("replayed", "passed"),
        "test_it.py::test_skipped": ("replayed", "skipped"),
        "test_it.py::test_xfailed": ("replayed", "xfailed"),
        "test_it.py::test_fails_at_its_end": ("replayed", "failed"),
    } == {call["test"]: (call["outcome"], call["result"]) for call in data["calls"]}
    [request] = [call["request"] for call in data["calls"] if "request" in call]
    [[role, _, [[kind, text]]]] = [data["turns"][index] for index in request["asked"]]
    assert ("user", "text", {"temperature": "0"}) == (role, kind, request["settings"])
    assert text.startswith("Who is ")
    assert text.endswith("?")
    assert "Bert Brown" not in (suite.directory / "page.html").read_text()
