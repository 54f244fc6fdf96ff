"""What counts as a failure of a framework."""

from __future__ import annotations

from typing import Any

import pytest

from .table import described, verdicts

TWICE = {"result": "Hello!", "counts": {"recorded": 2}, "requests": 2}
REPLAYED = {"result": "Hello!", "counts": {"replayed": 2}}
VERSIONS = {"dist": "1.0", "openai": "3.0", "http": "httpx 0.28"}


def run_of(recorded: dict[str, Any], replayed: dict[str, Any]) -> dict[str, Any]:
    return {"recorded": {"ways": {"plain": recorded}, "versions": VERSIONS}, "replayed": {"ways": {"plain": replayed}}}


@pytest.mark.parametrize(
    ("recorded", "replayed", "start"),
    [
        (TWICE, REPLAYED, ""),
        ({"error": "Boom", "counts": {}, "requests": 0}, REPLAYED, "failed while recording\nBoom"),
        (TWICE, {"error": "Boom", "counts": {}}, "failed in replay\nBoom"),
        (TWICE, REPLAYED | {"result": "Bye!"}, "differs"),
        (TWICE | {"requests": 3}, REPLAYED, "the server got 3 requests"),
        (TWICE | {"counts": {}, "requests": 0}, REPLAYED, "the server got 0 requests"),
        (TWICE, REPLAYED | {"counts": {"replayed": 1}}, "recorded 2 requests, and in replay"),
    ],
    ids=[
        "equal",
        "the framework fails",
        "replay fails",
        "another answer",
        "a request past the recorder",
        "no request: a cache of the framework",
        "one request fewer in replay",
    ],
)
def test_what_is_wrong_with_a_way(recorded: dict[str, Any], replayed: dict[str, Any], start: str) -> None:
    """Equal results prove nothing where a request went past the recorder or was never made."""
    verdict = verdicts(run_of(recorded, replayed))["plain"]

    assert bool(start) == bool(verdict)
    assert verdict.startswith(start)


ONCE = {"is_not_found": False, "models": ["gpt-4o", "another"]}


@pytest.mark.parametrize(
    ("missed", "start"),
    [
        (ONCE, ""),
        (ONCE | {"models": ["gpt-4o", "gpt-4o"]}, "asked for gpt-4o, gpt-4o"),
        (ONCE | {"models": []}, "asked for nothing"),
        (ONCE | {"is_not_found": True}, "a miss was taken for"),
        ({"result": "Hello!", "models": ["gpt-4o"]}, "a miss gave Hello!"),
    ],
    ids=["once for each model", "a retry", "no request", "no such model", "an answer"],
)
def test_what_is_wrong_with_a_miss(missed: dict[str, Any], start: str) -> None:
    """A retried miss takes seconds, and one that looks like a missing model is hidden by another model's answer."""
    run = run_of(TWICE, REPLAYED)
    run["replayed"]["ways"]["missed"] = missed

    verdict = verdicts(run)["missed"]

    assert bool(start) == bool(verdict)
    assert verdict.startswith(start)


def test_the_table_shows_what_a_framework_does_not_offer() -> None:
    """An empty cell would not show whether it was tried."""
    table = described({"a": run_of(TWICE, REPLAYED), "b": {"error": "no such release"}})

    assert ["a", "1.0", "3.0", "httpx 0.28", "ok (1)", *["not offered"] * 5] == [
        cell.strip() for cell in table.splitlines()[1].split("  ") if cell
    ]
    assert table.endswith("b: no such release")
