"""The server that speaks all protocols, and one client of each SDK and colour for all tests: making one is slow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ...conftest import Colour
from ...support.anthropic_replies import ODD_TEXT, anthropic_reply
from ...support.family import FAMILY, AsyncFamilyColour, FamilyColour
from ...support.openai_server import OpenAIServer, ReceivedRequest, Reply, chunks, completion, default_reply, error
from ..ways import server_scripts

_BIG = [f"{n} é{'w' * 700} " for n in range(150)]
"""More than 64 KiB, in few chunks: each takes time."""
_START = re.compile(r"(?:/v1)?(?:/openai)?(?:/v1)?")
_KNOWS_NO_END = tuple(f"{kind}LlamaStackClient/Python 0.{minor}." for kind in ("", "Async") for minor in range(7))
"""They take the "[DONE]" at the end of a stream for JSON."""


@pytest.fixture(autouse=True)
def _no_keys_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for sdk in FAMILY.values():
        for variable in (sdk.row.variable, sdk.row.variable.replace("API_KEY", "BASE_URL")):
            monkeypatch.delenv(variable, raising=False)


@pytest.fixture(autouse=True)
def _all_protocols(server: OpenAIServer) -> Iterator[None]:
    server_scripts.install(server)
    del server.scripts["/v1/chat/completions"]
    kept, usual = dict(server.scripts), server.elsewhere

    def answer(request: ReceivedRequest, number: int) -> Reply:
        if "anthropic-version" in request.headers:
            return anthropic_reply(request, number)
        path = _START.sub("/v1", request.path, count=1)
        script = chat_reply if path == "/v1/chat/completions" else kept.get(path, default_reply)
        reply = script(replace(request, path=path), number)
        if request.headers["user-agent"].startswith(_KNOWS_NO_END):
            reply.is_done_sent = False
        return reply

    server.scripts.clear()
    server.elsewhere = answer
    yield
    server.elsewhere = usual


def chat_reply(request: ReceivedRequest, number: int) -> Reply:
    """Return an answer of the chat API; the name of the model says which one is wanted."""
    if request.method == "GET":
        return default_reply(request, number)
    body = request.json
    model = body["model"]
    if model.startswith("failing-"):
        status = int(model.rpartition("-")[2])
        return error(status, code="test_code", **({"retry_after": "1"} if status == 429 else {}))
    words = {"big": _BIG, "odd": [ODD_TEXT, "", "\x00"]}.get(model, ["Hel", "lo"])
    if not body.get("stream"):
        if body.get("tools"):
            function = {"name": "weather", "arguments": '{"city": "Paris"}'}
            call = {"id": "call_1", "type": "function", "function": function}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
            return Reply(completion(choices=[choice]))
        return Reply(completion("".join(words), odd={"nested": [1, None, 2.50]}))
    events = chunks(*words)
    if model == "erring":
        return Reply(events=[*events[:2], {"error": {"message": "Overloaded", "code": 503}}], is_done_sent=False)
    is_broken = model == "breaking"
    return Reply(events=events[:2] if is_broken else events, breaks=is_broken)


@pytest.fixture(scope="session")
def colours(_running_server: OpenAIServer) -> Iterator[dict[tuple[str, bool], Colour]]:
    colours: dict[tuple[str, bool], Colour] = {}
    yield colours
    for colour in colours.values():
        colour.close()


@pytest.fixture
def sdk_name() -> str:
    """The distribution of the SDK that a test is about; tests are parametrized with it."""
    raise NotImplementedError


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def sdk(
    request: pytest.FixtureRequest,
    sdk_name: str,
    colours: dict[tuple[str, bool], Colour],
    _running_server: OpenAIServer,
) -> Colour:
    key = sdk_name, bool(request.param)
    if key not in colours:
        FAMILY[sdk_name].imported()
        kind = AsyncFamilyColour if request.param else FamilyColour
        colours[key] = kind(FAMILY[sdk_name], _running_server)
    return colours[key]
