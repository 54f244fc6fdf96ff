"""Lists of models: each test has its own, those under older keys are united, and the last kind recorded answers."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import inference_recording
from inference_recorder.recording.answer import Failure
from inference_recorder.recording.failures import failure_to_json
from inference_recorder.recording.layout import model_set_digest
from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.keys import KEY_VERSIONS, request_key
from inference_recorder.request.request import Request

from ..conftest import HELLO, Colour, files_of
from ..support.openai_server import OpenAIServer, ReceivedRequest, Reply, error

REFUSED = error(401, "Incorrect API key provided.", code="invalid_api_key")
BASE_URLS = ("http://127.0.0.1:9", "http://127.0.0.1:9/v1", "https://api.openai.com/v1", "http://h/v1/openai")


def model(name: str, created: float = 1_715_367_049, **more: Any) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "system", **more}


def page(*names: str, **beside: Any) -> Reply:
    return Reply({"object": "list", "data": [model(name) for name in names], **beside})


ORDERS = list(itertools.permutations([REFUSED, page("b", "a")]))


def put(
    directory: Path,
    key: str,
    models: Sequence[dict[str, Any]] | None,
    *,
    base_url: str = BASE_URLS[0],
    beside: dict[str, Any] | None = None,
    test_id: str | None = None,
) -> Path:
    """Write a list of models, or a recorded 401 for None, as llama-stack's recorder would under this key.

    With `beside`, the list is the page object that older files hold.
    """
    request = {"method": "POST", "url": f"{base_url}/v1/models", "headers": {}, "body": {}, "endpoint": "/v1/models"}
    name = key
    response: dict[str, Any] = {"body": None, "is_streaming": False}
    if models is None:
        body = {"message": "no", "type": "test_error", "param": None, "code": None}
        response |= failure_to_json(Failure("AuthenticationError", "no", 401, body))
    else:
        typed = [{"__type__": "openai.types.model.Model", "__data__": item} for item in models]
        response["body"] = typed if beside is None else {"object": "list", "data": list(models), **beside}
        name = f"models-{key}-{model_set_digest(item['id'] for item in models)}"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    document = {"test_id": test_id, "request": request, "response": response, "id_normalization_mapping": {}}
    path.write_text(json.dumps(document))
    return path


def keys_of(base_url: str, test_id: str | None = "t") -> dict[str, str]:
    """Return the exact key of a list of models and then each other one of llama-stack's, by key version."""
    asked = Request("POST", "/v1/models", f"{base_url}/v1/models", {}, canonical_text({}))
    keys = {generation.name: request_key(asked, test_id, generation) for generation in KEY_VERSIONS}
    return {name: key for name, key in keys.items() if name == "exact" or key != keys["exact"]}


def outcome(sdk: Colour) -> list[str] | int:
    """Return the names of the models in their order, or the status code of a refusal."""
    try:
        return [item.id for item in sdk.call("models.list").data]
    except openai.APIStatusError as refusal:
        return refusal.status_code


