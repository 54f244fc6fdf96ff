"""`@pytest.mark.inference_recording(...)`, on a test, its class or its module."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytest

from ..errors import RecorderError

MARKER = "inference_recording"
DESCRIPTION = (
    f"{MARKER}(mode=None, storage_dir=None, *, test_id=None, scope='test', record_errors=None, redact=(), "
    "normalize=None, secret_env=(), allow_misses=False): answer the test's LLM calls from recordings, or record them. "
    "As inference_recorder.inference_recording(); a relative storage_dir is below rootdir. A call without a recording "
    "fails the test even where the code under test catches MissingRecording, unless allow_misses."
)


def is_marked(node: pytest.Item | pytest.Collector) -> bool:
    return node.get_closest_marker(MARKER) is not None


def arguments_of(node: pytest.Item | pytest.Collector) -> dict[str, Any]:
    """Return the arguments of all markers that apply, the nearest going before; {} where there is none.

    Those of `inference_recording`, and allow_misses. Raises pytest.UsageError for others, naming the test.
    """
    arguments: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers(MARKER))):
        try:
            arguments |= _bound(mark)
            _check(arguments)
        except (TypeError, ValueError, RecorderError) as error:
            raise pytest.UsageError(f"{node.nodeid}: @pytest.mark.{MARKER}: {error}") from None
    return arguments


def recorder_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a marker's arguments that `inference_recording` takes."""
    return {name: value for name, value in arguments.items() if name != "allow_misses"}


def _bound(mark: pytest.Mark) -> dict[str, Any]:
    try:
        return _signature().bind(*mark.args, **mark.kwargs).arguments
    except TypeError as error:
        raise ValueError(f"{error}; it takes {', '.join(_signature().parameters)}") from None


def _signature() -> inspect.Signature:
    from ..recorder import inference_recording

    ours = inspect.Parameter("allow_misses", inspect.Parameter.KEYWORD_ONLY, default=False)
    signature = inspect.signature(inference_recording)
    return signature.replace(parameters=[*signature.parameters.values(), ours])


def _check(arguments: Mapping[str, Any]) -> None:
    from ..modes import parsed_mode
    from ..recorder import inference_recording

    inference_recording(**recorder_arguments(arguments))
    if arguments.get("mode") is not None:
        parsed_mode(arguments["mode"], "mode")
    if not isinstance(arguments.get("allow_misses", False), bool):
        raise ValueError(f"allow_misses is {arguments['allow_misses']!r}; it must be True or False")
