"""Requests that differ get different answers; llama-stack's recordings answer by its own rules."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference_recorder import MissingRecording, inference_recording, llama_stack
from inference_recorder.redaction.requests import recorded_request
from inference_recorder.request.exact_body import exact_body
from inference_recorder.request.jsonable import canonical_text
from inference_recorder.request.keys import EXACT, FOLDING, is_folded, request_key
from inference_recorder.request.request import Request

from ..conftest import HELLO, Colour, files_of
from ..support.openai_server import OpenAIServer, Reply, completion

TEST = "tests/test_a.py::test_b"
URL = "http://127.0.0.1/v1/v1/chat/completions"
ONE, OTHER = "0b7a8e62-1f0a-4d5c-9a53-2f6f0f0c8b11", "1b7a8e62-1f0a-4d5c-9a53-2f6f0f0c8b22"
PROJECTS = [{"project_id": f"customer-{number}"} for number in (17, 18)]
KINDS = [llama_stack.inference_recording, inference_recording]


def asking(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]} | more


FOLDED = {
    "scores": (asking("score: 1"), asking("score: 5")),
    "attributes": (asking("a, attributes: {'b': 1}"), asking("a, attributes: {'b': 2}")),
    "document ids": (asking(f"document_id: {ONE}"), asking(f"document_id: {OTHER}")),
    "citations": (asking(f"see <|{ONE}|>"), asking(f"see <|{OTHER}|>")),
    "decimals in a text": (asking("pi is 3.14159265"), asking("pi is 3.14159262")),
    "floats": (asking("a", temperature=0.1234567), asking("a", temperature=0.1234568)),
    "floats below the fifth decimal": (asking("a", temperature=1e-7), asking("a", temperature=2e-7)),
    "a project": (
        asking("a", extra_body={"project_id": "customer-17"}),
        asking("a", extra_body={"project_id": "customer-18"}),
    ),
    "a project in the url": (
        asking("a", extra_query={"project_id": "customer-17"}),
        asking("a", extra_query={"project_id": "customer-18"}),
    ),
}
"""Requests that llama-stack's recorder treats as equal, since it changes both."""
ONE_IS_CHANGED = {
    "a score and none": (asking("score: __NORMALIZED__"), asking("score: 5")),
    "attributes and none": (asking("a"), asking("a, attributes: {'b': 2}")),
    "a short decimal and a long one": (asking("pi is 3.14159"), asking("pi is 3.14159265")),
    "a round float and another": (asking("a", temperature=0.1), asking("a", temperature=0.1000001)),
    "zero and almost": (asking("a", temperature=0.0), asking("a", temperature=1e-9)),
}
"""Requests of which llama-stack's recorder changes one into the other."""


@pytest.fixture
def numbered(server: OpenAIServer) -> OpenAIServer:
    """Answers each request with its number."""
    server.scripts["/v1/chat/completions"] = lambda asked, number: Reply(completion(f"answer {number}"))
    return server


def answer(sdk: Colour, call: dict[str, Any]) -> str:
    text: str = sdk.call("chat.completions.create", **call).choices[0].message.content
    return text


def requests_in(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text())["request"] for path in sorted(directory.glob("*.json"))]


@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
@pytest.mark.parametrize("is_reversed", [False, True], ids=["", "the other first"])
@pytest.mark.parametrize("name", [*FOLDED, *ONE_IS_CHANGED])
def test_requests_that_differ_do_not_answer_each_other(
    name: str, is_reversed: bool, mode: str, sdk: Colour, numbered: OpenAIServer, recordings: Path
) -> None:
    """A changed prompt that is answered with the old answer passes a test that should fail."""
    one, other = (FOLDED | ONE_IS_CHANGED)[name][:: -1 if is_reversed else 1]

    with inference_recording(mode, recordings, test_id=TEST) as session:
        live = [answer(sdk, one)]
    with inference_recording("replay", recordings, test_id=TEST), pytest.raises(MissingRecording) as missing:
        answer(sdk, other)
    with inference_recording(mode, recordings, test_id=TEST) as later:
        live.append(answer(sdk, other))
    with inference_recording("replay", recordings, test_id=TEST):
        replayed = [answer(sdk, call) for call in (one, other)]

    assert [{"recorded": 1}] * 2 == [session.counts, later.counts]
    assert ["answer 0", "answer 1"] == live == replayed
    assert 2 == len(files_of(recordings))
    assert missing.value.nearest is not None
    assert missing.value.nearest.differences
    assert missing.value.nearest.reason == "other request"


