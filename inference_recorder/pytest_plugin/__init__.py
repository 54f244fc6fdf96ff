"""At home in pytest: active when installed. Nothing heavy is imported before a test needs it."""

from .hooks import inference_session, pytest_addoption, pytest_configure

__all__ = ["inference_session", "pytest_addoption", "pytest_configure"]
