"""`--inference-prune`: what it says and deletes. In which runs it deletes what, `test_prune_ways.py` shows."""

from __future__ import annotations

import shlex

import pytest

from .conftest import Suite, line_of

PRUNE, DELETE = "--inference-prune", "--inference-prune=delete"


def recorded(suite: Suite) -> None:
    """Record a suite; then remove one of its tests, make one use less, and leave one as it is."""
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
    """Look first, then delete."""
    recorded(suite)

    result = suite.run(PRUNE)

    result.assert_outcomes(passed=2)
    [needless] = [line.partition(": ")[2] for line in result.outlines if line.startswith("  recordings/")]
    assert f"its test passed and did not use it ({START}test_less)" == needless
    start = result.outlines.index("  kept, since no test with their id was found:")
    assert [
        f"    {START}test_gone: 1",
        f"    to remove them: inference-recorder rm {START}test_gone",
        "to prune: 1 recording, 1 kept that no test used (--inference-prune=delete deletes)",
    ] == result.outlines[start + 1 : start + 4]
    assert 4 == len(suite.files())


def test_no_command_removes_what_belongs_to_tests_that_were_not_collected(suite: Suite) -> None:
    """A user who prunes one file would otherwise paste the command that deletes the rest of the suite."""
    recorded(suite)
    suite.write(
        "test_other.py",
        """
        @pytest.fixture(scope="module")
        def wide(): ask("wide")
        @pytest.fixture(scope="session")
        def widest(): ask("widest")
        @pytest.mark.parametrize("n", "ab")
        def test_other(n, inference_session, wide, widest): ask(n)
        """,
    )
    suite.run("--inference-mode=record", "test_other.py").assert_outcomes(passed=2)
    suite.write("test_only.py", "def test_only(inference_session): pass")

    result = suite.run("test_only.py", f"{START}test_same", PRUNE)
    of_parameter = suite.run("test_other.py::test_other[a]", PRUNE)

    start = result.outlines.index("  kept, since their tests were not collected in this run:")
    listed = {line.strip() for line in result.outlines[start + 1 : start + 4]}
    assert {f"{START}test_less: 2", "test_other.py::test_other[a]: 1", "test_other.py::test_other[b]: 1"} == listed
    assert f"    to remove them: inference-recorder rm {START}test_gone" == line_of(result, "    to remove them: ")
    assert "    test_other.py::test_other[b]: 1" in of_parameter.outlines
    assert f"    to remove them: inference-recorder rm {START}test_gone" == line_of(
        of_parameter, "    to remove them: "
    )


def test_what_a_file_says_does_not_steer_the_terminal(suite: Suite) -> None:
    """A recording from a stranger's pull request that belongs to no test is printed when somebody prunes."""
    recorded(suite)
    for path in (suite.directory / "recordings").glob("*.json"):
        path.write_text(path.read_text().replace(f"{START}test_gone", f"{START}test_\\u001b[2Jgone\\n"))

    result = suite.run(PRUNE)

    assert f"{START}test_\\u001b[2Jgone\\n: 1" in str(result.stdout)
    assert "inference-recorder rm" not in str(result.stdout)
    assert "\x1b" not in str(result.stdout)


@pytest.mark.parametrize("workers", [None, pytest.param(2, marks=pytest.mark.slow)], ids=["one process", "two workers"])
def test_it_deletes_what_it_would_list(workers: int | None, suite: Suite) -> None:
    """Nothing else is deleted: the suite replays afterwards."""
    recorded(suite)

    result = suite.run(DELETE) if workers is None else suite.run_apart(DELETE, "-n", str(workers))

    result.assert_outcomes(passed=2)
    assert "pruned: 1 recording deleted, 1 kept that no test used" in result.outlines
    assert [f"{START}test_gone", f"{START}test_less", f"{START}test_same"] == suite.test_ids()
    suite.run().assert_outcomes(passed=2)


@pytest.mark.slow
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
def test_what_a_test_did_not_ask_for_goes_whatever_became_of_others(
    change: str, arguments: list[str], suite: Suite
) -> None:
    """Only the test's own pass shows that; no run counts as the whole suite."""
    recorded(suite)
    suite.write("tests/test_other.py", change)

    result = suite.run_apart(DELETE, *arguments) if "Keyboard" in change else suite.run(DELETE, *arguments)

    result.stdout.fnmatch_lines(["pruned: 1 recording deleted, 1 kept that no test used"])
    assert [f"{START}test_gone", f"{START}test_less", f"{START}test_same"] == suite.test_ids()


