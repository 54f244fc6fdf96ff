"""The SDK taken out of sys.modules and imported again, as suites that test their own imports do, stays intercepted."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ...support.openai_server import OpenAIServer, Reply, chunks, completion, error

PROGRAM = """
    import asyncio, gc, importlib, json, sys, types
    from inference_recorder import MissingRecording, inference_recording

    BASE_URL, FOLDER, WAY = sys.argv[1:]
    HELLO = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}
    COMPLETIONS = "openai.resources.chat.completions.completions"
    path_before = list(sys.meta_path)

    def import_again():
        purged = {
            "everything": ["openai"],
            "with its HTTP library": ["openai", "httpx", "httpx2", "httpcore", "httpcore2"],
            "its clients": ["openai._base_client", "openai._client"],
            "one module": [COMPLETIONS],
        }
        if WAY.startswith("reload"):
            importlib.reload(sys.modules[WAY.partition(" ")[2]])
            return
        names = [
            name for name in sys.modules
            if any(name == start or name.startswith(f"{start}.") for start in purged[WAY])
        ]
        for name in names:
            del sys.modules[name]
        for name in sorted(names):
            if name in ("openai", "openai._base_client", "openai._client", COMPLETIONS):
                importlib.import_module(name)

    def sdk():
        import openai
        return openai

    def make(kind="OpenAI"):
        return getattr(sdk(), kind)(base_url=BASE_URL, api_key="x", max_retries=0)

    def create_of(client):
        # The resource class of the module that is in sys.modules now.
        kind = sys.modules[COMPLETIONS].Completions if COMPLETIONS in sys.modules else type(client.chat.completions)
        return kind(client).create

    def use(client):
        openai = sdk()
        from openai.pagination import SyncPage
        from openai.types import CreateEmbeddingResponse, Model
        from openai.types.chat import ChatCompletion, ChatCompletionChunk
        create = create_of(client)
        answer, stream = create(**HELLO), create(**HELLO, stream=True)
        chunks, page = list(stream), client.models.list()
        try:
            client.files.retrieve("missing")
            failure = None
        except Exception as raised:
            failure = raised
        raw = client.chat.completions.with_raw_response.create(**HELLO)
        typed = [
            (answer, ChatCompletion), (stream, openai.Stream), (page, SyncPage), (failure, openai.NotFoundError),
            *((chunk, ChatCompletionChunk) for chunk in chunks), *((model, Model) for model in page.data),
            (client.embeddings.create(model="m", input="x"), CreateEmbeddingResponse), (raw.parse(), ChatCompletion),
        ]
        wrong = [type(value).__name__ for value, kind in typed if not isinstance(value, kind)]
        assert not wrong, wrong
        return [answer.choices[0].message.content, len(chunks), [model.id for model in page.data]]

    async def use_async():
        openai = sdk()
        from openai.pagination import AsyncPage
        from openai.types.chat import ChatCompletion, ChatCompletionChunk
        async with make("AsyncOpenAI") as client:
            answer = await client.chat.completions.create(**HELLO)
            stream = await client.chat.completions.create(**HELLO, stream=True)
            chunks, page = [chunk async for chunk in stream], await client.models.list()
            try:
                await client.files.retrieve("missing")
                raise AssertionError("it is not there")
            except openai.NotFoundError:
                pass
        assert isinstance(answer, ChatCompletion) and isinstance(stream, openai.AsyncStream)
        assert isinstance(page, AsyncPage) and all(isinstance(chunk, ChatCompletionChunk) for chunk in chunks)
        return [answer.choices[0].message.content, len(chunks), [model.id for model in page.data]]

    def left_wrapped():
        # Of all classes that are alive, purged or not.
        return sorted({
            f"{kind.__qualname__}.{name}"
            for kind in gc.get_objects() if issubclass(type(kind), type) and str(kind.__module__).startswith("openai")
            for name, value in list(vars(kind).items()) if type(value).__name__ in ("_Wrapped", "_WrappedMock")
        })

    def methods():
        return [
            (kind, name, value)
            for kind in gc.get_objects() if issubclass(type(kind), type) and str(kind.__module__).startswith("openai")
            for name, value in list(vars(kind).items()) if isinstance(value, types.FunctionType)
        ]

    def replay(mode="replay"):
        return inference_recording(mode, FOLDER, test_id="t")

    def outcome(call):
        try:
            return call()
        except MissingRecording:
            return "missed"
