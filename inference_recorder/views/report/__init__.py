"""A page to look at recordings and at what a run did with them: one HTML file that needs no network."""

from .page import write

__all__ = ["write"]
