"""A directory of 100 recordings, then 1,000, 10,000 and 100,000: a replay finds its own by name."""

from __future__ import annotations

from .. import answers
from ..clock import Stopwatch
from ..contenders import Contender
from ..recorded import crowd, write_answers
from ..workload import Measured, Setting, Workload

CALLS = 100
SESSIONS = 10
SIZES = (100, 1_000, 10_000, 100_000)


class Crowd(Workload):
    """Time of a replay with 100 recordings ("cpu") and with more ("cpu_1000", "cpu_10000", "cpu_100000")."""

    name = "crowd"
    contenders = ("ours",)

    def prepare(self, contender: Contender, setting: Setting) -> None:
        for size in SIZES:
            directory = setting.directory / str(size)
            write_answers(directory, range(CALLS))
            crowd(directory, setting.scaled(size) - CALLS if size > CALLS else 0)

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        measured = {}
        questions = [answers.question(number) for number in range(CALLS)]
        watches = {size: Stopwatch() for size in SIZES}
        with contender.client() as client:
            for _ in range(SESSIONS):
                for size, watch in watches.items():  # in turns, as all else
                    with contender.replaying(setting.directory / str(size)), watch.running():
                        for number, question in enumerate(questions):
                            answers.check_answer(client.chat.completions.create(**question), number)
        for size, watch in watches.items():
            end = "" if size == min(SIZES) else f"_{size}"
            measured |= {metric + end: time for metric, time in watch.each(CALLS * SESSIONS).items()}
        return measured
