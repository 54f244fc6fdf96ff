"""The page of the format, for those who read recordings with programs of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from inference_recorder.recording.answer import Failure, Http, ModelList, Streamed
from inference_recorder.recording.codec import encode

from .pages import PAGES

PAGE = PAGES["docs/recording-format.md"].path.read_text(encoding="utf-8")
SECTION = PAGE.partition("## A file")[2].partition("\n## ")[0]
FAILURE = Failure("APIError", "the server broke off", 500, {"code": 1}, "the text of the body")
EVERYTHING = [
    Streamed([], FAILURE, True, http=Http(200, {"a": "b"}, (0.5,)), is_redacted=True, is_complete=False),
    ModelList([], {"has_more": True}),
]


def test_the_page_names_every_member_that_a_file_can_have_and_no_other() -> None:
    """Only the members of the request depend on the call."""
    files = [json.loads(encode("t", {"n": 2**64}, answer)) for answer in EVERYTHING]
    cells = re.findall(r"^\| ((?:`[\w.]+`(?:, )?)+) \|", SECTION, re.MULTILINE)
    named = [re.findall(r"\w+(?=`)", cell) for cell in cells if not cell.startswith("`request")]

    assert {name for names in named for name in names} == {name for file in files for name in _members(file)}


def test_the_page_names_what_a_failure_holds() -> None:
    [row] = [line for line in SECTION.splitlines() if "`exception_data`" in line]
    file = json.loads(encode("t", {}, EVERYTHING[0]))

    assert [] == [name for name in file["response"]["exception_data"] if f"`{name}`" not in row]


def _members(file: dict[str, Any]) -> Iterator[str]:
    yield from file.keys() - {"request", "response"}
    yield from file["response"].keys() - {"http"}
    yield from file["response"].get("http", {})
