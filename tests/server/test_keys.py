"""In process and over HTTP, a request has one key: what is recorded on one side replays on the other."""

from __future__ import annotations

import base64
import inspect
import json
import re
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest

from inference_recorder import inference_recording
from inference_recorder.request.exact_body import exact_body
from inference_recorder.sdk.methods import method_for
from inference_recorder.server.app import RecordingServer
from inference_recorder.server.paths import prefix
from inference_recorder.server.requests import NUMBERS, SWITCHES
from inference_recorder.server.running import serving
from inference_recorder.server.upstream import BaseUrls

from ..conftest import AsyncColour, Colour, files_of
from ..sdk.family.calls import MESSAGE
from ..sdk.ways import server_scripts
from ..sdk.ways.watching import skip_without
from ..support.anthropic_replies import anthropic_reply
from ..support.differences import differences
from ..support.family import FAMILY, AsyncFamilyColour, FamilyColour
from ..support.openai_server import OpenAIServer, ReceivedRequest, Reply, default_reply
from .answers import ANSWERS, FAILURES
from .calls import NOT_SENT, ROWS
from .rows import Row, outcome

pytestmark = [
    pytest.mark.usefixtures("sessions_are_runs"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # The SDK drops its generators where an event cannot be parsed, and asyncio may be closing one that is collected.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
slow = pytest.mark.slow

TEST = "tests/test_a.py::test_b[é/ü]"
IN_PROCESS, OVER_HTTP = "in process", "over HTTP"
_QUICK = ("chat", "chat, streamed", "embeddings", "models", "upload of name", "file")
_EMBEDDINGS = "/v1/embeddings"


class Sides:
    """One colour of an SDK twice: in the process that records, and as a client of its server."""

    def __init__(self, server: OpenAIServer, url: str, sdk: str, *, is_async: bool) -> None:
        through: Any = SimpleNamespace(base_url=f"{url}{prefix(test_id=TEST)}/v1")
        self.callers: dict[str, Colour] = {}
        for side, place in ((IN_PROCESS, server), (OVER_HTTP, through)):
            if sdk == "openai":
                self.callers[side] = (AsyncColour if is_async else Colour)(place.base_url)
            else:
                self.callers[side] = (AsyncFamilyColour if is_async else FamilyColour)(FAMILY[sdk], place)

    def close(self) -> None:
        for caller in self.callers.values():
            caller.close()


@pytest.fixture(scope="module")
def url(_running_server: OpenAIServer) -> Iterator[str]:
    """The URL of a server that records for all tests here, each in its own session."""
    upstream = _running_server.base_url
    with serving(RecordingServer(BaseUrls(upstream, upstream.removesuffix("/v1")))) as url:
        yield url


@pytest.fixture(scope="module")
def made_sides() -> Iterator[dict[tuple[str, bool], Sides]]:
    made: dict[tuple[str, bool], Sides] = {}
    yield made
    for sides in made.values():
        sides.close()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def sides_of(
    request: pytest.FixtureRequest, server: OpenAIServer, url: str, made_sides: dict[tuple[str, bool], Sides]
) -> Callable[[Row], Sides]:
    def sides_of(row: Row) -> Sides:
        if row.sdk != "openai":
            FAMILY[row.sdk].imported()
        key = row.sdk, bool(request.param)
        if key not in made_sides:
            made_sides[key] = Sides(server, url, row.sdk, is_async=key[1])
        skip_without(made_sides[key].callers[IN_PROCESS], row.needs)
        return made_sides[key]

    return sides_of


def in_turns(rows: Iterable[str]) -> list[tuple[str, bool]]:
    """Return each row with a colour, sync and async in turns: both read an answer in the same places."""
    return [(name, bool(position % 2)) for position, name in enumerate(rows)]


@pytest.fixture(autouse=True)
def _all_protocols(server: OpenAIServer) -> Iterator[None]:
    server_scripts.install(server)
    kept, usual = dict(server.scripts), server.elsewhere

    def answer(request: ReceivedRequest, number: int) -> Reply:
        if "anthropic-version" in request.headers:
            reply = anthropic_reply(request, number)
        else:
            reply = kept.get(request.path, default_reply)(request, number)
        is_unknown = reply.status == 404 and request.path not in kept
        return _echo(request) if is_unknown else reply

    server.scripts.clear()
    server.elsewhere = answer
    yield
    server.elsewhere = usual


def _echo(request: ReceivedRequest) -> Reply:
    if request.path.endswith("/content"):
        return Reply(content=b"\x00\xff bytes", media_type="application/octet-stream")
    return Reply({"id": "x", "asked": [request.method, request.path, request.query]})


def assert_one_key(
    row: Row, sides: Sides, server: OpenAIServer, directory: Path, record_errors: bool | None = None
) -> None:
    """Assert that a row is the same live, recorded and replayed on both sides, whichever side recorded it."""
    broken = list(differing(row, sides, server, directory, record_errors))
    assert not broken, "\n".join(broken)


def differing(
    row: Row, sides: Sides, server: OpenAIServer, directory: Path, record_errors: bool | None
) -> Iterator[str]:
    """Yield a line for each difference between the two sides."""
    if (answer := row.answer) is not None:
        server.elsewhere = lambda request, number: answer
    server.received.clear()
    live = outcome(row.use, sides.callers[IN_PROCESS])
    requests, counts = server.count, []
    if not requests:
        yield f"the server got no request: {live}"
    for side, caller in sides.callers.items():
        server.received.clear()
        with inference_recording("record", directory / side, test_id=TEST, record_errors=record_errors) as session:
            recorded = outcome(row.use, caller)
        counts.append(session.counts)
        yield from (f"recorded {side}: {line}" for line in differences(live, recorded))
        if server.count != requests:
            yield f"recorded {side}: {server.count} requests instead of {requests}"
    if counts[0] != counts[1]:
        yield f"recorded: {counts[0]} {IN_PROCESS}, {counts[1]} {OVER_HTTP}"
    server.received.clear()
    for side in sides.callers if counts[0]["recorded"] else ():
        for other, caller in sides.callers.items():
            with inference_recording("replay", directory / side, test_id=TEST) as session:
                replayed = outcome(row.use, caller)
            yield from (f"recorded {side}, replayed {other}: {line}" for line in differences(live, replayed))
            if session.counts != {"replayed": requests}:
                yield f"recorded {side}, replayed {other}: {session.counts} for {requests} requests"
    if server.count:
        yield f"replayed with {server.count} requests"
    yield from _differing_files(row, directory / IN_PROCESS, directory / OVER_HTTP)


def _differing_files(row: Row, one: Path, other: Path) -> Iterator[str]:
    if row.other_key:
        assert files_of(one) != files_of(other), f"they have one key by now, although {row.other_key}"
        return
    if files_of(one) != files_of(other):
        yield "other keys: " + "\n".join(path.read_text()[:700] for place in (one, other) for path in place.glob("*"))
        return
    for name in files_of(one) if row.answer is None and row.sdk == "openai" else ():
        texts = [(place / name).read_text() for place in (one, other)]
        documents = [_comparable(json.loads(text)) for text in texts]
        if not documents[0]["is_of_the_table"]:
            continue
        yield from (f"{name}: {line}" for line in differences(*documents))
        if row.reads_bytes and texts[0] != texts[1]:
            yield f"{name}: other bytes"


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    """Return a recording with its request as it is sent, and embeddings as the numbers that they are.

    Recordings of the SDK's own objects differ from those of the bytes in no more than these, and in the order of names.
    """
    request = document["request"]
    is_of_the_table = request["method"] == "POST" and method_for(request["endpoint"]) is not None
    sent = exact_body(request.pop("body"))
    request.pop("model")
    if request["endpoint"] == _EMBEDDINGS:
        for item in document["response"]["body"]["__data__"]["data"]:
            packed = base64.b64decode(item["embedding"]) if isinstance(item["embedding"], str) else b""
            item["embedding"] = list(struct.unpack(f"<{len(packed) // 4}f", packed)) or item["embedding"]
    whole = {**document, "sent": sent, "is_of_the_table": is_of_the_table}
    comparable: dict[str, Any] = json.loads(json.dumps(whole, sort_keys=True), parse_int=float)
    return comparable


def test_both_sides_have_one_key(sides_of: Callable[[Row], Sides], server: OpenAIServer, recordings: Path) -> None:
    """Recordings of Python tests serve the Node front end of the same application, and the other way round."""
    for number, name in enumerate(_QUICK):
        assert_one_key(ROWS[name], sides_of(ROWS[name]), server, recordings / str(number))


@slow
@pytest.mark.parametrize("name", [name for name in ROWS if name not in _QUICK])
def test_each_way_of_calling_has_one_key(
    name: str, sides_of: Callable[[Row], Sides], server: OpenAIServer, recordings: Path
) -> None:
    """Each difference is a paid call, or a failed run, for those who go over from one side to the other."""
    assert_one_key(ROWS[name], sides_of(ROWS[name]), server, recordings)


@slow
@pytest.mark.parametrize(("name", "sides_of"), in_turns(ANSWERS), indirect=["sides_of"])
def test_each_answer_is_the_same_on_both_sides(
    name: str, sides_of: Callable[[Row], Sides], server: OpenAIServer, recordings: Path
) -> None:
    """Streams that end oddly, bytes at each threshold, bodies that are no JSON: what is sent is what was recorded."""
    assert_one_key(ANSWERS[name], sides_of(ANSWERS[name]), server, recordings)


@slow
@pytest.mark.parametrize("record_errors", [None, True], ids=["by default", "all"])
@pytest.mark.parametrize(("name", "sides_of"), in_turns(FAILURES), indirect=["sides_of"])
def test_each_failure_is_the_same_on_both_sides(
    name: str, record_errors: bool | None, sides_of: Callable[[Row], Sides], server: OpenAIServer, recordings: Path
) -> None:
    """Error handling is tested with recorded failures: class, words, body and headers; and the same ones are kept."""
    assert_one_key(FAILURES[name], sides_of(FAILURES[name]), server, recordings, record_errors)


@slow
@pytest.mark.parametrize("recorded", [IN_PROCESS, OVER_HTTP])
@pytest.mark.parametrize("name", NOT_SENT)
def test_a_request_that_is_not_sent_as_it_was_made_is_another_one(
    name: str, recorded: str, sides_of: Callable[[Row], Sides], server: OpenAIServer, recordings: Path
) -> None:
    """These few must be recorded on the side that replays them; neither side gets a wrong answer."""
    sides = sides_of(NOT_SENT[name])
    one, other = sorted(sides.callers, key=lambda side: side != recorded)
    with inference_recording("record", recordings, test_id=TEST):
        NOT_SENT[name].use(sides.callers[one])
    server.received.clear()
    with inference_recording("replay", recordings, test_id=TEST) as session:
        NOT_SENT[name].use(sides.callers[one])
        failed = outcome(NOT_SENT[name].use, sides.callers[other])

    assert 0 == server.count
    assert {"replayed": 1, "missed": 1} == session.counts
    assert "Recording not found" in str(failed)


@slow
def test_a_client_without_a_path_in_its_base_url_is_recorded_once(
    url: str, server: OpenAIServer, recordings: Path
) -> None:
    """Anthropic's base url is the bare origin: the process that serves it must not record the call as its own too."""
    anthropic: Any = FAMILY["anthropic"].imported()
    options = FAMILY["anthropic"].options(is_async=False)
    with anthropic.Anthropic(base_url=url, **options) as client, inference_recording("record", recordings) as session:
        client.messages.create(**MESSAGE)

    assert {"recorded": 1} == session.counts
    assert 1 == server.count


@slow
def test_a_polling_helper_does_not_wait_between_recorded_answers(
    url: str, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK sleeps a second for each poll, unless a header of the answer says how soon to ask again."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    run = {"thread_id": "thread_1", "run_id": "run_1"}
    with openai.OpenAI(api_key="sk-test", base_url=f"{url}/v1") as client:
        with inference_recording("record", recordings):
            recorded = client.beta.threads.runs.poll(**run)
        asked, pauses = server.count, slept.copy()
        slept.clear()
        with inference_recording("replay", recordings):
            replayed = client.beta.threads.runs.poll(**run)

    assert (3, 2) == (asked, len(pauses))
    assert [0, 0] == slept
    assert "completed" == recorded.status == replayed.status


def test_queries_that_differ_in_a_repeated_name_are_two_requests(
    url: str, server: OpenAIServer, recordings: Path
) -> None:
    """Clients in other languages spell a list by repeating its name; one of its items is not all of it."""
    queries = ["a=1&a=2", "a=3&a=2", "a=2", "b[][c]=1&b[][c]=2", "b[][c]=2", "[]=1", "a[]b=1"]
    with inference_recording("record", recordings) as session, httpx.Client(trust_env=False) as client:
        answers = [client.get(f"{url}/v1/odd?{query}").json() for query in queries]
        assert answers[0] == client.get(f"{url}/v1/odd?a[]=1&a[]=2").json() | {"query": queries[0]}

    assert queries == [answer["query"] for answer in answers]
    assert len(queries) == len({call.key for call in session.recorded})


@slow
def test_each_field_of_a_form_that_is_no_text_is_known() -> None:
    """A form holds texts only: whether "1" was a number in process, the server can tell by the field's name alone."""
    client = openai.OpenAI(api_key="sk-test", base_url="http://127.0.0.1/v1")
    fields = {}
    for name in (
        "audio.transcriptions.create", "audio.translations.create", "containers.files.create", "files.create",
        "images.create_variation", "images.edit", "skills.create", "skills.versions.create", "uploads.parts.create",
        "videos.create",
    ):  # fmt: skip
        try:
            method = attrgetter(name)(client)
        except AttributeError:  # an older SDK
            continue
        for field, parameter in inspect.signature(method).parameters.items():
            if field != "timeout" and (
                kinds := re.findall(r"\b(?:int|float|bool|Literal\[(?:True|False)\])", str(parameter.annotation))
            ):
                fields[field] = kinds[0]

    assert {"temperature", "n", "stream"} <= set(fields)
    assert set() == {field for field, kind in fields.items() if kind in ("int", "float")} - NUMBERS
    assert set() == {field for field, kind in fields.items() if kind not in ("int", "float")} - SWITCHES
