"""The names of files: each is recognized again by what it is for."""

from __future__ import annotations

from inference_recorder.recording.layout import owner_of_temporary, temporary_name

KEY = "a" * 64


def test_a_file_that_is_being_written_names_its_recording() -> None:
    """If its writer is killed, the next one removes it, under the lock of that recording."""
    for name in (KEY, f"{KEY}.2", f"models-{KEY}-01234567"):
        assert name == owner_of_temporary(temporary_name(name))
