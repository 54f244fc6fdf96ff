"""The tools that are compared, each used as its own documentation says, and the options that it needs for a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
Settings = dict[str, Any]
_BODY = ["method", "scheme", "host", "port", "path", "query", "body"]


@dataclass(frozen=True)
class Tool:
    """A tool, and the options that it needs for a row of the table: name of the row -> (label, settings)."""

    label: str
    distribution: str
    packages: tuple[str, ...]
    """What is installed, beside openai and httpx; the recorder of ogx needs more than ogx asks for."""
    block: Callable[[str, Path, Settings], AbstractContextManager[Any]] | None = None
    """(mode, directory, settings) -> the block in which calls are recorded or replayed; None for pytest plugins."""
    options: dict[str, tuple[str, Settings]] = field(default_factory=dict)
    pytest_options: dict[str, str] = field(default_factory=dict)
    """The command line of pytest for a mode, if the tool has a plugin."""
    mark: str = ""
    fixture: str = ""
    is_async: bool = False
    """Whether it knows only the async client."""


def _without_failures(response: Any) -> Any:
    """Drop failures from a cassette of vcrpy."""
    return response if response["status"]["code"] < 429 else None


def _skip_failures(response: Any) -> Any:
    """Drop failures from a cassette of cassetter."""
    from cassetter import SkipRecording  # type: ignore[import-not-found, unused-ignore]

    if response.status >= 429:
        raise SkipRecording
    return response


def hide_key(request: Any) -> Any:
    """Replace keys in a request of cassetter, before it is matched or saved."""
    import re

    request.body = re.sub(rb"sk-\w+", b"KEY", request.body or b"")
    return request


@contextmanager
def _vcrpy(mode: str, directory: Path, settings: Settings) -> Iterator[None]:
    import vcr  # type: ignore[import-untyped, unused-ignore]

    reports_unused = settings.pop("all_played", False)
    record_mode = {"record": "once", "again": "all", "add": "new_episodes", "replay": "none"}[mode]
    with vcr.VCR(record_mode=record_mode, **settings).use_cassette(directory / "cassette.yaml") as cassette:
        yield
    if reports_unused and not cassette.all_played:
        raise AssertionError("unused")


@contextmanager
def _cassetter(mode: str, directory: Path, settings: Settings) -> Iterator[None]:
    from cassetter import use_cassette

    modes = {"record": "once", "again": "all", "add": "new_episodes", "replay": "none", "verify": "verify"}
    with use_cassette(directory / "cassette.yaml", record_mode=modes[mode], **settings):
        yield


@contextmanager
def _ogx(mode: str, directory: Path, settings: Settings) -> Iterator[None]:
    from ogx.testing.api_recorder import api_recording  # type: ignore[import-not-found, unused-ignore]

    with api_recording({"again": "record", "add": "record-if-missing"}.get(mode, mode), directory):
        yield


@contextmanager
def _ours(mode: str, directory: Path, settings: Settings) -> Iterator[None]:
    from inference_recorder import inference_recording

    with inference_recording({"again": "record", "add": "record-if-missing"}.get(mode, mode), directory, **settings):  # type: ignore[arg-type, unused-ignore]
        yield


_BODY_OPTION: tuple[str, Settings] = ('`match_on=[…, "body"]`', {"match_on": _BODY})
_BODY_ROWS = ("another prompt", "another parameter", "at once", "difference", "how to record")
_VCRPY: dict[str, tuple[str, Settings]] = {
    **dict.fromkeys(_BODY_ROWS, _BODY_OPTION),
    "key in a header": ("`filter_headers`", {"filter_headers": ["authorization"]}),
    "key in a prompt": (
        "`filter_sensitive_data`",
        {"filter_sensitive_data": "KEY", "filter_headers": ["authorization"], "match_on": _BODY},
    ),
    "failure not kept": ("`before_record_response`", {"before_record_response": _without_failures}),
    **dict.fromkeys(
        ("readable", "other scripts"), ("`decode_compressed_response`", {"decode_compressed_response": True})
    ),
    "unused": ("`cassette.all_played`", {"all_played": True}),
}
_JSON_OPTION: tuple[str, Settings] = (
    '`match_on=[…, "json_body"]`',
    {"match_on": ["method", "uri", "json_body"]},
)

TOOLS: dict[str, Tool] = {
    "ours": Tool(
        "inference_recorder",
        "inference-recorder",
        (f"{CHECKOUT}[cli,server]", "pytest"),
        block=_ours,
        pytest_options={"record": "--inference-mode=record", "replay": "--inference-mode=replay"},
        mark="inference_recording",
    ),
    "vcrpy": Tool("vcrpy", "vcrpy", ("vcrpy",), block=_vcrpy, options=_VCRPY),
    "pytest-recording": Tool(
        "pytest-recording",
        "pytest-recording",
        ("pytest-recording", "pytest"),
        options=_VCRPY,
        pytest_options={
            "record": "--record-mode=once",
            "again": "--record-mode=rewrite",
            "add": "--record-mode=new_episodes",
            "replay": "--record-mode=none",
        },
        mark="vcr",
        fixture="vcr",
    ),
    "cassetter": Tool(
        "cassetter",
        "cassetter",
        ("cassetter[httpx,httpx2]", "pytest"),
        block=_cassetter,
        options={
            **dict.fromkeys(_BODY_ROWS, _JSON_OPTION),
            "key in a prompt": ("`before_record_request`", {"before_record_request": hide_key, **_JSON_OPTION[1]}),
            "failure not kept": ("`before_record_response`", {"before_record_response": _skip_failures}),
            "unused": ('`on_unplayed="warn"`', {"on_unplayed": "warn"}),
        },
        pytest_options={"record": "--record-mode=once", "replay": "--record-mode=none"},
        mark="vcr",
    ),
    "aimock": Tool("aimock", "@copilotkit/aimock", ()),
    "ogx": Tool("llama-stack's (ogx)", "ogx", ("ogx", "aiohttp", "chardet", "pypdf"), block=_ogx, is_async=True),
}
