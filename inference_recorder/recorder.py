"""`inference_recording()`: opens a session and holds the patches while it is open."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from types import NoneType, TracebackType
from typing import Literal, TypeVar, cast

from . import exported
from .children import usage as process_usage
from .children import variables
from .config import DEFAULT, DEFAULT_DIRECTORY, LAST, REPEATS, Table, check_type, checked_hosts
from .decorated import decorated
from .engine.engine import Engine
from .engine.test_run import TestRun, current_test_run, running_test_id
from .guard import patches as guard
from .modes import InferenceMode
from .never_entered import WarnsIfUnused, calling_line
from .redaction.requests import RequestRules
from .redaction.scanner import RedactRule
from .redaction.secret_env import checked_names
from .request.keys import EXACT
from .request.normalizers import NormalizeRule
from .sdk import context, credentials, patching
from .sdk.targets import targets_to_hold
from .session import Session
from .storage.beside_tests import DirectoriesOfTests
from .storage.directories import Directories, check_usable, directories_from, roots_from
from .storage.store import Store
from .unittest_classes import is_test_case, open_around_tests

_Function = TypeVar("_Function", bound=Callable[..., object])


class inference_recording(WarnsIfUnused):  # noqa: N801 - it is used as a function
    """Record the SDK's calls in the block, or answer them from recordings.

    Used with `with`, in sync and async code, with `async with`, which does the same, or as a decorator of a function,
    coroutine function or generator; each run of a decorated function is a session of its own. On a class of unittest,
    it opens one around each test with its setUp and tearDown. `with` yields the `Session`.

    The configuration is `[tool.inference_recorder]` of pyproject.toml. Argument and environment precede it.

    Args:
        mode: "live", "record", "replay" or "record-if-missing", in lower or upper case. By default
            LLAMA_STACK_TEST_INFERENCE_MODE, then OGX_TEST_INFERENCE_MODE, the configuration, "replay". pytest's
            `--inference-mode` precedes all of these.
        storage_dir: The directory of recordings, which no option of pytest changes. By default pytest's
            `--inference-recordings`, then LLAMA_STACK_TEST_RECORDING_DIR, OGX_TEST_RECORDING_DIR, the configuration,
            "recordings". Its `recordings/` and `responses/` are searched too; under pytest also `recordings/` beside
            the test, unless argument or option names the directory.
        test_id: Part of every request's identity. By default the test that runs when the call is made, or null.
        scope: "test", or "shared" for requests that many tests make: they are stored once, under no test's id.
        record_errors: Whether failed calls are recorded: True all of them, False none. By default as the configuration
            says, otherwise, in both recording modes, those where the server rejects the request itself (400, 404, 413,
            422 and others), and not those that the next run may not meet: connection errors, timeouts, 401, 402, 403,
            408, 409, 429, 5xx and streams that broke off. A failure that is not recorded replaces nothing; the
            session's `dropped` lists it.
        redact: Secrets in addition to those of known shapes, the values of environment variables named `*_KEY`,
            `*_TOKEN`, `*_SECRET` or `*_PASSWORD`, and the client's own key: strings of 4 characters or more, compiled
            patterns (their group "secret", or the whole match), and functions that take a text and return the secrets
            in it. What the SDK prescribes, such as names and roles, stays. Neither key nor file holds them; a replay
            inserts the request's own secrets wherever the answer repeats them. Secrets that the configuration declares
            remain secrets.
        normalize: What differs from run to run and is left out of the key: built-in rules by name ("cwd", "dates",
            "hashes", "tmp_path", "tool_call_ids", "uuids") and `Normalizer`s. They replace those of the configuration;
            `[]` declares none.
        secret_env: Names, or patterns such as `DB_*`, of environment variables whose values are secrets too, from 4
            characters on; `!NAME` leaves one out. They are added to those of the configuration.
        repeats: What answers a request that is made more often than it was recorded: "last", the last answer again;
            "error", none: it raises MissingRecording, and record-if-missing records it. By default as the configuration
            says, otherwise "last".
        block_network: Whether every connection to another machine is refused, beside the calls that are recorded. By
            default as the configuration says, otherwise False; pytest's `--inference-block-network` precedes both. In
            replay, connections to a model host or to the base url of an SDK client are refused anyway.
        allow_hosts: Hosts that are never refused, in addition to those of the configuration: names or addresses,
            `*.example.org`, `host:80`.
        children: Whether Python processes that are started in the session join it; by default as the configuration
            says, otherwise True.

    Raises:
        RecorderError: An argument is not valid.
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that it cannot have.
        UnknownMode: On entering: the mode is not one of the four.
        UnusableDirectory: On entering: the directory cannot be read or written.
        UnsupportedSDK: On entering: the installed openai lacks a name that is intercepted.
    """

    _written = EXACT
    """The key version that names what is recorded."""
    _record_errors_by_default: bool | None = None
    _is_beside_tests = False
    """Whether each call has the directories that llama-stack's recorder gives it."""

    def __init__(
        self,
        mode: Literal["live", "record", "replay", "record-if-missing"] | InferenceMode | None = None,
        storage_dir: str | os.PathLike[str] | None = None,
        *,
        test_id: str | None = None,
        scope: Literal["test", "shared"] = "test",
        record_errors: bool | None = None,
        redact: Sequence[RedactRule] = (),
        normalize: Sequence[NormalizeRule] | None = None,
        secret_env: Sequence[str] = (),
        block_network: bool | None = None,
        allow_hosts: Sequence[str] = (),
        children: bool | None = None,
        repeats: Literal["last", "error"] | None = None,
    ) -> None:
        if callable(mode):
            raise TypeError(f"write @inference_recording() with parentheses; {mode!r} was passed as the mode")
        if scope not in ("test", "shared"):
            raise ValueError(f'scope is {scope!r}; it must be "test" or "shared"')
        if scope == "shared" and test_id is not None:
            raise ValueError('scope="shared" stores requests under no test_id; leave one of the two out')
        if repeats not in (None, *REPEATS):
            raise ValueError(f'repeats is {repeats!r}; it must be "last" or "error"')
        check_type("storage_dir", storage_dir, str, os.PathLike, NoneType, wanted="a path")
        check_type("test_id", test_id, str, NoneType, wanted="a string")
        for name, switch in (
            ("record_errors", record_errors),
            ("block_network", block_network),
            ("children", children),
        ):
            check_type(name, switch, bool, NoneType)
        check_type("normalize", normalize, Iterable, NoneType, wanted="a list")
        for name, rules in (("redact", redact), ("secret_env", secret_env)):
            check_type(name, rules, Iterable, wanted="a list")
        self._mode = mode
        self._storage_dir = storage_dir
        self._test_id = test_id
        self._scope: Literal["test", "shared"] = scope
        self._record_errors, self._repeats = record_errors, repeats
        self._redact = tuple(redact)
        self._normalize = None if normalize is None else tuple(normalize)
        self._secret_env = checked_names(secret_env, "secret_env=")
        self._block_network, self._allow_hosts = block_network, checked_hosts(allow_hosts, "allow_hosts=")
        self._children = children
        self._configured = Table()
        self._rules = RequestRules(redact, normalize or (), self._written, self._secret_env)
        self._entered: list[Engine] = []
        self._unused_since = calling_line()

    def __enter__(self) -> Session:
        return self._enter(is_process_wide=False)

    def _enter(self, *, is_process_wide: bool) -> Session:
        if variables.inherited:
            from .joined import join

            join()
        self._unused_since, test_run = None, current_test_run()
        config = test_run.config
        setting = config.mode(self._mode)
        mode = setting.value
        directories = self._directories(test_run)
        test_run.about_to_open(mode, setting.source, directories.written)
        if mode is not InferenceMode.LIVE:
            check_usable(directories, mode)
        engine = Engine(
            mode,
            Store(directories),
            test_id=self._test_id,
            is_shared=self._scope == "shared",
            record_errors=config.record_errors(self._record_errors, self._record_errors_by_default),
            may_repeat=(self._repeats or config.table.repeats) == LAST,
            rules=self._rules_under(config.table),
            test_run=test_run,
        )
        engine.network = config.network(self._block_network, self._allow_hosts)
        if process_usage.listeners:
            process_usage.tell_entered(directories.read, is_live=engine.is_live)
        engine.has_children = config.children(self._children)
        if self._is_beside_tests:
            engine.of_tests = DirectoriesOfTests(directories, config.root, test_run.root_of)
        engine.count_on_in(context.around_here())
        session = Session(engine)
        resume(session, is_process_wide=is_process_wide)
        self._entered.append(engine)
        test_run.opened(engine)
        return session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Two threads may use one recorder: each leaves what it entered itself.
        engine = context.innermost_of(self._entered) or self._entered[-1]
        self._entered.remove(engine)
        suspend(Session(engine))
        close(engine, error)

    async def __aenter__(self) -> Session:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: _Function) -> _Function:
        self._unused_since = None
        if is_test_case(function):
            open_around_tests(function, self._copy_for)
            return cast(_Function, function)
        if inspect.isclass(function) or not callable(function):
            raise TypeError(
                f"inference_recording decorates functions and classes of unittest.TestCase, not {function!r}; decorate "
                "its methods, or mark it with @pytest.mark.inference_recording if pytest runs it"
            )
        return cast(_Function, decorated(function, self._copy))

    def _directories(self, test_run: TestRun) -> Directories:
        config, is_shared = test_run.config, self._scope == "shared"
        common = config.directory(self._storage_dir)
        if config.root is None:
            return directories_from(common.value)
        directories = [common.value]
        if not common.is_explicit:
            if (nearest := test_run.directory_of_project(is_shared)) is not None:
                directories.insert(0 if common.source == DEFAULT else 1, nearest)
            if test_run.test_directory is not None and not self._is_beside_tests:
                # What tests share is beside none of them.
                is_beside = config.table.recordings_beside_tests and not is_shared
                directories.insert(0 if is_beside else len(directories), test_run.test_directory / DEFAULT_DIRECTORY)
        return directories_from(*directories, roots=roots_from(config.root, map(test_run.root_of, directories)))

    def _rules_under(self, table: Table) -> RequestRules:
        if _rules_of(table) == _rules_of(self._configured):
            self._rules.refresh()
            return self._rules
        normalize = table.normalize if self._normalize is None else self._normalize
        self._configured = table
        secret_env = (*table.secret_env, *self._secret_env)
        self._rules = RequestRules((*table.redact, *self._redact), normalize or (), self._written, secret_env)
        return self._rules

    def _copy_for(self, node_id: str) -> inference_recording:
        """Return a copy that has this test id if nothing else gives one: pytest knows the id of its test."""
        copied = self._copy()
        if self._scope == "test" and self._test_id is None and running_test_id() is None:
            copied._test_id = node_id
        return copied

    def _copy(self) -> inference_recording:
        copied = copy.copy(self)
        copied._entered = []
        return copied


