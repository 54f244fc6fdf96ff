"""Keys are those of llama-stack's recorder, to the last byte, whichever way they are computed."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any
from urllib.parse import urlparse

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.keys import FOLDING, KEY_VERSIONS, body_text_as_keyed, further_keys, request_key
from inference_recorder.request.legacy_folding import (
    BodyRules,
    a_dict_directly_in_a_list_counts_as_a_root,
    folded,
    is_untouched,
)
from inference_recorder.request.request import Request, recorded_url

VERSIONS = {version.name: version for version in KEY_VERSIONS}
UUID = "0b7a8e62-1f0a-4d5c-9a53-2f6f0f0c8b11"

_CURIOUS = [
    "score: 0.123456",
    "x, attributes: {'a': 1}",
    f"document_id: {UUID}",
    f"<|{UUID}|>",
    "pi is 3.14159265",
    "-1.00001",
    "٣.١٤١٥٩",
    "1e-7",
    "a.b.c",
    "1.2345",
    "|",
    "score :1",
    "score:  -.5E-3 attributes:{",
    "attributes: {}",
    f"DOCUMENT_ID: {UUID}",
    "1.٣٤٥٦",
    "1.2٣٤٥",
    "12345.123",
    "12345.1234",
    "attributes:{}",
]
_TEXTS = st.text(max_size=20) | st.sampled_from(_CURIOUS)
_NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False), st.sampled_from([0.1, 1e-7, 0.123456789, 1e22, -0.0]))
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(_TEXTS, st.sampled_from(["project_id", "stream_options"])), inner, max_size=4),
    ),
    max_leaves=20,
)
_BODIES = st.fixed_dictionaries(
    {"model": st.just("m")},
    optional={
        "messages": _JSON,
        "stream_options": _JSON,
        "extra_body": st.dictionaries(st.sampled_from(["project_id", "top_k"]), _JSON),
        "extra_query": _JSON,
    },
)


def request_of(body: dict[str, Any], url: str = "https://api.openai.com/v1/v1/chat/completions") -> Request:
    return Request("POST", "/v1/chat/completions", url, body, canonical_text(body))


def folded_by_patterns(value: Any, rules: BodyRules, *, is_bedrock: bool, is_root: bool = True) -> Any:
    """Return the body as llama-stack's key has it: each pattern applied to each text, without a prefilter."""
    if isinstance(value, dict):
        copy = {name: folded_by_patterns(item, rules, is_bedrock=False, is_root=False) for name, item in value.items()}
        if is_root and rules.drops_project_id:
            for name in ("extra_body", "extra_query"):
                if isinstance(copy.get(name), dict):
                    copy[name] = {inner: item for inner, item in copy[name].items() if inner != "project_id"}
        if rules.drops_bedrock_stream_options and is_bedrock:
            copy.pop("stream_options", None)
        return copy
    if isinstance(value, (list, tuple)):
        return [folded_by_patterns(item, rules, is_bedrock=False) for item in value]
    if isinstance(value, float) and rules.rounds_floats:
        return round(value, 5)
    if isinstance(value, str):
        uuid = "[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"
        if rules.hides_file_search:
            value = re.sub(r"score:\s*[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", "score: __NORMALIZED__", value)
            value = re.sub(r",?\s*attributes:\s*\{[^}]*\}", "", value)
        if rules.hides_file_search and rules.hides_document_ids:
            value = re.sub(rf"document_id:\s*{uuid}", "document_id: __NORMALIZED__", value)
            value = re.sub(rf"<\|{uuid}\|>", "<|__NORMALIZED__|>", value)
        if rules.rounds_floats:
            value = re.sub(r"-?\d+\.\d{4,}", lambda number: f"{float(number.group()):.5f}", value)
    return value


