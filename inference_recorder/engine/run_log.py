"""What one test run has recorded for more than one test, known to all processes of the run."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, TypedDict

from ..children.usage import lines_since

if TYPE_CHECKING:
    from .decisions import Record

    class _Line(TypedDict, total=False):
        """A line of a process's file."""

        ids: dict[str, str]
        texts: list[str]
        recorded: str


class RunLog:
    """Recordings that this run has made for several tests, and the ids that kept recordings have for new ones.

    Each process appends lines to a file of its own in `directory` and reads those of the others; without a directory
    there is only this process. It reads only what the same run wrote, in a directory that only its user can enter.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.ids: dict[str, str] = {}
        """Id in an answer of this run -> the one its recording keeps if nothing else differs. Guarded by `_guard`."""
        self.new_ids: dict[str, str] = {}
        """The inverse; the newest counts. Guarded by `_guard`."""
        self.texts: set[str] = set()
        """Texts in answers to several tests' requests that are new in this run. Guarded by `_guard`."""
        self.has_dropped = False
        """Whether in this process a call of a wider fixture, or a shared one, failed and was not recorded."""
        self.directory = directory
        """Where the processes of the run write; None if there is only this one."""
        self._recorded: set[str] = set()
        self._read: dict[str, int] = {}
        """File of another process -> how many of its bytes are known."""
        self._own: tuple[int, str] = 0, ""
        """(process, file): a forked child writes one of its own."""
        self._guard = threading.RLock()  # reentrant: a stream that is collected as garbage is stored anywhere

    def has(self, directory: Path, key: str, position: int) -> bool:
        """Return whether this run has recorded the answer at this position of a series."""
        with self._guard:
            return _name(directory, key, position) in self._recorded

    def known_ids(self, own: Mapping[str, str]) -> Mapping[str, str]:
        """Return {new id: kept id}; `own` are those that differ from the rest of the run."""
        with self._guard:
            return {**self.ids, **own}

    def note_ids(self, ids: Mapping[str, str]) -> None:
        """Tell the run {new id: kept id}."""
        if ids:
            self._note({"ids": dict(ids)})

    def note_answer(self, decision: Record, position: int, directory: Path, content: bytes) -> None:
        """Tell the run that the answer to a request of several tests is stored, and which texts in it are new."""
        from ..recording.texts import new_texts, repeats_one

        state = decision.state
        line: _Line = {"recorded": _name(directory, decision.key, position)}
        # Where nothing was replaced, its request may be new since it repeats another new answer.
        if state.replaced is not None or (not state.is_unchanged and repeats_one(decision.body, self.texts)):
            line["texts"] = sorted(new_texts(content, state.replaced))
        self._note(line)

    def note_recording(self, directory: Path, key: str, position: int) -> None:
        """Tell the run that the answer at this position of a series is stored."""
        self._note({"recorded": _name(directory, key, position)})

    def refresh(self) -> None:
        """Read what other processes of the run have added since."""
        if self.directory is None:
            return
        with self._guard:
            for name in os.listdir(self.directory):
                if name != self._own[1] or self._own[0] != os.getpid():
                    self._read_on(self.directory / name, name)

    def _read_on(self, path: Path, name: str) -> None:
        lines, self._read[name] = lines_since(path, self._read.get(name, 0))
        for line in lines:
            self._take(json.loads(line))

    def _note(self, line: _Line) -> None:
        with self._guard:
            self._take(line)
            if self.directory is not None:
                if self._own[0] != os.getpid():
                    self._own = os.getpid(), f"{os.getpid()}-{token_hex(4)}.jsonl"
                with (self.directory / self._own[1]).open("ab", buffering=0) as file:
                    file.write(json.dumps(line).encode() + b"\n")

    def _take(self, line: _Line) -> None:
        for new, kept in line.get("ids", {}).items():
            self.ids[new], self.new_ids[kept] = kept, new
        self.texts.update(line.get("texts", ()))
        if "recorded" in line:
            self._recorded.add(line["recorded"])


def _name(directory: Path, key: str, position: int) -> str:
    return f"{directory}{os.sep}{key}.{position}"
