"""The configuration of a test run: its command line and `[tool.inference_recorder]`."""

from __future__ import annotations

import argparse
import os

import pytest

from ..config import MODE_OPTION, Config, absolute
from ..errors import RecorderError
from ..modes import InferenceMode, parsed_mode
from ..pyproject import nearest_pyproject, table_of


def config_of(config: pytest.Config, options: argparse.Namespace | None = None) -> Config:
    """Return the configuration of this run, whose options are `options` if it is not configured yet.

    Raises pytest.UsageError if any of it is invalid.
    """
    options = config.option if options is None else options
    mode, directory = options.inference_recorder_mode, options.inference_recorder_recordings
    try:
        return Config(
            command_line_mode=None if mode is None else parsed_mode(mode, MODE_OPTION),
            command_line_directory=absolute(directory, config.invocation_params.dir) if directory else None,
            table=table_of(nearest_pyproject(config.rootpath)),
            command_line_block_network=options.inference_recorder_block_network,
            command_line_unmarked=options.inference_recorder_unmarked,
            root=config.rootpath,
        )
    except RecorderError as error:
        raise pytest.UsageError(str(error)) from None


def check_may_record(config: pytest.Config, mode: InferenceMode, source: str) -> None:
    """Raise pytest.UsageError if `mode` records and this is a CI run that was not allowed to."""
    if mode.writes and _is_ci() and not config.getoption("inference_recorder_allow_recording"):
        raise pytest.UsageError(
            f"{source} says {mode}, but CI is set in the environment, where recordings are only replayed; "
            "add --inference-allow-recording to record all the same"
        )


def _is_ci() -> bool:
    return os.environ.get("CI", "").strip().lower() not in ("", "0", "false")
