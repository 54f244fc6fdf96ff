"""What is patched is a list of targets; a missing one is named."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inference_recorder import UnsupportedSDK, inference_recording
from inference_recorder.sdk.internals import keeps_its_base_url
from inference_recorder.sdk.methods import METHODS
from inference_recorder.sdk.patching import Target, _patch_module, missing_targets
from inference_recorder.sdk.targets import patch_lasting_targets, targets


class Resource:
    def create(self) -> None: ...


def target(method: str, since: str = "") -> Target:
    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any: ...

    return Target("some.module", "Resource", method, wrapper, since)


@pytest.mark.parametrize(
    ("since", "version", "is_missed"),
    [("", "1.66.0", True), ("2.0.0", "1.109.1", False), ("2.0.0", "2.0.0", True), ("2.0.0", "3.54.0", True)],
)
def test_a_method_an_sdk_lacks_is_missed_from_its_since_on(since: str, version: str, is_missed: bool) -> None:
    """Skipping it in silence would let its calls through to the network after an upgrade."""
    found = missing_targets(
        [target("create"), target("gone", since)], {"some.module": SimpleNamespace(Resource=Resource)}, version
    )

    assert is_missed == bool(found)


def test_a_missing_method_is_an_error_that_names_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader needs to know which package to change."""
    import openai

    from inference_recorder.sdk import patching

    monkeypatch.setitem(patching._targets, "some.module", [target("gone")])
    with pytest.raises(UnsupportedSDK, match=rf"openai {openai.__version__} has no some\.module\.Resource\.gone"):
        _patch_module(SimpleNamespace(Resource=Resource), "some.module")


def test_every_method_of_the_table_is_wrapped_in_both_colours() -> None:
    """One row, two targets."""
    wrapped = {(one.module, one.owner, one.method) for one in targets()}
    for method in METHODS:
        for start in ("", "Async"):
            assert (method.module, start + method.owner, method.attribute) in wrapped


@pytest.mark.parametrize(
    ("kind", "is_kept"), [("OpenAI", True), ("AsyncOpenAI", True), ("AzureOpenAI", True), ("_ModuleClient", False)]
)
def test_only_a_client_that_keeps_its_base_url_has_its_text_kept(kind: str, is_kept: bool) -> None:
    """The module's client asks its module each time; spelling the url out for every call costs a tenth of a replay."""
    import openai

    assert is_kept == keeps_its_base_url(getattr(openai, kind))


def test_a_session_entered_while_another_one_is_being_entered_is_patched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pytest plugin has patched some classes for good, in which the rest was left to the first session."""
    from openai.resources.chat.completions import Completions

    from inference_recorder.sdk import patching

    is_waiting, may_go_on, original = threading.Event(), threading.Event(), vars(Completions)["create"]

    def is_being_imported(module: object) -> bool:
        if threading.current_thread() is first:
            is_waiting.set()
            may_go_on.wait(10)
        return False

    def enter() -> None:
        with inference_recording("replay", storage_dir=tmp_path):
            pass

    first = threading.Thread(target=enter)
    end = patch_lasting_targets()
    monkeypatch.setattr(patching, "is_being_imported", is_being_imported)
    try:
        first.start()
        is_waiting.wait(10)
        with inference_recording("replay", storage_dir=tmp_path):
            is_patched = vars(Completions)["create"] is not original
    finally:
        may_go_on.set()
        first.join()
        end()

    assert is_patched
    assert vars(Completions)["create"] is original


def test_the_many_methods_without_a_row_are_patched_once_for_a_run(tmp_path: Path) -> None:
    """Patching them for each test would double the time that a session takes; at the end of the run nothing is left."""
    program = """
import sys
from openai import AsyncOpenAI
from openai.resources.files import AsyncFiles
from inference_recorder import inference_recording
from inference_recorder.sdk.targets import patch_lasting_targets

def now():
    return vars(AsyncFiles)["retrieve"]

original, end, seen = now(), patch_lasting_targets(), []
before = now()
for _ in range(2):
    with inference_recording("replay", sys.argv[1]):
        seen.append(now())
    seen.append(now())
end()
after = now()
with inference_recording("replay", sys.argv[1]):
    alone = now()
print(before is original is after is now(), len({*map(id, seen)}), original is seen[0] or original is alone)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)

    assert ("True 1 False\n", "") == (done.stdout, done.stderr)
