"""`inference-recorder check`: whether recordings can be read, found and committed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from inference_recorder.recording.answer import Streamed, Value
from inference_recorder.recording.body import typed
from inference_recorder.request.keys import KEY_VERSIONS

from .recorded import at_a_terminal, record, run, tool_call

TEST = "tests/test_a.py::test_b"
GONE = "tests/test_gone.py::test_b"
ATTACHED = Value(typed("attached", sha256(b"sound").hexdigest()))
CHUNKS = Streamed([b'{"__type__":"X","__data__":{}}', b'{"__type__":"X","__data'])


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings without findings, below the working directory."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def test_b(): ...")
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "recordings", TEST)
    record(tmp_path / "recordings", TEST, position=2)
    record(tmp_path / "recordings", TEST, question="A sound?", answer=ATTACHED, attachment=b"sound")
    return tmp_path / "recordings"


def checked(*options: str) -> tuple[int, Any]:
    done = run("check", "--json", *options)
    return done.exit_code, json.loads(done.stdout)


def test_good_recordings_give_no_findings(directory: Path) -> None:
    """A pre-commit hook must be without_rootdir if there is nothing to do."""
    code, report = checked()
    done = run("check", "--strict")

    assert (0, {"recordings": 3, "others": 0, "rules": {"exact": 3}, "findings": []}) == (code, report)
    assert (0, "") == (done.exit_code, done.stdout)
    assert "3 recordings\n0 errors, 0 notes\n" == done.stderr


def cut(directory: Path) -> Path:
    path = record(directory, TEST, question="Cut?")
    path.write_bytes(path.read_bytes()[:-9])
    return path


def cut_with_attachment(directory: Path) -> Path:
    path = unattached(directory)
    path.write_text("{")
    (path.parent / f"{path.stem}.{sha256(b'sound').hexdigest()[:16]}.bin").write_bytes(b"sound")
    return path


def unattached(directory: Path) -> Path:
    (beside,) = directory.glob("*.bin")
    beside.unlink()
    return directory / f"{beside.name.partition('.')[0]}.json"


def other_bytes(directory: Path) -> Path:
    (beside,) = directory.glob("*.bin")
    beside.write_bytes(b"noise")
    return directory / f"{beside.name.partition('.')[0]}.json"


def broken_tool_call(directory: Path) -> Path:
    path = tool_call(directory)
    path.write_text('{\n  "test_id": null,\n  "request": {},\n  "response": {"body": ')
    return path


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (cut, "its JSON breaks off or is malformed"),
        (lambda directory: record(directory, TEST, question="Chunks?", answer=CHUNKS), "malformed"),
        (cut_with_attachment, "its JSON breaks off or is malformed"),
        (unattached, ".bin is missing"),
        (other_bytes, ".bin has other content than was recorded"),
        (
            lambda directory: record(
                directory,
                TEST,
                question="?",
                answer=Value(typed("base64", "*")),
            ),
            "not base64",
        ),
        (broken_tool_call, "malformed"),
    ],
    ids=[
        "cut off",
        "a broken chunk",
        "cut off, attachment there",
        "attachment missing",
        "attachment changed",
        "base64",
        "not ours, and broken",
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(broken: Callable[[Path], Path], reason: str, directory: Path) -> None:
    """Replay would find it, one test at a time, and a broken chunk only when a test reads that far."""
    path = broken(directory)
    code, report = checked()

    (finding,) = report["findings"]
    assert (1, "unreadable", f"recordings/{path.name}", True) == (
        code,
        finding["kind"],
        finding["path"],
        finding["is_error"],
    )
    assert reason in finding["reason"]


def unnamed(directory: Path) -> Path:
    path = record(directory, TEST, question="Named?")
    return path.rename(directory / "conversation.json")


def with_gap(directory: Path) -> Path:
    return record(directory, TEST, position=4)


def without_first(directory: Path) -> Path:
    return record(directory, TEST, question="Third?", position=3)


def leftover(name: str) -> Callable[[Path], Path]:
    def make(directory: Path) -> Path:
        (directory / name).touch()
        return directory / name

    return make


@pytest.mark.parametrize(
    ("make", "kind", "reason"),
    [
        (lambda directory: record(directory, GONE), "orphan", "tests/test_gone.py does not exist"),
        (lambda directory: record(directory, "gone/@answer"), "orphan", "gone/ does not exist"),
        (unnamed, "name", "its name is not a key"),
        (with_gap, "gap", "its series has no answer 3: a replay repeats the one before"),
        (without_first, "gap", "its series has no answer 1, 2: a replay misses"),
        (lambda directory: record(directory, TEST, key="a" * 64), "no key version", "no key version gives its name"),
        (leftover(f"{'a' * 64}.{'b' * 16}.bin"), "attachment", f"{'a' * 64}.json does not exist, or does not name it"),
        (leftover(f".{'a' * 64}.tmp-{'0' * 16}.tmp"), "temporary", "half-written"),
    ],
    ids=[
        "orphan",
        "orphan of a fixture",
        "name",
        "gap",
        "gap at the start",
        "no key version",
        "attachment",
        "temporary",
    ],
)
def test_a_note_fails_only_with_strict(make: Callable[[Path], Path], kind: str, reason: str, directory: Path) -> None:
    """Notes do not stop a replay of the existing recordings."""
    path = make(directory)
    code, report = checked()

    (finding,) = report["findings"]
    assert (0, kind, f"recordings/{path.name}", False) == (code, finding["kind"], finding["path"], finding["is_error"])
    assert reason == finding["reason"]
    assert (0 if kind == "no key version" else 1) == checked("--strict")[0]


@pytest.mark.parametrize("generation", KEY_VERSIONS, ids=lambda one: one.name)
def test_names_are_counted_by_the_key_version_that_gives_them(generation: Any, tmp_path: Path) -> None:
    """They show how old recordings are; a version is not named if a newer one gives the same name."""
    question = "score: 0.5 document_id: 01234567-89ab-cdef-0123-456789abcdef 0.123456"
    body = {"extra_body": {"project_id": "p"}, "stream_options": {"include_usage": True}, "temperature": 0.123456}
    url = "https://bedrock.example/v1"
    record(tmp_path, "t", question=question, base_url=url, generation=generation, **body)
    report = json.loads(run("check", tmp_path, "--json").stdout)

    same_as_newer = {"G9": "G10", "G8": "G10", "G4": "G5"}
    assert {same_as_newer.get(generation.name, generation.name): 1} == report["rules"]
    assert ("found by keys of llama-stack's recorder: " in run("check", tmp_path).stderr) == (
        generation.name != "exact"
    )


def test_an_integer_beyond_64_bits_is_part_of_the_key(tmp_path: Path) -> None:
    """Read as a float, it would give another key."""
    record(tmp_path, "t", seed=2**70)

    assert {"exact": 1} == json.loads(run("check", tmp_path, "--json").stdout)["rules"]


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://[::1/v1"},
        {"url": 5},
        {"method": None},
        {"body": {"messages": None, "model": ["x"]}},
        {"body": {"a": json.loads("[" * 900 + "]" * 900)}},
        {"body": {"a": json.loads("[" * 900 + '"score: 1"' + "]" * 900)}},
        {"body": {"a": "\ud800"}},
        {"endpoint": "/v1/models"},
    ],
    ids=["url", "url's type", "method", "body", "depth", "depth of a score", "surrogate", "endpoint"],
)
@pytest.mark.parametrize("command", ["ls", "ls --stats", "check", "rename-test", "rm"])
def test_a_hostile_file_crashes_no_command(command: str, changes: dict[str, Any], tmp_path: Path) -> None:
    """A stranger's pull request must not stop the tool that looks at it."""
    path = record(tmp_path, TEST)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"request": document["request"] | changes}))
    names = (TEST, GONE) if command == "rename-test" else ()
    more = ("--rootdir", tmp_path) if command == "check" else ()
    arguments = (TEST, "--dry-run", "--dir", tmp_path) if command == "rm" else (*names, tmp_path, *more)

    assert run(*command.split(), *arguments).exit_code in (0, 1)
    assert 1 == len(list(tmp_path.glob("*.json")))


