"""pytest's ids of the parameters that a fixture depends on.

pytest has no public API for the ids of single parameters nor for the fixtures that a fixture uses. All private names of
pytest that the plugin uses are here. Without them, a parameter is named by its index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.python import CallSpec2


class ParameterIds:
    """The id of each parameter, noted while pytest generates tests; later it only keeps the joined id."""

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, dict[int, str]]] = {}
        """Test function -> argument -> index -> id."""

    def note(self, metafunc: pytest.Metafunc) -> None:
        """Wrap `metafunc.parametrize` so that it notes the ids it gives."""
        parametrize: Callable[..., None] = metafunc.parametrize
        test = metafunc.definition.nodeid

        def noting(argnames: str | Sequence[str], *args: object, **kwargs: object) -> None:
            before: list[CallSpec2] = list(getattr(metafunc, "_calls", ()))
            parametrize(argnames, *args, **kwargs)
            calls: list[CallSpec2] = getattr(metafunc, "_calls", [])
            names = [name.strip() for name in argnames.split(",")] if isinstance(argnames, str) else argnames
            known = len(getattr(before[0], "_idlist", ())) if before else 0
            for call in calls[: len(calls) // max(len(before), 1)]:
                ids = getattr(call, "_idlist", ())[known:]  # empty for a parameter whose id is hidden
                for name in filter(None, names):
                    self._ids.setdefault(test, {}).setdefault(name, {})[call.indices[name]] = "".join(ids)

        metafunc.parametrize = noting  # type: ignore[method-assign]

    def of(
        self, fixture: pytest.FixtureDef[object], item: pytest.Item | None
    ) -> tuple[str | None, list[tuple[str, str]]]:
        """Return the id of a fixture's own parameter in this test, and (fixture, id) for those it depends on."""
        indices: dict[str, int] = getattr(getattr(item, "callspec", None), "indices", {})
        if item is None or not indices:
            return None, []
        parent = "" if item.parent is None else item.parent.nodeid
        ids = self._ids.get(f"{parent}::{getattr(item, 'originalname', item.name)}", {})
        used = {
            name: ids.get(name, {}).get(indices[name], str(indices[name]))
            for name in {fixture.argname, *_used_by(fixture, item)}
            if name in indices
        }
        own = used.pop(fixture.argname, None)
        return own, list(used.items())


def _used_by(fixture: pytest.FixtureDef[object], item: pytest.Item) -> Iterator[str]:
    """Yield the names of all fixtures that a fixture uses by its arguments, and by theirs."""
    seen: set[int] = set()
    waiting = [fixture]
    while waiting:
        user = waiting.pop()
        if id(user) in seen:
            continue
        seen.add(id(user))
        for name in user.argnames:
            yield name
            definitions = _definitions(name, item)
            if name == user.argname:  # it uses the one that it overrides
                definitions = definitions[: definitions.index(user)] if user in definitions else []
            waiting += definitions[-1:]


def _definitions(name: str, item: pytest.Item) -> list[pytest.FixtureDef[object]]:
    """Return the fixtures of this name that are visible to a test; the last one is the one that it gets."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).get(name)
    if known is None:  # requested by getfixturevalue
        known = getattr(item.session, "_fixturemanager").getfixturedefs(name, item)  # noqa: B009 - private to mypy too
    return list(known or ())
