"""`inference-recorder rekey`: recordings follow the normalizers that are declared, without a live call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import MissingRecording, inference_recording, llama_stack
from inference_recorder.recording.answer import ModelList
from inference_recorder.request.keys import FOLDING

from ..conftest import Colour, files_of
from ..support.directories import contents_of
from ..support.openai_server import OpenAIServer, Reply, chunks, completion
from .recorded import record, run

ONE, OTHER = (f"123e4567-e89b-12d3-a456-4266141740{number}" for number in (10, 22))


def request(text: str, **changes: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]} | changes


def answers(sdk: Colour, uuid: str) -> list[Any]:
    """Return a series of answers, a stream, and the answer to a request that no normalizer changes."""
    series = [sdk.call("chat.completions.create", **request(f"Look up {uuid}.")).model_dump() for _ in range(2)]
    stream = sdk.items(sdk.call("chat.completions.create", **request(f"Describe {uuid}.", stream=True)))
    same = sdk.call("chat.completions.create", **request("Say hello.")).model_dump()
    return [*series, [item.model_dump() for item in stream], same]


def script(server: OpenAIServer) -> None:
    texts = iter(("one", "two", "three"))
    server.scripts["/v1/chat/completions"] = lambda request, number: (
        Reply(events=chunks("a", "b")) if request.json.get("stream") else Reply(completion(next(texts)))
    )


def test_recordings_are_found_with_a_normalizer_declared_later(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Declaring a normalizer must not cost a suite its recordings; a dry run prints how many change."""
    script(server)
    with inference_recording("record", recordings):
        recorded = answers(sdk, ONE)
    with pytest.raises(MissingRecording), inference_recording("replay", recordings, normalize=["uuids"]):
        answers(sdk, OTHER)
    before = contents_of(recordings)

    dry = run("rekey", "--normalize", "uuids", "--dry-run", recordings)
    assert before == contents_of(recordings)
    done = run("rekey", "--normalize", "uuids", recordings)
    again = run("rekey", "--normalize", "uuids", recordings)

    with inference_recording("replay", recordings, normalize=["uuids"]) as session:
        replayed = answers(sdk, OTHER)
    assert {"replayed": 4} == session.counts
    assert [one["choices"][0]["message"]["content"] for one in recorded[:2]] == [
        one["choices"][0]["message"]["content"] for one in replayed[:2]
    ]
    assert "3 of 4 recordings would be renamed; normalizers: uuids" in dry.stderr
    assert "3 of 4 recordings renamed; normalizers: uuids" in done.stderr
    assert "0 of 4 recordings renamed" in again.stderr
    assert [0, 0, 0] == [dry.exit_code, done.exit_code, again.exit_code]


