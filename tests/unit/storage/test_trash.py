"""The trash: a deleted recording is in its place or there, whole, whatever happens on the way, and comes back."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import openai
import pytest

from inference_recorder import MissingRecording, UnwritableRecording, inference_recording
from inference_recorder.cli.directories import directories_below
from inference_recorder.recording.answer import Value
from inference_recorder.recording.body import typed
from inference_recorder.recording.codec import decode_thoroughly
from inference_recorder.storage import locks
from inference_recorder.storage.attachments import digest_in, read_attachment
from inference_recorder.storage.catalogue import paths_in
from inference_recorder.storage.locks import Locks
from inference_recorder.storage.trash import Deletion, last_deletion, remove_expired
from inference_recorder.storage.undo import undo

from ...cli.recorded import completion, record
from ...conftest import HELLO
from ...support.directories import contents_of
from ...support.systems import needs_rights
from .test_stopped_writers import stopped_holder

SOUND = b"sound" * 100
ATTACHED = Value(typed("attached", sha256(SOUND).hexdigest()))
STEPS = {"open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}
"""The audit events of what changes a directory."""


def series(directory: Path) -> list[Path]:
    """Record three answers to one request, the second with an attachment, and one answer to another request."""
    return [
        record(directory),
        record(directory, position=2, answer=ATTACHED, attachment=SOUND),
        record(directory, position=3),
        record(directory, question="A sound?", answer=ATTACHED, attachment=SOUND),
    ]


def deleted(*paths: Path) -> Deletion:
    deletion = Deletion()
    deletion.discard(paths)
    return deletion


def undone(*directories: Path) -> list[Path]:
    return undo(last_deletion(directories)).restored


def is_killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a forked child that gets SIGKILL at a step, counted from 1; returns whether it came so far."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, arguments: object) -> None:
            nonlocal seen
            if event in STEPS:
                seen += 1
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(count)
            work()
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return os.waitstatus_to_exitcode(status) != 0


def without_rights(recordings: Path, directory: Path, mode: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python, also as root, with no more rights to a folder in a directory of recordings than `mode` gives."""
    command = [sys.executable, *arguments]
    needs_rights()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may read and write everywhere, and there is no setpriv to take that right away")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
        os.chown(recordings, 65534, 65534)
        os.chown(directory, 65534, 65534)
    before = directory.stat().st_mode
    directory.chmod(mode)
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        directory.chmod(before)


def assert_whole(path: Path) -> None:
    """Fail unless a recording can be read to its end, its attachment too."""
    content = path.read_bytes()
    decode_thoroughly(content, str(path))
    if (digest := digest_in(content)) is not None:
        assert SOUND == read_attachment(str(path), digest)


