"""Names and prose use the field's words: no noun is left that only this project knows."""

from __future__ import annotations

import io
import os
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import inference_recorder

PACKAGE = Path(inference_recorder.__file__).parent
ROOT = Path(__file__).parents[1]
PLAIN_WORDS = {
    r"doors?": "target",
    r"tapes?|taped": "capture",
    r"told": "said in the error, reported",
    r"heard": "received",
    r"sights?": "snapshot",
    r"surround\w*": "test run",
    r"anew": "again",
    r"whoever": "who, the one that",
    r"the ancestors?": "llama-stack's recorder",
    r"(?<!in )(?<!in-)(?<![.|])flights?": "in flight",
}
"""Words that this project once used in a sense of its own, and what to write."""
COINED = re.compile(rf"\b(?:{'|'.join(PLAIN_WORDS)})\b", re.IGNORECASE)
FILES = sorted(
    path
    for top in (PACKAGE, ROOT / "tests", ROOT / "docs")
    for path in top.rglob("*")
    if path.suffix in (".py", ".md") and path != Path(__file__)
)


def phrases(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each name, split into its words, and each comment and string of a file, with its line."""
    text = path.read_text(encoding="utf-8")
    yield 0, " ".join(re.findall(r"[a-z]+", path.stem))
    if path.suffix == ".md":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", token.string))
        elif token.type in (tokenize.COMMENT, tokenize.STRING):
            yield token.start[0], token.string


def test_nothing_has_a_coined_name() -> None:
    """A reader who has to learn a vocabulary first does not stay."""
    found = [
        f"{os.path.relpath(path, ROOT)}:{line} {match[0]}"
        for path in FILES
        for line, text in phrases(path)
        for match in COINED.finditer(text)
    ]

    assert [] == found, f"write instead: {PLAIN_WORDS}"
