"""At home in pytest: active when installed. Nothing heavy is imported before a test needs it."""

from .hooks import pytest_addoption, pytest_configure
from .session_fixture import inference_session

__all__ = ["inference_session", "pytest_addoption", "pytest_configure"]
