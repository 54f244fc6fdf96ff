"""At home in pytest: active when installed. Nothing heavy is imported before a test needs it."""

from .hooks import inference_session, pytest_configure
from .options import pytest_addoption

__all__ = ["inference_session", "pytest_addoption", "pytest_configure"]
