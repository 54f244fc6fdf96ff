"""`inference-recorder rename-test`: a renamed test replays what it recorded under its old name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.cli.rename_test import renamed
from inference_recorder.recording.answer import ModelList
from inference_recorder.request.keys import EXACT, FOLDING

from ..conftest import HELLO, SHARED, Colour, files_of
from ..support.directories import contents_of
from ..support.openai_server import OpenAIServer, Reply, chunks, response
from ..support.openai_server import completion as sent
from .recorded import CHAT, completion, record, run, tool_call

OLD, NEW = "tests/test_a.py::test_b", "tests/test_c.py::test_d"


def answers(sdk: Colour) -> list[Any]:
    """Return the answers to a few calls of each kind."""
    first = [sdk.call("chat.completions.create", **HELLO).model_dump() for _ in range(3)]
    stream = sdk.items(sdk.call("chat.completions.create", **HELLO, stream=True))
    models = [model.id for model in sdk.items(sdk.call("models.list"))]
    speech = sdk.call("audio.speech.create", model="tts", input="Hello.", voice="alloy").content
    response = sdk.call("responses.create", model="gpt-4o", input="Hello.").model_dump()
    return [*first, [chunk.model_dump() for chunk in stream], models, speech, response]


def script(server: OpenAIServer) -> None:
    """Have the server answer the same from the start again."""
    texts = iter(("one", "two", "three"))
    server.scripts["/v1/chat/completions"] = lambda request, number: (
        Reply(events=chunks("a", "b")) if request.json.get("stream") else Reply(sent(next(texts)))
    )
    server.answers("/v1/responses", Reply(response()))
    server.answers("/v1/audio/speech", Reply(content=b"\xff\xfb" * 200_000, media_type="audio/mpeg"))


def test_a_renamed_test_replays_and_recording_it_again_gives_no_diff(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Series, streams, lists, sounds and ids are as if the test had always had that name."""
    script(server)
    with inference_recording("record", recordings, test_id=OLD):
        recorded = answers(sdk)
    done = run("rename-test", OLD, NEW, recordings)
    with inference_recording("replay", recordings, test_id=NEW) as session:
        replayed = answers(sdk)
    with pytest.raises(MissingRecording), inference_recording("replay", recordings, test_id=OLD):
        sdk.call("chat.completions.create", **HELLO)

    assert (0, {"replayed": 7}) == (done.exit_code, session.counts)
    assert ["one", "two", "three"] == [one["choices"][0]["message"]["content"] for one in replayed[:3]]
    assert [one["choices"] for one in recorded[3]] == [one["choices"] for one in replayed[3]]
    assert recorded[4:6] == replayed[4:6]
    assert recorded[6]["id"] == replayed[6]["id"]

    before = contents_of(recordings)
    script(server)
    with inference_recording("record", recordings, test_id=NEW):
        answers(sdk)
    assert before == contents_of(recordings)


def test_names_that_are_numbers_keep_their_order(sdk: Colour, recordings: Path) -> None:
    """The key has 9 before 10, but the file has them as texts."""
    with inference_recording("record", recordings, test_id=OLD):
        sdk.call("chat.completions.create", **HELLO, logit_bias={9: 1, 10: 2})
        sdk.call("chat.completions.create", **HELLO, logit_bias={"9": 1, "10": 2})
    checked = run("check", recordings)
    done = run("rename-test", OLD, NEW, recordings)
    with inference_recording("replay", recordings, test_id=NEW) as session:
        sdk.call("chat.completions.create", **HELLO, logit_bias={9: 1, 10: 2})
        sdk.call("chat.completions.create", **HELLO, logit_bias={"9": 1, "10": 2})
        with pytest.raises(MissingRecording):
            sdk.call("chat.completions.create", **HELLO, logit_bias={9: 1, 11: 2})

    assert (0, 0) == (checked.exit_code, done.exit_code)
    assert "no key version" not in checked.output
    assert {"replayed": 2, "missed": 1} == session.counts


