"""`check`, `scan` and `ls` in several processes: the same output, however many there are and whatever ends them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from inference_recorder.cli import processes
from inference_recorder.cli.processes import mapped

from .recorded import completion, record

SECRET = "sk-proj-" + "Ab3dEf6hIj9kLmN0pQrS" * 3
PROGRAM = """
import sys
from inference_recorder.cli import processes
from inference_recorder.cli.main import main
processes._PATIENCE_SECONDS, processes._ITEMS_AT_A_TIME = -1, 3
processes._usable_cores = lambda: {cores}
if "{start}" == "spawn":
    processes.threading.active_count = lambda: 2
if __name__ == "__main__":
    for command in {commands}:
        try:
            main(command.split())
        except SystemExit as end:
            print(end.code, flush=True)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for number in range(12):
        path = record(tmp_path, f"t.py::t{number}", answer=completion(f"Number {number}"), question=f"{number}?")
        if number % 4 == 1:
            path.write_bytes(path.read_bytes()[: number * 50])
        elif number % 4 == 2:
            path.write_bytes(path.read_bytes().replace(b"Number", SECRET.encode()))
        elif number % 4 == 3:
            path.rename(path.with_name(f"{path.stem}.3.json"))
    (tmp_path / f".{'a' * 64}.json.tmp").write_text("{")
    return tmp_path


def output(directory: Path, cores: int, start: str = "fork") -> tuple[int, str, str]:
    commands = ["check --json .", "check .", "scan .", "ls --json .", "ls ."]
    program = PROGRAM.format(cores=cores, start=start, commands=commands)
    done = subprocess.run([sys.executable, "-c", program], cwd=directory, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_the_output_is_the_same_with_any_number_of_processes(start: str, directory: Path) -> None:
    """A CI job that fails on one machine and is green on another would be trusted on neither."""
    alone, together = output(directory, 1), output(directory, 2, start)

    assert alone == together
    assert (0, 3, 3) == (alone[0], alone[1].count('"kind": "unreadable"'), alone[1].count('"kind": "secret"'))


def slowly(items: Sequence[int]) -> Iterator[tuple[int, int]]:
    for item in items:
        time.sleep(0.02 if item % 4 == 0 else 0)
        yield item, os.getpid()


def deadly(items: Sequence[int]) -> Iterator[int]:
    if 20 in items and multiprocessing.parent_process() is not None:
        os._exit(1)
    yield from items


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PATIENCE_SECONDS", -1)
    monkeypatch.setattr(processes, "_ITEMS_AT_A_TIME", 4)
    monkeypatch.setattr(processes, "_usable_cores", lambda: 2)


@pytest.mark.slow
@pytest.mark.usefixtures("_hasty")
def test_results_come_in_the_order_of_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever process is the faster one. One core, few files and quick work start none."""
    several = list(mapped(slowly, range(50), "Working", lambda: 50))
    few = list(mapped(slowly, range(3), "Working", lambda: 3))
    monkeypatch.setattr(processes, "_PATIENCE_SECONDS", 60)
    quick = list(mapped(slowly, range(8), "Working", lambda: 8))

    assert [*range(50)] == [item for item, _ in several]
    assert os.getpid() not in {process for _, process in several}
    assert {os.getpid()} == {process for _, process in few + quick}


@pytest.mark.slow
@pytest.mark.usefixtures("_hasty")
def test_a_process_that_is_killed_costs_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    """The system kills one if memory runs out; what it had is done again."""
    assert [*range(50)] == list(mapped(deadly, range(50), "Working", lambda: 50))
    assert "going on in one process, because others do not work here: " in capsys.readouterr().err


def children(process: int) -> list[int]:
    done = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True)
    return [int(line) for line in done.stdout.split()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs pgrep")
@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.parametrize(
    ("sent", "after_seconds"),
    [(signal.SIGINT, 0), (signal.SIGINT, 1), (signal.SIGTERM, 1), (9, 1)],
    ids=["Ctrl-C at once", "Ctrl-C", "TERM", "KILL"],
)
def test_an_ended_command_leaves_no_process(
    sent: signal.Signals, after_seconds: int, start: str, directory: Path
) -> None:
    """Ctrl-C reaches all of them, and a killed command nobody else."""
    program = PROGRAM.format(cores=2, start=start, commands=["check ."]) + "\n    "
    slow = (
        "import inference_recorder.redaction.leaks as leaks, time\nleaks.leaks_in = lambda *_: time.sleep(0.5) or []\n"
    )
    file = directory / "program.py"
    file.write_text(slow + program)
    process = subprocess.Popen(
        [sys.executable, file.name], cwd=directory, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while len(started := children(process.pid)) < 2:
        time.sleep(0.05)
    time.sleep(after_seconds)
    if sent is signal.SIGINT:
        os.killpg(process.pid, sent)
    else:
        process.send_signal(sent)
    _, stderr = process.communicate(timeout=30)

    assert "Traceback" not in stderr
    assert (sent is signal.SIGINT) == ("Aborted!" in stderr)
    deadline = time.monotonic() + 10
    while (left := [pid for pid in started if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [] == left
