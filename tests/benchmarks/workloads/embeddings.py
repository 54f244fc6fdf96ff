"""Embeddings of 64 texts with 1,536 numbers each, in the forms that a caller can ask for."""

from __future__ import annotations

from .. import answers
from ..clock import Stopwatch
from ..contenders import Contender
from ..workload import Measured, Setting, Workload

CALLS = 20


class Embeddings(Workload):
    """Time of a call. "default" is to name no encoding: the SDK then asks for base64 and hands out numbers."""

    contenders = ("ours", "sdk", "vcrpy", "cassetter")

    def __init__(self, encoding: str) -> None:
        self.name = f"embeddings-{encoding}"
        self._encoding = encoding
        self._question = answers.texts_to_embed(encoding)

    def prepare(self, contender: Contender, setting: Setting) -> None:
        with contender.recording(setting.directory), answers.memory_client() as client:
            answers.check_embeddings(client.embeddings.create(**self._question), self._encoding)

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        watch = Stopwatch()
        calls = setting.scaled(CALLS) if contender.effort == 1 else 3
        with contender.client() as client, contender.replaying(setting.directory):
            for _ in range(calls):
                with watch.running():
                    answer = client.embeddings.create(**self._question)
                answers.check_embeddings(answer, self._encoding)
        return watch.each(calls)
