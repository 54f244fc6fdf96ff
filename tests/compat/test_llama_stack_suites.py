"""llama-stack's own suites, rebuilt from their recordings, in one session that is entered once for all tests."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict

import pytest

from ..plugin.conftest import Suite, suite  # noqa: F401 - a fixture
from .test_corpus import CORPUS, NO_CORPUS, corpus

BASE = "tests/integration/common"
NAMED = "inference_recorder.llama_stack import api_recording"
"""What the changed line of a suite imports."""

REPLAYING = """
    import json
    from pathlib import Path
    import openai

    CALLS = json.loads(Path(__file__).with_name("calls.json").read_text(encoding="utf-8"))
    replayed, missed = [], []

    def make_calls(test_id):
        for path in CALLS[test_id]:
            request = json.loads(Path(path).read_text())["request"]
            client = openai.OpenAI(
                base_url=request["url"].removesuffix(request["endpoint"]),
                api_key="x",
                max_retries=0,
                http_client=openai.DefaultHttpxClient(verify=False),
            )
            method = client
            for part in request["endpoint"].removeprefix("/v1/").split("/"):
                method = getattr(method, part)
            outcomes = replayed
            try:
                answer = (method.list if request["endpoint"] == "/v1/models" else method.create)(**request["body"])
                list(answer) if request["body"].get("stream") else answer
            except openai.APIStatusError:
                pass  # it was recorded
            except RuntimeError as error:
                assert "Recording not found" in str(error)
                outcomes = missed
            outcomes.append(path)

    def note_outcomes():
        Path(__file__).with_name("outcomes.json").write_text(json.dumps([replayed, missed]))
"""
ONCE = f"""
    from replaying import note_outcomes
    from {NAMED}

    def pytest_sessionstart():
        global recorder
        recorder = api_recording("replay", {BASE!r})
        recorder.__enter__()

    def pytest_sessionfinish():
        recorder.__exit__(None, None, None)
        note_outcomes()
"""
"""As `Stack.initialize()` enters it."""
PER_TEST = """
    from replaying import note_outcomes

    @pytest.fixture(autouse=True)
    def session(request):
        beside = request.path.parent / "recordings"
        with inference_recording("replay", beside, test_id=request.node.nodeid):
            yield

    def pytest_sessionfinish():
        note_outcomes()
"""
"""The general recorder, given the directory and the id of each test."""


@pytest.fixture
def rebuilt(suite: Suite) -> Suite:  # noqa: F811
    """llama-stack's tests with the calls that they have recorded, in its folders with its recordings."""
    shutil.copytree(CORPUS / "tests", suite.directory / "tests")
    calls: dict[str, list[str]] = defaultdict(list)
    for path, document, _ in corpus():
        if (test_id := document.get("test_id")) is not None:
            calls[test_id].append(str(suite.directory / path.relative_to(CORPUS)))
    for file in {test_id.partition("::")[0] for test_id in calls}:
        suite.write(file, source_of([test_id for test_id in calls if test_id.partition("::")[0] == file]))
    suite.write("replaying.py", REPLAYING)
    (suite.directory / "calls.json").write_text(json.dumps(calls))
    (suite.directory / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    return suite


def source_of(test_ids: list[str]) -> str:
    """Return the file whose tests have these ids."""
    ids: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for test_id in test_ids:
        node, _, parameters = test_id.partition("[")
        _, *classes, function = node.split("::")
        ids["".join(classes)][function].append(parameters.removesuffix("]"))
    lines = ["from replaying import make_calls"]
    for name, functions in ids.items():
        margin, self = ("    ", "self, ") if name else ("", "")
        lines += [f"class {name}:"] if name else []
        for function, cases in functions.items():
            is_plain = cases == [""]
            lines += (
                [] if is_plain else [f"{margin}@pytest.mark.parametrize('case', range({len(cases)}), ids={cases!r})"]
            )
            arguments = f"{self}request" if is_plain else f"{self}request, case"
            lines.append(f"{margin}def {function}({arguments}): make_calls(request.node.nodeid)")
    return "\n".join(lines)


def outcomes(rebuilt: Suite, conftest: str, *options: str) -> list[list[str]]:
    """Return the recordings whose calls were replayed and those that were not found."""
    rebuilt.write("conftest.py", conftest)
    result = rebuilt.run_apart("-q", *options)
    assert 0 == result.ret, result.stdout.str()
    replayed, missed = json.loads((rebuilt.directory / "outcomes.json").read_text())
    return [sorted(replayed), sorted(missed)]


@NO_CORPUS
@pytest.mark.slow
def test_one_session_for_all_tests_replays_as_many_calls_as_one_for_each(rebuilt: Suite) -> None:
    """With nothing but the import changed, with our plugin and without it."""
    per_test = outcomes(rebuilt, PER_TEST)
    once = outcomes(rebuilt, ONCE)
    without_plugin = outcomes(rebuilt, ONCE, "-p", "no:inference_recorder")

    for name, (replayed, missed) in {"each": per_test, "all": once, "all, no plugin": without_plugin}.items():
        print(f"a session for {name}: {len(replayed)} calls replayed, {len(missed)} missed")
    derivable = [str(path) for path, document, rule in corpus() if rule and document.get("test_id")]
    assert len(derivable) == len(once[0])
    assert per_test == once == without_plugin
    assert 0 == rebuilt.server.count


@NO_CORPUS
@pytest.mark.slow
def test_no_model_list_that_answers_is_called_unused(rebuilt: Suite) -> None:
    """Several files under one older key answer together, and pruning would delete all of them but one."""
    for path in (rebuilt.directory / BASE).rglob("models-*.json"):
        path.unlink()  # it would answer under the newest key
    rebuilt.write("conftest.py", ONCE)
    pruned = rebuilt.run_apart("-q", "--inference-prune")

    unused = [line.partition(": ")[0].rpartition("/")[2] for line in pruned.outlines if ": its test passed" in line]
    assert ["b3bc20e8b409", "d470c2d8d7be", "f3c9063d06e0"] == sorted(name[:12] for name in unused)
