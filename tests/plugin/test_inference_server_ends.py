"""What `inference_server` does with requests of other tests, other clients, other processes, and at its end."""

from __future__ import annotations

import re
import sys

import pytest

from ..support.anthropic_replies import message
from ..support.openai_server import Reply
from .conftest import Suite, line_of
from .programs import RECORD, texts, write

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("programs")]
LATER = """
    class Later:
        def __init__(self, env):
            statements = "for line in sys.stdin: print(ask(line.strip()), flush=True)"
            command = [sys.executable, "-c", f"{ASK}\\n{statements}"]
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def ask(self, text):
            print(text, file=self.process.stdin, flush=True)
            return self.process.stdout.readline().strip()

        def end(self):
            self.process.communicate()
            return True
"""


@pytest.mark.parametrize("mode", ["record", "record-if-missing", "replay", "live"])
def test_what_a_program_asks_after_its_test_is_refused(suite: Suite, mode: str) -> None:
    """It is neither the next test's, nor sent, nor stored; and the run says whose it was."""
    write(
        suite,
        LATER
        + """
    @pytest.mark.inference_recording(allow_misses=True)
    def test_one(inference_server):
        global later
        later = Later(inference_server.env)
        later.ask("early")

    def test_none():
        assert "422" in later.ask("late")

    def test_two(inference_server, inference_session):
        answer = later.ask("late")
        assert "422" in answer and "test_it.py::test_one has ended" in answer, answer
        assert {} == inference_session.counts

    @pytest.mark.inference_recording(mode="live")
    def test_live(inference_session):
        assert "422" in later.ask("late")
        assert later.end()
        assert {} == inference_session.counts
    """,
    )

    result = suite.run(f"--inference-mode={mode}")

    result.assert_outcomes(passed=4)
    early = 0 if mode == "replay" else 1
    assert early == suite.server.count
    assert (early if "record" in mode else 0) == len(suite.files())
    assert (
        "  test_it.py::test_one: a process that it started made 3 calls after its end; end the process before"
        == line_of(result, "  test_it.py::test_one: a process")
    )


def test_what_a_program_asks_after_its_attempt_is_not_the_reruns(suite: Suite) -> None:
    """Both have the same test id; the second has an answer less to get otherwise."""
    write(
        suite,
        LATER
        + """
    programs = []

    def test_it(inference_server):
        programs.append(Later(inference_server.env))
        answers = [program.ask("same") for program in programs]
        print("\\nanswers:", [answer[:7] for answer in answers])
        assert len(programs) > 1
        assert all(program.end() for program in programs)
    """,
    )

    result = suite.run(RECORD, "-s", "--reruns=1")

    answers = [line for line in result.outlines if line.startswith("answers:")]
    assert ["answers: ['Hello 0']", "answers: ['422 {\"t', 'Hello 1']"] == answers
    assert (2, ["Hello 1!"]) == (suite.server.count, texts(suite))


def test_a_wide_fixture_and_the_programs_of_a_test_each_keep_their_own(suite: Suite) -> None:
    """A fixture that is set up while a test runs has a session of its own, which is then the innermost one."""
    test = """
        urls = {}

        @pytest.fixture(scope="session")
        def app():
            say("same", urls["env"])
            process = subprocess.Popen([sys.executable, "-c", SDK + "\\nprint(ask('of the app'))"])
            yield ask("same")
            process.wait()

        def test_it(inference_server, request, inference_session):
            urls["env"] = inference_server.env
            answers = [say("same", inference_server.env)]
            answers.append(request.getfixturevalue("app"))
            answers.append(say("same", inference_server.env))
            print("\\nanswers:", answers, sum(inference_session.counts.values()))
    """
    write(suite, test)
    recorded = suite.run("-s", RECORD)
    requests = suite.server.count

    replayed = suite.run("-s")

    recorded.assert_outcomes(passed=1)
    replayed.assert_outcomes(passed=1)
    assert line_of(recorded, "answers:") == line_of(replayed, "answers:")
    assert 5 == requests == suite.server.count == len(suite.files())


