"""A command is no part of the test that runs it: it looks where its own working directory says."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _without_plugin(without_plugin: None) -> None:
    pass
