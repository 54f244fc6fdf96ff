"""Directories that can be read and not written: what is recorded replays, and a miss is refused before it is sent."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest

from inference_recorder import inference_recording

from ...conftest import HELLO, files_of
from ...support.openai_server import OpenAIServer
from ...support.systems import needs_rights

ANOTHER_USER = 65534
CALLS = """
import asyncio, json, sys
import openai
from inference_recorder import RecorderError, inference_recording

base_url, folder, mode, colour, seeds = json.loads(sys.argv[1])
seen = []

async def ask(client, seed):
    messages = [{"role": "user", "content": "Say hello."}]
    answer = client.chat.completions.create(model="gpt-4o", messages=messages, seed=seed)
    answer = await answer if colour == "async" else answer
    return answer.choices[0].message.content

async def main():
    kind = openai.AsyncOpenAI if colour == "async" else openai.OpenAI
    client = kind(base_url=base_url, api_key="sk-test", max_retries=0)
    with inference_recording(mode, folder) as session:
        for seed in seeds:
            try:
                seen.append(await ask(client, seed))
            except RecorderError as error:
                seen.append([type(error).__name__, str(error)])
    seen.append(dict(session.counts))

try:
    asyncio.run(main())
except RecorderError as error:
    seen.append([type(error).__name__, str(error)])
print(json.dumps(seen))
"""


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def seen_by_a_process_with_few_rights(
    server: OpenAIServer, directory: Path, mode: str, colour: str, *seeds: int
) -> Any:
    """Return what a process that permissions bind was answered, call by call, and what its session counted."""
    command = [sys.executable, "-c", CALLS, json.dumps([server.base_url, str(directory), mode, colour, seeds])]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and there is no setpriv to take that right away")
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == ran.returncode, ran.stderr
    return json.loads(ran.stdout)


def make_read_only(directory: Path, *, below: bool = True) -> None:
    """Take away the right to write to a directory, and to all below it."""
    needs_rights()
    for path in (*(directory.rglob("*") if below else ()), directory):
        if os.geteuid() == 0:
            os.chown(path, ANOTHER_USER, ANOTHER_USER)
        path.chmod(0o555 if path.is_dir() else 0o444)


def record(client: openai.OpenAI, directory: Path, *seeds: int, mode: str = "record") -> None:
    with inference_recording(mode, directory):
        for seed in seeds:
            client.chat.completions.create(**HELLO, seed=seed)


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("has_locks", [False, True], ids=["without .locks", "with .locks"])
@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(5, marks=pytest.mark.slow)])
def test_what_a_read_only_directory_holds_replays(
    count: int, has_locks: bool, colour: str, client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """CI mounts checkouts read-only, and record-if-missing is what many projects set for all runs."""
    record(client, recordings, *range(count), mode="record-if-missing" if has_locks else "record")
    if not has_locks:
        shutil.rmtree(recordings / ".locks")
    make_read_only(recordings)
    server.received.clear()

    seen = seen_by_a_process_with_few_rights(server, recordings, "record-if-missing", colour, *range(count))

    assert 0 == server.count
    assert [*(f"Hello {number}!" for number in range(count)), {"replayed": count}] == seen


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize(
    "has_locks",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["without .locks", "with .locks"],
)
def test_a_miss_in_a_read_only_directory_is_refused_before_it_is_sent(
    has_locks: bool, colour: str, client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """An answer that cannot be kept is paid for again in every run."""
    record(client, recordings, 0)
    if not has_locks:
        shutil.rmtree(recordings / ".locks")
    # The directory itself only: where the locks can still be made, the recording could not.
    make_read_only(recordings, below=not has_locks)
    files = files_of(recordings)
    server.received.clear()

    *seen, counts = seen_by_a_process_with_few_rights(server, recordings, "record-if-missing", colour, 0, 1, 1, 0)

    assert 0 == server.count
    assert {"replayed": 2} == counts
    assert ["Hello 0!", "UnusableDirectory", "UnusableDirectory", "Hello 0!"] == [
        one if isinstance(one, str) else one[0] for one in seen
    ]
    assert all(part in seen[1][1] for part in (str(recordings), "/v1/chat/completions", "name another directory"))
    assert f"cannot be written ({os.strerror(errno.EACCES)})" in seen[1][1]
    assert files == files_of(recordings)


def test_a_miss_where_no_directory_can_be_made_is_refused_before_it_is_sent(
    colour: str, server: OpenAIServer, tmp_path: Path
) -> None:
    """A directory that is not there holds nothing; that it cannot be made matters only to what is to be written."""
    parent = tmp_path / "read-only"
    parent.mkdir()
    make_read_only(parent)

    [refused, counts] = seen_by_a_process_with_few_rights(
        server, parent / "a" / "recordings", "record-if-missing", colour, 1
    )

    assert 0 == server.count
    assert {} == counts
    assert "UnusableDirectory" == refused[0]
    assert f"{parent} cannot be written" in refused[1]


def test_a_miss_where_no_lock_can_be_made_is_refused_before_it_is_sent(
    colour: str, client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """Two workers would each pay for the answer."""
    record(client, recordings, 0)
    make_read_only(recordings / ".locks")
    server.received.clear()

    [answer, refused, counts] = seen_by_a_process_with_few_rights(server, recordings, "record-if-missing", colour, 0, 1)

    assert 0 == server.count
    assert ("Hello 0!", "UnusableDirectory", {"replayed": 1}) == (answer, refused[0], counts)


def test_recording_into_a_read_only_directory_is_refused_at_entry(
    colour: str, client: openai.OpenAI, server: OpenAIServer, recordings: Path
) -> None:
    """In record every call is to be written: the first one need not be made to know that it cannot."""
    record(client, recordings, 0)
    make_read_only(recordings)
    server.received.clear()

    [refused] = seen_by_a_process_with_few_rights(server, recordings, "record", colour, 0)

    assert 0 == server.count
    assert "UnusableDirectory" == refused[0]
