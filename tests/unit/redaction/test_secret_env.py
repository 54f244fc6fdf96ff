"""Which names of environment variables may be declared."""

from __future__ import annotations

from typing import Any

import pytest

from inference_recorder import RecorderError
from inference_recorder.redaction.secret_env import checked_names, is_secret_name


@pytest.mark.parametrize("names", [[""], ["!"], ["A=1"], ["!A=1"], [3], "TOKEN"])
def test_what_is_not_a_list_of_names_is_refused(names: Any) -> None:
    """A slip that is passed over leaves a secret in clear."""
    with pytest.raises(RecorderError, match=r"^secret_env= takes"):
        checked_names(names, "secret_env=")


def test_names_patterns_and_exclusions_are_accepted() -> None:
    """As the documentation has them."""
    assert ("TOKEN", "APP_*", "!APP_NAME") == checked_names(["TOKEN", "APP_*", "!APP_NAME"], "secret_env=")


@pytest.mark.parametrize(
    "name",
    ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GROQ_API_KEY", "CEREBRAS_API_KEY", "TOGETHER_API_KEY"],
)
def test_the_variable_of_an_sdks_key_is_a_secret(name: str) -> None:
    """Nobody has to declare it."""
    assert is_secret_name(name)
