"""Sizes and ages, as people write and read them."""

from __future__ import annotations

import click
import pytest

from inference_recorder.cli.amounts import age, age_text, size
from inference_recorder.views.parts import size_of


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("2m", 120), ("1.5h", 5400), ("30d", 2_592_000), (" 1 W ", 604_800)]
)
def test_an_age_has_a_unit(text: str, seconds: float) -> None:
    """A bare 30 does not say thirty of what."""
    assert seconds == age(text)
    with pytest.raises(click.BadParameter, match="units: s, m, h, d, w"):
        age("30")


@pytest.mark.parametrize(
    ("text", "number"), [("900", 900), ("12B", 12), ("10k", 10_000), ("10 kB", 10_000), ("1.5M", 1_500_000)]
)
def test_a_size_may_have_one(text: str, number: float) -> None:
    """As ls and find take it."""
    assert number == size(text)
    for wrong in ("", "k", "-1k", "10 apples", "1e3", "nan"):
        with pytest.raises(click.BadParameter):
            size(wrong)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (age_text(-5), "0s"),
        (age_text(59.9), "59s"),
        (age_text(3600), "1h"),
        (age_text(86400 * 13), "1w"),
        (size_of(0), "0 bytes"),
        (size_of(999), "999 bytes"),
        (size_of(1000), "1.0 kB"),
        (size_of(7_007_124), "7.0 MB"),
        (size_of(3 * 10**12), "3,000.0 GB"),
    ],
)
def test_the_largest_unit_that_fits_is_shown(shown: str, expected: str) -> None:
    """Nobody compares columns of nine digits by eye."""
    assert expected == shown
