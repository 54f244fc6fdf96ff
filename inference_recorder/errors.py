"""Every error of this package, with its parts as attributes and the next step; docs/errors.md shows the docstrings."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .explanation import RECORD_COMMAND, REFUSED, Advice, Explanation, Refusal, cause_of, lines_of
from .network import is_loopback
from .packages import SDKS
from .text import visible

_RECORDING = "LLAMA_STACK_TEST_INFERENCE_MODE=record-if-missing"
_NO_OTHER_MODE = " and no other mode=... in the code"  # the plugin's option goes before one
_NOTHING_KNOWN = Explanation()
GIT_CONFLICT = "unresolved git conflict"
"""How the reason of a CorruptRecording begins that holds conflict markers."""
NOT_FETCHED = "a Git LFS pointer, its content is not fetched"
"""How the reason of a CorruptRecording ends whose file, or attachment, git-lfs has still to fetch."""


def assert_never(value: NoReturn) -> NoReturn:
    """Raise AssertionError; mypy finds a kind that a `match` does not meet. From 3.11 on: `typing.assert_never`."""
    raise AssertionError(f"unexpected {value!r}")


class RecorderError(Exception):
    """The base of all errors of this package. They cross process boundaries with all their parts."""

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[RecorderError], args: tuple[object, ...]) -> RecorderError:
    error = kind.__new__(kind)
    error.args = args
    return error


class UnknownMode(RecorderError, ValueError):
    """The mode is not one of live, record, replay and record-if-missing. Raised at entry, before anything is sent.

    Way out:
        Correct it where the message says that it comes from.

    Attributes:
        value: What was given.
        source: The argument, option, variable or setting that gave it.
        known: The four modes.
    """

    def __init__(self, value: object, source: str, known: Sequence[str]) -> None:
        self.value = value
        self.source = source
        self.known = tuple(known)
        super().__init__(f"{source} is {value!r}; it must be one of {', '.join(self.known)}")


class UnusableDirectory(RecorderError, OSError):
    """The directory of recordings cannot be read or written as the mode requires. Nothing was sent.

    Way out:
        Choose another directory in the setting that names this one, or repair it as the message says.

    Attributes:
        directory: The directory.
        reason: What is wrong with it.
    """

    def __init__(
        self, directory: Path, reason: str, advice: str = "name another directory, or repair this one"
    ) -> None:
        self.directory = directory
        self.reason = reason
        super().__init__(f"cannot keep recordings in {directory}: {reason}; {advice}")


class MissingRecording(RecorderError, RuntimeError):
    """A call in replay has no recording. Nothing was sent. The message begins with "Recording not found".

    Way out:
        Do what the message names as the cause, or run the command that it ends with.

    Attributes:
        key: The request's key, 64 hex digits.
        summary: Endpoint and model.
        host: The host that the call was meant for, "" if unknown.
        test_id: The test that made the call, or None.
        looked_in: The directories that were searched, in order.
        explanation: Why no recording answers, an `Explanation`.
        nearest: The nearest recording with its differences, or None.
        renamed_from: The test id that this test probably had before, or None.
        command: The shell command that records the call; None where it is not known, as outside a test.
    """

    def __init__(
        self,
        *,
        key: str,
        summary: str,
        test_id: str | None,
        looked_in: Sequence[Path],
        absent: Sequence[Path] = (),
        node_id: str | None = None,
        explanation: Explanation = _NOTHING_KNOWN,
        is_without_plugin: bool = False,
        host: str = "",
        record_command: str = "",
    ) -> None:
        self.key = key
        self.summary = summary
        self.host = host
        self.test_id = test_id
        self.looked_in = tuple(looked_in)
        self.explanation = explanation
        self.nearest = explanation.nearest
        self.renamed_from = explanation.renamed_from
        start = f"{_RECORDING} pytest" if is_without_plugin else shlex.join(RECORD_COMMAND)
        self._node_id, directory = node_id, next(iter(self.looked_in), Path())
        self.command = record_command or (None if node_id is None else f"{start} {shlex.quote(node_id)}")
        lines = [
            f"Recording not found for {summary}",
            f"  test: {test_id or ('shared' if explanation.is_shared else '(outside a test)')}",
            f"  key: {key}",
            *([f"  host: {host}"] if host and not is_loopback(host) else []),
            "  looked in:",
            *(
                f"    {directory}{' (does not exist)' if directory in absent else ''}"
                for directory in self.looked_in
                if directory == self.looked_in[0] or directory not in absent
            ),
            *(f"  {line}" for line in lines_of(explanation, test_id, directory, has_scope=not record_command)),
            f"  to record it, run once with a key and {_RECORDING} (or mode=...)"
            if self.command is None
            else f"  to record it, with a key{'' if record_command or not is_without_plugin else _NO_OTHER_MODE}:\n"
            f"    {self.command}",
        ]
        super().__init__(visible("\n".join(lines)))

    @property
    def cause(self) -> Advice | None:
        """What this miss may have in common with others, and how to end it for all of them."""
        return cause_of(self.explanation, self.test_id, self._node_id, next(iter(self.looked_in), None))


class LiveCallBlocked(RecorderError, RuntimeError):
    """A connection was refused before anything was sent over it.

    A session replays and the host is a model's, `block_network` is set, or `unmarked = "error"` refuses calls outside
    sessions.

    Way out:
        Make the call through a recorded SDK, mark the test, mock the call, or name the host in `allow_hosts`.

    Attributes:
        host: The host that it was meant for.
        port: Its port.
        test_id: The test that made the call, or None.
        line: The line of your own code, as "tests/test_a.py:12 in test_b"; None if none is on the stack.
        reason: "replay", "network" for `block_network`, or "unmarked".
    """

    def __init__(self, host: str, port: int, test_id: str | None, line: str | None, reason: Refusal) -> None:
        self.host = host
        self.port = port
        self.test_id = test_id
        self.line = line
        self.reason = reason
        lines = [
            f"Live call to {host}:{port} refused; nothing was sent",
            f"  test: {test_id or '(outside a test)'}",
            *([] if line is None else [f"  called by: {line}"]),
            REFUSED[reason].format(host=host, sdks=", ".join(sdk.distribution for sdk in SDKS)),
        ]
        super().__init__(visible("\n".join(lines)))


class IncompleteRecording(RecorderError, RuntimeError):
    """More of a replayed stream is read than was read while recording.

    Way out:
        Record it again, and read as far as the test needs.

    Attributes:
        path: The recording's file.
        chunks: How many chunks it holds.
    """

    def __init__(self, path: Path | str, chunks: int) -> None:
        self.path = Path(path)
        self.chunks = chunks
        super().__init__(
            f"{path} ends after {chunks} chunks because its consumer left the stream there while recording; "
            "record it again to read further (LLAMA_STACK_TEST_INFERENCE_MODE=record)"
        )


class CorruptRecording(RecorderError, ValueError):
    """A recording cannot be read. It does not count as missing, and record-if-missing does not overwrite it.

    The file is damaged, holds two answers or none, has conflict markers, has a newer format, or is not fetched from Git
    LFS.

    Way out:
        Restore it from version control, or delete it and record it again. For a git conflict, take one side. Where Git
        LFS has left a pointer, `git lfs pull`.

    Attributes:
        path: The recording's file.
        reason: What is wrong, with the byte or the JSON path.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        first, file = "restore it from version control, or ", shlex.quote(str(path))
        if reason.startswith(GIT_CONFLICT):
            first = (
                f"while the merge is unfinished: git checkout --ours {file}  (or --theirs), then git add {file}\n"
                f"  or: {first}"
            )
        elif reason.endswith(NOT_FETCHED):
            first = "fetch it (on GitHub: actions/checkout with lfs: true): git lfs install && git lfs pull\n  or: "
        super().__init__(
            f"{path} is not a readable recording: {reason}\n"
            f"  {first}delete it and record it again "
            "(LLAMA_STACK_TEST_INFERENCE_MODE=record-if-missing)"
        )


