"""`inference-recorder rm`: the recordings of the tests that are named go to the trash, and no others."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import Result

from inference_recorder.recording.answer import ModelList
from inference_recorder.request.keys import FOLDING
from inference_recorder.storage.catalogue import entries_in
from inference_recorder.storage.trash import Deletion

from ..support.directories import contents_of
from .recorded import completion, record, run, tool_call

IDS = [
    "tests/test_a.py::test_b",
    "tests/test_a.py::test_b[x]",
    "tests/test_a.py::test_b[x][y]",
    "tests/test_a.py::test_b[a::b/c]",
    "tests/test_a.py::test_bc",
    "tests/test_a.py::TestD::test_b",
    "tests/test_a.py::TestD::test_b[x]",
    "tests/test_a.py::TestDE::test_b",
    "tests/test_a.py@answer[gpt-4o]",
    "tests/test_a.py@answer[gpt-4o][mode=fast]",
    "tests/test_a.py::TestD@answer",
    "tests/test_a.pyx::test_b",
    "tests/sub/test_a.py::test_b",
    "tests/sub/@answer",
    "tests/subs/test_a.py::test_b",
    "session@tests/sub/answer",
    "session@answer",
    "an id of the user's own",
]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a recording of each test, and one made outside a test."""
    for test_id in (*IDS, None):
        record(tmp_path / "recordings", test_id)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ids_in(directory: Path) -> list[str | None]:
    return [entry.test_id for entry in entries_in([directory])]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["tests/test_a.py::test_b"], IDS[:4]),
        (["./tests/test_a.py::test_b"], IDS[:4]),
        (["tests/test_a.py::test_b[x]"], IDS[1:2]),
        (["tests/test_a.py::test_b[a::b/c]"], IDS[3:4]),
        (["tests/test_a.py::TestD"], [*IDS[5:7], IDS[10]]),
        (["tests/test_a.py::TestD::test_b"], IDS[5:7]),
        (["tests/test_a.py"], IDS[:11]),
        (["tests/sub"], [*IDS[12:14], IDS[15]]),
        (["tests/sub/"], [*IDS[12:14], IDS[15]]),
        (["tests"], IDS[:16]),
        (["tests/test_a.py@answer"], IDS[8:10]),
        (["tests/test_a.py@answer[gpt-4o]"], IDS[8:9]),
        (["tests/sub/@answer"], IDS[13:14]),
        (["session@answer"], IDS[16:17]),
        (["an id of the user's own"], IDS[17:]),
        (["tests/test_a.py::test_b", "tests/test_a.py::test_b[x]", "tests/sub"], [*IDS[:4], *IDS[12:14], IDS[15]]),
    ],
    ids=lambda value: " ".join(value) if len(value) < 3 and "tests/s" not in value[0] else None,
)
def test_an_id_has_the_same_meaning_as_for_pytest(given: list[str], meant: list[str], root: Path) -> None:
    """It names a test, all parameters of a function, or everything in a class, file or directory; or a fixture."""
    done = run("rm", *given)

    assert 0 == done.exit_code
    assert sorted(meant) == sorted(line.split("\t")[1] for line in done.stdout.splitlines())
    assert sorted({*IDS, None} - set(meant), key=str) == sorted(ids_in(root / "recordings"), key=str)
    number = "1 recording" if len(meant) == 1 else f"{len(meant)} recordings"
    them = "it" if len(meant) == 1 else "them"
    assert f"{number} moved to the trash; inference-recorder undo brings {them} back\n" == done.stderr


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("tests/test_a.py::test_bb", "tests/test_a.py::test_b"),
        ("tests/test_a.py::test_b[z]", "tests/test_a.py::test_b[x]"),
        ("test_a.py::test_b", "tests/test_a.py::test_b"),
        ("test/sub", "tests/sub"),
    ],
)
def test_an_id_that_matches_nothing_moves_nothing(given: str, near: str, root: Path) -> None:
    """Otherwise half of the recordings would be gone, and a typing error easily overlooked."""
    before = contents_of(root / "recordings")
    done = run("rm", "tests/test_a.py::test_bc", given)

    assert (2, "", before) == (done.exit_code, done.stdout, contents_of(root / "recordings"))
    assert f"no recording in recordings is of {given}; nothing was moved" in done.stderr
    assert f"  {near}" in done.stderr
    assert not (root / "recordings" / ".trash").exists()


