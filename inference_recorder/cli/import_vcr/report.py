"""The report of an import, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...json_tree import JsonObject
from ..console import counted
from .cassettes import UnreadableCassette
from .importer import InteractionResult


@dataclass(slots=True)
class ImportReport:
    """The results of importing a number of files."""

    is_dry_run: bool
    needs_test_ids: bool
    """Whether calls outside tests are unexpected: --no-test-id was not given."""
    imported: list[tuple[Path, str | None, list[InteractionResult]]] = field(default_factory=list)
    """(cassette, test id, results) of each cassette that could be read."""
    unreadable: list[UnreadableCassette] = field(default_factory=list)
    not_cassettes: list[Path] = field(default_factory=list)
    """Files in a directory that are something else."""
    without_test: list[Path] = field(default_factory=list)
    """Cassettes whose test is unknown."""
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, path: Path, test_id: str | None, results: list[InteractionResult]) -> None:
        self.imported.append((path, test_id, results))
        self.counts.update(result.outcome for result in results)
        if test_id is None and self.needs_test_ids and any(result.recording is not None for result in results):
            self.without_test.append(path)

    @property
    def is_complete(self) -> bool:
        return bool(self.imported) and not self.unreadable and not self.counts["skipped"]

    def as_text(self) -> str:
        lines = [line for path, test_id, results in self.imported for line in _cassette_lines(path, test_id, results)]
        lines += [f"{error}; nothing of it is imported" for error in self.unreadable]
        if self.not_cassettes:
            lines.append(f"ignored, not a cassette: {', '.join(map(str, self.not_cassettes))}")
        if self.without_test:
            lines.append(
                "no test was found for the following, so their recordings answer only outside tests; give --test-id or "
                f"--rootdir, or --no-test-id if that is intended: {', '.join(map(str, self.without_test))}"
            )
        if not (self.imported or lines):
            lines.append("no cassettes were found; name a cassette, or a directory of them")
        return "\n".join([*lines, self._summary()])

    def _summary(self) -> str:
        would_be = "would be " if self.is_dry_run else ""
        parts = [f"{counted(self.counts['imported'], 'call')} {would_be}imported", f"{self.counts['skipped']} skipped"]
        if self.counts["unchanged"]:
            parts.append(f"{self.counts['unchanged']} recorded already")
        if self.counts["retried"]:
            parts.append(f"{counted(self.counts['retried'], 'retried answer')} left out")
        if self.unreadable:
            parts.append(f"{counted(len(self.unreadable), 'cassette')} unreadable")
        return ", ".join(parts)

    def as_json(self) -> JsonObject:
        return {
            "is_dry_run": self.is_dry_run,
            "counts": {name: self.counts[name] for name in ("imported", "skipped", "unchanged", "retried")},
            "cassettes": [
                {"cassette": str(path), "test_id": test_id, "interactions": [result.as_json() for result in results]}
                for path, test_id, results in self.imported
            ],
            "unreadable": [
                {"cassette": str(error.path), "line": error.line, "reason": error.reason} for error in self.unreadable
            ],
            "not_cassettes": [str(path) for path in self.not_cassettes],
            "without_test": [str(path) for path in self.without_test],
        }


def _cassette_lines(path: Path, test_id: str | None, results: Sequence[InteractionResult]) -> Iterator[str]:
    counts = Counter(result.outcome for result in results)
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no interactions"
    yield f"{path}: {summary}" + ("" if test_id is None else f" (for {test_id})")
    for result in results:
        if result.outcome == "skipped":
            yield f"  skipped {result.number}, {result.request}: {result.reason}"
        elif result.placeholders:
            names = ", ".join(result.placeholders)
            yield (
                f"  filtered {result.number}, {result.request}: the placeholder at {names} is kept; "
                "only a call with the same text there is replayed"
            )
