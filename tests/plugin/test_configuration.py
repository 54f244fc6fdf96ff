"""`[tool.inference_recorder]` in pyproject.toml."""

from __future__ import annotations

import pytest

from ..support.openai_server import error
from .conftest import Suite, line_of


def header(suite: Suite, *arguments: str) -> str:
    return line_of(suite.run(*arguments), "inference_recorder:")


@pytest.mark.parametrize("ini", ["pyproject.toml", "pytest.ini"])
def test_the_table_counts_wherever_pytests_own_options_are(ini: str, suite: Suite) -> None:
    """A project keeps the settings of its tools in one file."""
    table = '[tool.inference_recorder]\nmode = "record"\nrecordings = "answers"\nauto = true\n'
    if ini == "pytest.ini":
        suite.pytester.makeini("[pytest]")
    else:
        table += "[tool.pytest.ini_options]\n"
    suite.pytester.makepyprojecttoml(table)
    suite.write("test_it.py", "def test_it(): ask()")

    result = suite.run()

    result.assert_outcomes(passed=1)
    assert (1, 1) == (suite.server.count, len(suite.files("answers")))
    source = "[tool.inference_recorder]"
    assert f"inference_recorder: record ({source}), recordings in answers ({source})" == line_of(
        result, "inference_recorder:"
    )


@pytest.mark.slow
def test_a_setting_among_pytests_own_is_reported(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest says so itself; a `redact` that nobody reads would let a secret into a file."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    suite.pytester.makeini("[pytest]\ninference_redact = ticket")
    suite.write("test_none.py", "def test_none(): pass")

    suite.run_apart().stdout.fnmatch_lines(["*Unknown config option: inference_redact*"])


@pytest.mark.parametrize(("below", "source"), [("", "[tool.inference_recorder]"), ("a", "by default")])
def test_the_nearest_pyproject_counts(below: str, source: str, suite: Suite) -> None:
    """A directory of tests with a pytest.ini of its own is still part of the project."""
    suite.configure('mode = "record"')
    suite.write("a/pytest.ini", "[pytest]")
    if below:
        suite.write("a/pyproject.toml", "")
    suite.write("a/test_none.py", "def test_none(): pass")

    assert f"({source}), recordings in recordings (by default)" in header(suite, "a")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('modus = "record"', "*has an unknown key 'modus'; it knows *auto, *mode, normalize, record_errors, *"),
        ('mods = "record"', "*has an unknown key 'mods'; it knows *; did you mean 'mode'?"),
        ("mode = true", "*mode in [[]tool.inference_recorder] is True; it must be a string"),
        ('auto = "yes"', "*auto in [[]tool.inference_recorder] is 'yes'; it must be true or false"),
        ('mode = "rekord"', "*[[]tool.inference_recorder] is 'rekord'; it must be one of *"),
    ],
)
def test_an_invalid_table_is_a_usage_error(table: str, message: str, suite: Suite) -> None:
    """A misspelt key would otherwise be ignored."""
    suite.pytester.makepyprojecttoml(f"[tool.inference_recorder]\n{table}\n[tool.pytest.ini_options]")
    suite.write("test_none.py", "def test_none(): pass")

    result = suite.run()

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([f"*{message}"])


@pytest.mark.parametrize("name", ["tool.inference-recorder", "tool.inference_recorded", "inference_recorder"])
def test_a_table_of_almost_that_name_is_a_usage_error(name: str, suite: Suite) -> None:
    """The package is called inference-recorder; a table that nobody reads would let a secret into a file."""
    suite.pytester.makepyprojecttoml(f'[{name}]\nmode = "record"\n[tool.pytest.ini_options]')
    suite.write("conftest.py", "raise AssertionError('imported, and perhaps in need of a key')")
    suite.write("test_it.py", "def test_it(inference_session): ask()")

    result = suite.run()

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    message = f"*pyproject.toml: [[]{name}] is not read; the table is called [[]tool.inference_recorder]"
    result.stderr.fnmatch_lines([message])
    (suite.directory / "conftest.py").unlink()
    suite.pytester.makepyprojecttoml("[tool.inference_reports]\n[tool.record]\n[tool.pytest.ini_options]")
    assert 1 == suite.run().ret  # a miss: these tables are those of other tools
    suite.configure('mode = "record"')  # as it says
    suite.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("setting", [None, True, False])
def test_failed_calls_are_recorded_as_configured(setting: bool | None, suite: Suite) -> None:
    """By default, failures that the next run may not meet are not recorded."""
    if setting is not None:
        suite.configure(f"record_errors = {str(setting).lower()}")
    suite.write(
        "test_it.py",
        """
        def test_429(inference_session): try_to_ask("429")
        def test_400(inference_session): try_to_ask("400")
        """,
    )
    suite.server.scripts["/v1/chat/completions"] = lambda asked, n: error(int(asked.json["messages"][0]["content"]))

    suite.run("--inference-mode=record-if-missing").assert_outcomes(passed=2)

    recorded = {None: ["test_it.py::test_400"], True: ["test_it.py::test_400", "test_it.py::test_429"], False: []}
    assert recorded[setting] == suite.test_ids()
