"""Functions that run in a context of their own each time: plain ones, coroutine functions and generators."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

_Make = Callable[[], AbstractContextManager[object]]


def decorated(function: Callable[..., Any], make: _Make) -> Callable[..., object]:
    """Return the function so that each of its runs is in a context that `make` returns."""

    def run(*args: object, **kwargs: object) -> object:
        with make():
            return function(*args, **kwargs)

    async def run_coroutine(*args: object, **kwargs: object) -> object:
        with make():
            return await function(*args, **kwargs)

    def run_generator(*args: object, **kwargs: object) -> Generator[object, object, object]:
        with make():
            return (yield from function(*args, **kwargs))

    if inspect.isasyncgenfunction(function):
        return functools.wraps(function)(_async_generator(function, make))
    if inspect.iscoroutinefunction(function):
        return functools.wraps(function)(run_coroutine)
    return functools.wraps(function)(run_generator if inspect.isgeneratorfunction(function) else run)


def _async_generator(
    function: Callable[..., AsyncGenerator[object, object]], make: _Make
) -> Callable[..., AsyncGenerator[object, object]]:
    async def run(*args: object, **kwargs: object) -> AsyncGenerator[object, object]:
        with make():
            generator = function(*args, **kwargs)
            try:
                item = await anext(generator)
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        item = await generator.athrow(error)
                    else:
                        item = await generator.asend(sent)
            except StopAsyncIteration:
                return
            finally:
                await generator.aclose()

    return run
