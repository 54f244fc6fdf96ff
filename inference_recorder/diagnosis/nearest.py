"""The recording that comes nearest to a request, and why it does not answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest
from itertools import islice
from operator import itemgetter
from pathlib import Path

from ..errors import CorruptRecording
from ..explanation import Difference, Explanation, Nearest, Reason
from ..redaction.redactor import redacted_request
from ..redaction.requests import recorded_request
from ..request.keys import body_text_as_keyed, compared_body
from ..request.normalizers import Normalizers, without_roots
from ..request.request import Request
from ..storage.catalogue import Entry, entry_of
from ..test_files import file_of_test
from .differences import differences
from .index import Asked, Index, path_of
from .normalizing import normalizer_advice
from .question import Question
from .text_diff import common_length
from .variables import shown_without, variable_advice

_MOST_DIFFERENCES = 100
_MOST_COMPARED = 5
_MOST_LOOKED_FOR = 20
"""Tests whose files are searched."""
_AS_GOOD = 0.9
"""The part of the best similarity, which knows words only, that leaves the choice to the number of differences."""


def explanation_of(
    question: Question,
    index: Index,
    plain: Request | None = None,
    has_test: Callable[[str, Path], bool] = lambda test_id, directory: False,
) -> Explanation:
    """Return why no recording of `index` answers `question`. Values from recordings are redacted.

    `plain` is the request with the secrets of the environment in it, where they are known; `has_test` tells whether a
    test with a recording in a directory still exists.

    The nearest is the same request of the same test; else one of the same test and endpoint; else the same request of
    another test; else one of the same endpoint and model; else one of the same endpoint; else one of the same test.
    """
    request, test_id = question.request, question.test_id
    of_endpoint = index.by_endpoint.get(request.endpoint, [])
    of_test = index.by_test.get(test_id, []) if test_id is not None or question.is_shared else []
    text = body_text_as_keyed(request)
    same = [one for one in index.by_body.get(hash(text), ()) if one.endpoint == request.endpoint]
    path = path_of(request.url)
    same.sort(key=lambda one: (one.url_path == path, _likeness(one.test_id, test_id)), reverse=True)
    tiers = (
        (one for one in same if one.test_id == test_id),
        (one for one in of_test if one.endpoint == request.endpoint),
        same,
        (one for one in of_endpoint if one.model == request.model),
        of_endpoint,
        of_test,
    )
    # The tiers are made as they are needed: ranking thousands takes longer than all else.
    found = next((compared for tier in tiers if (compared := _most_similar(question, text, tier))), [])
    nearest = min((one for one, _ in found), key=lambda one: len(one.differences), default=None)
    advice = variable_advice(request, test_id, question.variables, plain or request, index)
    if advice is None and (normalized := normalizer_advice(question, found, index)) is not None:
        nearest, advice = normalized

    others = [one for one in same if one.test_id != test_id and one.url_path == path]
    is_renamed = nearest is not None and nearest.reason == "other test" and not of_test and index.is_whole
    renamed, is_file_renamed = _renamed(others, index, has_test) if is_renamed else (None, False)
    return Explanation(
        nearest,
        tuple(dict.fromkeys(one.test_id for one in others)),
        None if renamed is None else renamed.test_id,
        None if renamed is None else renamed.path.parent,
        advice,
        is_file_renamed,
        question.is_shared,
        tuple(_remarks(index, question, nearest)),
    )


def _renamed(others: Iterable[Asked], index: Index, has_test: Callable[[str, Path], bool]) -> tuple[Asked | None, bool]:
    """Return the recording whose test is gone, and whether several tests were recorded in its file and all are gone."""

    def is_gone(one: Asked) -> bool:
        return one.test_id is not None and not has_test(one.test_id, one.path.parent)

    renamed = next(filter(is_gone, islice(others, _MOST_LOOKED_FOR)), None)
    if renamed is None:
        return None, False
    file = file_of_test(str(renamed.test_id))
    if file is None or file.endswith("/"):
        return renamed, False
    ids = [test_id for test_id in index.by_test if test_id is not None and test_id.startswith(file)]
    of_file = [index.by_test[test_id][0] for test_id in ids if file_of_test(test_id) == file]
    return renamed, len(of_file) > 1 and all(map(is_gone, of_file))


def _most_similar(question: Question, text: str, tier: Iterable[Asked]) -> list[tuple[Nearest, Entry]]:
    """Return the recordings of a tier whose words are most like the request's."""
    words = set(text.split())

    def similarity(one: Asked) -> float:
        others = set(one.text.split())
        return len(words & others) / (len(words) + len(others))

    best = nlargest(_MOST_COMPARED, ((similarity(one), one) for one in tier), key=itemgetter(0))
    found = []
    for likeness, one in best:
        if likeness < best[0][0] * _AS_GOOD:
            break
        try:
            entry = entry_of(one.path)
            found.append((_compared(question, entry), entry))
        except (CorruptRecording, ValueError, TypeError, RecursionError):
            pass  # it is another file than the one that the index has seen
    return found