def test_control_characters_of_a_suggested_id_are_escaped(tmp_path: Path) -> None:
    """Suggested ids are printed as `ls` prints them."""
    record(tmp_path, "tests/test_a.py::test_b\x1b[2J\u202e")
    done = run("rm", "tests/test_a.py::test_bb", "--dir", tmp_path)

    assert r"  tests/test_a.py::test_b\u001b" in done.stderr
    assert not {"\x1b", "\u202e"} & set(done.stderr)


def test_recordings_made_outside_a_test_never_match(tmp_path: Path) -> None:
    """They belong to a script, which this command does not know."""
    record(tmp_path, None)

    assert [2, 2, 2] == [run("rm", node_id, "--dir", tmp_path).exit_code for node_id in ("", ".", "None")]
    assert 1 == len(contents_of(tmp_path))


def test_a_dry_run_moves_nothing(root: Path) -> None:
    """People want to look before they delete."""
    before = contents_of(root / "recordings")
    dry = run("rm", "tests/sub", "--dry-run")
    real = run("rm", "tests/sub")

    assert (0, real.stdout) == (dry.exit_code, dry.stdout)
    assert "3 recordings would be moved to the trash\n" == dry.stderr
    assert 3 == len(before) - len(contents_of(root / "recordings"))


def test_a_dry_run_lists_what_would_stay(tmp_path: Path) -> None:
    """Only the last answers of a series can go; a later one would be replayed in place of an earlier one."""
    first = record(tmp_path, "mine", key="a" * 64)
    record(tmp_path, "another's", key="a" * 64, position=2)
    dry, real = (run("rm", "mine", "--dir", tmp_path, *more) for more in (["--dry-run"], []))

    assert (1, 1, "", "") == (dry.exit_code, real.exit_code, dry.stdout, real.stdout)
    stays = f"stays as it is: {first} (mine): a later answer to its request stays"
    assert stays in dry.stderr
    assert stays in real.stderr


def test_json_gives_the_new_path_of_each_recording(root: Path) -> None:
    """A bot that tidies up writes its message from it."""
    dry, done = (json.loads(run("rm", "tests/sub/@answer", "--json", *more).stdout) for more in (["--dry-run"], []))

    [one] = done
    assert [one | {"trash": None}] == dry
    assert ("tests/sub/@answer", None, True) == (one["test_id"], one["refusal"], Path(one["trash"]).is_file())


def test_unreadable_answers_of_a_series_are_moved_too(tmp_path: Path) -> None:
    """The rest of a series would be replayed as its beginning."""
    paths = [record(tmp_path, position=position) for position in (1, 2, 3)]
    paths[1].write_text("<<<<<<< ours")
    other = record(tmp_path, "other")
    other.write_text("<<<<<<< ours")
    done = run("rm", "tests/test_a.py", "--dir", tmp_path)

    assert (0, [other]) == (done.exit_code, [path for path in (*paths, other) if path.exists()])
    assert f"skipped: {other} cannot be read" in done.stderr
    assert 0 == run("undo", tmp_path).exit_code
    assert all(path.exists() for path in paths)


def test_unreadable_files_are_named_when_nothing_matches(tmp_path: Path) -> None:
    """One of them may be the recording that was meant."""
    path = record(tmp_path)
    path.write_text("<<<<<<< ours")
    done = run("rm", "tests/test_a.py", "--dir", tmp_path)

    assert (2, True) == (done.exit_code, path.exists())
    assert f"skipped: {path} cannot be read" in done.stderr


def test_a_damaged_file_whose_name_is_not_a_key_stays(tmp_path: Path) -> None:
    """Only names that are keys show that two files answer one request."""
    path = record(tmp_path).rename(tmp_path / "chat.one.json")
    damaged = tmp_path / "chat.two.json"
    damaged.write_text("<<<<<<< ours")
    done = run("rm", "tests/test_a.py", "--dir", tmp_path)

    assert (0, False, True) == (done.exit_code, path.exists(), damaged.exists())


