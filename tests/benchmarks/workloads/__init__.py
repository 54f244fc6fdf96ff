"""All workloads, in the order in which they are measured: a file for each kind."""

from __future__ import annotations

from ..workload import Workload
from .calls import Calls
from .cold_start import ColdStart
from .concurrency import Gathered, Processes, Threads
from .crowd import Crowd
from .embeddings import Embeddings
from .memory import BigStream, Held
from .recording import RecordCalls, RecordPaced, RecordStreams
from .starting import Entering, Import, PluginStart
from .streams import Streams
from .suite import Suite

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        *(Calls(has_tools=has_tools, is_async=is_async) for has_tools in (False, True) for is_async in (False, True)),
        Streams(100),
        Streams(2_000),
        Streams(2_000, is_async=True),
        Embeddings("float"),
        Embeddings("base64"),
        Embeddings("default"),
        ColdStart(),
        RecordCalls(),
        RecordStreams(),
        RecordPaced(),
        Gathered(),
        Threads(),
        Processes(),
        Crowd(),
        Held(),
        BigStream(),
        Import(),
        Entering(),
        PluginStart(),
        Suite(),
    )
}