@pytest.mark.parametrize("name", FOLDED)
def test_llama_stacks_recorder_folds_them_as_before(
    name: str, sdk: Colour, numbered: OpenAIServer, recordings: Path
) -> None:
    """Its users chose its rules, and their files have its names; this recorder reads them so too."""
    one, other = FOLDED[name]
    with llama_stack.inference_recording("record", recordings, test_id=TEST):
        live = answer(sdk, one)
    replayed = []
    for recorder in KINDS:
        with recorder("replay", recordings, test_id=TEST):
            replayed += [answer(sdk, one), answer(sdk, other)]

    [written] = requests_in(recordings)
    assert [live] * 4 == replayed
    assert "key_version" not in written
    assert [f"{request_key(recorded_request(written), TEST, FOLDING[0])}.json"] == files_of(recordings)


@pytest.mark.usefixtures("sessions_are_runs")
def test_llama_stacks_recorder_looks_under_its_own_key_first(
    sdk: Colour, numbered: OpenAIServer, recordings: Path
) -> None:
    """Then under the exact one: what either recorder made, it answers from."""
    call, answers = FOLDED["scores"][0], []
    with inference_recording("record", recordings, test_id=TEST):
        exact = answer(sdk, call)
    with llama_stack.inference_recording("replay", recordings, test_id=TEST):
        answers.append(answer(sdk, call))
    with llama_stack.inference_recording("record", recordings, test_id=TEST):
        folded = answer(sdk, call)
    for recorder in KINDS:
        with recorder("replay", recordings, test_id=TEST):
            answers.append(answer(sdk, call))

    assert [exact, folded, exact] == answers
    assert exact != folded


@pytest.mark.parametrize("recorder", KINDS, ids=["llama-stack's", "ours"])
def test_requests_folded_together_replay_in_the_order_of_recording(
    recorder: Any, sdk: Colour, numbered: OpenAIServer, recordings: Path
) -> None:
    """Under llama-stack's keys they are one request, whose answers are counted together."""
    calls = [*FOLDED["scores"], asking("score: 7"), FOLDED["scores"][0]]
    with llama_stack.inference_recording("record", recordings, test_id=TEST):
        live = [answer(sdk, call) for call in calls]
    with recorder("replay", recordings, test_id=TEST):
        replayed = [answer(sdk, call) for call in calls]

    assert live == replayed


def test_an_exact_recording_under_another_key_is_passed_over(
    sdk: Colour, numbered: OpenAIServer, recordings: Path
) -> None:
    """It says what it answers, wherever it lies; the look-up goes on to the next key version."""
    one, other = FOLDED["scores"]
    with inference_recording("record", recordings, test_id=TEST):
        answer(sdk, one)
    [exact] = recordings.glob("*.json")
    written = json.loads(exact.read_text())["request"]
    asked = recorded_request(written)._replace(body=other, body_text=canonical_text(other))
    names = [request_key(asked, TEST, version) for version in FOLDING if version.name in ("G10", "G7")]
    exact.rename(exact.with_name(f"{names[0]}.json"))

    with inference_recording("replay", recordings, test_id=TEST):
        found = answer(sdk, one)
        with pytest.raises(MissingRecording):
            answer(sdk, other)
    unmarked = json.loads((recordings / f"{names[0]}.json").read_text())
    del unmarked["request"]["key_version"]
    (recordings / f"{names[1]}.json").write_text(json.dumps(unmarked))
    with inference_recording("replay", recordings, test_id=TEST):
        older = answer(sdk, other)

    assert ["answer 0", "answer 0"] == [found, older]


@pytest.mark.parametrize("name", FOLDED)
def test_an_exact_recording_says_so_where_a_folding_changes_it(
    name: str, sdk: Colour, numbered: OpenAIServer, recordings: Path
) -> None:
    """Nothing has to be guessed about who wrote a file; one that no rule changes looks as ever."""
    with inference_recording("record", recordings, test_id=TEST):
        answer(sdk, FOLDED[name][0])
    [folded] = requests_in(recordings)
    shutil.rmtree(recordings)
    with inference_recording("record", recordings, test_id=TEST):
        answer(sdk, asking("score 1, attributes, 3.14", temperature=0.12345, extra_body={"top_k": 1}))
    [plain] = requests_in(recordings)

    assert "exact" == folded["key_version"]
    assert "key_version" not in plain


