"""The chart of the README: what a replay costs, by whom; SVG that reads on light and on dark."""

from __future__ import annotations

import statistics
from html import escape
from pathlib import Path

from .contenders import LABELS
from .run import Results

_PANELS = (
    ("A plain call, async: CPU time", "plain-async", "cpu"),
    ("A chunk of a stream of 2,000, async: CPU time", "stream-2000-async", "cpu"),
)
_WIDTH, _LABEL, _BAR, _ROW, _TITLE = 720, 190, 440, 24, 44
_STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #57606a }
    .title { font-weight: 600; fill: #24292f }
    .ours { font-weight: 600; fill: #1a7f37 }
    rect { fill: #8c959f } rect.ours { fill: #2da44e }
    @media (prefers-color-scheme: dark) {
      text { fill: #9198a1 } .title { fill: #f0f6fc } .ours { fill: #3fb950 }
      rect { fill: #656c76 } rect.ours { fill: #3fb950 }
    }
"""


def write_chart(path: Path, results: Results) -> bool:
    """Write the chart; False, with nothing written, where the run did not measure what it shows."""
    if not all("ours" in results.get(workload, {}) for _, workload, _ in _PANELS):
        return False
    parts, top = [], 0
    for title, workload, metric in _PANELS:
        parts.append(f'<text class="title" x="0" y="{top + 20}">{escape(title)}</text>')
        top += _TITLE - 10
        medians = {name: statistics.median(metrics[metric]) for name, metrics in results[workload].items()}
        for name, median in sorted(medians.items(), key=lambda item: item[1]):
            parts += _row(name, median, max(medians.values()), top)
            top += _ROW
        top += 10
    content = "\n  ".join(parts)
    title = "CPU time of a replayed call and of a replayed chunk: inference_recorder and others"
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" aria-label="{title}">\n'
        f"  <style>{_STYLE}  </style>\n  {content}\n</svg>\n"
    )
    return True


def _row(name: str, median: float, longest: float, top: int) -> list[str]:
    mark = ' class="ours"' if name == "ours" else ""
    width = max(1.5, _BAR * median / longest)
    figure = f"{median:,.0f} µs" if median >= 10 else f"{median:.1f} µs"
    return [
        f'<text{mark} x="0" y="{top + 15}">{escape(LABELS[name])}</text>',
        f'<rect{mark} x="{_LABEL}" y="{top + 3}" width="{width:.1f}" height="{_ROW - 8}" rx="2"/>',
        f'<text{mark} x="{_LABEL + width + 8:.1f}" y="{top + 15}">{figure}</text>',
    ]
