"""The names of files: each is recognized again by what it is for."""

from __future__ import annotations

import pytest

from inference_recorder.recording.layout import attachment_name, owner_of_temporary, temporary_name

KEY = "a" * 64


def test_a_file_that_is_being_written_names_its_recording() -> None:
    """If its writer is killed, the next one removes it, under the lock of that recording."""
    for name in (KEY, f"{KEY}.2", f"models-{KEY}-01234567"):
        assert name == owner_of_temporary(temporary_name(name))


@pytest.mark.parametrize("digest", ["", "a" * 63, "A" * 64, f"../{'a' * 61}", f"{'a' * 64}\n"])
def test_an_attachment_is_named_by_a_sha256_only(digest: str) -> None:
    """A stranger's recording must not name any other file."""
    with pytest.raises(ValueError, match="is not a sha256"):
        attachment_name(KEY, digest)