def test_recording_again_after_rekey_gives_no_diff(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """The file is what recording with the normalizer would have written, including ids and layout."""
    script(server)
    with inference_recording("record", recordings):
        answers(sdk, ONE)
    run("rekey", "--normalize", "uuids", recordings)
    renamed = contents_of(recordings)

    script(server)
    with inference_recording("record", recordings, normalize=["uuids"]):
        answers(sdk, ONE)

    assert renamed == contents_of(recordings)


def test_removing_the_normalizers_gives_the_old_names(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Trying out a normalizer can be undone."""
    script(server)
    with inference_recording("record", recordings):
        answers(sdk, ONE)
    before = contents_of(recordings)

    run("rekey", "--normalize", "uuids", recordings)
    done = run("rekey", "--none", recordings)

    assert 0 == done.exit_code
    assert before == contents_of(recordings)


def test_rekey_without_normalizers_changes_nothing_and_names_the_options(
    sdk: Colour, server: OpenAIServer, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking the missing list for an empty one would undo the declared normalizers."""
    script(server)
    with inference_recording("record", recordings, normalize=["uuids"]):
        answers(sdk, ONE)
    before = contents_of(recordings)
    monkeypatch.chdir(tmp_path)

    done = run("rekey", recordings)

    assert 2 == done.exit_code
    assert "no normalizers are configured" in done.stderr
    assert before == contents_of(recordings)


@pytest.mark.parametrize("first", [[], ["uuids"]], ids=["none", "uuids"])
def test_names_that_are_numbers_keep_their_order(
    first: list[str], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A key has 9 before 10 if they were passed as numbers; the file has them as texts."""
    second = [] if first else ["uuids"]
    calls = [request(f"Look up {ONE}.", logit_bias={nine: 1, ten: 2}) for nine, ten in ((9, 10), ("9", "10"))]
    script(server)
    with inference_recording("record", recordings, normalize=first):
        for call in calls:
            sdk.call("chat.completions.create", **call)

    run("rekey", *(["--normalize", "uuids"] if second else ["--none"]), recordings)
    with inference_recording("replay", recordings, normalize=second) as session:
        for call in calls:
            sdk.call("chat.completions.create", **call)

    assert {"replayed": 2} == session.counts


def test_two_requests_that_become_equal_keep_their_names(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Their answers differ, and only a person can say which one to keep."""
    script(server)
    with inference_recording("record", recordings):
        for uuid in (ONE, OTHER):
            sdk.call("chat.completions.create", **request(f"Look up {uuid}."))

    done = run("rekey", "--normalize", "uuids", recordings)

    assert 1 == done.exit_code
    assert 1 == done.stderr.count("stays as it is")
    with inference_recording("replay", recordings, normalize=["uuids"]) as session:
        sdk.call("chat.completions.create", **request(f"Look up {OTHER}."))
    assert {"replayed": 1} == session.counts


@pytest.mark.parametrize(
    "arguments", [["--normalize", "uuid"], ["--none", "--normalize", "uuids"]], ids=["unknown normalizer", "both"]
)
def test_wrong_usage_exits_with_2(arguments: list[str], recordings: Path) -> None:
    """It also changes nothing."""
    recordings.mkdir()

    assert 2 == run("rekey", *arguments, recordings).exit_code


def test_json_lists_each_recording_that_is_not_under_its_key(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Scripts move their own files along."""
    script(server)
    with inference_recording("record", recordings):
        answers(sdk, ONE)

    results = json.loads(run("rekey", "--json", "--normalize", "uuids", recordings).stdout)

    assert [True] * 3 == [result["is_moved"] for result in results]
    assert [(False, True)] * 3 == [
        (Path(result["path"]).exists(), Path(result["new_path"]).exists()) for result in results
    ]


@pytest.fixture
def folded(sdk: Colour, server: OpenAIServer, recordings: Path) -> list[dict[str, Any]]:
    """Record requests that llama-stack treats as equal, in one series, and return them."""
    calls = [request(f"score: {score}, document {ONE}") for score in (1, 5, 1)]
    script(server)
    with llama_stack.inference_recording("record", recordings):
        for call in calls:
            sdk.call("chat.completions.create", **call)
    return calls


def replayed(sdk: Colour, recordings: Path, calls: list[dict[str, Any]], **options: Any) -> list[str]:
    with inference_recording("replay", recordings, **options):
        answers = [sdk.call("chat.completions.create", **call) for call in calls]
    return [one.choices[0].message.content for one in answers]


def test_exact_gives_each_request_its_own_name(sdk: Colour, recordings: Path, folded: list[dict[str, Any]]) -> None:
    """Someone who has left llama-stack's recorder wants a changed score to be a miss."""
    before = contents_of(recordings)
    untouched = run("rekey", "--none", recordings)
    dry = run("rekey", "--exact", "--dry-run", recordings)
    assert before == contents_of(recordings)

    done = run("rekey", "--exact", recordings)
    again = run("rekey", "--exact", recordings)

    assert ["one", "two", "three"] == replayed(sdk, recordings, folded)
    with pytest.raises(MissingRecording), inference_recording("replay", recordings):
        sdk.call("chat.completions.create", **request(f"score: 7, document {ONE}"))
    assert "0 of 3 recordings renamed; normalizers: none" in untouched.stderr
    assert "3 of 3 recordings would be renamed; normalizers: as declared" in dry.stderr
    assert "3 of 3 recordings renamed" in done.stderr
    assert "0 of 3 recordings renamed" in again.stderr
    written = {name: json.loads(content) for name, content in contents_of(recordings).items()}
    assert {"exact"} == {document["request"]["key_version"] for document in written.values()}
    assert [1, 2] == sorted(name.count(".") for name in written if "score: 1" in str(written[name]))
    assert {"exact": 3} == json.loads(run("check", recordings, "--json").stdout)["rules"]


def test_recording_again_after_exact_gives_no_diff(
    sdk: Colour, server: OpenAIServer, recordings: Path, folded: list[dict[str, Any]]
) -> None:
    """The file is what recording would have written."""
    run("rekey", "--exact", recordings)
    renamed = contents_of(recordings)

    script(server)
    with inference_recording("record", recordings):
        for call in folded:
            sdk.call("chat.completions.create", **call)

    assert renamed == contents_of(recordings)


@pytest.mark.parametrize("is_exact", [False, True], ids=["folding", "exact"])
def test_a_folding_key_still_folds_with_other_normalizers(
    is_exact: bool, sdk: Colour, recordings: Path, folded: list[dict[str, Any]]
) -> None:
    """Declaring a normalizer must not take llama-stack's recordings away from requests that they answer."""
    done = run("rekey", "--normalize", "uuids", *(["--exact"] if is_exact else []), recordings)
    other = [json.loads(json.dumps(call).replace(ONE, OTHER)) for call in folded]
    answers = replayed(sdk, recordings, other, normalize=["uuids"])

    versions = {json.loads(content)["request"].get("key_version") for content in contents_of(recordings).values()}
    assert (0, ["one", "two", "three"]) == (done.exit_code, answers)
    assert {"exact" if is_exact else None} == versions
    run("rekey", "--none", recordings)
    assert ["one", "two", "three"] == replayed(sdk, recordings, folded)


def test_a_list_of_models_that_all_tests_share_stays(recordings: Path) -> None:
    """Under the exact key, only the test that recorded it would find it."""
    models = ModelList([b'{"__type__":"openai.types.model.Model","__data__":{"id":"m"}}'])
    path = record(recordings, endpoint="/v1/models", answer=models, generation=FOLDING[0])

    done = run("rekey", "--exact", recordings)

    assert (0, [path.name]) == (done.exit_code, [*contents_of(recordings)])


def test_exact_keeps_the_normalizers_that_a_recording_declares(
    sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """They need not be named again."""
    script(server)
    with llama_stack.inference_recording("record", recordings, normalize=["uuids"]):
        sdk.call("chat.completions.create", **request(f"score: 1, document {ONE}"))

    run("rekey", "--exact", recordings)

    call = request(f"score: 1, document {OTHER}")
    assert ["one"] == replayed(sdk, recordings, [call], normalize=["uuids"])
    [content] = contents_of(recordings).values()
    assert {"normalize": ["uuids"], "key_version": "exact"}.items() <= json.loads(content)["request"].items()


def test_a_hidden_project_keeps_its_folding_name(tmp_path: Path) -> None:
    """The project is unknown, so no request would find it under an exact key."""
    path = record(tmp_path, "t", extra_body={"project_id": "__REDACTED_1__"}, generation=FOLDING[0])
    done = run("rekey", "--exact", tmp_path)

    assert [path.name] == files_of(tmp_path)
    assert "hides a project" in done.stdout + done.stderr
