"""What it must show: ratios within one run, each with its bar."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from .run import Results


class Bar(NamedTuple):
    """One line of the table: the median over the rounds of how `workload` went for us against another."""

    title: str
    workload: str
    metric: str
    against: str
    """A contender; "" for a bar in the metric's own unit; "=METRIC" for another metric of our own."""
    bar: float
    is_at_least: bool = False

    def line(self, results: Results) -> Line | None:
        """Return the line as measured, None where one of both sides was not."""
        ours = results.get(self.workload, {}).get("ours", {})
        values = ours.get(self.metric, [])
        if self.against.startswith("="):
            others = ours.get(self.against[1:], [])
        else:
            others = results.get(self.workload, {}).get(self.against, {}).get(self.metric, [])
        ratios = values if not self.against else [one / other for one, other in zip(values, others, strict=False)]
        if not ratios:
            return None
        return Line(self, statistics.median(ratios), min(ratios), max(ratios), len(ratios))


class Line(NamedTuple):
    """A bar as measured in `rounds` rounds."""

    bar: Bar
    median: float
    smallest: float
    largest: float
    rounds: int

    @property
    def is_met(self) -> bool:
        return self.median >= self.bar.bar if self.bar.is_at_least else self.median <= self.bar.bar


BARS = (
    *(
        bar
        for workload, title in (("plain-sync", "plain call"), ("plain-async", "plain call, async"))
        for bar in (
            Bar(f"{title} / SDK in memory", workload, "cpu", "sdk", 0.05),
            Bar(f"{title} / the data alone", workload, "cpu", "data", 1.6),
            Bar(f"{title} / cassetter", workload, "cpu", "cassetter", 0.04),
            Bar(f"{title} / vcrpy", workload, "cpu", "vcrpy", 0.02),
        )
    ),
    Bar("plain call, async / llama-stack's recorder", "plain-async", "cpu", "llama-stack", 0.4),
    Bar("call with four tools / SDK in memory", "tools-sync", "cpu", "sdk", 0.05),
    Bar("call with four tools, async / SDK in memory", "tools-async", "cpu", "sdk", 0.05),
    Bar("chunk of 2,000 / SDK in memory", "stream-2000-sync", "cpu", "sdk", 0.05),
    Bar("chunk of 2,000 / the data alone", "stream-2000-sync", "cpu", "data", 1.5),
    Bar("chunk of 2,000, async / SDK in memory", "stream-2000-async", "cpu", "sdk", 0.05),
    Bar("chunk of 2,000, async / the data alone", "stream-2000-async", "cpu", "data", 1.5),
    Bar("first chunk of 2,000 / SDK in memory, wall", "stream-2000-sync", "first", "sdk", 0.05),
    Bar("first chunk of 2,000, async / SDK in memory, wall", "stream-2000-async", "first", "sdk", 0.05),
    Bar("embeddings, float / SDK in memory", "embeddings-float", "cpu", "sdk", 0.03),
    Bar("embeddings, base64 / SDK in memory", "embeddings-base64", "cpu", "sdk", 0.5),
    Bar("recording a call / live", "record-plain", "cpu", "sdk", 1.2),
    Bar("recording a chunk / live", "record-stream", "cpu", "sdk", 1.2),
    Bar("first chunk of a paced stream, recording / live, wall", "record-paced", "first", "sdk", 1.1),
    Bar("8 processes recording, share replayed", "processes", "found", "", 1, is_at_least=True),
    Bar("100,000 recordings / 100", "crowd", "cpu_100000", "=cpu", 1.15),
    Bar("500 tests, -n 0 / SDK in memory, wall", "suite", "n0", "sdk", 0.7),
    Bar("500 tests, -n 0 / vcrpy, wall", "suite", "n0", "vcrpy", 0.5),
    Bar("held after 10,000 replays, MB", "held", "held", "", 5),
    Bar("most memory for a 50 MB stream / its size", "big-stream", "peak", "", 1.2),
    Bar("import inference_recorder / import openai", "import", "cpu", "sdk", 0.06),
    Bar("entering a context again, µs, wall", "entering", "later", "", 300),
    Bar("plugin's part of a start of pytest, µs", "plugin-start", "added", "", 20_000),
)
"""In the issue's order. A first chunk and what says so is wall time, all else CPU time."""
