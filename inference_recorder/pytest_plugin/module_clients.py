"""Clients that modules make when they are imported need no key, from the first conftest.py on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import pytest

from ..engine.test_run import UnconfiguredRun, set_test_run
from ..errors import UnknownMode
from ..modes import InferenceMode
from .configuration import config_of

_IS_PREPARED = pytest.StashKey[bool]()


def prepare(config: pytest.Config, options: argparse.Namespace) -> None:
    """Let clients be made without a key during this run, if its mode may answer their calls from recordings.

    Raises pytest.UsageError if the configuration is invalid: before a conftest.py fails for want of a key.
    """
    if config.stash.get(_IS_PREPARED, False):
        return
    config.stash[_IS_PREPARED] = True
    try:
        mode = config_of(config, options).mode().value
    except UnknownMode as error:
        raise pytest.UsageError(str(error)) from None
    if mode not in (InferenceMode.REPLAY, InferenceMode.RECORD_IF_MISSING):
        return
    finder = _Finder()
    config.add_cleanup(set_test_run(UnconfiguredRun()))
    config.add_cleanup(finder.end)
    if "openai" in sys.modules:
        finder.patch()
    else:
        sys.meta_path.insert(0, finder)


class _Finder:
    """Patches the SDK when it is imported, and finds nothing: a run that does not import it pays nothing."""

    def __init__(self) -> None:
        self._unpatch: Callable[[], None] | None = None

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "openai":
            self._remove()
            self.patch()

    def patch(self) -> None:
        from ..sdk.targets import patch_lasting_targets

        self._unpatch = patch_lasting_targets()

    def end(self) -> None:
        self._remove()
        if self._unpatch is not None:
            self._unpatch()

    def _remove(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
