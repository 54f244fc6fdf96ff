"""The plugin's options on the command line; those that a conftest.py defines too are the project's own."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ..config import DIRECTORY_OPTION, MODE_OPTION, UNMARKED
from ..errors import UnknownMode
from ..modes import parsed_mode

DRY, DELETE = "dry", "delete"
_GROUP = "inference_recorder"
_PARSER = pytest.StashKey[pytest.Parser]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(_GROUP, "recording and replaying of LLM calls")
    group.addoption(
        MODE_OPTION,
        dest="inference_recorder_mode",
        metavar="MODE",
        help="live, record, replay or record-if-missing. Overrides markers, arguments, environment and configuration.",
    )
    group.addoption(
        DIRECTORY_OPTION,
        dest="inference_recorder_recordings",
        metavar="DIR",
        help="The only directory of recordings. Overrides markers, environment and configuration, but not the "
        "storage_dir= of inference_recording() in code.",
    )
    group.addoption(
        "--inference-allow-recording",
        dest="inference_recorder_allow_recording",
        action="store_true",
        help="Allow the recording modes even though CI is set in the environment.",
    )
    group.addoption(
        "--inference-strict",
        dest="inference_recorder_strict",
        action="store_true",
        help="Exit with status 1 if a call was live, missed, outside a session, or failed and was not recorded, if a "
        "connection outside a session was refused, if a test's session was live, or if a recording is unused.",
    )
    group.addoption(
        "--inference-keep-failed",
        dest="inference_recorder_keep_failed",
        action="store_true",
        help="In mode record, leave the recordings of failing tests in place, not in DIR/.failed.",
    )
    group.addoption(
        "--inference-block-network",
        dest="inference_recorder_block_network",
        action="store_true",
        help="Refuse every connection to another machine that is not a call being recorded, nor in allow_hosts.",
    )
    group.addoption(
        "--inference-unmarked",
        dest="inference_recorder_unmarked",
        choices=UNMARKED,
        help="What happens to calls of the SDK outside every session: the summary names their tests (warn, the "
        "default), they are refused before anything is sent (error), or nothing (allow).",
    )
    group.addoption(
        "--inference-report",
        dest="inference_recorder_report",
        metavar="FILE.html",
        help="Write an HTML page that shows every call of this run.",
    )
    group.addoption(
        "--inference-prune",
        dest="inference_recorder_prune",
        nargs="?",
        const=DRY,
        type=_prune_value,
        metavar="delete",
        help="List the recordings that were not used, with reasons. With =delete, delete those whose own test ran and "
        "passed in this run without using them.",
    )


def _prune_value(value: str) -> str:
    if value not in (DRY, DELETE):
        raise argparse.ArgumentTypeError(
            f"it takes only =delete, not {value!r}; put files before it, or write --inference-prune last"
        )
    return value


def given_mode(options: argparse.Namespace) -> str | None:
    """Return what `--inference-mode` names; None if that is not a mode, as an option of a conftest.py may allow."""
    try:
        return None if (mode := options.inference_recorder_mode) is None else parsed_mode(mode, MODE_OPTION).value
    except UnknownMode:
        return None


@contextmanager
def standing_aside(config: pytest.Config, parser: pytest.Parser) -> Iterator[None]:
    """While the first conftest.py files are loaded, leave the names of our options to them; then keep what is left.

    A conftest.py adds its options after all plugins, and pytest refuses to have a name twice: since version 9 as it is
    added, before that as the command line is parsed. If one takes `--inference-mode`, a mode given there is ours too.
    """
    group, mode = parser.getgroup(_GROUP), given_mode(config.known_args_namespace)
    actions = _withdrawn(parser)
    config.stash[_PARSER] = parser
    try:
        yield
    finally:
        groups = (*getattr(parser, "_groups", ()), getattr(parser, "_anonymous", group))
        others = [option for other in groups if other is not group for option in other.options]
        taken = {name for option in others for name in option.names()}
        _actions(parser).update({name: action for name, action in actions.items() if name not in taken})
        given_up = [option for option in group.options if not taken.isdisjoint(option.names())]
        group.options = [option for option in group.options if option not in given_up]
        for option in given_up:
            vars(config.option).setdefault(option.dest, None)
        if MODE_OPTION in taken:
            config.option.inference_recorder_mode = mode


def make_way(config: pytest.Config) -> None:
    """Once the command line is parsed, leave the names of our options to conftest.py files that are loaded later.

    pytest parses nothing for those; so a mode that was given is set for them.
    """
    if (parser := config.stash.get(_PARSER, None)) is not None:
        _withdrawn(parser)
    if config.option.inference_recorder_mode is not None:
        vars(config.option).setdefault("inference_mode", config.option.inference_recorder_mode)


def _withdrawn(parser: pytest.Parser) -> dict[str, Any]:
    """Take the names of our options from the parser, and return them with their actions."""
    actions = _actions(parser)
    names = [name for option in parser.getgroup(_GROUP).options for name in option.names()]
    return {name: actions.pop(name) for name in names if name in actions}


def _actions(parser: pytest.Parser) -> dict[str, Any]:
    """Return the actions of argparse by name; an empty dict before pytest 9, whose parser is made as it parses."""
    actions: dict[str, Any] = getattr(getattr(parser, "optparser", None), "_option_string_actions", {})
    return actions
