"""wrapt on and off. Holds state: which methods are wrapped now, and for how many.

Targets are patched while at least one owner holds them, those of a module that is not imported yet, or imported again,
as soon as it is. When the last owner lets go, every target is the identical object it was. A session holds all targets;
other owners hold the lasting ones.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.machinery import ModuleSpec
from inspect import iscoroutinefunction, unwrap
from types import ModuleType
from typing import Any, TypeAlias, cast
from weakref import WeakKeyDictionary, WeakSet

import wrapt

from ..errors import UnsupportedSDK
from ..forks import renew_in_child
from ..packages import OPENAI, SDKS, sdk_of_module
from .private_names import check, is_being_imported
from .versions import release_of, unsupported, version_of

Original: TypeAlias = Callable[..., Any]
"""A function of the SDK that is wrapped."""
Args: TypeAlias = tuple[Any, ...]
Kwargs: TypeAlias = dict[str, Any]
Wrapper: TypeAlias = Callable[[Original, Any, Args, Kwargs], object]
"""(wrapped, instance, args, kwargs) -> the result of the call."""
_Owner: TypeAlias = type | ModuleType
_RESOURCES = tuple(f"{sdk.package}.resources." for sdk in SDKS)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One method of one class to wrap. `since` is the first SDK version that has it, "" for all we support."""

    module: str
    owner: str
    """"" for a function of the module."""
    method: str
    """"" for each coroutine function, without a target of its own, of the SDK's classes right below the owner."""
    wrapper: Wrapper
    since: str = ""
    is_lasting: bool = False
    """Whether it is patched outside sessions too. There, an SDK that lacks it is left alone."""
    stays: bool = False
    """Whether it stays patched after a session while anybody holds the lasting ones. A run has many sessions."""


class _Wrapped(wrapt.FunctionWrapper):  # type: ignore[type-arg]  # wrapt is typed since 2.0, generic only for checkers
    """Marks a method as wrapped by us."""


class _WrappedMock(_Wrapped):
    """Wraps a callable that is not a descriptor, such as a mock in a method's place; it gets its instance too."""

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
_classes: WeakKeyDictionary[_Owner, list[Target]] = WeakKeyDictionary()
"""Every class that was found to have targets, and which. A module taken out of sys.modules leaves clients behind."""
_searched: WeakSet[type] = WeakSet()
"""Every class whose coroutine functions are among them."""
_patched: dict[_Owner, dict[Target, tuple[object, object]]] = {}
"""Class -> target -> (what was there, what is there now)"""
_patched_modules: dict[str, ModuleType] = {}
"""The modules whose classes are patched now; one that is imported again is another."""
_owners = 0
"""How many hold all targets."""
_lasting_owners = 0
"""How many hold the lasting ones only."""
_is_complete = False
"""Whether all classes found earlier were patched since an owner holds all targets."""
_guard = threading.RLock()
"""Guards all of these. Not held while waiting for an import, whose thread may want it."""
renew_in_child(globals())


class _Loader(wrapt.ObjectProxy):  # type: ignore[type-arg]  # as above
    """The loader of a module, which then patches it."""

    def exec_module(self, module: Any) -> None:
        try:
            self.__wrapped__.exec_module(module)
        finally:
            if module.__spec__.loader is self:
                module.__spec__.loader = module.__loader__ = self.__wrapped__
        with _guard:
            if _owners or _lasting_owners:
                try:
                    check()
                    _patch_module(module, module.__spec__.name)
                    _patch_coroutine_functions()
                except UnsupportedSDK:
                    if _owners:
                        raise


class _Finder:
    """Finds the modules of targets as the finders behind it do, each time one is imported or loaded again."""

    def __init__(self) -> None:
        self._asking = threading.local()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        is_held = _owners or _lasting_owners
        has_targets = name in _targets or name.startswith(_RESOURCES)
        if not is_held or not has_targets or getattr(self._asking, "name", None) == name:
            return None
        before, self._asking.name = getattr(self._asking, "name", None), name  # another finder may ask this one again
        try:
            finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path if finder is not self)
            specs = (find(name, path, target) for find in finders if find is not None)
            spec = next((spec for spec in specs if spec is not None), None)
        finally:
            self._asking.name = before
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader)
        return spec


_finder = _Finder()


def hold(targets: Iterable[Target], *, lasting: bool = False) -> None:
    """Patch all targets, or the lasting ones, for one more owner. Every owner passes the same targets.

    Raises UnsupportedSDK, with nothing held, where an imported module lacks a target it should have.
    """
    global _owners, _lasting_owners, _is_complete
    with _guard:
        if not _targets:
            for target in targets:
                _targets.setdefault(target.module, []).append(target)
        if lasting:
            _lasting_owners += 1
        else:
            _owners += 1
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
    try:
        # By another thread: this waits for it. What it is about to load was found before our finder was there.
        for name in (*(sdk.package for sdk in SDKS), *_targets):
            if is_being_imported(sys.modules.get(name)):
                import_module(name)
        with _guard:
            check()
            for name in _targets:
                module = sys.modules.get(name)
                if module is not None and module is not _patched_modules.get(name) and not _is_loaded_by_us(module):
                    _patch_module(module, name)
            if not _is_complete:  # some are perhaps of modules that sys.modules no longer has
                for owner, targets_of_owner in list(_classes.items()):
                    if len(_patched.get(owner, ())) < len(targets_of_owner):
                        _patch_class(owner, targets_of_owner)
                _is_complete = _owners > 0
            _patch_coroutine_functions()
    except BaseException:
        let_go(lasting=lasting)
        raise


