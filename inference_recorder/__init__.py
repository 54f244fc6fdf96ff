"""Record LLM calls of the OpenAI SDK once; replay them offline, with the SDK's own types."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine.call_log import Call
    from .engine.given_test import test_id_context
    from .errors import (
        AmbiguousSession,
        ClosedSession,
        CorruptRecording,
        IncompleteRecording,
        LiveCallBlocked,
        LockNotAvailable,
        MissingRecording,
        RecorderError,
        RecorderNotEntered,
        RecordingConflict,
        UnknownMode,
        UnrecordableCall,
        UnrecordableValue,
        UnsupportedSDK,
        UnusableDirectory,
        UnwritableRecording,
    )
    from .explanation import Difference, Explanation, Nearest
    from .modes import InferenceMode
    from .recorder import inference_recording
    from .recording.usage import Usage
    from .request.normalizers import Normalizer
    from .sdk.context import current_test_id
    from .session import Session
else:
    # Imported when asked for: pytest imports this package in every run of a project that has it installed.
    _MODULES = {
        "Difference": "explanation",
        "Call": "engine.call_log",
        "Explanation": "explanation",
        "InferenceMode": "modes",
        "Nearest": "explanation",
        "Normalizer": "request.normalizers",
        "Session": "session",
        "Usage": "recording.usage",
        "current_test_id": "sdk.context",
        "inference_recording": "recorder",
        "test_id_context": "engine.given_test",
    }

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{_MODULES.get(name, 'errors')}", __name__), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [
    "AmbiguousSession",
    "Call",
    "ClosedSession",
    "CorruptRecording",
    "Difference",
    "Explanation",
    "IncompleteRecording",
    "InferenceMode",
    "LiveCallBlocked",
    "LockNotAvailable",
    "MissingRecording",
    "Nearest",
    "Normalizer",
    "RecorderError",
    "RecorderNotEntered",
    "RecordingConflict",
    "Session",
    "UnknownMode",
    "UnrecordableCall",
    "UnrecordableValue",
    "UnsupportedSDK",
    "UnusableDirectory",
    "UnwritableRecording",
    "Usage",
    "current_test_id",
    "inference_recording",
    "test_id_context",
]
