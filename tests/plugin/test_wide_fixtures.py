"""Fixtures wider than a test, recorded once a run: by several workers, again and again, and by a part of the suite."""

from __future__ import annotations

import pytest

from .conftest import Suite, line_of
from .noting import noted, write_tests

RECORD = "--inference-mode=record"

SUITE = """
    import pytest_asyncio

    @pytest.fixture(scope="session")
    def of_session():
        yield ask("wide")
        ask("wide")

    @pytest.fixture(scope="package")
    def of_package(): return ask("wide")

    @pytest.fixture(scope="module")
    def of_module(of_session): return ask(f"module, after {of_session}")

    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    async def of_class(of_module): return await ask_async(f"class, after {of_module}")

    @pytest.mark.asyncio(loop_scope="class")
    class TestIt:
        @pytest.mark.parametrize("number", range(4))
        async def test_it(self, number, of_session, of_package, of_module, of_class):
            note(of_session, of_package, of_module, of_class)
            note(await ask_async(f"{number} {of_session} {of_package} {of_module} {of_class}"))

    @pytest.mark.parametrize("number", range(4))
    def test_plain(number, of_session, of_module): note(ask(f"{number} {of_session} {of_module}"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("mode", [RECORD, "--inference-mode=record-if-missing"])
def test_one_worker_of_a_run_records_what_all_need(mode: str, workers: int, suite: Suite) -> None:
    """Each recorded the session fixture's call, the last one won, and tests whose prompts held another's missed."""
    suite.write("pkg/__init__.py", "")
    write_tests(suite, SUITE, "pkg/test_it.py")

    suite.run_apart(mode, f"-n{workers}").assert_outcomes(passed=8)

    live = noted(suite)
    assert 8 + 5 == suite.server.count
    for arguments in (["-n0"], ["-n2"], ["-n0", "-p", "randomly", "--randomly-seed=3"], ["-n0", "-k", "3"]):
        replayed = suite.run_apart(*arguments)
        assert pytest.ExitCode.OK == replayed.ret
        answers = noted(suite)
        assert answers == {name: live[name] for name in answers}
        assert " 0 recorded, 0 missed, 0 live, " in line_of(replayed, "recordings:")
    assert 8 + 5 == suite.server.count
