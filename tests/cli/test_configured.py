"""Commands use the configuration of the project that they are run in."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from inference_recorder import inference_recording

from ..conftest import Colour
from ..support.directories import contents_of
from ..support.openai_server import OpenAIServer
from .recorded import completion, record, run

ONE, OTHER = (f"123e4567-e89b-12d3-a456-4266141740{number}" for number in (10, 22))
SECRET = "ticket-7314-alpha"
PATTERN = r"ticket-\d{4}-\w+"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project; the command is run in its tests."""
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path / "tests")
    return tmp_path


def configure(project: Path) -> None:
    (project / "pyproject.toml").write_text(f"[tool.inference_recorder]\nredact = ['{PATTERN}']\nnormalize = ['uuids']")


def test_rekey_takes_the_configured_normalizers(project: Path, sdk: Colour, server: OpenAIServer) -> None:
    """One line in a file, one command, and a suite is found under the new rule."""
    directory = project / "recordings"
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"Look up {ONE}."}]}
    with inference_recording("record", directory):
        sdk.call("chat.completions.create", **asked)
    configure(project)

    done = run("rekey", directory)

    assert 0 == done.exit_code
    assert "1 of 1 recording renamed; normalizers: uuids" in done.stderr
    asked["messages"] = [{"role": "user", "content": f"Look up {OTHER}."}]
    with inference_recording("replay", directory, normalize=["uuids"]) as session:
        sdk.call("chat.completions.create", **asked)
    assert {"replayed": 1} == session.counts


@pytest.mark.parametrize("command", ["scan", "check"])
def test_what_a_configured_pattern_finds_is_reported(command: str, project: Path) -> None:
    """The hook finds what was recorded before the pattern was written."""
    path = record(project / "recordings", question=f"Close {SECRET}")

    before = run(command, "--json", path.parent)
    configure(project)
    after = run(command, "--json", path.parent)

    assert [0, 1] == [before.exit_code, after.exit_code]
    assert path.name in after.stdout
    assert SECRET not in after.stdout


@pytest.mark.parametrize("command", ["scan", "check"])
def test_what_the_sdk_prescribes_is_not_a_leak(command: str, project: Path, sdk: Colour) -> None:
    """A recorder leaves such words in place, so the hook would always fail."""
    directory = project / "recordings"
    (project / "pyproject.toml").write_text('[tool.inference_recorder]\nredact = ["stop", "created", "assistant"]')
    with inference_recording("record", directory):
        sdk.call("chat.completions.create", model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])

    assert 0 == run(command, directory).exit_code


@pytest.mark.parametrize("command", ["scan", "check"])
def test_a_configured_variable_is_reported(command: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name WIKI_LOGIN does not look like a secret's, and SORT_KEY does."""
    path = record(project / "recordings", question="Sign in as bert, sort by last-name-then-first.")
    monkeypatch.setenv("WIKI_LOGIN", "bert")
    monkeypatch.setenv("SORT_KEY", "last-name-then-first")
    exits = []

    for names in ('["!SORT_KEY"]', "[]", '["WIKI_*", "!SORT_KEY"]'):
        (project / "pyproject.toml").write_text(f"[tool.inference_recorder]\nsecret_env = {names}")
        exits.append(run(command, path.parent).exit_code)

    assert [0, 1, 1] == exits


def test_a_pattern_has_no_secret_of_known_shape_passed_over(project: Path) -> None:
    """Texts without a known shape are searched for the pattern only."""
    path = record(project / "recordings", answer=completion("sk-proj-" + "a1B2c3D4" * 6, key="0" * 64))
    configure(project)

    kinds = [leak["kind"] for leak in json.loads(run("scan", "--json", path.parent).stdout)]

    assert ["OpenAI, Anthropic or like key"] == kinds


def test_the_nearest_pyproject_counts(project: Path) -> None:
    """A nested project has its own rules, and takes none from the project around it."""
    path = record(project / "recordings", question=f"Close {SECRET}")
    configure(project)
    above = run("scan", path.parent)
    (project / "tests" / "pyproject.toml").write_text("[tool.inference_recorder]")
    near = run("scan", path.parent)

    assert [1, 0] == [above.exit_code, near.exit_code]


def test_rekey_without_any_rule_says_how_to_name_one(project: Path) -> None:
    """In the wrong directory, the command would otherwise undo every rule."""
    path = record(project / "recordings")
    before = contents_of(path.parent)

    done = run("rekey", path.parent)

    assert 2 == done.exit_code
    assert "no normalizers are configured; name them with --normalize, or use --none" in " ".join(done.stderr.split())
    assert before == contents_of(path.parent)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[tool.inference_recorder]\nredact = ['a(']", "redact in [tool.inference_recorder]: rule 1 is not"),
        ("[tool.inference_recorder]\nnormalize = ['uuid']", "normalize in [tool.inference_recorder]: there is no"),
        ("[tool.inference_recorder", "it cannot be read as TOML: "),
    ],
)
@pytest.mark.parametrize("command", ["scan", "check", "rekey"])
def test_an_invalid_file_is_a_usage_error(command: str, content: str, message: str, project: Path) -> None:
    """Scanning without the configured pattern would miss a leak."""
    path = record(project / "recordings")
    (project / "pyproject.toml").write_text(content)

    done = run(command, path.parent)

    assert 2 == done.exit_code
    assert f"{project / 'pyproject.toml'}: {message}" in done.stderr.replace(os.linesep, " ")


