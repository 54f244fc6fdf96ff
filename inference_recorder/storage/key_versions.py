"""Which key version named a recording, and whether it therefore answers other tests than its own."""

from __future__ import annotations

from ..request.keys import KeyVersion, is_bound_to_its_test, key_version_of
from .catalogue import Entry

DIGITS_WITHOUT_TEST = 12
"""The length of llama-stack's oldest keys, which do not include the test."""


def key_version(entry: Entry) -> KeyVersion | None:
    """Return the newest key version that gives a recording its name, or None."""
    try:
        request = entry.asked
        return None if request is None else key_version_of(entry.key, request, entry.test_id)
    except RecursionError:  # arguments nested too deep to normalize: no call can have them
        return None


def is_shared(entry: Entry, version: KeyVersion | None) -> bool:
    """Whether a recording may also answer other tests than its own, because its key does not include the test."""
    request = entry.asked
    if request is None or version is None:
        return len(entry.key) == DIGITS_WITHOUT_TEST or (request is not None and request.is_model_list)
    return not is_bound_to_its_test(request, version)
