"""What a session does with a call."""

from __future__ import annotations

import os
from enum import Enum

from .errors import UnknownMode
from .test_run import current_test_run

MODE_VARIABLES = ("LLAMA_STACK_TEST_INFERENCE_MODE", "OGX_TEST_INFERENCE_MODE")
MODE_OPTION = "--inference-mode"


class InferenceMode(str, Enum):
    """What a session does with a call of the SDK."""

    LIVE = "live"
    """Nothing is touched: every call goes out and none is recorded."""
    RECORD = "record"
    """Every call goes out and is recorded, replacing what was there."""
    REPLAY = "replay"
    """Every call is answered from a recording; one without a recording raises MissingRecording."""
    RECORD_IF_MISSING = "record-if-missing"
    """A call with a recording is answered from it, any other goes out and is recorded."""

    def __str__(self) -> str:
        return self.value

    @property
    def writes(self) -> bool:
        """Whether a call may be recorded."""
        return self in (InferenceMode.RECORD, InferenceMode.RECORD_IF_MISSING)


def mode_from(value: str | InferenceMode | None = None) -> InferenceMode:
    """Return the mode of a recorder that was given `value`: that one, else the environment's, else replay.

    In a test run, `--inference-mode` goes before all of these, and its configuration file's mode goes before replay.
    Upper and lower case are one. Raises UnknownMode, which says where the unknown name came from.
    """
    return chosen_mode(value)[0]


def chosen_mode(value: str | InferenceMode | None = None) -> tuple[InferenceMode, str]:
    """Return the mode as `mode_from` does, and what chose it: an option, "mode", a variable's name, or "by default"."""
    run = current_test_run()
    if run is not None and run.settings.forced_mode is not None:
        return parsed_mode(run.settings.forced_mode, MODE_OPTION), MODE_OPTION
    if value is not None:
        return parsed_mode(value, "mode"), "mode"
    for variable in MODE_VARIABLES:
        name = os.environ.get(variable)
        if name:
            return parsed_mode(name, variable), variable
    if run is not None and run.settings.mode is not None:
        return parsed_mode(run.settings.mode, run.settings.mode_source), run.settings.mode_source
    return InferenceMode.REPLAY, "by default"


def parsed_mode(value: object, source: str) -> InferenceMode:
    """Return the mode that `value` names; raises UnknownMode, which names the `source`."""
    if isinstance(value, InferenceMode):
        return value
    try:
        return InferenceMode(str(value).strip().lower().replace("_", "-"))
    except ValueError:
        raise UnknownMode(value, source, [mode.value for mode in InferenceMode]) from None
