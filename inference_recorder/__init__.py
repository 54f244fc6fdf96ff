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
from .explanation import Difference, Explanation, Nearest
from .identity.normalizers import Normalizer
from .modes import InferenceMode
from .plans import Exchange
from .recorder import inference_recording
from .session import Session

__all__ = [
    "CorruptRecording",
    "Difference",
    "Exchange",
    "Explanation",
    "IncompleteRecording",
    "InferenceMode",
    "MissingRecording",
    "Nearest",
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
