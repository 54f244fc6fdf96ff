"""`inference-recorder report`: the page of a directory, and the output of the command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from inference_recorder.cli.main import main
from inference_recorder.views import report as page
from inference_recorder.views.report import page as page_module

from ..conftest import SHARED
from ..unit.views.report.example import AGENT, Example, chat_answer, travel_agency

CORPUS = SHARED / "corpus"
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def page_data(file: Path) -> dict[str, Any]:
    """Return the data of a page."""
    script = re.search(r'<script type="application/json" id="data">(.*?)</script>', file.read_text(encoding="utf-8"))
    assert script
    data: dict[str, Any] = json.loads(script.group(1))
    return data


def test_it_writes_every_recording_and_prints_the_number(tmp_path: Path) -> None:
    """The line shows that the right directory was read."""
    travel_agency(tmp_path / "recordings")
    file = tmp_path / "new" / "page.html"
    result = report(tmp_path / "recordings", "-o", file)

    assert 0 == result.exit_code, result.output
    assert re.fullmatch(rf"{re.escape(str(file))}: 7 recordings, \d+\.\d kB, written in \d+\.\d s\n", result.output)
    data = page_data(file)
    assert ["stored"] * 7 == [call["outcome"] for call in data["calls"]]
    assert [2, 4] == [
        len(data["recordings"][call["recording"]]["asked"]) for call in data["calls"] if call["test"] == AGENT
    ]
    assert [] == list(tmp_path.glob("new/.*"))


def test_repeated_messages_are_on_the_page_once(tmp_path: Path) -> None:
    """An agent sends its whole history with every call: the page of a hundred calls would grow by their square."""
    run = Example(tmp_path / "recordings")
    messages = [{"role": "user", "content": f"{position} {'x' * 1000}"} for position in range(40)]
    for position in range(40):
        body = {"model": "m", "messages": messages[: position + 1]}
        run.call("t.py::t", "/v1/chat/completions", body, chat_answer("ok", (1, 1)))
    file = tmp_path / "page.html"
    report(run.directory, "-o", file)

    assert 41 == len(page_data(file)["turns"])


def test_a_page_that_would_be_too_large_cuts_its_texts_shorter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that hangs shows nothing at all; the page says how long a text it shows."""
    monkeypatch.setattr(page_module, "_LARGEST_PAGE", 50_000)
    run = Example(tmp_path / "recordings")
    for position in range(10):
        body = {"model": "m", "messages": [{"role": "user", "content": f"{position}" * 9000}]}
        run.call(f"t.py::t{position}", "/v1/chat/completions", body, chat_answer("ok", (1, 1)))
    file = tmp_path / "page.html"
    page.write(file, [run.directory], [], [])

    data = page_data(file)
    assert 2000 == data["longest"]
    assert {9000} == {turn[2][0][4] for turn in data["turns"] if turn[0] == "user"}


def test_a_file_that_cannot_be_read_is_on_the_page(tmp_path: Path) -> None:
    """One corrupt file of a thousand must neither cost the page nor be left out of it."""
    run = Example(tmp_path)
    run.call("t.py::t", "/v1/chat/completions", BODY, chat_answer("ok", (1, 1)))
    (tmp_path / "broken.json").write_text("{")
    file = tmp_path / "page.html"
    result = report(tmp_path, "-o", file)

    assert 0 == result.exit_code
    data = page_data(file)
    (broken,) = [call for call in data["calls"] if call["outcome"] == "unreadable"]
    assert "is not a readable recording" in data["recordings"][broken["recording"]]["problem"]


