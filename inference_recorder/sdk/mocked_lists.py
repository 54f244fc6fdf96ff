"""What a mock answers with in the place of a page: read once for the recording, and given to its consumer unread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from .patching import Original


class Items(list[Any]):
    """Items that an async iterator gave, for `async for`."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in self:
            yield item


class ReadIterator(Iterator[Any]):
    """Gives the items of an iterator that was read."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self.data = list(iterator)
        """All of them; a page of the SDK has them under the same name."""
        self._unread = iter(self.data)

    def __next__(self) -> Any:
        return next(self._unread)


def page_of(list_method: Original, *args: Any, **kwargs: Any) -> object:
    """Return the page that a sync list method answers with, or what a mock puts in its place."""
    page = list_method(*args, **kwargs)
    return ReadIterator(page) if isinstance(page, Iterator) else page


async def awaited_page(list_method: Original, *args: Any, **kwargs: Any) -> object:
    """Return the page that an async list method answers with: the SDK's paginator, or what a mock puts in its place."""
    pages = list_method(*args, **kwargs)
    if not hasattr(pages, "__await__"):
        return Items([item async for item in pages])
    page = await pages
    return Items(page) if isinstance(page, list) else page
