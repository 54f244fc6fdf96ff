"""The ways of calling the SDKs that are tried in process and over HTTP."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ..conftest import HELLO
from ..sdk.family import calls as family_calls
from ..sdk.ways.test_files import CONTENTS, FORMATS
from ..sdk.ways.test_helpers import HELPERS, POLLS
from ..sdk.ways.test_lists import LISTS
from ..sdk.ways.test_one_key import CALLS as ODD_CALLS
from ..support.example_calls import is_installed, plain_calls
from .rows import Row, deep, made, plain, posted, posted_stream, raw, streaming, upload

CONTENT = b"what is uploaded\r\n\x00\xff"
SOUND, PICTURE = ("a.wav", b"RIFF\x00sound"), ("b.png", b"\x89PNG\r\n")
ADDED_FORMAT = "over HTTP, a caller who asks for base64 looks like one who names no format"
ADDED_TO_UPLOADS = "over HTTP, a name or media type that the caller gives looks like the one that is added"


def _made_rows() -> Iterator[tuple[str, Row]]:
    for name, (method, arguments) in plain_calls().items():
        yield name, plain(method, **arguments)
        yield f"{name}, raw", raw(method, **arguments)
        yield f"{name}, streaming response", streaming(method, **arguments)
        yield (
            f"{name}, extra options",
            plain(
                method, **arguments, timeout=9, extra_headers={"X-Own": "1"}, extra_query={"a": ["b", 1, None, True]}
            ),
        )
    for name, (method, make) in ODD_CALLS.items():
        other_key = ADDED_FORMAT if name == "embeddings in base64" else ""
        yield f"odd: {name}", made(method, lambda make=make: ((), make()))._replace(other_key=other_key)  # type: ignore[misc]


CHAT, ASK, SAY = "chat.completions.create", {"model": "m", "input": "Hi"}, {"model": "m", "prompt": "Say hi"}
METHODS = {name: row for name, row in _made_rows() if is_installed(row.needs)} | {
    "chat, streamed": plain(CHAT, **HELLO, stream=True),
    "chat, raw stream": raw(CHAT, **HELLO, stream=True),
    "chat, streaming response of a stream": streaming(CHAT, **HELLO, stream=True),
    "chat, stream=False": plain(CHAT, **HELLO, stream=False),
    "chat, stream=None": plain(CHAT, **HELLO, stream=None),
    "chat, stream options": plain(CHAT, **HELLO, stream=True, stream_options={"include_usage": True}),
    "chat, ints as floats": plain(CHAT, **HELLO, temperature=1.0, top_p=1, frequency_penalty=-0.0),
    "chat, tiny and huge numbers": plain(CHAT, **HELLO, temperature=1e-17, top_p=1e22, seed=2**63 + 1),
    "chat, numbers as names": plain(CHAT, **HELLO, logit_bias={9: 1, 10: -1, 100: 2, 50256: -100}),
    "chat, texts as names": plain(CHAT, **HELLO, logit_bias={"9": 1, "10": -1, "100": 2}),
    "chat, other names": plain(CHAT, **HELLO, metadata={"true": "1", "null": "2", "1.50": "3", "-7": "4", "é": "5"}),
    "chat, None": plain(CHAT, **HELLO, stop=None, user=None, tools=None),
    "chat, no text": plain(CHAT, model="", messages=[{"role": "user", "content": ""}]),
    "chat, unicode": plain(CHAT, model="m", messages=[{"role": "user", "content": 'é 日本 🙂\u2028\x00\x7f"\\/</'}]),
    "chat, a deep tool": plain(
        CHAT,
        **HELLO,
        tools=[{"type": "function", "function": {"name": "weather", "parameters": deep(60)}}],
    ),
    "chat, a secret": plain(CHAT, model="m", messages=[{"role": "user", "content": "key: sk-" + "a1B2" * 10}]),
    "chat, the client's key": plain(CHAT, model="m", messages=[{"role": "user", "content": "key: sk-test!"}]),
    "chat, big": plain(CHAT, model="m", messages=[{"role": "user", "content": "é" * 1_200_000}]),
    "chat, folded numbers": plain(CHAT, **HELLO, temperature=0.123456789, user="score: 0.123456789"),
    "completions, streamed": plain("completions.create", **SAY, stream=True),
    "completions, tokens": plain("completions.create", model="m", prompt=[[1, 2], [3]]),
    "responses, streamed": plain("responses.create", **ASK, stream=True),
    "responses, raw stream": raw("responses.create", **ASK, stream=True),
    "responses, background": plain("responses.create", **ASK, background=True),
    "images, streamed": plain("images.generate", model="m", prompt="a cat", stream=True),
    "images, large": plain("images.generate", model="m", prompt="large"),
    "embeddings, raw, floats": raw("embeddings.create", model="m", input="a", encoding_format="float"),
    "embeddings, raw, base64": raw("embeddings.create", model="m", input="a", encoding_format="base64")._replace(
        other_key=ADDED_FORMAT
    ),
    "embeddings, streaming, base64": streaming(
        "embeddings.create", model="m", input="a", encoding_format="base64"
    )._replace(other_key=ADDED_FORMAT),
    "embeddings, every format in turn": Row(
        lambda sdk: [
            sdk.call("embeddings.create", model="m", input=["a"], **given).data
            for given in ({}, {"encoding_format": "base64"}, {"encoding_format": "float"}, {})
        ],
        other_key=ADDED_FORMAT,
    ),
    "models, raw": raw("models.list"),
    "models, with a query": plain("models.list", extra_query={"limit": 2, "nested": {"a": [1, 2]}}),
    "chat, posted": posted("/chat/completions", body=HELLO),
    "chat, posted as a type": posted("/chat/completions", cast_to=ChatCompletion, body=HELLO),
    "chat, posted with a query": posted(
        "/chat/completions?a=1&b=", body=HELLO, options={"params": {"c": True}}
    )._replace(
        reads_bytes=False  # the request in the file tells the query of the path apart
    ),
    "chat, posted stream": posted_stream("/chat/completions", ChatCompletionChunk, body=HELLO | {"stream": True}),
    "embeddings, posted": posted("/embeddings", body={"model": "m", "input": "a"}),
    "embeddings, posted, base64": posted(
        "/embeddings", body={"model": "m", "input": "a", "encoding_format": "base64"}
    )._replace(other_key=ADDED_FORMAT),
    "several, in turn": Row(lambda sdk: [sdk.call(CHAT, **HELLO) for _ in range(3)]),
}
"""Calls of the coverage table's endpoints."""

