"""The first answer in a process that has just begun, out of 3,000 that were recorded."""

from __future__ import annotations

import asyncio

from .. import answers
from ..clock import Stopwatch
from ..contenders import Contender, LlamaStack, Ours
from ..recorded import write_answers
from ..workload import Measured, Setting, Workload

RECORDINGS = 3_000


class ColdStart(Workload):
    """Time from entering to the first answer, in microseconds.

    Of who keeps cassettes, only the one that is opened is made: that the others lie beside it changes nothing.
    """

    name = "cold-start"
    contenders = ("ours", "sdk", "vcrpy", "cassetter", "llama-stack")
    is_fresh = True
    most_rounds = 3

    def prepare(self, contender: Contender, setting: Setting) -> None:
        count = setting.scaled(RECORDINGS)
        if isinstance(contender, (Ours, LlamaStack)):  # they read each other's files
            directory = setting.directory / "recordings" if isinstance(contender, LlamaStack) else setting.directory
            write_answers(directory, range(count))
            return
        first = count - min(contender.calls_in_a_group, count)
        with contender.recording(setting.directory), answers.memory_client() as client:
            for number in range(first, count) if first else ():  # the plain SDK keeps nothing
                answers.check_answer(client.chat.completions.create(**answers.question(number)), number)

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        last = setting.scaled(RECORDINGS) - 1
        watch = Stopwatch()
        if isinstance(contender, LlamaStack):
            asyncio.run(self._async(contender, setting, watch, last))
            return watch.each(1)
        with contender.client() as client, watch.running(), contender.replaying(setting.directory):
            answers.check_answer(client.chat.completions.create(**answers.question(last)), last)
        return watch.each(1)

    async def _async(self, contender: Contender, setting: Setting, watch: Stopwatch, last: int) -> None:
        async with contender.async_client() as client:
            with watch.running(), contender.replaying(setting.directory):
                answers.check_answer(await client.chat.completions.create(**answers.question(last)), last)
