"""`@inference_recording(...)` on a class of unittest: a session around each of its tests."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from unittest import TestCase

MakeRecorder = Callable[[str], AbstractContextManager[object]]
"""Makes what opens the session of a test, or of setUpClass or tearDownClass, from the id that pytest would give it."""


def is_test_case(value: object) -> TypeGuard[type[TestCase]]:
    """Return whether this is a class of unittest, which is imported if it is."""
    unittest = sys.modules.get("unittest.case")
    return unittest is not None and isinstance(value, type) and issubclass(value, unittest.TestCase)


def open_around_tests(test_case: type[TestCase], make_recorder: MakeRecorder) -> None:
    """Open a session around each test with its setUp, tearDown and cleanups, and one around setUpClass.

    Subclasses are included. An error of opening or closing one is an error of the test.
    """
    root = os.getcwd()  # a test may change it
    for name in ("run", "debug"):
        setattr(test_case, name, _around_run(getattr(test_case, name), make_recorder, root))
    for name in ("setUpClass", "tearDownClass"):
        method = inspect.getattr_static(test_case, name)
        if method.__module__ != "unittest.case":  # where it does nothing
            setattr(test_case, name, classmethod(_around_class_method(method, make_recorder, root)))


def _around_run(run: Callable[..., Any], make_recorder: MakeRecorder, root: str) -> Callable[..., Any]:
    # A subclass may have a setUp that does not call this class's, so each object's own is replaced while it runs.
    @functools.wraps(run)
    def run_in_session(self: TestCase, *args: Any, **kwargs: Any) -> Any:
        set_up, do_cleanups, session = self.setUp, self.doCleanups, ExitStack()
        left_by: list[Exception] = []

        def set_up_in_session() -> None:
            session.enter_context(make_recorder(f"{_node_id(type(self), root)}::{self._testMethodName}"))
            self.addCleanup(leave)  # the first one added runs last
            set_up()

        def note_failure_and_do_cleanups() -> Any:
            # Within a cleanup, nothing tells how the test ended.
            if not getattr(getattr(self, "_outcome", None), "success", True):
                left_by.append(AssertionError("the test failed"))
            return do_cleanups()

        def leave() -> None:
            error = left_by[0] if left_by else None
            session.__exit__(type(error) if error else None, error, None)

        vars(self).update(setUp=set_up_in_session, doCleanups=note_failure_and_do_cleanups)
        with session:  # still open only after an interruption, for which unittest runs no cleanups
            try:
                return run(self, *args, **kwargs)
            finally:
                for name in ("setUp", "doCleanups"):
                    vars(self).pop(name, None)

    return run_in_session


def _around_class_method(method: Any, make_recorder: MakeRecorder, root: str) -> Callable[..., None]:
    """Return a function of a class that calls this classmethod or staticmethod in a session."""

    @functools.wraps(method)
    def run_in_session(test_case: type[TestCase]) -> None:
        with make_recorder(f"{_node_id(test_case, root)}@setUpClass"):
            method.__get__(None, test_case)()

    return run_in_session


def _node_id(test_case: type[TestCase], root: str) -> str:
    """Return what pytest calls a class when it runs in the directory `root`."""
    file = getattr(sys.modules.get(test_case.__module__), "__file__", None)
    name = test_case.__module__
    with suppress(ValueError):  # the file is on another drive
        name = name if file is None else Path(os.path.relpath(file, root)).as_posix()
    return "::".join([name, *test_case.__qualname__.split(".")])
