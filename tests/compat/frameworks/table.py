"""The table of what came of each framework, and below it what went wrong."""

from __future__ import annotations

from typing import Any

MISSED = "missed"
WAYS = ("plain", "streamed", "tools", "structured", "embeddings", MISSED)
"""What a function of a framework's module is named for; what follows in its name after "_" is a variety of it."""


def verdicts(run: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with each function of a framework's module, "" where nothing is."""
    replayed = run["replayed"]["ways"]
    compared = {name: _verdict(recorded, replayed[name]) for name, recorded in run["recorded"]["ways"].items()}
    return compared | {name: _verdict_of_miss(missed) for name, missed in replayed.items() if name not in compared}


def described(runs: dict[str, dict[str, Any]]) -> str:
    """Return the table of these runs by framework, with a line for each framework and its failures below."""
    rows = [("framework", "version", "openai", "http", *WAYS)]
    failures: list[str] = []
    for name, run in runs.items():
        if "error" in run:
            rows.append((name, "failed", "", "", *("" for _ in WAYS)))
            failures.append(f"{name}: {run['error']}")
            continue
        wrong = verdicts(run)
        rows.append((name, *run["recorded"]["versions"].values(), *(_cell(way, wrong) for way in WAYS)))
        failures += [f"{name}, {function}: {text}" for function, text in wrong.items() if text]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *(f"\n{failure}" for failure in failures)])


def _cell(way: str, wrong: dict[str, str]) -> str:
    texts = [text for function, text in wrong.items() if function.partition("_")[0] == way]
    if not texts:
        return "not offered"
    failed = sum(bool(text) for text in texts)
    return f"failed {failed} of {len(texts)}" if failed else f"ok ({len(texts)})"


def _verdict(recorded: dict[str, Any], replayed: dict[str, Any]) -> str:
    if "error" in recorded:
        return f"failed while recording\n{recorded['error']}"
    if "error" in replayed:
        return f"failed in replay\n{replayed['error']}"
    if recorded["result"] != replayed["result"]:
        return f"differs\nrecorded {recorded['result']}\nreplayed {replayed['result']}"
    if recorded["counts"] != {"recorded": recorded["requests"]} or not recorded["requests"]:
        return f"the server got {recorded['requests']} requests, and the session counted {recorded['counts']}"
    if replayed["counts"] != {"replayed": recorded["requests"]}:
        return f"recorded {recorded['requests']} requests, and in replay {replayed['counts']}"
    return ""


def _verdict_of_miss(missed: dict[str, Any]) -> str:
    models = missed["models"]
    if not models or len(set(models)) != len(models):
        return f"asked for {', '.join(models) or 'nothing'}, where each model has to be asked for once"
    if "result" in missed:
        return f"a miss gave {missed['result']}"
    return "a miss was taken for a model that is not there" if missed["is_not_found"] else ""
