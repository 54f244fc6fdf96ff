"""Record LLM calls of the OpenAI SDK once; replay them offline, with the SDK's own types."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import (
        CorruptRecording,
        IncompleteRecording,
        MissingRecording,
        RecorderError,
        UnknownMode,
        UnpatchableSDK,
        UnrecordableCall,
        UnrecordableValue,
        UnusableFolder,
        UnwritableRecording,
    )
    from .modes import InferenceMode
    from .plans import Exchange
    from .recorder import inference_recording
    from .session import Session
    from .usage import Usage
else:
    # Imported when asked for: pytest imports this package in every run of a project that has it installed.
    _MODULES = {
        "Exchange": "plans",
        "InferenceMode": "modes",
        "Session": "session",
        "Usage": "usage",
        "inference_recording": "recorder",
    }

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{_MODULES.get(name, 'errors')}", __name__), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [
    "CorruptRecording",
    "Exchange",
    "IncompleteRecording",
    "InferenceMode",
    "MissingRecording",
    "RecorderError",
    "Session",
    "UnknownMode",
    "UnpatchableSDK",
    "UnrecordableCall",
    "UnrecordableValue",
    "UnusableFolder",
    "UnwritableRecording",
    "Usage",
    "inference_recording",
]
