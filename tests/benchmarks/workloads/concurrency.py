"""Many at once: 500 gathered calls, 8 threads, and 8 processes that record into one place."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from .. import answers
from ..clock import Stopwatch
from ..contenders import CONTENDERS, Contender
from ..workload import Measured, Setting, Workload, emptied

GATHERED = 500
THREADS = 8
PROCESSES = 8
CALLS = 20


class Gathered(Workload):
    """Time of a call where 500 distinct ones are gathered."""

    name = "gathered"
    contenders = ("ours", "sdk", "llama-stack")

    def prepare(self, contender: Contender, setting: Setting) -> None:
        asyncio.run(self._record(contender, setting))

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        watch = Stopwatch()
        asyncio.run(self._replay(contender, setting, watch))
        return watch.each(GATHERED)

    async def _record(self, contender: Contender, setting: Setting) -> None:
        with contender.recording(setting.directory):
            async with answers.memory_async_client() as client:
                for number in range(GATHERED):
                    await client.chat.completions.create(**answers.question(number))

    async def _replay(self, contender: Contender, setting: Setting, watch: Stopwatch) -> None:
        questions = [answers.question(number) for number in range(GATHERED)]
        async with contender.async_client() as client:
            with contender.replaying(setting.directory), watch.running():
                calls = (client.chat.completions.create(**question) for question in questions)
                for number, answer in enumerate(await asyncio.gather(*calls)):
                    answers.check_answer(answer, number)


class Threads(Workload):
    """Time of a call where 8 threads share a client, a session and the questions."""

    name = "threads"
    contenders = ("ours", "sdk")

    def prepare(self, contender: Contender, setting: Setting) -> None:
        with contender.recording(setting.directory), answers.memory_client() as client:
            for number in range(GATHERED):
                client.chat.completions.create(**answers.question(number))

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        watch = Stopwatch()
        questions = [answers.question(number) for number in range(GATHERED)]
        with contender.client() as client, contender.replaying(setting.directory), ThreadPoolExecutor(THREADS) as pool:

            def call(number: int) -> None:
                answers.check_answer(client.chat.completions.create(**questions[number]), number)

            with watch.running():
                list(pool.map(call, range(GATHERED)))
        return watch.each(GATHERED)


class Processes(Workload):
    """The share of replays "found" after 8 processes recorded into one place at once, and how many of them "failed"."""

    name = "processes"
    contenders = ("ours", "vcrpy", "cassetter", "llama-stack")
    most_rounds = 3

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        name = next(name for name, kind in CONTENDERS.items() if type(contender) is kind)
        directory = emptied(setting.directory)
        # Half of what a process asks is asked by the next one too, at about the same time.
        asked = [range(first, first + CALLS) for first in range(0, PROCESSES * CALLS // 2, CALLS // 2)]
        command = [sys.executable, "-m", "tests.benchmarks.recording_process", name, str(directory)]
        running = [
            subprocess.Popen([*command, str(numbers.start), str(numbers.stop)], stderr=subprocess.DEVNULL)
            for numbers in asked
        ]
        failed = sum(process.wait() != 0 for process in running)
        found = asyncio.run(_found(contender, setting, asked))
        return {"found": found / (PROCESSES * CALLS), "failed": failed}


async def _found(contender: Contender, setting: Setting, asked: list[range]) -> int:
    found = 0
    async with contender.async_client() as client:
        with contender.replaying(setting.directory):
            for number in chain.from_iterable(asked):
                try:
                    answer = await client.chat.completions.create(**answers.question(number))
                except Exception:  # noqa: S112 - each has its own error for a call without a recording
                    continue
                answers.check_answer(answer, number)
                found += 1
    return found
