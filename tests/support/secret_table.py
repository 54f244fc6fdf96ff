"""One table of secrets by kind: two made-up values of each, and a text that holds one; one of ways to send them.

The values are put together here so that no scanner of this repository takes them for real.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import string
from collections.abc import Callable
from typing import Any, NamedTuple

_LETTERS = string.ascii_letters + string.digits


class Secret(NamedTuple):
    """A kind of secret; `text` holds one value, "{}" standing for it."""

    kind: str
    one: str
    other: str
    text: str = "Use {} to sign in."


def made(length: int, seed: str, alphabet: str = _LETTERS) -> str:
    """Return `length` characters that look random and are the same each time; there are digits among them."""
    stream = b"".join(hashlib.sha512(f"{seed}{number}".encode()).digest() for number in range(length // 64 + 1))
    body = "".join(alphabet[byte % len(alphabet)] for byte in stream)[:length]
    return "7" + body[1:] if "7" in alphabet and not any(character in "0123456789" for character in body) else body


def _twice(kind: str, start: str, length: int, text: str = "Use {} to sign in.", alphabet: str = _LETTERS) -> Secret:
    one, other = (start + made(length, kind + which, alphabet) for which in ("one", "other"))
    return Secret(kind, one, other, text)


def _pem(seed: str) -> str:
    lines = [made(64, f"{seed}{line}") for line in range(3)]
    return "\n".join(["-----BEGIN " + "RSA PRIVATE KEY-----", *lines, "-----END " + "RSA PRIVATE KEY-----"])


def _jwt(seed: str) -> str:
    parts = (b'{"alg":"HS256","typ":"JWT"}', f'{{"sub":"{seed}"}}'.encode())
    head, body = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    return f"{head}.{body}.{made(43, seed)}"


_HEX = "0123456789abcdef"
_CAPITALS = string.ascii_uppercase + "234567"

SECRETS = (
    _twice("OpenAI key", "sk-", 48),
    _twice("OpenAI project key", "sk-" + "proj-", 120, alphabet=_LETTERS + "-_"),
    _twice("OpenAI service account key", "sk-" + "svcacct-", 80),
    _twice("Anthropic key", "sk-" + "ant-api03-", 95, alphabet=_LETTERS + "-_"),
    _twice("OpenRouter key", "sk-" + "or-v1-", 64, alphabet=_HEX),
    _twice("Groq key", "gs" + "k_", 52),
    _twice("xAI key", "xai" + "-", 80),
    _twice("Azure key", "", 32, "api-key: {}", _HEX),
    _twice("Azure storage key", "", 86, "AccountName=acct;AccountKey={};EndpointSuffix=core.windows.net"),
    _twice("AWS access key id", "AK" + "IA", 16, alphabet=_CAPITALS),
    _twice("AWS secret key", "", 40, "AWS_SECRET_ACCESS_KEY={}", _LETTERS + "/+"),
    _twice("AWS secret key in prose", "", 40, "the aws secret is: {}", _LETTERS + "/+"),
    _twice("AWS session token", "", 120, '{{"aws_session_token": "{}"}}'),
    _twice("GCP API key", "AI" + "za", 35),
    _twice("GCP access token", "ya29" + ".", 80, alphabet=_LETTERS + "-_"),
    _twice("GCP client secret", "GOC" + "SPX-", 28),
    _twice("GitHub token", "gh" + "p_", 36),
    _twice("GitHub server token", "gh" + "s_", 36),
    _twice("GitHub fine-grained token", "github" + "_pat_", 82, alphabet=_LETTERS + "_"),
    _twice("GitLab token", "gl" + "pat-", 20),
    _twice("Slack bot token", "xox" + "b-", 40, alphabet=_LETTERS),
    _twice("Slack user token", "xox" + "p-1234567890-", 40),
    _twice("Slack app token", "xapp" + "-1-", 40),
    _twice("Slack webhook", "", 44, "https://hooks.slack.com/services/{}"),
    _twice("Hugging Face token", "h" + "f_", 34),
    _twice("Stripe key", "sk" + "_live_", 24),
    _twice("npm token", "npm" + "_", 36),
    _twice("SendGrid key", "SG." + made(22, "sendgrid") + ".", 43),
    _twice("Databricks token", "da" + "pi", 32, alphabet=_HEX),
    Secret("JSON web token", _jwt("one"), _jwt("other")),
    Secret("PEM private key", _pem("one"), _pem("other"), "Sign with this:\n{}\nand no other."),
    _twice("Authorization: Bearer", "", 30, "Authorization: Bearer {}"),
    _twice("Authorization: Basic", "", 28, "curl -H 'Authorization: Basic {}' https://example.com"),
    _twice("Authorization of a custom scheme", "", 24, '{{"Authorization": "{}"}}'),
    _twice("bearer token in prose", "", 30, "send it as bearer {} please"),
    _twice("basic auth in a url", "admin:", 14, "git clone https://{}@example.com/repo.git"),
    _twice("database url", "app:", 18, "postgresql://{}@db.internal:5432/app"),
    _twice("signed S3 url", "", 64, "https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature={}&x=1", _HEX),
    _twice("signed GCS url", "", 64, "https://storage.googleapis.com/b/k?X-Goog-Signature={}", _HEX),
    _twice("Azure SAS url", "", 43, "https://acct.blob.core.windows.net/c/b?sv=2024-01-01&sig={}"),
    _twice("key in a url", "", 32, "https://api.example.com/v1/weather?city=Oslo&api_key={}"),
    _twice("password", "", 18, "password = '{}'"),
    _twice("client secret in YAML", "", 40, "client_secret: {}"),
    _twice("organisation id", "org-", 24),
    _twice("project id", "proj_", 24),
    _twice("Anthropic admin key", "sk-" + "ant-admin01-", 95, alphabet=_LETTERS + "-_"),
    _twice("Anthropic OAuth token", "sk-" + "ant-oat01-", 95, alphabet=_LETTERS + "-_"),
    _twice("Anthropic key in a header", "", 40, "curl -H 'x-api-key: {}' https://example.com"),
    _twice("Cerebras key", "csk" + "-", 48),
    _twice("Together key", "tgp" + "_v1_", 43, alphabet=_LETTERS + "-_"),
)


class Declared(NamedTuple):
    """A secret that somebody declares: its value in a request, how it is declared, and how it is spelled."""

    kind: str
    value: str | float
    redact: tuple[Any, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    secret_env: tuple[str, ...] = ()

    @property
    def spelled(self) -> str:
        return self.value if isinstance(self.value, str) else json.dumps(self.value)


_CUSTOMER = 731412345678
DECLARED = (
    Declared("text", "Bert Brown", ("Bert Brown",)),
    Declared("text that is a word of JSON", 'Bert "B" Brown\n', ('Bert "B" Brown\n',)),
    Declared("text that is a name of the SDK", "assistant_bert", ("assistant_bert", "created", "stop")),
    Declared("number", _CUSTOMER, (str(_CUSTOMER),)),
    Declared("large number", 73141234567890123456789, ("73141234567890123456789",)),
    Declared("number with a fraction", 7314.123456, ("7314.123456",)),
    Declared("number by a pattern", _CUSTOMER, (re.compile(r"7314\d{8}"),)),
    Declared("number by a function", _CUSTOMER, (lambda text: re.findall(r"7314\d{8}", text),)),
    Declared("number in a variable", 7314123456789012, variables=(("BILLING_KEY", "7314123456789012"),)),
    Declared("text in a variable", "wonderful-weather", variables=(("WEATHER_TOKEN", "wonderful-weather"),)),
    Declared("text in a named variable", "bert", variables=(("WIKI_LOGIN", "bert"),), secret_env=("WIKI_*",)),
)


class Credential(NamedTuple):
    """A way in which a call gets a credential that no shape tells: by its client's options or its own arguments."""

    way: str
    client: Callable[[str, bool], dict[str, Any]] = lambda value, is_async: {}
    """(value, whether the client is async) -> options of the client."""
    call: Callable[[str], dict[str, Any]] = lambda value: {}
    """Value -> arguments of the call, beside its own."""
    is_azure: bool = False
    endpoint: str = "chat"
    is_known_in_replay: bool = False
    """Whether a replay, which sends nothing, knows the value that it has now."""