@pytest.mark.usefixtures("sessions_are_runs")
@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
def test_recording_again_gives_no_diff(mode: str, sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """The mark is there from the first time on."""
    server.answers("/v1/chat/completions", Reply(completion()))
    contents = []
    for _ in range(2):
        with inference_recording(mode, recordings, test_id=TEST):
            for one, other in FOLDED.values():
                answer(sdk, one)
                answer(sdk, other)
        contents.append({path.name: path.read_bytes() for path in recordings.glob("*.json")})

    assert contents[0] == contents[1]
    assert 2 * len(FOLDED) == len(contents[0])


def test_a_project_is_known_by_its_fingerprint(sdk: Colour, numbered: OpenAIServer, recordings: Path) -> None:
    """Whose account it is stays out of the file; two accounts have two recordings."""
    with inference_recording("record", recordings, test_id=TEST):
        answer(sdk, asking("a", extra_body={"project_id": "customer-17"}))

    [path] = recordings.glob("*.json")
    written = json.loads(path.read_text())["request"]
    assert "customer-17" not in path.read_text()
    assert written["body"]["extra_body"]["project_id"].startswith("__REDACTED_1__#")
    assert path.stem == request_key(recorded_request(written), TEST)


@pytest.mark.parametrize("body", [HELLO, HELLO | {"temperature": 0.7, "stop": None, "stream": True}])
def test_a_request_that_nothing_changes_keeps_its_name(body: dict[str, Any]) -> None:
    """Recordings made before there were exact keys are found first, not last."""
    request = Request("POST", "/v1/chat/completions", URL, body, canonical_text(body))

    assert len({request_key(request, TEST, version) for version in (EXACT, *FOLDING[:-1])}) == 1


_TEXTS = st.sampled_from(["score: 1", "score: 5", "a, attributes: {}", "a", "3.14159", "3.141592", "3.14160", "<|"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(_TEXTS | st.sampled_from(["9", "10", "true"]), inner, max_size=2),
        st.dictionaries(st.sampled_from([9, 10]), inner, max_size=2),
    ),
    max_leaves=5,
)
_NAMES = st.sampled_from(["a", "b", "json", "content", "extra_query"])
_BODIES = st.fixed_dictionaries(
    {},
    optional={
        "a": _VALUES,
        "b": _VALUES,
        "extra_body": st.dictionaries(_NAMES | st.just("project_id"), _VALUES, max_size=2),
        "extra_query": st.dictionaries(_NAMES, _TEXTS, max_size=2),
    },
)


def sent(body: dict[str, Any]) -> Any:
    """Return what goes over the wire, by the plainest words: a body, and what is in the url."""
    merged = {name: value for name, value in body.items() if not name.startswith("extra_")} | body.get("extra_body", {})
    return json.dumps([json.loads(json.dumps(merged)), body.get("extra_query") or {}], sort_keys=True)


@given(one=_BODIES, other=_BODIES)
@example(one={"a": 0.0}, other={"a": 1e-9})
@example(one={"a": {9: 1, 10: 2}}, other={"a": {"9": 1, "10": 2}})
@example(one={"a": 1, "extra_body": {"b": 2}}, other={"b": 2, "extra_body": {"a": 1}})
@example(one={"extra_body": {"extra_query": {"a": "a"}}}, other={"extra_query": {"a": "a"}})
@example(one={"extra_body": {"json": {"a": 1}}}, other={"a": 1})
@example(one={"extra_query": {}}, other={"extra_body": {}})
def test_two_requests_have_one_exact_key_if_the_same_is_sent(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Nothing is rounded, nothing is left out, nothing stands for something else."""
    keys = []
    for body in (one, other):
        request = Request("POST", "/v1/chat/completions", URL, body, canonical_text(body))
        keys.append(request_key(request, TEST))
        recorded = {
            "method": "POST",
            "endpoint": "/v1/chat/completions",
            "url": URL,
            "body": json.loads(request.body_text),
        }

        assert keys[-1] == request_key(recorded_request(recorded), TEST)

    assert (sent(one) == sent(other)) == (keys[0] == keys[1])


@given(body=_BODIES)
def test_a_body_that_no_folding_changes_has_the_same_name_under_all(body: dict[str, Any]) -> None:
    """So the mark may be left out: whatever a folding leads to is equal."""
    request = Request("POST", "/v1/chat/completions", URL, body, canonical_text(body))
    is_as_it_is = exact_body(body) == body and canonical_text(exact_body(body)) == request.body_text

    names = {request_key(request, TEST, version) for version in FOLDING[:-1]}
    assert is_folded(request) or (len(names) == 1 and (not is_as_it_is or names == {request_key(request, TEST)}))


@pytest.mark.parametrize("recorded_with", [{}, {"encoding_format": "base64"}], ids=["no format", "base64"])
def test_embeddings_that_are_one_http_request_answer_each_other(
    server: OpenAIServer, sdk: Colour, tmp_path: Path, recorded_with: dict[str, str]
) -> None:
    """The SDK asks for base64 itself: each caller gets what the server would have given, numbers or a text."""
    formats: list[dict[str, str]] = [{}, {"encoding_format": "base64"}, {"encoding_format": "float"}]

    def vector(encoding: dict[str, str]) -> Any:
        return sdk.call("embeddings.create", model="m", input="a", **encoding).data[0].embedding

    live = [vector(encoding) for encoding in formats]
    with inference_recording("record", tmp_path):
        vector(recorded_with)
    count = server.count
    with inference_recording("replay", tmp_path):
        replayed = [vector(encoding) for encoding in formats[:2]]
        with pytest.raises(MissingRecording):
            vector(formats[2])

    assert live[:2] == replayed
    assert count == server.count
