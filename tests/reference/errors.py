"""The list in docs/errors.md, made from the docstrings of `inference_recorder.errors` and from messages."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

from inference_recorder import errors
from inference_recorder.explanation import Difference, Explanation, Nearest

_WIDTH = 120
_TEST = "tests/test_trip.py::test_plan"
_RECORDING = Path("recordings/de4d080193f6….json")
_DIFFERENCE = Difference("$.messages[0].content", "Say hello.", "Say hello to the whole team.")


def error_classes() -> list[type[Exception]]:
    """Return the errors and warnings that users meet, by name."""
    kinds = [kind for _, kind in sorted(vars(errors).items()) if isinstance(kind, type)]
    ours = [kind for kind in kinds if issubclass(kind, (errors.RecorderError, UserWarning))]
    return [kind for kind in ours if kind is not errors.RecorderError]


def list_of_errors() -> str:
    """Return a section for each error: cause, way out, attributes, and for some of them a message."""
    messages = {type(error): str(error) for error in _examples()}
    return "\n\n".join(_section(kind, messages.get(kind)) for kind in error_classes())


def _examples() -> list[Exception]:
    """Return errors whose messages have several lines."""
    nearest = Nearest(_RECORDING, "other request", _TEST, (_DIFFERENCE,))
    return [
        errors.MissingRecording(
            key="dc19027b38b1…",
            summary="POST /v1/chat/completions (model gpt-4o)",
            test_id=_TEST,
            node_id=_TEST,
            looked_in=[Path("recordings")],
            explanation=Explanation(nearest),
        ),
        errors.LiveCallBlocked("api.example.com", 443, _TEST, "trip/search.py:12 in find", "network"),
    ]


def _section(kind: type[Exception], message: str | None) -> str:
    text = inspect.cleandoc(kind.__doc__ or "")
    cause, _, others = text.partition("\n\nWay out:\n")
    way_out, _, attributes = others.partition("\n\nAttributes:\n")
    built_in = [base.__name__ for base in kind.__bases__ if base.__module__ == "builtins" and base is not UserWarning]
    items = [("Cause", " ".join([cause, *(f"(Also {_article(name)} `{name}`.)" for name in built_in)]))]
    items += [("Way out", way_out)]
    if attributes:
        pairs = re.findall(r"^    (\w+): (.*(?:\n     .*)*)", attributes, re.MULTILINE)
        items += [("Attributes", ", ".join(f"`{name}` ({_within(meaning)})" for name, meaning in pairs) + ".")]
    lines = [f"## `{kind.__name__}`", "", *(_item(name, text) for name, text in items)]
    if message is not None:
        lines += ["", "```text", message, "```"]
    return "\n".join(lines)


def _article(name: str) -> str:
    return "an" if name.startswith("O") else "a"


def _within(meaning: str) -> str:
    """Return the meaning of an attribute as it stands in parentheses."""
    text = meaning.rstrip(".")
    return text[0].lower() + text[1:]


def _item(name: str, text: str) -> str:
    paragraph = re.sub(r"\s+", " ", f"- **{name}**: {text}").strip()
    return textwrap.fill(paragraph, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
