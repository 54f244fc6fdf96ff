"""The shapes of secrets: one table, one row for each kind.

No rule set on the package index fits: detect-secrets knows 7 of 24 made-up secrets of these kinds, and gitleaks is not
a Python package. The shapes are those that the issuers describe.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple


class Shape(NamedTuple):
    """One kind of secret. If the pattern has a group "secret", only the group is the secret."""

    kind: str
    text: str

    @property
    def pattern(self) -> re.Pattern[str]:
        return _compiled(self.text)

    @property
    def prefilter(self) -> str:
        """One pattern, without look-around, that matches every text in which the shape matches, canonical or not."""
        return _without_look_around(self.text)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # On first use: a replay without secrets does not need the patterns, and compiling all of them takes 5 ms.
    return re.compile(pattern)


# After a letter only where that is the end of an escape: a line break of JSON within a string is \\n there.
_ALONE = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"
_WORD = r"[!#$%*+./0-9:=?@A-Z^_`a-z|~-]"  # no quote, no bracket, nothing that ends a value in a url, a shell or JSON
_NO_STOP = r"(?<![.:?!,])"  # a sentence may end with a secret
_OF_A_URL = r"[!$%*+,./0-9:;=@A-Z_a-z|~-]"
_CALLED = (
    r"(?:(?:api|access|account|auth|bearer|client|consumer|encryption|id|oauth|private|refresh|secret|security|session|"
    r"shared[-_ ]?access|signing|storage|subscription|webhook|personal[-_ ]?access)[-_ ]?(?:access[-_ ]?)?"
    r"(?:key|token|secret)|secret|passwd|password|passphrase)"
)
# Between a name and its value: in JSON within a string (\"), in Python, in a shell, in a url, in a header.
_IS = r"(?:\\*[\"'])?\s*(?:=>|[:=])(?:\s*\\*[\"'])?\s*"
_SIGNATURES = (
    r"x-(?:amz|goog)-(?:signature|credential|security-token)|awsaccesskeyid|googleaccessid|key-pair-id|policy|"
    r"signature|sig"
)

SHAPES = tuple(
    Shape(kind, pattern)
    for kind, pattern in (
        ("PEM private key",
         r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
         r"(?:[^-]*(?:-(?!----)[^-]*)*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]*)"),
        ("credentials in a url", r"[A-Za-z0-9+.-]://(?P<secret>[!$%*+,.0-9:;=A-Z_a-z~-]+)@"),
        ("signed url", rf"(?i)[?&;](?:amp;)?(?:{_SIGNATURES})=(?P<secret>{_OF_A_URL}{{6,}})"),
        ("key in a url",
         rf"(?i)[?&](?:amp;)?[a-z_-]*(?:key|token|secret|password|code)=(?P<secret>{_OF_A_URL}{{16,}}{_NO_STOP})"),
        ("OpenAI, Anthropic or like key", rf"{_ALONE}sk-[A-Za-z0-9_-]{{16,}}"),
        ("Stripe, Groq or like key", rf"{_ALONE}(?:[srge]|gs)k_(?:live_|test_)?[A-Za-z0-9]{{16,}}"),
        ("key of another model provider",
         rf"{_ALONE}(?:(?:fw|r8|jina)_[A-Za-z0-9]{{16,}}|(?:(?:xai|pplx|nvapi|tvly|csk)-|tgp_v\d_)[A-Za-z0-9_-]{{16,}}"
         r"|lsv2_(?:pt|sk)_[a-f0-9_]{32,}|dapi[0-9a-f]{32})"),
        ("AWS access key id", r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Z0-9])"),
        ("AWS secret key",
         r"(?i:aws)[^\r\n]{0,24}?(?:[\"'=:]|\s)\s*(?P<secret>(?=[A-Za-z0-9/+]{0,39}[0-9/+])[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
        ("Google key", r"AIza[A-Za-z0-9_-]{35}"),
        ("Google token", r"ya29\.[A-Za-z0-9._-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}"),
        ("GitHub token", rf"{_ALONE}(?:gh[posur]_[A-Za-z0-9]{{20,}}|github_pat_[A-Za-z0-9_]{{22,}})"),
        ("GitLab, npm, PyPI or SendGrid token",
         rf"{_ALONE}(?:glpat-[A-Za-z0-9_-]{{20,}}|npm_[A-Za-z0-9]{{36}}|pypi-[A-Za-z0-9_-]{{50,}}"
         r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})"),
        ("Slack token", r"xox[abceoprs](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"),
        ("Slack webhook",
         r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9/_-]{20,})"),
        ("Hugging Face token", rf"{_ALONE}(?:hf|api_org)_[A-Za-z0-9]{{20,}}"),
        ("JSON web token", r"eyJ(?:(?!eyJ)[A-Za-z0-9_-]){8,}\.(?:eyJ)?[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,3}"),
        ("authorization",
         rf"(?i)authorization{_IS}(?:(?:bearer|basic|digest|token|apikey|api-key|negotiate)\s+)?"
         rf"(?P<secret>(?!(?:bearer|basic|digest|token|none|null|true|false)\b){_WORD}{{6,}})"),
        ("bearer token", rf"(?i){_ALONE}bearer\s+(?P<secret>[A-Za-z0-9._~+/=-]{{16,}}{_NO_STOP})"),
        ("named secret", rf"(?i){_CALLED}s?{_IS}(?P<secret>(?={_WORD}{{0,255}}[0-9]){_WORD}{{16,}}{_NO_STOP})"),
        ("organisation or project id", rf"{_ALONE}(?:org-|proj_)(?=[A-Za-z]*[0-9])[A-Za-z0-9]{{12,}}"),
    )
)  # fmt: skip
"""In the order of search: what one shape has found is not searched by the next.

