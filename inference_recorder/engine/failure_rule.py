"""Which failures are recorded: the one rule of both recording modes."""

from __future__ import annotations

import re

from ..json_tree import JsonValue
from ..recording.answer import Failure

_STATUS_CODES = frozenset({401, 402, 403, 408, 409, 429})
_TYPES = frozenset({"APIConnectionError", "APITimeoutError", "OAuthError"})
_NAMES = frozenset(
    {
        "apiconnectionerror", "apierror", "apitimeouterror", "authenticationerror", "badgateway", "billingerror",
        "billinghardlimitreached", "gatewaytimeout", "insufficientquota", "internalerror", "internalservererror",
        "invalidapikey", "overloaded", "overloadederror", "permissiondenied", "permissiondeniederror",
        "permissionerror", "ratelimiterror", "ratelimitexceeded", "requesttimeout", "servererror",
        "serviceunavailable", "serviceunavailableerror", "timeout", "timeouterror", "toomanyrequests", "unauthorized",
    }
)  # fmt: skip
"""The names for such failures in a stream, whose status was sent long ago: in lower case, letters only."""


def is_recorded(failure: Failure, record_errors: bool | None) -> bool:
    """Return whether a failed call is recorded: with True always, with False never.

    With None, if the server says something about the request itself.
    """
    return is_about_the_request(failure) if record_errors is None else record_errors


def is_about_the_request(failure: Failure) -> bool:
    """Return whether the same request would probably fail again, with a valid key and a healthy server.

    False for a lost connection, a timeout, the statuses 401, 402, 403, 408, 409, 429 and 5xx, and an error in the
    middle of a stream whose code or type says the same.
    """
    if failure.category == "transport" or failure.type in _TYPES:
        return False
    if failure.status_code is not None:
        return not _is_passing(failure.status_code)
    if not isinstance(failure.body, dict):
        return True
    names = [failure.body.get(name) for name in ("status_code", "status", "code", "type")]
    status_codes = [status_code for value in names if (status_code := _status_code(value)) is not None]
    if status_codes:
        return not _is_passing(status_codes[0])
    return not any(isinstance(value, str) and _letters(value) in _NAMES for value in names)


def _is_passing(status_code: int) -> bool:
    return status_code in _STATUS_CODES or status_code >= 500


def _status_code(value: JsonValue) -> int | None:
    text = str(value) if type(value) in (int, str) else ""
    return int(text) if re.fullmatch(r"[1-5][0-9][0-9]", text) else None


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
