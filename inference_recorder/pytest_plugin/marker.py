"""`@pytest.mark.inference_recording(...)`, on a test, its class or its module."""

from __future__ import annotations

import inspect
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from ..config import Config, check_type
from ..errors import RecorderError
from ..text import did_you_mean
from .configuration import check_may_record

if TYPE_CHECKING:
    from ..session import Session

Arguments = dict[str, Any]
"""By name: those of `inference_recording`, and allow_misses."""

MARKER = "inference_recording"
_LIKE_OURS = re.compile(r"inference_?record(?:s|er|ers|ed|ing|ings)?|record(?:ing)?_inference", re.IGNORECASE)
DESCRIPTION = (
    f"{MARKER}(mode=None, storage_dir=None, *, test_id=None, scope='test', record_errors=None, redact=(), "
    "normalize=None, secret_env=(), block_network=None, allow_hosts=(), children=None, repeats=None, "
    "allow_misses=False): answer the test's LLM calls from recordings, or record them. As "
    "inference_recorder.inference_recording(); a relative storage_dir is below rootdir. A call without a recording "
    "fails the test even where the code under test catches MissingRecording, unless allow_misses."
)


def is_marked(node: pytest.Item | pytest.Collector) -> bool:
    return node.get_closest_marker(MARKER) is not None


def arguments_of(node: pytest.Item | pytest.Collector) -> Arguments:
    """Return the arguments of all markers that apply, where nearer ones override wider ones; {} without a marker.

    Raises pytest.UsageError, which names the test, for invalid ones.
    """
    arguments: Arguments = {}
    for mark in reversed(list(node.iter_markers())):
        if mark.name != MARKER:
            _check_name(mark.name, node)
            continue
        try:
            arguments |= _bound(mark)
            _check(arguments)
        except (TypeError, ValueError, RecorderError) as error:
            raise pytest.UsageError(f"{node.nodeid}: @pytest.mark.{MARKER}: {error}") from None
    return arguments


def _check_name(name: str, node: pytest.Item | pytest.Collector) -> None:
    """Raise pytest.UsageError for a marker whose name is almost ours, unless the suite has registered it."""
    if not _LIKE_OURS.fullmatch(name):
        return
    registered = (re.split(r"[(:]", line)[0].strip() for line in node.config.getini("markers"))
    if name not in registered:
        raise pytest.UsageError(f"{node.nodeid}: @pytest.mark.{name}: the marker is called {MARKER}")


def open_session(node: pytest.Item | pytest.Collector, config: Config) -> Session:
    """Open a session with the arguments of a node's markers; fail the test if that is impossible."""
    from ..recorder import enter_process_wide, inference_recording

    options = _recorder_arguments(arguments_of(node))
    if options.get("storage_dir"):
        if config.command_line_directory is not None:
            del options["storage_dir"]
        else:
            options["storage_dir"] = node.config.rootpath / os.path.expanduser(options["storage_dir"])
    try:
        mode = config.mode(options.get("mode"))
        check_may_record(node.config, mode.value, "the marker" if mode.source == "mode" else mode.source)
        return enter_process_wide(inference_recording(**options))
    except (RecorderError, pytest.UsageError) as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _recorder_arguments(arguments: Arguments) -> Arguments:
    return {name: value for name, value in arguments.items() if name != "allow_misses"}


def _bound(mark: pytest.Mark) -> Arguments:
    try:
        return _signature().bind(*mark.args, **mark.kwargs).arguments
    except TypeError as error:
        known = _signature().parameters
        unknown = next((name for name in mark.kwargs if name not in known), "")
        raise ValueError(f"{error}; it takes {', '.join(known)}{did_you_mean(unknown, known)}") from None


def _signature() -> inspect.Signature:
    from ..recorder import inference_recording

    ours = inspect.Parameter("allow_misses", inspect.Parameter.KEYWORD_ONLY, default=False)
    signature = inspect.signature(inference_recording)
    return signature.replace(parameters=[*signature.parameters.values(), ours])


def _check(arguments: Arguments) -> None:
    from ..modes import parsed_mode
    from ..recorder import inference_recording

    inference_recording(**_recorder_arguments(arguments))
    if arguments.get("mode") is not None:
        parsed_mode(arguments["mode"], "mode")
    check_type("allow_misses", arguments.get("allow_misses", False), bool)
