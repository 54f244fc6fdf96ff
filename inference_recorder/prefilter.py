"""A fast test whether a text may match any of many patterns."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache


@cache
def prefilter(pattern: str) -> Callable[[str], bool]:
    """Return a function that tests whether a text contains a match of a pattern without look-around.

    The regular expression engine of pydantic-core reads a text once, whatever the number of alternatives: 0.8 us for
    400 characters, against 17 us for as many `in` tests. It never matches in a text with a lone surrogate; a canonical
    text contains none. With pydantic 1, the standard library's engine is used.
    """
    try:
        from pydantic_core import SchemaValidator, core_schema
    except ImportError:  # pydantic 1
        search = re.compile(pattern).search
        return lambda text: search(text) is not None
    schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
    return SchemaValidator(schema).isinstance_python
