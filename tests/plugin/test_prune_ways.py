"""`--inference-prune=delete` in runs that see a part of the suite, or more than the suite: what is needed stays.

Each way is a suite and a second run of it. Its prompts say what should become of their recordings: "needed ..." is
asked by a run of the whole suite, "gone ..." and "kept ..." only by the run that records. What is "gone" shows that
prune has worked in this run; what is "kept" no test needs either, but the run does not show that.
"""

from __future__ import annotations

import os
import shlex
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..support.systems import needs_ends_of_processes
from .conftest import Suite

DELETE = "--inference-prune=delete"
HELP = """
    import os
    from ask import ask

    def more(text):
        if os.environ.get("RECORDS"): ask(text)
"""
OUTSIDE = "[tool.inference_recorder]\nrecordings = '../recordings'"
TWO = """
    from more import more
    pytestmark = pytest.mark.inference_recording

    def test_one(): ask("needed by one"); more("gone of one")

    @pytest.mark.slow
    def test_two(): ask("needed by two"); more("kept of two")
"""
FAILING = """
    import os
    from more import more
    pytestmark = pytest.mark.inference_recording

    def test_one(): ask("needed by one"); more("gone of one")

    def test_two():
        if not os.environ.get("RECORDS"): {end}
        ask("needed by two"); more("kept of two")

    def test_zzz(): ask("needed by zzz"); more("{rest}")
"""


LAST_FAILED = FAILING.format(end="assert 0", rest="kept of zzz").replace("gone", "kept")


class Way(NamedTuple):
    """A suite, and how it is run again to prune."""

    test: str
    """The text of test_it.py."""
    arguments: str = ""
    files: Mapping[str, str] = {}
    env: Mapping[str, str] = {}
    """The environment of the second run."""
    records: tuple[str, ...] = ("",)
    """The arguments of the runs that record."""
    is_apart: bool = False
    """Whether it needs a process of its own."""
    goes_on: bool = False
    """Whether a run before it has left behind which tests failed."""
    pruned: bool = True
    """Whether the second run comes to its end."""


