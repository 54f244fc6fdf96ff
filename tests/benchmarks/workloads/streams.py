"""Streams of words, read to their end: how soon the first chunk is there, and what each costs."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

from .. import answers, data_alone
from ..clock import Stopwatch
from ..contenders import Contender, Data
from ..workload import Measured, Setting, Workload

CHUNKS_IN_A_ROUND = 20_000
_AROUND_THE_WORDS = 3


class Streams(Workload):
    """Time of a chunk, from the call to the stream's end; "first" is from the call to the first chunk, wall time."""

    def __init__(self, words: int, *, is_async: bool = False) -> None:
        self.name = f"stream-{words}-{'async' if is_async else 'sync'}"
        self.contenders = ("ours", "sdk", "data", "vcrpy", "cassetter", *(("llama-stack",) if is_async else ()))
        self._words = words
        self._is_async = is_async
        self._question = answers.streamed_question(words)

    def prepare(self, contender: Contender, setting: Setting) -> None:
        asyncio.run(self._record(contender, setting))

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        if isinstance(contender, Data):
            return self._data(setting, contender)
        return asyncio.run(self._async(contender, setting)) if self._is_async else self._sync(contender, setting)

    async def _record(self, contender: Contender, setting: Setting) -> None:
        with contender.recording(setting.directory):
            async with answers.memory_async_client() as client:
                stream: Any = await client.chat.completions.create(**self._question)
                answers.check_stream([answers.text_of(chunk) async for chunk in stream], self._words)

    def _sync(self, contender: Contender, setting: Setting) -> Measured:
        watch, first = Stopwatch(), []
        with contender.client() as client:
            for _ in range(self._streams(contender, setting)):
                with contender.replaying(setting.directory), watch.running():
                    begun = time.perf_counter()
                    stream = iter(client.chat.completions.create(**self._question))
                    texts = [answers.text_of(next(stream))]
                    first.append(time.perf_counter() - begun)
                    texts += map(answers.text_of, stream)
                    answers.check_stream(texts, self._words)
        return self._measured(watch, first)

    async def _async(self, contender: Contender, setting: Setting) -> Measured:
        watch, first = Stopwatch(), []
        async with contender.async_client() as client:
            for _ in range(self._streams(contender, setting)):
                with contender.replaying(setting.directory), watch.running():
                    begun = time.perf_counter()
                    stream = aiter(await client.chat.completions.create(**self._question))
                    texts = [answers.text_of(await anext(stream))]
                    first.append(time.perf_counter() - begun)
                    texts += [answers.text_of(chunk) async for chunk in stream]
                    answers.check_stream(texts, self._words)
        return self._measured(watch, first)

    def _data(self, setting: Setting, contender: Data) -> Measured:
        (path,) = data_alone.paths_of(setting.directory, [self._question])
        watch, first = Stopwatch(), []
        for _ in range(self._streams(contender, setting)):
            with watch.running():
                begun = time.perf_counter()
                stream = data_alone.chunks(path)
                texts = [answers.text_of(next(stream))]
                first.append(time.perf_counter() - begun)
                texts += map(answers.text_of, stream)
                answers.check_stream(texts, self._words)
        return self._measured(watch, first)

    def _streams(self, contender: Contender, setting: Setting) -> int:
        return max(1, setting.scaled(CHUNKS_IN_A_ROUND, contender) // (self._words + _AROUND_THE_WORDS))

    def _measured(self, watch: Stopwatch, first: list[float]) -> Measured:
        chunks = len(first) * (self._words + _AROUND_THE_WORDS)
        return {**watch.each(chunks), "first": statistics.median(first) * 1e6}
