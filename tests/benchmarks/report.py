"""The report of a run: tables for people, medians as JSON for comparing two runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .bars import BARS, Line
from .run import Results, Run


def tables(run: Run, machine: dict[str, Any]) -> str:
    """Return the text of both tables, and of what could not be measured."""
    lines = [*_measured(run.results), "", *_compared(run.results), ""]
    lines += [f"not taking part: {name} ({reason})" for name, reason in run.missing.items()]
    lines += [f"not measured: {text}" for text in run.left_out]
    return "\n".join([*lines, *(f"{name.replace('_', ' ')}: {value}" for name, value in machine.items())])


def write_json(path: Path, run: Run, machine: dict[str, Any]) -> None:
    """Write the medians: of what was measured, and of the ratios."""
    medians = {
        workload: {
            contender: {metric: _rounded(statistics.median(values)) for metric, values in metrics.items()}
            for contender, metrics in contenders.items()
        }
        for workload, contenders in run.results.items()
    }
    ratios = {line.bar.title: _rounded(line.median) for line in _lines(run.results)}
    document = {"machine": machine, "ratios": ratios, "medians": medians, "not_taking_part": run.missing}
    path.write_text(json.dumps(document, indent=1) + "\n")


def _measured(results: Results) -> Iterator[str]:
    yield f"{'median (smallest to largest)':22}{'':14}"
    for workload, contenders in results.items():
        for name, metrics in contenders.items():
            figures = (f"{metric} {_figure(values)}" for metric, values in metrics.items())
            yield f"{workload:22}{name:14}{'   '.join(figures)}"


def _figure(values: list[float]) -> str:
    return f"{statistics.median(values):,.4g} ({min(values):,.4g} to {max(values):,.4g})"


def _compared(results: Results) -> Iterator[str]:
    yield f"{'':56}{'median':>10}{'smallest':>10}{'largest':>10}{'bar':>8}"
    for line in _lines(results):
        bar = f"{'≥' if line.bar.is_at_least else '≤'} {line.bar.bar:g}"
        figures = f"{line.median:10.4g}{line.smallest:10.4g}{line.largest:10.4g}"
        yield f"{line.bar.title:56}{figures}{bar:>10}{'' if line.is_met else '  missed'}"


def _lines(results: Results) -> list[Line]:
    return [line for bar in BARS if (line := bar.line(results)) is not None]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