NARROWED = {
    "another directory for one of its tests": Way(
        """
        import os
        from inference_recorder import inference_recording
        from more import more

        def test_one():
            with inference_recording(storage_dir=os.environ.get("DIRECTORY")): more("kept of one")

        @pytest.mark.inference_recording
        def test_two(): ask("needed by two"); more("gone of two")
        """,
        env={"DIRECTORY": "other"},
    ),
    "whole": Way(TWO.replace("kept of two", "gone of two")),
    "-k": Way(TWO, "-k one"),
    "-m": Way(TWO, "-m 'not slow'"),
    "--deselect": Way(TWO, "--deselect=test_it.py::test_two"),
    "node id": Way(TWO, "test_it.py::test_one"),
    "file": Way(
        TWO.replace("kept of two", "gone of two"), "test_it.py", {"test_other.py": TWO.replace("gone", "kept")}
    ),
    "--ignore": Way(TWO, "--ignore=test_other.py -k one", {"test_other.py": TWO.replace("gone", "kept")}),
    "--ignore-glob": Way(TWO, "--ignore-glob=*other* -k one", {"test_other.py": TWO.replace("gone", "kept")}),
    "PYTEST_ADDOPTS": Way(TWO, env={"PYTEST_ADDOPTS": "-p no:randomly -p no:cacheprovider -W ignore -k one"}),
    "collect_ignore by the environment": Way(
        TWO.replace("kept of two", "gone of two"),
        files={
            "sub/test_sub.py": TWO.replace("gone", "kept"),
            "sub/conftest.py": "import os\ncollect_ignore = [] if os.environ.get('RECORDS') else ['test_sub.py']",
        },
    ),
    "a filter of a conftest below": Way(
        TWO.replace("kept of two", "gone of two"),
        files={
            "sub/test_sub.py": TWO.replace("gone", "kept"),
            "sub/conftest.py": """
                import os

                def pytest_collection_modifyitems(items):
                    items[:] = [item for item in items if os.environ.get("RECORDS") or "sub" not in item.nodeid]
            """,
        },
    ),
    "items dropped while they are made": Way(
        TWO,
        files={
            "conftest.py": """
                import os

                @pytest.hookimpl(wrapper=True)
                def pytest_pycollect_makeitem(name):
                    made = yield
                    return made if os.environ.get("RECORDS") or name != "test_two" else []
            """
        },
    ),
    "parametrized by an option": Way(
        """
        from more import more
        @pytest.mark.inference_recording
        def test_it(model): ask(f"needed by {model}"); more(f"{'kept' if model == 'b' else 'gone'} of {model}")
        """,
        "--models=a",
        {
            "conftest.py": """
                def pytest_addoption(parser): parser.addoption("--models", default="a,b")

                def pytest_generate_tests(metafunc):
                    metafunc.parametrize("model", metafunc.config.getoption("--models").split(","))
            """
        },
    ),
    "tests made by a loop": Way(
        """
        import os
        from more import more

        def made(name, end):
            @pytest.mark.inference_recording
            def test(): ask(f"needed by {name}"); more(f"{end} of {name}")
            return test

        test_one = made("one", "gone")
        if os.environ.get("RECORDS"):
            test_two = made("two", "kept")
        """
    ),
    "tests of a plugin's own files": Way(
        TWO,
        "-k one",
        {
            "conftest.py": """
                class Scenario(pytest.Item):
                    def runtest(self):
                        from more import more
                        ask(f"needed by {self.name}"); more(f"kept of {self.name}")

                class Feature(pytest.File):
                    def collect(self):
                        item = Scenario.from_parent(self, name="scenario")
                        item.add_marker(pytest.mark.inference_recording)
                        yield item

                def pytest_collect_file(file_path, parent):
                    if file_path.suffix == ".feature": return Feature.from_parent(parent, path=file_path)
            """,
            "a.feature": "",
        },
    ),
    "--setup-only": Way(TWO.replace("gone", "kept"), "--setup-only"),
    "--setup-plan": Way(TWO.replace("gone", "kept"), "--setup-plan"),
    "--collect-only": Way(TWO.replace("gone", "kept"), "--collect-only"),
    "-x": Way(FAILING.format(end="assert 0", rest="kept of zzz"), "-x"),
    "--maxfail": Way(FAILING.format(end="assert 0", rest="kept of zzz"), "--maxfail=1"),
    "failed": Way(FAILING.format(end="assert 0", rest="gone of zzz")),
    "skipped inside": Way(FAILING.format(end="pytest.skip()", rest="gone of zzz")),
    "xfailed inside": Way(FAILING.format(end="pytest.xfail()", rest="gone of zzz")),
    "pytest.exit": Way(FAILING.format(end="pytest.exit('enough')", rest="kept of zzz")),
    "KeyboardInterrupt": Way(FAILING.format(end="raise KeyboardInterrupt", rest="kept of zzz"), is_apart=True),
    "skip by a mark": Way(TWO.replace("mark.slow", 'mark.skipif(\'not __import__("os").environ.get("RECORDS")\')')),
    "xfail that passes": Way(TWO.replace("mark.slow", "mark.xfail").replace("kept", "gone")),
    "a module skipped": Way(
        TWO.replace("kept of two", "gone of two"),
        files={
            "test_other.py": "import os\n"
            "if not os.environ.get('RECORDS'): pytest.skip(allow_module_level=True)\n"
            + textwrap.dedent(TWO).replace("gone", "kept")
        },
    ),
    "an error at import": Way(
        TWO.replace("kept of two", "gone of two"),
        "--continue-on-collection-errors",
        {
            "test_other.py": "import os\nif not os.environ.get('RECORDS'): 1 / 0\n"
            + textwrap.dedent(TWO).replace("gone", "kept")
        },
    ),
    "a broken fixture": Way(
        """
        import os
        from more import more

        @pytest.fixture
        def broken():
            yield
            if not os.environ.get("RECORDS"): assert 0

        @pytest.mark.inference_recording
        def test_it(broken): more("kept of it")
        """
    ),
    "a subtest that fails": Way(
        """
        import os, unittest
        from more import more

        @pytest.mark.inference_recording
        class TestIt(unittest.TestCase):
            def test_it(self):
                for n in range(2):
                    with self.subTest(n=n):
                        if not os.environ.get("RECORDS"): assert n
                        more(f"kept {n}")
        """
    ),
    "a rerun that asks for less": Way(
        """
        import os
        from more import more
        runs = []

        @pytest.mark.inference_recording
        def test_it():
            more("gone of it")
            runs.append(1)
            if len(runs) == 1:
                ask("needed by the first attempt")
                assert os.environ.get("RECORDS")
        """,
        "--reruns=1",
    ),
    "renamed": Way(
        """
        import os
        from more import more

        @pytest.mark.inference_recording
        def test_new(): more("gone of it")
        if os.environ.get("RECORDS"):
            @pytest.mark.inference_recording
            def test_old(): ask("kept of a name that no test has any more")
        """
    ),
    "a wider fixture": Way(
        """
        from more import more

        @pytest.fixture(scope="module")
        def of_module(): ask("needed by the module"); more("kept of the module")

        @pytest.fixture(scope="session")
        def of_session(): ask("needed by the session"); more("kept of the session")

        pytestmark = pytest.mark.inference_recording
        def test_one(): more("gone of one")
        def test_two(of_module, of_session): pass
        """,
        "-k one",
    ),
    "shared": Way(
        """
        from more import more
        def test_one():
            with inference_recording(scope="shared"): more("kept that is shared")
            with inference_recording(): more("gone of one")
        def test_two():
            with inference_recording(scope="shared"): ask("needed that is shared")
        """,
        "-k one",
    ),
    "an id of its own": Way(
        """
        from more import more
        def test_one():
            with inference_recording(test_id="mine"): more("kept of mine")
            with inference_recording(): more("gone of one")
        def test_two():
            with inference_recording(test_id="mine"): ask("needed by mine")
        """,
        "-k one",
    ),
    "live": Way(
        """
        import os
        from more import more

        def test_it():
            with inference_recording(None if os.environ.get("RECORDS") else "live"): more("kept of it")
        """
    ),
    "--inference-mode=live": Way(TWO.replace("gone", "kept"), "--inference-mode=live"),
    "no session this time": Way(
        """
        import os
        from more import more

        def test_it():
            if os.environ.get("RECORDS"):
                with inference_recording(): more("kept of it")
        """
    ),
    "allow_misses": Way(
        """
        import os
        from more import more

        @pytest.mark.inference_recording(allow_misses=True)
        def test_it():
            more("kept of it")
            if not os.environ.get("RECORDS"): try_to_ask("missed")
        """
    ),
    "a miss that a child goes on without": Way(
        """
        import subprocess, sys

        @pytest.mark.inference_recording
        def test_it():
            ask("needed by the test")
            subprocess.run([sys.executable, "caller.py"])
        """,
        files={
            "caller.py": """
                import os
                from ask import ask
                from inference_recorder import inference_recording

                with inference_recording():
                    ask("needed first" if os.environ.get("RECORDS") else "missed")
                    ask("needed after it")
            """
        },
        is_apart=True,
    ),
    "a session around all tests": Way(
        """
        from more import more

        @pytest.fixture(scope="session", autouse=True)
        def recorder():
            with inference_recording(): yield

        def test_one(): ask("needed by one"); more("gone of one")
        def test_two(): ask("needed by two"); more("kept of two")
        """,
        "-k one",
    ),
    "a session of a conftest.py, open before the run begins": Way(
        """
        from more import more
        def test_it():
            with inference_recording(): more("gone of it")
            ask("needed by it")
        """,
        files={
            "conftest.py": """
                RECORDER = inference_recording()
                RECORDER.__enter__()
                def pytest_unconfigure(): RECORDER.__exit__(None, None, None)
            """
        },
        is_apart=True,
    ),
    "a mock of the class that starts processes": Way(
        """
        from unittest import mock
        from more import more
        def test_it():
            with mock.patch("subprocess.Popen"), inference_recording(): ask("needed by it"); more("gone of it")
        """,
        is_apart=True,
    ),
    "another directory this time": Way(TWO.replace("gone", "kept"), "--inference-recordings=others -k none"),
    "a directory that is only read": Way(
        """
        import os
        from more import more
        def test_it():
            with inference_recording(): ask("needed there and here"); more("kept there")
        """,
        "--inference-recordings=others --inference-mode=record --inference-allow-recording",
    ),
    "another suite, same directory": Way(
        TWO.replace("kept of two", "gone of two"), "test_it.py", {"other/test_sub.py": TWO.replace("gone", "kept")}
    ),
    "another rootdir, equal ids": Way(
        "",
        "--rootdir=a a",
        {
            "a/pytest.ini": "[pytest]\nmarkers = slow",
            "a/pyproject.toml": OUTSIDE,
            "b/pytest.ini": "[pytest]\nmarkers = slow",
            "b/pyproject.toml": OUTSIDE,
            "a/test_it.py": TWO.replace("gone", "kept"),
            "b/test_it.py": TWO.replace("gone of one", "needed by the other").replace("more(", "ask("),
        },
        records=("--rootdir=a a", "--rootdir=b b"),
    ),
    "without the plugin": Way(TWO.replace("gone", "kept"), "-p no:inference_recorder", pruned=False),
    "random order": Way(TWO, "-p randomly -k one", is_apart=True),
    "--lf": Way(LAST_FAILED, "--lf", goes_on=True, is_apart=True),
    "--ff -x": Way(LAST_FAILED, "--ff -x", goes_on=True, is_apart=True),
    "--sw": Way(LAST_FAILED, "--sw", goes_on=True, is_apart=True),
    "-n 2": Way(TWO, "-n 2 -k one", is_apart=True),
    "-n 2, each": Way(TWO, "-n 2 --dist=each -k one", is_apart=True),
    "-n 2 and -x": Way(FAILING.format(end="assert 0", rest="kept of zzz"), "-n 2 -x --dist=loadfile", is_apart=True),
    "a worker that crashes": Way(
        FAILING.format(end="os._exit(1)", rest="kept of zzz").replace("gone", "kept"), "-n 1", is_apart=True
    ),
}
"""Ways to run less than the suite, or something else."""
CHILD = """
    import os, sys
    from ask import ask
    from inference_recorder import inference_recording

    def use(text="needed by a child"):
        with inference_recording(): ask(text)

    def idle():
        with inference_recording(): pass

    def serve():
        use(); print("ready", flush=True); sys.stdin.read()

    def live():
        with inference_recording(None if os.environ.get("RECORDS") else "live"):
            if os.environ.get("RECORDS"): ask("needed by a child that is live this time")

    if __name__ == "__main__":
        globals()[sys.argv[1] if len(sys.argv) > 1 else "use"]()
"""
STARTING = """
    import asyncio, multiprocessing, os, signal, subprocess, sys, time
    from concurrent.futures import ProcessPoolExecutor
    import child
    from more import more

    PYTHON = [sys.executable, "child.py"]
    BARE = {{name: value for name, value in os.environ.items() if name != "INFERENCE_RECORDER_RUN"}}

    def run_in(context, function=child.use):
        process = multiprocessing.get_context(context).Process(target=function)
        process.start(); process.join()
        assert process.exitcode == 0

    def fork(run):
        if pid := os.fork(): return os.waitpid(pid, 0)
        try:
            run()
        finally:
            os._exit(0)

    async def create_subprocess():
        process = await asyncio.create_subprocess_exec(*PYTHON)
        assert await process.wait() == 0

    @pytest.mark.inference_recording
    def test_it(request):
        ask("needed by the test"); more("{end} of the test")
        {start}
"""


