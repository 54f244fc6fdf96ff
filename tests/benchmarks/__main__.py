"""`python -m tests.benchmarks [--rounds N]`: what replaying and recording cost, as ratios within one run.

CPU time, but for the first chunk, which is wall time. Each line interleaves its two sides, so that a machine that slows
down slows both; the ratio is the median of the rounds' ratios, with their smallest and largest beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import openai

from inference_recorder import inference_recording

from ..openai_server import Reply, chunks, running_server
from .workloads import PLAIN, STREAMED, WITH_TOOLS, WORDS, calls, fill, in_memory_client, stream

CALLS = 200
REPLAYS = 10
"""How often all calls are replayed in a round, each time in a session of its own: one time is too short to measure."""


def main() -> None:
    """Measure, and print a table of ratios with their bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="how often each pair is measured (default 9)")
    parser.add_argument("--recordings", type=int, default=100_000, help="in the crowded folder (default 100,000)")
    options = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.2f}; {options.rounds} rounds; openai {openai.__version__}\n")
    print(f"{'':42}{'ratio':>9}{'smallest':>10}{'largest':>10}{'bar':>9}")
    with tempfile.TemporaryDirectory() as name:
        _measure(Path(name), options.rounds, options.recordings)


def _measure(folder: Path, rounds: int, crowd: int) -> None:
    client = in_memory_client()
    for title, kwargs in (("plain call", PLAIN), ("plain call with four tools", WITH_TOOLS)):
        run = calls(client, kwargs, CALLS)
        ratios = _ratios(rounds, run, folder / title)
        _print(f"{title}: replayed / SDK in memory", ratios, 1 / 25)
    ratios = _ratios(rounds, stream(client), folder / "stream")
    _print(f"chunk of {WORDS}: replayed / SDK in memory", ratios, 1 / 15)
    _print(f"{crowd:,} recordings / 100", _crowded(client, folder, rounds, crowd), 1.15)
    _print("first chunk while recording / live (wall)", _first_chunk(folder, rounds), 1.2)


def _ratios(rounds: int, run: Callable[[], None], folder: Path) -> list[float]:
    with inference_recording("record", folder):
        run()
    ratios = []
    for _ in range(rounds):
        sdk = _cpu(run)
        replayed = 0.0
        for _ in range(REPLAYS):
            with inference_recording("replay", folder) as session:
                replayed += _cpu(run)
            assert {"replayed"} == set(session.counts)
        ratios.append(replayed / REPLAYS / sdk)
    return ratios


def _crowded(client: openai.OpenAI, folder: Path, rounds: int, crowd: int) -> list[float]:
    run = calls(client, PLAIN, CALLS)
    few, many = folder / "few", folder / "many"
    for place, count in ((few, 100 - CALLS), (many, crowd - CALLS)):
        with inference_recording("record", place):
            run()
        fill(place, max(0, count))
    ratios = []
    for _ in range(rounds):
        times = []
        for place in (many, few):
            with inference_recording("replay", place):
                run()
                times.append(_cpu(run))
        ratios.append(times[0] / times[1])
    return ratios


def _first_chunk(folder: Path, rounds: int) -> list[float]:
    with running_server() as server, openai.OpenAI(base_url=server.base_url, api_key="x") as client:
        server.answers("/v1/chat/completions", Reply(events=chunks(*["word "] * 100), pause_seconds=0.002))

        def first_chunk() -> float:
            begun = time.perf_counter()
            with client.chat.completions.create(**STREAMED) as answer:
                next(answer)
                took = time.perf_counter() - begun
                for _ in answer:
                    pass
            return took

        first_chunk()
        ratios = []
        for _ in range(rounds):
            live = statistics.median(first_chunk() for _ in range(5))
            with inference_recording("record", folder / "paced"):
                ratios.append(statistics.median(first_chunk() for _ in range(5)) / live)
        return ratios


def _cpu(run: Callable[[], None]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun


def _print(title: str, ratios: list[float], bar: float) -> None:
    middle = statistics.median(ratios)
    verdict = "" if middle <= bar else "  missed"
    print(f"{title:42}{middle:9.4f}{min(ratios):10.4f}{max(ratios):10.4f}{bar:9.4f}{verdict}", flush=True)


if __name__ == "__main__":
    main()
