"""Arguments of `inference_recording()`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from inference_recorder import inference_recording


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"block_network": "yes"}, "block_network is 'yes'; it must be True or False"),
        ({"children": "no"}, "children is 'no'; it must be True or False"),
        ({"record_errors": 1}, "record_errors is 1; it must be True or False"),
        ({"test_id": 5}, "test_id is of type int; it must be a string"),
        ({"storage_dir": 5}, "storage_dir is of type int; it must be a path"),
        ({"redact": 123456}, "redact is of type int; it must be a list"),
        ({"normalize": 5}, "normalize is of type int; it must be a list"),
        ({"secret_env": None}, "secret_env is of type NoneType; it must be a list"),
    ],
)
def test_an_argument_of_another_type_is_refused(argument: dict[str, Any], message: str) -> None:
    """What the configuration refuses is refused in code too: "no" would count as true."""
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        inference_recording(**argument)
