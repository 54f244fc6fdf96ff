"""Record LLM calls of the OpenAI SDK once; replay them offline, with the SDK's own types."""

from .errors import (
    CorruptRecording,
    IncompleteRecording,
    MissingRecording,
    RecorderError,
    RecordingInTheWay,
    UnknownMode,
    UnpatchableSDK,
    UnrecordableCall,
    UnrecordableValue,
    UnusableFolder,
    UnwritableRecording,
)
from .identity.normalizers import Normalizer
from .modes import InferenceMode
from .plans import Exchange
from .recorder import inference_recording
from .session import Session

__all__ = [
    "CorruptRecording",
    "Exchange",
    "IncompleteRecording",
    "InferenceMode",
    "MissingRecording",
    "Normalizer",
    "RecorderError",
    "RecordingInTheWay",
    "Session",
    "UnknownMode",
    "UnpatchableSDK",
    "UnrecordableCall",
    "UnrecordableValue",
    "UnusableFolder",
    "UnwritableRecording",
    "inference_recording",
]