def starting(start: str, end: str, **more: Any) -> Way:
    """Return a suite whose test starts a process; `end` is what happens to the recording that it does not use."""
    files = {"child.py": CHILD, **more.pop("files", {})}
    return Way(STARTING.format(start=start, end=end), files=files, is_apart=True, **more)


CHILDREN = {
    "fork": starting("run_in('fork')", "gone"),
    "spawn": starting("run_in('spawn')", "gone"),
    "forkserver": starting("run_in('forkserver')", "gone"),
    "a pool of forks": starting(
        "with multiprocessing.get_context('fork').Pool(1) as pool: pool.apply(child.use)", "gone"
    ),
    "a pool of futures": starting("with ProcessPoolExecutor(1) as pool: pool.submit(child.use).result()", "gone"),
    "subprocess": starting("subprocess.run(PYTHON, check=True)", "gone"),
    "asyncio": starting("asyncio.run(create_subprocess())", "gone"),
    "os.fork, in its parent's session": starting("fork(lambda: ask('needed by a child'))", "gone"),
    "os.fork that asks nothing": starting("fork(lambda: None)", "gone"),
    "os.fork and exec": starting("fork(lambda: os.execv(sys.executable, PYTHON))", "gone"),
    "os.fork and exec of something else": starting("fork(lambda: os.execvp('true', ['true']))", "kept"),
    "a fork of a fork": starting("fork(lambda: fork(child.use))", "gone"),
    "subprocess after a function": starting("subprocess.run(PYTHON, check=True, preexec_fn=os.getpid)", "gone"),
    "something else after a function": starting("subprocess.run(['true'], check=True, preexec_fn=os.getpid)", "kept"),
    "posix_spawn": starting("os.waitpid(os.posix_spawn(sys.executable, PYTHON, os.environ), 0)", "gone"),
    "os.spawn": starting("os.spawnv(os.P_WAIT, sys.executable, PYTHON)", "kept"),
    "os.system": starting("assert os.system(' '.join(PYTHON)) == 0", "kept"),
    "a shell": starting(
        "subprocess.run(f'{{}} child.py; true'.format(sys.executable), shell=True, check=True)", "kept"
    ),
    "nobody saw it start": starting(
        "from multiprocessing.util import spawnv_passfds\n"
        "        os.waitpid(spawnv_passfds(os.fsencode(sys.executable), PYTHON, ()), 0)",
        "gone",
    ),
    "its start was not seen and it did not report": starting(
        "from multiprocessing.util import spawnv_passfds\n"
        "        os.waitpid(spawnv_passfds(b'/bin/sh', ['sh', '-c', ':'], ()), 0)",
        "kept",
    ),
    "nobody saw it start, and it still runs": starting(
        "from multiprocessing.util import spawnv_passfds\n"
        "        pid = spawnv_passfds(b'/bin/sh', ['sh', '-c', 'sleep 100'], ())\n"
        "        request.config.add_cleanup(lambda: (os.kill(pid, signal.SIGKILL), os.waitpid(pid, 0)))",
        "kept",
    ),
    "something that is not Python": starting("subprocess.run(['true'])", "kept"),
    "without the environment": starting("subprocess.run(PYTHON, env=BARE, check=True)", "kept"),
    "a child of a child, without the environment": starting(
        "run_in('spawn', child.start_other)",
        "kept",
        files={
            "child.py": textwrap.dedent(CHILD)
            + textwrap.dedent("""
                import subprocess
                def start_other():
                    with inference_recording(): pass
                    bare = {name: value for name, value in os.environ.items() if name != "INFERENCE_RECORDER_RUN"}
                    subprocess.run([sys.executable, "child.py"], env=bare, check=True)
            """)
        },
    ),
    "it enters a session and asks nothing": starting("subprocess.run([*PYTHON, 'idle'], check=True)", "gone"),
    "it enters a live session": starting("subprocess.run([*PYTHON, 'live'], check=True)", "kept"),
    "it still runs": starting(
        "process = subprocess.Popen([*PYTHON, 'serve'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "        process.stdout.readline()\n"
        "        request.config.add_cleanup(process.communicate)",
        "kept",
    ),
    "it is another run of pytest": starting(
        "subprocess.run([sys.executable, '-m', 'pytest', '-q', 'inner.py'], check=True)",
        "gone",
        files={"inner.py": "from ask import ask\ndef test_inner(inference_session): ask('needed by an inner run')"},
    ),
    "a child of another run of pytest": starting(
        "subprocess.run([sys.executable, '-m', 'pytest', '-q', 'inner_child.py'], check=True)",
        "gone",
        files={
            "inner_child.py": "import subprocess, sys\n"
            "def test_inner(): subprocess.run([sys.executable, 'child.py'], check=True)"
        },
    ),
    "-n 2 and a child": starting("subprocess.run(PYTHON, check=True)", "gone", arguments="-n 2"),
    "a server of the whole session": Way(
        """
        import os, subprocess, sys
        from more import more

        @pytest.fixture(scope="session")
        def server():
            command = [sys.executable, "child.py", "serve"]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                process.stdout.readline()
                yield
                process.stdin.close()

        pytestmark = pytest.mark.inference_recording
        def test_before(): ask("needed by test before"); more("gone before")
        def test_first(server): more("kept first")
        def test_second(): more("gone second")
        """,
        files={"child.py": CHILD},
        is_apart=True,
    ),
}
"""Ways to start processes that use recordings."""
ALONE = {
    "it still runs", "nobody saw it start, and it still runs", "-n 2 and a child", "a server of the whole session",
}  # fmt: skip
"""Those that say something of other tests of their run too."""
TOGETHER = {name: way for name, way in CHILDREN.items() if name not in ALONE}
CHILDREN_BY_RUN = {
    "all others, a test each": Way(
        "",
        files={
            name: text
            for number, way in enumerate(TOGETHER.values())
            for name, text in {**way.files, f"test_{number}.py": way.test}.items()
            if name != "child.py" or len(text) > len(CHILD)
        },
        is_apart=True,
    ),
    **{name: CHILDREN[name] for name in CHILDREN if name in ALONE},
}
"""The same in few runs, since starting pytest takes longer than what it starts."""
QUICK = {
    "whole", "-k", "parametrized by an option", "--setup-only", "a rerun that asks for less", "live",
    "another rootdir, equal ids",
}  # fmt: skip


