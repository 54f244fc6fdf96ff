"""The body of a request as its key sees it: without what differs between two runs of one test.

Source of all rules: llama-stack `api_recorder.py`, `_normalize_body_for_hash` and the patterns above it, at d1b6632.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..prefilter import prefilter
from .jsonable import JsonValue

_UUID = r"[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"
_SCORE = re.compile(r"score:\s*[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")
_ATTRIBUTES = re.compile(r",?\s*attributes:\s*\{[^}]*\}")
_DOCUMENT_ID = re.compile(rf"document_id:\s*{_UUID}")
_CITATION = re.compile(rf"<\|{_UUID}\|>")
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{4,}")

MARKS = r"score:|attributes:|document_id:|project_id|<\||\.[0-9]{4}|\.[0-9]{0,3}\\u|e-[0-9]"
"""What must occur in a canonical text before any rule but Bedrock's can change it. A pattern for `prefilter`.

A float of up to five digits rounds to itself. The \\u is a digit of another script, which \\d matches in the unescaped
text and float() reads.
"""


@dataclass(frozen=True, slots=True)
class BodyRules:
    """Which of the ancestor's rules a generation of keys applies."""

    hides_file_search: bool = True
    drops_project_id: bool = True
    drops_bedrock_stream_options: bool = True
    rounds_floats: bool = True


def is_untouched(canonical_text: str, *, is_bedrock: bool) -> bool:
    """Whether no rule of any generation changes the body with this canonical text (False when in doubt)."""
    return not (is_bedrock and '"stream_options"' in canonical_text) and not prefilter(MARKS)(canonical_text)


def normalised(body: JsonValue, rules: BodyRules, *, is_bedrock: bool) -> JsonValue:
    """Return a copy of `body` as the key sees it under `rules`; `body` itself is left as it is."""
    copy = _normalised(body, rules, is_root=True)
    if rules.drops_bedrock_stream_options and is_bedrock:
        copy.pop("stream_options", None)
    return copy


def _normalised(value: JsonValue, rules: BodyRules, *, is_root: bool) -> JsonValue:
    if isinstance(value, dict):
        copy = {name: _normalised(item, rules, is_root=False) for name, item in value.items()}
        if is_root and rules.drops_project_id:
            for name in ("extra_body", "extra_query"):
                if isinstance(copy.get(name), dict):
                    copy[name].pop("project_id", None)
        return copy
    if isinstance(value, (list, tuple)):
        return a_dict_directly_in_a_list_counts_as_a_root(value, rules)
    if isinstance(value, float):
        return round(value, 5) if rules.rounds_floats else value
    if isinstance(value, str):
        if rules.hides_file_search:
            value = _hide_file_search(value)
        if rules.rounds_floats and "." in value:
            value = _LONG_DECIMAL.sub(lambda number: f"{float(number.group()):.5f}", value)
    return value


def a_dict_directly_in_a_list_counts_as_a_root(
    items: list[JsonValue] | tuple[JsonValue, ...], rules: BodyRules
) -> JsonValue:
    """Return the items normalised, each as if it were the body: the ancestor forgot to say that it is not."""
    return [_normalised(item, rules, is_root=True) for item in items]


def _hide_file_search(text: str) -> str:
    # Each pattern holds the literal that is looked for first, at a tenth of what the pattern costs.
    if "score:" in text:
        text = _SCORE.sub("score: __NORMALIZED__", text)
    if "attributes:" in text:
        text = _ATTRIBUTES.sub("", text)
    if "document_id:" in text:
        text = _DOCUMENT_ID.sub("document_id: __NORMALIZED__", text)
    if "<|" in text:
        text = _CITATION.sub("<|__NORMALIZED__|>", text)
    return text
