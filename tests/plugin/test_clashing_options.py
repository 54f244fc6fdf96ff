"""Options of a conftest.py that have the names of ours, as llama-stack's and ogx's have."""

from __future__ import annotations

import re

import pytest

from .conftest import Suite, line_of

# What llama-stack's tests/integration/conftest.py does with its options, in its order.
LLAMA_STACK = """
    import os

    def pytest_addoption(parser):
        parser.addoption("--stack-config", help="a server or a library client")
        parser.addoption("--env", action="append")
        parser.addoption("--text-model")
        modes = ["record", "replay", "live", "record-if-missing"]
        parser.addoption("--inference-mode", choices=modes, default="replay")
        parser.addoption("--suite")
        parser.addoption("--setup")

    def pytest_configure(config):
        for pair in config.getoption("--env") or []:
            name, value = pair.split("=", 1)
            os.environ[name] = value
        os.environ["LLAMA_STACK_TEST_INFERENCE_MODE"] = config.getoption("--inference-mode")
        if config.getoption("--setup") and config.option.text_model is None:
            config.option.text_model = "gpt-4o"

    def pytest_sessionstart(session):
        stack = session.config.getoption("--stack-config", default=None) or ""
        kind = "server" if stack.startswith("server:") else "library_client"
        os.environ["LLAMA_STACK_TEST_STACK_CONFIG_TYPE"] = kind

    def pytest_generate_tests(metafunc):
        if "text_model_id" in metafunc.fixturenames:
            metafunc.parametrize("text_model_id", [metafunc.config.option.text_model])
"""
TEST = """
    import os

    def test_it(inference_session, request, text_model_id):
        theirs = request.config.getoption("--inference-mode"), os.environ["LLAMA_STACK_TEST_INFERENCE_MODE"]
        print("\\nmodes:", *theirs, inference_session.mode, text_model_id)
        try_to_ask()
"""

PRINTS = """
    def test_it(inference_session, request):
        names = ["--inference-mode", "--inference-prune", "--inference-report", "--inference-strict"]
        print("\\ngot:", *(request.config.getoption(name) for name in names), inference_session.mode)
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLAMA_STACK_TEST_INFERENCE_MODE", "LLAMA_STACK_TEST_STACK_CONFIG_TYPE"):
        monkeypatch.setenv(name, "")  # what a conftest.py sets is undone


@pytest.mark.parametrize("where", ["rootdir", "argument", "later"])
@pytest.mark.parametrize("given", [None, "replay", "live", "record-if-missing"])
@pytest.mark.quick_cases(2)
def test_a_conftest_may_have_its_own_mode_option(given: str | None, where: str, suite: Suite) -> None:
    """llama-stack's own suite did not start once this plugin was installed."""
    if where == "later" and pytest.version_tuple < (9, 1):
        pytest.skip("before pytest 9.1, an option of a conftest.py that is loaded late has no value")
    directory = "" if where == "rootdir" else "tests/integration/"
    suite.write(f"{directory}conftest.py", LLAMA_STACK)
    suite.write(f"{directory}test_it.py", TEST)
    theirs = [] if where == "later" else ["--setup=gpt", "--env", "A=b"]
    arguments = [directory] if where == "argument" else []

    result = suite.run("-s", *([] if given is None else ["--inference-mode", given]), *theirs, *arguments)

    mode = given or "replay"
    assert f"modes: {mode} {mode} {mode} {None if where == 'later' else 'gpt-4o'}" == line_of(result, "modes:")
    assert (mode in ("live", "record-if-missing")) == suite.server.count
    assert (mode == "record-if-missing") == len(suite.files())


@pytest.mark.slow
@pytest.mark.parametrize("given", [None, "record-if-missing"])
@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_conftests_mode_reaches_workers(workers: str, given: str | None, suite: Suite) -> None:
    """Workers of pytest-xdist get options as values, not as a command line."""
    suite.write("tests/integration/conftest.py", LLAMA_STACK)
    suite.write("tests/integration/test_it.py", TEST)
    options = [] if given is None else [f"--inference-mode={given}"]

    result = suite.run_apart("tests/integration", workers, "--text-model=m", *options)
    replayed = suite.run_apart("tests/integration", workers, "--text-model=m")

    assert (given is not None, given is not None) == (bool(suite.server.count), bool(suite.files()))
    result.stdout.fnmatch_lines([f"*{'1 recorded, 0' if given else '0 recorded, 1'} missed*"])
    replayed.stdout.fnmatch_lines([f"*{'1 replayed, 0 recorded, 0' if given else '0 replayed, 0 recorded, 1'} missed*"])


def our_options(suite: Suite) -> list[str]:
    return sorted(set(re.findall(r"--inference-[a-z-]+", suite.run("--help").stdout.str())))


def options_of_a_conftest(names: list[str]) -> str:
    return "".join(
        ["def pytest_addoption(parser):\n", *(f"    parser.addoption({name!r}, default='theirs')\n" for name in names)]
    )


def test_a_conftest_may_have_any_of_our_options(suite: Suite) -> None:
    """What such an option means is the project's business: it must not delete recordings or write a page of ours."""
    names = our_options(suite)
    suite.write("conftest.py", options_of_a_conftest(names))
    suite.write("test_it.py", PRINTS)

    result = suite.run("-s", "--inference-mode=gpu", "--inference-prune=delete", "--inference-report=page.html")

    assert 9 == len(names) == len(set(our_options(suite)))
    assert "got: gpu delete page.html theirs replay" == line_of(result, "got:")
    assert not (suite.directory / "page.html").exists()
    assert not [line for line in result.outlines if "prune" in line]


@pytest.mark.slow
def test_a_conftest_that_is_loaded_late_may_have_any_of_our_options(suite: Suite) -> None:
    """pytest does not parse them, but they have their defaults."""
    suite.write("later/deeper/conftest.py", options_of_a_conftest(our_options(suite)))
    suite.write("later/deeper/test_it.py", PRINTS)

    result = suite.run("-s", "--inference-report=page.html")

    assert "got: theirs theirs theirs theirs replay" == line_of(result, "got:")
    assert (suite.directory / "page.html").exists()


def test_a_conftest_reads_our_options_by_their_names(suite: Suite) -> None:
    """A project that removes its own option asks for ours."""
    suite.write(
        "conftest.py", "    def pytest_configure(config): print('\\nread:', config.getoption('--inference-mode'))"
    )
    suite.write("test_none.py", "def test_none(): pass")

    assert "read: live" == line_of(suite.run("-s", "--inference-mode=live"), "read:")
