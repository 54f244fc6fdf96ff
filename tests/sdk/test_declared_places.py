"""The table of declared secrets, by each way of asking and in each place of a request: nothing shows one."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import openai
import pytest
from click.testing import CliRunner

from inference_recorder import MissingRecording, inference_recording
from inference_recorder.cli.main import main

from ..conftest import Colour
from ..support.openai_server import (
    OpenAIServer,
    ReceivedRequest,
    Reply,
    chunk,
    completion,
    error,
    response,
    response_events,
)
from ..support.secret_table import DECLARED, Declared
from .test_redaction import assert_nowhere

_QUICK = ("number",)


def directories(secret: Any) -> dict[str, dict[str, Any]]:
    """Return a request for each place that people write a secret to."""
    text = secret if isinstance(secret, str) else json.dumps(secret)
    params: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Close it."}]}
    schema = {"type": "object", "properties": {"who": {"enum": [secret], "default": secret, "const": secret}}}
    call = {"id": "c", "type": "function", "function": {"name": "close", "arguments": json.dumps({"who": secret})}}
    tool = {"type": "function", "function": {"name": "close", "parameters": schema}}
    return {
        "prompt": params | {"messages": [{"role": "user", "content": f"Close {text}."}]},
        "argument": params | {"user": secret},
        "metadata": params | {"metadata": {"who": secret, text: ["a", secret]}},
        "tool": params | {"tools": [tool]},
        "history": params | {"messages": [*params["messages"], {"role": "assistant", "tool_calls": [call]}]},
        "extra": params | {"extra_body": {"customer": {"id": secret}}, "extra_query": {"of": secret}},
        "answer alone": params,
    }


def answering(server: OpenAIServer, secret: Any) -> None:
    """Make the server repeat the secret in every answer: texts, tool calls in chunks, members of its own."""
    text = secret if isinstance(secret, str) else json.dumps(secret)
    arguments = json.dumps({"who": secret, "all": [secret, {"who": secret}]})
    call = {"index": 0, "id": "call_1", "type": "function"}
    deltas = [{**call, "function": {"arguments": arguments[at : at + 3]}} for at in range(0, len(arguments), 3)]

    def chat(asked: ReceivedRequest, _: int) -> Reply:
        if asked.json["model"] == "failing":
            return error(400, f"No such customer: {text}", x_customer=json.dumps(text)[1:-1])
        if asked.json.get("stream"):
            return Reply(
                events=[chunk({"content": f"It is {text}"}), *(chunk({"tool_calls": [one]}) for one in deltas)]
            )
        answer = completion(f"It is {text}", customer=secret, more={"of": [secret]})
        answer["choices"][0]["message"]["tool_calls"] = [{**call, "function": {"name": "f", "arguments": arguments}}]
        return Reply(answer)

    server.scripts["/v1/chat/completions"] = chat
    params = {"metadata": {"who": text}, "customer": secret}
    server.scripts["/v1/responses"] = lambda asked, _: (
        Reply(events=response_events(f"It is {text}"), is_done_sent=False)
        if asked.json.get("stream")
        else Reply(response(f"It is {text}", **params))
    )


def ask(sdk: Colour, params: dict[str, Any]) -> list[Any]:
    """Ask by each way; return what was answered."""
    asked = {"model": "gpt-4o", "input": params["messages"][0]["content"], "metadata": params.get("metadata")}
    with pytest.raises(openai.BadRequestError) as failed:
        sdk.call("chat.completions.create", **params | {"model": "failing"})
    return [
        sdk.call("chat.completions.create", **params).to_dict(),
        [one.to_dict() for one in sdk.items(sdk.call("chat.completions.create", **params, stream=True))],
        sdk.call("chat.completions.with_raw_response.create", **params).parse().to_dict(),
        sdk.call("responses.create", **asked).to_dict(),
        [one.to_dict() for one in sdk.items(sdk.call("responses.create", **asked, stream=True))],
        sdk.call("post", "/chat/completions", body={"model": "m", "who": params.get("user")}, cast_to=object),
        failed.value.body,
    ]


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(secret, id=secret.kind, marks=() if secret.kind in _QUICK else pytest.mark.slow)
        for secret in DECLARED
    ],
)
def test_no_place_shows_a_declared_secret(
    secret: Declared,
    sdk: Colour,
    server: OpenAIServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Files, reprs, errors, logs, pages and commands."""
    caplog.set_level(logging.DEBUG, "inference_recorder")
    for name, value in secret.variables:
        monkeypatch.setenv(name, value)
    answering(server, secret.value)
    rules: dict[str, Any] = {"redact": secret.redact, "secret_env": secret.secret_env}
    directory, shown = tmp_path / "recordings", ""
    for position, params in directories(secret.value).items():
        with inference_recording("record", directory, **rules) as recorded:
            live = ask(sdk, params)
        with inference_recording("replay", directory, **rules) as replayed:
            again = ask(sdk, params)
            with pytest.raises(MissingRecording) as missed:
                sdk.call("chat.completions.create", **params, seed=7)

        sessions = (recorded, replayed, recorded.recorded, replayed.replayed, replayed.missed)
        shown += f"{sessions!r}{missed.value!r}{missed.value}{missed.value.__dict__}"
        if position in ("prompt", "argument"):
            assert _customer(live[0]) == _customer(again[0]), position
        assert [type(one) for one in live] == [type(one) for one in again]
        assert json.loads(again[0]["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]).keys()
    page = tmp_path / "page.html"
    for command in (["report", "-o", str(page), str(directory)], ["explain", "--dir", str(directory)]):
        shown += CliRunner().invoke(main, command, catch_exceptions=False).output
    shown += page.read_text(encoding="utf-8")
    shown += "".join(one.getMessage() for one in caplog.records if one.name.startswith("inference_recorder"))

    assert_nowhere(secret.spelled, directory)
    assert secret.spelled not in shown
    assert json.dumps(secret.spelled)[1:-1] not in shown


def _customer(answer: dict[str, Any]) -> Any:
    return answer["customer"], answer["more"], answer["choices"][0]["message"]
