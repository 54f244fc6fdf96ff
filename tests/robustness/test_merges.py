"""What a bad merge leaves in a file: it is named, and never is another answer given than the file's only one."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inference_recorder import CorruptRecording, inference_recording
from inference_recorder.errors import GIT_CONFLICT
from inference_recorder.recording import json_bytes
from inference_recorder.recording.answer import Answer, Failed, Failure, Http, ModelList, Streamed, Value
from inference_recorder.recording.body import typed
from inference_recorder.recording.codec import decode, decode_thoroughly, encode

from ..cli.recorded import run
from ..conftest import HELLO, Colour
from ..support.answers import contents_of
from ..support.openai_server import OpenAIServer, Reply, chunk, chunks, completion

MARKERS = ["<<<<<<< ours\n", "=======\n", ">>>>>>> theirs\n"]
SMALL, LONG = "Say hello.", "Say hello. " * 500  # one fits into the bytes from which a response is looked for, one not
HTTP = Http(200, {"content-type": "application/json", "x-request-id": "req_1"})


def made(answer: Answer, prompt: str) -> str:
    request = {"method": "POST", "url": "u", "headers": {}, "endpoint": "/v1/chat/completions", "model": "m"}
    lines = [{"role": "user", "content": part} for part in prompt.split(".")]
    return encode("t", request | {"body": {"model": "m", "messages": lines}}, answer).decode()


def answers(text: str) -> dict[str, Answer]:
    """Return an answer of each kind, which says `text`."""
    some = [typed("a.B", chunk({"content": f"{text} {number}"})) for number in range(3)]
    many = [typed("a.B", chunk({"content": f"{text} {number}"})) for number in range(200)]
    return {
        "plain": Value(typed("a.B", completion(text)), http=HTTP),
        "long": Value(typed("a.B", completion(text * 3_000)), http=HTTP),
        "stream": Streamed(some, http=HTTP),
        "long stream": Streamed(many, http=HTTP),
        "broken": Streamed(some, failure=Failure("APIError", text, body={"m": text})),
        "models": ModelList([typed("a.Model", {"id": f"{text}-{number}"}) for number in range(3)], http=HTTP),
        "failed": Failed(Failure("RateLimitError", text, 429, {"message": text}), http=HTTP),
        "large numbers": Value(typed("a.B", completion(text, n=10**30))),
    }


OURS = {
    f"{kind}, {name} request": made(answer, prompt)
    for name, prompt in (("small", SMALL), ("long", LONG))
    for kind, answer in answers("Ours").items()
}
THEIRS = {
    f"{kind}, {name} request": made(answer, prompt)
    for name, prompt in (("small", SMALL), ("long", LONG))
    for kind, answer in answers("Theirs").items()
}


def response_of(content: str) -> str:
    """Return the lines of a file's response, the comma after it included."""
    found = re.search(r'^  "response": \{\n.*?^  \},\n', content, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


def two_documents(ours: str, theirs: str) -> str:
    return ours + theirs


def glued(ours: str, theirs: str) -> str:
    return ours[: ours.index('  "response": {')] + theirs


def a_document_inside(ours: str, theirs: str) -> str:
    return ours.replace('  "response": {\n', f'{theirs}  "response": {{\n')


def theirs_first(ours: str, theirs: str) -> str:
    return ours.replace('  "response": {\n', f'{response_of(theirs)}  "response": {{\n')


def theirs_last(ours: str, theirs: str) -> str:
    return ours.replace('  "id_norm', f'{response_of(theirs)}  "id_norm')


def a_null_beside(ours: str, theirs: str) -> str:
    return ours.replace('  "response": {\n', '  "response": null,\n  "response": {\n')


def conflict_of_responses(ours: str, theirs: str) -> str:
    first, between, last = MARKERS
    return ours.replace(response_of(ours), f"{first}{response_of(ours)}{between}{response_of(theirs)}{last}")


def conflict_inside(ours: str, theirs: str) -> str:
    def body_of(content: str) -> str:
        return content[content.index("\n", content.index('\n    "body": ', content.index('"response": {'))) + 1 :]

    first, between, last = MARKERS
    return ours.replace(body_of(ours), f"{first}{body_of(ours)}{between}{body_of(theirs)}{last}")


def conflict_of_requests(ours: str, theirs: str) -> str:
    line = '    "method": "POST",\n'
    first, between, last = MARKERS
    return ours.replace(line, f"{first}{line}{between}{line}{last}")


def a_marker_forgotten(marker: str) -> Any:
    def merged(ours: str, theirs: str) -> str:
        return ours.replace('    "method"', f'{marker}    "method"')

    merged.__name__ = f"{marker.split()[0]} forgotten"
    return merged


MERGES = [
    two_documents,
    glued,
    a_document_inside,
    theirs_first,
    theirs_last,
    a_null_beside,
    conflict_of_responses,
    conflict_inside,
    conflict_of_requests,
    *map(a_marker_forgotten, MARKERS),
]


def summary_of(content: bytes) -> str:
    """Return all that a replay could tell of a file; raises CorruptRecording."""
    answer = decode(content, "f").answer
    return repr(contents_of(answer))


@pytest.mark.parametrize("merge", MERGES, ids=lambda merge: merge.__name__)
@pytest.mark.parametrize("kind", OURS)
def test_what_a_bad_merge_leaves_is_corrupt(kind: str, merge: Any) -> None:
    """Which of two answers is the right one, nobody knows; the first or the last was taken without a word."""
    merged = merge(OURS[kind], THEIRS[kind]).encode()
    assert merged != OURS[kind].encode()

    with pytest.raises(CorruptRecording):
        summary_of(merged)
    with pytest.raises(CorruptRecording):
        decode_thoroughly(merged, "f")


@pytest.mark.parametrize("merge", [two_documents, theirs_first, theirs_last], ids=lambda merge: merge.__name__)
@pytest.mark.parametrize("size", [1 << 20, (1 << 24) + 1])
def test_a_bad_merge_of_big_files_is_corrupt(size: int, merge: Any) -> None:
    """The biggest files are read by other means than small ones."""
    ours, theirs = (made(Value(typed("a.B", {"text": text * size})), SMALL) for text in "ab")

    with pytest.raises(CorruptRecording, match=r"two recordings|'response' more than once"):
        decode(merge(ours, theirs).encode(), "f")


@pytest.mark.usefixtures("sessions_are_runs")
@pytest.mark.parametrize(
    ("merge", "reason"),
    [
        (two_documents, "it holds two recordings, as after a bad merge"),
        (theirs_first, r"\$ has 'response' more than once, as after a bad merge"),
        (conflict_of_requests, "unresolved git conflict at line 4; take one side"),
    ],
)
@pytest.mark.parametrize("is_streaming", [False, True], ids=["plain", "streamed"])
def test_a_replay_and_check_say_what_is_wrong_and_the_advice_works(
    is_streaming: bool, merge: Any, reason: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The text of the error is all that one has to go by."""
    contents = []
    for text in ("Ours", "Theirs"):
        events = Reply(events=chunks(text)) if is_streaming else Reply(completion(text))
        server.answers("/v1/chat/completions", events)
        with inference_recording("record", recordings):
            ask(sdk, is_streaming)
        [path] = recordings.glob("*.json")
        contents.append(path.read_text())
    path.write_text(merge(*contents))
    with inference_recording("replay", recordings), pytest.raises(CorruptRecording, match=reason) as caught:
        ask(sdk, is_streaming)
    checked = run("check", recordings)
    path.unlink()
    with inference_recording("record-if-missing", recordings):
        ask(sdk, is_streaming)
    with inference_recording("replay", recordings):
        replayed = ask(sdk, is_streaming)

    assert "delete it and record it again" in str(caught.value)
    assert re.search(reason, checked.stdout)
    assert 1 == checked.exit_code
    assert "Theirs" == replayed


def test_a_conflict_within_a_stream_is_named_by_a_replay(sdk: Colour, server: OpenAIServer, recordings: Path) -> None:
    """The lines around it are JSON, and each is read when its chunk is due; the command for a conflict must come."""
    server.answers("/v1/chat/completions", Reply(events=chunks("Ours")))
    with inference_recording("record", recordings):
        ask(sdk, True)
    [path] = recordings.glob("*.json")
    lines = path.read_text().splitlines(keepends=True)
    [at] = [number for number, line in enumerate(lines) if "Ours" in line]
    first, between, last = MARKERS
    path.write_text("".join([*lines[:at], first, lines[at], between, lines[at], last, *lines[at + 1 :]]))

    with inference_recording("replay", recordings), pytest.raises(CorruptRecording) as caught:
        ask(sdk, True)

    assert f"unresolved git conflict at line {at + 1}; take one side" == caught.value.reason
    assert "git checkout --ours" in str(caught.value)


@pytest.mark.usefixtures("sessions_are_runs")
@pytest.mark.parametrize("side", ["--ours", "--theirs"])
def test_the_command_for_a_git_conflict_takes_one_side(
    side: str, sdk: Colour, server: OpenAIServer, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people recorded the same test again; git leaves both answers in the file."""
    recordings.mkdir()
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "A")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.org")

    def git(*arguments: str) -> int:
        return subprocess.run(["git", *arguments], cwd=recordings, capture_output=True, check=False).returncode

    git("init", "-b", "ours")
    git("commit", "--allow-empty", "-m", "start")
    for branch, text in (("theirs", "Theirs"), ("ours", "Ours")):
        git("checkout", "-B", branch, "HEAD" if branch == "theirs" else "theirs~1")
        server.answers("/v1/chat/completions", Reply(completion(text)))
        with inference_recording("record", recordings):
            ask(sdk, is_streaming=False)
        git("add", ".")
        git("commit", "-m", text)
    assert 1 == git("merge", "theirs")

    with inference_recording("replay", recordings), pytest.raises(CorruptRecording, match=GIT_CONFLICT) as caught:
        ask(sdk, is_streaming=False)
    [command] = re.findall(r"unfinished: (git checkout --ours .*)  \(or --theirs\)", str(caught.value))
    [add] = re.findall(r"then (git add .*)\n  or: restore it", str(caught.value))
    for line in (command.replace("--ours", side), add, f"git commit -m {side[2:]}"):
        assert 0 == git(*shlex.split(line)[1:])

    with inference_recording("replay", recordings):
        assert side == f"--{ask(sdk, is_streaming=False).lower()}"


def ask(sdk: Colour, is_streaming: bool) -> str:
    answer = sdk.call("chat.completions.create", **HELLO, stream=is_streaming)
    if not is_streaming:
        return str(answer.choices[0].message.content)
    return "".join(item.choices[0].delta.content or "" for item in sdk.items(answer) if item.choices)


@pytest.mark.parametrize("member", ["body", "exception_data"])
def test_an_answer_that_is_there_twice_is_corrupt(member: str) -> None:
    """A merge that keeps both sides of a response that differs in this member alone."""
    kind = "plain, small request" if member == "body" else "failed, small request"

    def lines_of(content: str) -> str:
        found = re.search(rf'^    "{member}": \{{\n.*?^    \}},\n', response_of(content), re.MULTILINE | re.DOTALL)
        assert found is not None
        return found[0]

    merged = OURS[kind].replace(lines_of(OURS[kind]), lines_of(OURS[kind]) + lines_of(THEIRS[kind])).encode()
    for reader in (decode, decode_thoroughly):
        with pytest.raises(CorruptRecording, match=f"'{member}' more than once"):
            reader(merged, "f")


def test_what_looks_like_a_merge_in_a_text_is_none() -> None:
    """Prompts and answers hold code, and code holds markers."""
    text = "".join(MARKERS) + '\n  "response": {\n' + '{\n  "test_id": null\n' + '\n    "body": {'
    for kind, answer in answers(text).items():
        content = made(answer, text).encode()

        assert summary_of(content) == summary_of(json_bytes.dumps(json_bytes.loads(content, exactly=True))), kind


_EDITS = st.one_of(
    st.tuples(st.just("twice"), st.integers(0, 300), st.integers(1, 12)),
    st.tuples(st.sampled_from(MARKERS), st.integers(0, 300), st.just(0)),
    st.tuples(st.just("their document"), st.integers(0, 300), st.just(0)),
    st.tuples(st.just("their response"), st.integers(0, 300), st.just(0)),
    st.tuples(st.just("our response"), st.integers(0, 300), st.just(0)),
)


@settings(max_examples=150)
@given(kind=st.sampled_from(sorted(OURS)), edits=st.lists(_EDITS, min_size=1, max_size=3))
@example(kind="stream, small request", edits=[("their document", 0, 0)])
@example(kind="stream, small request", edits=[("their document", 300, 0)])
def test_a_file_merged_at_random_is_its_answer_or_corrupt(kind: str, edits: Any) -> None:
    """Lines doubled, documents and responses put in, markers left: any mixture, at any line."""
    assert_is_its_answer_or_corrupt(kind, edits)


@pytest.mark.slow
@settings(max_examples=5_000)
@given(kind=st.sampled_from(sorted(OURS)), edits=st.lists(_EDITS, min_size=1, max_size=3))
def test_very_many_files_merged_at_random_are_their_answers_or_corrupt(kind: str, edits: Any) -> None:
    """The same with the time to look into the corners."""
    assert_is_its_answer_or_corrupt(kind, edits)


def assert_is_its_answer_or_corrupt(kind: str, edits: Any) -> None:
    lines = OURS[kind].splitlines(keepends=True)
    for number, (name, position, length) in enumerate(edits):
        position %= len(lines) + 1
        if name == "twice":
            if any(before == "twice" for before, *_ in edits[:number]):
                continue  # a brace that is opened and closed twice is JSON that somebody may have meant
            doubled = lines[max(0, position - length) : position]
            if not any(line.startswith('      {"__type__":') for line in doubled):  # a stream with a chunk twice is one
                lines[position:position] = doubled
        else:
            theirs = {"their document": THEIRS[kind], "their response": response_of(THEIRS[kind])}
            lines[position:position] = (
                (theirs | {"our response": response_of(OURS[kind])}).get(name, name).splitlines(True)
            )
    merged = "".join(lines).encode()
    try:
        json_bytes.loads_strictly(merged)
        expected = summary_of(json_bytes.dumps(json_bytes.loads(merged, exactly=True)))
    except (ValueError, CorruptRecording):
        expected = summary_of(OURS[kind].encode())
    try:
        actual = summary_of(merged)
    except CorruptRecording:
        return
    assert expected == actual