@pytest.mark.parametrize(
    ("test_id", "old", "new", "expected"),
    [
        ("a/test_b.py::test_c", "a/test_b.py::test_c", "x.py::y", "x.py::y"),
        ("a/test_b.py::test_c[p::q]", "a/test_b.py::test_c", "a/test_b.py::test_d", "a/test_b.py::test_d[p::q]"),
        ("a/test_b.py::test_c[p]", "a/test_b.py::test_c[p]", "a/test_b.py::test_c[q]", "a/test_b.py::test_c[q]"),
        ("a/test_b.py::test_c_2", "a/test_b.py::test_c", "x", None),
        ("a/test_b.py::test_c[pq]", "a/test_b.py::test_c[p", "x", None),
        ("a/test_b.py::T::test_c[p]", "a/test_b.py::T", "a/test_d.py::U", "a/test_d.py::U::test_c[p]"),
        ("a/test_b.py::test_c", "a/test_b.py", "d/test_e.py", "d/test_e.py::test_c"),
        ("a/test_b.py::test_c", "a/test_b.py", "a/test_b.py::T", "a/test_b.py::T::test_c"),
        ("a/test_b.pyx::test_c", "a/test_b.py", "x", None),
        ("a/test_b.py::test_c", "a", "d/e", "d/e/test_b.py::test_c"),
        ("ab/test_b.py::test_c", "a", "x", None),
        ("a/test_b.py@wide[p]", "a/test_b.py", "d/test_e.py", "d/test_e.py@wide[p]"),
        ("a/test_b.py::T@wide", "a/test_b.py", "d/test_e.py", "d/test_e.py::T@wide"),
        ("a/test_b.py::T@wide", "a/test_b.py::T", "a/test_b.py::U", "a/test_b.py::U@wide"),
        ("a/test_b.py::T@a/test_b.py::wide", "a/test_b.py", "c.py", "c.py::T@c.py::wide"),
        ("session@a/test_b.py::wide", "a/test_b.py", "d/test_e.py", "session@d/test_e.py::wide"),
        ("session@a/wide", "a", "d/e", "session@d/e/wide"),
        ("a/b/@a/wide", "a", "d", "d/b/@d/wide"),
        ("a/@wide", "a", "d", "d/@wide"),
        ("a/@wide[a]", "a/@wide", "a/@wider", "a/@wider[a]"),
        ("session@wide[a]", "session@wide[a]", "session@wide[b]", "session@wide[b]"),
        ("session@wide[a]", "session@wid", "session@x", None),
        ("session@wide", "session", "d", None),
        ("ab/@wide", "a", "d", None),
        ("a/test_b.py@wide[a/test_b.py]", "test_b.py", "x.py", None),
        ("own", "own", "other", "other"),
        ("own[1]", "own", "other", None),
        ("", "a", "b", None),
    ],
)
def test_renaming_a_class_file_or_directory_renames_its_tests(
    test_id: str, old: str, new: str, expected: str | None
) -> None:
    """Renaming test_a must not take test_a_2 along."""
    assert expected == renamed(test_id, old, new)


def test_a_dry_run_renames_nothing(tmp_path: Path) -> None:
    """People want to see what renaming a file of fifty tests would change."""
    path = record(tmp_path, f"{OLD}[x]")
    other = record(tmp_path, f"{OLD}_too")
    before = contents_of(tmp_path)
    dry = run("rename-test", OLD, NEW, tmp_path, "--dry-run")
    assert (0, before) == (dry.exit_code, contents_of(tmp_path))
    done = run("rename-test", OLD, NEW, tmp_path)

    new_path = record(tmp_path / "expected", f"{NEW}[x]")
    assert f"{NEW}[x]\t{path.name}\t{new_path.name}\n" == dry.stdout == done.stdout
    assert {new_path.name: new_path.read_bytes(), other.name: before[other.name]} == contents_of(tmp_path)
    assert ["1 of 1 recording would be renamed\n", "1 of 1 recording renamed\n"] == [dry.stderr, done.stderr]


@pytest.mark.parametrize("generation", FOLDING[:-1], ids=lambda one: one.name)
def test_an_older_name_gets_the_newest_key_version(generation: Any, tmp_path: Path) -> None:
    """It is found first among the versions that answer the same requests."""
    question = "score: 0.5 <|01234567-89ab-cdef-0123-456789abcdef|> 0.123456"
    record(tmp_path, OLD, question=question, generation=generation, temperature=0.123456, answer=completion())
    run("rename-test", OLD, NEW, tmp_path)

    # G3 folds nothing, so that the old name is the exact one.
    version = EXACT if generation.name == "G3" else FOLDING[0]
    arguments: dict[str, Any] = {"question": question, "generation": version, "temperature": 0.123456}
    expected = record(tmp_path / "expected", NEW, answer=completion(), **arguments)
    assert [expected.name] == files_of(tmp_path)


def test_a_shared_recording_keeps_its_name(tmp_path: Path) -> None:
    """Under a key with the test's id, the other tests would not find it."""
    answer = ModelList([b'{"__type__":"openai.types.model.Model","__data__":{"id":"m"}}'])
    models = record(tmp_path, OLD, endpoint="/v1/models", answer=answer, generation=FOLDING[0])
    oldest = record(tmp_path, OLD, generation=FOLDING[-1])
    run("rename-test", OLD, NEW, tmp_path)

    assert sorted([models.name, oldest.name]) == files_of(tmp_path)
    assert all(NEW == json.loads(path.read_text())["test_id"] for path in (models, oldest))


def test_a_name_that_no_key_version_gives_stays(tmp_path: Path) -> None:
    """The name that the new test would look up is unknown."""
    underived = record(tmp_path, OLD, key="a" * 64)
    record(tmp_path, OLD)
    tool = tool_call(tmp_path, OLD)
    before = {path.name: path.read_bytes() for path in (underived, tool)}
    done = run("rename-test", OLD, NEW, tmp_path)

    assert 1 == done.exit_code
    assert before.items() < contents_of(tmp_path).items()
    assert f"stays as it is: {underived} ({OLD}): no key version gives its name; record the test again" in done.stderr
    assert f"stays as it is: {tool} ({OLD}): it is not a call of the SDK" in done.stderr
    assert "1 of 3 recordings renamed" in done.stderr


