"""Sessions around the tests of a class of unittest, however they end."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import openai
import pytest

from inference_recorder import MissingRecording, UnusableDirectory, inference_recording
from inference_recorder.sdk.context import current_engine

from ..conftest import HELLO, files_of
from ..support.openai_server import OpenAIServer

pytestmark = pytest.mark.usefixtures("sessions_are_runs")


def run(test_case: type[unittest.TestCase]) -> unittest.TestResult:
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(test_case)
    return unittest.TextTestRunner(StringIO()).run(suite)


@pytest.mark.parametrize("base", [unittest.TestCase, unittest.IsolatedAsyncioTestCase])
def test_a_failed_test_keeps_the_answers_that_it_did_not_reach(
    base: type[unittest.TestCase], client: openai.OpenAI, recordings: Path
) -> None:
    """As in a block that an exception left; one that passed removes what it no longer needs."""
    create, fail = client.chat.completions.create, pytest.fail
    plan: list[Callable[..., object]] = []

    @inference_recording("record", recordings)
    class Test(base):  # type: ignore[misc, valid-type]
        def test_polling(self) -> None:
            for call in plan:
                call(**HELLO)

    outcomes = []
    for plan[:] in [create, create, create], [create, fail], [create, create]:
        outcomes.append((run(Test).wasSuccessful(), len(files_of(recordings))))

    assert [(True, 3), (False, 3), (True, 2)] == outcomes


def test_a_test_whose_session_cannot_be_opened_is_an_error_and_the_others_run(
    client: openai.OpenAI, server: OpenAIServer, recordings: Path, tmp_path: Path
) -> None:
    """What escapes a test's run ends the whole run of unittest."""
    (tmp_path / "file").touch()

    @inference_recording("replay", tmp_path / "file")
    class Unusable(unittest.TestCase):
        def test_one(self) -> None: ...
        def test_two(self) -> None: ...

    @inference_recording("replay", recordings)
    class Miss(unittest.TestCase):
        def test_one(self) -> None:
            client.chat.completions.create(**HELLO)

    unusable, miss = run(Unusable), run(Miss)

    assert 2 == len(unusable.errors) == unusable.testsRun
    assert all(UnusableDirectory.__name__ in text for _, text in unusable.errors)
    [(_, text)] = miss.errors
    assert MissingRecording.__name__ in text
    assert 0 == server.count


@pytest.mark.parametrize("how", ["run", "debug"])
def test_no_session_stays_open_after_an_interruption(how: str, recordings: Path) -> None:
    """unittest runs no cleanups then, and a REPL goes on."""
    engines = []

    @inference_recording("replay", recordings)
    class Test(unittest.TestCase):
        def test_one(self) -> None:
            engines.append(current_engine())
            raise KeyboardInterrupt

    test = Test("test_one")
    with pytest.raises(KeyboardInterrupt):
        getattr(test, how)()

    assert [False] == [engine.is_open for engine in engines if engine is not None]
    assert current_engine() is None
    assert "setUp" not in vars(test)  # it may run again


def test_the_decorator_of_a_subclass_decides_for_its_tests(client: openai.OpenAI, recordings: Path) -> None:
    """As the nearest of two markers does."""

    @inference_recording("replay", recordings / "base")
    class Base(unittest.TestCase):
        pass

    class Plain(Base):
        @staticmethod
        def setUpClass() -> None:
            client.chat.completions.create(**HELLO, user="the class")

    @inference_recording("record", recordings)
    class Decorated(Plain):
        def test_one(self) -> None:
            client.chat.completions.create(**HELLO)

    assert run(Decorated).wasSuccessful()
    assert 2 == len(files_of(recordings))


def test_a_class_that_is_not_of_unittest_is_refused(client: openai.OpenAI, recordings: Path) -> None:
    """Decorating it did nothing for its methods, and the tests went live."""
    recorder = inference_recording("record", recordings)

    class TestPlain:
        def test_one(self) -> None:
            client.chat.completions.create(**HELLO)

    with pytest.raises(TypeError, match=r"TestCase, not <class .*decorate its methods.*@pytest\.mark"):
        recorder(TestPlain)
    recorder(TestPlain.test_one)(TestPlain())

    assert 1 == len(files_of(recordings))
