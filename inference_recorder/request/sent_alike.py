"""Two descriptions of one HTTP request, where clients add to what they are asked for.

openai asks for embeddings in base64 if its caller names no format. HTTP libraries name an upload "upload" if nothing
else does, and guess its media type by its name. What arrives does not show whether the caller said so. Keys are made of
what the caller said; a recording of the other description answers too.
"""

from __future__ import annotations

import mimetypes

from ..json_tree import JsonObject, JsonValue
from .request import Request

ENCODING_ENDPOINT = "/v1/embeddings"
ENCODING = "encoding_format", "base64"
"""The member that openai adds there, and its value."""
_UPLOAD, _BYTES = "upload", "application/octet-stream"


def without_additions(endpoint: str, body: JsonObject) -> JsonObject:
    """Return the body of a request as it is described if its caller named neither format nor media types."""
    name, value = ENCODING
    if endpoint == ENCODING_ENDPOINT and body.get(name) == value:
        return {member: body[member] for member in body if member != name}
    if (files := _files_of(body)) is not None:
        return {**body, "files": [_without_guess(file) for file in files]}
    return body


def sent_alike(request: Request) -> Request | None:
    """Return the other description of the same HTTP request, None if it has only one."""
    body = without_additions(request.endpoint, request.body)
    if body == request.body:
        body = _with_additions(request.endpoint, request.body)
    return None if body == request.body else request.with_body(body)


def _with_additions(endpoint: str, body: JsonObject) -> JsonObject:
    name, value = ENCODING
    if endpoint == ENCODING_ENDPOINT and name not in body:
        return {**body, name: value}
    files = _files_of(body)
    return body if files is None else {**body, "files": [_with_guess(file) for file in files]}


def _files_of(body: JsonObject) -> list[list[JsonValue]] | None:
    """Return the uploads of a body, [field, name, media type, digest] each; None if it has none."""
    files = body.get("files")
    if not isinstance(files, list) or not all(isinstance(file, list) and len(file) == 4 for file in files):
        return None
    return files  # type: ignore[return-value]  # as was just checked


def _without_guess(file: list[JsonValue]) -> list[JsonValue]:
    field, name, media_type, digest = file
    guess = _guess(name)
    return [field, None if name == _UPLOAD else name, None if media_type in (guess, _BYTES) else media_type, digest]


def _with_guess(file: list[JsonValue]) -> list[JsonValue]:
    field, name, media_type, digest = file
    return [field, _UPLOAD if name is None else name, _guess(name) if media_type is None else media_type, digest]


def _guess(name: JsonValue) -> str:
    # As httpx does: _multipart.py, FileField.
    return mimetypes.guess_type(name if isinstance(name, str) else _UPLOAD)[0] or _BYTES
