"""`python -m tests.comparison.child SPECIFICATION`: make calls in a tool's block, in an environment that has the tool.

The specification is a JSON file; what came of the calls is written beside it. A specification with "pytest" is the
body of a test instead (see `trial.TEST`). Imports nothing of the project, and of the tool only what the block needs.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Coroutine
from contextlib import nullcontext
from inspect import isawaitable
from pathlib import Path
from typing import Any

from .tools import TOOLS, Settings

Call = dict[str, Any]


def settings_of(specification: dict[str, Any]) -> Settings:
    """Return the settings of the tool for this row; a key that it hides is the present one."""
    if not specification["option"]:
        return {}
    settings = dict(TOOLS[specification["tool"]].options[specification["option"]][1])
    if "filter_sensitive_data" in settings:
        settings["filter_sensitive_data"] = {"<KEY>": os.environ["OPENAI_API_KEY"]}
    return settings


def perform(specification: dict[str, Any]) -> None:
    """Make the calls in the block of the tool, or in none if pytest has opened it, and write what came of them."""
    block = TOOLS[specification["tool"]].block
    mode, directory = specification["mode"], Path(specification["directory"])
    _direct_model_hosts_to_loopback()
    results: list[Any] = []
    import httpx  # noqa: F401 - the tools patch what is imported
    import openai  # noqa: F401

    if specification["barrier"]:
        _wait_for_the_others(specification)
    if specification["limit_bytes"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel kills the process in the middle of a write
        import resource  # Windows has none

        resource.setrlimit(resource.RLIMIT_FSIZE, (specification["limit_bytes"],) * 2)
    is_opened = block is None or specification["pytest"]
    error = ""
    try:
        with nullcontext() if is_opened or block is None else block(mode, directory, settings_of(specification)):
            for call in specification["calls"]:
                results.append(_result(call, specification["is_async"]))
    except Exception:
        error = traceback.format_exc()
    if not specification["limit_bytes"]:
        Path(specification["output"]).write_text(json.dumps({"results": results, "error": error}))


def _wait_for_the_others(specification: dict[str, Any]) -> None:
    barrier = Path(specification["barrier"])
    (barrier / f"ready-{os.getpid()}").touch()
    while not (barrier / "go").exists():
        time.sleep(0.005)


def _direct_model_hosts_to_loopback() -> None:
    """Resolve api.openai.com to this machine, so that a request past the SDK is seen by the server."""
    original = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        return original("127.0.0.1" if host in ("api.openai.com", b"api.openai.com") else host, *arguments, **options)

    socket.getaddrinfo = resolve


def _result(call: Call, is_async: bool) -> Any:
    started = time.monotonic()
    try:
        made = _made(call, is_async)
        return asyncio.run(made) if is_async else _driven(made)
    except Exception as error:
        import openai

        return {
            "error": type(error).__name__,
            "is_sdk_error": isinstance(error, openai.APIError),
            "body": getattr(error, "body", None),
            "text": "".join(traceback.format_exception(error)),
            "seconds": time.monotonic() - started,
        }


def _driven(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine returns that awaits nothing: with the sync client, no loop runs."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a sync call awaited something")


async def _got(value: Any) -> Any:
    return await value if isawaitable(value) else value


async def _made(call: Call, is_async: bool) -> Any:
    import openai

    kind, prompt = call["kind"], call.get("prompt", "").replace("{KEY}", os.environ.get("OPENAI_API_KEY", ""))
    if kind == "http":
        return _http(call["url"])
    client: Any = (openai.AsyncOpenAI if is_async else openai.OpenAI)(max_retries=call.get("retries", 0))
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}], **call.get("changes", {})}
    create = client.chat.completions.create
    if kind == "chat":
        return _plain(await _got(create(**body)))
    if kind == "stream":
        return await _streamed(await _got(create(**body, stream=True)), call.get("read", 10**9))
    if kind == "raw":
        raw = await _got(client.chat.completions.with_raw_response.create(**body))
        return _plain(await _got(raw.parse()))
    if kind == "parse":
        from pydantic import create_model

        parsed = await _got(
            client.chat.completions.parse(**body, response_format=create_model("Town", name=(str, ...)))
        )
        return parsed.choices[0].message.parsed.name
    if kind == "post":
        return await _got(client.post("/chat/completions", body=body, cast_to=object))
    if kind == "upload":
        return (await _got(client.files.create(file=("a.jsonl", b"{}\n"), purpose="batch"))).id
    assert kind == "speech"
    spoken = await _got(client.audio.speech.create(model="tts-1", voice="alloy", input=prompt))
    return base64.b64encode(spoken.content).decode()


def _http(url: str) -> Any:
    import httpx

    return httpx.get(url, timeout=20).json()


def _plain(completion: Any) -> dict[str, Any]:
    data = completion.model_dump(exclude={"id", "created"})
    return {"text": completion.choices[0].message.content, "data": data}


async def _streamed(stream: Any, most: int) -> dict[str, Any]:
    chunks: list[Any] = []
    times: list[float] = []
    iterator = stream.__aiter__() if hasattr(stream, "__aiter__") else iter(stream)
    while len(chunks) < most:
        try:
            chunk = await iterator.__anext__() if hasattr(iterator, "__anext__") else next(iterator)
        except (StopIteration, StopAsyncIteration):
            break
        chunks.append(chunk.model_dump(exclude={"id", "created"}))
        times.append(time.monotonic())
    else:
        await _got(stream.close() if hasattr(stream, "close") else stream.aclose())
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    return {"text": text, "chunks": chunks, "seconds_after_first": times[-1] - times[0]}


if __name__ == "__main__":
    perform(json.loads(Path(sys.argv[1]).read_text()))