@pytest.mark.parametrize("kind", ["a list of models", "a key without the test"])
def test_a_recording_that_answers_other_tests_stays(kind: str, tmp_path: Path) -> None:
    """Other tests still need it."""
    if kind == "a list of models":
        models = ModelList([b'{"__type__":"openai.types.model.Model","__data__":{"id":"m"}}'])
        shared = record(tmp_path, endpoint="/v1/models", answer=models, generation=FOLDING[0])
    else:
        shared = record(tmp_path, generation=FOLDING[-1])
    own = record(tmp_path, question="Mine?")
    done = run("rm", "tests/test_a.py", "--dir", tmp_path)

    assert (1, True, False) == (done.exit_code, shared.exists(), own.exists())
    assert f"stays as it is: {shared} (tests/test_a.py::test_b): it answers other tests too" in done.stderr


def test_a_tool_call_of_the_test_is_moved_too(tmp_path: Path) -> None:
    """All files that name the test are its recordings."""
    path = tool_call(tmp_path)

    assert (0, False) == (run("rm", "tests/test_a.py::test_b", "--dir", tmp_path).exit_code, path.exists())


def test_the_recordings_beside_the_tests_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pytest id names no directory, and some suites have one beside each directory of tests."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests" / "b").mkdir(parents=True)
    beside = [record(tmp_path / name / "recordings", f"{name}/test_a.py::test_b") for name in ("tests", "tests/b")]
    alone = run("rm", "tests/b/test_a.py::test_b")
    common = [record(tmp_path / "recordings", f"{name}/test_a.py::test_b") for name in ("tests", "tests/b")]
    both = run("rm", "tests")

    assert (0, 0) == (alone.exit_code, both.exit_code)
    assert not any(path.exists() for path in (*beside, *common))
    assert "; 3 recordings brought back\n" in run("undo").stderr
    assert [True, False] == [path.exists() for path in beside]
    assert 0 == run("undo").exit_code
    assert all(path.exists() for path in (*beside, *common))


def test_the_configured_directory_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is also found from a directory below the root, where the printed command works too."""
    (tmp_path / "pyproject.toml").write_text('[tool.inference_recorder]\nrecordings = "stored"\n')
    path = record(tmp_path / "stored")
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    done = run("rm", "tests/test_a.py::test_b")

    assert (0, False) == (done.exit_code, path.exists())
    assert (0, True) == (advised(done).exit_code, path.exists())


def test_an_id_may_be_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest accepts and prints such ids; the id in a recording is relative to rootdir."""
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "tests" / "sub").mkdir(parents=True)
    for name in ("tests/test_a.py", "tests/sub/test_a.py", "tests/test_b.py"):
        (tmp_path / name).touch()
        record(tmp_path / "recordings", f"{name}::test_it[a/b]")
    monkeypatch.chdir(tmp_path / "tests" / "sub")

    for given, meant in {
        "test_a.py::test_it[a/b]": "tests/sub/test_a.py::test_it[a/b]",
        "../test_a.py::test_it": "tests/test_a.py::test_it[a/b]",
        "../../tests/sub": "tests/sub/test_a.py::test_it[a/b]",
        f"{tmp_path}/tests/test_b.py": "tests/test_b.py::test_it[a/b]",
        "tests/test_b.py": "tests/test_b.py::test_it[a/b]",
    }.items():
        done = run("rm", given, "--dry-run")
        assert (0, [meant]) == (done.exit_code, [line.split("\t")[1] for line in done.stdout.splitlines()])


def test_an_id_that_means_two_files_moves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is relative to rootdir, one to the working directory; in rootdir the ids differ."""
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "tests").mkdir()
    for name in ("test_a.py", "tests/test_a.py"):
        (tmp_path / name).touch()
        record(tmp_path / "recordings", f"{name}::test_it")
    monkeypatch.chdir(tmp_path / "tests")
    done = run("rm", "test_a.py::test_it")

    assert (2, 2) == (done.exit_code, len(contents_of(tmp_path / "recordings")))
    assert f"in {tmp_path}" in done.stderr
    monkeypatch.chdir(tmp_path)
    assert [0, 0] == [run("rm", given).exit_code for given in ("test_a.py::test_it", "tests/test_a.py::test_it")]


@pytest.mark.parametrize("directory", [".stored", "tests/.stored/it", "node_modules/a", "a link", "a link/below"])
def test_the_undo_command_names_a_directory_that_undo_would_not_find(
    directory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undo does not enter hidden directories or follow links."""
    (tmp_path / "stored" / "below").mkdir(parents=True)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    Path("a link").symlink_to("../stored")
    path = record(Path(directory))
    done = run("rm", "tests", "--dir", directory)

    assert (0, False) == (done.exit_code, path.exists())
    assert (0, True) == (advised(done).exit_code, path.exists())


