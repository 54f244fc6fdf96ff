"""The page itself: our template, style and script around the data, in one file that asks nobody for anything."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from ...json_tree import JsonObject
from ...recording import json_bytes
from .page_data import PageData

_LARGEST_PAGE = 16_000_000
"""Bytes of data above which texts are cut shorter: a browser opens that in about a second."""
_LONGEST_TEXTS = (20_000, 6_000, 2_000, 600, 200)
_SCRIPTS = (
    "elements.js", "calls.js", "search.js", "tree.js", "conversation.js", "sheet.js", "controls.js",
)  # fmt: skip
_PLACEHOLDER = re.compile(r"<!--(POLICY|STYLE|DATA|SCRIPT)-->")
# What could end a script element, begin a comment in it, or end a line of JavaScript.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def write(
    file: Path,
    directories: Sequence[Path],
    calls: Sequence[JsonObject],
    misses: Sequence[JsonObject],
    outcomes: Mapping[str, str] | None = None,
) -> None:
    """Write the page of a run's calls, or, where there are none, of every recording in the directories.

    A call holds outcome ("replayed", "recorded", "missed", "dropped" or "live"), test_id, endpoint, model, key, path
    (of its recording, or None), started (unix seconds), seconds, tokens_in, tokens_out and, of a stream, chunk_seconds
    (when each chunk came, counted from the call's start); one past the SDK holds its host. A miss holds the same and an
    explanation, as does a dropped call, and may hold a request (endpoint and body); a miss that is among the calls too
    is shown once. `outcomes` says how tests ended. What is absent is shown as unknown. A recording that cannot be read
    is shown as such.

    Texts are cut, and marked, where the page would be too large. The file is replaced as a whole; its directory is
    created. Raises OSError where it cannot be written.
    """
    page_data = PageData(directories, calls, misses, outcomes or {})
    for longest in _LONGEST_TEXTS:
        content = json_bytes.dumps(page_data.to_json(longest))
        if len(content) <= _LARGEST_PAGE:
            break
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(_page(content.decode()), encoding="utf-8", newline="\n")
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)


def _page(data: str) -> str:
    """Return the page around the JSON text `data`, which may hold anything."""
    for one, escape in _ESCAPES.items():
        data = data.replace(one, escape)
    style = _source("page.css")
    # In one scope of their own; each uses what those before it made.
    script = '"use strict";\n{\n' + "\n".join(_source("script", name) for name in _SCRIPTS) + "}\n"
    parts = {
        "POLICY": (
            "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
            f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
        ),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": data,
    }
    # In one pass: what a recording says is not looked at for placeholders.
    return _PLACEHOLDER.sub(lambda found: parts[found.group(1)], _source("page.html"))


def _source(*names: str) -> str:
    # Browsers read CRLF as LF before they compute the digest.
    return files(__package__).joinpath(*names).read_text(encoding="utf-8").replace("\r\n", "\n")


def _digest(source: str) -> str:
    return "sha256-" + base64.b64encode(sha256(source.encode()).digest()).decode()
