"""Runs in a framework's own environment: every way of using it, recorded or replayed, as JSON on stdout.

python -m tests.compat.frameworks.driver NAME FOLDER               records, with a server of its own
python -m tests.compat.frameworks.driver NAME FOLDER BASE_URL      replays, where BASE_URL is the stopped server's

What is named for a miss is tried when replaying, with a server of recordings that has none.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import openai

import inference_recorder
from inference_recorder import inference_recording

from .table import MISSED, WAYS


def main(name: str, directory: str, base_url: str | None = None) -> None:
    """Print what came of every way: {"versions", "base_url", "ways": {name: {"result" | "error", "counts"}}}.

    That of a miss is {"result" | "is_not_found", "models"}.
    """
    if not Path(inference_recorder.__file__).is_relative_to(sys.prefix):
        raise SystemExit(f"{inference_recorder.__file__} is not the package installed in {sys.prefix}")
    with redirect_stdout(sys.stderr):
        framework = import_module(f".use_{name.replace('-', '_')}", __package__)
        outcome = _replayed(framework, Path(directory), base_url) if base_url else _recorded(framework, Path(directory))
    print(json.dumps(outcome | {"versions": _versions(name)}))


def ways_of(framework: ModuleType) -> dict[str, Callable[[str], Any]]:
    """Return the functions of a framework's module that are named for a way, or for a way and its variety."""
    return {
        name: function
        for name, function in inspect.getmembers(framework, inspect.isfunction)
        if name.partition("_")[0] in WAYS
    }


def _recorded(framework: ModuleType, directory: Path) -> dict[str, Any]:
    from ...support.openai_server import running_server
    from .scripted import script

    ways: dict[str, Any] = {}
    with _loop() as loop, running_server() as server:
        script(server)
        for name, function in ways_of(framework).items():
            if name.startswith(MISSED):
                continue
            before = server.count
            ways[name] = _outcome(function, loop, server.base_url, "record", directory / name)
            ways[name]["requests"] = server.count - before
    return {"base_url": server.base_url, "ways": ways}


def _replayed(framework: ModuleType, directory: Path, base_url: str) -> dict[str, Any]:
    with _loop() as loop:
        ways = {
            name: _missed(function, loop, directory / name)
            if name.startswith(MISSED)
            else _outcome(function, loop, base_url, "replay", directory / name)
            for name, function in ways_of(framework).items()
        }
    return {"base_url": base_url, "ways": ways}


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One loop for all ways: langchain-openai keeps its async HTTP client from one model to the next."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _outcome(
    function: Callable[[str], Any], loop: asyncio.AbstractEventLoop, base_url: str, mode: str, directory: Path
) -> dict[str, Any]:
    with inference_recording(mode, directory) as session:
        try:
            outcome = {"result": json.loads(json.dumps(_result(function, loop, base_url)))}
        except Exception:
            outcome = {"error": traceback.format_exc(limit=-4)}
    return outcome | {"counts": session.counts}


def _missed(function: Callable[[str], Any], loop: asyncio.AbstractEventLoop, directory: Path) -> dict[str, Any]:
    from inference_recorder.server.app import RecordingServer
    from inference_recorder.server.running import serving

    outcome: dict[str, Any]
    with inference_recording("replay", directory) as session, serving(RecordingServer()) as url:
        try:
            outcome = {"result": str(_result(function, loop, f"{url}/v1"))}
        except Exception as error:
            outcome = {"is_not_found": isinstance(error, openai.NotFoundError)}
    return outcome | {"models": [call.model for call in session.missed]}


def _result(function: Callable[[str], Any], loop: asyncio.AbstractEventLoop, base_url: str) -> Any:
    result = function(base_url)
    return loop.run_until_complete(result) if inspect.isawaitable(result) else result


def _versions(name: str) -> dict[str, str]:
    with openai.OpenAI(api_key="none") as client:
        roots = [kind.__module__.partition(".")[0] for kind in type(client._client).__mro__]
    http = next(root for root in roots if root.startswith("httpx"))
    return {name: version(name), "openai": openai.__version__, "http": f"{http} {version(http)}"}


if __name__ == "__main__":
    main(*sys.argv[1:])
