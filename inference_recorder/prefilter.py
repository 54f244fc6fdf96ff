"""Looking for many patterns in a text at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache


@cache
def prefilter(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a text holds anything of a pattern without look-around.

    pydantic-core has a regular expression engine in Rust that reads a text once, whatever the number of alternatives:
    0.8 us for 400 characters, against 17 us for as many `in`s. Without it, the standard library's does the same. It
    takes a text with half a character of UTF-16 for one that holds the pattern not; a canonical text has none.
    """
    try:
        from pydantic_core import SchemaValidator, core_schema
    except ImportError:  # pydantic 1
        search = re.compile(pattern).search
        return lambda text: search(text) is not None
    schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
    return SchemaValidator(schema).isinstance_python