def test_calls_share_a_recording_and_a_lost_one_is_named(tmp_path: Path) -> None:
    """One file may have answered many calls; another may be gone by the end of the run."""
    run = Example(tmp_path / "recordings")
    run.call("t.py::t", "/v1/chat/completions", BODY, chat_answer("ok", (1, 1)), seconds=float("nan"))
    passed = {"outcome": "passed", "test_id": None, "endpoint": "/v1/files", "model": "", "key": "", "path": None}
    lost = {**run.calls[0], "path": tmp_path / "gone.json"}
    past_the_sdk = {"outcome": "live", "test_id": None, "endpoint": "/v1/messages", "host": "api.anthropic.com"}
    calls = [*run.calls, *run.calls, passed, lost, past_the_sdk]
    page.write(tmp_path / "page.html", [run.directory], calls, [])

    data = page_data(tmp_path / "page.html")
    assert [0, 0, -1, 1, -1] == [call["recording"] for call in data["calls"]]
    assert "it does not exist" in data["recordings"][1]["problem"]
    assert "seconds" not in data["calls"][0]
    assert "api.anthropic.com/v1/messages" == data["calls"][-1]["endpoint"]


def test_no_text_of_a_recording_is_markup_on_the_page(tmp_path: Path) -> None:
    """No script runs, and a scanner that reads the file finds only our own tags."""
    run = Example(tmp_path / "recordings")
    hostile = "</script><!-- <script>&lt;\u2028\u2029 <!--SCRIPT-->"
    body = {"model": hostile, "messages": [{"role": "user", "content": hostile}]}
    run.call(hostile, "/v1/chat/completions", body, chat_answer(hostile, (1, 1)))
    file = tmp_path / "page.html"
    report(run.directory, "-o", file)

    text = file.read_text(encoding="utf-8")
    assert (2, 2, 0) == (text.count("<script"), text.count("</script>"), text.count("<!--"))
    assert not {"\u2028", "\u2029"} & set(text)
    assert hostile == page_data(file)["calls"][0]["test"]


def test_a_directory_without_recordings_is_refused(tmp_path: Path) -> None:
    """An empty page would say that all is well."""
    result = report(tmp_path, "-o", tmp_path / "page.html")

    assert 2 == result.exit_code
    assert "has no recordings" in result.output
    assert not (tmp_path / "page.html").exists()


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The last line of a CI job, which nobody reads unless it fails."""
    run = Example(tmp_path / "recordings")
    run.call("t.py::t", "/v1/chat/completions", BODY, chat_answer("ok", (1, 1)))
    (tmp_path / "file").touch()
    result = report(run.directory, "-o", tmp_path / "file" / "page.html")

    assert 1 == result.exit_code
    assert "cannot write" in result.output


def test_several_directories_are_on_one_page(tmp_path: Path) -> None:
    """A suite may have recordings beside each directory of tests."""
    for name in ("a", "b"):
        Example(tmp_path / name).call(f"{name}.py::t", "/v1/chat/completions", BODY, chat_answer("ok", (1, 1)))
    file = tmp_path / "page.html"
    result = report(tmp_path / "a", tmp_path / "b", "-o", file)

    assert (0, ["a.py::t", "b.py::t"]) == (result.exit_code, [call["test"] for call in page_data(file)["calls"]])


def test_a_page_of_one_test_shows_its_calls_in_their_order(tmp_path: Path) -> None:
    """A page of a thousand recordings is not for a pull request that changes one test."""
    travel_agency(tmp_path / "recordings")
    file = tmp_path / "page.html"
    result = report(tmp_path / "recordings", AGENT, "-o", file)
    unknown = report(tmp_path / "recordings", f"{AGENT}s", "-o", tmp_path / "none.html")

    data = page_data(file)
    assert f"{file}: 2 recordings" in result.output
    assert [("stored", AGENT)] * 2 == [(call["outcome"], call["test"]) for call in data["calls"]]
    assert [2, 4] == [len(data["recordings"][call["recording"]]["asked"]) for call in data["calls"]]
    assert (2, True, False) == (unknown.exit_code, f"  {AGENT}\n" in unknown.output, (tmp_path / "none.html").exists())


@pytest.mark.skipif(not CORPUS.is_dir(), reason="needs ../shared/corpus, which is not part of the project")
def test_a_directory_of_directories_stands_for_those_below(tmp_path: Path) -> None:
    """llama-stack keeps recordings beside each directory of tests."""
    result = report(CORPUS, "-o", tmp_path / "page.html")

    assert 0 == result.exit_code, result.output
    assert 253 == len(page_data(tmp_path / "page.html")["calls"])
