"""Lists of models, as older files hold them."""

from __future__ import annotations

from typing import Any

import pytest

from inference_recorder import CorruptRecording
from inference_recorder.recording.answer import Value
from inference_recorder.recording.model_lists import models_in


@pytest.mark.parametrize("body", [{"object": "error"}, "data", 7, {"object": "list", "data": {}}])
def test_a_body_that_is_not_a_page_of_models_is_corrupt(body: Any) -> None:
    """An empty list in its place would have the code under test look for its model in vain."""
    with pytest.raises(CorruptRecording, match=r"\$\.response\.body"):
        models_in(Value(body), "f")


def test_a_page_of_models_is_read() -> None:
    """llama-stack's recorder kept the page as the server sent it."""
    assert [{"id": "m"}] == models_in(Value({"object": "list", "data": [{"id": "m"}]}), "f")
