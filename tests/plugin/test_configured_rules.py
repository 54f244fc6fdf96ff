"""`redact`, `secret_env` and `normalize` in the configuration apply to every recorder of the run."""

from __future__ import annotations

import pytest

from ..support.secret_table import SECRETS
from .conftest import Suite

SECRET, OTHER = "ticket-7314-alpha", "ticket-9021-omega"
ONE, TWO = (f"123e4567-e89b-12d3-a456-4266141740{number}" for number in (10, 22))
TABLE = "[tool.pytest.ini_options]\n[tool.inference_recorder]\n"


def texts(suite: Suite) -> list[str]:
    """Return the prompts of the recordings."""
    return sorted(one["request"]["body"]["messages"][0]["content"] for one in suite.recordings())


@pytest.mark.parametrize("written", ["pattern", "pattern's group"])
def test_what_a_configured_pattern_finds_reaches_no_file(written: str, suite: Suite) -> None:
    """A rule that has to be repeated in hundreds of markers is missing in one of them."""
    pattern = "(?:ticket-)(?P<secret>\\\\d{4}-\\\\w+)" if "group" in written else "ticket-\\\\d{4}-\\\\w+"
    suite.pytester.makepyprojecttoml(f'{TABLE}redact = ["nothing-like-it", "{pattern}"]')

    for value, mode in ((SECRET, "record"), (OTHER, "replay")):
        suite.write("test_it.py", f"def test_it(inference_session): ask('Close {value}')")
        suite.run(f"--inference-mode={mode}").assert_outcomes(passed=1)

    assert ["Close ticket-__REDACTED_1__" if "group" in written else "Close __REDACTED_1__"] == texts(suite)
    assert 1 == suite.server.count


def test_what_the_code_says_is_a_secret_is_added_to_it(suite: Suite) -> None:
    """An argument about one secret must not let another through."""
    suite.pytester.makepyprojecttoml(f'{TABLE}redact = ["ticket-\\\\d+-\\\\w+"]')
    suite.write(
        "test_it.py",
        f"""
        @pytest.mark.inference_recording(redact=["my-dear-aunt"])
        def test_marker(): ask("{SECRET} of my-dear-aunt")

        @inference_recording(redact=["my-dear-uncle"])
        def test_decorator(): ask("{SECRET} of my-dear-uncle")
        """,
    )

    suite.run("--inference-mode=record").assert_outcomes(passed=2)

    assert ["__REDACTED_1__ of __REDACTED_2__"] * 2 == texts(suite)


