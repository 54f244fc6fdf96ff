"""Lists of models in a suite: each test has its own, a failing test changes nothing, and those in use are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_recorder.request.keys import KEY_VERSIONS

from ..cli.recorded import record
from ..sdk.test_model_lists import model, put
from ..support.directories import contents_of
from ..support.openai_server import Reply, error
from .conftest import Suite, line_of

EXACT, G9, G1 = (
    next(position for position, version in enumerate(KEY_VERSIONS) if version.name == name)
    for name in ("exact", "G9", "G1")
)
TESTS = """
    import os, openai

    pytestmark = pytest.mark.inference_recording(record_errors=True)

    def names():
        with openai.OpenAI(base_url=os.environ["SERVER"], api_key="x", max_retries=0) as client:
            return [model.id for model in client.models.list()]

    async def names_async():
        async with openai.AsyncOpenAI(base_url=os.environ["SERVER"], api_key="x", max_retries=0) as client:
            return [model.id async for model in client.models.list()]
"""
REFUSED = """
    def test_{name}():
        with pytest.raises(openai.AuthenticationError):
            names()
"""
LISTED = """
    def test_{name}():
        assert ["b", "a"] == names()
"""
REFUSED_ASYNC = """
    @pytest.mark.asyncio
    async def test_{name}():
        with pytest.raises(openai.AuthenticationError):
            await names_async()
"""
LISTED_ASYNC = """
    @pytest.mark.asyncio
    async def test_{name}():
        assert ["b", "a"] == await names_async()
"""
LIST = Reply({"object": "list", "data": [model("b"), model("a")]})
REFUSAL = error(401, "no", code="invalid_api_key")


def models_file(suite: Suite, test_id: str, version: int, name: str) -> Path:
    """Write a list of one model as made in this test, under one of the key versions."""
    path = record(suite.directory / "recordings", test_id, endpoint="/v1/models", base_url=suite.server.base_url,
                  generation=KEY_VERSIONS[version])  # fmt: skip
    path.unlink()
    return put(path.parent, path.name.split("-")[1], [model(name)], base_url=suite.server.base_url, test_id=test_id)


@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)], ids=["one process", "two workers"])
def test_a_test_that_expects_a_401_and_one_that_expects_a_list_replay(workers: int, mode: str, suite: Suite) -> None:
    """Which of them ran last decided what both got."""
    options = ["-n", str(workers)] if workers else []
    orders = [(kinds, order) for kinds in ((REFUSED, LISTED), (REFUSED_ASYNC, LISTED_ASYNC)) for order in (0, 1)]
    for number, (kinds, first) in enumerate(orders):
        kind_of = {"one": kinds[first], "two": kinds[not first]}
        file = f"test_{number}.py"
        suite.write(file, TESTS + "".join(kind.format(name=name) for name, kind in kind_of.items()))
        for name, kind in kind_of.items():
            suite.server.answers("/v1/models", LIST if kind in (LISTED, LISTED_ASYNC) else REFUSAL)
            suite.run(file, f"--inference-mode={mode}", "-k", name).assert_outcomes(passed=1, deselected=1)
    run = suite.run_apart if workers else suite.run
    asked = suite.server.count

    run(*options).assert_outcomes(passed=8)
    run("--inference-mode=record-if-missing", *options).assert_outcomes(passed=8)

    assert 8 == asked == suite.server.count


@pytest.mark.parametrize("is_list", [True, False], ids=["list", "failure"])
def test_a_failing_test_gets_back_what_its_other_outcome_removed(is_list: bool, suite: Suite) -> None:
    """A list that was recorded removes the failure; when its test fails, the failure is what the test recorded last."""
    suite.write("test_it.py", TESTS + (LISTED if is_list else REFUSED).format(name="it"))
    suite.server.answers("/v1/models", LIST if is_list else REFUSAL)
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    before = contents_of(suite.directory / "recordings")
    suite.server.answers("/v1/models", REFUSAL if is_list else LIST)

    suite.run("--inference-mode=record").assert_outcomes(failed=1)

    assert before == contents_of(suite.directory / "recordings")
    assert 1 == len(suite.files("recordings/.failed"))
    suite.run().assert_outcomes(passed=1)


def test_a_passing_test_keeps_only_its_new_outcome(suite: Suite) -> None:
    """The old one would answer the next replay."""
    suite.write("test_it.py", TESTS + REFUSED.format(name="it"))
    suite.server.answers("/v1/models", REFUSAL)
    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    suite.write("test_it.py", TESTS + LISTED.format(name="it"))
    suite.server.answers("/v1/models", LIST)

    suite.run("--inference-mode=record").assert_outcomes(passed=1)

    assert 1 == len(suite.files())
    suite.run().assert_outcomes(passed=1)


def test_all_lists_of_older_keys_that_answer_together_are_in_use(suite: Suite) -> None:
    """Only one of their files is the call's path; deleting the others changes what the test gets."""
    suite.write("test_it.py", TESTS + f"    def test_it(): assert {sorted((f'm{G9}', f'm{G1}'))} == names()\n")
    for version in (G9, G1):
        models_file(suite, "test_it.py::test_it", version, f"m{version}")

    result = suite.run("--inference-prune=delete")

    result.assert_outcomes(passed=1)
    assert "recordings: 1 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(result, "recordings:")
    assert 2 == len(suite.files())


def test_an_older_list_that_the_tests_own_list_hides_is_only_listed(suite: Suite) -> None:
    """Its key does not include the test: it may still answer a test that did not run."""
    suite.write("test_it.py", TESTS + "    def test_it(): assert ['m0'] == names()\n")
    own, hidden = (models_file(suite, "test_it.py::test_it", version, f"m{version}") for version in (EXACT, G9))

    result = suite.run("--inference-prune=delete")

    result.assert_outcomes(passed=1)
    assert (True, True) == (own.exists(), hidden.exists())
    assert "  kept, since other tests may use them too:" in result.outlines


def test_a_list_that_another_test_may_need_stays_while_that_test_did_not_run(suite: Suite) -> None:
    """Its file names the test that made it, which now has its own list; all others still share it."""
    suite.write("test_it.py", TESTS + """
    def test_own(): assert ['m0'] == names()

    @pytest.mark.skipif("SKIP" in os.environ, reason="")
    def test_sharing(): assert ['m2'] == names()
""")  # fmt: skip
    _, shared = (models_file(suite, "test_it.py::test_own", version, f"m{version}") for version in (EXACT, G9))

    result = suite.run("--inference-prune=delete", "-k", "own")

    result.assert_outcomes(passed=1, deselected=1)
    assert "recordings: 1 replayed, 0 recorded, 0 missed, 0 live, 0 unused" == line_of(result, "recordings:")
    assert shared.exists()
    suite.run().assert_outcomes(passed=2)
