"""What llama-stack's key versions change in a body before they hash it: scores, document ids, long decimals and more.

Source of all rules: llama-stack `api_recorder.py`, `_normalize_body_for_hash` and the patterns above it, at d1b6632.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..json_tree import JsonObject, JsonValue
from ..prefilter import prefilter

_UUID = r"[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"
_SCORE = re.compile(r"score:\s*[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")
_ATTRIBUTES = re.compile(r",?\s*attributes:\s*\{[^}]*\}")
_DOCUMENT_ID = re.compile(rf"document_id:\s*{_UUID}")
_CITATION = re.compile(rf"<\|{_UUID}\|>")
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{4,}")

PREFILTER = r"score:|attributes:|document_id:|project_id|<\||\.[0-9]{4}|\.[0-9]{0,3}\\u|e-[0-9]"
"""Matches the canonical text of every body that a rule other than Bedrock's changes.

A float of up to five digits rounds to itself. The \\u is a digit of another script: \\d matches it in the unescaped
text, and float() reads it.
"""


@dataclass(frozen=True, slots=True)
class BodyRules:
    """Which of llama-stack's rules a key version applies."""

    hides_file_search: bool = True
    drops_project_id: bool = True
    drops_bedrock_stream_options: bool = True
    rounds_floats: bool = True
    hides_document_ids: bool = True
    """With `hides_file_search`: of documents and citations too, not only scores and attributes."""


def is_untouched(canonical_text: str, *, is_bedrock: bool) -> bool:
    """Return whether no rule of any key version changes the body with this canonical text; False when in doubt."""
    return not (is_bedrock and '"stream_options"' in canonical_text) and not prefilter(PREFILTER)(canonical_text)


def folded(body: JsonObject, rules: BodyRules, *, is_bedrock: bool) -> JsonObject:
    """Return a copy of `body` as a key version with these rules hashes it."""
    copy = _folded_object(body, rules, is_root=True)
    if rules.drops_bedrock_stream_options and is_bedrock:
        copy.pop("stream_options", None)
    return copy


def _folded_object(value: JsonObject, rules: BodyRules, *, is_root: bool) -> JsonObject:
    copy = {name: _folded(item, rules) for name, item in value.items()}
    if is_root and rules.drops_project_id:
        for extra in (copy.get("extra_body"), copy.get("extra_query")):
            if isinstance(extra, dict):
                extra.pop("project_id", None)
    return copy


def _folded(value: JsonValue, rules: BodyRules) -> JsonValue:
    if isinstance(value, dict):
        return _folded_object(value, rules, is_root=False)
    if isinstance(value, (list, tuple)):
        return a_dict_directly_in_a_list_counts_as_a_root(value, rules)
    if isinstance(value, float):
        return round(value, 5) if rules.rounds_floats else value
    if isinstance(value, str):
        if rules.hides_file_search:
            value = _without_file_search(value, rules)
        if rules.rounds_floats and "." in value:
            value = _LONG_DECIMAL.sub(lambda number: f"{float(number.group()):.5f}", value)
    return value


def a_dict_directly_in_a_list_counts_as_a_root(
    items: list[JsonValue] | tuple[JsonValue, ...], rules: BodyRules
) -> list[JsonValue]:
    """Return the items folded, each object as if it were the whole body, as llama-stack's recorder does."""
    return [
        _folded_object(item, rules, is_root=True) if isinstance(item, dict) else _folded(item, rules) for item in items
    ]


def _without_file_search(text: str, rules: BodyRules) -> str:
    # Testing for a literal part of each pattern first takes a tenth of the time of the pattern.
    if "score:" in text:
        text = _SCORE.sub("score: __NORMALIZED__", text)
    if "attributes:" in text:
        text = _ATTRIBUTES.sub("", text)
    if rules.hides_document_ids and "document_id:" in text:
        text = _DOCUMENT_ID.sub("document_id: __NORMALIZED__", text)
    if rules.hides_document_ids and "<|" in text:
        text = _CITATION.sub("<|__NORMALIZED__|>", text)
    return text
