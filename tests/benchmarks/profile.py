"""`python -m tests.benchmarks.profile`: where a replay's microseconds go, stage by stage.

Each stage is the real function, run by itself on the same inputs; a stage's own time is what its parts do not explain.
The own time of the first line is the remainder that no stage explains. CPU time, the best of several repetitions, since
what the machine does beside only ever adds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from inference_recorder import inference_recording
from inference_recorder.engine.test_run import running_node_id
from inference_recorder.recording import body, codec, json_bytes
from inference_recorder.recording.answer import Streamed
from inference_recorder.redaction.requests import RequestRules
from inference_recorder.request.exact_body import PREFILTER
from inference_recorder.request.jsonable import canonical_text, plain_arguments
from inference_recorder.request.keys import request_key
from inference_recorder.request.request import Request
from inference_recorder.sdk import revive
from inference_recorder.sdk.context import current_engine
from inference_recorder.sdk.describe import described
from inference_recorder.sdk.methods import METHODS, Method
from inference_recorder.sdk.patching import _Wrapped
from inference_recorder.sdk.replay import revived_chunks
from inference_recorder.session import Session

from . import answers, data_alone
from .clock import Busyness
from .recorded import key_of, write_answers, write_stream
from .stage import Stage

CALLS = 500
WORDS = 2_000

_OPEN = SimpleNamespace(is_closed=False)


def main() -> None:
    """Print a table for each kind of answer."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.profile", description=(__doc__ or "").strip())
    parser.add_argument("--repeat", type=int, default=15, metavar="N", help="take the best of N (default 15)")
    repeat = parser.parse_args().repeat
    before = Busyness.now()
    with tempfile.TemporaryDirectory() as name:
        for title, stages in _profiles(Path(name)):
            for _ in range(repeat):
                for stage in stages:
                    stage.measure()
            print(f"{title:52}{'µs':>9}{'own':>9}{'share':>9}")
            for stage in stages:
                print("\n".join(stage.lines(stages[0].best)))
            print()
    print(f"machine: {Busyness.now().since(before)}")


def _profiles(directory: Path) -> Iterator[tuple[str, list[Stage]]]:
    yield "a plain call", _calls(directory / "plain", has_tools=False)
    yield "a call with four tools", _calls(directory / "tools", has_tools=True)
    yield f"a chunk of a stream of {WORDS:,} words", _chunks(directory / "stream")
    for encoding in ("float", "base64"):
        yield f"embeddings of {answers.VECTORS} texts, {encoding}", _embeddings(directory / encoding, encoding)


def _calls(directory: Path, *, has_tools: bool) -> list[Stage]:
    method = _method("chat.completions.create")
    write_answers(directory, range(CALLS), has_tools=has_tools)
    client = answers.cut_off_client()
    questions = [answers.question(number, has_tools=has_tools) for number in range(CALLS)]
    requests = [described(method, client, question)[0] for question in questions]
    paths = [str(directory / f"{key_of(client, question)}.json") for question in questions]
    contents = [Path(path).read_bytes() for path in paths]
    values = [body.untyped(codec.decode(content, "").answer.body) for content in contents]
    reviver = revive.reviver(ChatCompletion)
    call = Stage(
        "client.chat.completions.create(...)",
        _in_session(directory, lambda session: _each(lambda it: client.chat.completions.create(**it), questions)()),
        CALLS,
        [
            *_interception(questions[0]),
            _description(method, client, questions, requests),
            _decision(directory, requests, paths, contents),
            _revival(reviver, values),
        ],
    )
    alone = Stage("for comparison: the data alone", _each(data_alone.completion, paths), CALLS)
    return [call, alone]


def _chunks(directory: Path) -> list[Stage]:
    question = answers.streamed_question(WORDS)
    path = write_stream(directory, question, answers.sent_chunks(WORDS))
    client = answers.cut_off_client()
    content = path.read_bytes()
    answer = codec.decode(content, str(path)).answer
    assert isinstance(answer, Streamed)
    lines: list[Any] = list(answer.chunks)
    reviver = revive.reviver(ChatCompletionChunk)
    start = body.chunk_data_start(lines[1]) or b""
    data = [line[len(start) : -1] for line in lines]
    forget = reviver._forget_extras or _nothing
    built = [reviver._validator.validate_json(line, strict=True) for line in data]
    count = len(lines)

    def read() -> None:
        with inference_recording("replay", directory) as session:
            session.store.read(path.stem)

    stream = Stage(
        "for chunk in client.chat.completions.create(...)",
        _in_session(directory, lambda session: _exhaust(client.chat.completions.create(**question))),
        count,
        [
            Stage("open, read", read, count),
            Stage("find the lines, parse what is around them", lambda: codec.decode(content, ""), count),
            Stage(
                "revived_chunks",
                lambda: _exhaust(revived_chunks(answer, str(path), reviver, RuntimeError, _OPEN)),
                count,
                [
                    Stage("take a line's data", _each(lambda line: line[len(start) : -1], lines), count),
                    Stage("validate", _each(lambda it: reviver._validator.validate_json(it, strict=True), data), count),
                    Stage("forget extras", _each(forget, built), count),
                ],
            ),
        ],
    )
    alone = Stage("for comparison: the data alone", lambda: _exhaust(data_alone.chunks(str(path))), count)
    return [stream, alone]