Each pattern takes linear time, whatever a stranger puts into a recording: an unbounded repetition never starts at every
position, follows a similar repetition, or stands in a look-ahead.
"""

SECRET_NAME = re.compile(rf"(?i)(?:.*[-_. ])?(?:{_CALLED}|authorization)s?")
"""Matches the name of a JSON member whose value is searched together with the name."""

_ACCOUNT_NAMES = frozenset({"project_id", "organization", "openai_organization", "openai_project"})
FINGERPRINTED_NAMES = frozenset({"project_id"})
"""Names whose placeholder in a request has a part of the value's sha256: two projects make two requests."""
_LONG_FOR_A_QUERY = 12
_QUERY_NAMES = frozenset({"key", "token", "code", "sig", "signature"})


def is_secret_by_name(parent: str, name: str, value: str) -> bool:
    """Return whether a member of `extra_body` or `extra_query` names an account, or is a key in the query."""
    if parent == "extra_query" and name.lower() in _QUERY_NAMES and len(value) >= _LONG_FOR_A_QUERY:
        return True
    return parent in ("extra_body", "extra_query") and name in _ACCOUNT_NAMES


_LOOK_AROUND = re.compile(r"\(\?<?[=!](?:[^()\\\[]|\\.|\[(?:[^\]\\]|\\.)*\]|\((?:[^()\\]|\\.)*\))*\)")


def shapes_prefilter() -> str:
    """Return one pattern, without look-around, that matches every canonical text in which a shape matches."""
    accounts = "|".join(sorted(_ACCOUNT_NAMES))
    return "|".join([*(shape.prefilter for shape in SHAPES), rf'"(?:{accounts})": ?"', r'"extra_query": ?(?:\{"|\[)'])


@cache
def _without_look_around(pattern: str) -> str:
    r"""Return a pattern that also matches in canonical text.

    In such a text a line break is the two characters \n, and a quote follows a backslash. It may have no spaces.
    """
    pattern = _LOOK_AROUND.sub("", pattern).replace("?P<secret>", "?:")
    pattern = re.sub(r"\\s(?![^\[]*\])", r"(?:\\s|\\\\[nrt])", pattern)
    is_caseless, pattern = pattern.startswith("(?i)"), pattern.removeprefix("(?i)")
    return f"(?i:{pattern})" if is_caseless else f"(?:{pattern})"
