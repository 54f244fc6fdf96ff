"""One session of `inference_recorder.llama_stack` in a server: each request has the directories of its test."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import quote

import httpx
import openai
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from inference_recorder.asgi import TEST_ID_HEADER, TestIdMiddleware
from inference_recorder.llama_stack import api_recording

from ..conftest import HELLO
from ..support.loopback import serve
from ..support.openai_server import OpenAIServer

HOSTILE = [
    "../outside/test_x.py::test_x",
    "tests/../../outside/test_x.py",
    "{outside}/test_x.py",
    "linked/test_x.py::t",
]


@pytest.mark.slow
@pytest.mark.usefixtures("without_plugin")
@pytest.mark.parametrize("mode", ["record", "record-if-missing"])
def test_concurrent_requests_are_recorded_beside_their_tests(
    mode: str, server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the header says, nothing is written outside of the project."""
    root, outside = tmp_path / "project", tmp_path / "outside"
    for test in (outside / "test_x.py", root / "tests/a/test_x.py", root / "tests/b/test_x.py"):
        test.parent.mkdir(parents=True)
        test.touch()
    (root / ".git").mkdir()
    (root / "linked").symlink_to(outside)
    monkeypatch.chdir(root)
    ids = [f"tests/{directory}/test_x.py::test_x[{number}]" for directory in "ab" for number in range(4)]
    ids += [test_id.format(outside=outside) for test_id in HOSTILE]

    replies = [_replies_for(ids, each, server.base_url) for each in (mode, "replay")]

    where = [path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")]
    assert {"tests/a/recordings": 4, "tests/b/recordings": 4, "tests/common/recordings": 3} == {
        directory.removeprefix("project/"): where.count(directory) for directory in where
    }
    assert ["200"] * 11 + ["UnusableDirectory"] == replies[0] == replies[1]
    assert [11, ["test_x.py"]] == [server.count, os.listdir(outside)]


def _replies_for(ids: list[str], mode: str, base_url: str) -> list[str]:
    """Return what a server with one session replies to requests of these tests, all sent at once."""

    async def call(request: Request) -> PlainTextResponse:
        async with openai.AsyncOpenAI(base_url=base_url, api_key="x", max_retries=0) as client:
            try:
                await client.chat.completions.create(**HELLO)
            except OSError as error:
                return PlainTextResponse(type(error).__name__)
        return PlainTextResponse("200")

    async def send_all(url: str) -> list[str]:
        async with httpx.AsyncClient() as client:
            requests = (client.get(url, headers={TEST_ID_HEADER: quote(test_id)}) for test_id in ids)
            return [response.text for response in await asyncio.gather(*requests)]

    with api_recording(mode, "tests/common"), serve(TestIdMiddleware(Starlette(routes=[Route("/", call)]))) as url:
        return asyncio.run(send_all(url))
