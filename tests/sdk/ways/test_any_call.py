"""Live = recorded = replayed: calls of every kind, made at random in any size, colour, number and way of consuming."""

from __future__ import annotations

import random
import struct
import tempfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest

from inference_recorder import inference_recording

from ...conftest import Colour
from ...support.differences import differences
from ...support.example_calls import ROWS, is_installed, plain_calls
from ...support.openai_server import OpenAIServer, ReceivedRequest, Reply, chunks, completion, response, response_events
from .reading import STREAMED, Read, all_of
from .watching import described, parsed, parsed_line, stable

# The SDK drops its generators where an event cannot be parsed, and asyncio may be closing one that is collected then.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SIZES = (0, 1, 2, 80, 900, 4_000, 16_300, 66_000, 270_000)
"""Characters of an answer: none, few, and around what the package treats differently."""
_WEIGHTS = (6, 6, 6, 20, 10, 5, 3, 1, 1)
ALPHABET = 'abc  \n"\\é日🙂\u2028</'
MESSAGES = [{"role": "user", "content": "Say something."}]
REFUSED = (400, 404, 413, 422)
CASES, SHARDS = 2_400, 8


class Case(NamedTuple):
    """One test that makes some calls: which, how it reads their answers, and what the server gives."""

    seed: int
    kind: str
    consumption: str
    size: int
    repetitions: int
    mode: str
    status: int


def _lines_of(sdk: Colour, http_response: Any) -> Any:
    return http_response.aiter_lines() if sdk.is_async else http_response.iter_lines()


WHOLE: dict[str, Read] = {"plain": lambda sdk, answer: answer}
RAW: dict[str, Read] = {"raw": lambda sdk, raw: [raw.status_code, raw.request_id, parsed(raw.text), raw.parse()]}
RAW_STREAM: dict[str, Read] = {
    "raw, parsed": lambda sdk, raw: sdk.items(raw.parse()),
    "raw, lines": lambda sdk, raw: [parsed_line(line) for line in sdk.items(_lines_of(sdk, raw.http_response))],
}
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Read]]] = {
    name: (method, kwargs, {"all": all_of} if ROWS[method].is_list else WHOLE)
    for name, (method, kwargs) in plain_calls().items()
    if is_installed(method)
} | {
    "chat, streamed": ("chat.completions.create", {"model": "m", "messages": MESSAGES, "stream": True}, STREAMED),
    "chat, raw": ("chat.completions.with_raw_response.create", {"model": "m", "messages": MESSAGES}, RAW),
    "chat, raw and streamed": (
        "chat.completions.with_raw_response.create",
        {"model": "m", "messages": MESSAGES, "stream": True},
        RAW_STREAM,
    ),
    "completions, streamed": ("completions.create", {"model": "m", "prompt": "Say", "stream": True}, STREAMED),
    "responses, streamed": ("responses.create", {"model": "m", "input": "Say", "stream": True}, STREAMED),
    "embeddings, floats": ("embeddings.create", {"model": "m", "input": "a", "encoding_format": "float"}, WHOLE),
    "post": ("post", {"path": "/odd", "body": {"n": 1}, "cast_to": object}, WHOLE),
}
_ENDPOINTS = (*(row.endpoint for row in ROWS.values()), "/v1/odd")


