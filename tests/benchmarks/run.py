"""A whole run: starts the workers, has them measure in turns, and gathers what they say."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from .contenders import CONTENDERS
from .workload import CannotMeasure, Measured, Workload

CHECKOUT = Path(__file__).parents[2]
Results = dict[str, dict[str, dict[str, list[float]]]]
"""Workload -> contender -> metric -> one value a round."""


class WorkerFailed(Exception):
    """A contender went wrong; the text says where."""


class Worker:
    """The process of one contender. `missing` says why it cannot take part."""

    def __init__(self, python: str, contender: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        self._process = subprocess.Popen(
            [python, "-m", "tests.benchmarks.worker", contender],
            cwd=CHECKOUT,
            env=environment | {"PYTHONHASHSEED": "0", "NO_PROXY": "127.0.0.1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._contender = contender
        self.missing: str | None = self._answer().get("missing")

    def ask(self, **question: Any) -> Measured:
        """Return what the worker measured; raises CannotMeasure or WorkerFailed."""
        assert self._process.stdin is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer = self._answer()
        where = f"{self._contender} in {question['workload']}"
        if "cannot" in answer:
            raise CannotMeasure(f"{where}: {answer['cannot']}")
        if "error" in answer:
            raise WorkerFailed(f"{where}: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the process."""
        with self._process:  # closes its pipes, upon which it ends, and waits for it
            pass

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"error": "its process has ended", "missing": "its process has ended"}


_NOT_INHERITED = ("OPENAI_", "LLAMA_STACK_", "OGX_", "PYTEST_", "PYTHON", "COV_")


class Run:
    """One run of benchmarks in the Python at `python`, below `directory`.

    `missing` says who took no part and why, `left_out` what else was not measured; `has_failed` is about ourselves.
    """

    def __init__(self, python: str, directory: Path, base_url: str, *, rounds: int, is_quick: bool) -> None:
        self.missing: dict[str, str] = {}
        self.left_out: list[str] = []
        self.has_failed = False
        self.results: Results = {}
        self._python = python
        self._directory = directory
        self._base_url = base_url
        self._rounds = rounds
        self._is_quick = is_quick
        self._workers: dict[str, Worker] = {}

    def measure(self, workloads: Iterable[Workload], on_start: Callable[[str], None]) -> None:
        """Measure all workloads, one after the other, the contenders of each in turns."""
        with ExitStack() as stack:
            for name in CONTENDERS:
                worker = self._workers[name] = Worker(self._python, name)
                stack.callback(worker.close)
                if worker.missing is not None:
                    self.missing[name] = worker.missing
            for workload in workloads:
                on_start(workload.name)
                self._measure(workload)

    def _measure(self, workload: Workload) -> None:
        taking_part = [name for name in workload.contenders if name not in self.missing]
        results = self.results[workload.name] = {name: {} for name in taking_part}
        for name in taking_part:
            self._try(results, workload, name, "prepare")
        for round_ in range(min(self._rounds, workload.most_rounds)):
            first = round_ % max(1, len(taking_part))
            for name in taking_part[first:] + taking_part[:first]:
                for metric, value in self._try(results, workload, name, "measure").items():
                    results[name].setdefault(metric, []).append(value)

    def _try(self, results: dict[str, Any], workload: Workload, name: str, step: str) -> Measured:
        """Return what the contender measured; it takes no further part in the workload where it could not."""
        if name not in results:
            return {}
        try:
            if step == "measure" and workload.is_fresh:
                with closing(Worker(self._python, name)) as worker:
                    return self._ask(worker, step, workload, name)
            return self._ask(self._workers[name], step, workload, name)
        except (CannotMeasure, WorkerFailed) as error:
            self.left_out.append(str(error))
            self.has_failed |= name == "ours" and isinstance(error, WorkerFailed)
            del results[name]
            return {}

    def _ask(self, worker: Worker, step: str, workload: Workload, name: str) -> Measured:
        directory = self._directory / workload.name / name
        directory.mkdir(parents=True, exist_ok=True)
        return worker.ask(
            step=step,
            workload=workload.name,
            directory=str(directory),
            base_url=self._base_url,
            is_quick=self._is_quick,
        )
