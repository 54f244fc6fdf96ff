"""Which SDK is imported, and how its versions compare."""

from __future__ import annotations

import sys


def sdk_version() -> str:
    """Return the version of the imported SDK, "" before it is imported."""
    return str(getattr(sys.modules.get("openai._version"), "__version__", ""))


def release_of(version: str) -> tuple[int, ...]:
    """Return the numbers of a version; "" is before all others."""
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
