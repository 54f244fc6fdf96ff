"""Clients that modules make when they are imported need no key, from the first conftest.py on."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from ..engine.test_run import UnconfiguredRun, set_test_run
from ..errors import UnknownMode
from .configuration import config_of
from .sdk_import import once_sdk_is_imported

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
    if not mode.reads:
        return
    config.add_cleanup(set_test_run(UnconfiguredRun()))
    once_sdk_is_imported(config, _patch)


def _patch() -> Callable[[], None]:
    from ..sdk.targets import patch_lasting_targets

    return patch_lasting_targets()
