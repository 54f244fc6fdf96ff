"""The commands on real recordings: a copy of nine directories of llama-stack's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ..conftest import SHARED
from .recorded import run

CORPUS = SHARED / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="needs ../shared/corpus, which is not part of the project")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CORPUS, tmp_path / "corpus"))


def test_all_are_listed(corpus: Path) -> None:
    """They have every key version, and include failures, streams, embeddings and model lists."""
    listed = json.loads(run("ls", corpus, "--json").stdout)

    assert (253, {"recording"}) == (len(listed), {one["kind"] for one in listed})
    assert {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models"} == {
        one["endpoint"] for one in listed
    }
    assert 0 < sum(one["is_failed"] for one in listed) < sum(one["is_streaming"] for one in listed)


def test_all_are_counted(corpus: Path) -> None:
    """The sums of each table equal the total."""
    counted = json.loads(run("ls", "--stats", corpus, "--json").stdout)

    assert 253 == counted["total"]["number"]
    for kind in ("endpoint", "model", "test"):
        for name, total in counted["total"].items():
            assert total == sum(one[name] for one in counted[f"by_{kind}"])
    assert counted["total"]["tokens_in"] > 50_000
    assert all(len(one["tests"]) > 1 for one in counted["duplicates"])


def test_all_can_be_read(corpus: Path) -> None:
    """No key version gives the names of ten of them, as the format's description says of 447 in all."""
    done = run("check", corpus, "--json")

    report = json.loads(done.stdout)
    assert (0, {"exact": 203, "G10": 21, "G7a": 1, "G7": 19, "none": 9}) == (done.exit_code, report["rules"])
    assert {"no key version"} == {finding["kind"] for finding in report["findings"] if finding["kind"] != "secret"}


def test_recordings_of_tests_are_removed_and_brought_back(corpus: Path) -> None:
    """There are nine directories. Recordings made outside a test, or shared by tests, stay."""
    before = {path: path.read_bytes() for path in corpus.rglob("*.json")}
    ids = {json.loads(content).get("test_id") for content in before.values()} - {None}
    done = run("rm", *sorted({test_id.partition("::")[0] for test_id in ids}), "--dir", corpus, "--json")

    results = json.loads(done.stdout)
    moved, stayed = (
        {corpus / result["path"] for result in results if (result["trash"] is None) == stays} for stays in (False, True)
    )
    assert len(before) - 14 == len(results)
    assert set(before) - moved == {path for path in corpus.rglob("*.json") if ".trash" not in path.parts}
    assert {"it answers other tests too", None} >= {result["refusal"] for result in results}
    assert (bool(stayed), 0) == (done.exit_code == 1, run("undo", corpus).exit_code)
    assert before == {path: path.read_bytes() for path in corpus.rglob("*.json")}