FORMS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: CONTENT,
    "BytesIO": lambda: io.BytesIO(CONTENT),
    "named BytesIO": lambda: _named(CONTENT),
    "path": lambda: Path(__file__),
    "open file": lambda: Path(__file__).open("rb"),  # noqa: SIM115 - closed by `made`
    "name": lambda: ("notes.txt", CONTENT),
    "name in other letters": lambda: ('né "quoted" 日.txt', CONTENT),
    "name without ending": lambda: ("notes", CONTENT),
    "name of a path": lambda: ("some/where/notes.txt", CONTENT),
    "name and media type": lambda: ("notes.txt", CONTENT, "text/x-notes"),
    "name and no media type": lambda: ("notes.txt", CONTENT, None),
    "media type with a parameter": lambda: ("notes.txt", CONTENT, "text/plain; charset=utf-8"),
    "nothing in it": lambda: ("notes.txt", b""),
    "text": lambda: ("notes.txt", "text of é"),
    "big": lambda: ("big.bin", CONTENT * 100_000),
}

SAID_FORMS: dict[str, Callable[[], Any]] = {
    "the name that is added": lambda: ("upload", CONTENT),
    "name and guessed media type": lambda: ("notes.txt", CONTENT, "text/plain"),
    "name and a media type of bytes": lambda: ("notes.txt", CONTENT, "application/octet-stream"),
    "the name that is added, and a media type": lambda: ("upload", CONTENT, "application/octet-stream"),
    "headers": lambda: ("n.txt", CONTENT, "text/plain", {"X-Part": "1"}),
}
"""Those that say what would be added anyway."""


def _named(content: bytes) -> io.BytesIO:
    file = io.BytesIO(content)
    file.name = "notes.txt"
    return file