@pytest.mark.slow
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
    """A test that was skipped today may run tomorrow."""
    recorded(suite)
    suite.write("tests/test_other.py", "def test_other(): pass")
    suite.write("tests/test_it.py", f"    def test_same(inference_session): ask()\n    {test}\n")

    suite.run(DELETE, *arguments)

    assert [f"{START}test_less", f"{START}test_less"] == [
        test_id for test_id in suite.test_ids() if "less" in str(test_id)
    ]


def test_what_several_tests_share_is_only_listed(suite: Suite) -> None:
    """A passing test does not show whether another one needs the recording."""
    suite.write(
        "test_it.py",
        """
        @pytest.fixture(scope="module")
        def wide(): ask("wide")

        def test_it(inference_session, wide):
            with inference_recording(scope="shared"): ask("shared")
        """,
    )
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    suite.write("test_it.py", "def test_it(inference_session): pass")

    result = suite.run(DELETE)

    assert [
        "  kept, since they belong to fixtures that several tests share:",
        "    test_it.py@wide: 1",
        "    to remove them: inference-recorder rm test_it.py@wide",
        "  kept, since they have no test id: scripts made them, or tests share them:",
        "    no test id: 1",
        "pruned: 0 recordings deleted, 2 kept that no test used",
    ] == result.outlines[-7:-1]
    assert "recordings: 0 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(result, "recordings:")
    assert [None, "test_it.py@wide"] == suite.test_ids()


def test_the_command_names_the_listed_tests_as_a_shell_takes_them(suite: Suite) -> None:
    """The command is there to be pasted; a long one is cut like the list."""
    ids = [f"a b'{n}\"$x" for n in range(12)]
    text = f"@pytest.mark.parametrize('n', {ids!r})\ndef test_it(n, inference_session): ask(n)"
    suite.write("test_it.py", text)
    suite.run("--inference-mode=record").assert_outcomes(passed=12)
    suite.write("test_it.py", "def test_other(inference_session): pass")

    short, full = suite.run(PRUNE), suite.run(PRUNE, "-v")

    recorded_ids = suite.test_ids()
    for result, count in ((short, 10), (full, 12)):
        command = line_of(result, "    to remove them: ").partition(": ")[2]
        removed = shlex.split(command)[2:]
        assert (count, True) == (len(removed), set(removed) <= set(recorded_ids))


def test_no_printed_command_removes_what_was_used(suite: Suite) -> None:
    """All recordings of a fixture have one id, the used ones too."""
    text = """
        @pytest.fixture(scope="module")
        def wide(): ask("wide"){more}

        def test_it(inference_session, wide): pass
        """
    suite.write("test_it.py", text.format(more="; ask('more')"))
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    suite.write("test_it.py", text.format(more=""))

    result = suite.run(PRUNE)

    assert "    test_it.py@wide: 1" in result.outlines
    assert "inference-recorder rm" not in str(result.stdout)


def test_a_value_it_does_not_know_is_a_usage_error(suite: Suite) -> None:
    """`--inference-prune tests` would otherwise run everything."""
    result = suite.run("--inference-prune", "tests")

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*it takes only =delete, not 'tests'*"])


def test_a_directory_outside_of_rootdir_is_left_alone(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another suite that records there may have a test with the same id."""
    elsewhere = str(tmp_path_factory.mktemp("elsewhere"))
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    suite.run("--inference-mode=record", f"--inference-recordings={elsewhere}").assert_outcomes(passed=1)
    suite.write("test_it.py", "def test_it(inference_session): pass")

    result = suite.run(DELETE, f"--inference-recordings={elsewhere}")

    assert 1 == len(suite.files(elsewhere))
    assert "  kept, since they are outside rootdir, where other suites may keep theirs:" in result.outlines
    assert "recordings: 0 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(result, "recordings:")


def test_a_link_out_of_rootdir_leads_outside(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The suites that share a directory may each have a link to it."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (suite.directory / "recordings").symlink_to(elsewhere)
    suite.write("test_it.py", "def test_it(inference_session): ask()")
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    suite.write("test_it.py", "def test_it(inference_session): pass")

    suite.run(DELETE).assert_outcomes(passed=1)

    assert 1 == len(suite.files(str(elsewhere)))


@pytest.mark.slow
def test_directories_elsewhere_are_left_alone(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A test that records into its own directory outside the project has its reasons."""
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
