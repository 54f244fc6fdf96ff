"""What is taken for a secret, and that the quick look misses none of it."""

from __future__ import annotations

import json
import os
import re
import time
import timeit
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference_recorder.recording.joined import TextPart, rewrite_parts
from inference_recorder.redaction import scanner as scanner_module
from inference_recorder.redaction.placeholders import PLACEHOLDER
from inference_recorder.redaction.redactor import Redactor
from inference_recorder.redaction.scanner import Scanner, _spellings, may_have_a_shape
from inference_recorder.redaction.secret_env import _variable_names
from inference_recorder.request.jsonable import canonical_text

from ...support.secret_table import SECRETS, Secret, made


def redacted(value: Any) -> Any:
    """Return a copy of a JSON value, or of a text, in which nothing has the shape of a secret."""
    return Redactor().replaced(value, lambda secret: PLACEHOLDER)


TEXTS = [secret.text.format(secret.one) for secret in SECRETS]


@pytest.mark.parametrize("secret", SECRETS, ids=[secret.kind for secret in SECRETS])
def test_a_secret_is_found_whole_and_alone(secret: Secret) -> None:
    """Half a key left behind is a key to be guessed; a word taken along makes the answer another one."""
    start, end = secret.text.format(secret.one).index(secret.one), len(secret.one)

    findings = Scanner().find(secret.text.format(secret.one))

    assert [(start, start + end)] == [(finding.start, finding.end) for finding in findings]


@pytest.mark.parametrize(
    "text",
    [
        "What is the risk-management-in-large-organisations approach?",
        "Set max_tokens to 4096 and temperature to 0.2; password: at least eight characters, please.",
        "See https://example.com/a/b?page=2&sort=asc and mailto:someone@example.com.",
        "123e4567-e89b-12d3-a456-426614174000",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "The bearer of good news; authorization: none",
        "task-force-of-the-year-2026-awards",
        "Asia and Africa, AIzawl, sk-ip, hf_x",
        "__REDACTED__ and __REDACTED_12__",
        "Authorization: Bearer __REDACTED__",
    ],
)
def test_what_is_not_a_secret_is_left_alone(text: str) -> None:
    """A false positive costs nothing but a worse diff; many of them cost trust."""
    assert text == redacted(text)


