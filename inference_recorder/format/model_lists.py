"""Lists of models: one file for each set of models a key has met. One replays as it is, several as their union."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from ..errors import CorruptRecording
from ..identity.jsonable import JsonObject, JsonValue
from .codec import chunk_value, untyped
from .recording import Answer, Recording

MODEL_TYPE = "openai.types.model.Model"
MODEL_LIST_START = "models-"
"""What the names of all recorded lists of models begin with."""


def model_list_start(key: str) -> str:
    """Return what the names of all lists that are recorded under a key begin with; the digest follows."""
    return f"{MODEL_LIST_START}{key}-"


def model_set_digest(models: Iterable[str]) -> str:
    """Return the 8 hex digits that tell one server's set of models from another's.

    The order and repetition of `models` do not matter. Two sets share a digest about once in 4 billion.

    Source: llama-stack `api_recorder.py`, `_model_identifiers_digest`; the names are joined with "|", so a name that
    holds one is ambiguous there too.
    """
    return sha256("|".join(sorted(set(models))).encode()).hexdigest()[:8]


def model_list_name(key: str, answer: Answer) -> str:
    """Return the name of a recording of a list of models: that of a failure is the key, and has no place.

    The kind that was met last answers every call.
    """
    if answer.failure is not None:
        return key
    models = (str(model.get("id")) for model in models_in(answer) if isinstance(model, dict))
    return f"{model_list_start(key)}{model_set_digest(models)}"


def page_beside(page: JsonObject) -> JsonObject | None:
    """Return what a page holds beside its models, None for no more than its kind."""
    rest = {name: value for name, value in page.items() if name != "data"}
    return None if rest == {"object": "list"} else rest


def models_in(answer: Answer, path: Path | str = "") -> list[JsonValue]:
    """Return the models of one recorded list, as the server sent them; older files hold a page with them as "data".

    Raises CorruptRecording, naming the `path` it was read from, where they are no list.
    """
    if answer.chunks is not None:
        return [untyped(chunk_value(chunk, path)) for chunk in answer.chunks]
    page = untyped(answer.body)
    items = page.get("data", []) if isinstance(page, dict) else []
    if not isinstance(items, list):
        raise CorruptRecording(path, "$.response.body's data must be a list of models")
    return [untyped(item) for item in items]


def union(recordings: Sequence[Recording]) -> Recording:
    """Return one recording with the models of all, each id once (the last one stands), sorted by id.

    A single one stays as it is. Raises CorruptRecording for one whose models cannot be read.
    """
    if len(recordings) == 1:
        return _as_list(recordings[0])
    by_id = {
        model["id"]: model
        for recording in recordings
        for model in models_in(recording.answer, recording.path)
        if isinstance(model, dict) and isinstance(model.get("id"), str)
    }
    models = [by_id[name] for name in sorted(by_id)]
    return recordings[-1]._replace(answer=recordings[-1].answer._replace(body=None, chunks=models))


def _as_list(recording: Recording) -> Recording:
    """Return a list that an older file holds as a page in the form of a newer one; a newer one as it is."""
    answer = recording.answer
    if answer.chunks is not None:
        return recording
    page = untyped(answer.body)
    beside = page_beside(page) if isinstance(page, dict) else None
    models = models_in(answer, recording.path)
    return recording._replace(answer=answer._replace(body=None, chunks=models, page=answer.page or beside))