"""
WHEN = {
    "inside a session": """
        with replay():
            import_again()
            answers = [use(make()), asyncio.run(use_async())]
            old = outcome(lambda: kept.completions.create(model="never", prompt="recorded"))
    """,
    "inside a nested session": """
        with replay():
            with replay():
                import_again()
                answers = [use(make())]
                old = outcome(lambda: kept.completions.create(model="never", prompt="recorded"))
            answers.append(asyncio.run(use_async()))
    """,
    "before a nested session": """
        with replay():
            import_again()
            with replay():
                answers = [use(make())]
                old = outcome(lambda: kept.completions.create(model="never", prompt="recorded"))
            answers.append(asyncio.run(use_async()))
    """,
    "between two sessions": """
        import_again()
        with replay():
            answers = [use(make()), asyncio.run(use_async())]
            old = outcome(lambda: kept.completions.create(model="never", prompt="recorded"))
    """,
    "twice": """
        with replay():
            import_again()
            use(make())
            import_again()
            answers = [use(make()), asyncio.run(use_async())]
        with replay():
            assert answers == [use(make()), asyncio.run(use_async())]
            old = outcome(lambda: kept.completions.create(model="never", prompt="recorded"))
    """,
}
WAYS = [
    "everything",
    "with its HTTP library",
    "its clients",
    "one module",
    "reload openai.resources.chat.completions.completions",
    "reload openai._base_client",
]


def run(text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    program = textwrap.dedent(PROGRAM) + text
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


QUICK = set(zip(WAYS, [*WHEN, "inside a session"], strict=True))
"""Each way once, and each moment."""
CASES = [
    pytest.param(way, when, marks=() if (way, when) in QUICK else pytest.mark.slow) for way in WAYS for when in WHEN
]


@pytest.mark.parametrize(("way", "when"), CASES)
def test_the_sdk_imported_again_is_intercepted(way: str, when: str, server: OpenAIServer, recordings: Path) -> None:
    """Its calls went to the network in replay, or came back as types of the module that was thrown away."""
    server.answers("/v1/files/missing", error(404))
    lines = chunks("Hel", "lo!")
    server.scripts["/v1/chat/completions"] = lambda asked, number: (
        Reply(events=lines) if asked.json.get("stream") else Reply(completion())
    )
    text = f"""
with replay("record"):
    recorded = [use(make()), asyncio.run(use_async())]
kept = make()
kept.completions
before = methods()
{textwrap.dedent(WHEN[when])}
print(json.dumps([recorded, answers, old, left_wrapped()]))
assert all(vars(kind).get(name) is value for kind, name, value in before)
assert path_before == sys.meta_path
"""
    done = run(text, server.base_url, recordings, way)

    assert "" == done.stderr
    recorded, answers, old, left = json.loads(done.stdout)
    assert recorded == answers
    assert ("missed", []) == (old, left)
    assert 10 == server.count


@pytest.mark.parametrize(
    "module",
    [
        "openai._base_client",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("openai._models", "openai._client", "openai.lib.azure")
        ),
    ],
)
def test_an_import_that_another_thread_has_begun_is_waited_for(module: str, recordings: Path) -> None:
    """It had found the module before the session was entered, and loaded it unpatched after."""
    text = f"""
import threading
main, reached = threading.get_ident(), threading.Event()

class Pausing:
    # Holds the other thread up where it looks for the module, until this one waits for its import.
    def find_spec(self, name, path=None, target=None):
        if name == {module!r} and threading.get_ident() != main:
            reached.set()
            while not {{"hold", "import_module"}} <= set(running(sys._current_frames()[main])):
                pass

def running(frame):
    while frame is not None:
        yield frame.f_code.co_name
        frame = frame.f_back

sys.meta_path.insert(0, Pausing())
thread = threading.Thread(target=lambda: importlib.import_module("openai"), daemon=True)
thread.start()
reached.wait(30)
with replay():
    thread.join(30)
    calls = [lambda: make().files.list(), lambda: make().completions.create(model="m", prompt="x")]
    print(json.dumps([outcome(call) for call in calls]))
    print(sorted(
        target.owner for targets in patching._targets.values() for target in targets
        if target.module in sys.modules
        and (owner := patching.owner_of(target, sys.modules[target.module])) is not None  # not in each SDK version
        and not isinstance(vars(owner)[target.method], patching._Wrapped)
    ))
"""
    text = "from inference_recorder.sdk import patching\n" + text
    done = run(text, "http://127.0.0.1:9/v1", recordings, "")

    assert ('["missed", "missed"]\n[]\n', "") == (done.stdout, done.stderr)


def test_finders_that_ask_each_other_find_the_module(recordings: Path) -> None:
    """Tracers and other import hooks ask all finders too, and so ask ours again while it asks them."""
    text = """
class Asking:
    def find_spec(self, name, path=None, target=None):
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        return next((spec for spec in others if spec is not None), None) if name.startswith("openai.") else None

with replay():
    sys.meta_path.insert(0, Asking())
    print(outcome(lambda: make().files.list()), outcome(lambda: make().completions.create(model="m", prompt="x")))
    sys.meta_path.append(sys.meta_path.pop(0))
    for name in [name for name in sys.modules if name.split(".")[0] == "openai"]:
        del sys.modules[name]
    print(outcome(lambda: make().files.list()), outcome(lambda: make().completions.create(model="m", prompt="x")))
    module = sys.modules["openai._base_client"]
    loader = module.__loader__
    print(type(loader).__name__, module.__spec__.loader is loader, bool(loader.get_data))
print(left_wrapped())
"""
    done = run(text, "http://127.0.0.1:9/v1", recordings, "")

    assert ("missed missed\nmissed missed\nSourceFileLoader True True\n[]\n", "") == (done.stdout, done.stderr)
