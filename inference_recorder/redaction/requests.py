"""What one session leaves out of its keys: secrets, and what its caller declares to differ from run to run."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii

from ..errors import RecorderError
from ..request.credentials import Credential
from ..request.jsonable import JsonObject, canonical_text
from ..request.keys import EXACT, Generation, further_keys, is_folded, request_key
from ..request.normalizers import Normalizers
from ..request.request import Request
from ..request.unshown import Unshown
from . import numbers
from .placeholders import LITERAL, LITERAL_MARK, NUMBERED, PLACEHOLDER, PLACEHOLDER_START, as_keyed, said
from .redactor import Redactor
from .scanner import SHORTEST_VALUE, RedactRule, Scanner
from .secret_env import checked_names, environment, secret_values, secret_variables

_NUMBERED_MARK = f"{PLACEHOLDER_START}_"
_MOST_CREDENTIALS = 64


@dataclass(slots=True, eq=False)
class _Snapshot:
    """What finds the secrets of one environment, and what it found clean. Threads are given another one as a whole."""

    redactor: Redactor
    clean_scope: tuple[str, Credential | None] | None = None
    """A test id, and the client's key."""
    spelled: Unshown[dict[Credential, tuple[str, ...]]] = field(default_factory=lambda: Unshown({}))
    """The spellings of each client's key that was met; it takes 10 us to find them."""
    clean_url: str = ""
    look: Callable[[str], bool] | None = None
    """Whether a body's text may hold a secret, or something that a rule of keys would change."""

    def is_clean_url(self, url: str) -> bool:
        if not self.redactor.is_clean(encode_basestring_ascii(url)):
            return False
        self.clean_url = url
        return True

    def spellings_of(self, credential: Credential | None) -> tuple[str, ...]:
        if credential is None:
            return ()
        spelled = self.spelled.value
        known = spelled.get(credential)
        if known is None:
            if len(spelled) >= _MOST_CREDENTIALS:
                spelled = self.spelled.value = {}
            known = spelled[credential] = _spellings(credential)
        return known


