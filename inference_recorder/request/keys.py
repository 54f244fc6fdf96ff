"""The key of a request, and the keys under which older key versions store the same request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import TypeAlias
from urllib.parse import urlparse

from ..json_tree import JsonObject, JsonValue
from . import exact_body, legacy_folding
from .jsonable import canonical_text
from .legacy_folding import BodyRules
from .request import Request

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104 - names to compare, nothing is bound
_NO_TEST_ID = object()

_TestIdRule: TypeAlias = "Callable[[str, str | None, str | None], object]"
"""(path, host, test id) -> the member "test_id" of what the key is made of, or _NO_TEST_ID to leave it out."""


def _null_for_shared_model_lists(path: str, host: str | None, test_id: str | None) -> object:
    is_shared = path == "/v1/models" or (path.endswith("/models") and host not in _LOCAL_HOSTS)
    return None if is_shared else test_id


def _absent_for_model_lists(path: str, host: str | None, test_id: str | None) -> object:
    return _NO_TEST_ID if path.endswith("/models") else test_id


def _absent_for(*paths: str) -> _TestIdRule:
    return lambda path, host, test_id: _NO_TEST_ID if path in paths else test_id


def _always_present(path: str, host: str | None, test_id: str | None) -> object:
    return test_id


def _always_absent(path: str, host: str | None, test_id: str | None) -> object:
    return _NO_TEST_ID


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One way to compute a key. The recording format describes all of them by name."""

    name: str
    body_rules: BodyRules | None
    """Which of llama-stack's foldings apply; None for the body as it is sent."""
    test_id_rule: _TestIdRule
    digits: int = 64

    @property
    def prefilter(self) -> str:
        """A pattern that matches the canonical text of every body that this version changes, except Bedrock's."""
        return exact_body.PREFILTER if self.body_rules is None else legacy_folding.PREFILTER


_ALL = BodyRules()
_ONLY_SCORES = BodyRules(rounds_floats=False, hides_document_ids=False)
_NO_FILE_SEARCH = BodyRules(hides_file_search=False)
_NO_PROJECT = BodyRules(hides_file_search=False, drops_project_id=False)
_ONLY_FLOATS = BodyRules(hides_file_search=False, drops_project_id=False, drops_bedrock_stream_options=False)
_NONE = BodyRules(False, False, False, False)
_ABSENT_FOR_THREE = _absent_for("/v1/models", "/v1/openai/v1/models", "/api/tags")
_ABSENT_FOR_TWO = _absent_for("/v1/models", "/api/tags")

EXACT = KeyVersion("exact", None, _always_present)
"""The version of what we write: different requests have different keys."""
FOLDING = (
    KeyVersion("G10", _ALL, _null_for_shared_model_lists),
    KeyVersion("G9", _ALL, _absent_for_model_lists),
    KeyVersion("G8", _ALL, _ABSENT_FOR_THREE),
    KeyVersion("G7a", _ONLY_SCORES, _ABSENT_FOR_THREE),
    KeyVersion("G7", _NO_FILE_SEARCH, _ABSENT_FOR_THREE),
    KeyVersion("G6", _NO_PROJECT, _ABSENT_FOR_THREE),
    KeyVersion("G5", _ONLY_FLOATS, _ABSENT_FOR_THREE),
    KeyVersion("G4", _ONLY_FLOATS, _ABSENT_FOR_TWO),
    KeyVersion("G3", _NONE, _ABSENT_FOR_TWO),
    KeyVersion("G1", _NONE, _always_absent, digits=12),
)
"""The versions of llama-stack's recorder, newest first. They give some different requests the same key."""
KEY_VERSIONS = (EXACT, *FOLDING)
"""All versions, in the order of lookup."""


def named(name: str) -> KeyVersion:
    """Return the key version with this name. Raises ValueError for an unknown name."""
    for version in KEY_VERSIONS:
        if version.name == name:
            return version
    raise ValueError(f"{name!r} is not a key version")


def request_key(
    request: Request, test_id: str | None, version: KeyVersion = EXACT, *, passed_prefilter: bool = False
) -> str:
    """Return the key of `request`, made in the test `test_id`: the name of its recording.

    64 hex digits (12 in the oldest version) of the sha256 of
    `json.dumps({"body", "endpoint", "method", "test_id"}, sort_keys=True)`, where "endpoint" is the path of the url.
    `passed_prefilter`: the version's prefilter does not match the body's text, so that it need not be tried again.
    """
    text = request.body_text
    if not passed_prefilter or (version.body_rules is not None and _is_bedrock(request.url)):
        text = body_text_as_keyed(request, version)
    return _key(text, request, test_id, version)


