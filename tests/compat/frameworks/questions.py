"""The question that every framework is given, with its tool and its structure."""

from __future__ import annotations

from pydantic import BaseModel

MODEL = "gpt-4o"
CLAUDE = "claude-of-tests"
API_KEY = "sk-test"
QUESTION = "Where does it rain today?"
TEXTS = ["a rainy day", "the sun"]


class City(BaseModel):
    """A city."""

    city: str
    population: int


def weather(city: str) -> str:
    """Return the weather in a city."""
    return f"Rain in {city}."
