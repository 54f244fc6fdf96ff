"""Fixtures of the tests of the commands."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _without_plugin(without_plugin: None) -> None:
    pass
