"""How versions of the SDKs compare, and the error for one that lacks something."""

from __future__ import annotations

from ..errors import UnsupportedSDK
from ..packages import OPENAI, sdk_of_module


def version_of(module: str) -> str:
    """Return the version of the imported SDK that a module belongs to, "" before it is imported."""
    return (sdk_of_module(module) or OPENAI).version


def release_of(version: str) -> tuple[int, ...]:
    """Return the numbers of a version; "" is before all others."""
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())


def unsupported(module: str, names: str, why: str) -> UnsupportedSDK:
    """Return the error for an SDK whose `module` lacks names."""
    sdk = sdk_of_module(module) or OPENAI
    return UnsupportedSDK(
        f"{sdk.distribution} {sdk.version} has no {names}, which {why}; "
        f"install another version: {sdk.distribution} {sdk.oldest} is the oldest that is supported"
    )
