"""Sizes, ages and times as people write and read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone

import click

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")


def age(text: str) -> float:
    """Return the seconds of an age: "30d". Raises click.BadParameter."""
    return _amount(text, _SECONDS, "30d")


def size(text: str) -> float:
    """Return the bytes of a size: "10k", "1.5 MB". Raises click.BadParameter."""
    return _amount(text, _BYTES | {f"{unit}B": factor for unit, factor in _BYTES.items()}, "10k")


def age_text(seconds: float) -> str:
    """Return an age in its largest whole unit: "3d"."""
    unit, factor = next(((unit, factor) for unit, factor in reversed(_SECONDS.items()) if seconds >= factor), ("s", 1))
    return f"{max(int(seconds // factor), 0)}{unit}"


def iso_time(seconds: float) -> str:
    """Return a time, in seconds since 1970, in ISO 8601: "2026-01-31T12:00:00+00:00"."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")


def _amount(text: str, units: Mapping[str, int], example: str) -> float:
    factors = {unit.lower(): factor for unit, factor in units.items()}
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or match.group(2).lower() not in factors:
        known = ", ".join(unit for unit in units if unit)
        raise click.BadParameter(f"{text!r} must be a number and a unit, such as {example} (units: {known})")
    return float(match.group(1)) * factors[match.group(2).lower()]
