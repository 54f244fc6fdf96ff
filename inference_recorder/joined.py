"""The session of the process that started this one, opened here when the SDK is imported.

Holds state: whether that was done. No lock guards it: Python imports the SDK once at a time.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from .children import usage as process_usage
from .children import variables
from .children.origin import Origin
from .children.positions import SharedPositions
from .engine.attempt_series import AttemptSeries
from .engine.decisions import Record
from .engine.engine import Engine
from .engine.given_test import GivenTest
from .engine.run_log import RunLog
from .engine.test_run import TestRun
from .modes import InferenceMode
from .network import NetworkRules
from .recorder import hold, let_go
from .redaction.described import rules_of
from .sdk import context
from .sdk.own_servers import own_servers
from .storage.directories import Directories, Roots
from .storage.rollback import Rollback
from .storage.store import Store
from .storage.unsettled import Unsettled


class _ParentsRun(TestRun):
    """The test run of the process that started this one, as it was then."""

    test_id: str | None = None
    attempt_series: AttemptSeries | None = None

    def __init__(self, origin: Origin, description: dict[str, Any]) -> None:
        super().__init__()
        self.has_plugin = description["has_plugin"]
        self.attempt_series = AttemptSeries(description["attempt"])
        self.run_log = RunLog(description["run_log"] and Path(description["run_log"]))
        self.test_id = description["test_id"]
        self._origin = origin
        self._rootdir = description["rootdir"]
        self._is_wide, self._is_kept = bool(description["is_wide"]), bool(description["is_kept"])
        self._unsettled = description["overwritten"] and Unsettled(Path(description["overwritten"]))
        self._before: dict[Path, Rollback] = {}

    def is_wide(self, test_id: str | None, is_given: bool, /) -> bool:
        return self._is_wide or (self.has_plugin and not is_given and test_id != self.test_id)

    def series_of(self, given: GivenTest, running: AttemptSeries, /) -> AttemptSeries:
        """Return the same; other processes of the session, as a server has several, count there too."""
        series = super().series_of(given, running)
        with series.guard:  # no other thread may count in it before it is shared
            if series is not running and not series.positions:
                name = sha256(f"{given.attempt} {given.test_id}".encode(errors="surrogatepass")).hexdigest()[:16]
                for part, positions in running.positions.items():
                    series.positions[part] = SharedPositions(f"{positions.path}-{name}")
                    series.share(part)
        return series

    def is_kept(self) -> bool:
        return self._is_kept

    def from_here(self, node_id: str, /) -> str:
        file, separator, names = node_id.partition("::")
        return Path(os.path.normpath(os.path.join(self._rootdir, file))).as_posix() + separator + names

    def about_to_record(self, store: Store, decision: Record, name: str, /) -> None:
        """Note what is overwritten: the test that started this process may fail."""
        series = decision.series
        if self._unsettled and series.is_replaced and not series.is_wide and not self._origin.has_ended():
            before = self._before.setdefault(store.directories.written, Rollback(store))
            self._unsettled.note(store.directories.written, before.remember(decision.key, name))


_joined: Engine | None = None


def join() -> None:
    """Open the session of the process that started this one, around all others; does nothing the second time."""
    if not variables.inherited or _joined is not None:
        return
    origin = Origin(variables.inherited)
    description: Any = origin.description()
    if description is None:
        if origin.is_replay:  # its calls are refused as those after its end
            _enter(Engine(InferenceMode.REPLAY, Store(Directories(Path(os.devnull), ()))), origin)
        return
    own_servers.append(f"/r/{description['attempt']}")  # see `prefix` in server/paths.py
    mode = InferenceMode(description["mode"])
    roots = description["roots"] and Roots(Path(description["roots"][0]), tuple(map(Path, description["roots"][1:])))
    directories = Directories(Path(description["written"]), tuple(map(Path, description["read"])), roots)
    engine = Engine(
        mode,
        Store(directories),
        test_id=description["given_id"],
        is_shared=description["is_shared"],
        record_errors=description["record_errors"],
        may_repeat=description["may_repeat"],
        rules=rules_of(description),
        test_run=_ParentsRun(origin, description),
    )
    blocks_all, allowed = description["network"]
    engine.network = NetworkRules(blocks_all, tuple(allowed))
    engine.attempt_series.positions[engine.mode_and_directory] = SharedPositions(description["positions"])
    engine.attempt_series.share(engine.mode_and_directory)
    if process_usage.listeners:
        process_usage.tell_entered(directories.read, is_live=False)
    _enter(engine, replace(origin, test_id=description["test_id"], functions=description["functions"]))


def _enter(engine: Engine, origin: Origin) -> None:
    global _joined
    engine.call_log.origin = origin
    hold()
    context.enter_around(engine)
    atexit.register(engine.close)
    _joined = engine


def leave() -> None:
    """Be a run of one's own, such as one of pytest, which joins no session."""
    global _joined
    variables.leave()
    if _joined is not None:
        context.leave(_joined)
        let_go()
        _joined = None