@settings(max_examples=200)
@given(
    body=_BODIES,
    host=st.sampled_from(["api.openai.com", "bedrock-runtime.amazonaws.com", "localhost:8000", "[::1]"]),
    path=st.sampled_from(["/v1/v1/chat/completions", "/v1/models", "/v1/v1/models", "/api/tags", '/é/"', ""]),
    method=st.sampled_from(["POST", "GET", 'é"']),
    test_id=st.none() | st.text(max_size=8) | st.sampled_from(["None", "null", '"']),
)
@example(body={"messages": ["0.12345"]}, host="h", path="/v1", method="POST", test_id="t")
def test_a_key_computed_the_short_way_is_llama_stacks(
    body: dict[str, Any], host: str, path: str, method: str, test_id: str | None
) -> None:
    """The short way skips rules that cannot change the text, and joins the text that is hashed by hand."""
    url = f"https://{host}{path}"
    request = Request(method, "/v1/x", url, body, canonical_text(body))
    for version in FOLDING:
        scope = version.test_id_rule(urlparse(url).path, urlparse(url).hostname, test_id)
        long_way = {
            "method": method,
            "endpoint": urlparse(url).path,
            "body": folded_by_patterns(body, version.body_rules or BodyRules(), is_bedrock="bedrock" in host),
            **({"test_id": scope} if scope is None or isinstance(scope, str) else {}),
        }

        digest = sha256(json.dumps(long_way, sort_keys=True).encode()).hexdigest()
        assert digest[: version.digits] == request_key(request, test_id, version), version.name


@settings(max_examples=200)
@given(body=_BODIES, is_bedrock=st.booleans())
def test_is_untouched_is_true_only_for_untouched_bodies(body: dict[str, Any], is_bedrock: bool) -> None:
    """The prefilter may err in one direction only, in every key version."""
    text = canonical_text(body)
    if is_untouched(text, is_bedrock=is_bedrock):
        for version in FOLDING:
            rules = version.body_rules
            assert rules is not None
            assert text == canonical_text(folded(body, rules, is_bedrock=is_bedrock))
            assert text == canonical_text(folded_by_patterns(body, rules, is_bedrock=is_bedrock))


@pytest.mark.parametrize("text", _CURIOUS)
def test_a_single_text_is_keyed_as_by_llama_stack(text: str) -> None:
    """Next to other texts it is hardly ever the one that the prefilter matches."""
    for body in ({"messages": text}, {text: 1}, {"messages": [f"é{text}"]}):
        for version in FOLDING:
            assert version.body_rules is not None
            expected = folded_by_patterns(body, version.body_rules, is_bedrock=False)

            assert canonical_text(expected) == body_text_as_keyed(request_of(body), version)


def test_usual_bodies_are_untouched() -> None:
    """Otherwise every key would be computed the long way, and nobody would notice."""
    for body in ({"model": "m", "temperature": 0.7}, {"messages": [{"content": "a.b.c | 1.25 é"}]}, {"top_p": 1e22}):
        assert is_untouched(canonical_text(body), is_bedrock=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("score: 0.8731, next", "score: __NORMALIZED__, next"),
        ("score:-1e-5", "score: __NORMALIZED__"),
        ("a, attributes: {'x': {'y': 1}} b", "a} b"),
        (f"document_id: {UUID}!", "document_id: __NORMALIZED__!"),
        (f"see <|{UUID}|>", "see <|__NORMALIZED__|>"),
        ("1.23456789 and 0.1234 and 0.123", "1.23457 and 0.12340 and 0.123"),
        ("-2.000004", "-2.00000"),
    ],
    ids=["score", "negative score", "attributes to the first brace", "document id", "citation", "decimals", "negative"],
)
def test_strings_are_folded_as_by_llama_stack(text: str, expected: str) -> None:
    """File search puts scores and ids into prompts that differ from run to run."""
    assert {"a": expected} == folded({"a": text}, BodyRules(), is_bedrock=False)


