"""What a session does with a call."""

from __future__ import annotations

from enum import Enum

from .errors import UnknownMode


class InferenceMode(str, Enum):
    """What a session does with a call of the SDK."""

    LIVE = "live"
    """Nothing is patched: every call goes to the network and none is recorded."""
    RECORD = "record"
    """Every call goes to the network and is recorded; its recording replaces an earlier one."""
    REPLAY = "replay"
    """Every call is answered from a recording; one without a recording raises MissingRecording."""
    RECORD_IF_MISSING = "record-if-missing"
    """A call with a recording is answered from it; any other goes to the network and is recorded."""

    def __str__(self) -> str:
        return self.value

    @property
    def writes(self) -> bool:
        """Whether a call may be recorded."""
        return self in (InferenceMode.RECORD, InferenceMode.RECORD_IF_MISSING)

    @property
    def reads(self) -> bool:
        """Whether a call may be answered from a recording."""
        return self in (InferenceMode.REPLAY, InferenceMode.RECORD_IF_MISSING)


def parsed_mode(value: object, source: str) -> InferenceMode:
    """Return the mode that `value` names, in upper or lower case. Raises UnknownMode, which names the `source`."""
    if isinstance(value, InferenceMode):
        return value
    try:
        return InferenceMode(str(value).strip().lower().replace("_", "-"))
    except ValueError:
        raise UnknownMode(value, source, [mode.value for mode in InferenceMode]) from None
