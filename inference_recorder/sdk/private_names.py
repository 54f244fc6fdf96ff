"""A private name of the SDK, and whether a module has it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType


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