def test_explain_asks_as_a_test_would(project: Path) -> None:
    """Without the configured rules, it would look for a key that no test has."""
    directory = project / "recordings"
    configure(project)
    record(directory, "t", question="Look up __UUID__.")
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"Look up {ONE}."}]}
    (project / "asked.json").write_text(json.dumps(asked))

    done = run(
        "explain",
        "--dir",
        directory,
        "--request",
        project / "asked.json",
        "--endpoint",
        "chat/completions",
        "--test",
        "t",
    )

    assert "answered by" in done.stdout


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["ls"], "tests/test_a.py::test_b"),
        (["ls", "--stats"], "tests/test_a.py::test_b"),
        (["check"], "1 recording"),
        (["explain", "--request", "request.json", "--endpoint", "chat/completions"], "answers"),
        (["scan"], "1 file scanned"),
        pytest.param(["doctor"], "answers", marks=pytest.mark.slow),  # it imports all SDKs
    ],
    ids=["ls", "ls --stats", "check", "explain", "scan", "doctor"],
)
def test_commands_look_where_the_recorders_of_the_tests_do(command: list[str], expected: str, project: Path) -> None:
    """A directory that is configured for pytest does not have to be named again."""
    (project / "pyproject.toml").write_text('[tool.inference_recorder]\nrecordings = "tests/answers"\n')
    record(project / "tests" / "answers")
    Path("request.json").write_text(json.dumps({"model": "gpt-4o", "messages": []}))

    assert expected in run(*command).output


def test_from_a_directory_of_tests_the_rootdirs_recordings_are_found(project: Path) -> None:
    """pytest's default is at rootdir, wherever it is started."""
    (project / "pyproject.toml").write_text("[tool.pytest.ini_options]\nminversion = '8'\n")
    record(project / "recordings")

    assert 1 == len(json.loads(run("ls", "--json").stdout))


@pytest.mark.parametrize("has_common", [True, False], ids=["with the common directory", "without it"])
def test_recordings_beside_the_tests_are_found(has_common: bool, project: Path) -> None:
    """`check` was green over a broken file: it looked only into the directory that all tests share."""
    (project / "pyproject.toml").write_text("[tool.inference_recorder]\nrecordings_beside_tests = true\n")
    ids = [f"{name}/test_a.py::test_b" for name in ("tests", "tests/deep", "tests/deep/er")]
    beside = [record(project / test_id.partition("/test_a")[0] / "recordings", test_id) for test_id in ids]
    if has_common:
        record(project / "recordings", "shared")
    expected = {*ids, *(["shared"] if has_common else [])}

    listed = json.loads(run("ls", "--json").stdout)
    beside[2].write_text("{")
    checked, scanned = run("check"), run("scan")

    assert expected == {recording["test_id"] for recording in listed}
    assert 1 == checked.exit_code
    assert f"unreadable\terror\t{beside[2].relative_to(Path.cwd())}" in checked.stdout
    assert f"{len(expected)} files scanned" in scanned.stderr
    assert "1 recording" in run("check", project / "tests" / "deep" / "recordings").stderr
