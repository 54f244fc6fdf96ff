"""What a mock answers with in the place of a page: read once for the recording, and given to its consumer unread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any


class AsyncItems(list[Any]):
    """Items that an async iterator gave, for `async for`."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in self:
            yield item


async def awaited_page(pages: Any) -> Any:
    """Return the page that an async list method answers with: the SDK's paginator, or what a mock puts in its place."""
    if not hasattr(pages, "__await__"):
        return AsyncItems([item async for item in pages])
    page = await pages
    return AsyncItems(page) if isinstance(page, list) else page


def unread(page: Any) -> tuple[Any, Any]:
    """Return the items to record of what a list method answered with, and the same for its consumer, yet unread."""
    if not isinstance(page, Iterator):
        return page, page
    items = list(page)
    return items, iter(items)
