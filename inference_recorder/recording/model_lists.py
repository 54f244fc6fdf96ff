"""Lists of models: one file for each set of models a key has met. One replays as it is, several as their union."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import CorruptRecording
from ..request.jsonable import JsonObject, JsonValue
from .body import JSON_TEXT, chunk_value, data_in, typed, untyped
from .deep_json import is_deep, json_text
from .layout import model_list_start, model_set_digest
from .recording import Answer, Http, Recording

_USUAL = Http(200, {})
MODEL_TYPE = "openai.types.model.Model"


def model_list_name(key: str, answer: Answer) -> str:
    """Return the name of a recording of a list of models: one that holds none has its key, and no place.

    The kind that was met last answers every call.
    """
    if not has_models(answer):
        return key
    models = (str(model.get("id")) for model in models_in(answer) if isinstance(model, dict))
    return f"{model_list_start(key)}{model_set_digest(models)}"


def page_beside(page: JsonObject) -> JsonObject | None:
    """Return what a page holds beside its models, None for no more than its kind."""
    rest = {name: value for name, value in page.items() if name != "data"}
    if is_deep(rest):
        return typed(JSON_TEXT, json_text(rest))
    return None if rest == {"object": "list"} else rest


def has_models(answer: Answer) -> bool:
    """Whether an answer to a request for models is a list of them: not a failure, nor bytes that are not JSON."""
    return answer.failure is None and (answer.chunks is not None or isinstance(untyped(answer.body), dict))


def page_in(answer: Answer, path: Path | str) -> JsonObject:
    """Return the page that a server would send for a recorded list; raises CorruptRecording."""
    beside = data_in(answer.page or {}, path)
    if not isinstance(beside, dict):
        raise CorruptRecording(path, "$.response.page must be an object")
    return {"object": "list", **beside, "data": models_in(answer, path)}


def models_in(answer: Answer, path: Path | str = "") -> list[JsonValue]:
    """Return the models of one recorded list, as the server sent them; older files hold a page with them as "data".

    Raises CorruptRecording, naming the `path` it was read from, where they are no list.
    """
    if answer.chunks is not None:
        return [data_in(chunk_value(chunk, path), path) for chunk in answer.chunks]
    page = untyped(answer.body)
    is_page = page is not answer.body or (isinstance(page, dict) and "data" in page)
    is_empty = answer.failure is not None or not answer.is_complete or (answer.http or _USUAL).status_code == 204
    if not is_page and not is_empty:
        raise CorruptRecording(path, "$.response.body must be a list of models, or a page with them as its data")
    items = page.get("data", []) if isinstance(page, dict) else []
    if not isinstance(items, list):
        raise CorruptRecording(path, "$.response.body's data must be a list of models")
    return [untyped(item) for item in items]


def union(recordings: Sequence[Recording]) -> Recording:
    """Return one recording with the models of all, each id once (the last one stands), sorted by id.

    A single one stays as it is. Raises CorruptRecording for one whose models cannot be read.
    """
    if len(recordings) == 1:
        return _as_list(recordings[0]) if has_models(recordings[0].answer) else recordings[0]
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