def pruned(suite: Suite, way: Way, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[str]]:
    """Record a suite and prune it; return the prompts of the recordings that are left, and of all there were."""
    suite.pytester.makeini("[pytest]\nmarkers = slow")
    suite.write("more.py", HELP)
    for name, text in {"test_it.py": way.test, **way.files}.items():
        suite.write(name, text)
    run = suite.run_apart if way.is_apart else suite.run
    if way.is_apart:
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -W ignore")
    monkeypatch.setenv("RECORDS", "1")
    monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "record")
    for arguments in way.records:
        run(*shlex.split(arguments))
    before = prompts(suite)
    monkeypatch.delenv("RECORDS")
    monkeypatch.delenv("LLAMA_STACK_TEST_INFERENCE_MODE")
    if way.goes_on:
        run(*shlex.split(way.arguments))
    for variable, value in way.env.items():
        monkeypatch.setenv(variable, value)
    result = run(DELETE, *shlex.split(way.arguments))
    assert way.pruned == any(line.startswith("pruned: ") for line in result.outlines)
    return prompts(suite), before


def prompts(suite: Suite) -> list[str]:
    return sorted(
        f"{recording['request']['body']['messages'][0]['content']} ({recording['test_id']})"
        for recording in suite.recordings()
    )


def check(way: Way, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    left, before = pruned(suite, way, monkeypatch)

    assert {"needed", "gone", "kept"} >= {prompt.split()[0] for prompt in before}
    assert before
    assert [prompt for prompt in before if not prompt.startswith("gone")] == left


def each(ways: Iterable[str]) -> list[Any]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ways]


@pytest.mark.parametrize("name", each(NARROWED))
def test_a_run_of_something_else_deletes_only_what_it_shows_to_be_needless(
    name: str, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is deleted here has to be paid for again tomorrow."""
    check(NARROWED[name], suite, monkeypatch)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and exec")
@pytest.mark.parametrize("name", each(CHILDREN_BY_RUN))
def test_what_other_processes_use_is_needed(name: str, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known what a process used that did not report."""
    needs_ends_of_processes()
    if name == "nobody saw it start, and it still runs" and not Path("/proc/self/task").exists():
        pytest.skip("only Linux lists the processes that this one has started")
    check(CHILDREN_BY_RUN[name], suite, monkeypatch)
