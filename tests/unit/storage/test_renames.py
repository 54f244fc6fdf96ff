"""A recording under another key: what follows it, and what it must not run over."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from inference_recorder.errors import CorruptRecording, RecordingConflict
from inference_recorder.recording.answer import Http, Value
from inference_recorder.recording.codec import encode
from inference_recorder.storage.catalogue import entry_of
from inference_recorder.storage.directories import Directories
from inference_recorder.storage.renames import Renaming, move_of, moved
from inference_recorder.storage.store import Store

OLD, NEW = "a" * 64, "b" * 64
OLD_ID, NEW_ID = "rec-" + "a" * 12, "rec-" + "b" * 12
CHAT = {"__type__": "X", "__data__": {"id": OLD_ID, "object": "chat.completion", "choices": []}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Directories(tmp_path, (tmp_path,)))


def document(body: Any = CHAT, test_id: str | None = "old", **more: Any) -> dict[str, Any]:
    request = {"method": "POST", "url": "u", "headers": {}, "body": {"user": OLD}, "endpoint": "/v1/chat/completions"}
    return {"test_id": test_id, "request": request, "response": {"body": body, "is_streaming": False}, **more}


def written(store: Store, content: str | bytes, name: str = OLD) -> Path:
    path = store.path_of(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "layout",
    [
        lambda value: json.dumps(value, indent=2) + "\n",
        lambda value: json.dumps(value),
        lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
        lambda value: json.dumps(value, indent=4).replace("\n", "\r\n"),
    ],
    ids=["llama-stack's", "one line", "without spaces", "another system's"],
)
def test_nothing_else_changes_by_a_byte(layout: Any, store: Store) -> None:
    """The diff of a renamed test shows what was renamed, and git takes it for the rename that it is."""
    before = document(test_id='old "quoted" é', provider_metadata={"é": 1.50})
    path = written(store, layout(before))
    after = json.loads(layout(before)) | {"test_id": "new"}
    after["response"]["body"]["__data__"]["id"] = NEW_ID

    new_path = moved(store, entry_of(path), Renaming(NEW, "new"))
    assert (store.path_of(NEW), False) == (new_path, path.exists())
    assert layout(after).encode() == new_path.read_bytes()


def test_our_own_layout_stays_with_its_headers_on_one_line(store: Store) -> None:
    """Renaming a test must not spread a hundred headers over a hundred lines."""

    def content(test_id: str, id_: str) -> bytes:
        http = Http(200, {f"x-own-{number}": "é" for number in range(100)})
        body = {"__type__": "X", "__data__": CHAT["__data__"] | {"id": id_}}
        return encode(test_id, document()["request"], Value(body, http=http))

    path = written(store, content("old", OLD_ID))
    new_path = moved(store, entry_of(path), Renaming(NEW, "new"))

    assert content("new", NEW_ID) == new_path.read_bytes()
    assert 1 == sum("x-own-" in line for line in new_path.read_text().splitlines())


def test_a_file_that_names_no_test_gets_one(store: Store) -> None:
    """The oldest recordings have none; theirs can be found under the newest rule then."""
    old = document()
    del old["test_id"]
    path = written(store, json.dumps(old, indent=2))

    new_path = moved(store, entry_of(path), Renaming(NEW, "new"))
    assert new_path.read_text().startswith('{\n  "test_id": "new",\n  "request": {\n')


def test_a_file_whose_layout_is_unknown_loses_nothing(store: Store) -> None:
    """Somebody's formatter sorted the names, or wrote one twice."""
    old = document(zebra=[1e400, 2**70, "\ud800"])
    content = json.dumps(old, sort_keys=True)
    path = written(store, content[:-1] + ', "test_id": "old"}')

    new_path = moved(store, entry_of(path), Renaming(NEW, "new"))
    after = json.loads(new_path.read_text())
    assert "new" == after["test_id"]
    assert [old["request"], old["zebra"]] == [after["request"], after["zebra"]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (CHAT, NEW_ID),
        ([CHAT, {"__type__": "X", "__data__": {"id": OLD_ID, "object": "chat.completion.chunk"}}], NEW_ID),
        ({"__type__": "X", "__data__": {"id": OLD_ID, "object": "response"}}, OLD_ID),
        ({"__type__": "X", "__data__": {"id": "chatcmpl-1", "object": "chat.completion"}}, "chatcmpl-1"),
    ],
    ids=["chat", "stream", "a response's, which a later request names", "not made from the key"],
)
def test_an_id_follows_its_key_where_nobody_can_name_it(body: Any, expected: str, store: Store) -> None:
    """Recorded again it would have the new key's; and a chain by previous_response_id must not break."""
    path = written(store, json.dumps(document(body)))
    new_path = moved(store, entry_of(path), Renaming(NEW, "new"))

    bodies = json.loads(new_path.read_text())["response"]["body"]
    assert {expected} == {one["__data__"]["id"] for one in (bodies if isinstance(bodies, list) else [bodies])}


