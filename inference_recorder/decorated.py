"""Functions that run in a context of their own each time: plain ones, coroutine functions and generators."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from typing import ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Item = TypeVar("_Item")
_Sent = TypeVar("_Sent")
_Result = TypeVar("_Result")
_Make = Callable[[], AbstractContextManager[object]]


def decorated(function: Callable[..., object], make: _Make) -> Callable[..., object]:
    """Return the function so that each of its runs is in a context that `make` returns."""
    if inspect.isasyncgenfunction(function):
        run: Callable[..., object] = _async_generator(function, make)
    elif inspect.iscoroutinefunction(function):
        run = _coroutine(function, make)
    elif inspect.isgeneratorfunction(function):
        run = _generator(function, make)
    else:
        run = _function(function, make)
    return functools.wraps(function)(run)


def _function(function: Callable[_Arguments, _Result], make: _Make) -> Callable[_Arguments, _Result]:
    def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        with make():
            return function(*args, **kwargs)

    return run


def _coroutine(
    function: Callable[_Arguments, Awaitable[_Result]], make: _Make
) -> Callable[_Arguments, Awaitable[_Result]]:
    async def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        with make():
            return await function(*args, **kwargs)

    return run


def _generator(
    function: Callable[_Arguments, Generator[_Item, _Sent, _Result]], make: _Make
) -> Callable[_Arguments, Generator[_Item, _Sent, _Result]]:
    def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Generator[_Item, _Sent, _Result]:
        with make():
            return (yield from function(*args, **kwargs))

    return run


def _async_generator(
    function: Callable[_Arguments, AsyncGenerator[_Item, _Sent]], make: _Make
) -> Callable[_Arguments, AsyncGenerator[_Item, _Sent]]:
    async def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> AsyncGenerator[_Item, _Sent]:
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
