"""Which response headers a recording keeps: the table, name by name."""

from __future__ import annotations

import pytest

from inference_recorder.recording.headers import kept_headers, with_old_values

KEPT = """
content-type x-request-id request-id openai-version openai-model openai-processing-ms retry-after retry-after-ms
x-ratelimit-limit-requests x-ratelimit-limit-tokens x-ratelimit-remaining-tokens x-ratelimit-reset-tokens
anthropic-ratelimit-tokens-remaining anthropic-ratelimit-input-tokens-reset x-litellm-response-cost
x-litellm-model-id x-litellm-overhead-duration-ms x-ms-region x-ms-client-request-id apim-request-id
x-should-retry location operation-location etag link cache-control last-modified openai-poll-after-ms
x-envoy-upstream-service-time x-my-own-header deprecation content-disposition content-language
anthropic-ratelimit-requests-remaining anthropic-ratelimit-output-tokens-limit anthropic-priority-input-tokens-limit
anthropic-fast-output-tokens-remaining x-groq-region cerebras-request-id cerebras-processing-time cerebras-region
x-ratelimit-remaining-tokens-minute x-tokenlimit-remaining x-together-traceid x-cluster
"""
DROPPED = """
set-cookie x-cookie-id authorization www-authenticate x-auth-user x-api-key x-apikey x-litellm-key-spend
x-amz-security-token x-token x-csrf-token x-client-secret azureml-model-session x-session-id x-signature
x-account-id openai-organization x-ms-organisation openai-project x-goog-user-project
content-encoding content-length transfer-encoding connection keep-alive te trailer upgrade proxy-status
proxy-authenticate strict-transport-security date server via age cf-ray cf-cache-status alt-svc x-served-by x-cache
x-timer report-to nel expect-ct x-content-type-options access-control-expose-headers vary
anthropic-organization-id anthropic-workspace-id
"""
VARYING = """
x-request-id apim-request-id openai-processing-ms x-ratelimit-remaining-requests x-ratelimit-reset-tokens
anthropic-ratelimit-tokens-remaining retry-after x-envoy-upstream-service-time x-amzn-trace-id traceparent
x-litellm-overhead-duration-ms x-latency
request-id anthropic-ratelimit-requests-reset anthropic-priority-output-tokens-remaining cerebras-request-id
cerebras-processing-time x-ratelimit-reset-tokens-minute x-tokenlimit-remaining x-together-traceid x-api-received
x-api-call-start x-engine-pod
"""


@pytest.mark.parametrize("name", KEPT.split())
def test_a_header_that_code_reads_is_kept(name: str) -> None:
    """Code that reads it from a raw response gets None in replay otherwise."""
    assert {name: "1"} == kept_headers({name: "1"}) == kept_headers({name.title(): "1"})


@pytest.mark.parametrize("name", DROPPED.split())
def test_a_header_that_says_who_asked_or_how_bytes_came_is_dropped(name: str) -> None:
    """An account in a committed file is a leak; the transport's headers are wrong for a response in memory."""
    assert {} == kept_headers({name: "1"}) == kept_headers({name.upper(): "1"})


def test_values_that_are_no_text_are_dropped() -> None:
    """A mock's response may hold anything; a file with a number there could not be read again."""
    assert {"x-a": "1"} == kept_headers({"x-a": "1", "x-b": 2, "x-c": None})


@pytest.mark.parametrize("name", VARYING.split())
def test_a_header_that_differs_in_each_run_keeps_its_old_value(name: str) -> None:
    """A new request id beside a changed answer is noise in its diff."""
    assert {name: "old"} == with_old_values({name: "new"}, {name: "old"})


def test_other_headers_follow_the_new_answer() -> None:
    """What is gone is gone, and what is new is new."""
    old = {"x-request-id": "old", "etag": "old", "x-gone-request-id": "old"}
    new = {"x-request-id": "new", "etag": "new", "apim-request-id": "new"}

    assert {"x-request-id": "old", "etag": "new", "apim-request-id": "new"} == with_old_values(new, old)
