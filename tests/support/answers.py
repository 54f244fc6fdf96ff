"""What an answer holds, to be compared: the reprs of answers, failures and HTTP responses show next to nothing."""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from typing import Any

from inference_recorder.recording.answer import Answer, ModelList, Streamed, items_of
from inference_recorder.recording.body import chunk_value


def contents_of(answer: Answer) -> tuple[str, dict[str, Any]]:
    """Return the kind of an answer and all that it holds, its chunks or models as values."""
    held = {field.name: getattr(answer, field.name) for field in fields(answer)}
    held |= {name: asdict(value) for name, value in held.items() if is_dataclass(value)}
    if isinstance(answer, (Streamed, ModelList)):
        held["chunks" if isinstance(answer, Streamed) else "models"] = values_of(answer)
    return type(answer).__name__, held


def values_of(answer: Answer) -> list[Any]:
    """Return the chunks or models of an answer as values."""
    return [chunk_value(item, "") for item in items_of(answer)]
