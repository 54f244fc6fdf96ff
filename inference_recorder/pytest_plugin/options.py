"""The plugin's options on the command line."""

from __future__ import annotations

import argparse

import pytest

from ..config import DIRECTORY_OPTION, MODE_OPTION, UNMARKED

DRY, DELETE = "dry", "delete"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("inference_recorder", "recording and replaying of LLM calls")
    group.addoption(
        MODE_OPTION,
        metavar="MODE",
        help="live, record, replay or record-if-missing. Overrides markers, arguments, environment and configuration.",
    )
    group.addoption(
        DIRECTORY_OPTION,
        metavar="DIR",
        help="The only directory of recordings. Overrides everything except a storage_dir= in code.",
    )
    group.addoption(
        "--inference-allow-recording",
        action="store_true",
        help="Allow the recording modes even though CI is set in the environment.",
    )
    group.addoption(
        "--inference-strict",
        action="store_true",
        help="Exit with status 1 if a call was live, missed, or failed and was not recorded, or a recording is unused.",
    )
    group.addoption(
        "--inference-keep-failed",
        action="store_true",
        help="In mode record, leave the recordings of failing tests in place, not in DIR/.failed.",
    )
    group.addoption(
        "--inference-block-network",
        action="store_true",
        help="Refuse every connection to another machine that is not a call being recorded, nor in allow_hosts.",
    )
    group.addoption(
        "--inference-unmarked",
        choices=UNMARKED,
        help="What happens to calls of the SDK outside every session: the summary names their tests (warn, the "
        "default), they are refused before anything is sent (error), or nothing (allow).",
    )
    group.addoption(
        "--inference-report",
        metavar="FILE.html",
        help="Write an HTML page that shows every call of this run.",
    )
    group.addoption(
        "--inference-prune",
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