def test_ids_that_a_mapping_puts_in_follow_too(store: Store) -> None:
    """llama-stack's recorder kept the server's id in the text, and its own in the mapping."""
    body = {"__type__": "X", "__data__": {"id": "chatcmpl-9", "object": "chat.completion"}}
    path = written(store, json.dumps(document(body, id_normalization_mapping={OLD_ID: "chatcmpl-9"})))

    new_path = moved(store, entry_of(path), Renaming(NEW, "new"))
    answer = entry_of(new_path).recording().answer
    assert NEW_ID == answer.body["__data__"]["id"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [(OLD, NEW), (f"{OLD}.3", f"{NEW}.3"), (f"models-{OLD}-0badcafe", f"models-{NEW}-0badcafe"), ("a" * 12, NEW)],
    ids=["first", "row", "list of models", "12 digits"],
)
def test_the_name_keeps_what_is_beside_the_key(name: str, expected: str, store: Store) -> None:
    """A third answer stays the third one."""
    path = written(store, json.dumps(document()), name)

    assert store.path_of(expected) == moved(store, entry_of(path), Renaming(NEW, "new"))


def test_what_lies_beside_it_goes_along(store: Store, tmp_path: Path) -> None:
    """A replay would find the text and not the sound."""
    digest = sha256(b"sound").hexdigest()
    body = {"__type__": "attached", "__data__": digest}
    store.write(OLD, json.dumps(document(body)).encode(), attachment=b"sound")
    moved(store, entry_of(store.path_of(OLD)), Renaming(NEW, "new"))

    assert {f"{NEW}.json", f"{NEW}.{digest[:16]}.bin"} == {path.name for path in tmp_path.iterdir() if path.is_file()}


def test_a_missing_attachment_stops_the_move(store: Store) -> None:
    """Else the recording that names it would be gone from where one looks for the cause."""
    path = written(store, json.dumps(document({"__type__": "attached", "__data__": "c" * 64})))
    with pytest.raises(CorruptRecording, match="missing"):
        moved(store, entry_of(path), Renaming(NEW, "new"))

    assert path.exists()


def test_another_recording_is_not_run_over(store: Store) -> None:
    """It was paid for too."""
    path, other = written(store, json.dumps(document())), written(store, '{"other": 1}', NEW)
    entry = entry_of(path)
    with pytest.raises(RecordingConflict) as caught:
        moved(store, entry, Renaming(NEW, "new"))

    assert other == move_of(entry, Renaming(NEW, "new")).obstacle(store)
    assert (path, other) == (caught.value.path, caught.value.conflict)
    assert '{"other": 1}' == other.read_text()
    assert path.exists()


def test_a_move_that_was_cut_off_is_ended(store: Store) -> None:
    """A crash leaves both files; the same command again leaves one."""
    path = written(store, json.dumps(document()))
    entry = entry_of(path)
    other = written(store, move_of(entry, Renaming(NEW, "new")).content, NEW)
    before = other.stat().st_mtime_ns
    moved(store, entry, Renaming(NEW, "new"))

    assert move_of(entry, Renaming(NEW, "new")).obstacle(store) is None
    assert (False, before) == (path.exists(), other.stat().st_mtime_ns)


def test_under_its_own_key_only_the_test_changes(store: Store) -> None:
    """A list of models that all tests share keeps its name."""
    path = written(store, json.dumps(document()))
    moved(store, entry_of(path), Renaming(OLD, "new"))

    assert json.dumps(document(test_id="new")) == path.read_text()


def test_what_cannot_be_read_under_the_new_name_is_in_the_way(store: Store) -> None:
    """A command that renames many recordings says so before it renames the first one."""
    move = move_of(entry_of(written(store, json.dumps(document()))), Renaming(NEW, "new"))

    assert move.obstacle(store) is None
    store.path_of(NEW).mkdir()
    assert store.path_of(NEW) == move.obstacle(store)
