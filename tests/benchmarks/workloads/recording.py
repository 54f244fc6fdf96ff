"""Recording over loopback, against the same calls made live."""

from __future__ import annotations

import statistics
import time

from .. import answers
from ..clock import Stopwatch
from ..contenders import Contender
from ..workload import Measured, Setting, Workload, emptied

CALLS = 100
STREAMS = 10
WORDS = 200
PACED_STREAMS = 5


class RecordCalls(Workload):
    """Time of a plain call. Opening and closing, which is when cassettes are written, is counted for all alike."""

    name = "record-plain"
    contenders = ("ours", "sdk", "vcrpy", "cassetter")

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        calls = setting.scaled(CALLS)
        with answers.cut_off_client(setting.base_url) as client:
            answers.check_answer(client.chat.completions.create(**answers.question(0)), 0)  # connects
            watch = Stopwatch()
            size = contender.calls_in_a_group
            for group, first in enumerate(range(0, calls, size)):
                directory = emptied(setting.directory / str(group))
                with watch.running(), contender.recording(directory, group):
                    for number in range(first, min(calls, first + size)):
                        answer = client.chat.completions.create(**answers.question(number))
                        answers.check_answer(answer, number)
        return watch.each(calls)


class RecordStreams(Workload):
    """Time of a chunk of a stream whose chunks come as fast as they can; "first" as with replayed streams."""

    name = "record-stream"
    contenders = ("ours", "sdk", "vcrpy", "cassetter")
    _words = WORDS
    _streams = STREAMS

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        streams = max(2, setting.scaled(self._streams * 10) // 10)
        with answers.cut_off_client(setting.base_url) as client:
            answers.check_answer(client.chat.completions.create(**answers.question(0)), 0)
            watch, first = Stopwatch(), []
            for number in range(streams):
                directory = emptied(setting.directory / str(number))
                with watch.running(), contender.recording(directory):
                    begun = time.perf_counter()
                    stream = iter(client.chat.completions.create(**answers.streamed_question(self._words)))
                    texts = [answers.text_of(next(stream))]
                    first.append(time.perf_counter() - begun)
                    texts += map(answers.text_of, stream)
                answers.check_stream(texts, self._words)
        return {**watch.each(streams * self._words), "first": statistics.median(first) * 1e6}


class RecordPaced(RecordStreams):
    """The same with a pause of 2 ms before each chunk: reading all of it first would keep the caller waiting."""

    name = "record-paced"
    _words = answers.PACED_WORDS
    _streams = PACED_STREAMS
