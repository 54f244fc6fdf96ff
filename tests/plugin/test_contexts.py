"""Calls of threads without context in a suite: where each test has one session inside the other, none is refused."""

from __future__ import annotations

import pytest

from .conftest import Suite, line_of

THREAD = """
    import contextvars, threading

    def ask_in_a_thread(text):
        outcomes = []
        def run():
            try:
                outcomes.append(ask(text))
            except Exception as error:
                outcomes.append(error)
        thread = threading.Thread(target=contextvars.Context().run, args=(run,))
        thread.start()
        thread.join(30)
        if isinstance(outcomes[0], Exception):
            raise outcomes[0]
"""
MARKS = {"asyncio": "pytest.mark.asyncio(loop_scope='SCOPE')", "anyio": "pytest.mark.anyio"}
FIXTURES = {
    "asyncio": "import pytest_asyncio\n    fixture = pytest_asyncio.fixture(scope='SCOPE', loop_scope='SCOPE')",
    "anyio": "fixture = pytest.fixture(scope='SCOPE')\n"
    "    @pytest.fixture(scope='SCOPE')\n    def anyio_backend(): return 'asyncio'",
}
SUITE = """
    FIXTURE

    @fixture
    async def calling():
        await ask_async("fixture")
        ask_in_a_thread("fixture's thread")
        yield
        await ask_async("teardown")
        ask_in_a_thread("teardown's thread")

    @pytest.mark.inference_recording
    @MARK
    @pytest.mark.parametrize("n", range(2))
    async def test_it(n, calling):
        await ask_async(f"test {n}")
        ask_in_a_thread(f"test {n}'s thread")
        with inference_recording(test_id="own"):
            await ask_async(f"own {n}")
            ask_in_a_thread(f"own {n}'s thread")
"""
OWN = """
    FIXTURE

    @fixture
    async def own():
        with inference_recording(storage_dir="FOLDER") as session:
            yield session

    @fixture
    async def inner(own):
        with inference_recording(storage_dir="FOLDER/inner") as session:
            yield session

    @MARK
    @pytest.mark.parametrize("n", range(2))
    async def test_it(n, inner, own):
        await ask_async(f"test {n}")
        ask_in_a_thread(f"test {n}'s thread")
        assert (0, 2 * n + 2) == (own.counts.total(), inner.counts.total()) or "SCOPE" == "function"
"""


def filled(suite: str, framework: str, scope: str) -> str:
    text = suite.replace("FIXTURE", FIXTURES[framework]).replace("MARK", MARKS[framework])
    return text.replace("SCOPE", scope)


@pytest.mark.quick_cases(6)
@pytest.mark.parametrize("scope", ["function", "module", "session"])
@pytest.mark.parametrize("framework", MARKS)
def test_threads_of_async_fixtures_and_tests_belong_to_the_plugins_session(
    framework: str, scope: str, suite: Suite
) -> None:
    """The plugin opens its sessions where pytest's hooks run; the coroutines of a fixture run in another context."""
    suite.write("test_it.py", THREAD + filled(SUITE, framework, scope))
    suite.run("--inference-mode=record-if-missing").assert_outcomes(passed=2)
    asked = suite.server.count

    result = suite.run()

    result.assert_outcomes(passed=2)
    assert asked == suite.server.count == {"function": 16, "module": 12, "session": 12}[scope]
    assert f"recordings: {asked} replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(result, "recordings:")


@pytest.mark.parametrize("scope", ["function", "module"])
@pytest.mark.parametrize("framework", MARKS)
def test_sessions_of_async_fixtures_enclose_each_other(framework: str, scope: str, suite: Suite) -> None:
    """A fixture that opens a session inside that of another fixture; the test's threads are in the inner one."""
    own = filled(OWN, framework, scope).replace("FOLDER", str(suite.directory / "own"))
    suite.write("test_it.py", THREAD + own)
    for _ in range(2):
        suite.run("--inference-mode=record-if-missing").assert_outcomes(passed=2)

    assert 4 == suite.server.count
    assert (0, 4) == (len(suite.files("own")), len(suite.files("own/inner")))
