"""The model that the pages talk to: what it answers to which prompt."""

from __future__ import annotations

import re

from ..support.openai_server import ReceivedRequest, Reply, chunk, completion, default_reply

GREETING = "Hello! Ask me once; your tests will never have to ask again."
ANSWERS = {
    "Greet Ada": "Hello Ada, welcome!",
    "Say hello to my tests.": "Hello, tests!",
}
"""Text in the last message -> the answer to it; a greeting to all others."""


def reply(request: ReceivedRequest, number: int) -> Reply:
    """Answer chat completions by their last message, and everything else as the server of the tests does."""
    if request.path != "/v1/chat/completions":
        return default_reply(request, number)
    body = request.json
    prompt = str(body["messages"][-1]["content"])
    text = next((answer for start, answer in ANSWERS.items() if start in prompt), GREETING)
    words = re.findall(r"\s*\S+", text)
    tokens = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(words)}
    tokens["total_tokens"] = sum(tokens.values())
    if not body.get("stream"):
        return Reply(completion(text, number=number, model=body["model"], usage=tokens))
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words)]
    events = [chunk(delta, number=number, model=body["model"]) for delta in deltas]
    events.append(chunk({}, finish="stop", number=number, model=body["model"]))
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append(chunk(None, number=number, model=body["model"], usage=tokens))
    return Reply(events=events)
