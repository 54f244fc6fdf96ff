"""The environment is the user's: after a session it is what it was, and what a test changed meanwhile stays."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from inference_recorder.children import variables
from inference_recorder.children.variables import SESSION_VARIABLE, export, restore

OURS = variables._BOOTSTRAP


@pytest.fixture(autouse=True)
def _no_session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(variables, "inherited", "")
    monkeypatch.setattr(variables, "_before", None)
    monkeypatch.delenv(SESSION_VARIABLE, raising=False)
    yield
    restore()


def joined(*paths: str) -> str:
    return os.pathsep.join(paths)


@pytest.mark.parametrize("path", [None, "", "a", joined("a", "", "b"), joined("a", "a")])
def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch, path: str | None) -> None:
    """A path that was empty is not one that was not there."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
    before = dict(os.environ)

    export("s:0")
    export("s:9")
    inside = os.environ["PYTHONPATH"], os.environ[SESSION_VARIABLE]
    export(None)
    between = dict(os.environ)
    export("s:0")
    restore()

    assert (joined(OURS, path) if path else OURS, "s:9") == inside
    assert before == between == dict(os.environ)


def test_what_a_test_changes_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session does not know better than the test."""
    monkeypatch.setenv("PYTHONPATH", "a")
    export("s:0")
    monkeypatch.setenv("PYTHONPATH", "mine", prepend=os.pathsep)
    restore()
    prepended = os.environ["PYTHONPATH"]
    export("s:0")
    monkeypatch.setenv("PYTHONPATH", "mine")
    restore()
    replaced = os.environ["PYTHONPATH"]
    export("s:0")
    monkeypatch.delenv("PYTHONPATH")
    restore()

    assert (joined("mine", "a"), "mine", None) == (prepended, replaced, os.environ.get("PYTHONPATH"))


def test_a_path_that_a_test_put_back_late_is_tidied_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """`monkeypatch` restores what was there inside the session, after its end."""
    monkeypatch.setenv("PYTHONPATH", joined(OURS, "a"))

    export("s:0")
    restore()

    assert "a" == os.environ["PYTHONPATH"]


def test_a_child_gets_back_what_it_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own children join the session that it has joined itself."""
    monkeypatch.setenv("PYTHONPATH", OURS)
    monkeypatch.setenv(SESSION_VARIABLE, "parent:0")
    monkeypatch.setattr(variables, "inherited", "parent:0")

    export("own:0")
    export(None)
    restore()

    assert (OURS, "parent:0") == (os.environ["PYTHONPATH"], os.environ[SESSION_VARIABLE])

    variables.leave()

    assert (None, None) == (os.environ.get("PYTHONPATH"), os.environ.get(SESSION_VARIABLE))


@pytest.mark.skipif(not hasattr(os, "environb"), reason="has no environment of bytes")
def test_the_environment_of_the_process_is_passed_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes too; `rejoin` has completed both."""
    export("s:0")
    monkeypatch.setenv("PYTHONPATH", "mine")

    variables.rejoin()

    assert os.environ["PYTHONPATH"].split(os.pathsep) == [OURS, "mine"]
    assert variables.joining(os.environ) is os.environ
    assert variables.joining(os.environb) is os.environb
    assert variables.joining({**os.environ, "PYTHONPATH": "own"})["PYTHONPATH"] == joined(OURS, "own")


def test_a_session_that_ends_while_a_process_starts_leaves_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread may start a process at any time."""
    with_ours = variables._with_ours

    def ending_meanwhile(path: str | None) -> str:
        restore()
        return with_ours(path)

    monkeypatch.setenv("PYTHONPATH", "mine")
    export("s:0")
    monkeypatch.setattr(variables, "_with_ours", ending_meanwhile)

    variables.rejoin()

    assert ("mine", None) == (os.environ["PYTHONPATH"], os.environ.get(SESSION_VARIABLE))
