"""Files are read and changed although others use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_recorder.storage.files import despite_others
from inference_recorder.storage.walk import common_parent


def test_a_change_that_is_refused_for_a_moment_is_tried_again() -> None:
    """On Windows a reader of a file keeps a writer from replacing it."""
    refusals = iter([PermissionError(), PermissionError()])

    def change() -> str:
        if (refusal := next(refusals, None)) is not None:
            raise refusal
        return "changed"

    assert "changed" == despite_others(change, seconds=60)


def test_a_change_that_stays_refused_fails() -> None:
    """A file without rights must not look like one that is in use."""

    def change() -> None:
        raise PermissionError("for ever")

    with pytest.raises(PermissionError, match="for ever"):
        despite_others(change, seconds=0.01)


def test_directories_without_a_common_parent_have_none() -> None:
    """On Windows they may be on different drives; a summary must not end with that error."""
    assert Path("/a") == common_parent([Path("/a/b"), Path("/a/c")])
    assert None is common_parent([Path("/a"), Path("b")])
    assert None is common_parent([])
