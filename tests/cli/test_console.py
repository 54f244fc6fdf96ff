"""What commands print: for people at a terminal, for programs in a pipe."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from inference_recorder.cli import console
from inference_recorder.cli.console import shortened, tracked
from inference_recorder.cli.main import main

from .recorded import at_a_terminal, record, run

ID = "tests/integration/test_chat.py::TestChat::test_greets[txt=openai/gpt-4o-True]"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (100, ID),
        (65, "…/test_chat.py::TestChat::test_greets[txt=openai/gpt-4o-True]"),
        (48, "…::TestChat::test_greets[txt=openai/gpt-4o-True]"),
        (40, "…::test_greets[txt=openai/gpt-4o-True]"),
        (30, "…::test_greets[…i/gpt-4o-True]"),
        (12, "…::test_…ue]"),
    ],
    ids=["all", "without directories", "without file", "without class", "without the start of parameters", "middle"],
)
def test_a_long_id_keeps_what_names_the_test(width: int, expected: str) -> None:
    """Forty lines that all begin with tests/integration/ and end in an ellipsis are useless."""
    assert expected == shortened(ID, width)
    assert len(expected) <= width


def test_a_path_keeps_its_name_and_its_keys_first_digits() -> None:
    """`show` takes them as an argument."""
    path = f"tests/recordings/{'abcd' * 16}.json"

    assert "tests/recordings/abcdabcdabcd….json" == shortened(path, 40)
    assert "…dings/abcdabcdabcd….json" == shortened(path, 25)


def test_a_pipe_gets_whole_cells_and_no_colours(tmp_path: Path) -> None:
    """`ls | cut -f1` has to work."""
    path = record(tmp_path, ID * 3)
    done = run("ls", "--long", tmp_path)

    assert [ID * 3, "/v1/chat/completions", "gpt-4o", "whole", str(path.stat().st_size)] == done.stdout.split("\t")[:5]
    assert f"{path}\n" == done.stdout.split("\t")[-1]
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["ls", "ls --stats", "scan", "show", "import"])
def test_characters_that_the_encoding_lacks_become_question_marks(command: str, tmp_path: Path) -> None:
    """A pipe on Windows may lack most characters; a list with question marks is better than a traceback."""
    name = "tests/test_a.py::test_你"
    path = record(tmp_path / "recordings", name, model="gpt-你", question=f"你 sk-proj-{'aB3' * 20}")
    cassette = tmp_path / "你.yaml"
    cassette.write_text("interactions: []\nversion: 1\n")
    arguments = {
        "show": (path,),
        "import": ("vcr", cassette, "--dir", tmp_path / "imported"),
    }
    words = map(str, (*command.split(), *arguments.get(command, (path.parent,))))
    done = CliRunner(charset="latin-1").invoke(main, list(words), catch_exceptions=False)

    assert done.exit_code in (0, 1)
    assert ("…" if command == "scan" else "你") not in done.stdout
    assert "?" in done.stdout


def test_a_terminal_gets_a_table_that_fits(tmp_path: Path) -> None:
    """Wrapped lines of a table cannot be read."""
    record(tmp_path, ID)
    code, shown = at_a_terminal("ls", "--long", tmp_path, columns=80, NO_COLOR="1")
    record(tmp_path, ID, model="gpt-4o-mini-2024-07-18-of-somebody")
    by_test = at_a_terminal("ls", tmp_path, columns=80, NO_COLOR="1")[1].splitlines()

    lines = shown.splitlines()
    heads, of_tests = (re.sub(r"\x1b\[\d+m", " ", line).split() for line in (lines[0], by_test[0]))
    assert (0, ["test", "endpoint", "model", "answer", "size", "age", "key"]) == (code, heads)
    assert ["test", "calls", "failed", "models", "size", "age"] == of_tests
    assert lines[1].startswith("…::test_greets[…")
    assert max(map(len, lines[1:] + by_test[1:])) <= 80
    assert "1 file, " in lines[2]
    assert re.fullmatch(r"…::test_greets\[txt=openai/gpt-4o-True\] +2 +gpt-4o \+1 +\d\.\d kB +\d+s", by_test[1].strip())
    assert "2 files of 1 test, " in by_test[2]


def test_no_color_turns_colours_off(tmp_path: Path) -> None:
    """https://no-color.org; bold stays."""
    (tmp_path / f"{'a' * 64}.json").write_text("{")
    plain, coloured = (at_a_terminal("check", tmp_path, **more)[1] for more in ({"NO_COLOR": "1"}, {}))

    assert "\x1b[1;31m" in coloured
    assert "31m" not in plain


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("seconds", [0.0, 5.0], ids=["quick", "slow"])
def test_a_bar_appears_at_a_terminal_once_it_takes_time(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that flashes by is noise, and so is one in a log file."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(console, "_PATIENCE_SECONDS", 1.0 - seconds)
    shown, piped = Terminal(), io.StringIO()
    for stderr in (shown, piped):
        monkeypatch.setattr("sys.stderr", stderr)
        assert [1, 2, 3] == list(tracked([1, 2, 3], "Reading"))

    assert bool(seconds) == ("Reading" in shown.getvalue())
    assert "" == piped.getvalue()