def test_a_session_that_a_test_opens_itself_answers_its_programs(suite: Suite) -> None:
    """As it answers its own calls: the innermost session that is open then."""
    write(
        suite,
        """
        def test_it(inference_server, inference_session):
            answers = [say("Hi", inference_server.env)]
            with inference_recording(storage_dir="inner") as inner:
                answers.append(say("Hi", inference_server.env))
            answers.append(say("Hi", inference_server.env))
            assert ["Hello 0!", "Hello 1!", "Hello 2!"] == answers
            assert (1, 2) == (sum(inner.counts.values()), sum(inference_session.counts.values()))
        """,
    )

    suite.run(RECORD).assert_outcomes(passed=1)
    suite.run().assert_outcomes(passed=1)

    assert (2, 1) == (len(suite.files()), len(suite.files("inner")))
    assert 3 == suite.server.count


def test_a_server_of_a_wide_fixture_answers_each_test(suite: Suite) -> None:
    """An app that runs for many tests asks it, and passes on the headers that name the test."""
    tests = """
        from inference_recorder.asgi import default_headers

        @pytest.fixture(scope="session")
        def served():
            command = [sys.executable, "-c", "from inference_recorder.cli.main import main; main()", "serve"]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
                yield process.stderr.readline().split()[-1]
                process.terminate()

        @pytest.mark.inference_recording
        @pytest.mark.parametrize("number", [1, 2, 3])
        def test_it(served, number):
            named = {{"url": served, "headers": default_headers()}}
            assert say("same", os.environ, **named) != say("same", os.environ, **named)
            {more}
    """
    write(suite, tests.format(more=""))
    suite.run(RECORD).assert_outcomes(passed=3)
    write(suite, tests.format(more="number != 2 or say('more', os.environ, **named)"))

    result = suite.run()

    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it?2? *"])
    assert [f"test_it.py::test_it[{number}]" for number in (1, 1, 2, 2, 3, 3)] == suite.test_ids()
    assert 6 == suite.server.count


def test_a_header_names_the_test_of_a_program_that_runs_for_many(suite: Suite) -> None:
    """An app that the first test has started knows that test's url alone; it can pass on what names the next one."""
    write(
        suite,
        """
        from inference_recorder.asgi import default_headers
        urls = []

        @pytest.mark.parametrize("number", [1, 2])
        def test_it(inference_server, number, inference_session):
            urls.append(inference_server.url)
            assert say("same", inference_server.env).startswith("Hello")
            named = {"url": urls[0], "headers": default_headers()}
            assert say("same", inference_server.env, **named).startswith("Hello")
            only = {"X-Inference-Test-Id": named["headers"]["X-Inference-Test-Id"]}
            assert say("same", inference_server.env, **named | {"headers": only}).startswith("Hello")
            assert 3 == sum(inference_session.counts.values())
        """,
    )

    suite.run(RECORD).assert_outcomes(passed=2)
    suite.run().assert_outcomes(passed=2)

    assert [f"test_it.py::test_it[{number}]" for number in (1, 1, 1, 2, 2, 2)] == suite.test_ids()
    assert 6 == suite.server.count


def test_a_client_in_the_tests_process_is_recorded_once(suite: Suite) -> None:
    """The recorder of this process leaves it to the server; a program and the test then share their recordings."""
    suite.server.answers("/v1/messages", Reply(message("Hi!")))
    write(
        suite,
        """
        import anthropic, openai
        from ask import question

        def test_it(inference_server, inference_session):
            with openai.OpenAI(base_url=inference_server.url, api_key="x") as client:
                assert "Hello 0!" == client.chat.completions.create(**question("Hi")).choices[0].message.content
                chunks = [*client.chat.completions.create(**question("Hi"), stream=True)]
            assert "Hello 2!" == say("Hi", inference_server.env)
            assert "Hello 3!" == ask("Hi")
            with anthropic.Anthropic(base_url=inference_server.anthropic_url, api_key="x") as client:
                asked = question("Hi") | {"max_tokens": 5}
                assert "Hi!" == client.messages.create(**asked).content[0].text
            assert 5 == sum(inference_session.counts.values())
        """,
    )

    suite.run(RECORD).assert_outcomes(passed=1)
    suite.run().assert_outcomes(passed=1)

    assert 5 == suite.server.count == len(suite.files())


