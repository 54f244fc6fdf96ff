"""What a mock answers with in the place of a page: read once for the recording, and given to its consumer unread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from .patching import Original


class Items(list[object]):
    """Items that an async iterator gave, for `async for`."""

    async def __aiter__(self) -> AsyncIterator[object]:
        for item in self:
            yield item


class ReadIterator(Iterator[object]):
    """Gives the items of an iterator that was read."""

    def __init__(self, iterator: Iterator[object]) -> None:
        self.data = list(iterator)
        """All of them; a page of the SDK has them under the same name."""
        self._unread = iter(self.data)

    def __next__(self) -> object:
        return next(self._unread)


def page_of(list_method: Original, *args: object, **kwargs: object) -> object:
    """Return the page that a sync list method answers with, or what a mock puts in its place."""
    page = list_method(*args, **kwargs)
    return ReadIterator(page) if isinstance(page, Iterator) else page


async def awaited_page(list_method: Original, *args: object, **kwargs: object) -> object:
    """Return the page that an async list method answers with: the SDK's paginator, or what a mock puts in its place."""
    pages = list_method(*args, **kwargs)
    if not hasattr(pages, "__await__"):
        return Items([item async for item in pages])
    page = await pages
    return Items(page) if isinstance(page, list) else page
