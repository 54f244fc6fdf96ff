"""llama-stack's recorder under the names of both its generations: migrating is one changed import line.

from inference_recorder.llama_stack import inference_recording  # was: from llama_stack.testing...
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from contextvars import Token
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from . import recorder
from .config import DEFAULT, LLAMA_STACK_COMMON, absolute
from .engine.given_test import GivenTest, given_test
from .engine.test_run import current_test_run, running_test_id
from .json_tree import JsonObject, JsonValue
from .modes import InferenceMode
from .recording.answer import Answer, ModelList, Streamed, Value
from .recording.body import is_plain, untyped
from .recording.codec import decode_thoroughly, encode
from .recording.json_bytes import loads
from .recording.layout import model_list_start, model_set_digest
from .redaction.recordings import RecordingRedactor
from .redaction.requests import RequestRules
from .request.jsonable import as_recorded, canonical_text, plain
from .request.keys import FOLDING, request_key
from .request.request import Request
from .sdk.capture import body_of
from .sdk.methods import Method, method_for
from .sdk.revive import reviver
from .storage.beside_tests import DirectoriesOfTests
from .storage.directories import Directories
from .storage.store import Store

APIRecordingMode = InferenceMode

_NEWEST = FOLDING[0]
_ID_STARTS = {"file": "file-", "vector_store": "vs_", "vector_store_file_batch": "batch_", "tool_call": "call_"}
_MODEL_LISTS = frozenset({"/v1/models", "/v1/openai/v1/models"})


class inference_recording(recorder.inference_recording):  # noqa: N801 - it is used as a function
    """The package's recorder, except that recordings have the names that llama-stack's recorder gives them.

    So requests that llama-stack folds together have one recording here too. It records every failure, as that one
    does, unless `record_errors` or the configuration says otherwise. Each call is recorded beside the file of its test
    or below `storage_dir`, and read from both, also if the session was entered once for all tests. In record-if-missing
    it asks for lists of models again, and records those whose ids are not the ones of a recorded list; if that fails,
    the recorded lists stay.
    """

    _written = _NEWEST
    _record_errors_by_default = True
    _is_beside_tests = True


api_recording = inference_recording


def get_inference_mode() -> InferenceMode:
    """Return the mode that the environment or the configuration names, otherwise replay.

    Raises:
        UnknownMode: It is not one of the four.
    """
    return current_test_run().config.mode().value


def setup_inference_recording() -> inference_recording | None:
    """Return a recorder with the environment's mode and directory, None in live mode, as llama-stack does.

    If neither environment nor configuration names a directory, it is tests/integration/common if that exists.
    """
    config, mode = current_test_run().config, get_inference_mode()
    common = absolute(LLAMA_STACK_COMMON, config.root)
    is_default = config.directory().source == DEFAULT and common.is_dir()
    return None if mode is InferenceMode.LIVE else inference_recording(mode, common if is_default else None)


def normalize_inference_request(
    method: str, url: str, headers: Mapping[str, object], body: Mapping[str, object]
) -> str:
    """Return the key of a request in the running test.

    Args:
        method: The HTTP method.
        url: The URL, or the endpoint.
        headers: Not part of the key.
        body: The arguments of the call.

    Returns:
        64 hex digits.
    """
    arguments: JsonObject = plain(body)
    request = Request(method.upper(), "", url, arguments, canonical_text(arguments))
    return request_key(request, running_test_id(), _NEWEST)


def set_test_context(value: str | None) -> Token[GivenTest | None]:
    """Let calls belong to this test until `reset_test_context`.

    Args:
        value: The test's id, or None for the running test.

    Returns:
        What `reset_test_context` takes.
    """
    return given_test.set(None if value is None else GivenTest(value))


def get_test_context() -> str | None:
    """Return the id that was set, None for none."""
    given = given_test.get()
    return None if given is None else given.test_id


def reset_test_context(token: Token[GivenTest | None]) -> None:
    """Undo the call of `set_test_context` that returned this token."""
    given_test.reset(token)


def deterministic_ids() -> Callable[[str, Callable[[], str]], str]:
    """Return what `set_id_override` of llama-stack and ogx takes: the ids that its recorder gives, counted from now on.

    A test's first file is "file-" and a number that the test id gives, the second one more. Other kinds, and calls
    outside tests, have the ids that the second argument returns.
    """  # source: ogx `_allocate_test_scoped_id`
    counts: dict[tuple[str, str], itertools.count[int]] = {}

    def new_id(kind: str, factory: Callable[[], str]) -> str:
        if (test_id := running_test_id()) is None or kind not in _ID_STARTS:
            return factory()
        first = int(sha256(test_id.encode()).hexdigest(), 16) % 10**12 + 1
        return f"{_ID_STARTS[kind]}{next(counts.setdefault((test_id, kind), itertools.count(first)))}"

    return new_id


get_api_recording_mode = get_inference_mode
setup_api_recording = setup_inference_recording
normalize_request = normalize_inference_request


class ResponseStorage:
    """Recordings by hash, in the directories of `inference_recording`.

    They are written beside the running test or to `recordings/` in `base_dir`, and read from both and `base_dir`.

    Args:
        base_dir: The common directory.
    """

    def __init__(self, base_dir: str | os.PathLike[str]) -> None:
        self.base_dir = Path(base_dir)
        run, base = current_test_run(), absolute(base_dir)
        directories = Directories(base, (base / "responses", base))
        self._of_tests = DirectoriesOfTests(directories, run.config.root, run.root_of, base / "recordings")

    @property
    def _store(self) -> Store:
        directories = self._of_tests.of(running_test_id())
        self._of_tests.check(directories, InferenceMode.REPLAY)
        return Store(directories)

    def store_recording(self, request_hash: str, request: Mapping[str, object], response: Mapping[str, Any]) -> None:
        """Store a request and its response.

        Secrets are replaced as a session replaces them; `find_recording` returns their placeholders.

        Args:
            request_hash: The name of the file, without ".json".
            request: The request.
            response: {"body": a value, a typed object or a list of them, "is_streaming": bool}.

        Raises:
            UnrecordableValue: A value has no JSON form.
            UnwritableRecording: The file cannot be written.
            ValueError: The hash is not a plain file name.
        """
        body = response.get("body")
        name, is_list = request_hash, isinstance(body, (list, tuple))
        if request.get("endpoint") in _MODEL_LISTS and is_list:
            name = model_list_start(request_hash) + model_set_digest(_model_id(model) for model in body or ())
        items = [body_of(item, request_hash) for item in body or ()] if is_list else []
        answer: Answer
        if not is_list:
            answer = Value(body_of(body, request_hash))
        else:
            answer = Streamed(items) if response.get("is_streaming") else ModelList(items)
        rules = RequestRules()
        hidden = RecordingRedactor(rules.redactor)
        content = encode(rules.scope(running_test_id()), hidden.request(as_recorded(request)), hidden.answer(answer))
        self._store.write(name, content)

    def find_recording(self, request_hash: str) -> dict[str, Any] | None:
        """Return the recording of a hash.

        The type of a body comes from the request's endpoint, never from the file.

        Args:
            request_hash: The name of the file, without ".json".

        Returns:
            The recording as a dict, its body in the SDK's types; None if there is none.

        Raises:
            CorruptRecording: The file cannot be read.
            ValueError: The hash is not a plain file name.
        """
        self._store.path_of(request_hash)  # raises for an invalid name
        stored = self._store.read(request_hash)
        if stored is None:
            return None
        decode_thoroughly(stored.content, stored.path)
        recording = cast("dict[str, Any]", loads(stored.content))  # it has been checked
        method = method_for(str(recording["request"].get("endpoint", "")))
        body = recording["response"].get("body")
        if isinstance(body, list):
            kind = _type_of(method, is_chunk=method is not None and not method.is_list)
            recording["response"]["body"] = [_revived(item, kind) for item in body]
        else:
            recording["response"]["body"] = _revived(body, _type_of(method, is_chunk=False))
        return recording


def _type_of(method: Method | None, *, is_chunk: bool) -> Any:
    """Return the SDK's type for the answer, a chunk or an item; None where the installed SDK has none."""
    try:
        return None if method is None else method.chunk_type if is_chunk else method.answer_type
    except (AttributeError, ImportError):  # it came with a later release
        return None


def _revived(body: JsonValue, kind: Any) -> Any:
    data = untyped(body)
    return data if kind is None or data is body or is_plain(body) else reviver(kind).from_value(data)


def _model_id(model: Any) -> str:
    return str(model["id"] if isinstance(model, Mapping) else model.id)


__all__ = [
    "APIRecordingMode",
    "InferenceMode",
    "ResponseStorage",
    "api_recording",
    "deterministic_ids",
    "get_api_recording_mode",
    "get_inference_mode",
    "get_test_context",
    "inference_recording",
    "normalize_inference_request",
    "normalize_request",
    "reset_test_context",
    "set_test_context",
    "setup_api_recording",
    "setup_inference_recording",
]
