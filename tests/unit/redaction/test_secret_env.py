"""Which names of environment variables may be declared."""

from __future__ import annotations

from typing import Any

import pytest

from inference_recorder import RecorderError
from inference_recorder.redaction.secret_env import checked_names


@pytest.mark.parametrize("names", [[""], ["!"], ["A=1"], ["!A=1"], [3], "TOKEN"])
def test_what_is_not_a_list_of_names_is_refused(names: Any) -> None:
    """A slip that is passed over leaves a secret in clear."""
    with pytest.raises(RecorderError, match=r"^secret_env= takes"):
        checked_names(names, "secret_env=")


def test_names_patterns_and_exclusions_are_accepted() -> None:
    """As the documentation has them."""
    assert ("TOKEN", "APP_*", "!APP_NAME") == checked_names(["TOKEN", "APP_*", "!APP_NAME"], "secret_env=")