@contextmanager
def kept_patched() -> Iterator[None]:
    """Keep patched what is patched now, even if the last session lets go during the block."""
    global _owners
    with _guard:
        _owners += 1
    try:
        yield
    finally:
        let_go()


def let_go(*, lasting: bool = False) -> None:
    """Take one owner's hold away; what nobody holds then is not patched."""
    global _owners, _lasting_owners, _is_complete
    with _guard:
        if lasting:
            _lasting_owners = max(0, _lasting_owners - 1)
        else:
            _owners = max(0, _owners - 1)
        if _owners:
            return
        _is_complete = False
        for owner, originals in list(_patched.items()):
            for target in [each for each in originals if not (_is_held(each) or (each.stays and _lasting_owners))]:
                original, wrapped = originals.pop(target)
                # A patch on top of ours that was not undone stays; ours below it passes every call on.
                if owner.__dict__.get(target.method) is wrapped:
                    setattr(owner, target.method, original)
        if not _lasting_owners:
            _patched.clear()
            _patched_modules.clear()
            if _finder in sys.meta_path:
                sys.meta_path.remove(_finder)


def _is_held(target: Target) -> bool:
    return bool(_owners or (target.is_lasting and _lasting_owners))


def missing_targets(targets: Iterable[Target], modules: Mapping[str, ModuleType], version: str) -> list[Target]:
    """Return the targets that the SDK of this version should have, but that `modules` lacks."""
    return [
        target
        for target in targets
        if target.method
        and target.module in modules
        and owner_of(target, modules[target.module]) is None
        and release_of(version) >= release_of(target.since)
    ]


def _patch_module(module: ModuleType, name: str) -> None:
    missing = missing_targets(_targets.get(name, ()), {name: module}, version_of(name))
    if missing and sdk_of_module(name) in (None, OPENAI):  # what another SDK lacks, its calls raise
        target = missing[0]
        raise unsupported(name, f"{target.module}.{target.owner}.{target.method}", "has to be intercepted")
    owners: dict[_Owner, list[Target]] = {}
    for target in _targets.get(name, ()):
        if (owner := owner_of(target, module)) is not None:
            owners.setdefault(owner, []).append(target)
    _patched_modules[name] = module
    for owner, targets in owners.items():
        known = _classes.setdefault(owner, [])
        known += [target for target in targets if target not in known]
        _patch_class(owner, targets)


def _patch_coroutine_functions() -> None:
    """Patch the coroutine functions of classes that were imported since this was done the last time."""
    for target in [target for targets in _targets.values() for target in targets if not target.method]:
        base: Any = getattr(sys.modules.get(target.module), target.owner, None)
        for owner in {*(base.__subclasses__() if base else ())} - {*_searched}:
            if owner.__module__.startswith(_RESOURCES):
                _searched.add(owner)
                known = _classes.setdefault(owner, [])
                names = {each.method for each in _targets.get(owner.__module__, ()) if each.owner == owner.__name__}
                known += [
                    replace(target, module=owner.__module__, owner=owner.__name__, method=name)
                    for name, function in vars(owner).items()
                    if name not in names and iscoroutinefunction(unwrap(function))
                ]
                _patch_class(owner, known)


def _patch_class(owner: _Owner, targets: Iterable[Target]) -> None:
    originals = _patched.setdefault(owner, {})
    for target in targets:
        original = owner.__dict__.get(target.method)
        if original is None or target in originals or not _is_held(target):
            continue
        if isinstance(original, _Wrapped):  # somebody's mock was undone after we left and brought our wrapper back
            originals[target] = original.__wrapped__, original
            continue
        wrapped = wrapped_by(original, target.wrapper)
        setattr(owner, target.method, wrapped)
        originals[target] = original, wrapped


def wrapped_by(original: Any, wrapper: Wrapper) -> object:
    """Return what to put in the place of a function or mock."""
    return (_Wrapped if hasattr(type(original), "__get__") else _WrappedMock)(original, wrapper)


def _is_loaded_by_us(module: ModuleType) -> bool:
    """Whether a module is being loaded now by a loader that patches it at the end."""
    return type(getattr(getattr(module, "__spec__", None), "loader", None)) is _Loader


def owner_of(target: Target, module: ModuleType) -> _Owner | None:
    """Return the class that has the target's method itself, None where the module has no such class or method."""
    owner = getattr(module, target.owner, None) if target.owner else module
    return owner if isinstance(owner, (type, ModuleType)) and target.method in vars(owner) else None