@pytest.mark.parametrize("written", ["table", "marker"])
def test_configured_variables_are_secrets_or_none(written: str, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret's variable is not always named like one, and a variable named *_KEY is not always a secret."""
    monkeypatch.setenv("WIKI_LOGIN", "bert-brown")
    monkeypatch.setenv("SORT_KEY", "last-name-then-first")
    marker = ""
    if written == "table":
        suite.pytester.makepyprojecttoml(f'{TABLE}secret_env = ["wiki_*", "!SORT_KEY"]')
    else:
        marker = '@pytest.mark.inference_recording(secret_env=["WIKI_LOGIN", "!SORT_*"])'
    test = f"{marker}\ndef test_it({'' if marker else 'inference_session'}): ask('bert-brown by last-name-then-first')"
    suite.write("test_it.py", test)

    for mode in ("record", "replay"):
        suite.run(f"--inference-mode={mode}").assert_outcomes(passed=1)

    assert ["__REDACTED_1__ by last-name-then-first"] == texts(suite)


def test_the_setting_that_a_miss_names_makes_it_go_away(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some shell has a variable that is named as a secret, and its value is a word of the prompts."""
    text = f"Deploy staging-environment with {SECRETS[0].one}"
    suite.write("test_it.py", f"def test_it(inference_session): ask({text!r})")
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    monkeypatch.setenv("DEPLOY_KEY", "staging-environment")

    missed = suite.run()
    [line] = {line.strip("E ") for line in missed.outlines if line.startswith("E") and "secret_env = " in line}
    suite.pytester.makepyprojecttoml(f"{TABLE}{line.partition('  (')[0]}")

    missed.assert_outcomes(failed=1)
    suite.run().assert_outcomes(passed=1)


def test_a_rule_of_a_marker_is_refused_without_its_text(suite: Suite) -> None:
    """The error names the test and the rule; the rule may be a secret."""
    suite.write("test_it.py", '@pytest.mark.inference_recording(redact=["long-enough", "ted"])\ndef test_it(): pass')

    result = suite.run()

    result.stdout.fnmatch_lines(
        ["*test_it.py::test_it: @pytest.mark.inference_recording: redact= *redact[[]1] has 3: *"]
    )
    assert "long-enough" not in result.stdout.str()


def test_a_configured_normalizer_is_left_out_of_every_key(suite: Suite) -> None:
    """A suite whose prompts name runs has them in all its tests."""
    suite.pytester.makepyprojecttoml(f'{TABLE}normalize = ["dates", "uuids"]')
    test = """
        def test_session(inference_session): ask("Look up {0}")

        def test_context():
            with inference_recording(): ask("Look up {0}")
    """

    for uuid, mode in ((ONE, "record"), (TWO, "replay")):
        suite.write("test_it.py", test.format(uuid))
        suite.run(f"--inference-mode={mode}").assert_outcomes(passed=2)

    assert 2 == suite.server.count


def test_a_rule_with_a_path_is_a_table(suite: Suite) -> None:
    """The built-in normalizers do not know a project's own numbers."""
    rule = '{ path = "$.messages[*].content", pattern = "run \\\\d+", placeholder = "run N" }'
    suite.pytester.makepyprojecttoml(f"{TABLE}normalize = [{rule}]")

    for number, mode in ((1, "record"), (2, "replay")):
        suite.write("test_it.py", f"def test_it(inference_session): ask('Sum up run {number}.')")
        suite.run(f"--inference-mode={mode}").assert_outcomes(passed=1)

    assert ["Sum up run 1."] == texts(suite)


@pytest.mark.parametrize(
    "recorder", ["@pytest.mark.inference_recording(normalize={})", "@inference_recording(normalize={})"]
)
@pytest.mark.parametrize(("own", "found"), [([], False), (["dates"], False), (["uuids"], True)])
def test_normalizers_of_its_own_replace_the_configured_ones(
    own: list[str], found: bool, recorder: str, suite: Suite
) -> None:
    """A test of ids must be able to keep them in its key."""
    suite.pytester.makepyprojecttoml(f'{TABLE}normalize = ["uuids"]')

    for uuid, mode in ((ONE, "record"), (TWO, "replay")):
        suite.write("test_it.py", f"{recorder.format(own)}\ndef test_it(): ask('Look up {uuid}')")
        suite.run(f"--inference-mode={mode}").assert_outcomes(
            passed=int(mode == "record" or found), failed=int(mode == "replay" and not found)
        )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('redact = "x"', "redact in [[]tool.inference_recorder] is of type str; it must be a list"),
        (
            "redact = [1]",
            "redact in *: rule 1 is of type int; it takes regular expressions, as strings",
        ),
        ('redact = [""]', "redact in *: rule 1 is empty; it takes regular expressions, as strings"),
        ('redact = ["a(b)", "a("]', "redact in *: rule 2 is not a regular expression: *"),
        ('redact = ["a(b)", "ted"]', "redact in *: rule 2 is a text of fewer than 4 characters, *"),
        ("secret_env = [1]", "secret_env in * takes names of environment variables, *: not 1"),
        ('secret_env = ["A=b"]', "secret_env in * takes names of *: not an assignment"),
        (
            'normalize = ["uuid"]',
            "normalize in *: there is no normalizer 'uuid'; the built-in ones are cwd, *",
        ),
        ("normalize = [[1]]", "normalize in * holds [[]1]; it takes names and tables of path, *"),
        ('normalize = [{path = "x"}]', "normalize in *: 'x' is not a JSON path: *"),
        ("normalize = [{path = 1}]", "normalize in * holds {'path': 1}; it takes names and tables *"),
        ('normalize = [{where = "$.a"}]', "normalize in *: {'where': '$.a'} is not a normalizer; *"),
    ],
)
def test_an_invalid_rule_is_a_usage_error(setting: str, message: str, suite: Suite) -> None:
    """The error names the file and the key; a rule that is ignored would leave a secret in a file."""
    suite.configure(setting)
    suite.write("test_none.py", "def test_none(): pass")

    result = suite.run()

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([f"*pyproject.toml: {message}"])