def _embeddings(directory: Path, encoding: str) -> list[Stage]:
    method = _method("embeddings.create")
    question = answers.texts_to_embed(encoding)
    with inference_recording("record", directory), answers.memory_client() as recorded_client:
        recorded_client.embeddings.create(**question)
    (path,) = directory.glob("*.json")
    client = answers.cut_off_client()
    request = described(method, client, question)[0]
    content = path.read_bytes()
    value = body.untyped(codec.decode(content, "").answer.body)
    call = Stage(
        "client.embeddings.create(...)",
        _in_session(directory, lambda session: client.embeddings.create(**question)),
        1,
        [
            _description(method, client, [question], [request]),
            _decision(directory, [request], [str(path)], [content]),
            _revival(revive.reviver(CreateEmbeddingResponse), [value]),
        ],
    )
    alone = Stage("for comparison: the data alone", lambda: data_alone.embeddings(str(path)), 1)
    return [call, alone]


def _interception(question: dict[str, Any]) -> list[Stage]:
    class Resource:
        def create(self, **kwargs: Any) -> None: ...

    Resource.create = _Wrapped(Resource.create, lambda wrapped, instance, args, kwargs: None)  # type: ignore[method-assign]
    resource, times = Resource(), range(CALLS)
    return [
        Stage("wrapt: from the method to our wrapper", _each(lambda _: resource.create(**question), times), CALLS),
        Stage("which session", _each(lambda _: current_engine(), times), CALLS),
    ]


def _description(method: Method, client: Any, questions: list[dict[str, Any]], requests: list[Request]) -> Stage:
    bodies, count = [request.body for request in requests], len(requests)
    text = Stage("canonical text", _each(canonical_text, bodies), count)
    arguments = Stage("arguments without sentinels", _each(plain_arguments, questions), count, [text])
    return Stage("describe", _each(lambda it: described(method, client, it), questions), count, [arguments])


def _decision(directory: Path, requests: list[Request], paths: list[str], contents: list[bytes]) -> Stage:
    count, names = len(requests), [Path(path).stem for path in paths]
    texts = [request.body_text for request in requests]
    rules = RequestRules()
    looked_for = [
        Stage("which test", _each(lambda _: running_node_id(), requests), count),
        Stage(
            "key",
            _each(lambda request: rules.keyed(request, None), requests),
            count,
            [
                Stage(
                    "has it secrets, or what a rule changes",
                    _each(rules.redactor.scanner.prefilter(PREFILTER), texts),
                    count,
                ),
                Stage(
                    "hash", _each(lambda request: request_key(request, None, passed_prefilter=True), requests), count
                ),
            ],
        ),
    ]
    read = _in_session(directory, lambda session: _each(session.store.read, names)())
    parse = Stage("parse JSON", _each(json_bytes.loads, [_response_of(content) for content in contents]), count)
    decode = Stage("decode", _each(lambda it: codec.decode(it, ""), contents), count, [parse])
    return Stage(
        "decide",
        _in_session(directory, lambda session: _each(session.engine.decide, requests)()),
        count,
        [*looked_for, Stage("open, read", read, count), decode],
    )


def _revival(reviver: revive.Reviver, values: list[Any]) -> Stage:
    count, parts = len(values), []
    if _is_valid(reviver, values[0]):
        built = [reviver._validator.validate_python(value, strict=True) for value in values]
        validate = _each(lambda it: reviver._validator.validate_python(it, strict=True), values)
        parts = [
            Stage("validate", validate, count),
            Stage("forget extras", _each(reviver._forget_extras or _nothing, built), count),
        ]
    return Stage("revive", _each(reviver.from_value, values), count, parts)


def _is_valid(reviver: revive.Reviver, value: Any) -> bool:
    try:
        reviver._validator.validate_python(value, strict=True)
    except ValueError:
        return False
    return True


def _response_of(content: bytes) -> bytes:
    return b"{" + content[content.index(b'\n  "response": {') :]


def _in_session(directory: Path, run: Callable[[Session], object]) -> Callable[[], object]:
    def in_session() -> None:
        with inference_recording("replay", directory) as session:
            run(session)

    return in_session


def _each(function: Callable[[Any], object], items: Iterable[Any]) -> Callable[[], None]:
    def run() -> None:
        for item in items:
            function(item)

    return run


def _exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass


def _nothing(value: object) -> None:
    return None


def _method(name: str) -> Method:
    return next(method for method in METHODS if method.name == name)


if __name__ == "__main__":
    main()