def _rules_of(table: Table) -> tuple[object, ...]:
    return table.redact, table.normalize, table.secret_env


def enter_process_wide(recorder: inference_recording) -> Session:
    """Enter a recorder for all contexts of this process until it exits; for the running test."""
    return recorder._enter(is_process_wide=True)


def resume(session: Session, *, is_process_wide: bool = False) -> None:
    """Activate a session. Raises UnsupportedSDK if the SDK cannot be patched; after an error it is inactive."""
    if session.mode is not InferenceMode.LIVE:
        hold()
    session.engine.is_open = True
    context.enter(session.engine, is_process_wide=is_process_wide)
    try:
        exported.refresh()
    except BaseException:
        suspend(session)
        raise


def suspend(session: Session) -> None:
    """Deactivate a session; it may be resumed."""
    context.leave(session.engine)
    if session.mode is not InferenceMode.LIVE:
        let_go()
    session.engine.is_open = False
    exported.refresh()


def close(engine: Engine, error: BaseException | None = None) -> None:
    """End a session that was suspended, for its child processes too; raises what `Engine.close` does."""
    for each in engine.in_directories():
        exported.end(engine=each)
    engine.close(error)


def hold() -> None:
    """Patch the SDK and the network for one more session; raises UnsupportedSDK."""
    patching.hold(targets_to_hold())
    guard.hold()


def let_go() -> None:
    """End what `hold` has begun."""
    guard.let_go()
    patching.let_go()


if not current_test_run().has_plugin:
    credentials.explain_uncaught()