def _provided(value: str, is_async: bool) -> Callable[[], Any]:
    async def provide() -> str:
        return value

    return provide if is_async else lambda: value


def _basic(value: str) -> str:
    return f"Basic {base64.b64encode(f'user-of-some-length:{value}'.encode()).decode()}"


CREDENTIALS = (
    Credential("api_key", lambda value, is_async: {"api_key": value}, is_known_in_replay=True),
    Credential("api_key by a function", lambda value, is_async: {"api_key": _provided(value, is_async)}),
    Credential("default Authorization", lambda value, _: {"default_headers": {"Authorization": f"Bearer {value}"}}),
    Credential("default header of a session", lambda value, _: {"default_headers": {"X-Session": value}}),
    Credential("default cookie", lambda value, _: {"default_headers": {"Cookie": f'theme=dark; sid="{value}"'}}),
    Credential("default query", lambda value, _: {"default_query": {"api-key": value}}),
    Credential("extra Authorization", call=lambda value: {"extra_headers": {"authorization": f"Token {value}"}}),
    Credential("extra header of a token", call=lambda value: {"extra_headers": {"My-Token": value}}),
    Credential("extra Basic", call=lambda value: {"extra_headers": {"Authorization": _basic(value)}}),
    Credential("default header with parameters",
               lambda value, _: {"default_headers": {"Authorization": f'Token token="{value}", nonce="x"'}}),
    Credential("key of a provider in a header of JSON",
               lambda value, _: {"default_headers": {"X-OGX-Provider-Data": json.dumps({"fireworks_api_key": value})}}),
    Credential("extra query", call=lambda value: {"extra_query": {"api-key": value}}),
    Credential("admin_api_key", lambda value, _: {"admin_api_key": value}, endpoint="admin"),
    Credential("Azure api_key", lambda value, _: {"api_key": value}, is_azure=True, is_known_in_replay=True),
    Credential("Azure api_key by a function", lambda value, is_async: {"api_key": _provided(value, is_async)},
               is_azure=True),
    Credential("azure_ad_token", lambda value, _: {"azure_ad_token": value}, is_azure=True),
    Credential("azure_ad_token_provider",
               lambda value, is_async: {"azure_ad_token_provider": _provided(value, is_async)}, is_azure=True),
)  # fmt: skip