def _key(text: str, request: Request, test_id: str | None, version: KeyVersion) -> str:
    after_body = _text_after_body(request.url, request.method, test_id, version.test_id_rule)
    return sha256(f'{{"body": {text}{after_body}'.encode()).hexdigest()[: version.digits]


def body_text_as_keyed(request: Request, version: KeyVersion = EXACT) -> str:
    """Return the canonical text of the request's body that its key is made of."""
    if version.body_rules is None:
        return exact_body.exact_text(request)
    is_bedrock = _is_bedrock(request.url)
    if legacy_folding.is_untouched(request.body_text, is_bedrock=is_bedrock):
        return request.body_text
    return canonical_text(legacy_folding.folded(request.body, version.body_rules, is_bedrock=is_bedrock))


def compared_body(request: Request, version: KeyVersion = EXACT) -> JsonObject:
    """Return the body without the members that its key leaves out. Its texts and numbers are those of the request."""
    if version.body_rules is None:
        body: JsonObject = json.loads(exact_body.exact_text(request))
        return body
    rules = replace(version.body_rules, hides_file_search=False, rounds_floats=False)
    kept = legacy_folding.folded(request.body, rules, is_bedrock=_is_bedrock(request.url))
    body = json.loads(canonical_text(kept))
    return body


def compared_text(value: JsonValue, version: KeyVersion = EXACT) -> str:
    """Return the canonical text of a value in a body, as the key sees it: two with the same text are the same."""
    wrapped: JsonObject = {"": value}
    if version.body_rules is not None:
        wrapped = legacy_folding.folded(wrapped, version.body_rules, is_bedrock=False)
    return canonical_text(wrapped)


def is_folded(request: Request) -> bool:
    """Return whether a version of llama-stack's gives other requests the same key, because it changes the body."""
    return body_text_as_keyed(request, FOLDING[0]) != request.body_text  # the newest has the rules of all others


def further_keys(requests: Iterable[Request], test_id: str | None, key: str) -> Iterator[tuple[KeyVersion, str]]:
    """Yield every key other than `key` that one of `requests` may be stored under, in the order of lookup.

    `requests` are one request with and without redaction and normalizers: a recording may have been made without them.
    """
    seen = {key}
    for request in requests:
        texts: dict[BodyRules | None, str] = {}  # folding takes longer than all else
        for version in KEY_VERSIONS:
            if (text := texts.get(version.body_rules)) is None:
                text = texts[version.body_rules] = body_text_as_keyed(request, version)
            further = _key(text, request, test_id, version)
            if further not in seen:
                seen.add(further)
                yield version, further


def key_version_of(key: str, request: Request, test_id: str | None) -> KeyVersion | None:
    """Return the newest version that gives `request`, made in the test `test_id`, this key; None if none does."""
    return next((version for version in KEY_VERSIONS if request_key(request, test_id, version) == key), None)


def renamed_under(version: KeyVersion) -> KeyVersion:
    """Return the version to use when a recording stored under `version` is renamed: exact, or llama-stack's newest."""
    return EXACT if version is EXACT else FOLDING[0]


def is_bound_to_its_test(request: Request, version: KeyVersion) -> bool:
    """Return whether the key of `request` depends on the test. If not, one recording answers all tests."""
    return request_key(request, "one", version) != request_key(request, "another", version)


@lru_cache(maxsize=1024)
def _is_bedrock(url: str) -> bool:
    return "bedrock" in urlparse(url).netloc


@lru_cache(maxsize=1024)
def _text_after_body(url: str, method: str, test_id: str | None, rule: _TestIdRule) -> str:
    """Return what follows the body in the text that is hashed. The names are in sorted order."""
    parts = urlparse(url)
    members: dict[str, object] = {"endpoint": parts.path, "method": method}
    keyed_test_id = rule(parts.path, parts.hostname, test_id)
    if keyed_test_id is not _NO_TEST_ID:
        members["test_id"] = keyed_test_id
    return f", {json.dumps(members)[1:]}"