def test_a_wrong_working_directory_makes_no_orphans(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred wrong notes would hide a right one."""
    monkeypatch.chdir(directory)
    without_rootdir, with_rootdir = run("check", "."), run("check", ".", "--rootdir", ".")

    assert "" == without_rootdir.stdout
    assert "tests whose file is gone are not listed" in without_rootdir.stderr
    assert 3 == with_rootdir.stdout.count("tests/test_a.py does not exist")


def test_the_recordings_of_the_only_test_file_are_listed_once_it_is_renamed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No named file exists any more, but others where they were: the working directory is right."""
    monkeypatch.chdir(directory.parent)
    Path("tests/test_a.py").rename("tests/test_z.py")
    renamed = run("check")
    Path("tests/test_z.py").unlink()
    none_left = run("check")
    [advice] = re.findall(r"--\w+", none_left.stderr)

    assert 3 == renamed.stdout.count("tests/test_a.py does not exist")
    assert "are not listed" not in renamed.stderr
    assert "" == none_left.stdout
    assert renamed.stdout == run("check", advice, ".").stdout


@pytest.mark.parametrize(
    "test_id",
    [
        "tests/test_a.py::test_made_by_a_plugin",
        "tests/test_a.py::TestC::test_inherited",
        "tests/test_a.py@answer",
        "session@tests/answer",
        "an id of the user's own",
        "features/a.feature::scenario",
        None,
    ],
)
def test_a_test_that_its_file_does_not_name_is_not_an_orphan(test_id: str | None, directory: Path) -> None:
    """pytest-bdd, pytest-describe, absl and base classes make tests that no file names."""
    record(directory, test_id, question="Made?")

    assert [] == checked()[1]["findings"]


def test_calls_outside_the_sdk_are_counted_and_not_examined(directory: Path) -> None:
    """llama-stack's recorder also records calls of tools."""
    tool_call(directory, GONE)
    code, report = checked("--strict")

    assert (0, 3, 1, []) == (code, report["recordings"], report["others"], report["findings"])


def test_a_pipe_gets_one_finding_a_line(directory: Path) -> None:
    """`check | grep ^unreadable | cut -f3` has to work."""
    path = record(directory, GONE)

    expected = f"orphan\tnote\trecordings/{path.name}\t{GONE}\ttests/test_gone.py does not exist\n"
    assert expected == run("check").stdout


def test_a_terminal_gets_the_first_of_each_kind(directory: Path) -> None:
    """A hundred notes would otherwise scroll the one error away."""
    for number in range(12):
        record(directory, TEST, key=f"{number:064x}")
    cut(directory)
    code, shown = at_a_terminal("check", NO_COLOR="1")

    assert 1 == code
    assert "Cannot be read: 1" in shown
    assert "Found only by their name, which no key version gives: 12" in shown
    assert "… and 2 more (--all)" in shown
    assert shown.index("Cannot be read") < shown.index("Found only")
    assert "more" not in at_a_terminal("check", "--all", NO_COLOR="1")[1]


def test_a_secret_is_an_error_that_is_not_shown(directory: Path) -> None:
    """More people read a log than the file."""
    pytest.importorskip("inference_recorder.redaction.redactor", reason="redaction of secrets is not built yet")
    secret = "sk-proj-" + "Ab3dEf6hIj9kLmN0pQrS" * 3
    path = record(directory, TEST, question=f"My key is {secret}.")
    done = run("check")

    assert 1 == done.exit_code
    assert f"secret\terror\trecordings/{path.name}\t{TEST}\t" in done.stdout
    assert secret not in done.stdout + done.stderr
