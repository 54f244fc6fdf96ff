"""The plugin's options: on the command line, in pytest's configuration file, and in `[tool.inference_recorder]`."""

from __future__ import annotations

import argparse

import pytest

from ..modes import MODE_OPTION
from ..storage.directories import DIRECTORY_OPTION

DRY, DELETE = "dry", "delete"


def add_options(parser: pytest.Parser) -> None:
    """Declare them all."""
    group = parser.getgroup("inference_recorder", "recording and replaying of LLM calls")
    group.addoption(
        MODE_OPTION,
        metavar="MODE",
        help="live, record, replay or record-if-missing; goes before markers, arguments in code, environment and ini.",
    )
    group.addoption(
        DIRECTORY_OPTION,
        metavar="DIR",
        help="The folder of recordings; goes before all but a storage_dir given in code.",
    )
    group.addoption(
        "--inference-allow-recording",
        action="store_true",
        help="Let the recording modes record although CI is set in the environment.",
    )
    group.addoption(
        "--inference-keep-failed",
        action="store_true",
        help="Keep the recordings of tests that fail in their place; else they are set aside in DIR/.failed.",
    )
    group.addoption(
        "--inference-report",
        metavar="FILE.html",
        help="Write a page that shows each call of this run.",
    )
    group.addoption(
        "--inference-prune",
        nargs="?",
        const=DRY,
        type=_prune_value,
        metavar="delete",
        help="List the recordings that nothing asked for, with reasons; with =delete, delete those whose own test ran "
        "and passed in this run without asking for them.",
    )
    parser.addini("inference_mode", "As --inference-mode, for who says nothing else.", default=None)
    parser.addini(
        "inference_recordings",
        "The folder of recordings, below this file's folder unless absolute (default: recordings at rootdir).",
        default=None,
    )
    parser.addini(
        "inference_recordings_beside_tests",
        "Write each test file's recordings to recordings/ beside it; they are found in either place.",
        type="bool",
        default=None,
    )
    parser.addini("inference_recording_auto", "Open a session for every test.", type="bool", default=None)
    parser.addini(
        "inference_record_errors",
        "Whether failed calls are recorded (default: those that say something about the request, such as a 400).",
        type="bool",
        default=None,
    )
    parser.addini(
        "inference_redact",
        "Regular expressions, one a line, of secrets beside those that are found anyway (their group `secret`, else "
        "all they match); what redact= in code and markers says is added to them.",
        type="linelist",
        default=None,
    )
    parser.addini(
        "inference_secret_env",
        "Environment variables, one a line, names or patterns such as DB_*, whose values are secrets beside those of "
        "*_KEY, *_TOKEN, *_SECRET and *_PASSWORD; !NAME leaves one out.",
        type="linelist",
        default=None,
    )
    parser.addini(
        "inference_normalize",
        "Built-in normalizers, one a line: cwd, dates, hashes, tmp_path, tool_call_ids, uuids. A normalize= in code or "
        "in a marker replaces them, normalize=[] too. Rules with paths go into [tool.inference_recorder].",
        type="linelist",
        default=None,
    )


def _prune_value(value: str) -> str:
    if value not in (DRY, DELETE):
        raise argparse.ArgumentTypeError(
            f"it takes only =delete, not {value!r}; put files and folders before it, or write --inference-prune last"
        )
    return value