@pytest.mark.parametrize("below", ["recordings", "responses"])
def test_llama_stacks_directories_are_searched(below: str, tmp_path: Path) -> None:
    """Each has its own trash, on its own file system."""
    path = record(tmp_path / below)
    first = record(tmp_path)
    done = run("rm", "tests", "--dir", tmp_path)

    assert (0, False, False) == (done.exit_code, path.exists(), first.exists())
    assert (tmp_path / below / ".trash").is_dir()
    assert (0, True, True) == (advised(done).exit_code, path.exists(), first.exists())


def test_a_link_that_leaves_the_directory_is_not_followed(tmp_path: Path) -> None:
    """A stranger's recordings could otherwise make us move another project's files."""
    path = record(tmp_path / "other")
    own = record(tmp_path / "recordings")
    (tmp_path / "recordings" / "responses").symlink_to(tmp_path / "other")
    done = run("rm", "tests", "--dir", tmp_path / "recordings")

    assert (0, True, False) == (done.exit_code, path.exists(), own.exists())
    assert [".locks", path.name] == sorted(os.listdir(path.parent))


def test_recordings_elsewhere_are_read_once_for_all_ids(root: Path) -> None:
    """A list of 20 unknown ids took minutes in a project with several thousand recordings."""
    path = record(root / "data", "tests/test_z.py::test_z")
    reads, is_over = 0, False

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal reads
        reads += not is_over and event == "open" and str(arguments[0]) == str(path)

    sys.addaudithook(count)
    refused = run("rm", *(f"tests/none_{number}.py" for number in range(20)))
    is_over = True

    assert (2, 1) == (refused.exit_code, reads)
    assert 20 == refused.stderr.count("nothing was moved")


@pytest.mark.parametrize(
    "has_default", [True, False], ids=["with the default directory", "without the default directory"]
)
def test_recordings_elsewhere_are_named_with_the_command(has_default: bool, root: Path) -> None:
    """A directory named only in code may be another project's, so it is searched only with --dir."""
    if not has_default:
        shutil.rmtree(root / "recordings")
    path = record(root / "data" / "stored it", "tests/test_z.py::test_z[it's]")
    refused = run("rm", "tests/test_z.py::test_z[it's]")
    [line] = [line for line in refused.stderr.splitlines() if "elsewhere: " in line]

    assert (2, True) == (refused.exit_code, path.exists())
    assert 0 == run(*shlex.split(line.partition("elsewhere: ")[2])[1:]).exit_code
    assert not path.exists()


@pytest.mark.parametrize("node_id", ["part/tests/test_z.py::test_z", "part/tests", "part/tests/test_z.py@answer"])
def test_recordings_of_a_project_below_are_named_with_their_ids_there(node_id: str, root: Path) -> None:
    """pytest prints ids from its rootdir also where a project below has recorded them from its own."""
    paths = [record(root / "part" / "recordings", f"tests/test_z.py{end}") for end in ("::test_z", "@answer")]
    (root / "part" / "tests").mkdir()
    refused = run("rm", node_id)
    [line] = [line for line in refused.stderr.splitlines() if "elsewhere: " in line]

    assert (2, [True, True]) == (refused.exit_code, [path.exists() for path in paths])
    assert 0 == run(*shlex.split(line.partition("elsewhere: ")[2])[1:]).exit_code
    assert [not node_id.endswith(("test_z", "tests")), not node_id.endswith(("answer", "tests"))] == [
        path.exists() for path in paths
    ]


