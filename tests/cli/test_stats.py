"""`inference-recorder ls --stats`: how much was recorded, for what, and what was recorded twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference_recorder.recording.answer import ModelList, Streamed
from inference_recorder.request.keys import FOLDING

from .recorded import at_a_terminal, completion, record, run, tool_call


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    record(tmp_path, "a", answer=completion(tokens=(10, 1)))
    record(tmp_path, "b", answer=completion(tokens=(20, 2)))
    record(tmp_path, "b", question="And again.", model="gpt-4o-mini", answer=completion(tokens=(40, 4)))
    return tmp_path


def lines(done: str, kind: str) -> list[list[str]]:
    return [line.split("\t")[1:] for line in done.splitlines() if line.startswith(f"{kind}\t")]


def test_it_counts_by_endpoint_model_and_test(directory: Path) -> None:
    """Which test, and which model, costs most when everything is recorded again."""
    shown = run("ls", "--stats", directory).stdout
    contents = [path.read_bytes() for path in directory.glob("*.json")]
    sizes = {
        test: sum(len(content) for content in contents if b'"test_id": "%b"' % test.encode() in content)
        for test in "ab"
    }

    assert [["", "3", str(sizes["a"] + sizes["b"]), "70", "7"]] == lines(shown, "total")
    assert [["/v1/chat/completions", "3", str(sizes["a"] + sizes["b"]), "70", "7"]] == lines(shown, "endpoint")
    assert [["b", "2", str(sizes["b"]), "60", "6"], ["a", "1", str(sizes["a"]), "10", "1"]] == lines(shown, "test")
    assert [["gpt-4o", "2", "30", "3"], ["gpt-4o-mini", "1", "40", "4"]] == [
        [name, number, tokens_in, tokens_out] for name, number, _, tokens_in, tokens_out in lines(shown, "model")
    ]


@pytest.mark.parametrize(("text", "answers"), [("Hello!", 1), ("Good day!", 2)], ids=["same answer", "another answer"])
def test_a_request_of_several_tests_is_a_duplicate(text: str, answers: int, tmp_path: Path) -> None:
    """One file would be enough. Ids made from keys do not make two answers different."""
    first = record(tmp_path, "a")
    second = record(tmp_path, "b", answer=completion(text, key="")) if answers == 2 else record(tmp_path, "b")
    record(tmp_path, "b", position=2)
    record(tmp_path, "a", question="Only here.")

    (duplicate,) = json.loads(run("ls", "--stats", tmp_path, "--json").stdout)["duplicates"]
    assert ["a", "b"] == duplicate["tests"]
    assert answers == duplicate["different_answers"]
    assert {str(first), str(second)} < set(duplicate["paths"])
    assert 3 == len(duplicate["paths"])


def test_a_series_of_one_test_is_not_a_duplicate(tmp_path: Path) -> None:
    """Three equal requests need three answers."""
    for position in (1, 2, 3):
        record(tmp_path, "a", position=position)

    assert [] == lines(run("ls", "--stats", tmp_path).stdout, "duplicate")


def test_a_shared_recording_is_not_a_duplicate(tmp_path: Path) -> None:
    """A model list is one recording for all tests; the second file is another server's."""
    for test, name in (("a", "gpt-4o"), ("b", "llama")):
        model = b'{"__type__":"openai.types.model.Model","__data__":{"id":"%b"}}' % name.encode()
        path = record(tmp_path, test, endpoint="/v1/models", answer=ModelList([model]), generation=FOLDING[0])
        path.rename(path.with_name(path.name.replace("0badcafe", f"{len(name):08x}")))

    assert "2" == lines(run("ls", "--stats", tmp_path).stdout, "total")[0][1]
    assert [] == lines(run("ls", "--stats", tmp_path).stdout, "duplicate")


def test_options_choose_what_is_counted(directory: Path) -> None:
    """A total of one model or one test answers most questions."""
    assert "40" == lines(run("ls", "--stats", directory, "--model", "*mini").stdout, "total")[0][3]


def test_statistics_apply_the_size_filter_to_unreadable_files(directory: Path) -> None:
    """An unreadable file that the options leave out must not look like a gap in the figures."""
    (directory / f"{'a' * 64}.json").write_text("{")

    assert 1 == len(json.loads(run("ls", "--stats", directory, "--json", "--model", "gpt").stdout)["corrupt"])
    assert [] == json.loads(run("ls", "--stats", directory, "--json", "--larger-than", "100").stdout)["corrupt"]


@pytest.mark.parametrize("option", ["--failed", "--reverse", "--sort=size"])
def test_options_of_the_list_are_refused_with_stats(option: str, directory: Path) -> None:
    """Statistics of everything would be taken for those of the failures."""
    done = run("ls", "--stats", directory, option)

    assert (2, "") == (done.exit_code, done.stdout)
    assert "do not go with --stats" in done.stderr


def test_uncounted_files_are_named(directory: Path) -> None:
    """A total that silently leaves something out is wrong."""
    tool_call(directory)
    broken = directory / f"{'a' * 64}.json"
    broken.write_text("{")
    chunks = record(directory, "c", answer=Streamed([b'{"usage":']))
    done = run("ls", "--stats", directory, "--json")

    counted = json.loads(done.stdout)
    assert (3, 1) == (counted["total"]["number"], counted["others"])
    assert {str(broken), str(chunks)} == set(counted["corrupt"])
    assert "2 files that cannot be read" in done.stderr


def test_a_terminal_gets_the_first_lines_of_each_table(tmp_path: Path) -> None:
    """Nobody scrolls through a thousand tests to see the totals."""
    for number in range(20):
        record(tmp_path, f"tests/test_a.py::test_{number}")
    short, long = at_a_terminal("ls", "--stats", tmp_path)[1], at_a_terminal("ls", "--stats", tmp_path, "--all")[1]

    assert "… and 5 more (--all)" in short
    assert "more" not in long
    assert "20 recordings, " in short
    assert "60 tokens in, 40 tokens out; 1 request recorded by several tests" in short
