"""The runner of the pages notices what is untrue."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support.systems import needs_shell
from .pages import Page
from .running import UntruePage, pattern, run

FENCE = "```"


def page_of(directory: Path, *lines: str) -> Page:
    """Return a page with one console block of these lines."""
    needs_shell()
    path = directory / "page.md"
    path.write_text("\n".join([f"{FENCE}console", *lines, FENCE, ""]), encoding="utf-8")
    return Page(path)


@pytest.mark.parametrize(
    ("shown", "output", "is_equal"),
    [
        (["1 passed in 0.66s"], "1 passed in 12.5s", True),
        (["1 passed in 0.66s"], "2 passed in 0.66s", False),
        ([".     [100%]"], ".  [100%]", True),
        (["in …/recordings"], "in /a/b/recordings", True),
        (["…", "end"], "1\n2\nend", True),
        (["…", "end"], "end", True),
        (["…", "end"], "1\n2", False),
        (["one"], "one\ntwo", False),
        (["a.c"], "abc", False),
        (["0 skipped"], "7 skipped", False),
    ],
)
def test_shown_output_is_compared_line_by_line(shown: list[str], output: str, is_equal: bool) -> None:
    """What a page shows is what a reader gets, but for times and what … stands for."""
    assert is_equal == bool(pattern(shown).fullmatch(f"{output}\n"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    [
        ["$ false"],
        ["$ echo one", "two"],
        ["$ echo one; false", "…"],
        ["$ rm -rf recordings && curl -s $OPENAI_BASE_URL/models"],
        ["$ exit 3"],
        ["$ curl -s $OPENAI_BASE_URL/models"],
    ],
)
def test_a_page_that_is_untrue_is_named_with_its_line(
    tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that cannot fail would let every page age."""
    monkeypatch.setattr("tests.docs.pages.ROOT", tmp_path)

    with pytest.raises(UntruePage, match=r"^page\.md:2: "):
        run(page_of(tmp_path, *lines))


@pytest.mark.slow
def test_a_change_that_a_page_describes_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader edits a file in an editor, not with a command that differs between systems."""
    monkeypatch.setattr("tests.docs.pages.ROOT", tmp_path)
    page = page_of(tmp_path, "$ cat file", "two")
    start = f'{FENCE}text title="file"\none\n{FENCE}\n<!-- in file: one => two -->\nIt says two.\n\n'
    page.path.write_text(start + page.path.read_text(encoding="utf-8"), encoding="utf-8")

    assert 1 == run(page)
    page.path.write_text(page.path.read_text(encoding="utf-8").replace("one =>", "three =>"), encoding="utf-8")
    with pytest.raises(UntruePage, match=r"^page\.md:4: file does not hold this once: three$"):
        run(page)


@pytest.mark.slow
def test_commands_share_a_directory_a_shell_and_its_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is read from top to bottom, as one session at a terminal."""
    monkeypatch.setattr("tests.docs.pages.ROOT", tmp_path)
    page = page_of(
        tmp_path,
        "$ pip install nothing && echo 'a # b'  # a comment",
        "a # b",
        "$ mkdir below && cd below && export NAME=value",
        "$ cat; basename $PWD; echo $NAME ${OPENAI_API_KEY:-none}",
        "below",
        "value none",
        "$ echo two \\",
        "  lines; echo $OPENAI_API_KEY    # recorded",
        "two lines",
        "sk-of-the-pages",
    )

    assert 4 == run(page)
