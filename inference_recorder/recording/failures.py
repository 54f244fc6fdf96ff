"""Exceptions in a recording: what is kept of one, and how it is raised again."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from ..errors import CorruptRecording
from ..json_tree import JsonObject, JsonValue
from ..packages import OPENAI, SDK, sdk_of, sdk_of_module
from . import json_bytes
from .answer import Failed, Failure, Http, Streamed, raw_headers, response_headers
from .body import JSON_TEXT
from .deep_json import is_deep, json_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    import openai


_OF_PYTHON = {
    kind.__name__: kind
    for kind in (
        ConnectionError, ConnectionAbortedError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError,
        TimeoutError,
    )
}  # fmt: skip
"""What a transport of the caller's own, or a mock, raises for a lost connection."""
_STATUS_ERRORS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
}
_UNDECODABLE = "surrogateescape"
"""How Python keeps a byte that has no meaning in a charset."""


def failure_to_json(failure: Failure) -> JsonObject:
    """Return the members of a recording's "response" that describe a failure."""
    return {"is_exception": True, "exception_data": exception_data(failure), "exception_message": failure.message}


def exception_data(failure: Failure) -> JsonObject:
    """Return the member "exception_data" of a recording's "response"."""
    body: JsonValue = failure.body
    if is_deep(body):
        body = {"__type__": JSON_TEXT, "__data__": json_text(body)}
    data: JsonObject = {
        "category": failure.category,
        "provider": failure.provider,
        "type": failure.type,
        "message": failure.message,
    }
    if failure.status_code is not None:
        data |= {"status_code": failure.status_code, "body": body}
    elif body is not None:
        data["body"] = body
    if failure.text is not None:
        data["text"] = failure.text
    return data


def failure_from_json(response: JsonObject) -> Failure:
    """Return the failure in a recording's "response"; raises ValueError for a malformed one.

    Before exception_data there was only a message; such a failure is an APIError.
    """
    data = response.get("exception_data")
    if not isinstance(data, dict):
        return Failure("APIError", str(response.get("exception_message", "Unknown error")))
    status_code = data.get("status_code")
    if status_code is not None and (type(status_code) is not int or not 100 <= status_code <= 599):
        raise ValueError(f"status_code {status_code!r} is none of HTTP's")
    text, body = data.get("text"), data.get("body")
    if isinstance(body, dict) and body.get("__type__") == JSON_TEXT:
        body_text = body.get("__data__")
        body = json.loads(body_text if isinstance(body_text, str) else "")
    return Failure(
        type=str(data.get("type", "APIError")),
        message=str(data.get("message", response.get("exception_message", ""))),
        status_code=status_code,
        body=body,
        text=text if isinstance(text, str) else None,
        category=str(data.get("category", "provider_sdk")),
        provider=str(data.get("provider", "openai")),
    )


def describe_failure(error: BaseException) -> Failure | None:
    """Return `error` as a recording keeps it, None for one that is not recordable.

    Recordable are an SDK's APIErrors, and the HTTP library's and Python's own errors of a connection, which the SDK
    lets through in a stream.
    """
    sdk, sdk_error = sdk_of(type(error)), cast("openai.APIError", error)  # the other SDKs have the same classes
    if sdk is not None and isinstance(error, sdk.module.APIError):
        kind = _public_class(type(error), sdk)
        response = getattr(error, "response", None)
        status_code = getattr(error, "status_code", None) if response is not None else None
        body = _json_or_text(sdk_error.body)
        text = None if response is None else _own_text(response, body)
        return Failure(kind.__name__, sdk_error.message, status_code, body, text, provider=sdk.package)
    package = type(error).__module__.partition(".")[0]
    if package in ("httpx", "httpx2") and _is_transport_error(type(error)):
        return Failure(f"{package}.{type(error).__name__}", str(error), category="transport", provider=package)
    name = next((kind.__name__ for kind in type(error).__mro__ if kind in _OF_PYTHON.values()), None)
    if name is not None:
        return Failure(name, str(error), category="transport", provider="python")
    return None


def failure_of_response(response: Any, sdk: SDK) -> Failure:
    """Return the failure that an SDK which is not installed raises for a response with an error status.

    Source: `_make_status_error_from_response` of anthropic/_base_client.py.
    """
    status_code, text = response.status_code, response.text.strip()
    kind = _STATUS_ERRORS.get(status_code, "InternalServerError" if status_code >= 500 else "APIStatusError")
    try:
        body: Any = json.loads(text)
        message = f"Error code: {status_code} - {body}"
    except (ValueError, RecursionError):
        body, message = text, text or f"Error code: {status_code}"
    return Failure(kind, message, status_code, body, _own_text(response, body), provider=sdk.package)


def revive_failure(
    answer: Streamed | Failed, path: str, library: ModuleType, request: Any, sdk: SDK = OPENAI
) -> BaseException:
    """Return the exception that was recorded, of the same class, with a note of the file that it comes from.

    `sdk` is that of the client that asks, `library` its HTTP library (httpx or httpx2), and `request` one of its
    requests; so is the exception's response. The class is looked up by name among the SDK's own errors, never imported.
    Raises CorruptRecording where no exception can be made of what was recorded.
    """
    try:
        error = _revived(answer.failure or Failure("APIError", ""), answer.http, library, request, sdk)
    except Exception as failed:
        reason = f"$.response.exception_data cannot become an exception of the SDK: {failed}"
        raise CorruptRecording(path, reason) from failed
    if hasattr(error, "add_note"):  # Python 3.11 and later
        error.add_note(f"replayed by inference_recorder from {path}")
    return error