TRANSCRIBE, EDIT = "audio.transcriptions.create", "images.edit"
TRANSCRIBED: dict[str, Any] = {"model": "whisper-1", "file": SOUND}
EDITED: dict[str, Any] = {"image": PICTURE, "prompt": "a hat"}
UPLOADS = (
    {f"upload of {form}": upload("files.create", file=make, purpose="assistants") for form, make in FORMS.items()}
    | {
        f"upload of {form}": upload("files.create", file=make, purpose="assistants")._replace(
            other_key=ADDED_TO_UPLOADS
        )
        for form, make in SAID_FORMS.items()
    }
    | {f"transcription, {form}": upload(TRANSCRIBE, **TRANSCRIBED, **kwargs) for form, kwargs in FORMATS.items()}
    | {
        f"translation, {form}": upload("audio.translations.create", **TRANSCRIBED, **kwargs)
        for form, kwargs in FORMATS.items()
        if form != "streamed"
    }
    | {
        "upload that expires": upload(
            "files.create", file=SOUND, purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
        ),
        "upload with other fields": upload(
            "files.create", file=SOUND, purpose="batch", extra_body={"own": "7", "on": "true"}
        ),
        "upload with a query": upload("files.create", file=SOUND, purpose="batch", extra_query={"a": [1, 2]}),
        "transcription, temperature 0": upload(TRANSCRIBE, **TRANSCRIBED, temperature=0),
        "transcription, temperature 0.0": upload(TRANSCRIBE, **TRANSCRIBED, temperature=0.0),
        "transcription, temperature 1e-7": upload(TRANSCRIBE, **TRANSCRIBED, temperature=1e-7),
        "transcription, stream=False": upload(TRANSCRIBE, **TRANSCRIBED, stream=False),
        "transcription, lists": upload(
            TRANSCRIBE,
            **TRANSCRIBED,
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
            include=["logprobs"],
        ),
        "transcription, one granularity": upload(TRANSCRIBE, **TRANSCRIBED, timestamp_granularities=["word"]),
        "transcription, chunks": upload(
            TRANSCRIBE,
            **TRANSCRIBED,
            chunking_strategy={
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 200,
            },
        ),
        "transcription, chunks of themselves": upload(TRANSCRIBE, **TRANSCRIBED, chunking_strategy="auto"),
        "transcription, odd texts": upload(TRANSCRIBE, **TRANSCRIBED, prompt='7 é\r\n"true" 🙂', language="null"),
        "transcription, numbers as texts": upload(TRANSCRIBE, **TRANSCRIBED, prompt="7", language="1.0"),
        "transcription, an empty text": upload(TRANSCRIBE, **TRANSCRIBED, prompt=""),
        "transcription, speakers": upload(
            TRANSCRIBE, **TRANSCRIBED, known_speaker_names=["a", "b"], known_speaker_references=["data:x", "data:y"]
        ),
        "transcription, raw": raw(TRANSCRIBE, **TRANSCRIBED),
        "edit": upload(EDIT, **EDITED),
        "edit of bytes": upload(EDIT, image=b"png", prompt="a hat"),
        "edit of several": upload(EDIT, image=[b"one", PICTURE, ("c.png", b"three")], prompt="a hat"),
        "edit of several, some with media types": upload(
            EDIT, image=[("a.png", b"one", "image/png"), ("b.png", b"two"), ("c", b"3", "image/webp")], prompt="a hat"
        )._replace(other_key=ADDED_TO_UPLOADS),
        "edit of equal ones": upload(EDIT, image=[b"one", b"one"], prompt="a hat"),
        "edit with a mask": upload(EDIT, **EDITED, mask=("m.png", b"two", "image/png"))._replace(
            other_key=ADDED_TO_UPLOADS
        ),
        "edit, streamed": upload(EDIT, **EDITED, model="m", stream=True, partial_images=2),
        "edit, numbers": upload(EDIT, **EDITED, n=2, output_compression=80, size="1024x1024", user="7"),
        "variations": upload("images.create_variation", image=b"png", n=2, size="256x256"),
        "part": upload("uploads.parts.create", "upload_1", data=lambda: io.BytesIO(b"abc")),
        "parts": Row(
            lambda sdk: sdk.call(
                "uploads.upload_file_chunked",
                file=CONTENT * 3,
                filename="n.txt",
                bytes=len(CONTENT) * 3,
                mime_type="text/plain",
                purpose="assistants",
                part_size=20,
            ),
            "uploads.upload_file_chunked",
        ),
        "video": upload("videos.create", prompt="a cat", seconds="4", input_reference=PICTURE),
        "video without a file": upload("videos.create", prompt="a cat", seconds="4"),
        "remix": plain("videos.remix", "video_1", prompt="a dog"),
        "file of a container": upload("containers.files.create", "cntr_1", file=PICTURE),
        "file of a container by its id": upload("containers.files.create", "cntr_1", file_id="file-1"),
        "skill": upload("skills.create", files=[("a/SKILL.md", b"# a"), ("a/b.py", b"1")]),
        "version of a skill": upload("skills.versions.create", "skill_1", files=[("a.md", b"# a")], default=True),
        "realtime call": plain(
            "realtime.calls.create", sdp="v=0\r\n", session={"type": "realtime", "max_output_tokens": 7}
        ),
    }
)

