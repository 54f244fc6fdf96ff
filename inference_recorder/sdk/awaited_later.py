"""Async calls of the SDK that begin when they are awaited; each belongs to the session in which it was made.

The methods in the table of `methods` see to that themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from inspect import iscoroutinefunction, unwrap

from ..engine.engine import Engine
from ..packages import SDKS
from ..request.unshown import Unshown
from .context import current_engine, engine_after, inside
from .hand_over import is_handed_over
from .internals import replace_get_page
from .patching import Args, Kwargs, Original, Target, wrapped_by


def targets() -> list[Target]:
    """Return what to patch: methods of clients and resources, and what makes those of `with_raw_response`."""
    return [
        *(target for sdk in SDKS for target in _targets_of(sdk.package)),
        # Made once for each resource, perhaps before the first session. Other SDKs' resources hold it themselves.
        Target("openai._legacy_response", "", "async_to_raw_response_wrapper", _raw_method, is_lasting=True),
    ]


def _targets_of(package: str) -> list[Target]:
    client = f"{package}._base_client", "AsyncAPIClient"
    return [
        *(Target(*client, name, _made_here) for name in ("get", "post", "put", "patch", "delete")),
        Target(*client, "_request_api_list", _listed_here),
        Target(f"{package}._resource", "AsyncAPIResource", "", _made_here, stays=True),  # there are up to 280
    ]


def _made_here(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
    """Call a coroutine function for the session that is open now."""
    engine = None if is_handed_over() else current_engine()
    if engine is None or not (iscoroutinefunction(wrapped) or iscoroutinefunction(unwrap(wrapped))):  # a mock
        return wrapped(*args, **kwargs)
    return _awaited(engine, wrapped, Unshown((args, kwargs)), getattr(wrapped, "__qualname__", "the call"))


def _raw_method(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
    return wrapped_by(wrapped(*args, **kwargs), _made_here)


def _listed_here(wrapped: Original, instance: object, args: Args, kwargs: Kwargs) -> object:
    paginator, engine = wrapped(*args, **kwargs), None if is_handed_over() else current_engine()
    if engine is not None:
        name = f"{type(instance).__name__}.get_api_list"
        nothing: Unshown[tuple[Args, Kwargs]] = Unshown(((), {}))
        replace_get_page(paginator, lambda get_page: partial(_awaited, engine, get_page, nothing, name))
    return paginator


async def _awaited(made_in: Engine, wrapped: Original, arguments: Unshown[tuple[Args, Kwargs]], name: str) -> object:
    __tracebackhide__ = True
    if not made_in.is_open:
        engine_after(made_in, name)
        return await _called(wrapped, arguments)
    with inside(made_in):
        return await _called(wrapped, arguments)


def _called(wrapped: Original, arguments: Unshown[tuple[Args, Kwargs]]) -> Awaitable[object]:
    """Return what the method returns; no local of a frame that waits for it shows the arguments."""
    return wrapped(*arguments.value[0], **arguments.value[1])  # type: ignore[no-any-return]
