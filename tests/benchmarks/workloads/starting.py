"""Before the first call: importing, entering a context, and what the plugin adds to a start of pytest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from .. import answers
from ..clock import Stopwatch
from ..contenders import Contender, Ours
from ..workload import CannotMeasure, Measured, Setting, Workload, emptied

_IMPORT = "import time; begun = time.process_time(); import {}; print((time.process_time() - begun) * 1e6)"
ENTRIES = 200
STARTS = 8


class Import(Workload):
    """CPU time of `import inference_recorder`, against `import openai`."""

    name = "import"
    contenders = ("ours", "sdk")

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        module = "inference_recorder" if isinstance(contender, Ours) else "openai"
        command = [sys.executable, "-c", _IMPORT.format(module)]
        return {"cpu": float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)}


class Entering(Workload):
    """Wall time of entering and leaving a context, "later" and for the "first" time, the SDK being in use."""

    name = "entering"
    contenders = ("ours",)
    is_fresh = True

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        with answers.memory_client() as client:
            client.chat.completions.create(**answers.question(0))
        begun = time.perf_counter()
        with contender.replaying(setting.directory):
            first = time.perf_counter() - begun
        watch = Stopwatch()
        with watch.running():
            for _ in range(ENTRIES):
                with contender.replaying(setting.directory):
                    pass
        return {"first": first * 1e6, "later": watch.each(ENTRIES)["wall"]}


class PluginStart(Workload):
    """CPU time of a start of pytest that uses nothing of the plugin, "without" it and what it "added".

    The least of several by turns, since what the machine does beside only ever adds: more than the plugin does.
    """

    name = "plugin-start"
    contenders = ("ours",)

    def measure(self, contender: Contender, setting: Setting) -> Measured:
        plugin = "inference_recorder.pytest_plugin"
        if find_spec(plugin) is None:
            raise CannotMeasure(f"{plugin} is not there yet")
        directory = emptied(setting.directory)
        (directory / "test_nothing.py").write_text("def test_nothing(): pass\n")
        pairs = [(_cpu_of_pytest(directory), _cpu_of_pytest(directory, "-p", plugin)) for _ in range(STARTS)]
        without, with_it = (min(times) for times in zip(*pairs, strict=True))
        return {"without": without, "added": with_it - without}


def _cpu_of_pytest(directory: Path, *options: str) -> float:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(directory)]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    process = subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return (usage.ru_utime + usage.ru_stime) * 1e6