OTHERS = {
    **{f"content, {kind}": plain("files.content", name) for kind, name in CONTENTS.items()},
    "content, large": plain("files.content", "file-large"),
    "content, streaming": streaming("files.content", "file-small"),
    "speech": plain("audio.speech.create", model="m", voice="v", input="small"),
    "speech, large": plain("audio.speech.create", model="m", voice="v", input="large"),
    "speech, streaming": streaming("audio.speech.create", model="m", voice="v", input="large"),
    "video content": plain("videos.download_content", "video_1"),
    **{
        f"list: {name}": plain(name, *args, **({"query": "x"} if name == "vector_stores.search" else {}))
        for name, (args, _, _) in LISTS.items()
    },
    **{f"helper: {n}": Row(way.use, way.needs) for n, way in HELPERS.items() if "parsed" not in n},
    **{f"poll: {name}": Row(way.use, way.needs) for name, way in POLLS.items()},
    "file": plain("files.retrieve", "file-1"),
    "file, raw": raw("files.retrieve", "file-1"),
    "deleted file": plain("files.delete", "file-1"),
    "files of a purpose": plain("files.list", purpose="batch", limit=2, order="asc"),
    "model": plain("models.retrieve", "gpt-4o"),
    "model with a path": plain("models.retrieve", "ft:gpt-4o/é ü?#%2F"),
    "deleted model": plain("models.delete", "gpt-4o"),
    "kept response": plain("responses.retrieve", "resp_00000007"),
    "kept response, with lists": plain(
        "responses.retrieve", "resp_00000007", include=["file_search_call.results", "message.output_text.logprobs"]
    ),
    "kept response, with a list of one": plain(
        "responses.retrieve", "resp_00000007", include=["reasoning.encrypted_content"]
    ),
    "kept response, streamed": plain("responses.retrieve", "resp_00000007", stream=True, starting_after=3),
    "kept response, nested query": plain(
        "responses.retrieve",
        "resp_00000007",
        extra_query={
            "a": {"b": [1, 2], "c": {"d": "é &="}},
            "e": True,
            "f": None,
            "g": "",
            "h": 1.0,
            "i": [],
            "j": [{"k": 1}, {"k": 2}],
        },
    ),
    "cancelled response": plain("responses.cancel", "resp_00000007"),
    "deleted response": plain("responses.delete", "resp_00000007"),
    "input items": plain("responses.input_items.list", "resp_00000007", include=["a", "b"], limit=2, order="desc"),
    "conversation": plain("conversations.create", metadata={"a": "b"}, items=[{"role": "user", "content": "Hi"}]),
    "kept conversation": plain("conversations.retrieve", "conv_1"),
    "conversation's items": plain("conversations.items.create", "conv_1", items=[], include=["a"]),
    "job": plain("fine_tuning.jobs.create", model="m", training_file="file-1", hyperparameters={"n_epochs": "auto"}),
    "events of a job": plain("fine_tuning.jobs.list_events", "ftjob-1", limit=2),
    "batch": plain("batches.create", completion_window="24h", endpoint="/v1/chat/completions", input_file_id="f"),
    "cancelled batch": plain("batches.cancel", "batch_1"),
    "vector store": plain(
        "vector_stores.create", name="n", file_ids=["a"], expires_after={"anchor": "last_active_at", "days": 1}
    ),
    "search": plain("vector_stores.search", "vs_1", query=["a", "b"], filters={"type": "eq", "key": "k", "value": 1.0}),
    "attributes": plain(
        "vector_stores.files.update", "file-1", vector_store_id="vs_1", attributes={"a": 1.0, "b": True}
    ),
    "stored completion": plain("chat.completions.retrieve", "chatcmpl-00000001"),
    "stored completions": plain("chat.completions.list", metadata={"a": "b"}, model="m"),
    **{
        f"posted: {name}": posted("/odd", body=body)
        for name, body in {
            "a list": [1, 1.0, None, "é"],
            "a text": "text",
            "a number": 7,
            "a float": 7.0,
            "true": True,
            "{}": {},
            "a list of objects": [{"a": 1}],
            "[]": [],
            "0": 0,
            "an empty text": "",
            "false": False,
            "content": {"content": "sha256:1"},
            "json": {"json": {"a": 1}},
            "files": {"files": [["a", "b", "c", "d"]]},
            "extra": {"extra_query": {"a": 1}, "extra_body": 1},
            "deep": deep(90),
            "big number": {"n": 10**40},
        }.items()
    },
    **{
        f"sent: {method}": posted("/odd", method=method, **({} if method == "get" else {"body": {"a": 1}}))
        for method in ("get", "put", "patch", "delete")
    },
    "posted nothing": posted("/odd"),
    "posted to a longer path": posted("/odd//x/", body={}),
    "posted to encoded letters": posted("/odd/%C3%A9%20%2f%2F~", body={}),
    "posted with a query in the path": posted("/odd?a=1&b=%C3%A9+x&c", body={}, options={"params": {"d": [1, 2]}}),
    "posted bytes": posted("/odd/list", content=b"\x00\xff"),
    "posted bytes of a type": posted("/odd/list", content=b"a,b", options={"headers": {"Content-Type": "text/csv"}}),
    **{f"posted to {path}": posted(f"/odd/{path}", body={}) for path in ("list", "nothing", "number", "null")},
    "posted stream": posted_stream("/odd/stream", Any, body={}),
    "posted to text": posted("/odd/text", cast_to=str, body={}),
}


