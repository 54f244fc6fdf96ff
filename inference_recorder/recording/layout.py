"""The layout of a recording's file, and the names of all files in a directory of recordings.

A file is one JSON object with two-space indent, except that each chunk of a stream (and each model of a list) is on one
line of its own:

    {
      "test_id": ...,
      "request": {...},
      "response": {
        "body": [
          {"__type__": ..., "__data__": ...},
          {"__type__": ..., "__data__": ...}
        ],
        ...
      },
      "id_normalization_mapping": {}
    }

Names, where <key> is 64 hex digits (12 in old files) and <name> is that of a recording without ".json":

    <key>.json, <key>.2.json          the first and the second answer to a request
    models-<key>-<digest>.json        a model list; the digest is that of the model ids
    <name>.<digest>.bin               an attachment; the digest is that of its bytes
    .<name>.tmp-<token>.tmp           a file that is being written
    .locks/<name>.write, .flight      locks
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from hashlib import sha256

FORMAT_VERSION = 1
"""A newer format starts with the member `"format_version": 2`; files of this format have no such member."""

# A string holds no line break and nested members are indented further, so each of these occurs only as the member
# that it is.
FILE_START = b'{\n  "test_id": '
TEST_ID_MEMBER = b'\n  "test_id":'
REQUEST_START = b'\n  "request": {'
RESPONSE_MEMBER = b'\n  "response":'
RESPONSE_START = b'\n  "response": {'
BODY_MEMBER = b'\n    "body":'
EMPTY_LIST = b'\n    "body": [],\n'
LIST_START = b'\n    "body": [\n'
LIST_END = b"\n    ],\n"
LINE_INDENT = b"      "
LINE_SEPARATOR = b",\n" + LINE_INDENT
FIRST_LINE = LIST_START + LINE_INDENT + b'{"'
FAILURE_MEMBER = b'\n    "exception_data":'
IS_REDACTED_MEMBER = b'\n    "is_redacted":'
LARGE_INTEGERS_MEMBER = b'\n    "has_large_integers":'
HTTP_START = b'\n    "http": '
FILE_END = b',\n  "id_normalization_mapping": {}\n}\n'
CONFLICT_MARKERS = OURS_MARKER, SEPARATOR_MARKER, THEIRS_MARKER = b"\n<<<<<<<", b"\n=======", b"\n>>>>>>>"
LFS_POINTER_START = b"version https://git-lfs.github.com/spec/"
"""Git LFS leaves a text that starts so in the place of a file that it has not fetched."""

# These occur in any layout.
TYPE_MARK = b'{"__type__":'
DATA_MARK = b'"__data__":'
LARGE_INTEGERS_NAME = b'"has_large_integers"'
OBJECT_START = re.compile(rb"\A\{(\s*)")
TEST_ID_AT_START = re.compile(rb'\A(\{\s*"test_id":\s*)(?:null|"(?:[^"\\]|\\.)*")')
ATTACHED = "attached"
"""The "__type__" of a body whose "__data__" is the sha256 of the bytes beside the recording."""
ATTACHMENT_REFERENCE = re.compile(rb'"__type__":\s*"attached",\s*"__data__":\s*"([0-9a-f]{64})"')

LOCK_DIRECTORY = ".locks"
RECORDING_ENDING = ".json"
ATTACHMENT_ENDING = ".bin"
MODEL_LIST_START = "models-"

_KEY = "(?:[0-9a-f]{64}|[0-9a-f]{12})"
_RECORDING = rf"{_KEY}(?:\.[1-9][0-9]*)?|models-{_KEY}-[0-9a-f]{{8}}"
_RECORDING_NAME = re.compile(_RECORDING)
_WRITABLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ATTACHMENT_NAME = re.compile(rf"(?P<owner>{_RECORDING})\.(?P<digits>[0-9a-f]{{16}})\.bin")
_TEMPORARY_NAME = re.compile(rf"\.(?P<owner>{_RECORDING})\.tmp-[0-9a-f]{{16}}\.tmp")
_LOCK_NAME = re.compile(rf"(?:{_RECORDING})\.(?:write|flight)|dropped-[A-Za-z0-9_-]*-[0-9a-f]{{16}}\.json\.write")


def recording_name(key: str, position: int) -> str:
    """Return the name of the `position`-th answer (counted from 1) to one key."""
    return key if position == 1 else f"{key}.{position}"


def model_list_start(key: str) -> str:
    """Return how the names of all model lists of a key begin; the digest follows."""
    return f"{MODEL_LIST_START}{key}-"


def model_set_digest(model_ids: Iterable[str]) -> str:
    """Return 8 hex digits for a set of models, whatever their order and repetition.

    Two sets share a digest about once in 4 billion. Source: llama-stack `api_recorder.py`, `_model_identifiers_digest`;
    the ids are joined with "|", so an id that contains one is ambiguous there too.
    """
    return sha256("|".join(sorted(set(model_ids))).encode()).hexdigest()[:8]


def is_model_list_name(name: str) -> bool:
    """Whether a recording's name is that of a model list."""
    return name.startswith(MODEL_LIST_START)


