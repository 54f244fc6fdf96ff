"""The tables of docs/comparison.md, from the stored results of this comparison and of the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .behaviours import BEHAVIOURS
from .tools import CHECKOUT, TOOLS

RESULTS = Path(__file__).parent / "results.json"
BENCHMARKS = CHECKOUT / "tests" / "benchmarks" / "results.json"
OLDEST, OLDEST_OPENAI = "oldest openai", "1.66.0"
_WORKLOADS = {
    "plain-sync": ("a call", "plain call"),
    "plain-async": ("a call, async", "plain call, async"),
    "stream-2000-async": ("a chunk of a stream, async", "chunk of 2,000, async"),
}
"""What the benchmarks measure -> what the table says, and how their ratios call it."""
_PEERS = {
    "sdk": ("the SDK, answered from memory", "SDK in memory"),
    "vcrpy": ("vcrpy", "vcrpy"),
    "cassetter": ("cassetter", "cassetter"),
    "llama-stack": ("llama-stack's recorder", "llama-stack's recorder"),
}


def read_results() -> dict[str, Any]:
    """Return the stored results: tool -> {"version", "openai", "rows": {name: cell}}."""
    return dict(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else {}


def table(results: dict[str, Any]) -> str:
    """Return the table of behaviours, a column for each tool."""
    tools = [name for name in TOOLS if name in results]
    titles = {name: title for name, (title, _) in BEHAVIOURS.items()}
    titles[OLDEST] = f"works with openai {OLDEST_OPENAI} too, on httpx"
    header = ["", *(f"{TOOLS[name].label} {results[name]['version']}" for name in tools)]
    rows = [[title, *(results[tool]["rows"].get(name, "?") for tool in tools)] for name, title in titles.items()]
    return _markdown([header, *rows])


def speed_table() -> str:
    """Return the table of speed: our processor time, and how many times as much the others take."""
    measured = json.loads(BENCHMARKS.read_text(encoding="utf-8"))
    rows = [["processor time, replayed", "inference_recorder", *(label for label, _ in _PEERS.values())]]
    for workload, (title, called) in _WORKLOADS.items():
        medians = measured["medians"][workload]
        ours = medians["ours"]["cpu"]
        cells = []
        for peer, (_, label) in _PEERS.items():
            ratio = measured["ratios"].get(f"{called} / {label}")
            times = 1 / ratio if ratio else medians[peer]["cpu"] / ours if peer in medians else None
            cells.append(f"{times:.2g} ×" if times else "–")
        rows.append([title, f"{ours:.2g} µs", *cells])
    return _markdown(rows)


def _markdown(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
