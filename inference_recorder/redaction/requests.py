"""Requests as used for their keys: without secrets, and with the normalizers of a session applied."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import NoReturn

from ..errors import RecorderError
from ..json_tree import JsonObject
from ..request.credentials import Credential
from ..request.jsonable import canonical_text
from ..request.keys import EXACT, KeyVersion, further_keys, is_folded, request_key
from ..request.normalizers import Normalizers
from ..request.request import Request
from ..request.sent_alike import sent_alike
from ..request.unshown import Unshown
from . import numbers
from .placeholders import LITERAL, LITERAL_MARK, NUMBERED, PLACEHOLDER, PLACEHOLDER_START, as_keyed, unescaped
from .redactor import Redactor
from .scanner import SHORTEST_VALUE, RedactRule, Scanner
from .secret_env import checked_names, environment, secret_values, secret_variables

_NUMBERED_MARK = f"{PLACEHOLDER_START}_"


@dataclass(slots=True, eq=False)
class _Secrets:
    """The secrets of one state of the environment, and what was found clean with them.

    When the environment changes, a new one replaces it, so that no thread uses old results with new secrets.
    """

    redactor: Redactor
    clean_scope: tuple[str, Credential | None] | None = None
    """A test id and the client's key."""
    clean_url: str = ""
    may_change: Callable[[str], bool] | None = None
    """Whether a body's text may hold a secret, or something that the key version changes."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets cannot be copied or pickled")

    def is_clean_url(self, url: str) -> bool:
        if not self.redactor.is_clean(encode_basestring_ascii(url)):
            return False
        self.clean_url = url
        return True


class RequestRules:
    """Redacts and normalizes requests for their keys. Raises RecorderError for an invalid rule."""

    def __init__(
        self,
        redact: Sequence[RedactRule] = (),
        normalize: Sequence[object] = (),
        key_version: KeyVersion = EXACT,
        secret_env: Sequence[str] = (),
    ) -> None:
        if isinstance(redact, str) or isinstance(normalize, str):
            raise RecorderError("redact= and normalize= take lists, not a single string")
        self.key_version = key_version
        """The key version of new recordings."""
        self.redact = tuple(redact)
        self._normalize = tuple(normalize)
        self.normalizers = Normalizers(normalize)
        self._has_normalizers = bool(self.normalizers)
        self.secret_env = checked_names(secret_env, "secret_env=")
        # Unshown, since `vars` of this object may end up in a traceback or a notebook.
        self._environment = Unshown(environment())
        self._values = Unshown(secret_values(self.secret_env))
        self._secrets = self._current_secrets()
        # Reentrant, since a stream that is garbage-collected may be saved at any point.
        self._guard = threading.RLock()

    @property
    def redactor(self) -> Redactor:
        """The redactor with the secrets of the environment at the latest refresh."""
        return self._secrets.redactor

    @property
    def is_llama_stacks(self) -> bool:
        """Whether the session is one of `inference_recorder.llama_stack`, whose recordings have llama-stack's names."""
        return self.key_version is not EXACT

    def refresh(self) -> bool:
        """Read the environment again, and return whether its secrets have changed."""
        if environment() == self._environment.value:
            return False
        with self._guard:
            now, values = Unshown(environment()), Unshown(secret_values(self.secret_env))
            is_other = values.value != self._values.value
            if is_other:
                self._values = values
                self._secrets = self._current_secrets()
            self._environment = now  # last, so that a thread that finds it unchanged uses its secrets
        return is_other

    def _current_secrets(self) -> _Secrets:
        return _Secrets(Redactor(self._values.value, self.redact, is_for_requests=True))

    def keyed(self, request: Request, test_id: str | None) -> tuple[Request, str]:
        """Return the request as used for its key, and the key of a new recording of it in this test."""
        secrets = self._secrets
        if secrets.may_change is None:  # not made in the constructor, since it imports pydantic-core
            secrets.may_change = secrets.redactor.scanner.prefilter(self.key_version.prefilter)
        if self._is_unchanged(request, secrets, secrets.may_change):
            return request, request_key(request, test_id, self.key_version, passed_prefilter=True)
        asked = self.asked(request)
        return asked, request_key(asked, test_id, self.key_version)

    def further_keys(self, request: Request, test_id: str | None, key: str) -> Iterator[tuple[KeyVersion, str]]:
        """Yield every key other than `key` that a recording of `request` may have, in the order of lookup."""
        return further_keys((*self.forms(request), *self.other_forms(request)), test_id, key)

    def forms(self, request: Request) -> tuple[Request, ...]:
        """Return the request as used for its key, as it is, and as for older keys, which took literals for secrets."""
        asked = self.asked(request)
        forms = (asked,) if asked is request else (asked, request)
        if LITERAL_MARK not in asked.body_text and LITERAL_MARK not in asked.url:
            return forms
        return (*forms, _with_texts(asked, lambda text: LITERAL.sub(PLACEHOLDER, text)))

    def other_forms(self, request: Request) -> tuple[Request, ...]:
        """Return the request as it may be described otherwise, and as llama-stack's recorder hashes it with options."""
        return (*map(self.asked, sent_alike(request)), *request.with_call_options())

    def asked(self, request: Request) -> Request:
        """Return the request as used for its key: the same object if there is nothing to replace."""
        secrets = self._secrets
        if self._is_unchanged(request, secrets, secrets.redactor.scanner.prefilter()):
            return request
        redactor = self.redactor_of(request)
        body = redactor.replaced(request.frozen_body(), as_keyed)
        endpoint, url = (redactor.replaced_in_path(path, as_keyed) for path in (request.endpoint, request.url))
        return request.with_body(self.normalizers.applied(body))._replace(endpoint=endpoint, url=url)

    def shown(self, request: Request) -> Request:
        """Return a request without its secrets and without the client's key, to be shown."""
        return (
            request if request.credential is None else self.asked(request)._replace(credential=None, call_options=None)
        )

    def shown_path(self, path: str) -> str:
        """Return the path of a url without secrets, to be shown."""
        self.refresh()
        return self.redactor.replaced_in_path(path, as_keyed)

    def _is_unchanged(self, request: Request, secrets: _Secrets, may_change: Callable[[str], bool]) -> bool:
        """Return whether nothing in a request is to be replaced; False when in doubt."""
        text, url = request.body_text, request.url
        if self._has_normalizers or may_change(text) or not (url == secrets.clean_url or secrets.is_clean_url(url)):
            return False
        for spelling in _spellings(request.credential):  # noqa: SIM110 - all() takes three times as long
            if spelling in text or spelling in url:
                return False
        return True

    def scope(self, test_id: str | None, credential: Credential | None = None) -> str | None:
        """Return the test id without secrets, for key and file: a parameter may be one, or the client's key."""
        if test_id is None:
            return None
        secrets = self._secrets
        if (test_id, credential) == secrets.clean_scope:
            return test_id
        if credential is not None and any(spelling in test_id for spelling in _spellings(credential)):
            return secrets.redactor.knowing([credential.text]).replaced(test_id, lambda secret: PLACEHOLDER)
        if secrets.redactor.is_clean(encode_basestring_ascii(test_id)):
            secrets.clean_scope = test_id, credential
            return test_id
        return secrets.redactor.replaced(test_id, lambda secret: PLACEHOLDER)

    def secrets_of(self, request: Request) -> list[str]:
        """Return the secrets of a request's body and endpoint in the order of `Redactor.replaced`, with repetitions.

        Texts that look like a placeholder are among them (see `placeholders.LITERAL`).
        """
        found: list[str] = []

        def note(secret: str) -> str:
            found.append(secret)
            return PLACEHOLDER

        redactor = self.redactor_of(request)
        redactor.replaced(request.frozen_body(), note)
        redactor.replaced_in_path(request.endpoint, note)
        return found

    def variables_in(self, request: Request) -> tuple[str, ...]:
        """Return the names of the environment variables whose values are redacted in the request."""
        asked = self.asked(request)
        plain = asked if asked is request else self.without_environment(request)
        if (asked.body_text, asked.url) == (plain.body_text, plain.url):
            return ()
        text = canonical_text({"body": request.body, "url": request.url})
        own = None if request.credential is None else request.credential.text
        variables = [item for item in secret_variables(self.secret_env).items() if item[1] != own]
        return tuple(sorted(name for name, value in variables if not Scanner([value]).knows_none_in(text)))

    def without_environment(self, request: Request) -> Request:
        """Return the request as its key would use it if no environment variable held a secret."""
        if not self._values.value:
            return self.asked(request)
        return RequestRules(self.redact, self._normalize, self.key_version, ("!*",)).asked(request)

    def as_recorded(self, request: Request, body: JsonObject) -> JsonObject:
        """Return the "request" object of a recording, with its secrets; `body` is what `frozen_body` gave."""
        recorded: JsonObject = {
            "method": request.method,
            "url": request.url,
            "headers": {},
            "body": body,
            "endpoint": request.endpoint,
            "model": request.model,
        }
        if declared := self.normalizers.declared_for(body):
            recorded["normalize"] = declared
        if variables := self.variables_in(request._replace(body=body)):
            recorded["secret_env"] = list(variables)
        return recorded

    def redactor_of(self, request: Request) -> Redactor:
        """Return the redactor that knows this request's own API key too."""
        credential = request.credential
        if credential is None or len(credential.text) < SHORTEST_VALUE:
            return self.redactor
        return self.redactor.knowing([credential.text])


