"""The descriptions of one HTTP request, of which there are several where clients add to what they are asked for.

openai asks for embeddings in base64 if its caller names no format. HTTP libraries name an upload "upload" if nothing
else does, and guess its media type by its name; those that cannot guess send application/octet-stream. What arrives
does not show whether the caller said so. In process, a key is made of what the caller said; over HTTP, of the
description that says least. A recording of any of them answers.
"""

from __future__ import annotations

import mimetypes
from itertools import islice, product

from ..json_tree import JsonObject, JsonValue
from .request import Request

ENCODING_ENDPOINT = "/v1/embeddings"
ENCODING = "encoding_format", "base64"
"""The member that openai adds there, and its value."""
_UPLOAD, _BYTES = "upload", "application/octet-stream"
_MOST_DESCRIPTIONS = 100
"""Those of several uploads are multiplied."""


def without_additions(endpoint: str, body: JsonObject) -> JsonObject:
    """Return the body of a request as it is described if its caller named neither format nor media types."""
    name, value = ENCODING
    if endpoint == ENCODING_ENDPOINT and body.get(name) == value:
        return {member: body[member] for member in body if member != name}
    if (files := _files_of(body)) is not None:
        return {**body, "files": [_descriptions(file)[0] for file in files]}
    return body


def sent_alike(request: Request) -> list[Request]:
    """Return the other descriptions of the same HTTP request, in the order of lookup."""
    body, bodies = request.body, [without_additions(request.endpoint, request.body)]
    name, value = ENCODING
    if request.endpoint == ENCODING_ENDPOINT:
        bodies.append({name: value, **body})
    elif (files := _files_of(body)) is not None:
        described = [_descriptions(file) for file in files]
        all_said = tuple(descriptions[-1] for descriptions in described)
        some_said = islice(product(*described), _MOST_DESCRIPTIONS)
        bodies += ({**body, "files": list(files)} for files in (all_said, *some_said))
    return [request.with_body(other) for other in bodies if other != body]


def _files_of(body: JsonObject) -> list[list[JsonValue]] | None:
    """Return the uploads of a body, [field, name, media type, digest] each; None if it has none."""
    files = body.get("files")
    if not isinstance(files, list) or not all(isinstance(file, list) and len(file) == 4 for file in files):
        return None
    return files  # type: ignore[return-value]  # as was just checked


def _descriptions(file: list[JsonValue]) -> list[list[JsonValue]]:
    """Return all descriptions of an upload that is sent like this one, first the one that says least."""
    field, name, media_type, digest = file
    # As httpx does: _multipart.py, FileField.
    guess = mimetypes.guess_type(name if isinstance(name, str) else _UPLOAD)[0] or _BYTES
    names = (None, _UPLOAD) if name in (None, _UPLOAD) else (name,)
    added = (None, _BYTES, guess)
    media_types = dict.fromkeys(added) if media_type in added else (media_type,)
    return [[field, name, media_type, digest] for name in names for media_type in media_types]