@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
@pytest.mark.parametrize("order", ORDERS, ids=["401 first", "list first"])
def test_each_test_replays_its_own_outcome(
    order: tuple[Reply, ...], mode: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Under one key for all tests, a list answered the test that expects a 401, or the other way round."""
    server.answers("/v1/models", *order)
    outcomes = []
    for test_id in ("one", "two"):
        with inference_recording(mode, recordings, test_id=test_id, record_errors=True):
            outcomes.append(outcome(sdk))
    replayed = []
    for test_id in ("one", "two"):
        with inference_recording("replay", recordings, test_id=test_id):
            replayed.append(outcome(sdk))

    assert [401 if reply is REFUSED else ["b", "a"] for reply in order] == outcomes == replayed
    assert 2 == server.count


@pytest.mark.parametrize("base_url", BASE_URLS)
def test_lists_unite_over_all_key_versions(make_sdk: Callable[..., Colour], base_url: str, recordings: Path) -> None:
    """The first version that had any file hid the lists of all others."""
    keys = {key: name for name, key in keys_of(base_url).items() if name != "exact"}
    for position, (key, name) in enumerate(keys.items()):
        directory = recordings / ("" if position % 2 else "responses")
        put(directory, key, [model(f"model-of-{name}"), model("of-all", position)], base_url=base_url)
    with inference_recording("replay", recordings, test_id="t"):
        models = make_sdk(base_url=base_url).call("models.list").data

    assert [*sorted(f"model-of-{name}" for name in keys.values()), "of-all"] == [item.id for item in models]
    assert 0 == models[-1].created, "the newest version stands"


@pytest.mark.parametrize("base_url", BASE_URLS)
def test_a_list_of_the_exact_key_hides_older_ones(
    make_sdk: Callable[..., Colour], base_url: str, recordings: Path
) -> None:
    """What this test recorded is what it replays, whatever lay there before."""
    for name, key in keys_of(base_url).items():
        put(recordings, key, [model("own" if name == "exact" else name)], base_url=base_url)
    with inference_recording("replay", recordings, test_id="t"):
        assert ["own"] == outcome(make_sdk(base_url=base_url))


@pytest.mark.parametrize("base_url", BASE_URLS)
@pytest.mark.parametrize("lists", [True, False], ids=["with lists", "without"])
def test_an_older_failure_answers_only_where_there_is_not_an_older_list(
    make_sdk: Callable[..., Colour], lists: bool, base_url: str, recordings: Path
) -> None:
    """All tests shared the key, so a failure of one of them says nothing about the others."""
    *older, oldest = [key for name, key in keys_of(base_url).items() if name != "exact"]
    for key in older:
        put(recordings, key, None, base_url=base_url)
    put(recordings, oldest, [model("b"), model("a")] if lists else None, base_url=base_url)
    with inference_recording("replay", recordings, test_id="t"):
        assert (["b", "a"] if lists else 401) == outcome(make_sdk(base_url=base_url))


@pytest.mark.parametrize("name", keys_of(BASE_URLS[1]))
@pytest.mark.parametrize("beside", [None, {"first_id": "b", "ours": 1}], ids=["list", "page"])
def test_a_single_list_keeps_its_order_and_its_page(
    make_sdk: Callable[..., Colour], beside: dict[str, Any] | None, name: str, recordings: Path
) -> None:
    """The order of models is the server's say: some list the preferred one first."""
    put(recordings, keys_of(BASE_URLS[1])[name], [model("b"), model("c"), model("a")], beside=beside)
    sdk = make_sdk(base_url=BASE_URLS[1])
    with inference_recording("replay", recordings, test_id="t"):
        replayed = sdk.call("models.list")
        raw = json.loads(sdk.call("models.with_raw_response.list").text)

    assert ["b", "c", "a"] == [item.id for item in replayed.data] == [item["id"] for item in raw["data"]]
    assert (beside or {}) == replayed.model_extra == {key: raw[key] for key in raw if key not in ("data", "object")}


def test_a_list_that_is_named_like_any_answer_is_united_too(sdk: Colour, recordings: Path) -> None:
    """Before there were digests, the key alone was the name."""
    *_, older, oldest = keys_of(BASE_URLS[1]).values()
    put(recordings, older, [model("b")])
    put(recordings, oldest, [model("c"), model("a")], beside={"ours": 1}).rename(recordings / f"{oldest}.json")
    with inference_recording("replay", recordings, test_id="t"):
        assert ["a", "b", "c"] == outcome(sdk)


@pytest.mark.parametrize("first", ["recordings", "responses"])
def test_a_copy_of_a_list_in_another_directory_is_the_same_list(sdk: Colour, first: str, recordings: Path) -> None:
    """Union with itself would sort it."""
    for directory in (recordings, recordings / first):
        put(directory, keys_of(BASE_URLS[1])["exact"], [model("b"), model("a")])
    with inference_recording("replay", recordings, test_id="t"):
        assert ["b", "a"] == outcome(sdk)


def test_a_recorded_list_replays_in_the_servers_order(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """Sorted by id, the first model was another one than the live run saw."""
    server.answers("/v1/models", page("b", "a", "c", "b", ours=1))
    with inference_recording("record", recordings):
        recorded = sdk.call("models.list")
    with inference_recording("replay", recordings):
        replayed = sdk.call("models.list")

    assert ["b", "a", "c", "b"] == [item.id for item in recorded.data] == [item.id for item in replayed.data]
    assert {"ours": 1} == recorded.model_extra == replayed.model_extra


@pytest.mark.parametrize("position", [1, 2, 3])
@pytest.mark.parametrize("order", ORDERS, ids=["401 first", "list first"])
def test_the_kind_that_was_recorded_last_answers_alone(
    order: tuple[Reply, ...], position: int, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A key that was revoked, or works again: the old outcome must not come back, in whichever call it was met."""
    server.answers("/v1/models", order[0], *[order[1]] * position)
    with inference_recording("record", recordings, record_errors=True):
        outcome(sdk)
    with inference_recording("record", recordings, record_errors=True):
        last = [outcome(sdk) for _ in range(position)][-1]
    with inference_recording("replay", recordings):
        replayed = outcome(sdk)

    assert (401 if order[1] is REFUSED else ["b", "a"]) == last == replayed
    assert 1 == len(files_of(recordings))


@pytest.mark.parametrize("order", ORDERS, ids=["401 first", "list first"])
def test_in_one_session_the_kind_recorded_last_answers(
    order: tuple[Reply, ...], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A failure after a list used to be stored under a name that nothing reads."""
    server.answers("/v1/models", *order)
    with inference_recording("record", recordings, record_errors=True):
        last = [outcome(sdk), outcome(sdk)][-1]
    with inference_recording("replay", recordings):
        assert last == outcome(sdk)


@pytest.mark.parametrize("is_list", [True, False], ids=["list", "failure"])
def test_the_nearest_directory_that_has_either_kind_decides(sdk: Colour, is_list: bool, recordings: Path) -> None:
    """A new recording is written to the first folder; what lies in the others cannot be removed and must not win."""
    key, lists = keys_of(BASE_URLS[1])["exact"], [model("b"), model("a")]
    put(recordings, key, lists if is_list else None)
    put(recordings / "responses", key, None if is_list else lists)
    with inference_recording("replay", recordings, test_id="t"):
        assert (["b", "a"] if is_list else 401) == outcome(sdk)


@pytest.mark.parametrize("order", ORDERS, ids=["401 first", "list first"])
def test_a_process_killed_before_the_removal_leaves_an_answer(
    order: tuple[Reply, ...], server: OpenAIServer, recordings: Path
) -> None:
    """The new file is there before the old one goes; what was paid for is kept."""
    server.answers("/v1/models", *order)
    program = f"""
        import os, sys
        from pathlib import Path
        import openai
        from inference_recorder import inference_recording

        folder = {str(recordings)!r}
        client = openai.OpenAI(base_url={server.base_url!r}, api_key="x", max_retries=0)

        def record():
            with inference_recording("record", folder, record_errors=True):
                try:
                    client.models.list()
                except openai.AuthenticationError:
                    pass

        record()
        old = [path.name for path in Path(folder).glob("*.json")]

        def die(event, arguments):
            if event == "os.remove" and os.path.basename(arguments[0]) in old:
                os._exit(9)

        sys.addaudithook(die)
        record()
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], timeout=60, check=False)
    left = files_of(recordings)
    sdk = Colour(server.base_url)
    with inference_recording("replay", recordings, test_id=None):
        replayed = outcome(sdk) if killed.returncode == 9 else None
    with inference_recording("record", recordings, record_errors=True):
        recorded = outcome(sdk)
    sdk.close()

    assert (9, 2) == (killed.returncode, len(left))
    assert ["b", "a"] == replayed, "lists come first, whichever is newer"
    assert (401 if order[1] is REFUSED else ["b", "a"]) == recorded
    assert 1 == len(files_of(recordings))


@pytest.mark.usefixtures("sessions_are_runs")
@pytest.mark.parametrize("new", [0, 1, 5.5, 1_800_000_000, -3])
@pytest.mark.parametrize("old", [0, 7, 0.25, 1_700_000_000])
def test_the_creation_time_of_a_model_makes_no_diff(
    old: float, new: float, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """Some servers say when they started, or count; each re-recording gave a diff."""
    lists = [Reply({"object": "list", "data": [model("b", at), model("a", at)]}) for at in (old, new)]
    server.answers("/v1/models", *lists)
    server.answers("/v1/models/b", *(Reply(model("b", at)) for at in (old, new)))
    contents = []
    for _ in range(2):
        with inference_recording("record", recordings):
            sdk.call("models.list")
            sdk.call("models.retrieve", "b")
        contents.append({path.name: path.read_bytes() for path in recordings.glob("*.json")})

    assert 2 == len(contents[0])
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    "changed",
    [
        [model("gpt-4o-maxi"), model("gpt-4o-mini")],
        [model("gpt-4o-mini", owned_by="us"), model("gpt-4o-maxi")],
        [model("gpt-4o-mini", seats=2), model("gpt-4o-maxi")],
    ],
    ids=["order", "owner", "another number"],
)
def test_what_else_changed_in_a_list_is_recorded(
    changed: list[dict[str, Any]], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The names of models look like ids that a server renews, and are not ids."""
    first = [model("gpt-4o-mini", seats=1), model("gpt-4o-maxi")]
    server.answers("/v1/models", *(Reply({"object": "list", "data": models}) for models in (first, changed)))
    for _ in range(2):
        with inference_recording("record", recordings) as session:
            recorded = sdk.call("models.list")
            sdk.call("chat.completions.create", **HELLO | {"model": "gpt-4o-mini"})
    with inference_recording("replay", recordings):
        replayed = sdk.call("models.list")

    assert recorded.model_dump() == replayed.model_dump()
    assert "gpt-4o-mini" == session.recorded[-1].model


QUERIES: dict[str, dict[str, Any]] = {"without a query": {}, "with one": {"after": "m", "limit": 2}}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_every_way_of_asking_for_the_list_is_one_request(
    query: dict[str, Any], sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """A recording of one way serves the others; each query has an answer of its own."""

    def script(asked: ReceivedRequest, number: int) -> Reply:
        return page("b", "a", asked.query or "all")

    server.scripts["/v1/models"] = script
    more = {"extra_query": query} if query else {}
    options = {"params": query} if query else {}
    ways: dict[str, Callable[[], Any]] = {
        "method": lambda: sdk.call("models.list", **more).to_dict(),
        "raw": lambda: json.loads(sdk.call("models.with_raw_response.list", **more).text),
        "get": lambda: sdk.call("get", "/models", cast_to=object, options=options),
    }
    for recorded_way, replayed_way in itertools.product(ways, ways):
        directory = recordings / f"{recorded_way}-{replayed_way}"
        with inference_recording("record", directory) as recording:
            recorded = ways[recorded_way]()
        with inference_recording("replay", directory) as replaying:
            replayed = ways[replayed_way]()

        assert recorded == replayed
        assert [call.key for call in recording.recorded] == [call.key for call in replaying.replayed]


def test_a_failed_list_is_named_by_its_key_alone(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """It has no models to name it by, and it has no position: what the key met last answers every call."""
    server.answers("/v1/models", REFUSED)
    with inference_recording("record", recordings, test_id="t", record_errors=True) as session:
        outcome(sdk)
        outcome(sdk)

    assert [f"{session.recorded[0].key}.json"] == files_of(recordings)
