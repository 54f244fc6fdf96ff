"""The processes that this one starts, and what the system says of them.

Holds state: who watches. No lock guards it: replacing a list is one step.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Literal, NamedTuple

from . import variables

Kind = Literal["program", "python", "tool"]
"""What a new process runs: some program, the code of this one, or a tool of the system that is not Python."""
Report = Callable[["int | None", Kind], None]
"""Takes the id of a new process, None where nobody knows it, and what it runs."""

_TOOLS = frozenset({"arp", "cc", "gcc", "ifconfig", "ip", "ldconfig", "ld", "netstat", "objdump", "uname"})
"""What the standard library runs to learn of the system, as `ctypes.util`, `platform` and `uuid` do."""
_HELPERS = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
"""Processes of Python's own that use no recording."""


class _Way(NamedTuple):
    """A function that starts processes."""

    module: str
    owner: str
    name: str
    returns_pid: bool = False
    """Whether it returns the id of the process; the object of a method has it."""
    kind: Kind = "program"
    is_exec: bool = False
    """Whether it makes another program of this process, such as one that was forked, and does not return."""
    env: int | None = None
    """Where the environment of the process is among the positional arguments; its keyword is `env`."""


_WAYS = (
    _Way("subprocess", "Popen", "__init__", env=11),  # asyncio, anyio and trio use it too
    _Way("multiprocessing.process", "BaseProcess", "start", kind="python"),
    _Way("os", "", "posix_spawn", returns_pid=True, env=2),
    _Way("os", "", "posix_spawnp", returns_pid=True, env=2),
    _Way("os", "", "system"),
    _Way("os", "", "spawnv"),
    _Way("os", "", "spawnve", env=3),
    _Way("os", "", "execv", is_exec=True),
    _Way("os", "", "execve", is_exec=True, env=2),
)
"""Other forks are reported by `os.register_at_fork`: see `usage`."""

_watching: tuple[tuple[Report, Callable[[], None]], ...] = ()
_undone: tuple[Callable[[], None], ...] = ()


def watch(report: Report, before: Callable[[], None] = lambda: None) -> Callable[[], None]:
    """Call `before` and `report` around each start of a process, until the function that is returned is called."""
    global _watching, _undone
    watcher = report, before
    if not _watching:
        _undone = tuple(map(_replaced, _WAYS))
    _watching += (watcher,)

    def end() -> None:
        global _watching
        _watching = tuple(each for each in _watching if each is not watcher)
        if not _watching:
            for undo in _undone:
                undo()

    return end


def _report(pid: int | None, kind: Kind) -> None:
    for report, _ in _watching:
        report(pid, kind)


def about_to_start() -> None:
    """Say that a process is about to start."""
    for _, before in _watching:
        before()


def _replaced(way: _Way) -> Callable[[], None]:
    module = import_module(way.module)
    owner = getattr(module, way.owner) if way.owner else module
    original = _without_ours(getattr(owner, way.name, None))
    if original is None or (way.owner and not isinstance(owner, type)):  # the running test has mocked the class
        return lambda: None
    return _put(owner, way.name, _start(way, original), original)


@functools.lru_cache(32)  # each session puts them in place
def _start(way: _Way, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return what starts processes as `original` does, and tells the watchers."""

    @functools.wraps(original)
    def start(*args: object, **kwargs: object) -> object:
        about_to_start()
        variables.rejoin()
        if way.env is not None:
            args, kwargs = _joining(way.env, args, kwargs)
        if way.is_exec:
            _report(os.getpid(), way.kind)
            return original(*args, **kwargs)
        result = original(*args, **kwargs)
        kind: Kind = "tool" if way.name == "__init__" and _is_tool(*args[1:], **kwargs) else way.kind
        pid = getattr(args[0], "pid", None) if way.owner else result if way.returns_pid else None
        _report(pid if isinstance(pid, int) else None, kind)
        return result

    return start


def _joining(env: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return these arguments with an environment in which Python joins the session that it names."""
    if len(args) > env:
        return (*args[:env], variables.joining(args[env]), *args[env + 1 :]), kwargs
    return args, {**kwargs, "env": variables.joining(kwargs["env"])} if "env" in kwargs else kwargs


def _without_ours(function: Any) -> Any:
    """Return what one of our functions calls that a patch, undone after the last watcher left, has put back."""
    return function.__wrapped__ if getattr(function, "__globals__", None) is globals() else function


def _is_tool(*args: object, shell: object = False, executable: object = None, **kwargs: object) -> bool:
    """Whether these arguments of `subprocess.Popen` run a tool of the system."""
    command = args[0] if args else kwargs.get("args")
    if len(args) > 1 or shell or executable is not None or not isinstance(command, (list, tuple)) or not command:
        return False
    return os.path.basename(os.fsdecode(command[0])) in _TOOLS


def _put(owner: object, name: str, new: object, original: object) -> Callable[[], None]:
    setattr(owner, name, new)

    def undo() -> None:
        if getattr(owner, name) is new:
            setattr(owner, name, original)

    return undo


def is_alive(pid: int) -> bool:
    """Whether a process still runs; when in doubt, it does."""
    if hasattr(os, "waitid"):
        try:
            # A child that has ended and was not waited for yet; it can still be waited for.
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            pass
    if os.name != "posix":  # there, os.kill() would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def cost_of_ended_children() -> tuple[float, ...]:
    """Return a value that changes with each child that has ended and was waited for; () where the system has none."""
    try:
        import resource
    except ImportError:
        return ()
    return tuple(resource.getrusage(resource.RUSAGE_CHILDREN))


def living_children() -> set[int]:
    """Return the children that still run, without Python's own helpers; only on systems that list them (Linux does)."""
    if not _has_children():
        return set()
    return {pid for pid in _children() if is_alive(pid) and not any(name in _command(pid) for name in _HELPERS)}


def _has_children() -> bool:
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children() -> Iterator[int]:
    try:
        threads = os.listdir("/proc/self/task")
    except OSError:
        return
    for thread in threads:
        try:
            with open(f"/proc/self/task/{thread}/children", "rb") as file:
                yield from map(int, file.read().split())
        except OSError:  # the thread has ended
            pass


def _command(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""