@pytest.mark.parametrize(
    "repeated",
    [
        "a",
        "://",
        "eyJ",
        "eyJaaaaaaaaaa.",
        "secret=",
        "AccountKey=",
        "-----BEGIN PRIVATE KEY-----",
        "sk-",
        "aws=",
        "a:",
        "?key",
    ],
)
@pytest.mark.parametrize("start", ["", "password=", "authorization:", "https://", "aws"])
def test_a_text_of_twice_the_length_takes_no_four_times_as_long(start: str, repeated: str) -> None:
    """A stranger's prompt of 100 kB took the recorder 17 seconds."""
    short, long = (start + repeated * (size // len(repeated)) for size in (2_500, 40_000))

    taken = [
        min(timeit.repeat(partial(Scanner().find, text), timer=time.process_time, number=1, repeat=3))
        for text in (short, long)
    ]

    assert taken[1] < 64 * taken[0]


@pytest.mark.parametrize("escape", [r"\n", r"\t", r"\u00e9"])
@pytest.mark.parametrize("start", ["sk-", "gh" + "p_", "h" + "f_"])
def test_a_secret_may_follow_an_escape(start: str, escape: str) -> None:
    """The arguments of a tool call are JSON within a string; a line break there ends in a letter."""
    secret = start + "a1b2c3d4e5f6a7b8c9d0e1f2"

    assert [f'{{"text": "keys:{escape}__REDACTED__"}}'] == redacted([f'{{"text": "keys:{escape}{secret}"}}'])


@given(
    st.recursive(
        st.one_of(st.text(max_size=12), st.sampled_from(TEXTS), st.integers(), st.none()),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.just("api_key"), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    st.sampled_from(["", "\n", "\\", '"', "é\u2028", "\ud800"]),
)
def test_the_prefilter_misses_nothing_that_the_patterns_find(value: object, around: str) -> None:
    """It decides for every call; what it overlooks is in the file."""
    value = [value, around, f"{around}{value}{around}" if isinstance(value, str) else value]

    is_changed = Redactor().replaced(value, lambda secret: "X") != value

    assert not is_changed or may_have_a_shape(canonical_text({"v": value}))


_KNOWN = st.text('ab"\\\\é\\n%', min_size=1, max_size=4)
_ANY_TEXTS = st.one_of(
    st.text(max_size=12),
    st.lists(
        st.sampled_from(TEXTS)
        | st.sampled_from(["__REDACTED__", "__REDACTED_3__", made(24, "one"), "\n", "\ud800", '"'])
        | _KNOWN
    ).map("".join),
)
_ANY_NAMES = st.text(max_size=6) | st.sampled_from(["api_key", "extra_query", "extra_body", "key", "project_id", "?"])
_ANY_JSON = st.recursive(
    _ANY_TEXTS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY_NAMES | _ANY_TEXTS, inner, max_size=3),
    max_leaves=5,
)


@given(_ANY_JSON, st.lists(_KNOWN, max_size=2), st.booleans())
@example({"extra_query": [{"key": "twelve-or-more"}]}, [], False)
@example({"api_key": made(24, "one")}, [], False)
@example({"arguments": r'{"a": "a\"b"}'}, ['a"b'], False)
@example({"\ud800": TEXTS[0]}, [], False)
def test_what_the_prefilter_passes_over_holds_nothing_for_a_long_one(
    value: object, values: list[str], is_for_requests: bool
) -> None:
    """It says for whole requests, and again for each text, that the patterns need not be asked."""

    def shown(secret: str) -> str:
        return f"-{len(secret)}-"

    def redactor() -> Redactor:
        return Redactor(values, is_for_requests=is_for_requests)

    with patch.object(scanner_module, "prefilter", lambda pattern: lambda text: True):
        expected = redactor().replaced(value, shown)

    assert expected == redactor().replaced(value, shown)
    assert not redactor().is_clean(canonical_text({"value": value})) or expected == value


@given(st.lists(_ANY_TEXTS, max_size=3), st.lists(_KNOWN, max_size=2))
def test_a_text_found_to_be_clean_has_no_findings(texts: list[str], values: list[str]) -> None:
    """Nor has it any for one who looks at all of it."""
    redactor = Redactor(values)
    for text in texts:
        with patch.object(scanner_module, "prefilter", lambda pattern: lambda text: True):
            expected = Redactor(values).scanner.find(text)

        assert expected == redactor.scanner.find(text)
        assert not redactor.is_clean(canonical_text({"v": text})) or not expected


@given(st.dictionaries(st.text("A_é", min_size=1, max_size=4), st.text("a", max_size=3), max_size=3))
def test_the_names_of_variables_are_those_of_the_environment(variables: dict[str, str]) -> None:
    """They are read as they lie there, since decoding one after the other takes longer than entering a context."""
    with patch.dict(os.environ, variables):
        assert sorted(os.environ) == sorted(_variable_names())


@given(st.text("aZ9._~-", max_size=9) | st.text(max_size=9))
def test_a_value_that_is_spelled_as_it_is_everywhere_has_one_spelling(value: str) -> None:
    """Most keys are, and their spellings need not be made."""
    with patch.object(scanner_module, "_SPELLED_AS_IT_IS", re.compile(r"(?!)")):
        expected = _spellings(value)

    assert expected == _spellings(value)


@pytest.mark.parametrize("between", ["\n", "\r\n", "\t", "  ", ' \\" '])
def test_the_prefilter_reads_escaped_white_space(between: str) -> None:
    """In a canonical text a line break is two characters."""
    for text in (
        f"password:{between}" + "hunter2hunter2hunter2",
        f"bearer{between}" + "a1b2c3d4e5f6a7b8c9d0",
        f"aws secret{between}" + "7" * 40,
    ):
        assert not Scanner().find(text) or may_have_a_shape(canonical_text({"v": text})), text


@given(st.sampled_from(SECRETS), st.sampled_from(SECRETS))
def test_a_placeholder_does_not_depend_on_the_value(one: Secret, two: Secret) -> None:
    """The key made with a real secret is the key made with a dummy."""
    assert redacted([one.text.format(one.one), two.text.format(two.other)]) == redacted(
        [one.text.format(one.other), two.text.format(two.one)]
    )


@given(st.lists(st.text("abc", min_size=1, max_size=4), max_size=3), st.text("abc ", max_size=30))
def test_no_value_of_the_callers_remains(values: list[str], text: str) -> None:
    """Of values that overlap, one must not shield the other."""
    remains = Redactor(values).replaced(text, lambda secret: "-")

    assert [] == [value for value in values if value in remains]


@pytest.mark.parametrize("start", ["", "The numbers: "])
def test_many_secrets_of_an_answer_take_no_time_for_each_two_of_them(start: str) -> None:
    """Recording a tool call with 8,000 numbers, each a declared secret, took 5 seconds."""
    redactor = Redactor(["731412"])

    def rewritten(text: str) -> str:
        holder = {str(position): text[position : position + 3] for position in range(0, len(text), 3)}
        findings = redactor.scanner.find(text)
        rewrite_parts([TextPart(holder, name) for name in holder], redactor.changes(text, findings, lambda secret: "x"))
        return "".join(holder.values())

    short, long = (f"{start}{json.dumps([731412] * number)}" for number in (1_000, 16_000))
    times = [
        min(timeit.repeat(partial(rewritten, text), timer=time.process_time, number=1, repeat=3))
        for text in (short, long)
    ]

    assert rewritten(short) == short.replace("731412", "x" if start else '"x"')
    assert times[1] < 64 * times[0]
