"""A thousand distinct plain calls, each with its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from .. import answers, data_alone
from ..clock import Stopwatch
from ..contenders import Contender, Data
from ..workload import Measured, Setting, Workload

CALLS = 1_000


class Calls(Workload):
    """Time of a call. Opening a session or a cassette, and what that loads, is not counted: for us it is nothing."""

    def __init__(self, *, has_tools: bool, is_async: bool) -> None:
        self.name = f"{'tools' if has_tools else 'plain'}-{'async' if is_async else 'sync'}"
        self.contenders = ("ours", "sdk", "data", "vcrpy", "cassetter", *(("llama-stack",) if is_async else ()))
        self._has_tools = has_tools
        self._is_async = is_async

    def prepare(self, contender: Contender, setting: Setting) -> None:
        asyncio.run(self._record(contender, setting))

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        if isinstance(contender, Data):
            return self._data(contender, setting)
        return asyncio.run(self._async(contender, setting)) if self._is_async else self._sync(contender, setting)

    async def _record(self, contender: Contender, setting: Setting) -> None:
        questions = self._questions(contender, setting)
        for group, numbers in self._groups(contender, len(questions)):
            with contender.recording(setting.directory, group):
                async with answers.memory_async_client() as client:
                    for number in numbers:
                        answer = await client.chat.completions.create(**questions[number])
                        answers.check_answer(answer, number)

    def _sync(self, contender: Contender, setting: Setting) -> Measured:
        questions = self._questions(contender, setting)
        watch = Stopwatch()
        with contender.client() as client:
            for group, numbers in self._groups(contender, len(questions)):
                with contender.replaying(setting.directory, group), watch.running():
                    for number in numbers:
                        answers.check_answer(client.chat.completions.create(**questions[number]), number)
        return watch.each(len(questions))

    async def _async(self, contender: Contender, setting: Setting) -> Measured:
        questions = self._questions(contender, setting)
        watch = Stopwatch()
        async with contender.async_client() as client:
            for group, numbers in self._groups(contender, len(questions)):
                with contender.replaying(setting.directory, group), watch.running():
                    for number in numbers:
                        answers.check_answer(await client.chat.completions.create(**questions[number]), number)
        return watch.each(len(questions))

    def _data(self, contender: Data, setting: Setting) -> Measured:
        paths = data_alone.paths_of(setting.directory, self._questions(contender, setting))
        watch = Stopwatch()
        with watch.running():
            for number, path in enumerate(paths):
                answers.check_answer(data_alone.completion(path), number)
        return watch.each(len(paths))

    def _questions(self, contender: Contender, setting: Setting) -> list[dict[str, Any]]:
        count = setting.scaled(CALLS, contender)
        return [answers.question(number, has_tools=self._has_tools) for number in range(count)]

    def _groups(self, contender: Contender, count: int) -> Iterator[tuple[int, range]]:
        size = contender.calls_in_a_group
        for group, first in enumerate(range(0, count, size)):
            yield group, range(first, min(count, first + size))
