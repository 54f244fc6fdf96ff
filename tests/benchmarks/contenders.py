"""Who gets measured: us, what we are measured against, and our peers; each used as its own documentation says."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from . import answers


class Contender:
    """A way of getting answers. Calls made in `recording` are answered again in `replaying`, by its clients."""

    calls_in_a_group = 10**9
    """How many calls lie in one cassette: as many as a test may make, since a cassette is searched from its start."""
    effort = 1.0
    """The share of a workload that is measured in a round, smaller for the slow."""

    def recording(self, directory: Path, group: int = 0) -> AbstractContextManager[Any]:
        """Return the block in which calls are recorded."""
        return nullcontext()

    def replaying(self, directory: Path, group: int = 0) -> AbstractContextManager[Any]:
        """Return the block in which they are answered again."""
        return nullcontext()

    def client(self) -> Any:
        """Return a client to replay with."""
        return answers.cut_off_client()

    def async_client(self) -> Any:
        """Return an async client to replay with."""
        return answers.cut_off_async_client()


class Ours(Contender):
    """inference_recorder."""

    def __init__(self) -> None:
        from inference_recorder import inference_recording

        self._block = inference_recording

    def recording(self, directory: Path, group: int = 0) -> AbstractContextManager[Any]:
        return self._block("record", directory)

    def replaying(self, directory: Path, group: int = 0) -> AbstractContextManager[Any]:
        return self._block("replay", directory)


class Sdk(Contender):
    """The plain SDK; its transport answers in memory."""

    effort = 0.2

    def client(self) -> Any:
        return answers.memory_client()

    def async_client(self) -> Any:
        return answers.memory_async_client()


class Data(Ours):
    """The data alone, in our recordings; see `data_alone`. It has no client: a workload reads the files itself."""


class Vcrpy(Contender):
    """vcrpy, a cassette for each ten calls."""

    calls_in_a_group = 10
    effort = 0.1

    def __init__(self) -> None:
        import vcr

        self._vcr = vcr.VCR(match_on=("method", "uri", "body"))

    def recording(self, directory: Path, group: int = 0) -> AbstractContextManager[Any]:
        return self._cassette(directory, group, "all")

    def replaying(self, directory: Path, group: int = 0) -> AbstractContextManager[Any]:
        return self._cassette(directory, group, "none")

    def _cassette(self, directory: Path, group: int, mode: str) -> Any:
        path = str(directory / f"{group}.yaml")
        return self._vcr.use_cassette(path, record_mode=mode, allow_playback_repeats=True)


class Cassetter(Contender):
    """cassetter, a cassette for each ten calls."""

    calls_in_a_group = 10
    effort = 0.1

    def __init__(self) -> None:
        from cassetter import use_cassette

        self._use_cassette = use_cassette

    def recording(self, directory: Path, group: int = 0) -> AbstractContextManager[Any]:
        return self._cassette(directory, group, "all")

    def replaying(self, directory: Path, group: int = 0) -> AbstractContextManager[Any]:
        return self._cassette(directory, group, "none")

    def _cassette(self, directory: Path, group: int, mode: str) -> Any:
        match_on: Any = ["method", "uri", "json_body"]
        directory.mkdir(parents=True, exist_ok=True)
        return self._use_cassette(directory / f"{group}.yaml", record_mode=mode, match_on=match_on)


class LlamaStack(Contender):
    """llama-stack's recorder as published; it knows only the async client."""

    effort = 0.5

    def __init__(self) -> None:
        _stand_in_for_what_a_replay_never_calls()
        from llama_stack.testing.api_recorder import api_recording

        self._block = api_recording

    def recording(self, directory: Path, group: int = 0) -> AbstractContextManager[Any]:
        return self._within("record", directory)

    def replaying(self, directory: Path, group: int = 0) -> AbstractContextManager[Any]:
        return self._within("replay", directory)

    @contextmanager
    def _within(self, mode: str, directory: Path) -> Iterator[None]:
        with self._block(mode, directory):
            yield


def _stand_in_for_what_a_replay_never_calls() -> None:
    """Spare the recorder three imports that need Python 3.12 and some forty packages."""

    class TavilySearchToolRuntimeImpl:
        def invoke_tool(self) -> None: ...

    tool = "llama_stack.providers.remote.tool_runtime.tavily_search.tavily_search"
    for name, content in {
        "llama_stack.core.datatypes": {"User": object},
        "llama_stack.testing.exception_utils": {"serialize_exception": None, "deserialize_exception": None},
        tool: {"TavilySearchToolRuntimeImpl": TavilySearchToolRuntimeImpl},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        sys.modules[name] = module


CONTENDERS: dict[str, type[Contender]] = {
    "ours": Ours,
    "sdk": Sdk,
    "data": Data,
    "vcrpy": Vcrpy,
    "cassetter": Cassetter,
    "llama-stack": LlamaStack,
}
LABELS = {
    "ours": "inference_recorder",
    "sdk": "SDK, answers in memory",
    "data": "the data alone",
    "vcrpy": "vcrpy",
    "cassetter": "cassetter",
    "llama-stack": "llama-stack's recorder",
}