class UnwritableRecording(RecorderError, OSError):
    """An answer arrived, but its recording could not be written. What was stored before is unchanged.

    Way out:
        Make room or give the right to write, and record again. The answer that was paid for is in `response`.

    Attributes:
        path: The recording's file.
        reason: Why it could not be written.
        response: What the caller would have got: the answer, the chunks of a stream as a list, the bytes of a response
            that was read in parts, or the exception of a failed call; None if unknown.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        self.response: object = None
        super().__init__(f"cannot write the recording {path}: {reason}; what was stored before is untouched")

    def __str__(self) -> str:
        answer = "" if self.response is None else "\n  the answer itself is this error's .response"
        return f"{self.args[0]}{answer}"


class LockNotAvailable(UserWarning):
    """A warning: a lock was held for too long, so the recording was changed without it. Its file is whole.

    Way out:
        Continue or end the process that holds the lock. It is probably stopped.

    Attributes:
        path: The recording's file.
        lock: Its lock file.
    """

    def __init__(self, path: Path, lock: Path, seconds: float) -> None:
        self.path = path
        self.lock = lock
        super().__init__(
            f"changed {path} without its lock, which another process has held for {seconds:g} seconds; it is probably "
            f"stopped: continue it or end it (`lsof {lock}` shows which one it is)"
        )


class RecorderNotEntered(UserWarning):
    """A warning: `inference_recording()` was called but never entered, so it does nothing.

    Way out:
        Write `with inference_recording():` around the calls, or decorate a function with it.

    Attributes:
        file: The file that made it.
        line: The line there.
    """

    def __init__(self, file: str, line: int) -> None:
        self.file = file
        self.line = line
        super().__init__(
            f"{file}:{line}: inference_recording() was made here and never entered, so it does nothing; "
            "write `with inference_recording():` around the calls, or decorate a function with it"
        )


class RecordingConflict(RecorderError):
    """A recording cannot be renamed, because a different one has the new name. Both are unchanged.

    Way out:
        Compare the two with `inference-recorder diff`, and delete the one that is not wanted.

    Attributes:
        path: The recording's file.
        conflict: The file that has the new name.
    """

    def __init__(self, path: Path | str, conflict: Path | str) -> None:
        self.path = Path(path)
        self.conflict = Path(conflict)
        super().__init__(
            f"{path} cannot move: {conflict} answers the same request with something else; "
            "compare the two, and delete the one that is not wanted"
        )


class UnrecordableValue(RecorderError, TypeError):
    """An argument or an answer has no JSON form, or an argument was passed by position.

    Way out:
        Pass it by name, as JSON (such as `model_dump()`), or leave it out. The message names where it is.
    """


class UnrecordableCall(RecorderError, RuntimeError):
    """A call cannot be recorded or replayed.

    Examples are a websocket in replay, an upload that can be read only once, and a call of a child process that
    outlived the test that started it.

    Way out:
        The message says what to change. Otherwise mock the call.
    """


@dataclass(frozen=True, slots=True)
class OpenSession:
    """An open session as an error names it."""

    mode: str
    directory: Path
    test_id: str | None
    """The test id of calls that are made in it now; None outside a test."""


class AmbiguousSession(RecorderError, RuntimeError):
    """A thread without context made a call while sessions are open side by side. Nothing was sent.

    Way out:
        Pass the context of the code that entered its session on to the thread, by a line of the message.

    Attributes:
        sessions: The open sessions, each with its `mode`, `directory` and `test_id`.
    """

    def __init__(self, sessions: Iterable[OpenSession]) -> None:
        self.sessions = tuple(sessions)
        lines = [
            "Cannot tell which session this call belongs to; nothing was sent",
            "  it was made in a thread or callback that is in none of the open sessions:",
            *(f"    {one.mode} in {one.directory}, test: {one.test_id or '(outside a test)'}" for one in self.sessions),
            "  pass on the context of the code that entered its session, by one of:",
            "    threading.Thread(target=contextvars.copy_context().run, args=(function, *arguments))",
            "    executor.submit(contextvars.copy_context().run, function, *arguments)",
            "    loop.run_in_executor(None, contextvars.copy_context().run, function, *arguments)",
            "    asyncio.to_thread(function, *arguments)",
        ]
        super().__init__(visible("\n".join(lines)))


class ClosedSession(RecorderError, RuntimeError):
    """An async call was made in a session and awaited after the session's end. Nothing was sent.

    Way out:
        Await the call, or the task that makes it, before the block or the test ends.

    Attributes:
        mode: The session's mode.
        directory: Where the session writes.
    """

    def __init__(self, call: str, mode: str, directory: Path) -> None:
        self.mode = mode
        self.directory = directory
        super().__init__(
            f"{call} was called in a session that has ended by now, when it is awaited; nothing was sent\n"
            f"  the session: {mode} in {directory}\n"
            "  await the call, or the task that makes it, before the block of inference_recording() or the test ends"
        )


class UnsupportedSDK(RecorderError, RuntimeError):
    """An installed SDK lacks a name that this package relies on. Raised at entry for openai, at the call for others.

    Way out:
        Install a supported version. `inference-recorder doctor` shows what is missing.
    """