def test_all_answers_to_a_request_move_or_none(tmp_path: Path) -> None:
    """Half a series under the new name would replay the wrong answers."""
    for position in (1, 2):
        record(tmp_path, OLD, position=position)
    other = record(tmp_path, NEW, position=2, answer=completion("Another."))
    record(tmp_path, OLD, question="Apart?")
    before = contents_of(tmp_path)
    done = run("rename-test", OLD, NEW, tmp_path)

    assert 1 == done.exit_code
    assert 3 == len(before.items() & contents_of(tmp_path).items())
    assert f"{other} answers the same request with something else" in done.stderr
    assert "so does" in done.stderr
    assert "1 of 3 recordings renamed" in done.stderr


def test_of_two_with_the_same_new_name_the_newest_key_version_wins(tmp_path: Path) -> None:
    """It is the one that replays now."""
    question, g7 = "score: 0.123456", next(version for version in FOLDING if version.name == "G7")
    newest = record(tmp_path, OLD, question=question, answer=completion("newest"), generation=FOLDING[0])
    older = record(tmp_path, OLD, question=question, answer=completion("older"), generation=g7)
    for options in (("--dry-run",), ()):
        done = run("rename-test", OLD, NEW, tmp_path, *options)
        assert 1 == done.exit_code
        assert f"stays as it is: {older}" in done.stderr

    assert newest.name != older.name
    (moved,) = (path for path in tmp_path.glob("*.json") if path != older)
    assert b"newest" in moved.read_bytes()


def test_similar_ids_are_suggested_for_a_test_without_recordings(tmp_path: Path) -> None:
    """A typing error would otherwise look like success."""
    record(tmp_path, OLD)
    done = run("rename-test", "tests/test_a.py::test_bb", NEW, tmp_path)

    assert 1 == done.exit_code
    assert f"no recording in {tmp_path} is of tests/test_a.py::test_bb; did you mean one of these?" in done.stderr
    assert f"\n  {OLD}\n" in done.stderr
    assert 2 == run("rename-test", OLD, OLD, tmp_path).exit_code
    suggested = done.stderr.partition("did you mean one of these?\n")[2].split()[0]
    assert 0 == run("rename-test", suggested, NEW, tmp_path).exit_code


def test_a_corrupt_file_is_skipped_and_named(tmp_path: Path) -> None:
    """It may belong to the renamed test."""
    record(tmp_path, OLD)
    (tmp_path / f"{'0' * 64}.json").write_text("{")
    done = run("rename-test", OLD, NEW, tmp_path)

    assert 0 == done.exit_code
    assert f"skipped: {tmp_path}/{'0' * 64}.json cannot be read" in done.stderr


def test_json_lists_the_result_of_each_recording(tmp_path: Path) -> None:
    """Scripts that rename tests commit these files."""
    path = record(tmp_path, OLD)
    stays = record(tmp_path, OLD, key="a" * 64)
    first, second = json.loads(run("rename-test", OLD, NEW, tmp_path, "--json").stdout)

    ids = {"test_id": OLD, "new_test_id": NEW}
    (new_path,) = (one for one in tmp_path.glob("*.json") if one != stays)
    expected = {"path": str(path), "new_path": str(new_path), "refusal": None, "is_moved": True}
    assert ids | expected == first
    assert (str(stays), str(stays), False) == (second["path"], second["new_path"], second["is_moved"])


@pytest.mark.skipif(not (SHARED / "corpus").is_dir(), reason="needs ../shared/corpus, which is not part of the project")
def test_real_recordings_replay_under_another_name(tmp_path: Path) -> None:
    """These are whole files of llama-stack's tests, moved within the suite."""
    directory = tmp_path / "recordings"
    shutil.copytree(SHARED / "corpus/tests/integration/agents/recordings", directory)
    run("rename-test", "tests/integration/agents", "tests/agents", directory)
    checked = json.loads(run("check", directory, "--json").stdout)

    assert {"exact", "none"} == set(checked["rules"])
    documents = [json.loads(path.read_text()) for path in directory.glob("*.json")]
    chats = [
        (document["test_id"], document["request"])
        for document in documents
        if str(document.get("test_id")).startswith("tests/agents/") and document["request"]["endpoint"] == CHAT
    ]
    clients = {
        url: openai.OpenAI(base_url=url.removesuffix(CHAT), api_key="x")
        for _, request in chats
        for url in [request["url"]]
    }
    for test_id, request in chats:
        with inference_recording("replay", directory, test_id=test_id) as session:
            clients[request["url"]].chat.completions.create(**request["body"])
        assert {"replayed": 1} == session.counts
    assert len(chats) > 50
