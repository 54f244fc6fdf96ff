"""`inference-recorder ls`: what was recorded."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from inference_recorder.recording.answer import Answer, Failed, Failure, Streamed, Value
from inference_recorder.recording.body import typed

from .recorded import completion, record, run, tool_call

CHUNK = b'{"__type__":"openai.types.chat.chat_completion_chunk.ChatCompletionChunk","__data__":{"choices":[]}}'
NAMES = (b"test_b[x]", b"test_d", b"test_f")
EMBEDDING = typed("openai.types.create_embedding_response.CreateEmbeddingResponse", {"data": []})


def listed(directory: Path, *options: str) -> list[str]:
    """Return the test ids of the calls in their order."""
    done = run("ls", "--long", directory, *options)
    assert 0 == done.exit_code, done.stderr
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    record(tmp_path, "tests/test_a.py::test_b[x]", answer=completion("long " * 1000))
    record(tmp_path, "tests/test_c.py::test_d", model="gpt-4o-mini", answer=Streamed([CHUNK]))
    path = record(
        tmp_path, "tests/test_e.py::test_f", model="embed", endpoint="/v1/embeddings", answer=Value(EMBEDDING)
    )
    os.utime(path, (time.time() - 40 * 86400,) * 2)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "bdf"),
        (("--test", "test_a.py"), "b"),
        (("--test", "b[x]"), "b"),
        (("--test", "*::test_?[x]"), "b"),
        (("--test", "test_*"), ""),
        (("--model", "gpt-4o"), "bd"),
        (("--model", "gpt-4o*", "--endpoint", "chat"), "bd"),
        (("--endpoint", "embeddings"), "f"),
        (("--older-than", "30d"), "f"),
        (("--newer-than", "1w"), "bd"),
        (("--larger-than", "2k"), "b"),
        (("--sort", "size"), "bfd"),
        (("--sort", "model"), "fbd"),
        (("--sort", "endpoint", "--reverse"), "fdb"),
        (("--sort", "age"), "dbf"),
    ],
    ids=" ".join,
)
def test_options_choose_and_order(options: tuple[str, ...], expected: str, directory: Path) -> None:
    """A directory has hundreds of files with meaningless names."""
    os.utime(next(path for path in directory.glob("*.json") if b"test_b" in path.read_bytes()), (time.time() - 9,) * 2)

    assert expected == "".join(test_id.partition("::test_")[2][0] for test_id in listed(directory, *options))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (completion(), "whole"),
        (Streamed([CHUNK]), "stream"),
        (Streamed([CHUNK], is_complete=False), "stream, left early"),
        (Failed(Failure("NotFoundError", "no such model", 404)), "whole, failed"),
        (Streamed([CHUNK], failure=Failure("APIError", "broke")), "stream, failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_line_shows_the_kind_of_answer(answer: Answer, expected: str, tmp_path: Path) -> None:
    """A failure recorded by mistake is a common surprise."""
    record(tmp_path, answer=answer)

    assert expected == run("ls", "--long", tmp_path).stdout.split("\t")[3]
    assert ("failed" in expected) == bool(listed(tmp_path, "--failed"))


def test_json_holds_the_fields_that_the_help_names(tmp_path: Path) -> None:
    """Scripts are written from the help."""
    path = record(tmp_path, "tests/test_a.py::test_b", position=2)
    os.utime(path, (1_700_000_000,) * 2)
    tool_call(tmp_path)
    (tmp_path / f"{'0' * 64}.json").write_text('{"request": ')

    by_kind = {listed["kind"]: listed for listed in json.loads(run("ls", tmp_path, "--json").stdout)}
    corrupt, other, recording = (by_kind[kind] for kind in ("corrupt", "other", "recording"))
    assert {
        "path": str(path),
        "kind": "recording",
        "reason": None,
        "test_id": "tests/test_a.py::test_b",
        "endpoint": "/v1/chat/completions",
        "model": "gpt-4o",
        "key": path.name.partition(".")[0],
        "position": 2,
        "is_streaming": False,
        "is_complete": True,
        "is_failed": False,
        "size": path.stat().st_size,
        "modified": "2023-11-14T22:13:20+00:00",
    } == recording
    assert ("other", "tests/test_a.py::test_b", None) == (other["kind"], other["test_id"], other["endpoint"])
    assert ("corrupt", None) == (corrupt["kind"], corrupt["test_id"])
    assert "its JSON breaks off" in corrupt["reason"]
    assert all(name in run("ls", "--help").output for name in recording)


def test_a_file_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    """One half-merged file must not hide a thousand others. It has no test, so filters leave it out."""
    record(tmp_path, "t")
    broken = record(tmp_path, "broken")
    broken.write_bytes(broken.read_bytes()[:-40])
    (tmp_path / f"{'a' * 64}.json").write_bytes(b"\xff\xfe")
    (tmp_path / f"{'b' * 64}.json").symlink_to("nowhere")
    (tmp_path / f"{'c' * 64}.json").mkdir()
    (tmp_path / f"{'d' * 64}.json").write_text("[" * 100_000)

    assert ["(cannot be read)\t4", "broken\t1", "t\t1"] == [
        "\t".join(line.split("\t")[:2]) for line in run("ls", tmp_path).stdout.splitlines()
    ]
    done = run("ls", "--long", tmp_path)
    answers = [line.split("\t")[3] for line in done.stdout.splitlines()]
    assert (0, 6) == (done.exit_code, len(answers))
    assert 5 == sum(answer.startswith("unreadable: ") for answer in answers)
    assert "5 cannot be read" in done.stderr
    assert ["t"] == listed(tmp_path, "--test", "t", "--model", "gpt", "--larger-than", "1")[:1]


def test_control_characters_of_a_test_id_are_escaped(tmp_path: Path) -> None:
    """A stranger may have written the file."""
    record(tmp_path, "tests/test_a.py::test_b[\x1b]0;owned\x07\n]")

    assert "tests/test_a.py::test_b[\\u001b]0;owned\\u0007\\n]" == run("ls", tmp_path).stdout.split("\t")[0]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--older-than", "soon", "'soon' must be a number and a unit"),
        ("--larger-than", "10 apples", "'10 apples' must be a number and a unit"),
        ("--sort", "beauty", ""),
    ],
)
def test_a_wrong_option_is_refused(option: str, value: str, message: str, tmp_path: Path) -> None:
    """People would believe a list of everything."""
    done = run("ls", tmp_path, option, value)

    assert (2, "") == (done.exit_code, done.stdout)
    assert message in done.stderr


def test_each_test_is_a_line(directory: Path) -> None:
    """What people look for is a test; the names of its files say nothing."""
    failed = record(
        directory, "tests/test_c.py::test_d", model="o3", answer=Failed(Failure("NotFoundError", "no", 404))
    )
    os.utime(failed, (1_700_000_000,) * 2)
    sizes = [
        sum(path.stat().st_size for path in directory.glob("*.json") if name in path.read_bytes()) for name in NAMES
    ]
    lines = [line.split("\t") for line in run("ls", directory).stdout.splitlines()]
    by_size = [line.split("\t")[0] for line in run("ls", directory, "--sort", "size").stdout.splitlines()]

    assert [
        ["tests/test_a.py::test_b[x]", "1", "0", "gpt-4o", str(sizes[0])],
        ["tests/test_c.py::test_d", "2", "1", "gpt-4o-mini, o3", str(sizes[1])],
        ["tests/test_e.py::test_f", "1", "0", "embed", str(sizes[2])],
    ] == [line[:5] for line in lines]
    assert lines[1][5] > "2026"
    assert ["b[x]", "d", "f"] == [name.partition("::test_")[2] for name in by_size]
    assert [lines[1][0]] == [line.split("\t")[0] for line in run("ls", directory, "--failed").stdout.splitlines()]
    assert "--sort key needs --long" in run("ls", directory, "--sort", "key").stderr
    assert 0 == run("ls", directory, "--sort", "key", "--long").exit_code


def test_the_calls_of_a_named_test_are_listed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The id is what pytest prints; a directory that holds tests and no recordings is an id too."""
    monkeypatch.chdir(directory)
    directory.joinpath("tests").mkdir()
    directory.joinpath("tests/test_a.py").touch()
    calls = [
        run("ls", ".", name).stdout.splitlines() for name in ("tests/test_a.py::test_b", "tests/test_c.py::test_d")
    ]
    file, tests = (run("ls", name, ".").stdout.splitlines() for name in ("tests/test_a.py", "tests"))
    unknown = run("ls", "tests/test_a.py::test_c", ".")

    assert [["whole"], ["stream"]] == [[line.split("\t")[3] for line in lines] for lines in calls]
    assert (["1"], ["1", "1", "1"]) == tuple([line.split("\t")[1] for line in lines] for lines in (file, tests))
    assert 1 == json.loads(run("ls", "--stats", "--json", "tests/test_a.py", ".").stdout)["total"]["number"]
    assert (2, True) == (unknown.exit_code, "  tests/test_a.py::test_b\n" in unknown.stderr)