@pytest.mark.parametrize("first", [True, False])
def test_a_python_process_that_has_only_the_url_is_recorded_once(suite: Suite, first: bool) -> None:
    """It joins the session of its test too; its recorder leaves to the server what is asked there."""
    write(
        suite,
        f"""
        def test_it(inference_session, request, monkeypatch):
            if not {first}:
                assert "Hello 0!" == say("Hi", os.environ, SDK)
            server = request.getfixturevalue("inference_server")
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            assert say("Hi", os.environ, SDK).startswith("Hello")
            assert say("Hi", os.environ, SDK) != ask("Hi")
            print("\\ncounts:", dict(inference_session.counts))
        """,
    )

    recorded = suite.run("-s", RECORD)
    replayed = suite.run("-s")

    calls = 3 if first else 4
    assert f"counts: {{'recorded': {calls}}}" == line_of(recorded, "counts:")
    assert f"counts: {{'replayed': {calls}}}" == line_of(replayed, "counts:")
    assert calls == suite.server.count == len(suite.files())


HIDING = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "{package}":
            raise ModuleNotFoundError(f"No module named {{name!r}}", name="{package}")

finder = Finder()

def pytest_runtest_setup():
    for name in [name for name in sys.modules if name.partition(".")[0] == "{package}"]:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)

def pytest_runtest_call():
    sys.meta_path.remove(finder)
"""


@pytest.mark.parametrize("package", ["python_multipart", "uvicorn", "starlette", "httpx"])
def test_without_its_extra_it_says_what_to_install(suite: Suite, package: str) -> None:
    """The plugin itself needs none of it."""
    write(suite, "def test_it(inference_server): pass\ndef test_other(): pass")
    (suite.directory / "hiding.py").write_text(HIDING.format(package=package))

    result = suite.run_apart("-p", "hiding", RECORD)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.no_fnmatch_line("*another exception*")
    result.stdout.fnmatch_lines([f"inference_server needs {package}: pip install 'inference-recorder?server?'"])


def test_prune_deletes_what_it_knows_to_be_needless(suite: Suite) -> None:
    """What a client of the test's process asks is known; whether a program has other sessions, is not."""
    test = """
        import openai
        from ask import question

        def test_client(inference_server):
            with openai.OpenAI(base_url=inference_server.url, api_key="x") as client:
                for text in {texts}:
                    client.chat.completions.create(**question(text))

        def test_program(inference_server):
            for text in {texts}:
                assert say(text, inference_server.env)
    """
    write(suite, test.format(texts=["one", "two"]))
    suite.run(RECORD).assert_outcomes(passed=2)
    write(suite, test.format(texts=["one"]))

    result = suite.run("--inference-prune=delete")

    result.assert_outcomes(passed=2)
    assert ["test_it.py::test_client", *["test_it.py::test_program"] * 2] == suite.test_ids()
    result.stdout.fnmatch_lines(
        ["  kept, since a process that was started while their tests ran did not report the recordings it used:"]
    )
    suite.run().assert_outcomes(passed=2)


ENDS = """
    def test_one(inference_server): assert say("one", inference_server.env).startswith("Hello")
    def test_two(inference_server):
        process = subprocess.Popen(
            [sys.executable, "-c", ASK + "\\nask('two', stream=True)"], env=inference_server.env
        )
        {end}
        assert False
    def test_three(inference_server): assert say("three", inference_server.env).startswith("Hello")
"""


@pytest.mark.parametrize(
    ("end", "arguments", "outcomes"),
    {
        "all": ("process.wait(); return", [], {"passed": 3}),
        "the first failure": ("process.wait()", ["-x"], {"passed": 1, "failed": 1}),
        "Ctrl-C": ("process.wait(); os.kill(os.getpid(), 2)", [], {"passed": 1}),
        "a killed worker": ("process.wait(); os._exit(1)", ["-n1"], {"passed": 2, "failed": 1}),
        "workers": ("process.wait(); return", ["-n2"], {"passed": 3}),
    }.values(),
)
def test_it_ends_with_the_run_and_leaves_no_warning(
    suite: Suite,
    end: str,
    arguments: list[str],
    outcomes: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A suite with filterwarnings = error would fail for sockets and threads that are left."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:cacheprovider -p no:hypothesispytest")
    (suite.directory / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
    )
    write(suite, ENDS.format(end=end))

    result = suite.pytester.run(sys.executable, "-W", "default::ResourceWarning", "-m", "pytest", *arguments, RECORD)

    result.assert_outcomes(**outcomes)
    output = result.stdout.str() + result.stderr.str()
    assert not re.findall(r"\w*Warning|Exception ignored|Traceback", output), output
    assert {"one"} <= {r["request"]["body"]["messages"][0]["content"] for r in suite.recordings()}
