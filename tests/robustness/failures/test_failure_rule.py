"""Which failures say something about the request: statuses, classes, and errors in the middle of a stream."""

from __future__ import annotations

from typing import Any

import pytest

from inference_recorder.engine.failure_rule import is_about_the_request, is_recorded
from inference_recorder.recording.answer import Failure, reason_of

PASSING = {401, 402, 403, 408, 409, 429, *range(500, 600)}


def test_every_status_is_decided_as_the_readme_says() -> None:
    """A status that nobody thought of is the server's word on the request."""
    decided = {status for status in range(300, 600) if not is_about_the_request(Failure("APIStatusError", "", status))}

    assert PASSING == decided


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure("APIConnectionError", "Connection error."), False),
        (Failure("APITimeoutError", "Request timed out."), False),
        (Failure("httpx.ReadError", "", category="transport", provider="httpx"), False),
        (Failure("httpx2.RemoteProtocolError", "", category="transport", provider="httpx2"), False),
        (Failure("OAuthError", "", 400), False),
        (Failure("APIResponseValidationError", "", 200), True),
        (Failure("APIError", ""), True),
        (Failure("BadRequestError", "", 400, {"code": "server_error"}), True),
    ],
)
def test_a_class_decides_where_there_is_not_a_status(failure: Failure, expected: bool) -> None:
    """The SDK's other exceptions; a status goes before the words of the body."""
    assert expected == is_about_the_request(failure)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"code": "rate_limit_exceeded", "type": "tokens"}, False),
        ({"code": None, "type": "server_error"}, False),
        ({"code": 429}, False),
        ({"code": "503"}, False),
        ({"status": 500, "type": "invalid_request_error"}, False),
        ({"type": "InternalServerError", "code": 500}, False),
        ({"type": "overloaded_error"}, False),
        ({"type": "api_error"}, False),
        ({"code": "insufficient_quota"}, False),
        ({"type": "BadRequestError", "code": 400}, True),
        ({"code": "context_length_exceeded", "type": "invalid_request_error"}, True),
        ({"code": "content_filter"}, True),
        ({"code": "busy"}, True),
        ({"code": True, "type": ["server_error"]}, True),
        ({"code": 1000}, True),
        ("server_error", True),
        (None, True),
    ],
)
def test_an_error_in_a_stream_is_judged_by_its_code_and_type(body: Any, expected: bool) -> None:
    """The status was 200 when the stream began."""
    assert expected == is_about_the_request(Failure("APIError", "", body=body))


@pytest.mark.parametrize("status", [400, 429])
@pytest.mark.parametrize("record_errors", [True, False])
def test_record_errors_decides_alone(record_errors: bool, status: int) -> None:
    """All or none."""
    assert record_errors == is_recorded(Failure("APIStatusError", "", status), record_errors)


def test_a_failure_is_named_in_a_word_or_two() -> None:
    """For a line of the summary."""
    assert "429 RateLimitError" == reason_of(Failure("RateLimitError", "", 429))
    assert "APITimeoutError" == reason_of(Failure("APITimeoutError", ""))
