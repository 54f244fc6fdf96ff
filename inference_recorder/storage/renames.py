"""A recording that gets another test or another key: its file says so, and takes the name that goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..errors import CorruptRecording, RecordingConflict
from ..recording import json_bytes
from ..recording.codec import untyped
from ..recording.layout import OBJECT_START, REQUEST_START, RESPONSE_START, TEST_ID_AT_START, recording_name
from ..recording.sameness import renamed_ids
from ..recording.volatile import has_constant_id, recorded_id
from ..request.jsonable import JsonObject, JsonValue
from .attachments import digest_in, read_attachment
from .catalogue import Entry
from .store import Store


class Move(NamedTuple):
    """What a recording becomes: another name and another content, or the same."""

    entry: Entry
    name: str
    """The new file's, without ".json"."""
    content: bytes

    def obstacle(self, store: Store) -> Path | None:
        """Return the recording that has the new name and says something else, None where there is none."""
        path = store.path_of(self.name)
        if path == self.entry.path:
            return None
        try:
            return None if renamed_ids(path.read_bytes(), self.content) == {} else path
        except FileNotFoundError:
            return None
        except OSError:  # it is there, and what it says cannot be read
            return path


class Renaming(NamedTuple):
    """What a recording is to become."""

    key: str
    test_id: str | None
    position: int | None = None
    """In the row of the key, None for the one that it has."""
    request: JsonObject | None = None
    """The file's own "request" object, None for the one that it has."""


def move_of(entry: Entry, renaming: Renaming) -> Move:
    """Return what `entry` becomes; nothing is written.

    The digest of a list of models stays. An id that was made from the old key is made from the
    new one, as recording anew would; ids that a later request may name are left as they are. All else stays to the
    byte where the layout allows. Raises CorruptRecording.
    """
    key, test_id, position, request = renaming
    name = entry.name.replace(entry.key, key, 1) if position is None else recording_name(key, position)
    try:
        document = json_bytes.loads(entry.content, exactly=True)
    except (ValueError, RecursionError) as error:
        raise CorruptRecording(entry.path, str(error)) from None
    if not isinstance(document, dict):
        raise CorruptRecording(entry.path, "it does not hold an object")
    ids = {}
    if key != entry.key and _has_constant_ids(document):
        ids[recorded_id(entry.key)] = recorded_id(key)
    moved_document: JsonObject = {"test_id": test_id} | document | {"test_id": test_id}
    for part in ("response", "id_normalization_mapping"):
        if part in document:
            moved_document[part] = _with_ids(document[part], ids)
    content = entry.content
    if request is not None:
        moved_document["request"] = request
        content = _with_request(content, moved_document)
    return Move(entry, name, _content(content, moved_document, test_id, ids))


def moved(store: Store, entry: Entry, renaming: Renaming) -> Path:
    """Rename a recording of `store`; returns its new path.

    The new file is there before the old one goes, so that a crash loses nothing and the same call ends what it began.
    What lies beside it goes along. Raises RecordingConflict where another recording has the new name and says
    something else, CorruptRecording, or UnwritableRecording.
    """
    move = move_of(entry, renaming)
    digest = digest_in(move.content)
    attachment = None if digest is None else read_attachment(str(entry.path), digest)

    def revised(there: bytes, content: bytes) -> bytes:
        if move.name == entry.name:
            return content
        if renamed_ids(there, content) != {}:
            raise RecordingConflict(entry.path, store.path_of(move.name))
        return there

    store.write(move.name, move.content, attachment=attachment, revised=revised)
    if move.name != entry.name:
        store.remove(entry.name)
    return store.path_of(move.name)


def _has_constant_ids(document: JsonObject) -> bool:
    response = document.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    return any(has_constant_id(untyped(one)) for one in (body if isinstance(body, list) else [body]))


def _with_ids(value: JsonValue, ids: dict[str, str]) -> JsonValue:
    """Return `value` with each string that is one of `ids` replaced; names too, which an id mapping has."""
    if isinstance(value, dict):
        return {ids.get(name, name): _with_ids(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_ids(item, ids) for item in value]
    return ids.get(value, value) if isinstance(value, str) else value


def _with_request(content: bytes, document: JsonObject) -> bytes:
    """Return a file in our layout with its request replaced by the document's; another layout as it is."""
    start = content.find(REQUEST_START)
    end = content.find(RESPONSE_START, start)
    if start < 0 or end < 0:
        return content
    request = json_bytes.dumps({"request": document["request"]}, indent=True)[1:-2]
    return content[:start] + request + b"," + content[end:]


def _content(content: bytes, document: JsonObject, test_id: str | None, ids: dict[str, str]) -> bytes:
    """Return the bytes of `document`: the old file's with no more than test and ids replaced, if that gives it."""
    written = json_bytes.dumps(test_id)
    if TEST_ID_AT_START.match(content):
        replaced = TEST_ID_AT_START.sub(lambda found: found.group(1) + written, content)
    else:
        replaced = OBJECT_START.sub(lambda found: b'{%b"test_id": %b,%b' % (found[1], written, found[1]), content)
    for old, new in ids.items():
        replaced = replaced.replace(json_bytes.dumps(old), json_bytes.dumps(new))
    try:
        if json_bytes.dumps(json_bytes.loads(replaced, exactly=True)) == json_bytes.dumps(document):
            return replaced
    except (ValueError, RecursionError):
        pass
    return json_bytes.dumps(document, indent=True) + b"\n"
