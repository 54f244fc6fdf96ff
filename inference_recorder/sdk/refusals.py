"""What the SDK itself refuses: asked of its own method before a miss is raised, and nothing is sent."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any, NoReturn

from .internals import replace_sending
from .patching import Args, Original


class _WouldSend(BaseException):
    """The SDK accepts the call."""


def raise_refusal(wrapped: Original, instance: object, args: Args, kwargs: Mapping[str, Any]) -> None:
    """Raise what the SDK's method raises for these arguments before it sends anything; what a mock does is not asked.

    The method runs on a copy of its resource that cannot send.
    """
    __tracebackhide__ = True
    bound = wrapped if inspect.ismethod(wrapped) else getattr(wrapped, "__wrapped__", None)
    function = getattr(bound, "__func__", None)
    # Not by __module__, which a mock or a wrapper copies from what it replaces.
    if str(getattr(function, "__globals__", {}).get("__name__")).partition(".")[0] != "openai":
        return
    stand_in = copy.copy(instance)
    replace_sending(stand_in, _stop)
    try:
        result = function(stand_in, *args, **kwargs)  # type: ignore[misc]  # it has globals: it is a function
        if inspect.iscoroutine(result):
            try:
                result.send(None)
            finally:
                result.close()
    except (_WouldSend, StopIteration):
        pass


def _stop(*args: Any, **kwargs: Any) -> NoReturn:
    raise _WouldSend
