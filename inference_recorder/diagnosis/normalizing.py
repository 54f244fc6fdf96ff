"""Misses that a built-in normalizer ends: the recorded request is the same but for what it replaces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from ..errors import CorruptRecording
from ..explanation import Advice, Nearest
from ..redaction.requests import recorded_request
from ..request.keys import body_text_as_keyed
from ..request.normalizers import BUILT_IN_NAMES, Normalizers, without_roots
from ..storage.catalogue import Entry, entry_of, key_of
from .index import Index
from .question import Question

_MOST_READ = 50
"""Recordings of the same test that are read to see whether two of them would get the same key."""


def normalizer_advice(
    question: Question, found: Iterable[tuple[Nearest, Entry]], index: Index
) -> tuple[Nearest, Advice] | None:
    """Return the recording that would answer under other normalizers, and how to get there; None if none would."""
    for nearest, entry in found:
        where = {difference.path for difference in nearest.differences}
        if entry.test_id != question.test_id or where & {"method", "endpoint", "url", "test_id"} or not where:
            continue
        names = [] if where == {"normalize"} else _missing_names(question, entry)
        if names is not None:
            return nearest, _advice(question, names, entry, index)
    return None


def _missing_names(question: Question, entry: Entry) -> list[str] | None:
    """Return the fewest built-in normalizers under which both requests are one; None if they differ in more."""
    declared = question.normalizers.declared
    names = [name for name in BUILT_IN_NAMES if name not in declared]
    if not _is_equal(question, entry, names):
        return None
    for name in tuple(names):
        fewer = [each for each in names if each != name]
        if _is_equal(question, entry, fewer):
            names = fewer
    return names


def _is_equal(question: Question, entry: Entry, names: Sequence[str]) -> bool:
    request = question.request
    asked = request.with_body(Normalizers(names).applied(request.frozen_body()))
    recorded = recorded_request(entry.request, Normalizers([*question.normalizers.declared, *names]))
    return body_text_as_keyed(recorded, question.version) == body_text_as_keyed(asked, question.version)


def _advice(question: Question, names: Sequence[str], entry: Entry, index: Index) -> Advice:
    declared = [*question.normalizers.declared, *names]
    known = [name for name in declared if isinstance(name, str)]
    if names:
        replacing, them = f"normalizer {names[0]} replaces", "it"
        if names[1:]:
            replacing, them = f"normalizers {' and '.join(names)} replace", "them"
        cause = f"the same request is recorded, but for what the {replacing}. Declare {them}"
        setting = [f"  {_setting(known, is_whole=known == declared, is_configured=question.is_configured)}"]
    else:
        cause, setting = "the same request is recorded, but under other normalizers", []
    again = Advice((f"{cause} and record again:" if names else f"{cause}; record again", *setting))
    rules = Normalizers(declared).rooted_as(entry.normalize)
    if without_roots(rules.declared_for(entry.body)) == without_roots(entry.normalize):
        return Advice((f"{cause}:", *setting))
    if _has_rival(question, names, entry, index):
        return again
    if question.is_configured:
        options = [] if declared else ["--none"]
    elif known == declared and _is_only_test(question.test_id, entry.path.parent, index):
        options = [option for name in known for option in ("--normalize", name)] or ["--none"]
    else:  # other tests, with other normalizers, have recordings there
        return again
    command = ("inference-recorder", "rekey", *options, str(entry.path.parent))
    return Advice((f"{cause} and rename the recordings:" if names else f"{cause}; rename them:", *setting), command)


def _setting(names: Sequence[str], *, is_whole: bool, is_configured: bool) -> str:
    listed = json.dumps(list(names)) if is_whole else f"[..., {json.dumps(list(names))[1:]}"
    if is_configured:
        return f"normalize = {listed}  (in [tool.inference_recorder])"
    return f"normalize={listed}  (in the marker or in code)"


def _has_rival(question: Question, names: Sequence[str], entry: Entry, index: Index) -> bool:
    """Return whether another recording of the test would get the same key, so that one of the two has to go."""
    for one in islice(index.by_test.get(question.test_id, ()), _MOST_READ):
        if one.endpoint != entry.endpoint or key_of(one.path) == entry.key:
            continue
        try:
            if _is_equal(question, entry_of(one.path), names):
                return True
        except (CorruptRecording, ValueError, TypeError, RecursionError):
            continue  # it is another file than the one that the index has seen
    return False


def _is_only_test(test_id: str | None, directory: Path, index: Index) -> bool:
    """Return whether all recordings in a directory are of one test."""
    return all(
        other == test_id or all(one.path.parent != directory for one in recorded)
        for other, recorded in index.by_test.items()
    )
