"""What users read of one `inference_recording()`: its calls, their counts, requests and token usage."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine.call_log import Call, Outcome
    from .engine.engine import Engine
    from .modes import InferenceMode
    from .recording.usage import Usage
    from .request.request import Request
    from .storage.store import Store


class Session:
    """One `inference_recording()`, as `with` and the fixture `inference_session` give it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        """Decides and stores; not for users."""

    @property
    def mode(self) -> InferenceMode:
        """The mode of this session."""
        return self.engine.mode

    @property
    def store(self) -> Store:
        """The recordings of this session's directories."""
        return self.engine.store

    @property
    def is_live(self) -> bool:
        """Whether calls go out unrecorded."""
        return self.engine.is_live

    @property
    def is_open(self) -> bool:
        """Whether its block has not been left yet."""
        return self.engine.is_open

    @property
    def counts(self) -> Counter[Outcome]:
        """The number of calls in `replayed`, `recorded`, `missed`, `dropped` and `live`, without zeros."""
        self.engine.store_put_off()
        return self.engine.call_log.counts()

    @property
    def replayed(self) -> tuple[Call, ...]:
        """The calls answered from a recording, in order."""
        return self.engine.call_log.calls("replayed")

    @property
    def recorded(self) -> tuple[Call, ...]:
        """The calls whose answer was stored, in the order of storing."""
        self.engine.store_put_off()
        return self.engine.call_log.calls("recorded")

    @property
    def missed(self) -> tuple[Call, ...]:
        """The calls that raised MissingRecording or LiveCallBlocked, even if the code under test caught it."""
        return self.engine.call_log.calls("missed")

    @property
    def dropped(self) -> tuple[Call, ...]:
        """The calls that failed and were not recorded; their `explanation` and `failure` say how."""
        self.engine.store_put_off()
        return self.engine.call_log.calls("dropped")

    @property
    def live(self) -> tuple[Call, ...]:
        """The calls that went out unrecorded, past the SDK or in a live session.

        A live session patches nothing: its calls are listed only while another session that is not live is open.
        """
        return self.engine.call_log.calls("live")

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests in order, as their keys are made from them and without secrets.

        Live calls, refused connections, and calls of child processes that got no recording are left out.

        Each has `endpoint`, `model` and `body`, the arguments of the call as a dict.

        Raises:
            CorruptRecording: A recording is gone or cannot be read.
        """
        return self.engine.call_log.requests(self.engine.rules)

    @property
    def usage(self) -> dict[str, Usage]:
        """The tokens used by the answers replayed and recorded so far, by requested model.

        They are what the server reported, as the recordings hold it.

        Raises:
            CorruptRecording: A recording is gone or cannot be read.
        """
        self.engine.store_put_off()
        return self.engine.call_log.usage()

    def __repr__(self) -> str:
        counts = self.engine.call_log.counts()
        calls = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no calls yet"
        return f"<inference_recorder.Session {self.mode} in {self.store.directories.written}: {calls}>"
