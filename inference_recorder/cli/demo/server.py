"""`running_server()`: OpenAI's chat completions on 127.0.0.1, without a model behind them."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

from ...request.jsonable import JsonObject

NO_SUCH_MODEL = "no-such-model"
"""The one model that the server does not have."""
PAUSE_SECONDS = 0.03

GREETING = "Hello! Ask me once; your tests will never have to ask again."
HAIKU = "Asked once, it answers;\nrecorded, it speaks again\nwhile the network sleeps."

_WORD = re.compile(r"\s*\S+")
_POLL_SECONDS = 0.01


@contextmanager
def running_server(pause_seconds: float = PAUSE_SECONDS) -> Iterator[str]:
    """Run the server on a free port while the block runs; yields its base URL, "http://127.0.0.1:43817/v1".

    It answers `POST /v1/chat/completions`, plain or streamed, pausing for `pause_seconds` before each chunk. A prompt
    that mentions a haiku gets one, any other a greeting. After the block, nothing listens and all threads have ended.
    """
    with _Server(pause_seconds) as server:
        thread = threading.Thread(target=server.serve_forever, args=[_POLL_SECONDS], name="inference_recorder-demo")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingTCPServer):
    """Not an HTTPServer: that one looks up the host's name, which takes seconds where no resolver answers."""

    def __init__(self, pause_seconds: float) -> None:
        self.pause_seconds = pause_seconds
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    """One request. The connection is closed after the answer, as in HTTP/1.0, so no stream needs a length."""

    server: _Server
    timeout = 5

    def do_POST(self) -> None:
        with suppress(ConnectionError):  # the client may leave at any time
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/v1/chat/completions":
                self._chat_completion(content)
            else:
                self._send_error(404, f"Invalid URL (POST {self.path})")

    def log_message(self, template: str, *args: object) -> None:
        """Write nothing: the demo's output goes to the same terminal."""

    def _chat_completion(self, content: bytes) -> None:
        try:
            body = json.loads(content)
            model, prompt = body["model"], str(body["messages"][-1]["content"])
        except (ValueError, LookupError, TypeError):
            self._send_error(400, "The body must be JSON with a model and messages.")
            return
        if model == NO_SUCH_MODEL:
            self._send_error(404, f"The model `{model}` does not exist", code="model_not_found")
        elif body.get("stream"):
            has_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            self._send_head(200, "text/event-stream")
            for chunk in _Completion(model, prompt).chunks(has_usage=has_usage):
                time.sleep(self.server.pause_seconds)
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")
        else:
            self._send_json(200, _Completion(model, prompt).whole())

    def _send_error(self, status_code: int, message: str, code: str | None = None) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        self._send_json(status_code, {"error": error})

    def _send_json(self, status_code: int, content: JsonObject) -> None:
        self._send_head(status_code, "application/json")
        self.wfile.write(json.dumps(content).encode())

    def _send_head(self, status_code: int, content_type: str) -> None:
        self.send_response(status_code)
        self.send_header("content-type", content_type)
        self.send_header("x-request-id", f"req_{secrets.token_hex(16)}")
        self.send_header("openai-version", "2020-10-01")
        self.end_headers()


class _Completion:
    """An answer to a prompt, in both of the API's forms."""

    def __init__(self, model: str, prompt: str) -> None:
        self._text = HAIKU if "haiku" in prompt.lower() else GREETING
        self._words = _WORD.findall(self._text)
        self._shared: JsonObject = {
            "id": f"chatcmpl-{secrets.token_hex(14)}",
            "created": int(time.time()),
            "model": model,
            "service_tier": "default",
            "system_fingerprint": "fp_embedded",
        }
        prompt_tokens, completion_tokens = len(_WORD.findall(prompt)), len(self._words)
        self._usage: JsonObject = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }

    def whole(self) -> JsonObject:
        """Return the `chat.completion` object."""
        message: JsonObject = {"role": "assistant", "content": self._text, "refusal": None, "annotations": []}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return {**self._shared, "object": "chat.completion", "choices": [choice], "usage": self._usage}

    def chunks(self, *, has_usage: bool) -> Iterator[JsonObject]:
        """Yield the `chat.completion.chunk` objects: the role, one word each, the end and, if requested, the usage."""
        shared = {**self._shared, "object": "chat.completion.chunk"}
        if has_usage:
            shared["usage"] = None
        yield {**shared, "choices": [_delta({"role": "assistant", "content": "", "refusal": None})]}
        for word in self._words:
            yield {**shared, "choices": [_delta({"content": word})]}
        yield {**shared, "choices": [_delta({}, finish_reason="stop")]}
        if has_usage:
            yield {**shared, "choices": [], "usage": self._usage}


def _delta(delta: JsonObject, finish_reason: str | None = None) -> JsonObject:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
