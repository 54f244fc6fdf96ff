"""The test that calls belong to where something names it: `test_id_context()`, or a request to a server under test.

Holds state: a ContextVar. It needs no lock: tasks and `asyncio.to_thread` get a copy, other threads begin without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from types import NoneType
from typing import NamedTuple

from ..config import check_type


class GivenTest(NamedTuple):
    """A test as something named it."""

    test_id: str | None
    """None for calls of no test."""
    attempt: str = ""
    """The token of the `AttemptSeries` of its run; "" if that was not named."""


given_test: ContextVar[GivenTest | None] = ContextVar("inference_recorder_test", default=None)


def test_id_context(test_id: str | None) -> AbstractContextManager[None]:
    """Let the calls that begin in the block belong to this test, with their streams and tasks.

    It precedes the running test. The `test_id=` or `scope="shared"` of a session precedes it.

    Args:
        test_id: The test's id, or None for no test.

    Raises:
        TypeError: The id is not a string.
    """
    check_type("test_id", test_id, str, NoneType, wanted="a string")
    return calls_belong_to(GivenTest(test_id))


test_id_context.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


@contextmanager
def calls_belong_to(given: GivenTest) -> Iterator[None]:
    """Let the calls that begin in the block belong to a test."""
    token = given_test.set(given)
    try:
        yield
    finally:
        with suppress(ValueError):  # a coroutine that nobody finished is collected in another context
            given_test.reset(token)
