"""What chooses the mode: `--inference-mode`, marker, environment, configuration."""

from __future__ import annotations

import pytest

from .conftest import Suite, line_of

MODE_TEST = """
    @pytest.mark.inference_recording({marker})
    def test_marked(inference_session):
        print("\\nmarker:", inference_session.mode)

    def test_in_code(tmp_path):
        with inference_recording({code}) as session:
            print("\\ncode:", session.mode)
"""


@pytest.mark.parametrize(
    ("option", "given", "variable", "table", "expected"),
    [
        ("live", "record", "record", "record", "live"),
        (None, "live", "record", "record", "live"),
        (None, None, "live", "record", "live"),
        (None, None, None, "live", "live"),
        (None, None, None, None, "replay"),
        ("Record_If_Missing", None, None, None, "record-if-missing"),
    ],
    ids=[
        "command line first",
        "then marker or argument",
        "then environment",
        "then table",
        "otherwise replay",
        "spelling",
    ],
)
def test_what_chooses_the_mode(
    option: str | None,
    given: str | None,
    variable: str | None,
    table: str | None,
    expected: str,
    suite: Suite,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A surprise here costs money or silently records nothing."""
    argument = "" if given is None else repr(given)
    suite.write("test_mode.py", MODE_TEST.format(marker=argument, code=argument))
    if variable is not None:
        monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", variable)
    if table is not None:
        suite.configure(f'mode = "{table}"')

    result = suite.run("-s", *([] if option is None else [f"--inference-mode={option}"]))

    result.assert_outcomes(passed=2)
    assert (f"marker: {expected}", f"code: {expected}") == (line_of(result, "marker:"), line_of(result, "code:"))


def test_the_header_says_mode_and_directory_with_their_sources(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header is the first place to look when something was recorded unexpectedly."""
    suite.write("test_none.py", "def test_none(): pass")
    headers = [line_of(suite.run(), "inference_recorder:")]
    monkeypatch.setenv("OGX_TEST_INFERENCE_MODE", "live")
    monkeypatch.setenv("OGX_TEST_RECORDING_DIR", "/elsewhere")
    headers.append(line_of(suite.run(), "inference_recorder:"))
    headers.append(line_of(suite.run("--inference-mode=replay", "--inference-recordings=here"), "inference_recorder:"))

    assert [
        "inference_recorder: replay (by default), recordings in recordings (by default)",
        "inference_recorder: live (OGX_TEST_INFERENCE_MODE), recordings in /elsewhere (OGX_TEST_RECORDING_DIR)",
        "inference_recorder: replay (--inference-mode), recordings in here (--inference-recordings)",
    ] == headers


@pytest.mark.parametrize("source", ["option", "table", "environment"])
def test_an_unknown_mode_is_a_usage_error(source: str, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes before any test runs, and names what has to be corrected."""
    suite.write("test_none.py", "def test_none(): pass")
    arguments = []
    if source == "option":
        arguments.append("--inference-mode=rekord")
    elif source == "table":
        suite.configure('mode = "rekord"')
    else:
        monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "rekord")

    result = suite.run(*arguments)

    names = {
        "option": "--inference-mode",
        "table": "mode in [[]tool.inference_recorder]",
        "environment": "LLAMA_STACK_TEST_INFERENCE_MODE",
    }
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([f"*{names[source]} is 'rekord'; it must be one of live, record, *"])


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_suite_is_recorded_once_and_replayed(is_async: bool, suite: Suite) -> None:
    """This is every user's first day."""
    call = "@pytest.mark.asyncio\n    async def test_it(): await ask_async()" if is_async else "def test_it(): ask()"
    suite.write("test_it.py", f"    @pytest.mark.inference_recording\n    {call}\n")
    missed = suite.run()
    recorded = suite.run("--inference-mode=record-if-missing")
    replayed = suite.run()

    missed.assert_outcomes(failed=1)
    recorded.assert_outcomes(passed=1)
    replayed.assert_outcomes(passed=1)
    assert (1, ["test_it.py::test_it"]) == (suite.server.count, suite.test_ids())


@pytest.mark.parametrize("ci", ["true", "1"])
@pytest.mark.parametrize("source", ["option", "environment"])
def test_ci_does_not_record_by_itself(source: str, ci: str, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that CI makes is paid for and thrown away, and hides the one that is missing."""
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    monkeypatch.setenv("CI", ci)
    arguments = ["--inference-mode=record"] if source == "option" else []
    if source == "environment":
        monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "record-if-missing")

    refused = suite.run(*arguments)
    allowed = suite.run(*arguments, "--inference-allow-recording")

    assert pytest.ExitCode.USAGE_ERROR == refused.ret
    refused.stderr.fnmatch_lines(["*CI is set in the environment*--inference-allow-recording*"])
    allowed.assert_outcomes(passed=1)
    assert 1 == suite.server.count


def test_ci_does_not_record_for_a_marker_either(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marker left behind from yesterday's recording."""
    suite.write(
        "test_it.py", "@pytest.mark.inference_recording('record')\ndef test_it(): ask()\ndef test_other(): pass"
    )
    monkeypatch.setenv("CI", "true")

    result = suite.run()

    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["the marker says record, but CI is set in the environment*"])
    assert 0 == suite.server.count


IN_CODE = """
    def test_argument():
        with inference_recording("record"):
            ask()

    def test_environment(monkeypatch):
        monkeypatch.setenv("OGX_TEST_INFERENCE_MODE", "record-if-missing")
        with inference_recording():
            ask()

    def test_directory_of_its_own(tmp_path):
        with inference_recording("record", tmp_path):
            ask()
"""


@pytest.mark.parametrize("directory", ["", "recordings_beside_tests"])
def test_ci_does_not_record_for_the_code_either(directory: str, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that records into its tmp_path tests recording itself, and is allowed to."""
    suite.configure(f"{directory} = true" if directory else "")
    suite.write("tests/test_it.py", IN_CODE)
    monkeypatch.setenv("CI", "true")

    refused = suite.run("--basetemp=tmp")
    allowed = suite.run("--basetemp=tmp", "--inference-allow-recording")

    refused.assert_outcomes(failed=2, passed=1)
    refused.stdout.fnmatch_lines(
        [
            "inference_recording() says record, but CI is set in the environment*--inference-allow-recording*",
            "OGX_TEST_INFERENCE_MODE says record-if-missing, but CI is set in the environment*",
        ]
    )
    allowed.assert_outcomes(passed=3)
    assert 1 + 3 == suite.server.count


@pytest.mark.parametrize("ci", ["", "0", "false", "False"])
def test_ci_with_a_false_value_does_not_count(ci: str, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some shells set it to a false value."""
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    monkeypatch.setenv("CI", ci)

    suite.run("--inference-mode=record").assert_outcomes(passed=1)


def test_recording_without_a_key_says_so_once_at_the_start(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred tests fail with the SDK's error for it; the reason comes before the first, and what it says works."""
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    start = "mode record sends every call, and "
    first_lines = []
    for key in (None, "unused", "sk-real"):
        if key is not None:
            monkeypatch.setenv("OPENAI_API_KEY", key)
        result = suite.run("-q", "--inference-mode=record")
        result.assert_outcomes(passed=1)  # its client gets another key
        first_lines.append(result.outlines[:2])

    second = "  set it if your clients get no other key; --inference-mode=replay needs none"
    assert [
        [f"{start}no OPENAI_API_KEY is set", second],
        [f"{start}OPENAI_API_KEY is 'unused'", second],
    ] == first_lines[:2]
    assert not any("mode record sends" in line for line in first_lines[2])
    assert ["test_it.py::test_it"] == suite.test_ids()
