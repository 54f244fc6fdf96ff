"""The key of a request, and the older keys under which a recording of it may lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import urlparse

from .exact_body import MARKS as EXACT_MARKS
from .exact_body import exact_text
from .jsonable import canonical_text
from .legacy_folding import MARKS, BodyRules, is_untouched, normalised
from .request import Request

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104 - names to compare, nothing is bound
_NO_TEST_ID = object()

_TestIdRule = Callable[[str, "str | None", "str | None"], Any]
"""(path, host, test id) -> the value of the key's "test_id", or _NO_TEST_ID for none at all."""


def _shared_model_lists_have_null(path: str, host: str | None, test_id: str | None) -> object:
    is_shared = path == "/v1/models" or (path.endswith("/models") and host not in _LOCAL_HOSTS)
    return None if is_shared else test_id


def _no_model_list_has_one(path: str, host: str | None, test_id: str | None) -> object:
    return _NO_TEST_ID if path.endswith("/models") else test_id


def _exempt(*paths: str) -> _TestIdRule:
    return lambda path, host, test_id: _NO_TEST_ID if path in paths else test_id


def _each_request_has_one(path: str, host: str | None, test_id: str | None) -> object:
    return test_id


def _none_has_one(path: str, host: str | None, test_id: str | None) -> object:
    return _NO_TEST_ID


@dataclass(frozen=True, slots=True)
class Generation:
    """One version of the key. Names and order are those of the format's description."""

    name: str
    body_rules: BodyRules | None
    """Which of llama-stack's foldings apply, None for the body as it is sent."""
    test_id_rule: _TestIdRule
    digits: int = 64

    @property
    def marks(self) -> str:
        """What must occur in a canonical text before its body has another text in the key. For `prefilter`."""
        return EXACT_MARKS if self.body_rules is None else MARKS


_ALL = BodyRules()
_NO_FILE_SEARCH = BodyRules(hides_file_search=False)
_NO_PROJECT = BodyRules(hides_file_search=False, drops_project_id=False)
_ONLY_FLOATS = BodyRules(hides_file_search=False, drops_project_id=False, drops_bedrock_stream_options=False)
_NONE = BodyRules(False, False, False, False)
_THREE_EXEMPT = _exempt("/v1/models", "/v1/openai/v1/models", "/api/tags")
_TWO_EXEMPT = _exempt("/v1/models", "/api/tags")

EXACT = Generation("exact", None, _each_request_has_one)
"""Names what we write: requests that differ have different keys."""
FOLDING = (
    Generation("G10", _ALL, _shared_model_lists_have_null),
    Generation("G9", _ALL, _no_model_list_has_one),
    Generation("G8", _ALL, _THREE_EXEMPT),
    Generation("G7", _NO_FILE_SEARCH, _THREE_EXEMPT),
    Generation("G6", _NO_PROJECT, _THREE_EXEMPT),
    Generation("G5", _ONLY_FLOATS, _THREE_EXEMPT),
    Generation("G4", _ONLY_FLOATS, _TWO_EXEMPT),
    Generation("G3", _NONE, _TWO_EXEMPT),
    Generation("G1", _NONE, _none_has_one, digits=12),
)
"""Those of llama-stack's recorder, newest first. They fold different requests together."""
GENERATIONS = (EXACT, *FOLDING)
"""All of them, in the order in which they are looked up."""


def named(name: str) -> Generation:
    """Return the key version of this name; raises ValueError where there is none."""
    found = next((one for one in GENERATIONS if one.name == name), None)
    if found is None:
        raise ValueError(f"{name!r} is not a key version")
    return found


def request_key(
    request: Request, test_id: str | None, generation: Generation = EXACT, *, has_marks: bool = True
) -> str:
    """Return the name under which a recording of `request`, made in the test `test_id`, is stored.

    64 hex digits (12 under the oldest generation) of the sha256 of
    `json.dumps({"body", "endpoint", "method", "test_id"}, sort_keys=True)`, "endpoint" being the url's path. False for
    `has_marks` says that none of the generation's marks is in the body's text.
    """
    rest = _rest_of(request.url, request.method, test_id, generation.test_id_rule)
    text = request.body_text
    if has_marks or (generation.body_rules is not None and _is_bedrock(request.url)):
        text = body_text_as_keyed(request, generation)
    digest = sha256(f'{{"body": {text}{rest}'.encode()).hexdigest()
    return digest if generation.digits == 64 else digest[: generation.digits]


def body_text_as_keyed(request: Request, generation: Generation = EXACT) -> str:
    """Return the canonical text of the request's body that its key is made of."""
    if generation.body_rules is None:
        return exact_text(request)
    text, is_bedrock = request.body_text, _is_bedrock(request.url)
    if is_untouched(text, is_bedrock=is_bedrock):
        return text
    return canonical_text(normalised(request.body, generation.body_rules, is_bedrock=is_bedrock))


def is_folded(request: Request) -> bool:
    """Whether a key version of llama-stack's changes the request's body: then it may stand for other requests too."""
    return body_text_as_keyed(request, FOLDING[0]) != request.body_text  # it has all the rules of the others


def further_keys(requests: Iterable[Request], test_id: str | None, key: str) -> Iterator[tuple[Generation, str]]:
    """Yield each name but `key` under which one of `requests` may be stored, in the order of looking up.

    They are one request in several forms: as its key sees it, and as it is. A recording made before secrets were
    hidden, or under no normalizers, has the name of the latter.
    """
    seen = {key}
    for request in requests:
        for generation in GENERATIONS:
            name = request_key(request, test_id, generation)
            if name not in seen:
                seen.add(name)
                yield generation, name


def generation_of(key: str, request: Request, test_id: str | None) -> Generation | None:
    """Return the newest generation that stores `request`, made in the test `test_id`, as `key`; None for none."""
    return next((one for one in GENERATIONS if request_key(request, test_id, one) == key), None)


def renamed_under(generation: Generation) -> Generation:
    """Return the key version that names a recording from now on which has its name by this one: exact, or folding."""
    return EXACT if generation is EXACT else FOLDING[0]


def is_bound_to_its_test(request: Request, generation: Generation) -> bool:
    """Whether the key of `request` differs from test to test; otherwise one recording answers all of them."""
    return request_key(request, "one", generation) != request_key(request, "another", generation)


@lru_cache(maxsize=1024)
def _is_bedrock(url: str) -> bool:
    return "bedrock" in urlparse(url).netloc


@lru_cache(maxsize=1024)
def _rest_of(url: str, method: str, test_id: str | None, rule: _TestIdRule) -> str:
    """Return what follows the body in the text of an identity."""
    parts = urlparse(url)
    members = {"endpoint": parts.path, "method": method}
    scope = rule(parts.path, parts.hostname, test_id)
    if scope is not _NO_TEST_ID:
        members["test_id"] = scope
    # By hand but for these, since the body's text is there already; the names are in sorted order.
    return f", {json.dumps(members)[1:]}"
