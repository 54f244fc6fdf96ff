"""Whatever JSON is asked and answered comes back; whatever bytes lie in a recording's place, no error but ours."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_recorder import CorruptRecording, UnrecordableValue, inference_recording
from inference_recorder.recording.answer import Failed, Failure, Http, Streamed, Value, items_of
from inference_recorder.recording.body import chunk_value, typed
from inference_recorder.recording.codec import decode, decode_thoroughly, encode

from ..support.openai_server import chunk, completion
from .in_memory import client_answered_by

REQUEST = {"method": "POST", "body": {"model": "m", "messages": []}, "endpoint": "/v1/chat/completions"}
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(min_value=-(10**40), max_value=10**40),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(), max_size=12),  # lone surrogates too
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=8,
)
ANSWERS = {
    "plain": Value(typed("a.B", completion("é 日本")), http=Http(200, {"x-request-id": "req"})),
    "streamed": Streamed([typed("a.B", chunk({"content": "é"})) for _ in range(3)]),
    "left early": Streamed([typed("a.B", chunk({}))], is_complete=False),
    "failed": Failed(Failure("RateLimitError", "slow", 429, {"code": "é"}, "text"), http=Http(429, {})),
    "broken": Streamed([typed("a", 1)], failure=Failure("APIError", "m", None, {"a": [1]})),
    "large": Value(typed("a.B", {"n": 10**30})),
}
WHOLE = {name: encode("t", REQUEST, answer) for name, answer in ANSWERS.items()}


def read(content: bytes) -> bool:
    """Read a recording and its chunks in both ways; return whether both succeed. Raises errors that are not ours."""
    has_succeeded = True
    for reader in (decode, decode_thoroughly):
        try:
            for item in items_of(reader(content, "f").answer):
                chunk_value(item, "f")
        except CorruptRecording as error:
            assert error.reason
            has_succeeded = False
    return has_succeeded


@pytest.mark.parametrize("name", WHOLE)
def test_a_recording_cut_off_at_any_byte_is_corrupt(name: str) -> None:
    """A full disk elsewhere, an interrupted download: every length is tried."""
    content = WHOLE[name]

    assert read(content)
    assert [] == [length for length in range(len(content) - 1) if read(content[:length])]


@given(content=st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_corrupt(content: bytes) -> None:
    """Never an error out of our depths."""
    read(content)


@settings(max_examples=60)
@given(
    name=st.sampled_from(sorted(WHOLE)),
    position=st.integers(0, 2_000),
    inserted=st.binary(max_size=6),
    cut=st.integers(0, 9),
)
def test_a_recording_changed_anywhere_is_an_answer_or_corrupt(
    name: str, position: int, inserted: bytes, cut: int
) -> None:
    """Bits rot, merges go wrong, people edit."""
    content = WHOLE[name]
    position %= len(content)

    read(content[:position] + inserted + content[position + cut :])


@settings(max_examples=60)
@given(response=JSON, mapping=JSON, test_id=JSON)
def test_any_json_in_place_of_a_response_is_an_answer_or_corrupt(response: Any, mapping: Any, test_id: Any) -> None:
    """Each member may hold what it should not."""
    document = {"test_id": test_id, "request": {}, "response": response, "id_normalization_mapping": mapping}
    for indent in (None, 2):
        read(json.dumps(document, indent=indent).encode() + b"\n")


@settings(max_examples=60)
@given(name=st.sampled_from(sorted(WHOLE)), member=st.integers(0, 30), value=JSON)
def test_a_recording_with_one_member_of_any_json_is_an_answer_or_corrupt(name: str, member: int, value: Any) -> None:
    """Close to the real thing, which is where readers believe too much."""
    document = json.loads(WHOLE[name])
    holders = [document, document["response"], *(v for v in document["response"].values() if isinstance(v, dict))]
    directories = [(holder, key) for holder in holders for key in holder]
    holder, key = directories[member % len(directories)]
    holder[key] = value
    for indent in (None, 2):
        read(json.dumps(document, indent=indent).encode() + b"\n")


EXCHANGES: dict[str, Any] = {
    "asked": st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    "answered": JSON,
    "word": st.text(max_size=9),
    "is_streaming": st.booleans(),
}


@settings(max_examples=30)
@given(**EXCHANGES)
def test_any_request_and_answer_survive_record_and_replay(
    asked: dict[str, Any], answered: Any, word: str, is_streaming: bool
) -> None:
    """Through the real client: what the SDK makes of the answer live is what it makes of it replayed."""
    assert_survives(asked, answered, word, is_streaming=is_streaming)


@pytest.mark.slow
@settings(max_examples=600)
@given(**EXCHANGES)
def test_very_many_requests_and_answers_survive_record_and_replay(
    asked: dict[str, Any], answered: Any, word: str, is_streaming: bool
) -> None:
    """The same with the time to look into the corners."""
    assert_survives(asked, answered, word, is_streaming=is_streaming)


def assert_survives(asked: dict[str, Any], answered: Any, word: str, *, is_streaming: bool) -> None:
    def answer(path: str, body: dict[str, Any]) -> Any:
        if not is_streaming:
            return completion(word, extra=copy.deepcopy(answered))
        return [chunk({"content": word, "extra": copy.deepcopy(answered)}) for _ in range(2)]

    request: dict[str, Any] = {"model": "m", "messages": [], "extra_body": asked, "stream": is_streaming}
    with tempfile.TemporaryDirectory() as name, client_answered_by(answer) as client:
        directory = Path(name)

        def outcomes() -> list[Any]:
            answer = client.chat.completions.create(**request)
            items = list(answer) if is_streaming else [answer]
            return [item.model_dump() | {"id": "", "created": 0} for item in items]

        try:
            with inference_recording("live", directory):
                live = outcomes()
        except UnicodeEncodeError:  # the SDK cannot send it either
            return
        with inference_recording("record", directory):
            assert live == outcomes()
        with inference_recording("replay", directory):
            assert live == outcomes()


def test_what_json_cannot_carry_is_refused_when_it_is_recorded(recordings: Path) -> None:
    """Not at replay, months later."""
    for value in ({1, 2}, b"bytes", object(), 10**5_000):
        with client_answered_by(lambda path, body: completion()) as client:
            with inference_recording("record", recordings), pytest.raises(UnrecordableValue):
                client.chat.completions.create(model="m", messages=[], extra_body={"x": value})

    assert not list(recordings.glob("*.json"))