def is_key_name(name: str) -> bool:
    """Whether a lookup can find a recording of this name."""
    return _RECORDING_NAME.fullmatch(name) is not None


def is_writable_name(name: str) -> bool:
    """Whether a recording may be written under this name: a plain file name that is not hidden."""
    return _WRITABLE_NAME.fullmatch(name) is not None


def file_of(name: str) -> str:
    """Return the file name of the recording with this name."""
    return f"{name}{RECORDING_ENDING}"


def name_of(file_name: str) -> str:
    """Return the name of the recording in this file."""
    return file_name.removesuffix(RECORDING_ENDING)


def key_in(name: str) -> str:
    """Return the key in a recording's name, without its position or the digest of a model list."""
    return name.removeprefix(MODEL_LIST_START).partition(".")[0].partition("-")[0]


def position_in(name: str) -> int:
    """Return the position in its series, counted from 1, that a recording's name holds."""
    position = name.partition(".")[2]
    return int(position) if position.isdecimal() else 1


def digest_of(attachment: bytes) -> str:
    """Return the sha256 by which a recording names its attachment."""
    return sha256(attachment).hexdigest()


def attachment_name(owner: str, digest: str) -> str:
    """Return the file name of an attachment of the recording `owner`; raises ValueError for an invalid sha256.

    It names the content too, so that a reader of the old recording does not find the bytes of the new one.
    """
    if _SHA256.fullmatch(digest) is None:
        raise ValueError(f"{digest!r} is not a sha256")
    return f"{owner}.{digest[:16]}{ATTACHMENT_ENDING}"


def attachment_parts(file_name: str) -> tuple[str, str] | None:
    """Return (recording's name, first digits of the sha256) for an attachment's file name, None for another one."""
    match = _ATTACHMENT_NAME.fullmatch(file_name)
    return None if match is None else (match["owner"], match["digits"])


def temporary_name(owner: str) -> str:
    """Return a new file name for bytes of the recording `owner` that are being written."""
    return f".{owner}.tmp-{secrets.token_hex(8)}.tmp"


def owner_of_temporary(file_name: str) -> str | None:
    """Return the recording for which a temporary file was written, None for a file that is not ours."""
    match = _TEMPORARY_NAME.fullmatch(file_name)
    return None if match is None else match["owner"]


def write_lock_name(name: str) -> str:
    """Return the name of the lock that a writer of the recording `name` holds."""
    return f"{name}.write"


def in_flight_lock_name(name: str) -> str:
    """Return the name of the lock that is held while the request of the recording `name` is in flight."""
    return f"{name}.flight"


def is_lock_name(file_name: str) -> bool:
    """Whether a file in `LOCK_DIRECTORY` is one of our locks."""
    return _LOCK_NAME.fullmatch(file_name) is not None
