"""Renames of recordings: a recording gets another test id or key, and its file the name that belongs to it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..errors import CorruptRecording, RecordingConflict
from ..json_tree import JsonObject, map_texts_and_names
from ..recording import json_bytes
from ..recording.body import untyped
from ..recording.layout import OBJECT_START, REQUEST_START, RESPONSE_START, TEST_ID_AT_START, recording_name
from ..recording.stability import has_constant_id, recorded_id, renamed_ids
from .attachments import digest_in, read_attachment
from .catalogue import Entry
from .store import Store


class Move(NamedTuple):
    """The name and content that a recording is to have."""

    entry: Entry
    name: str
    """The new file name without ".json"."""
    content: bytes

    def obstacle(self, store: Store) -> Path | None:
        """Return the path of another recording that has the new name already, or None."""
        path = store.path_of(self.name)
        if path == self.entry.path:
            return None
        try:
            return None if renamed_ids(path.read_bytes(), self.content) == {} else path
        except FileNotFoundError:
            return None
        except OSError:  # it exists but cannot be read
            return path


class Renaming(NamedTuple):
    """The changes to make to a recording."""

    key: str
    test_id: str | None
    position: int | None = None
    """The position in the series of the key; None keeps it."""
    request: JsonObject | None = None
    """The file's "request" object; None keeps it."""


def move_of(entry: Entry, renaming: Renaming) -> Move:
    """Return what `entry` becomes; writes nothing. Raises CorruptRecording.

    An id made from the old key is replaced by one made from the new key; ids that a later request may name stay, and so
    does the digest of a model list. In our own layout everything else stays byte for byte.
    """
    key, test_id, position, request = renaming
    name = entry.name.replace(entry.key, key, 1) if position is None else recording_name(key, position)
    try:
        document = json_bytes.loads(entry.content, exactly=True)
    except (ValueError, RecursionError) as error:
        raise CorruptRecording(entry.path, str(error)) from None
    if not isinstance(document, dict):
        raise CorruptRecording(entry.path, "it is not a JSON object")
    ids = {}
    if key != entry.key and _has_constant_ids(document):
        ids[recorded_id(entry.key)] = recorded_id(key)
    moved_document: JsonObject = {"test_id": None, **document}  # at its place in the file, otherwise first
    moved_document["test_id"] = test_id
    for part in ("response", "id_normalization_mapping"):
        if part in document:
            moved_document[part] = map_texts_and_names(document[part], lambda text: ids.get(text, text))
    content = entry.content
    if request is not None:
        moved_document["request"] = request
        content = _with_request(content, moved_document)
    return Move(entry, name, _content(content, moved_document, test_id, ids))


def moved(store: Store, entry: Entry, renaming: Renaming) -> Path:
    """Rename a recording of `store` with its attachment; returns its new path.

    The new file is written before the old one is removed: a crash loses nothing, and the same call completes the
    rename. Raises RecordingConflict if another recording has the new name, CorruptRecording, or UnwritableRecording.
    """
    move = move_of(entry, renaming)
    digest = digest_in(move.content)
    attachment = None if digest is None else read_attachment(str(entry.path), digest)
    with store.replacing(move.name) as slot:
        content = move.content
        if slot.old is not None and move.name != entry.name:
            if renamed_ids(slot.old, content) != {}:
                raise RecordingConflict(entry.path, slot.path)
            content = slot.old
        slot.put(content, attachment)
    if move.name != entry.name:
        store.remove(entry.name)
    return store.path_of(move.name)


def _has_constant_ids(document: JsonObject) -> bool:
    response = document.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    return any(has_constant_id(untyped(value)) for value in (body if isinstance(body, list) else [body]))


def _with_request(content: bytes, document: JsonObject) -> bytes:
    """Return a file in our layout with the document's request; another layout unchanged."""
    start = content.find(REQUEST_START)
    end = content.find(RESPONSE_START, start)
    if start < 0 or end < 0:
        return content
    request = json_bytes.dumps({"request": document["request"]}, indent=True)[1:-2]
    return content[:start] + request + b"," + content[end:]


def _content(content: bytes, document: JsonObject, test_id: str | None, ids: dict[str, str]) -> bytes:
    """Return `document` as a file: the old bytes with only test id and ids replaced, if that is the same document."""
    encoded_test_id = json_bytes.dumps(test_id)
    if TEST_ID_AT_START.match(content):
        replaced = TEST_ID_AT_START.sub(lambda match: match.group(1) + encoded_test_id, content)
    else:
        replaced = OBJECT_START.sub(
            lambda match: b'{%b"test_id": %b,%b' % (match[1], encoded_test_id, match[1]), content
        )
    for old, new in ids.items():
        replaced = replaced.replace(json_bytes.dumps(old), json_bytes.dumps(new))
    try:
        if json_bytes.dumps(json_bytes.loads(replaced, exactly=True)) == json_bytes.dumps(document):
            return replaced
    except (ValueError, RecursionError):
        pass
    return json_bytes.dumps(document, indent=True) + b"\n"
