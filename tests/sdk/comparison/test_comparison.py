"""A generated stream is the same live, recorded and replayed: of any length and size, read in any way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import inference_recording

from .cases import Case, generated, largest, thresholds
from .server import StreamServer, running
from .ways import WAYS, WHOLE, Seen

QUICK, SLOW, AT_ONCE = 60, 500, 200


class Clients:
    """A client of either colour, the async one on an event loop of its own."""

    def __init__(self, base_url: str) -> None:
        options: dict[str, Any] = {"base_url": base_url, "api_key": "sk-test", "max_retries": 0}
        self.loop = asyncio.new_event_loop()
        self._sync = openai.OpenAI(**options, http_client=openai.DefaultHttpxClient(verify=False))
        self._async = openai.AsyncOpenAI(**options, http_client=openai.DefaultAsyncHttpxClient(verify=False))

    def read(self, case: Case) -> Seen:
        """Return what is seen of a case that is read in its way."""
        if case.is_async:
            return self.loop.run_until_complete(self.read_async(case))
        return WAYS[case.way][0](self._sync, case)

    async def read_async(self, case: Case) -> Seen:
        return await WAYS[case.way][1](self._async, case)

    def close(self) -> None:
        self._sync.close()
        self.loop.run_until_complete(self._async.close())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


@contextmanager
def served(cases: list[Case]) -> Iterator[tuple[StreamServer, Clients]]:
    with running(cases) as server:
        clients = Clients(server.base_url)
        try:
            yield server, clients
        finally:
            clients.close()


def differences_of(case: Case, clients: Clients, server: StreamServer, directory: Path) -> list[str]:
    """Return a line for each promise that this case breaks."""
    live = clients.read(case)
    with inference_recording(case.mode, directory, test_id=f"case {case.number}") as recording:
        recorded = clients.read(case)
    before = server.received[case.number]
    with inference_recording("replay", directory, test_id=f"case {case.number}") as replaying:
        try:
            replayed = clients.read(case)
        except Exception as error:
            return [f"{case}: replay raises {error!r}"]
    complete = json.loads(recording.recorded[0].path and Path(recording.recorded[0].path).read_bytes())["response"].get(
        "is_complete", True
    )
    broken = {
        "recorded is not live": recorded != live,
        "replayed is not live": replayed != live,
        f"is_complete is {complete}": live.is_complete is not None and live.is_complete != complete,
        "asked more than twice": before != 2,
        "replay asks the server": server.received[case.number] != before,
        f"counts {recording.counts}": recording.counts != {"recorded": 1},
        f"replay counts {replaying.counts}": replaying.counts != {"replayed": 1},
    }
    return [f"{case}: {what}" for what, is_broken in broken.items() if is_broken]


def compared(cases: list[Case], directory: Path) -> None:
    """Assert that no case breaks a promise, and print how many there were."""
    begun = time.perf_counter()
    with served(cases) as (server, clients):
        broken = [line for case in cases for line in differences_of(case, clients, server, directory)]

    print(f"openai {openai.__version__}: {len(cases)} streams in {time.perf_counter() - begun:.1f} s, ", end="")
    print(f"{len(broken)} differences; thresholds {thresholds()}")
    assert [] == broken


def test_the_thresholds_are_those_of_the_code() -> None:
    """A case that lies close at no threshold proves little; the list is read out of the package."""
    assert {1 << 10, 1 << 14, 1 << 16, 1 << 18} <= set(thresholds())


def test_the_cases_are_the_same_in_every_run() -> None:
    """What fails in a check must fail again at a desk."""
    assert generated(50, list(WAYS)) == generated(50, list(WAYS))


def test_generated_streams_replay_as_they_were(recordings: Path) -> None:
    """The quick part: each way, both colours, few chunks and up to 300 KB."""
    compared(generated(QUICK, list(WAYS), most_chunks=200, most_bytes=300_000), recordings)


@pytest.mark.slow
def test_many_generated_streams_replay_as_they_were(recordings: Path) -> None:
    """Up to 5,000 chunks and 2 MiB: long async streams were recorded as left early, and each replay failed."""
    cases = generated(SLOW, list(WAYS))
    cases += largest(len(cases), WHOLE[:1]) + largest(len(cases) + 100, WHOLE[-4:])
    assert {case.way for case in cases} == set(WAYS)
    compared(cases, recordings)


@pytest.mark.parametrize("count", [40, pytest.param(AT_ONCE, marks=pytest.mark.slow)])
def test_many_streams_at_once_replay_as_they_were(count: int, recordings: Path) -> None:
    """Threads and tasks record into one session, and none of them gets, stores or cuts off another's chunks."""
    cases = [
        case._replace(mode="record")
        for case in generated(count, list(WAYS), most_chunks=1_000, most_bytes=500_000)
    ]  # fmt: skip

    def all_at_once(clients: Clients) -> list[Seen]:
        def in_threads() -> dict[int, Seen]:
            with ThreadPoolExecutor(8) as pool:
                own = [case for case in cases if not case.is_async]
                return {case.number: seen for case, seen in zip(own, pool.map(clients.read, own), strict=True)}

        async def in_tasks() -> dict[int, Seen]:
            own = [case for case in cases if case.is_async]
            threads = asyncio.get_running_loop().run_in_executor(None, in_threads)
            reading: list[Coroutine[Any, Any, Seen]] = [clients.read_async(case) for case in own]
            seen = await asyncio.gather(*reading)
            return {case.number: one for case, one in zip(own, seen, strict=True)} | await threads

        found = clients.loop.run_until_complete(in_tasks())
        return [found[case.number] for case in cases]

    with served(cases) as (server, clients):
        live = all_at_once(clients)
        with inference_recording("record", recordings, test_id="t") as recording:
            recorded = all_at_once(clients)
        asked = server.received.copy()
        with inference_recording("replay", recordings, test_id="t"):
            replayed = all_at_once(clients)

    assert {case.number: 2 for case in cases} == asked == server.received
    assert {"recorded": count} == recording.counts
    assert [] == [case for case, one, other in zip(cases, live, recorded, strict=True) if one != other]
    assert [] == [case for case, one, other in zip(cases, live, replayed, strict=True) if one != other]
    complete = _completeness(recordings)
    assert [] == [
        case
        for case, seen in zip(cases, live, strict=True)
        if seen.is_complete is not None and seen.is_complete != complete[case.number]
    ]


def _completeness(directory: Path) -> dict[int, bool]:
    documents = [json.loads(path.read_bytes()) for path in directory.glob("*.json")]
    return {
        int(document["request"]["body"]["user"]): document["response"].get("is_complete", True)
        for document in documents
    }  # fmt: skip
