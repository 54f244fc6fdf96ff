"""Ways to ask for the same chat completion; each returns what the caller gets."""

from __future__ import annotations

from typing import Any

import openai

from ...conftest import HELLO, Colour


def plain(sdk: Colour) -> Any:
    return sdk.call("chat.completions.create", **HELLO)


def streamed(sdk: Colour) -> Any:
    return sdk.items(sdk.call("chat.completions.create", **HELLO, stream=True))


def raw(sdk: Colour) -> Any:
    return sdk.call("chat.completions.with_raw_response.create", **HELLO).parse()


def posted(sdk: Colour) -> Any:
    return sdk.call("post", "/chat/completions", cast_to=openai.types.chat.ChatCompletion, body=HELLO)
