"""Connections that tests open outside every session: calls of the SDK, and others where the network is blocked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import pytest

from ..config import Config
from ..modes import InferenceMode
from .sdk_import import once_sdk_is_imported

if TYPE_CHECKING:
    from ..guard.judge import Contact
    from .run import Run


class OutsideSessions:
    """Judges them by the configuration of the run, and counts the calls of the SDK."""

    def __init__(self, run: Run, config: Config) -> None:
        self.calls: list[str] = []
        """What made each call that went out, as a clause."""
        self.refused: list[str] = []
        """The same of each call that `unmarked = "error"` refused, whose error the test may have caught."""
        self.blocked: list[tuple[str | None, str]] = []
        """Test and host of each connection that `block_network` refused."""
        self.late_requests: Counter[str] = Counter()
        """Test id -> how many requests to its `inference_server` came after its end, and were refused."""
        self._run = run
        self._ran_on: WeakKeyDictionary[threading.Thread, str] = WeakKeyDictionary()
        """Each thread that still ran when a test had ended -> the first such test."""
        is_live = config.mode().value is InferenceMode.LIVE
        self._unmarked = "allow" if is_live else config.unmarked()
        self._network = config.network(False) if is_live else config.network()

    @property
    def has_seen_any(self) -> bool:
        """Whether there is something to report."""
        return bool(self.calls or self.refused or self.blocked)

    def begin(self, pytest_config: pytest.Config) -> None:
        """Judge until the run ends; from the import of the SDK on if only its calls are judged."""
        if self._network.blocks_all:
            pytest_config.add_cleanup(self._begin())
        elif self._unmarked != "allow":
            once_sdk_is_imported(pytest_config, self._begin)

    def note_threads(self, test_id: str) -> None:
        """Remember the threads that still run now that a test has ended: what they do may be no other test's."""
        if threading.active_count() > 1:
            for thread in threading.enumerate():
                if thread is not threading.current_thread():
                    self._ran_on.setdefault(thread, test_id)

    def _caller(self) -> str:
        test_id, ended = self._run.test_id, self._ran_on.get(threading.current_thread())
        caller = f"{test_id} has no marker" if test_id else "between tests"
        return caller if ended in (None, test_id) else f"{caller}, or a thread that ran on after {ended}"

    def _begin(self) -> Callable[[], None]:
        from ..guard import judge, patches

        judge.outsiders.append(self.judge)
        patches.hold()

        def end() -> None:
            patches.let_go()
            judge.outsiders.remove(self.judge)

        return end

    def judge(self, contact: Contact) -> None:
        """Note a contact; raise LiveCallBlocked if it is refused."""
        from ..guard.hosts import serves_models
        from ..guard.judge import refusal
        from ..sdk.calling_client import destination_of_calling_client

        __tracebackhide__ = True
        if contact.is_allowed_by(self._network):
            return
        if contact.is_blocked_by(self._network):
            self.blocked.append((self._run.test_id, contact.hosts[0]))
            raise refusal(contact, "network", self._run.test_id)
        if self._unmarked == "allow" or (client := destination_of_calling_client()) is None:
            return
        # While it calls, a client may also get a token from elsewhere.
        if not any(serves_models(host) or (host, contact.port) == client for host in contact.hosts):
            return
        if self._unmarked == "error":
            self.refused.append(self._caller())
            raise refusal(contact, "unmarked", self._run.test_id)
        if contact.is_counted:
            self.calls.append(self._caller())