def test_one_version_hides_scores_and_attributes_and_rounds_nothing() -> None:
    """26 of llama-stack's recordings have such keys."""
    text = f"score: 0.8731, attributes: {{'x': 1}}, document_id: {UUID}, see <|{UUID}|>, 1.23456789"
    kept = f"score: __NORMALIZED__, document_id: {UUID}, see <|{UUID}|>, 1.23456789"

    version = VERSIONS["G7a"]
    assert canonical_text({"a": kept, "b": 0.123456789}) == body_text_as_keyed(
        request_of({"a": text, "b": 0.123456789}), version
    )


def test_a_dict_directly_in_a_list_counts_as_a_root_and_loses_its_project() -> None:
    """Real keys depend on this quirk of llama-stack's recorder."""
    inner = {"extra_body": {"project_id": "p", "a": 1}}
    assert [{"extra_body": {"a": 1}}] == a_dict_directly_in_a_list_counts_as_a_root([inner], BodyRules())
    assert {"a": inner} == folded({"a": inner}, BodyRules(), is_bedrock=False)
    assert {"extra_body": {"project_id": "p", "a": 1}} == inner


def test_bedrock_hosts_ignore_stream_options_at_the_top_only() -> None:
    """Their gateway does not always add them."""
    url = "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1/v1/chat/completions"
    plain, with_options = (
        request_of({"model": "m"}, url),
        request_of({"model": "m", "stream_options": {"include_usage": True}}, url),
    )
    nested = request_of({"model": "m", "extra_body": {"stream_options": 1}}, url)

    assert request_key(plain, None, FOLDING[0]) == request_key(with_options, None, FOLDING[0])
    assert request_key(plain, None, FOLDING[0]) != request_key(nested, None, FOLDING[0])


@pytest.mark.parametrize(
    ("name", "url", "test_id"),
    [
        ("G10", "https://api.openai.com/v1/models", "null"),
        ("G10", "https://api.openai.com/v1/v1/models", "null"),
        ("G10", "http://localhost:8000/v1/v1/models", '"t"'),
        ("G10", "http://localhost:8000/v1/models", "null"),
        ("G10", "https://api.openai.com/v1/v1/chat/completions", '"t"'),
        ("G9", "http://localhost:8000/v1/v1/models", None),
        ("G8", "https://api.openai.com/v1/v1/models", '"t"'),
        ("G8", "https://host/v1/openai/v1/models", None),
        ("G4", "https://host/v1/openai/v1/models", '"t"'),
        ("G3", "https://host/v1/models", None),
        ("G1", "https://api.openai.com/v1/v1/chat/completions", None),
    ],
)
def test_which_keys_carry_the_test_id(name: str, url: str, test_id: str | None) -> None:
    """The rule changed with almost every version, and each version has files in somebody's repository."""
    version = VERSIONS[name]
    end = "" if test_id is None else f', "test_id": {test_id}'
    hashed_text = f'{{"body": {{}}, "endpoint": "{urlparse(url).path}", "method": "POST"{end}}}'

    assert sha256(hashed_text.encode()).hexdigest()[: version.digits] == request_key(request_of({}, url), "t", version)


def test_keys_are_tried_newest_first_and_each_once() -> None:
    """Two versions can hit two files; the newest version wins."""
    body = {"messages": "score: 0.123456789", "extra_body": {"project_id": "p"}}
    request = request_of(body)
    found = list(further_keys([request, request], "t", request_key(request, "t")))

    assert ["G10", "G7", "G6", "G3", "G1"] == [version.name for version, _ in found]
    assert len({key for _, key in found}) == len(found)
    assert 12 == len(found[-1][1])


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/v1/chat/completions"),
        ("https://user:secret@host/v1?key=1#x", "https://host/v1/v1/chat/completions"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1/v1/chat/completions"),
        ("https://adb-12345.6.cloud.databricks.com/serving", "__databricks__/serving/v1/chat/completions"),
    ],
)
def test_the_recorded_url_holds_no_secret(base_url: str, expected: str) -> None:
    """Urls contain passwords, signatures and customers' names, and recordings are committed."""
    assert expected == recorded_url(base_url, "/v1/chat/completions")
