"""The command itself: its version, and what it says where the extra is not installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from inference_recorder.cli.main import main


@pytest.mark.parametrize("package", ["click", "rich", "yaml"])
def test_a_missing_package_is_one_line_that_names_the_extra(package):
    """`pip install inference-recorder` without the extra still installs the script."""
    code = f"import sys; sys.modules[{package!r}] = None; from inference_recorder.cli.main import main; main()"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    expected = f"inference-recorder needs {package}: pip install 'inference-recorder[cli]'\n"
    assert (1, "", expected) == (done.returncode, done.stdout, done.stderr)


def test_a_missing_module_of_our_own_is_a_traceback():
    """Advice to install the extra would hide a broken wheel."""
    code = (
        "import sys; sys.modules['inference_recorder.modes'] = None; "
        "from inference_recorder.cli.main import main; main(['doctor'])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert 0 != done.returncode
    assert ModuleNotFoundError.__name__ in done.stderr
    assert "inference_recorder.modes" in done.stderr
    assert "pip install" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_line_of_the_help_works(shell, monkeypatch):
    """The line that the help prints, run as the shell runs it."""
    help_text = CliRunner().invoke(main, ["--help"]).output
    assert f"_INFERENCE_RECORDER_COMPLETE={shell}_source inference-recorder" in help_text

    code = "from inference_recorder.cli.main import main; main(prog_name='inference-recorder')"
    monkeypatch.setenv("_INFERENCE_RECORDER_COMPLETE", f"{shell}_source")
    script = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert f"_INFERENCE_RECORDER_COMPLETE={shell}_complete" in script.stdout

    monkeypatch.setenv("_INFERENCE_RECORDER_COMPLETE", f"{shell}_complete")
    for words, expected in (("inference-recorder sc", "scan"), ("inference-recorder ls --old", "--older-than")):
        monkeypatch.setenv("COMP_WORDS", words if shell != "fish" else words.rpartition(" ")[0])
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")) if shell != "fish" else words.rpartition(" ")[2])
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert expected in done.stdout
        assert "" == done.stderr


def test_version_prints_the_version_of_the_package():
    """A bug report starts with it."""
    result = CliRunner().invoke(main, ["--version"])

    assert f"inference-recorder, version {version('inference-recorder')}\n" == result.output