class RequestRules:
    """Gives each request as its key sees it. Raises RecorderError for a rule that is none."""

    def __init__(
        self,
        redact: Sequence[RedactRule] = (),
        normalize: Sequence[object] = (),
        written: Generation = EXACT,
        secret_env: Sequence[str] = (),
    ) -> None:
        if isinstance(redact, str) or isinstance(normalize, str):
            raise RecorderError("redact= and normalize= take lists, not a single string")
        self.written = written
        """The key version that names what is recorded."""
        self._own_rules = tuple(redact)
        self._normalize = tuple(normalize)
        self.normalizers = Normalizers(normalize)
        self._has_normalizers = bool(self.normalizers)
        self._secret_env = checked_names(secret_env, "secret_env=")
        # Unshown: `vars` of this object may end up in a traceback or a notebook.
        self._environment = Unshown(environment())
        self._values = Unshown(secret_values(self._secret_env))
        self._snapshot = self._snapshot_of_values()
        # Reentrant: a stream that is collected as garbage is stored wherever that happens.
        self._guard = threading.RLock()

    @property
    def redactor(self) -> Redactor:
        """The redactor of the environment last looked at."""
        return self._snapshot.redactor

    def refreshed(self) -> bool:
        """Look at the environment again; returns whether it holds other secrets than when last looked at."""
        if environment() == self._environment.value:
            return False
        with self._guard:
            now, values = Unshown(environment()), Unshown(secret_values(self._secret_env))
            is_other = values.value != self._values.value
            if is_other:
                self._values = values
                self._snapshot = self._snapshot_of_values()
            self._environment = now  # last: who finds it equal has the sight that belongs to it
        return is_other

    def _snapshot_of_values(self) -> _Snapshot:
        return _Snapshot(Redactor(self._values.value, self._own_rules, is_for_requests=True))

    def keyed(self, request: Request, test_id: str | None) -> tuple[Request, str]:
        """Return the request as its key sees it, and the key under which its recording in this scope is written."""
        snapshot = self._snapshot
        if snapshot.look is None:  # made late, as the redactor's own
            snapshot.look = snapshot.redactor.scanner.prefilter(self.written.prefilter)
        if self._is_as_asked(request, snapshot, snapshot.look):
            return request, request_key(request, test_id, self.written, passed_prefilter=True)
        asked = self.asked(request)
        return asked, request_key(asked, test_id, self.written)

    def further_keys(self, request: Request, test_id: str | None, key: str) -> Iterator[tuple[Generation, str]]:
        """Yield each name but `key` under which a recording of `request` may lie, in the order of looking up."""
        return further_keys(self.forms(request), test_id, key)

    def forms(self, request: Request) -> tuple[Request, ...]:
        """Return the request as its key sees it, as it is, and as keys saw it that took literals for secrets."""
        asked = self.asked(request)
        forms = (asked,) if asked is request else (asked, request)
        if LITERAL_MARK not in asked.body_text and LITERAL_MARK not in asked.url:
            return forms
        return (*forms, _with_texts(asked, lambda text: LITERAL.sub(PLACEHOLDER, text)))

    def asked(self, request: Request) -> Request:
        """Return the request as its key sees it: the very same where nothing is to be left out."""
        snapshot = self._snapshot
        if self._is_as_asked(request, snapshot, snapshot.redactor.scanner.prefilter()):
            return request
        redactor = self.redactor_of(request)
        body = redactor.replaced(request.frozen_body(), as_keyed)
        endpoint, url = (redactor.replaced_in_path(path, as_keyed) for path in (request.endpoint, request.url))
        return request.saying(self.normalizers.applied(body))._replace(endpoint=endpoint, url=url)

    def shown(self, request: Request) -> Request:
        """Return a request for people: without its secrets, the client's key among them."""
        return request if request.credential is None else self.asked(request)._replace(credential=None)

    def _is_as_asked(self, request: Request, snapshot: _Snapshot, look: Callable[[str], bool]) -> bool:
        """Whether nothing is to be left out of a request (False when in doubt); `look` is for secrets, at least."""
        text, url = request.body_text, request.url
        if self._has_normalizers or look(text) or not (url == snapshot.clean_url or snapshot.is_clean_url(url)):
            return False
        for spelling in snapshot.spellings_of(request.credential):  # noqa: SIM110 - all() takes three times as long
            if spelling in text or spelling in url:
                return False
        return True

    def scope(self, test_id: str | None, credential: Credential | None = None) -> str | None:
        """Return the test id as key and file have it: a test's parameter may be a secret, or the client's key."""
        if test_id is None:
            return None
        snapshot = self._snapshot
        if (test_id, credential) == snapshot.clean_scope:
            return test_id
        if credential is not None and any(spelling in test_id for spelling in snapshot.spellings_of(credential)):
            return str(snapshot.redactor.knowing([credential.text]).replaced(test_id, lambda secret: PLACEHOLDER))
        if snapshot.redactor.is_clean(encode_basestring_ascii(test_id)):
            snapshot.clean_scope = test_id, credential
            return test_id
        hidden: str = snapshot.redactor.replaced(test_id, lambda secret: PLACEHOLDER)
        return hidden

    def secrets_of(self, request: Request) -> list[str]:
        """Return the secrets of a request's body and endpoint in their order, each as often as it occurs.

        What only looks like a placeholder is among them (see `placeholders.LITERAL`).
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
        """Return the names of the environment variables but for which the request's key would see other texts."""
        asked = self.asked(request)
        plain = asked if asked is request else self.without_environment(request)
        if (asked.body_text, asked.url) == (plain.body_text, plain.url):
            return ()
        text = canonical_text({"body": request.body, "url": request.url})
        own = None if request.credential is None else request.credential.text
        variables = [item for item in secret_variables(self._secret_env).items() if item[1] != own]
        return tuple(sorted(name for name, value in variables if not Scanner([value]).knows_none_in(text)))

    def without_environment(self, request: Request) -> Request:
        """Return the request as its key would see it if no environment variable held a secret."""
        if not self._values.value:
            return self.asked(request)
        return RequestRules(self._own_rules, self._normalize, self.written, ("!*",)).asked(request)

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

    def with_version(self, recorded: JsonObject) -> JsonObject:
        """Return a "request" object, its secrets hidden, that says so if it answers only a request equal to it."""
        return with_version(recorded, self.written)

    def redactor_of(self, request: Request) -> Redactor:
        """Return the redactor that knows this request's own API key too."""
        credential = request.credential
        has_key = credential is not None and len(credential.text) >= SHORTEST_VALUE
        return self.redactor.knowing([credential.text]) if credential is not None and has_key else self.redactor


