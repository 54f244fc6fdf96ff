"""At home in pytest: active when installed. Nothing heavy is imported before a test needs it."""

from .inference_server import inference_server
from .options import pytest_addoption
from .plugin import inference_session, pytest_configure, pytest_load_initial_conftests

__all__ = [
    "inference_server",
    "inference_session",
    "pytest_addoption",
    "pytest_configure",
    "pytest_load_initial_conftests",
]
