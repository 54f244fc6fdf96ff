"""The rows of the table, each a function that tries a behaviour.

An AssertionError is a "no" and its reason; a text that is returned stands beside the "yes".
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from ..support.openai_server import Reply, chunks, completion
from ..support.openai_server import error as failure
from .trial import DUMMY_KEY, KEY, CannotTell, Trial

CHAT, SPEECH = "/v1/chat/completions", "/v1/audio/speech"
Behaviour = Callable[[Trial], str | None]
BEHAVIOURS: dict[str, tuple[str, Behaviour]] = {}
"""The name of a row -> what it says, and what decides it."""
PROCESSES = 4

chat: Callable[..., dict[str, Any]] = partial(dict, kind="chat", prompt="Where is Lisbon?")
stream: Callable[..., dict[str, Any]] = partial(dict, kind="stream", prompt="Where is Lisbon?")


def row(name: str, title: str) -> Callable[[Behaviour], Behaviour]:
    def add(behaviour: Behaviour) -> Behaviour:
        BEHAVIOURS[name] = (title, behaviour)
        return behaviour

    return add


def records(trial: Trial, *calls: dict[str, Any], **how: Any) -> list[Any]:
    """Record calls; none may fail. What is refused or not sent afterwards would otherwise prove nothing."""
    recorded = trial.run("record", *calls, **how)
    assert not failed(recorded), recorded
    assert trial.sent, "nothing was recorded"
    return recorded


def replays(trial: Trial, *calls: dict[str, Any], **how: Any) -> tuple[list[Any], list[Any]]:
    """Record calls and replay them; nothing may fail, and nothing may be sent in replay."""
    recorded = records(trial, *calls, **how)
    replayed = trial.run("replay", *calls, **how)
    assert not failed(replayed), replayed
    assert trial.sent == 0, f"sent {trial.sent} requests in replay"
    return recorded, replayed


def failed(results: list[Any]) -> bool:
    return any(isinstance(result, dict) and "error" in result for result in results)


def texts(results: list[Any]) -> list[str]:
    return [result["text"] for result in results]


def text_replays(trial: Trial, *calls: dict[str, Any], **how: Any) -> None:
    recorded, replayed = replays(trial, *calls, **how)
    assert texts(recorded) == texts(replayed)


def refused(trial: Trial, call: dict[str, Any]) -> dict[str, Any]:
    """Return the error that a call got in replay; nothing may be sent."""
    [result] = trial.run("replay", call)
    assert trial.sent == 0, f"sent {trial.sent} requests in replay"
    assert failed([result]), f"answered with {result}"
    return dict(result)


@row("sync", "sync calls, plain and streamed, replay with nothing sent")
def _(trial: Trial) -> None:
    text_replays(trial, chat(), stream(prompt="Count."), is_async=False)


@row("async", "async calls, plain and streamed, replay with nothing sent")
def _(trial: Trial) -> None:
    text_replays(trial, chat(), stream(prompt="Count."), is_async=True)


@row("every field", "every field of the answer is that of the live one")
def _(trial: Trial) -> None:
    [recorded], [replayed] = replays(trial, chat())
    assert recorded == replayed, f"{recorded} {replayed}"


@row("chunks", "a stream replays in the same chunks")
def _(trial: Trial) -> None:
    [recorded], [replayed] = replays(trial, stream())
    assert recorded["chunks"] == replayed["chunks"], f"{recorded} {replayed}"


@row("first chunk", "while recording, a chunk reaches your code when it arrives")
def _(trial: Trial) -> None:
    trial.server.answers(CHAT, Reply(events=chunks(*"abcde"), pause_seconds=0.2))
    [streamed] = trial.run("record", stream())
    assert streamed["seconds_after_first"] > 0.8, streamed


@row("stream left early", "a stream left early replays as far as it was read")
def _(trial: Trial) -> None:
    trial.server.answers(CHAT, Reply(events=chunks(*"abcdefghij"), pause_seconds=0.05))
    text_replays(trial, stream(read=4))


@row("raw", "`with_raw_response`, `parse()` and `client.post()` replay")
def _(trial: Trial) -> None:
    trial.server.answers(CHAT, Reply(completion('{"name": "Lisbon"}')))
    kinds = [{"kind": kind, "prompt": f"Name a town for {kind}."} for kind in ("raw", "parse", "post")]
    recorded, replayed = replays(trial, *kinds)
    assert [recorded[0]["text"], recorded[1]] == [replayed[0]["text"], replayed[1]]
    posted = [results[2]["choices"][0]["message"]["content"] for results in (recorded, replayed)]
    assert posted[0] == posted[1]


@row("upload", "an upload replays")
def _(trial: Trial) -> None:
    stored = {"object": "file", "bytes": 3, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}
    trial.server.scripts["/v1/files"] = lambda request, number: Reply(stored | {"id": f"file-{number}"})
    recorded, replayed = replays(trial, {"kind": "upload"})
    assert recorded == replayed, f"{recorded} {replayed}"


@row("binary", "binary answers (speech) replay byte by byte")
def _(trial: Trial) -> None:
    trial.server.answers(SPEECH, Reply(content=bytes(range(256)), media_type="audio/mpeg"))
    recorded, replayed = replays(trial, {"kind": "speech", "prompt": "Hi"})
    assert recorded == replayed, f"{recorded} {replayed}"


@row("identical", "identical requests get their answers in order")
def _(trial: Trial) -> None:
    trial.server.answers(CHAT, *(Reply(completion(text)) for text in ("One", "Two", "Three")))
    recorded, replayed = replays(trial, chat(), chat(), chat())
    assert texts(recorded) == texts(replayed) == ["One", "Two", "Three"], f"{texts(recorded)} {texts(replayed)}"


@row("another prompt", "another prompt is refused in replay")
def _(trial: Trial) -> None:
    records(trial, chat())
    refused(trial, chat(prompt="Where is Porto?"))


@row("another parameter", "so is another parameter, system message or late digit of a number")
def _(trial: Trial) -> None:
    def system(text: str) -> dict[str, Any]:
        return chat(changes={"messages": [{"role": "system", "content": text}, {"role": "user", "content": "Hi"}]})

    number = "Round 3.14159265 please."
    records(trial, chat(changes={"temperature": 0}), system("Be brief."), chat(prompt=number))
    for call in (chat(changes={"temperature": 1}), system("Be kind."), chat(prompt=number.replace("65", "66"))):
        refused(trial, call)


@row("at once", "the refusal is an error of its own: the SDK neither retries nor wraps it")
def _(trial: Trial) -> None:
    records(trial, chat())
    found = refused(trial, chat(prompt="Where is Porto?", retries=2))
    assert not found["is_sdk_error"], f"{found['error']} after {found['seconds']:.1f} s"


@row("difference", "the refusal shows the nearest recording and what differs")
def _(trial: Trial) -> None:
    records(trial, chat(prompt="Where is Lisbon?"))
    text = refused(trial, chat(prompt="Where is Porto?"))["text"]
    assert "Where is Lisbon?" in text, text
    assert "Where is Porto?" in text, text


@row("how to record", "the refusal names the option that records the call")
def _(trial: Trial) -> None:
    records(trial, chat())
    text = refused(trial, chat(prompt="Where is Porto?"))["text"]
    assert re.search(r"record[-_ ]mode|--inference-mode|INFERENCE_MODE=|--record\b", text), text


@row("past the SDK", "in replay, a request by httpx to api.openai.com is not sent")
def _(trial: Trial) -> None:
    records(trial, chat())
    url = trial.server.base_url.replace("127.0.0.1", "api.openai.com") + "/models"
    trial.run("replay", {"kind": "http", "url": url})
    assert trial.sent == 0, "sent"


@row("no key", "a replay needs no key")
def _(trial: Trial) -> None:
    records(trial, chat())
    replayed = trial.run("replay", chat(), key="")
    assert not failed(replayed), replayed
    assert trial.sent == 0, "sent"


def is_key_stored(trial: Trial) -> bool:
    return any(KEY.encode() in content for content in trial.files().values())


@row("key in a header", "the key is not in the files")
def _(trial: Trial) -> None:
    replays(trial, chat())
    assert not is_key_stored(trial)


@row("key in a prompt", "a key in a prompt is not in the files, and another one replays")
def _(trial: Trial) -> None:
    replays(trial, chat(prompt="My key is {KEY}."))
    assert not is_key_stored(trial)
    assert KEY != DUMMY_KEY


@row("failure not kept", "a 429 is not kept: the next run asks again and records the answer")
def _(trial: Trial) -> None:
    trial.server.answers(CHAT, failure(429, "Slow down."), Reply(completion("Portugal.")))
    assert failed(trial.run("add", chat()))
    assert ["Portugal."] == texts(trial.run("add", chat()))
    assert ["Portugal."] == texts(trial.run("replay", chat()))


@row("400", "a 400 replays as the same exception with its body")
def _(trial: Trial) -> None:
    trial.server.answers(CHAT, failure(400, "Too long.", code="context_length_exceeded"))
    trial.run("record", chat())  # fails, as it is to
    [replayed] = trial.run("replay", chat())
    assert trial.sent == 0, "sent"
    assert replayed.get("error") == "BadRequestError", replayed
    assert replayed["body"] == {
        "message": "Too long.",
        "type": "test_error",
        "param": None,
        "code": "context_length_exceeded",
    }


@row("parallel", f"{PROCESSES} processes may record the same request at once")
def _(trial: Trial) -> str:
    trial.server.answers(CHAT, Reply(completion("Portugal."), delay_seconds=3))
    recorded = trial.run_at_once(PROCESSES, "add", chat())
    sent = trial.server.count_of(CHAT)  # ogx also asks a server for its version
    assert [["Portugal."]] * PROCESSES == [texts(results) for results in recorded], recorded
    assert ["Portugal."] == texts(trial.run("replay", chat()))
    assert trial.sent == 0, "sent"
    return f"{sent} call{'s' * (sent > 1)}"


@row("killed", "a process killed while it writes leaves the old recordings whole")
def _(trial: Trial) -> None:
    long = Reply(completion("word " * 50_000))
    trial.server.answers(CHAT, Reply(completion("Portugal.")), long)
    trial.server.answers(SPEECH, Reply(content=b"word " * 50_000, media_type="audio/mpeg"))
    records(trial, chat())
    again = [("again", chat())] if trial.name != "aimock" else []  # which sends no request again
    for mode, call in [("add", {"kind": "speech", "prompt": "Hi"}), *again]:
        trial.run(mode, call, limit_bytes=100_000)
        assert trial.sent, "nothing was recorded"
        try:
            assert ["Portugal."] == texts(trial.run("replay", chat())), mode
        except CannotTell as error:
            raise AssertionError("the file cannot be read any more") from error
        assert trial.sent == 0, mode


@row("no diff", "recording again leaves equal files, with new ids and times in the answers")
def _(trial: Trial) -> None:
    numbers = count()
    trial.server.scripts[CHAT] = lambda request, _: Reply(completion("Portugal.", number=next(numbers)))
    records(trial, chat())
    files = trial.files()
    trial.run("again", chat())
    assert trial.sent, "nothing was recorded again"
    assert files == trial.files()


def are_stored_as_text(trial: Trial, prompt: str, answer: str) -> None:
    content = json.dumps(completion(answer)).encode()
    packed = Reply(content=gzip.compress(content), headers={"content-encoding": "gzip"})
    trial.server.scripts[CHAT] = lambda request, _: (
        packed if "gzip" in request.headers.get("accept-encoding", "") else Reply(content=content)
    )
    text_replays(trial, chat(prompt=prompt))
    stored = re.sub(r"\s+", " ", b"".join(trial.files().values()).decode(errors="replace"))
    assert prompt in stored, stored
    assert answer in stored, stored


@row("readable", "prompt and answer are text in the file, also when the server compresses")
def _(trial: Trial) -> None:
    are_stored_as_text(trial, "Where is Lisbon?", "In Portugal.")


@row("other scripts", "so are other scripts than ASCII: Grüße, 東京")
def _(trial: Trial) -> None:
    are_stored_as_text(trial, "Schöne Grüße?", "Aus 東京.")


@row("unused", "pytest reports a recording that no test requested")
def _(trial: Trial) -> None:
    calls = (chat(), chat(prompt="Where is Porto?"))
    in_pytest = bool(trial.tool.pytest_options)
    records(trial, *calls, in_pytest=in_pytest)
    trial.run("replay", calls[0], in_pytest=in_pytest)
    assert re.search(r"\bunused\b(?! 0)|unplayed", trial.output.replace(" 0 unused", "")), trial.output


@row("language", "a program in another language gets the recorded answers (curl)")
def _(trial: Trial) -> None:
    records(trial, chat())
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": chat()["prompt"]}]})
    before = trial.server.count
    if trial.name == "ours":
        script = f"curl -s $OPENAI_BASE_URL/chat/completions -H 'content-type: application/json' -d '{body}'"
        cli = [str(Path(trial.command[0]).with_name("inference-recorder")), "run", "--mode=replay"]
        printed = _printed([*cli, f"--dir={trial.directory}", "--", "sh", "-c", script])
    else:
        assert trial.name == "aimock", "it works in the process of the tests only"
        with trial.served("replay") as base_url:
            printed = _printed(["curl", "-s", f"{base_url}/chat/completions", "-d", body])
    assert before == trial.server.count, "sent"
    assert "Hello 0!" in printed, printed


def _printed(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@row("any HTTP API", "any HTTP API is recorded, not only models'")
def _(trial: Trial) -> None:
    weather = "/v1/weather"
    trial.server.scripts[weather] = lambda request, number: Reply({"sun": number})
    call = {"kind": "http", "url": trial.server.base_url.replace("/v1", weather)}
    assert trial.name != "aimock", "it answers the APIs that it knows"
    recorded, replayed = replays(trial, call)
    assert recorded == replayed


@row("scripted", "answers can be written by hand, for prompts that contain a word")
def _(trial: Trial) -> None:
    assert trial.name == "aimock", "it has no such files"
    trial.directory.mkdir(parents=True)
    fixture = {"match": {"userMessage": "weather"}, "response": {"content": "Sunny."}}
    (trial.directory / "by-hand.json").write_text(json.dumps({"fixtures": [fixture]}))
    assert ["Sunny."] == texts(trial.run("replay", chat(prompt="How is the weather?")))


@row("faults", "failures can be injected: a 429 in place of an answer")
def _(trial: Trial) -> None:
    assert trial.name == "aimock", "it has no such option"
    records(trial, chat())
    with trial.served("replay", "--chaos-ratelimit", "1") as base_url:
        url = f"{base_url}/chat/completions"
        printed = _printed(["curl", "-s", "-w", "%{http_code}", url, "-d", '{"model": "gpt-4o", "messages": []}'])
    assert printed.endswith("429"), printed


@row("drift", "a run can compare live answers with the recorded ones and fail")
def _(trial: Trial) -> None:
    assert trial.name == "cassetter", "it has no such mode"
    trial.server.answers(CHAT, Reply(completion("Portugal.")), Reply(completion("Portugal.")), Reply({"other": 1}))
    records(trial, chat())
    trial.run("verify", chat())
    assert trial.sent == 1, "sent nothing"
    assert "differ" not in trial.output, trial.output
    assert failed(trial.run("verify", chat())) or "rror" in trial.output, trial.output
