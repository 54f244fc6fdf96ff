"""What stays in memory after 10,000 replays, and what a stream of 50 MB needs while it is read."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

from .. import answers
from ..contenders import Contender
from ..recorded import write_answers, write_stream
from ..workload import Measured, Setting, Workload

REPLAYS = 10_000
WARM_UP = 500
STREAM_BYTES = 50_000_000


class Held(Workload):
    """Megabytes "held" by an open session after 10,000 replays of as many recordings."""

    name = "held"
    contenders = ("ours", "sdk")
    is_fresh = True
    most_rounds = 3

    def prepare(self, contender: Contender, setting: Setting) -> None:
        if contender.effort == 1:
            write_answers(setting.directory, range(setting.scaled(REPLAYS)))

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        with contender.client() as client:
            with contender.replaying(setting.directory):
                self._calls(client, range(setting.scaled(WARM_UP)))
            with contender.replaying(setting.directory):
                before = _resident()
                self._calls(client, range(setting.scaled(REPLAYS, contender)))
                return {"held": (_resident() - before) / 1e6}

    def _calls(self, client: Any, numbers: range) -> None:
        for number in numbers:
            answers.check_answer(client.chat.completions.create(**answers.question(number)), number)


class BigStream(Workload):
    """The most that reading a stream of 50 MB needs, as a multiple of its file's size ("peak")."""

    name = "big-stream"
    contenders = ("ours", "sdk")
    is_fresh = True
    most_rounds = 3
    _question = answers.streamed_question(0)

    def prepare(self, contender: Contender, setting: Setting) -> None:
        if contender.effort == 1:
            line = answers.sent_chunks(1)[1]
            count = setting.scaled(STREAM_BYTES) // (len(line) + 100)
            path = write_stream(setting.directory, self._question, [line] * count)
            (setting.directory / "size").write_text(f"{count} {path.stat().st_size}")

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        if contender.effort < 1:
            return self._of_the_sdk(contender, setting)
        count, size = map(int, (setting.directory / "size").read_text().split())
        with contender.client() as client, contender.replaying(setting.directory):
            before = _resident()
            _forget_the_peak()
            count_of_words = sum(
                chunk.choices[0].delta.content == answers.WORD for chunk in _stream(client, self._question)
            )
            assert count_of_words == count
            return {"peak": (_peak() - before) / size}

    def _of_the_sdk(self, contender: Contender, setting: Setting) -> Measured:
        words = setting.scaled(STREAM_BYTES, contender) // 400
        size = sum(map(len, answers.sent_chunks(words)))
        question = answers.streamed_question(words)
        with contender.client() as client:
            _stream(client, answers.streamed_question(10))
            before = _resident()
            _forget_the_peak()
            for _ in _stream(client, question):
                pass
            return {"peak": (_peak() - before) / size}


def _stream(client: Any, question: dict[str, Any]) -> Any:
    return client.chat.completions.create(**question)


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _forget_the_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
