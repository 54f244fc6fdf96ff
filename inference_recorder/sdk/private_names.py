"""The private names of SDKs that are relied on, and whether an SDK has them. Holds state: what was checked.

`check` verifies all of an SDK, so that a release that moved one of them is one clear error: of openai when a session
opens, of another SDK at its first call, since a program may import it for something else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TypeVar
from weakref import WeakValueDictionary

from ..packages import OPENAI, SDK, SDKS, sdk_of_module
from .versions import release_of, unsupported, version_of

_Function = TypeVar("_Function", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Internal:
    """One name that the SDK does not document."""

    module: str
    owner: str
    """The class that has the name or the function that sets it, "" for a name of the module itself."""
    name: str
    since: str = ""
    """The first SDK version known to have it, "" for all we support."""

    def __str__(self) -> str:
        return ".".join(part for part in (self.module, self.owner, self.name) if part)

    def is_in(self, module: object) -> bool:
        """Return whether a module has it."""
        if not self.owner:
            return hasattr(module, self.name)
        owner = getattr(module, self.owner, None)
        if isinstance(owner, type):
            return any(_declares(base, self.name) for base in owner.__mro__)
        return _names(owner, self.name)


INTERNALS: list[Internal] = []
_modules: dict[SDK, set[str]] = {sdk: set() for sdk in SDKS}
"""All modules of theirs: each session looks for openai's, and each call of another SDK for that one's."""
_checked: WeakValueDictionary[str, ModuleType] = WeakValueDictionary()
"""The modules whose names were all there; one that is imported again is another. Written while patching."""


def uses(place: str, *names: str, since: str = "", of: Sequence[SDK] = SDKS) -> Callable[[_Function], _Function]:
    """Declare that the function below relies on these names of `place` in SDKs: ".module" or ".module:owner"."""
    module, _, owner = place.partition(":")
    INTERNALS.extend(Internal(sdk.package + module, owner, name, since) for sdk in of for name in names)
    for sdk in of:
        _modules[sdk].add(sdk.package + module)
    return lambda function: function


def check(sdk: SDK = OPENAI) -> None:
    """Raise UnsupportedSDK if a module of this SDK that is imported by now lacks a name that it should have."""
    modules = {
        name: module
        for name in _modules[sdk]
        if (module := sys.modules.get(name)) is not None
        and module is not _checked.get(name)
        and not is_being_imported(module)
    }
    if not modules:
        return
    if missing := missing_internals(modules):
        raise unsupported(missing[0].module, ", ".join(map(str, missing)), "inference_recorder relies on")
    _checked.update(modules)


def installed_internals(sdk: SDK = OPENAI) -> dict[str, ModuleType | None]:
    """Import the modules of an SDK whose names are checked; return them by name, None for one that does not exist."""
    names = {internal.module for internal in INTERNALS}
    return {name: imported(name) for name in names if sdk_of_module(name) is sdk}


def missing_internals(modules: Mapping[str, object], version: str = "") -> list[Internal]:
    """Return the names that these modules, by name, should have in this version of their SDK and do not have.

    By default it is the version that is imported.
    """
    return [
        internal
        for internal in INTERNALS
        if internal.module in modules
        and release_of(version or version_of(internal.module)) >= release_of(internal.since)
        and not internal.is_in(modules[internal.module])
    ]


def _declares(owner: type, name: str) -> bool:
    """Return whether a class has a member, annotates a field, or assigns an attribute in its constructor."""
    members = vars(owner)
    return name in members or name in members.get("__annotations__", ()) or _names(members.get("__init__"), name)


def _names(function: object, name: str) -> bool:
    return name in getattr(getattr(function, "__code__", None), "co_names", ())


def imported(name: str) -> ModuleType | None:
    """Return a module, which is imported if it was not yet; None if it does not exist."""
    try:
        return import_module(name)
    except ImportError:
        return None


def is_being_imported(module: object) -> bool:
    """Return whether a module is being imported now."""
    return getattr(getattr(module, "__spec__", None), "_initializing", False) is True
