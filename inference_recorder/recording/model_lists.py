"""Lists of models: one file for each set of models a key has met. One replays as it is, several as their union."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import CorruptRecording, assert_never
from ..json_tree import JsonObject, JsonValue
from .answer import Answer, Failed, Http, ModelList, Recording, Streamed, Value, failure_of, is_complete
from .body import JSON_TEXT, chunk_value, data_in, typed, untyped
from .deep_json import is_deep, json_text
from .layout import model_list_start, model_set_digest

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
    if isinstance(answer, Value):
        return isinstance(untyped(answer.body), dict)
    return failure_of(answer) is None


def page_in(answer: Answer, path: Path | str) -> JsonObject:
    """Return the page that a server would send for a recorded list; raises CorruptRecording."""
    page = answer.page if isinstance(answer, ModelList) else None
    beside = data_in(page or {}, path)
    if not isinstance(beside, dict):
        raise CorruptRecording(path, "$.response.page must be an object")
    return {"object": "list", **beside, "data": models_in(answer, path)}


def models_in(answer: Answer, path: Path | str = "") -> list[JsonValue]:
    """Return the models of one recorded list, as the server sent them; older files hold a page with them as "data".

    Raises CorruptRecording, naming the `path` it was read from, where they are no list.
    """
    match answer:
        case ModelList(models=items) | Streamed(chunks=items):
            return [data_in(chunk_value(item, path), path) for item in items]
        case Failed():
            return []
        case Value():
            return _models_in_page(answer, path)
        case _:
            assert_never(answer)


def _models_in_page(answer: Value, path: Path | str) -> list[JsonValue]:
    page = untyped(answer.body)
    is_page = page is not answer.body or (isinstance(page, dict) and "data" in page)
    is_empty = not answer.is_complete or (answer.http or _USUAL).status_code == 204
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
        name: model
        for recording in recordings
        for model in models_in(recording.answer, recording.path)
        if isinstance(model, dict) and isinstance(name := model.get("id"), str)
    }
    last = recordings[-1]
    page = last.answer.page if isinstance(last.answer, ModelList) else None
    return _with_models(last, [by_id[name] for name in sorted(by_id)], page)


def _as_list(recording: Recording) -> Recording:
    """Return a list that an older file holds as a page in the form of a newer one; a newer one as it is."""
    answer = recording.answer
    if not isinstance(answer, Value):
        return recording
    page = untyped(answer.body)
    beside = page_beside(page) if isinstance(page, dict) else None
    return _with_models(recording, models_in(answer, recording.path), beside)


def _with_models(recording: Recording, models: list[JsonValue], page: JsonObject | None) -> Recording:
    answer = recording.answer
    is_whole = is_complete(answer)
    answer = ModelList(models, page, http=answer.http, is_redacted=answer.is_redacted, is_complete=is_whole)
    return Recording(recording.path, answer)
