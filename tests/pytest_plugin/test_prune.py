"""`--inference-prune`: recordings that no test needs any more."""

from __future__ import annotations

import pytest

from .conftest import Suite

PRUNE, DELETE = "--inference-prune", "--inference-prune=delete"


def recorded(suite: Suite) -> None:
    """Record a suite, of which a test then goes, one asks for less, and one stays as it is."""
    suite.write(
        "tests/test_it.py",
        """
        pytestmark = pytest.mark.inference_recording
        def test_gone(): ask()
        def test_less(): ask(); ask("more")
        def test_same(): ask()
        """,
    )
    suite.run("--inference-mode=record").assert_outcomes(passed=3)
    suite.write(
        "tests/test_it.py",
        """
        pytestmark = pytest.mark.inference_recording
        def test_less(): ask()
        def test_same(): ask()
        """,
    )


START = "tests/test_it.py::"


def test_it_lists_with_reasons_and_deletes_nothing(suite: Suite) -> None:
    """Whoever prunes wants to look before."""
    recorded(suite)

    result = suite.run(PRUNE)

    result.assert_outcomes(passed=2)
    lines = [line.partition(": ")[2] for line in result.outlines if line.startswith("  recordings/")]
    assert [
        f"its test passed and did not ask for it ({START}test_less)",
        f"there is no such test any more ({START}test_gone)",
    ] == sorted(lines)
    assert "to prune: 2 recordings (--inference-prune=delete deletes)" in result.outlines
    assert 4 == len(suite.files())


def test_what_a_file_says_does_not_steer_the_terminal(suite: Suite) -> None:
    """A recording of a stranger's pull request that belongs to no test is shown to whoever prunes."""
    recorded(suite)
    for path in (suite.folder / "recordings").glob("*.json"):
        path.write_text(path.read_text().replace(f"{START}test_gone", f"{START}test_\\u001b[2Jgone\\n"))

    result = suite.run(PRUNE)

    assert f"there is no such test any more ({START}test_\\u001b[2Jgone\\n)" in str(result.stdout)
    assert "\x1b" not in str(result.stdout)


@pytest.mark.parametrize("workers", [None, pytest.param(2, marks=pytest.mark.slow)], ids=["one process", "two workers"])
def test_it_deletes_what_it_would_list(workers: int | None, suite: Suite) -> None:
    """And nothing else: the suite replays afterwards."""
    recorded(suite)

    result = suite.run(DELETE) if workers is None else suite.run_apart(DELETE, "-n", str(workers))

    result.assert_outcomes(passed=2)
    assert "pruned: 2 recordings deleted" in result.outlines
    assert [f"{START}test_less", f"{START}test_same"] == suite.test_ids()
    suite.run().assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        ("def test_other(): assert 0", []),
        ("", ["tests"]),
        ("", ["--ignore=elsewhere"]),
        pytest.param("def test_other(): raise KeyboardInterrupt", [], marks=pytest.mark.slow),
    ],
    ids=["a failure", "a folder named", "something left out", "interrupted"],
)
def test_tests_that_are_gone_are_looked_for_after_a_whole_passed_run_only(
    change: str, arguments: list[str], suite: Suite
) -> None:
    """A part of a suite does not show what is not needed; that a test asked for less, its own passing does."""
    recorded(suite)
    suite.write("tests/test_other.py", change)

    result = suite.run_apart(DELETE, *arguments) if "Keyboard" in change else suite.run(DELETE, *arguments)

    result.stdout.fnmatch_lines(["*this was no passed run of the whole suite*", "pruned: 1 recording deleted"])
    assert [f"{START}test_gone", f"{START}test_less", f"{START}test_same"] == suite.test_ids()


@pytest.mark.parametrize(
    ("test", "arguments"),
    [
        ("def test_less(): pytest.skip()", []),
        ("@pytest.mark.skip\n    def test_less(): pass", []),
        ("def test_less(): pass", ["-k", "same"]),
        ("@pytest.mark.slow\n    def test_less(): pass", ["-m", "not slow"]),
        ("@pytest.mark.xfail\n    def test_less(): assert 0", []),
        ("pytest.skip(allow_module_level=True)", []),
    ],
    ids=["skipped inside", "skipped", "-k", "-m", "xfail", "whole module skipped"],
)
def test_what_did_not_run_loses_nothing(test: str, arguments: list[str], suite: Suite) -> None:
    """Tomorrow it runs again."""
    recorded(suite)
    suite.write("tests/test_other.py", "def test_other(): pass")
    suite.write("tests/test_it.py", f"    def test_same(inference_session): ask()\n    {test}\n")

    suite.run(DELETE, *arguments)

    assert [f"{START}test_less", f"{START}test_less"] == [
        test_id for test_id in suite.test_ids() if "less" in str(test_id)
    ]


def test_what_nobody_of_a_wholly_passed_suite_read_goes(suite: Suite) -> None:
    """Shared recordings and those of wider fixtures have no one test whose passing tells."""
    suite.write(
        "test_it.py",
        """
        @pytest.fixture(scope="module")
        def wide(): ask("wide")

        def test_it(inference_session, wide):
            for text in ("shared", "in use"):
                with inference_recording(scope="shared"): ask(text)

        def test_other(): pass
        """,
    )
    suite.run("--inference-mode=record").assert_outcomes(passed=2)
    suite.write(
        "test_it.py",
        """
        def test_it():
            with inference_recording(scope="shared"): ask("in use")

        def test_other(): pass
        """,
    )
    suite.run(DELETE, "-k", "not other")
    after_a_part = suite.test_ids()
    result = suite.run(DELETE)

    assert [None, None, "test_it.py@wide"] == after_a_part
    result.stdout.fnmatch_lines(["*: every test passed and none asked for it (test_it.py@wide)"])
    assert [None] == suite.test_ids()


def test_a_value_it_does_not_know_is_a_usage_error(suite: Suite) -> None:
    """`--inference-prune tests` would else run everything."""
    result = suite.run("--inference-prune", "tests")

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*it takes only =delete, not 'tests'*"])


def test_folders_elsewhere_are_left_alone(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A test that records into a folder of its own outside the project has its reasons."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    suite.write(
        "test_it.py",
        f"""
        def test_it():
            with inference_recording("record", {str(elsewhere)!r}): ask()
        """,
    )
    suite.run().assert_outcomes(passed=1)
    suite.write(
        "test_it.py",
        f"def test_it():\\n    with inference_recording(storage_dir={str(elsewhere)!r}): pass".replace("\\n", "\n"),
    )

    suite.run(DELETE).assert_outcomes(passed=1)

    assert 1 == len(suite.files(str(elsewhere)))
