"""The environment in which a program asks the server: its SDKs read their base url and key there."""

from __future__ import annotations

import os

from ..children.variables import SESSION_VARIABLE
from ..request.unshown import UnshownDict
from .upstream import ANTHROPIC_URL, OPENAI_URL, BaseUrls

_OPENAI_VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_ANTHROPIC_VARIABLE = "ANTHROPIC_BASE_URL"
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
_PLACEHOLDER = "inference-recorder-placeholder"


def base_urls(openai: str | None = None, anthropic: str | None = None) -> BaseUrls:
    """Return these base urls, or those that clients of this process would have."""
    return BaseUrls(
        openai or os.environ.get(_OPENAI_VARIABLES[0]) or OPENAI_URL,
        anthropic or os.environ.get(_ANTHROPIC_VARIABLE) or ANTHROPIC_URL,
    )


def environment_of(url: str, *, may_lack_keys: bool) -> dict[str, str]:
    """Return the whole environment for a program that is to ask the server at `url`, which has no "/v1".

    `may_lack_keys`: clients get a placeholder for a key that is not there, as recordings may answer all they ask.
    Python processes join no session: what they ask the server, it records. No repr shows the values, since a traceback
    of `subprocess` has this.
    """
    given = {name: value for name, value in os.environ.items() if value or name not in _KEYS}
    placeholders = dict.fromkeys(_KEYS, _PLACEHOLDER) if may_lack_keys else {}
    urls = {**dict.fromkeys(_OPENAI_VARIABLES, f"{url}/v1"), _ANTHROPIC_VARIABLE: url}
    return UnshownDict({**placeholders, **given, **urls, SESSION_VARIABLE: ""})