def text_of(size: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(ALPHABET, k=min(size, 500))) * (size // 500 + 1 if size > 500 else 1)


def answered(case: Case) -> Callable[[ReceivedRequest, int], Reply]:
    """Return a script whose nth answer is the same in each run of the case, and another one for each n."""

    def reply(asked: ReceivedRequest, number: int) -> Reply:
        if case.kind == "models":
            number = 0  # lists of models are no series: what was recorded last answers every call
        if case.status != 200:
            failed = {"message": text_of(min(case.size, 4_000), case.seed), "code": f"c{number}", "type": "t"}
            return Reply({"error": failed}, status=case.status)
        length = 97 if case.size < 4_000 else 1_999
        text = f"{number} {text_of(case.size, case.seed + number)}"
        endpoint = asked.path.removeprefix("/v1/")
        is_streamed = b'"stream":true' in asked.content.replace(b" ", b"")
        words = [text[start : start + length] for start in range(0, len(text), length)]
        if endpoint == "chat/completions":
            return (
                Reply(events=chunks(*words, number=number)) if is_streamed else Reply(completion(text, number=number))
            )
        if endpoint == "completions":
            shared = {"id": f"cmpl-{number}", "object": "text_completion", "created": 1_764_000_000, "model": "m"}
            parts = [shared | {"choices": [{"index": 0, "text": w, "finish_reason": "stop"}]} for w in words]
            return Reply(events=parts) if is_streamed else Reply({**parts[0], "n": number})
        if endpoint == "responses":
            text = text if case.size < 4_000 else text.replace(" ", "_")  # each word is an event
            whole = Reply(response(text, number=number))
            return Reply(events=response_events(text, number=number), is_done_sent=False) if is_streamed else whole
        if endpoint == "embeddings":
            vector = [random.Random(case.seed + number).uniform(-1, 1) for _ in range(case.size // 40 + 1)]
            packed: Any = b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
            is_packed = b"base64" in asked.content
            data = [{"object": "embedding", "index": 0, "embedding": packed if is_packed else vector}]
            return Reply(
                {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
            )
        if endpoint == "models":
            names = [f"model-{position}" for position in range(case.size // 500 + 1)]
            random.Random(case.seed).shuffle(names)
            return Reply(
                {"object": "list", "data": [{"id": n, "object": "model", "created": 1, "owned_by": "o"} for n in names]}
            )
        if endpoint == "images/generations":
            return Reply({"created": 1_764_000_000, "data": [{"b64_json": b64encode(text.encode()).decode()}]})
        return Reply({"id": f"modr-{number}", "model": "m", "results": [], "text": text})

    return reply


def generated(count: int, seed: int) -> list[Case]:
    """Return cases in which each kind, consumption, size and mode comes as often as any other."""
    choose = random.Random(seed)
    found = []
    for number in range(count):
        kind = [*KINDS][number % len(KINDS)]
        consumption = choose.choice([*KINDS[kind][2]])
        status = choose.choice(REFUSED) if choose.random() < 0.08 else 200
        mode = choose.choice(("record", "record-if-missing"))
        found.append(
            Case(number, kind, consumption, choose.choices(SIZES, _WEIGHTS)[0], choose.randint(1, 3), mode, status)
        )
    return found


def seen(case: Case, sdk: Colour, server: OpenAIServer) -> list[Any]:
    """Make the calls of a case and return all that their caller can see."""
    name, kwargs, reads = KINDS[case.kind]
    server.received.clear()
    found = []
    for _ in range(case.repetitions):
        try:
            found.append(reads[case.consumption](sdk, sdk.call(name, **kwargs)))
        except openai.APIStatusError as error:
            found.append([described(error), None if case.kind == "models" else error.request_id])
    return found


def assert_the_same_thrice(case: Case, sdk: Colour, server: OpenAIServer) -> None:
    """Assert that a case gives the same live, recorded and replayed, and that its replay sends nothing."""
    script = answered(case)
    server.scripts.update(dict.fromkeys(_ENDPOINTS, script))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        live = seen(case, sdk, server)
        with inference_recording(case.mode, directory):
            recorded = seen(case, sdk, server)
        assert _requests_of(case) == server.count, case
        with inference_recording("replay", directory) as session:
            replayed = seen(case, sdk, server)

    assert 0 == server.count, case
    assert {"replayed": case.repetitions} == session.counts, case
    assert [] == differences(live, recorded), case
    assert [] == differences(stable(live), stable(replayed)), case


def _requests_of(case: Case) -> int:
    # What is recorded of a list of models answers every further call.
    is_one_for_all = case.kind == "models" and case.mode == "record-if-missing"
    return 1 if is_one_for_all else case.repetitions


@pytest.mark.parametrize("shard", range(2))
def test_any_call_replays_as_it_was_live(shard: int, sdk: Colour, server: OpenAIServer) -> None:
    """Defects hide where kinds, sizes and ways of reading meet, which no list of examples covers."""
    for case in generated(30, shard):
        assert_the_same_thrice(case, sdk, server)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_very_many_calls_replay_as_they_were_live(shard: int, sdk: Colour, server: OpenAIServer) -> None:
    """The same 2,400 times in each colour's half."""
    for case in generated(CASES // SHARDS // 2, 100 + shard):
        assert_the_same_thrice(case, sdk, server)