ANTHROPIC = (
    {
        f"anthropic: {name}": plain(call.method, *call.args, **call.kwargs)._replace(sdk="anthropic")
        for name, call in family_calls.VALUES["anthropic"].items()
    }
    | {
        f"anthropic, streamed: {name}": plain(call.method, *call.args, **call.kwargs)._replace(sdk="anthropic")
        for name, call in family_calls.STREAMS["anthropic"].items()
    }
    | {
        name: row._replace(sdk="anthropic")
        for name, row in {
            "anthropic, raw": raw("messages.create", **family_calls.MESSAGE),
            "anthropic, raw stream": raw("messages.create", **family_calls.MESSAGE, stream=True),
            "anthropic, streaming response": streaming("messages.create", **family_calls.MESSAGE, stream=True),
            "anthropic, options": plain(
                "messages.create",
                **family_calls.MESSAGE,
                stop_sequences=[],
                extra_body={"top": 1},
                extra_query={"a": [1, 2]},
                extra_headers={"anthropic-beta": "one,two", "X-Own": "1"},
                timeout=9,
            ),
            "anthropic, betas": plain("beta.messages.create", **family_calls.MESSAGE, betas=["a-1", "b-2"]),
            "anthropic, workspace": plain(
                "messages.create", **family_calls.MESSAGE, extra_headers={"anthropic-workspace-id": "wrkspc_1"}
            ),
            "anthropic, upload": upload("beta.files.upload", file=("notes.txt", CONTENT, "text/x-notes")),
            "anthropic, upload that expires": upload("beta.files.upload", file=SOUND, expires_in_seconds=3600),
            "anthropic, files": plain("beta.files.list", limit=2),
            "anthropic, file": plain("beta.files.retrieve_metadata", "file_1"),
            "anthropic, content": plain("beta.files.download", "file_bytes"),
            "anthropic, skill": upload("beta.skills.create", files=[("a/SKILL.md", b"# a"), ("a/b.py", b"1")]),
            "anthropic, list in a query": plain("models.list", extra_query={"a": [1, 2], "b": {"c": True}}),
            "anthropic, posted": posted("/v1/messages", body=family_calls.MESSAGE),
        }.items()
    }
)

NOT_SENT = {
    "None in a form": upload(TRANSCRIBE, **TRANSCRIBED, prompt=None),
    "an empty list in a form": upload(TRANSCRIBE, **TRANSCRIBED, include=[]),
    "other letters in a path of one's own": posted("/odd/é ü", body={}),
    "bytes that are JSON": posted("/odd/list", content=b'{"a": 1}'),
    "a query of the client's": Row(
        lambda sdk: sdk.wait(sdk.client.with_options(default_query={"a": "1"}).models.list())
    ),
}
"""Requests whose key in process is made of more, or of less, than is sent: neither side has the other's recordings."""
ROWS = METHODS | UPLOADS | OTHERS | ANTHROPIC