def with_version(recorded: JsonObject, version: KeyVersion) -> JsonObject:
    """Return the "request" object of a recording, with a "key_version" if it answers only an equal request.

    Only the exact version is named, and only if llama-stack's recorder would treat other requests as equal, or if the
    request holds a placeholder: older keys took texts that look like one for secrets.
    """
    recorded = {name: value for name, value in recorded.items() if name != "key_version"}
    return {**recorded, "key_version": version.name} if version is EXACT and _is_one_of_several(recorded) else recorded


def _is_one_of_several(recorded: JsonObject) -> bool:
    """Return whether other requests may have the same key in another version."""
    try:
        request = recorded_request(recorded)
        return PLACEHOLDER_START in request.body_text or PLACEHOLDER_START in request.url or is_folded(request)
    except RecursionError:  # nested too deep to tell
        return True


def recorded_request(recorded: JsonObject, normalizers: Normalizers | None = None) -> Request:
    """Return the request of a recording, given its "request" object, as used for its key.

    The recording's own normalizers apply, unless others are given, which take the roots that the recording declares.
    Raises ValueError if the object does not describe a call of the SDK.
    """
    method, endpoint, url, body = (recorded.get(name) for name in ("method", "endpoint", "url", "body"))
    if not (isinstance(method, str) and isinstance(endpoint, str) and isinstance(url, str) and isinstance(body, dict)):
        raise ValueError('"request" must hold method, endpoint and url as strings and body as an object')
    declared = recorded.get("normalize") or []
    if not isinstance(declared, list):
        raise ValueError('"normalize" is not a list of normalizers')
    try:
        normalizers = Normalizers(declared) if normalizers is None else normalizers.rooted_as(declared)
    except (RecorderError, TypeError) as error:
        raise ValueError(f'"normalize" is not a list of normalizers: {error}') from None
    request = without_numbers(Request(method, endpoint, url, body, canonical_text(body)))
    if not normalizers:
        return request
    body = normalizers.applied(request.body)
    return request._replace(body=body, body_text=canonical_text(body))