@pytest.mark.parametrize("has_links", [True, False], ids=["", "a file system without links"])
def test_what_was_deleted_comes_back_as_it_was(
    has_links: bool, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes, the same time of change: git sees no difference."""

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    paths = series(recordings)
    before = contents_of(recordings)
    times = [path.stat().st_mtime_ns for path in paths]

    deletion = deleted(*paths)

    assert ({}, set(paths)) == (contents_of(recordings), set(deletion.moved))
    for path in deletion.moved.values():
        assert_whole(path)
    assert sorted(paths) == sorted(undone(recordings))
    assert (before, times) == (contents_of(recordings), [path.stat().st_mtime_ns for path in paths])
    assert [".gitignore"] == os.listdir(recordings / ".trash")


def test_nothing_is_replayed_from_the_trash(client: openai.OpenAI, recordings: Path) -> None:
    """Deleted means that the call is made again."""
    with inference_recording("record", recordings):
        client.chat.completions.create(**HELLO)
    deleted(*paths_in([recordings]))
    with inference_recording("replay", recordings), pytest.raises(MissingRecording):
        client.chat.completions.create(**HELLO)

    undone(recordings)

    with inference_recording("replay", recordings) as session:
        client.chat.completions.create(**HELLO)
    assert {"replayed": 1} == session.counts


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("kind", ["deletion", "undo"])
def test_a_kill_at_any_step_loses_nothing(kind: str, recordings: Path) -> None:
    """A recording is in its place or in the trash, whole; the same command, run again, ends what was begun."""
    Locks.prepare()
    paths = series(recordings)
    before, step = contents_of(recordings), 1
    other = record(recordings, "other")

    def work() -> object:
        return deleted(*paths) if kind == "deletion" else undone(recordings)

    while True:
        if kind == "undo":
            deleted(*paths)
        is_killed = is_killed_at(step, work)
        in_trash = {path.name: path for path in paths_in((recordings / ".trash").glob("*-*"))}
        for path in paths:
            assert path.exists() or path.name in in_trash, f"step {step}: {path.name} is lost"
            assert_whole(path if path.exists() else in_trash[path.name])
        rest = [path.exists() for path in paths[:3]]
        assert sorted(rest, reverse=True) == rest, f"step {step}: a gap in the series"
        other.unlink()
        assert other == record(recordings, "other")  # a writer cleans up
        while undone(recordings):
            pass
        left = {name: content for name, content in contents_of(recordings).items() if name != other.name}
        assert before == left, f"step {step}"
        shutil.rmtree(recordings / ".trash", ignore_errors=True)
        if not is_killed:
            break
        step += 1
    assert step > 10


def test_several_directories_are_one_deletion(tmp_path: Path) -> None:
    """Recordings beside the tests of two folders go with one command, and come back with one."""
    paths = [record(tmp_path / name / "recordings") for name in ("a", "b")]
    deletion = deleted(*paths)

    assert {deletion.name} == {path.parent.name for path in deletion.moved.values()}
    assert [path.parent for path in paths] == [path.parent.parent.parent for path in deletion.moved.values()]
    assert paths == undone(*(path.parent for path in paths))


def test_each_undo_brings_back_the_deletion_before(recordings: Path) -> None:
    """As with an editor."""
    first, second = record(recordings, "one"), record(recordings, "two")
    deleted(first)
    deleted(second)

    assert [[second], [first], []] == [undone(recordings) for _ in range(3)]


def test_an_undo_replaces_nothing(recordings: Path) -> None:
    """What was recorded since was paid for too; and the deletion before is still to be had."""
    older, path, free = record(recordings, "older"), record(recordings), record(recordings, "free")
    deleted(older)
    deleted(path, free)
    record(recordings, answer=completion("A new one."))
    new = path.read_bytes()

    found = undo(last_deletion([recordings]))

    assert ([free], [path]) == (found.restored, list(found.conflict))
    assert new == path.read_bytes() != found.conflict[path].read_bytes()
    assert_whole(found.conflict[path])
    assert [[older], []] == [undone(recordings) for _ in range(2)]
    assert found.conflict[path].exists()


def test_an_undo_that_was_killed_is_completed_by_the_next(recordings: Path) -> None:
    """It had copied the recording back and not yet emptied the trash: the same file is in both places."""
    path = record(recordings)
    [in_trash] = deleted(path).moved.values()
    shutil.copy(in_trash, path)

    assert [path] == undone(recordings)
    assert_whole(path)
    assert not in_trash.exists()


def test_a_recording_whose_attachment_is_gone_can_be_deleted(recordings: Path) -> None:
    """`rm` is what one does with it."""
    path = record(recordings, answer=ATTACHED, attachment=SOUND)
    [attachment] = recordings.glob("*.bin")
    attachment.unlink()

    deletion = deleted(path)

    assert [path] == list(deletion.moved)
    assert not path.exists()


def test_a_series_comes_back_whole_or_not_at_all(recordings: Path) -> None:
    """The old second answer after a new first one is a conversation that nobody had."""
    paths = series(recordings)
    deleted(*paths)
    record(recordings, answer=completion("A new one."))

    found = undo(last_deletion([recordings]))

    assert paths[3:] == found.restored
    assert paths[:3] == list(found.conflict)
    assert [paths[0], paths[3]] == [path for path in paths if path.exists()]


@pytest.mark.parametrize(
    ("going", "gone"),
    [([0], []), ([1], []), ([2], [2]), ([1, 2], [1, 2]), ([0, 2], [2]), ([0, 1, 2], [0, 1, 2])],
    ids=str,
)
def test_a_deletion_leaves_no_gap_in_a_series(going: list[int], gone: list[int], recordings: Path) -> None:
    """Without its second answer, the third would be taken for it."""
    paths = series(recordings)

    deletion = deleted(*(paths[position] for position in going))

    assert {paths[position] for position in gone} == set(deletion.moved)
    assert {paths[position] for position in going if position not in gone} == set(deletion.kept)
    assert [position for position in range(3) if position not in gone] == [
        position for position in range(3) if paths[position].exists()
    ]


def test_what_is_older_than_two_weeks_goes_at_the_next_deletion(recordings: Path) -> None:
    """A trash that nobody empties would hold what was deleted to save space; what is not ours stays."""
    now, names = datetime.now(timezone.utc), []
    deletions = [deleted(record(recordings, f"test_{number}")).name for number in range(3)]
    for deletion, days in zip(deletions, (13.9, 14.1, 400), strict=True):
        names.append(Deletion(now - timedelta(days=days)).name)
        (recordings / ".trash" / deletion).rename(recordings / ".trash" / names[-1])
    notes = recordings / ".trash" / "20200101T000000-notes"
    notes.mkdir()
    assert set(names) <= set(os.listdir(recordings / ".trash"))

    last = deleted(record(recordings, "last"))

    assert sorted([".gitignore", names[0], last.name, notes.name]) == sorted(os.listdir(recordings / ".trash"))
    remove_expired([recordings], now + timedelta(days=15))
    assert sorted([".gitignore", notes.name]) == sorted(os.listdir(recordings / ".trash"))


def test_processes_that_delete_at_once_make_a_deletion_each(recordings: Path) -> None:
    """Each recording is in one of them, and two undos bring back all."""
    paths = [record(recordings, f"test_{number}") for number in range(20)]
    program = (
        "import sys; from pathlib import Path; from inference_recorder.storage.trash import Deletion\n"
        "sys.stdin.readline(); deletion = Deletion(); deletion.discard(map(Path, sys.argv[1:]))\n"
        "print(len(deletion.moved))"
    )
    command = [sys.executable, "-c", program, *map(str, paths)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    moved = [int(process.communicate()[0]) for process in both]

    assert (20, {}) == (sum(moved), contents_of(recordings))
    assert sorted(paths) == sorted(undone(recordings) + undone(recordings))
    assert 20 == len(contents_of(recordings))


def test_processes_that_undo_at_once_bring_back_all(recordings: Path) -> None:
    """Two windows, one trash: neither takes the other's work for a recording made since."""
    paths = [record(recordings, f"test_{number}") for number in range(20)]
    deleted(*paths)
    program = (
        "import sys; from pathlib import Path; from inference_recorder.storage import trash, undo\n"
        "entries = trash.last_deletion([Path(sys.argv[1])])\n"
        "print('ready', flush=True); sys.stdin.readline(); print(len(undo.undo(entries).conflict))"
    )
    command = [sys.executable, "-c", program, str(recordings)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert ["ready\n"] * 2 == [process.stdout.readline() for process in both if process.stdout]

    assert ["0\n"] * 2 == [process.communicate("go\n")[0] for process in both]
    assert [path.name for path in sorted(paths)] == sorted(contents_of(recordings))


def test_processes_that_undo_at_once_leave_the_same_in_the_trash(recordings: Path) -> None:
    """The later one finds that the folder has its new name, and says what the other one says."""
    path = record(recordings)
    deleted(path)
    record(recordings, answer=completion("A new one."))
    [entry] = last_deletion([recordings])
    is_first = True

    def overtake(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal is_first
        if is_first and event == "os.rename" and str(arguments[0]) == str(entry):
            is_first = False
            os.rename(str(arguments[0]), str(arguments[1]))

    sys.addaudithook(overtake)
    found = undo([entry])

    assert (False, [path]) == (is_first, list(found.conflict))
    assert_whole(found.conflict[path])


def test_a_recording_that_is_being_written_stays(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writer would put a new answer where the old one has just gone from."""
    monkeypatch.setattr(locks, "LONGEST_WAIT_SECONDS", 0.2)
    path = record(recordings)
    with stopped_holder(recordings, path.stem), pytest.raises(UnwritableRecording, match="another process") as caught:
        deleted(path)

    assert (path, True) == (caught.value.path, path.exists())


def test_a_link_is_moved_itself(recordings: Path) -> None:
    """What it leads to is not ours."""
    target = record(recordings)
    target.rename(recordings / "the answer.json")
    target.symlink_to("the answer.json")

    deletion = deleted(target)

    assert (True, False) == (deletion.moved[target].is_symlink(), os.path.lexists(target))
    undone(recordings)
    assert ("the answer.json", True) == (os.readlink(target), (recordings / "the answer.json").is_file())


@pytest.mark.parametrize("kind", ["a link", "a file"])
def test_a_trash_that_is_not_a_directory_is_refused(kind: str, recordings: Path, tmp_path: Path) -> None:
    """A stranger's link must not have us move files, or remove them, wherever it leads."""
    path = record(recordings)
    old = tmp_path / "elsewhere" / "20200101T000000.000000Z-0badcafe"
    old.mkdir(parents=True)
    if kind == "a link":
        (recordings / ".trash").symlink_to(old.parent)
    else:
        (recordings / ".trash").touch()
    with pytest.raises(UnwritableRecording) as caught:
        deleted(path)

    assert (path, True, []) == (caught.value.path, path.exists(), undone(recordings))
    assert str(recordings / ".trash") in caught.value.reason
    assert [old.name] == os.listdir(old.parent)


def test_no_file_is_made_through_a_link_in_the_trash(recordings: Path, tmp_path: Path) -> None:
    """A stranger's `.trash/.gitignore` could otherwise have us make a file wherever it leads."""
    path = record(recordings)
    (recordings / ".trash").mkdir()
    (recordings / ".trash" / ".gitignore").symlink_to(tmp_path / "elsewhere")

    deleted(path)

    assert (False, False) == (path.exists(), (tmp_path / "elsewhere").exists())


def test_a_read_only_directory_is_refused(recordings: Path) -> None:
    """The error names the recording, and all is as it was."""
    path = record(recordings)
    program = (
        "import sys; from pathlib import Path; from inference_recorder.storage.trash import Deletion\n"
        "from inference_recorder import UnwritableRecording\n"
        "try: Deletion().discard([Path(sys.argv[1])])\n"
        "except UnwritableRecording as error: print(error.path, error.reason)"
    )
    shutil.rmtree(recordings / ".locks")
    ran = without_rights(recordings, recordings, 0o555, "-c", program, str(path))

    assert f"{path} Permission denied\n" == ran.stdout
    assert [path.name] == os.listdir(recordings)


def test_git_passes_over_it(recordings: Path) -> None:
    """Nobody should commit what he has just deleted."""
    subprocess.run(["git", "init", "-q", str(recordings.parent)], check=True)
    deleted(record(recordings))
    status = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=recordings.parent, capture_output=True, text=True, check=True
    )

    assert "" == status.stdout


@pytest.mark.parametrize("hidden", [".trash", ".failed", ".dropped", ".locks"])
def test_no_hidden_directory_holds_recordings(hidden: str, recordings: Path) -> None:
    """No test replays and no command counts what was deleted, rolled back or dropped."""
    path = record(recordings)
    shutil.copytree(recordings, recordings / hidden / "below", ignore=shutil.ignore_patterns(".*"))
    (recordings / hidden / path.name).write_text(json.dumps({"test_id": "hidden"}))
    (recordings / f".{path.name}").write_text(json.dumps({"test_id": "hidden"}))

    assert [recordings] == list(directories_below(recordings.parent))
    assert [path] == list(paths_in(directories_below(recordings.parent)))


def test_an_attachment_that_is_damaged_is_replaced_by_the_one_that_comes_back(recordings: Path) -> None:
    """Otherwise the whole one would be removed from the trash, and be lost."""
    path = record(recordings, answer=ATTACHED, attachment=SOUND)
    [attachment] = recordings.glob("*.bin")
    deleted(path)
    attachment.write_bytes(b"version https://git-lfs.github.com/spec/v1")

    assert [path] == undone(recordings)
    assert_whole(path)


def test_an_attachment_that_is_whole_is_not_replaced_by_a_damaged_one(recordings: Path) -> None:
    """Nothing is overwritten but what nobody can read."""
    path = record(recordings, answer=ATTACHED, attachment=SOUND)
    deletion = deleted(path)
    [attachment] = deletion.moved[path].parent.glob("*.bin")
    (recordings / attachment.name).write_bytes(SOUND)
    attachment.unlink()
    attachment.write_bytes(b"version https://git-lfs.github.com/spec/v1")

    assert [path] == undone(recordings)
    assert_whole(path)


def test_an_undo_reads_the_trash_once(recordings: Path) -> None:
    """A directory of 10,000 recordings came back in minutes: the trash was listed, and synced, for each of them."""
    deleted(*(record(recordings, f"test_{number}") for number in range(20)))
    entries = last_deletion([recordings])
    seen: list[str] = []
    is_over = False

    def count(event: str, arguments: tuple[object, ...]) -> None:
        if not is_over and event == "os.scandir":
            seen.append(str(arguments[0]))

    sys.addaudithook(count)
    undo(entries)
    is_over = True

    assert len(seen) < 5


@pytest.mark.parametrize("unreadable", [".trash", ".trash/*-*"])
def test_a_trash_that_cannot_be_read(unreadable: str, recordings: Path) -> None:
    """An undo says so; a deletion from another directory does not fail for it."""
    deleted(record(recordings))
    [directory] = recordings.glob(unreadable)
    program = (
        "import sys; from pathlib import Path; from inference_recorder.storage import trash, undo\n"
        "from inference_recorder import UnwritableRecording\n"
        "directory = Path(sys.argv[1]); trash.remove_expired([directory])\n"
        "try: trash.last_deletion([directory])\n"
        "except UnwritableRecording as error: print(error.path, error.reason)"
    )
    done = without_rights(recordings, directory, 0, "-c", program, str(recordings))

    assert f"{directory} Permission denied\n" == done.stdout