def _compared(question: Question, entry: Entry) -> Nearest:
    found = tuple(islice(differences_from(entry, question), _MOST_DIFFERENCES))
    return Nearest(entry.path, _reason(question, entry, found), entry.test_id, found)


def differences_from(entry: Entry, question: Question) -> Iterator[Difference]:
    """Yield where a request differs from what a recording answers: beside the body first, then in it.

    The bodies are compared as used for the key, so that values that are not part of it do not differ; what differs is
    shown as it is requested, except for secrets and what normalizers replace.
    """
    request, recorded = question.request, recorded_request(entry.request, question.normalizers)
    if recorded.method != request.method:
        yield Difference("method", recorded.method, request.method)
    if recorded.endpoint != request.endpoint:
        yield Difference("endpoint", recorded.endpoint, request.endpoint)
    elif path_of(recorded.url) != path_of(request.url):
        yield Difference("url", path_of(recorded.url), path_of(request.url))
    declared = question.normalizers.rooted_as(entry.normalize).declared_for(entry.body)
    if without_roots(entry.normalize) != without_roots(declared):
        yield Difference("normalize", entry.request.get("normalize"), declared)
    if entry.test_id != question.test_id:
        yield Difference("test_id", entry.test_id, question.test_id)
    recorded = recorded.with_body(shown_without(question.variables, recorded.frozen_body()))
    shown = (one.with_body(redacted_request(one.frozen_body())) for one in (recorded, request))
    old, new = (compared_body(one, question.version) for one in shown)
    yield from differences(old, new, version=question.version)


def question_in(entry: Entry) -> Question:
    """Return what was asked when a recording was made. Raises ValueError."""
    request = recorded_request(entry.request)
    return Question(request, entry.key, entry.test_id, entry.position, Normalizers(entry.normalize))


def _reason(question: Question, entry: Entry, found: tuple[Difference, ...]) -> Reason:
    where = {difference.path for difference in found}
    if where - {"url", "normalize", "test_id"}:
        return "other request"
    if "url" in where:
        return "other url"
    if "normalize" in where:
        return "other normalizers"
    if "test_id" in where:
        return "other test"
    if entry.key != question.key:
        return "other name"
    return "used up" if entry.position < question.position else "gap"


def _likeness(one: str | None, other: str | None) -> tuple[bool, int]:
    """Return how much alike two test ids are: the same function first, then the same beginning."""
    one, other = one or "", other or ""
    is_same_function = one.rpartition("::")[2] == other.rpartition("::")[2]
    return is_same_function, common_length(one, other)


def _remarks(index: Index, question: Question, nearest: Nearest | None) -> Iterator[str]:
    request = question.request
    if nearest is not None and nearest.reason == "used up":
        answers = "1 answer" if question.position == 2 else f"{question.position - 1} answers"
        yield f'it has {answers}, and this is call {question.position}; repeats="last" replays the last answer again'
    if nearest is None:
        yield (
            f"none of the {index.found:,} recordings there is of {request.endpoint}"
            if index.read
            else ("there are no recordings there yet")
        )
    if index.unreadable:
        files = "1 file there cannot" if index.unreadable == 1 else f"{index.unreadable:,} files there cannot"
        yield f"{files} be read: inference-recorder check says why"
    if not index.is_whole:
        yield (
            f"compared with only {index.read:,} of the {index.found:,} recordings; `inference-recorder explain "
            "--request FILE` compares a request given as JSON with all of them"
        )
