"""wrapt on and off. Holds state: which methods are wrapped now, and for how many.

Targets are patched while at least one owner holds them, those of a module that is not imported yet as soon as it is.
When the last owner lets go, every target is the identical object it was.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import wrapt

from ..errors import UnpatchableSDK

Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
"""(wrapped, instance, args, kwargs) -> the result of the call."""


@dataclass(frozen=True, slots=True)
class Target:
    """One method of one class to wrap. `since` is the first SDK version that has it, "" for all we support."""

    module: str
    owner: str
    method: str
    wrapper: Wrapper
    since: str = ""


class _Wrapped(wrapt.FunctionWrapper):  # type: ignore[type-arg]  # wrapt is typed since 2.0, generic only for checkers
    """Marks a method as wrapped by us."""


class _WrappedMock(_Wrapped):
    """Wraps what is no descriptor, such as a mock put in a method's place: it too is called with its instance."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else _BoundMock(self.__wrapped__, cast(Wrapper, self._self_wrapper), instance)


class _BoundMock(wrapt.ObjectProxy):  # type: ignore[type-arg]  # as above
    def __init__(self, wrapped: Any, wrapper: Wrapper, instance: Any) -> None:
        super().__init__(wrapped)
        self._self_wrapper = wrapper
        self._self_instance = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_wrapper(self.__wrapped__, self._self_instance, args, kwargs)


_targets: dict[str, list[Target]] = {}
_patched: list[tuple[type, str, object, object]] = []
"""(class, method, what was there, what is there now)"""
_patched_modules: set[str] = set()
_hooked_modules: set[str] = set()
_owners = 0
_guard = threading.RLock()


def hold(targets: Iterable[Target]) -> None:
    """Patch all targets for one more owner. Every owner passes the same targets.

    Raises UnpatchableSDK, with nothing patched, where an imported module lacks a target it should have.
    """
    global _owners
    with _guard:
        if not _targets:
            for target in targets:
                _targets.setdefault(target.module, []).append(target)
        _owners += 1
        try:
            for name in _targets:
                if name in sys.modules:
                    if _is_being_imported(sys.modules[name]):  # by another thread: this waits for it
                        import_module(name)
                    _patch_module(sys.modules[name])
                elif name not in _hooked_modules:
                    _hooked_modules.add(name)
                    wrapt.register_post_import_hook(_patch_if_held, name)
        except BaseException:
            let_go()
            raise


def let_go() -> None:
    """Take one owner's hold away; after the last one nothing is patched."""
    global _owners
    with _guard:
        _owners = max(0, _owners - 1)
        if _owners:
            return
        while _patched:
            owner, method, original, wrapped = _patched.pop()
            # Whoever patched over ours and has not undone it keeps theirs; ours below it then lets everything pass.
            if owner.__dict__.get(method) is wrapped:
                setattr(owner, method, original)
        _patched_modules.clear()


def missing_targets(targets: Iterable[Target], modules: Mapping[str, Any], version: str) -> list[Target]:
    """Return the targets that the SDK of this version should have and, going by `modules`, has not."""
    return [
        target
        for target in targets
        if target.module in modules
        and owner_of(target, modules[target.module]) is None
        and release_of(version) >= release_of(target.since)
    ]


def _patch_if_held(module: Any) -> None:
    with _guard:
        if _owners:
            _patch_module(module)


def _patch_module(module: Any) -> None:
    name = module.__name__
    if name in _patched_modules:
        return
    version = sdk_version()
    if missing := missing_targets(_targets[name], {name: module}, version):
        target = missing[0]
        raise UnpatchableSDK(
            f"openai {version} has no {target.module}.{target.owner}.{target.method}, which has to be intercepted; "
            "install a version that this inference_recorder supports (see its pyproject.toml)"
        )
    _patched_modules.add(name)
    for target in _targets[name]:
        owner = owner_of(target, module)
        if owner is None:
            continue
        original = owner.__dict__[target.method]
        if isinstance(original, _Wrapped):  # somebody's mock was undone after we left and brought our wrapper back
            _patched.append((owner, target.method, original.__wrapped__, original))
            continue
        kind = _Wrapped if hasattr(type(original), "__get__") else _WrappedMock
        wrapped = kind(original, target.wrapper)
        setattr(owner, target.method, wrapped)
        _patched.append((owner, target.method, original, wrapped))


def _is_being_imported(module: Any) -> bool:
    return getattr(getattr(module, "__spec__", None), "_initializing", False) is True


def sdk_version() -> str:
    """Return the version of the imported SDK, "" before it is imported."""
    return str(getattr(sys.modules.get("openai._version"), "__version__", ""))


def owner_of(target: Target, module: Any) -> type | None:
    """Return the class that has the target's method itself, None where the module has no such class or method."""
    owner = getattr(module, target.owner, None)
    return owner if isinstance(owner, type) and target.method in owner.__dict__ else None


def release_of(version: str) -> tuple[int, ...]:
    """Return the numbers of a version; "" is before all others."""
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
