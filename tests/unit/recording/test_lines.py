"""The lines of a recorded stream: those that splitting the whole gives, wherever a block of them ends."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st

from inference_recorder.recording import lines
from inference_recorder.recording.lines import Lines

SEPARATOR = b",\n "
_PARTS = st.lists(st.binary(max_size=3) | st.sampled_from([b"", b",", b",\n", b" ", b"a" * 9, b"a" * 40]), min_size=1)


@given(parts=_PARTS, before=st.binary(max_size=3), first=st.integers(1, 12), block=st.integers(1, 12))
@example(parts=[b"a" * 40], before=b"", first=1, block=1)
@example(parts=[b""], before=b"", first=1, block=1)
def test_lines_are_those_that_splitting_gives(parts: list[bytes], before: bytes, first: int, block: int) -> None:
    """They replace a list of them, and a block may end within a line, a separator or what looks like one."""
    content = before + SEPARATOR.join(parts) + b",\n after"
    start, end = len(before), len(content) - len(b",\n after")
    expected, actual = content[start:end].split(SEPARATOR), Lines(content, start, end, SEPARATOR)

    with patch.multiple(lines, _FIRST_BLOCK=first, _BLOCK=block):
        assert expected == list(actual) == actual[:]
        assert expected[-1] == actual[-1]
        assert expected[:1] == [next(iter(actual))]
    assert len(expected) == len(actual)
    assert actual


def test_blocks_of_the_usual_size_give_what_splitting_gives() -> None:
    """As they are read: the first block of 1 KiB, then 64 KiB each, with a line longer than either."""
    parts = [b"%d" % number * (number % 40) for number in range(6_000)] + [b"x" * (3 << 16)] + [b"end"] * 3
    content = SEPARATOR.join(parts)

    assert parts == list(Lines(content, 0, len(content), SEPARATOR))