@pytest.mark.parametrize(
    ("start", "node_id", "option"),
    [
        (".", "part/tests/test_z.py::test_z", "-r"),
        (".", "part/tests/test_z.py::test_z", "--dir=part/recordings"),
        (".", "tests/test_z.py::test_z", "--dir=part/recordings"),
        ("part/tests", "test_z.py::test_z", "--dir=../recordings"),
        ("part/tests", "tests/test_z.py::test_z", "--dir=../recordings"),
        ("part/tests", "test_z.py", "--dry-run"),
    ],
)
def test_ids_of_a_project_are_taken_as_pytest_prints_them_anywhere(
    start: str, node_id: str, option: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of its failures are relative to where it was started, above the project or below."""
    recordings = root / "part" / "recordings"
    record(recordings, "tests/test_z.py::test_z")
    record(recordings / ".failed", "tests/test_z.py::test_z")
    (root / "part" / "tests").mkdir()
    (root / "part" / "tests" / "test_z.py").touch()
    (root / "part" / "pyproject.toml").touch()
    monkeypatch.chdir(root / start)
    is_dir = option.startswith("--dir")

    done = {
        "show": run("show", node_id, *([option] if is_dir else [f"--dir={recordings}"])),
        "keep": run("keep", "--dry-run", node_id, *([option] if is_dir else [])),
        "rm": run("rm", node_id, option),
    }

    assert {"show": 0, "keep": 0, "rm": 0} == {name: result.exit_code for name, result in done.items()}, done


def test_an_id_of_this_project_names_no_test_of_one_below(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have a file of that name; the other one's test is part/tests/test_z.py::test_z from here."""
    for project in (root, root / "part"):
        record(project / "recordings", "tests/test_z.py::test_z")
        (project / "tests").mkdir(exist_ok=True)
        (project / "tests" / "test_z.py").touch()
        (project / "pyproject.toml").touch()
    monkeypatch.chdir(root)

    of_both = run("rm", "-r", "--dry-run", "tests/test_z.py::test_z", "part/tests/test_z.py::test_z")
    of_one = run("rm", "-r", "tests/test_z.py::test_z")
    chosen = run("rm", "--dir=part/recordings", "--dry-run", "tests/test_z.py::test_z")

    assert [0, 0, 0] == [done.exit_code for done in (of_both, of_one, chosen)]
    assert (2, 1, 1) == tuple(len(done.stdout.splitlines()) for done in (of_both, of_one, chosen))
    assert 1 == len([*(root / "part" / "recordings").glob("*.json")])


def test_deletions_older_than_two_weeks_are_removed(root: Path) -> None:
    """They are removed in every directory that is searched, even if nothing else is deleted there."""
    old = root / "recordings" / "recordings" / ".trash" / "20200101T000000.000000Z-0badcafe"
    old.mkdir(parents=True)
    run("rm", "tests/sub", "--dry-run")
    assert old.exists()

    run("rm", "tests/sub")

    assert not old.exists()


def test_an_unwritable_trash_is_an_error(root: Path) -> None:
    """The output lists what was moved before, and the error names the recording."""
    (root / "recordings" / ".trash").touch()
    done = run("rm", "tests/sub/@answer")

    assert (1, "") == (done.exit_code, done.stdout)
    assert "nothing was moved" in done.stderr
    assert "cannot write the recording" in done.stderr


def test_scan_finds_a_secret_in_the_trash(root: Path) -> None:
    """Deleted recordings, and those of failing tests, are still on the disk and in backups."""
    secret = "sk-proj-" + "Ab3dEf6hIj9kLmN0pQrS" * 3
    path = record(root / "recordings", "leaky", answer=completion(f"My key is {secret}."))
    (root / "recordings" / ".failed").mkdir()
    (root / "recordings" / ".failed" / path.name).write_bytes(path.read_bytes())
    assert 0 == run("rm", "leaky").exit_code
    done = run("scan", "--json")

    directories = {Path(leak["file"]).relative_to(root / "recordings").parts[0] for leak in json.loads(done.stdout)}
    assert (1, {".trash", ".failed"}) == (done.exit_code, directories)


@pytest.mark.parametrize("command", ["ls", "ls --stats", "check"])
def test_no_command_lists_the_trash(command: str, root: Path) -> None:
    """Deleted recordings are not listed, even with --recursive."""
    run("rm", "tests", "session@answer")
    done = run(*command.split(), "-r")

    assert (0, False) == (done.exit_code, "test_b" in done.stdout + done.stderr)


def test_each_deletion_has_its_own_directory(root: Path) -> None:
    """The name contains the time, and two deletions are never mixed."""
    run("rm", "tests/sub")
    run("rm", "session@answer")

    names = sorted(path.name for path in (root / "recordings" / ".trash").glob("*-*"))
    assert 2 == len(names)
    assert names[-1] < Deletion().name


def advised(done: Result) -> Result:
    """Run the command that a deletion prints last."""
    [command] = [part for part in done.stderr.split("; ") if " brings " in part]
    return run(*shlex.split(command.partition(" brings")[0])[1:])
