"""Streams as the bytes that a server would send."""

from __future__ import annotations

from typing import Any

import pytest

from inference_recorder.sdk.http import event_name


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\r\nb", 7, None])
def test_an_event_has_no_name_that_would_break_its_line(name: Any) -> None:
    """A stranger's recording could put events of its own into the stream."""
    assert event_name({"__event__": name}, {"type": "x"}) is None
    assert event_name({}, {"type": name}) is None


def test_an_event_has_its_own_name_before_the_type_of_its_data() -> None:
    """Named events of other servers carry data of any form."""
    assert "x" == event_name({"__event__": "x"}, {"type": "y"})
    assert "y" == event_name({}, {"type": "y"})