def _revived(failure: Failure, http: Http | None, library: ModuleType, request: Any, sdk: SDK) -> BaseException:
    if failure.category == "transport" and failure.provider == "python":
        return _OF_PYTHON.get(failure.type, ConnectionError)(failure.message)
    if failure.category == "transport":
        return _transport_error(library, failure.type.rpartition(".")[2])(failure.message, request=request)
    module: Any = import_module(sdk.package)
    kind = _api_error(failure, sdk)
    error: openai.APIError
    if issubclass(kind, module.APITimeoutError):
        error = kind(request)
    elif issubclass(kind, module.APIConnectionError):
        error = kind(message=failure.message, request=request)
    elif issubclass(kind, module.APIResponseValidationError):
        error = kind(failed_response(failure, http, library, request), failure.body, message=failure.message)
    elif issubclass(kind, module.APIStatusError):
        response = failed_response(failure, http, library, request)
        if kind.__init__ is module.APIStatusError.__init__:
            error = kind(failure.message, response=response, body=failure.body)
        else:  # openai's OAuthError words its message itself
            error = kind(response=response, body=failure.body)
    else:
        error = module.APIError(failure.message, request, body=failure.body)
    error.message, error.body = failure.message, failure.body
    error.args = (failure.message,)
    return error


def _transport_error(library: ModuleType, name: str) -> Callable[..., BaseException]:
    kind = vars(library).get(name)
    if not isinstance(kind, type) or not _is_transport_error(kind):
        kind = library.TransportError
    return cast("Callable[..., BaseException]", kind)


def _api_error(failure: Failure, sdk: SDK) -> Any:
    # Not getattr: an SDK imports some of its modules when a name of theirs is asked for.
    errors = sdk.errors
    kind, base = errors.get(failure.type), errors["APIError"]
    if isinstance(kind, type) and issubclass(kind, base):
        return kind
    return errors["APIStatusError"] if failure.status_code is not None else base


def failed_response(failure: Failure, http: Http | None, library: ModuleType, request: object) -> Any:
    """Return the response of `library` (httpx or httpx2) that a failure came with, as an answer to `request`."""
    headers, status_code = _headers(failure, http), failure.status_code or 500
    charset = library.Response(status_code, headers=headers).encoding or "utf-8"
    text = _response_text(failure.body) if failure.text is None else failure.text
    try:
        content = text.encode(charset, _UNDECODABLE)
    except UnicodeError:  # JSON can be spelled in any charset
        content = (
            json.dumps(json.loads(text), separators=(",", ":")).encode() if failure.text is None else text.encode()
        )
    return library.Response(status_code, headers=headers, content=content, request=request)


def _headers(failure: Failure, http: Http | None) -> list[tuple[bytes, bytes]]:
    headers = response_headers(http)
    if failure.text is None:
        headers.setdefault("content-type", "application/json")
    return raw_headers(headers)


def _public_class(kind: type, sdk: SDK) -> type:
    return next(candidate for candidate in kind.__mro__ if sdk_of_module(candidate.__module__) is sdk)


def _is_transport_error(kind: type) -> bool:
    return any(
        base.__name__ == "TransportError" and base.__module__.partition(".")[0] in ("httpx", "httpx2")
        for base in kind.__mro__
    )


def _response_text(body: JsonValue) -> str:
    # The SDK hands out what lies under "error"; see openai/_client.py, _make_status_error.
    value: JsonValue = body if isinstance(body, str) else {"error": body}
    return json_text(value) if is_deep(value) else json_bytes.dumps(value).decode()


def _says_the_same(body: JsonValue, text: str) -> bool:
    """Whether a response's text can be made of the error's body."""
    try:
        return bool(_parsed(_response_text(body)) == _parsed(text))
    except RecursionError:
        return False


def _parsed(text: str) -> object:
    try:
        return json_bytes.loads(text.encode(), exactly=True)
    except (ValueError, RecursionError):
        return object()


def _own_text(response: Any, body: JsonValue) -> str | None:
    """Return the text of a response, None if it can be made of the error's body."""
    text = _text(response)
    return None if text is not None and _says_the_same(body, text) else text


def _text(response: Any) -> str | None:
    """Return the text of a response; its charset, or surrogates where a byte has no meaning there, give its bytes."""
    try:
        text, content, charset = response.text, response.content, response.encoding or "utf-8"
    except Exception:  # a response closed before it was read has none
        return None
    if not isinstance(text, str):
        return None
    try:
        exact = str(content.decode(charset, _UNDECODABLE))
        return exact if exact.encode(charset, _UNDECODABLE) == content else text
    except (UnicodeError, LookupError, AttributeError, TypeError):
        return text


def _json_or_text(body: object) -> JsonValue:
    if body is None or isinstance(body, (str, int, float, bool, dict, list)):
        return body
    return str(body)