def without_numbers(request: Request) -> Request:
    """Return a request read from a recording with the placeholders of its key, which have no numbers."""
    if _NUMBERED_MARK not in request.body_text and _NUMBERED_MARK not in request.url:
        return request

    def in_key(text: str) -> str:
        return NUMBERED.sub(lambda match: numbers.PLACEHOLDER if match[2] == "N" else PLACEHOLDER, text)

    return _with_texts(request, in_key)


def with_literals(request: Request) -> Request:
    """Return a request read from a recording and redacted again, with its placeholders unescaped."""
    return _with_texts(request, unescaped)


def _with_texts(request: Request, changed: Callable[[str], str]) -> Request:
    text, endpoint, url = (changed(part) for part in (request.body_text, request.endpoint, request.url))
    return request._replace(body=json.loads(text), body_text=text, endpoint=endpoint, url=url)


@lru_cache(maxsize=64)  # computing them takes 10 us
def _spellings(credential: Credential | None) -> tuple[str, ...]:
    """Return the spellings of an API key in any text, canonical or not; none if it is too short to search for."""
    if credential is None or len(credential.text) < SHORTEST_VALUE:
        return ()
    spellings = Scanner([credential.text]).spellings
    return tuple({*spellings, *(encode_basestring_ascii(spelling)[1:-1] for spelling in spellings)})