def with_version(recorded: JsonObject, version: Generation) -> JsonObject:
    """Return the "request" object of a recording that has its name by this key version.

    Only an exact one needs to say so, and only where llama-stack's recorder would treat other requests as equal to it;
    or where it holds a placeholder, since there was a time when keys took what only looks like one for a secret.
    """
    recorded = {name: value for name, value in recorded.items() if name != "key_version"}
    return {**recorded, "key_version": version.name} if version is EXACT and _is_one_of_several(recorded) else recorded


def _is_one_of_several(recorded: JsonObject) -> bool:
    """Whether a key of another version may be that of other requests too."""
    try:
        request = recorded_request(recorded)
        return PLACEHOLDER_START in request.body_text or PLACEHOLDER_START in request.url or is_folded(request)
    except RecursionError:  # nested too deep to tell
        return True


def recorded_request(recorded: JsonObject, normalizers: Normalizers | None = None) -> Request:
    """Return the request that a recording's "request" object tells of, as its key sees it.

    `normalizers` are those that the recording declares, unless others are given; these have the recording's roots.
    Raises ValueError where the object is none of an SDK's call.
    """
    method, endpoint, url, body = (recorded.get(name) for name in ("method", "endpoint", "url", "body"))
    if not (isinstance(method, str) and isinstance(endpoint, str) and isinstance(url, str) and isinstance(body, dict)):
        raise ValueError('"request" must hold method, endpoint and url as strings and body as an object')
    try:
        declared = recorded.get("normalize") or ()
        normalizers = Normalizers(declared) if normalizers is None else normalizers.rooted_as(declared)
    except (RecorderError, TypeError) as error:
        raise ValueError(f'"normalize" is not a list of normalizers: {error}') from None
    request = without_numbers(Request(method, endpoint, url, body, canonical_text(body)))
    if not normalizers:
        return request
    body = normalizers.applied(request.body)
    return request._replace(body=body, body_text=canonical_text(body))


def without_numbers(request: Request) -> Request:
    """Return a request read from a recording with its secrets as its key sees them: without their numbers."""
    if _NUMBERED_MARK not in request.body_text and _NUMBERED_MARK not in request.url:
        return request

    def in_key(text: str) -> str:
        return NUMBERED.sub(lambda match: numbers.PLACEHOLDER if match[2] == "N" else PLACEHOLDER, text)

    return _with_texts(request, in_key)


def with_literals(request: Request) -> Request:
    """Return a request that was taken from a recording and redacted again with its placeholders as they were."""
    return _with_texts(request, said)


def _with_texts(request: Request, changed: Callable[[str], str]) -> Request:
    text, endpoint, url = (changed(part) for part in (request.body_text, request.endpoint, request.url))
    return request._replace(body=json.loads(text), body_text=text, endpoint=endpoint, url=url)


def _spellings(credential: Credential) -> tuple[str, ...]:
    """Return how an API key may stand in a text, canonical or not; nothing for one too short to look for."""
    if len(credential.text) < SHORTEST_VALUE:
        return ()
    spellings = Scanner([credential.text]).spellings
    return tuple({*spellings, *(encode_basestring_ascii(spelling)[1:-1] for spelling in spellings)})
