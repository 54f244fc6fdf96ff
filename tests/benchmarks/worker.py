"""One contender in a process of its own: `python -m tests.benchmarks.worker CONTENDER`.

Reads lines of JSON {"step": "prepare" | "measure", "workload", "directory", "base_url", "is_quick"}. Answers each with
the measurements, {"cannot": reason} or {"error": text}. Its first line of output is {"missing": reason} or {}.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

from .contenders import CONTENDERS
from .workload import CannotMeasure, Setting


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # what others print must not mix with the answers
    try:
        contender = CONTENDERS[sys.argv[1]]()
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers, flush=True)
        return
    from .workloads import WORKLOADS

    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        workload = WORKLOADS[request["workload"]]
        setting = Setting(Path(request["directory"]), request["base_url"], request["is_quick"])
        try:
            done = getattr(workload, request["step"])(contender, setting) or {}
        except CannotMeasure as error:
            done = {"cannot": str(error)}
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            here = [frame for frame in frames if "benchmarks" in frame.filename][-1]
            done = {"error": f"{type(error).__name__} in {here.name}, line {here.lineno}: {error}"}
        print(json.dumps(done), file=answers, flush=True)


if __name__ == "__main__":
    main()
