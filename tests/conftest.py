"""What all tests share: the server, sync and async clients, and a directory for recordings."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, settings

from inference_recorder.config import DIRECTORY_VARIABLES, MODE_VARIABLES
from inference_recorder.engine.test_run import without_test_run

from .support.openai_server import OpenAIServer, default_reply, running_server

# How long an example takes depends on the machine, not on the code.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

NEEDS_BROWSER = "no chromium on the PATH"
SHARED = Path(__file__).parents[2] / "shared"
MOST_QUICK_CASES = 20
"""The number of cases of one test that the quick run takes, unless the marker `quick_cases` gives another."""
HELLO: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}


class Colour:
    """The sync SDK; AsyncColour is called in the same way, so that a test is written once and runs for both.

    Its HTTP client loads no certificates: these take forty times as long as the rest of a client.
    """

    is_async = False
    distribution = "openai"
    version = openai.__version__

    def __init__(self, base_url: str, **options: Any) -> None:
        self.client: Any = self._make(base_url=base_url, **{"api_key": "sk-test", "max_retries": 0} | options)

    def _make(self, **options: Any) -> Any:
        return openai.OpenAI(**{"http_client": openai.DefaultHttpxClient(verify=False)} | options)

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Return the result of calling the client's method of this name."""
        return self.wait(attrgetter(name)(self.client)(*args, **kwargs))

    def wait(self, result: Any) -> Any:
        """Return the awaited result of an async method; the result of a sync one is returned unchanged."""
        return result

    def items(self, stream: Any) -> list[Any]:
        """Return all chunks of a stream, or items of a page."""
        return list(stream)

    def take(self, stream: Any, count: int) -> list[Any]:
        """Return the next `count` chunks of a stream."""
        return [next(stream) for _ in range(count)]

    def close(self) -> None:
        self.client.close()


class AsyncColour(Colour):
    """The async SDK, on an event loop of its own."""

    is_async = True

    def __init__(self, base_url: str, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        super().__init__(base_url, **options)

    def _make(self, **options: Any) -> Any:
        return openai.AsyncOpenAI(**{"http_client": openai.DefaultAsyncHttpxClient(verify=False)} | options)

    def wait(self, result: Any) -> Any:
        if not hasattr(result, "__await__"):
            return result
        try:
            return self.loop.run_until_complete(_awaited(result))
        finally:
            self._end_dropped_generators()

    def _end_dropped_generators(self) -> None:
        # A task of the loop closes each. A generator that is collected before that task ends cannot be closed again.
        self.loop.run_until_complete(asyncio.sleep(0))
        tasks = asyncio.all_tasks(self.loop)
        if closing := [task for task in tasks if type(task.get_coro()).__name__ == "async_generator_athrow"]:
            self.loop.run_until_complete(asyncio.wait(closing, timeout=5))

    def items(self, stream: Any) -> list[Any]:
        return self.wait(_collected(stream))

    def take(self, stream: Any, count: int) -> list[Any]:
        return [self.wait(anext(stream)) for _ in range(count)]

    def close(self) -> None:
        self.wait(self.client.close())
        gc.collect()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


async def _collected(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cases of a test beyond its quick ones as slow; the test's name determines which."""
    cases_by_test: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("slow") is None:
            cases_by_test[item.nodeid.partition("[")[0]].append(item)
    for name, cases in cases_by_test.items():
        marker = cases[0].get_closest_marker("quick_cases")
        surplus = max(0, len(cases) - (MOST_QUICK_CASES if marker is None else marker.args[0]))
        for item in random.Random(name).sample(cases, surplus):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    # What these tests leave in the temporary directory is removed with pytest's own.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.getbasetemp()))
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())
    # Continuous integration sets "CI", with which the suites that these tests start would refuse to record.
    from_outside = (name for name in os.environ if name.startswith("OPENAI_") or name == "CI")
    for name in (*MODE_VARIABLES, *DIRECTORY_VARIABLES, *from_outside):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module", autouse=True)
def _only_new_objects_are_collected() -> None:
    # With all modules imported, a collection at the end of each async test took 90 ms; now it visits new objects only.
    gc.collect()
    gc.freeze()


@pytest.fixture
def without_plugin() -> Iterator[None]:
    """Hides the pytest plugin from the recorders of this test."""
    with without_test_run():
        yield


@pytest.fixture
def sessions_are_runs(without_plugin: None) -> None:
    """Makes each recorder of this test count as a run of its own: its series start at position 1."""


@pytest.fixture(scope="session")
def _running_server() -> Iterator[OpenAIServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def server(_running_server: OpenAIServer) -> OpenAIServer:
    _running_server.received.clear()
    _running_server.scripts.clear()
    _running_server.elsewhere = default_reply
    return _running_server


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
def client(server: OpenAIServer) -> Iterator[openai.OpenAI]:
    http_client = openai.DefaultHttpxClient(verify=False)
    with openai.OpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0, http_client=http_client) as client:
        yield client


@pytest.fixture(params=[Colour, AsyncColour], ids=["sync", "async"])
def make_sdk(request: pytest.FixtureRequest, server: OpenAIServer) -> Iterator[Callable[..., Colour]]:
    """Makes sync or async SDKs with the given client options."""
    made: list[Colour] = []

    def make(**options: Any) -> Colour:
        made.append(request.param(**{"base_url": server.base_url} | options))
        return made[-1]

    yield make
    for colour in made:
        colour.close()


@pytest.fixture
def sdk(make_sdk: Callable[..., Colour]) -> Colour:
    return make_sdk()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Name the tests that lacked a program in the last lines: a green summary must not hide that they did not run."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = [] if reporter is None or hasattr(config, "workerinput") else reporter.stats.get("skipped", [])
    reasons = ((report.nodeid.partition("::")[0], str(report.longrepr[-1])) for report in skipped)
    for (file, reason), count in Counter(each for each in reasons if each[1].endswith("on the PATH")).items():
        reporter.write_line(f"not run: {count} tests of {file}: {reason.removeprefix('Skipped: ')}")


def files_of(directory: Path) -> list[str]:
    """Return the names of the recordings in a directory."""
    return sorted(path.name for path in directory.glob("*.json"))
