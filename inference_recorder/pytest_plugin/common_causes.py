"""What many misses of a run have in common, said once with one command."""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from pathlib import Path

import pytest

from ..fixture_ids import SESSION, parsed_fixture_id
from ..storage.walk import common_parent
from ..text import visible_line
from .run_report import RunReport
from .terminal import path_from_here

_FEWEST = 3
"""Tests with the same cause; for fewer, each test's own error is enough."""
_MOST_NAMED = 3
"""Tests, or files, that the command names; more are named by what holds them."""


def write_common_causes(report: RunReport, config: pytest.Config, terminal: pytest.TerminalReporter) -> None:
    """Write a paragraph for each cause that at least three tests missed for."""
    by_cause: defaultdict[tuple[tuple[str, ...], tuple[str, ...]], dict[str | None, str]] = defaultdict(dict)
    for call in report.calls_with("missed"):
        if call["cause"] is not None:
            lines, command, target = call["cause"]
            by_cause[tuple(lines), tuple(command)][call["test_id"]] = target
    for (shown, arguments), targets in by_cause.items():
        if len(targets) < _FEWEST:
            continue
        has_fixtures = any(test_id and parsed_fixture_id(test_id) for test_id in targets)
        counted = f"{len(targets)} tests{' and fixtures' if has_fixtures else ''}"
        terminal.write_line(f"  {counted} missed for the same reason:", bold=True)
        for line in shown:
            terminal.write_line(visible_line(f"    {line}"))
        if arguments:
            named = _fewest_arguments([target for target in targets.values() if target], config)
            end = "to record them, with a key" if arguments[0] == "pytest" else "then, for all of them"
            terminal.write_line(f"    {end}:")
            terminal.write_line(visible_line(f"      {shlex.join([*arguments, *named])}"))


def _fewest_arguments(node_ids: list[str], config: pytest.Config) -> list[str]:
    """Return few arguments that name at least these tests: tests, files, or their directory; none for all tests."""
    fixtures = [parsed_fixture_id(node_id) for node_id in node_ids]
    if any(fixture is not None and fixture.scope == SESSION for fixture in fixtures):
        return []
    named = [
        node_id if fixture is None else fixture.node_id for node_id, fixture in zip(node_ids, fixtures, strict=True)
    ]
    if len(named) > _MOST_NAMED:
        named = list(dict.fromkeys(node_id.partition("::")[0] for node_id in named))
    if len(named) > _MOST_NAMED:
        parents = [Path(os.path.abspath(config.invocation_params.dir / name / "..")) for name in named]
        named = [path_from_here(common, config)] if (common := common_parent(parents)) else named
    return [name for name in named if name != "."]
