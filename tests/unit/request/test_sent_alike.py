"""The descriptions of one HTTP request find each other; requests that differ do not."""

from __future__ import annotations

import pytest

from inference_recorder.json_tree import JsonObject, JsonValue
from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.request import Request
from inference_recorder.request.sent_alike import sent_alike, without_additions

_SOUND = "sha256:1"


def request_of(endpoint: str, body: JsonObject) -> Request:
    return Request("POST", endpoint, f"https://host/v1{endpoint}", body, canonical_text(body))


def other_bodies(endpoint: str, body: JsonObject) -> list[JsonObject]:
    return [other.body for other in sent_alike(request_of(endpoint, body))]


def other_body(endpoint: str, body: JsonObject) -> JsonObject | None:
    """Return the other description that is looked up first."""
    return next(iter(other_bodies(endpoint, body)), None)


EMBEDDINGS: JsonObject = {"model": "e", "input": "x"}
PAIRS: list[tuple[str, JsonObject, JsonObject]] = [
    ("/v1/embeddings", EMBEDDINGS, {**EMBEDDINGS, "encoding_format": "base64"}),
    ("/v1/files", {"files": [["file", "a.txt", None, _SOUND]]}, {"files": [["file", "a.txt", "text/plain", _SOUND]]}),
    (
        "/v1/audio/transcriptions",
        {"files": [["file", None, None, _SOUND]]},
        {"files": [["file", "upload", "application/octet-stream", _SOUND]]},
    ),
    (
        "/v1/images/edits",
        {"n": 2, "files": [["image[]", "a.png", None, _SOUND], ["image[]", "b.png", None, _SOUND]]},
        {"n": 2, "files": [["image[]", "a.png", "image/png", _SOUND], ["image[]", "b.png", "image/png", _SOUND]]},
    ),
]


@pytest.mark.parametrize(("endpoint", "as_asked", "as_sent"), PAIRS)
def test_both_descriptions_find_each_other(endpoint: str, as_asked: JsonObject, as_sent: JsonObject) -> None:
    """A recording made in process answers over HTTP, where nobody sees what the caller named, and the other way."""
    assert as_sent == other_body(endpoint, as_asked)
    assert as_asked == other_body(endpoint, as_sent)
    assert as_asked == without_additions(endpoint, as_sent)


def test_where_a_caller_names_some_media_types_the_others_are_guessed() -> None:
    """Over HTTP, all of them are there."""
    body: JsonObject = {"files": [["file", "a.txt", "text/plain", _SOUND], ["file", "b.txt", None, _SOUND]]}

    assert {"files": [["file", "a.txt", None, _SOUND], ["file", "b.txt", None, _SOUND]]} == other_body(
        "/v1/files", body
    )


def test_uploads_find_each_other_whatever_is_named_of_each() -> None:
    """An application names the media type of one picture, and opens the other by its path."""
    names = [("a.png", (None, "image/png", "application/octet-stream")), ("upload", (None, "application/octet-stream"))]
    (one, kinds), (other, other_kinds) = names
    bodies: list[JsonObject] = [
        {"files": [["image[]", one, kind, _SOUND], ["mask", name, other_kind, _SOUND]]}
        for kind in kinds
        for name in (None, other)
        for other_kind in other_kinds
    ]

    for body in bodies:
        others = other_bodies("/v1/images/edits", body)
        assert all(found in others for found in bodies if found != body)
        assert all(found in bodies for found in others)


def test_many_uploads_have_few_descriptions() -> None:
    """Each is looked up, under each version of a key."""
    files: list[JsonValue] = [["files[]", f"{number}.png", None, _SOUND] for number in range(50)]
    others = other_bodies("/v1/skills", {"files": files})

    assert len(others) <= 101
    assert {"files": [["files[]", f"{number}.png", "image/png", _SOUND] for number in range(50)]} == others[0]


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/embeddings", {**EMBEDDINGS, "encoding_format": "float"}),
        ("/v1/chat/completions", {"encoding_format": "base64"}),
        ("/v1/files", {"files": [["file", "a.txt", "application/pdf", _SOUND]]}),
        ("/v1/files", {"files": "a"}),
        ("/v1/files", {"files": [["file"]]}),
        ("/v1/chat/completions", {"messages": []}),
    ],
)
def test_a_request_with_one_description_has_no_other(endpoint: str, body: JsonObject) -> None:
    """Requests that differ get different answers."""
    assert other_body(endpoint, body) is None
