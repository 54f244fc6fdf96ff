"""`running_server()`: OpenAI's chat completions on 127.0.0.1, without a model behind them."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TypeAlias

NO_SUCH_MODEL = "no-such-model"
"""The one model that the server does not have."""
PAUSE_SECONDS = 0.03

GREETING = "Hello! Ask me once; your tests will never have to ask again."
HAIKU = "Asked once, it answers;\nrecorded, it speaks again\nwhile the network sleeps."

_WORD = re.compile(r"\s*\S+")
_POLL_SECONDS = 0.01
_Object: TypeAlias = Mapping[str, object]


@contextmanager
def running_server(pause_seconds: float = PAUSE_SECONDS) -> Iterator[str]:
    """Run the server on a free port while the block runs; yields its base URL, "http://127.0.0.1:43817/v1".

    It answers `POST /v1/chat/completions`, plain or streamed, pausing for `pause_seconds` before each chunk. A prompt
    that mentions a haiku gets one, any other a greeting. After the block, nothing listens and all threads have ended.
    """
    # Not an HTTPServer: that one looks up the host's name, which takes seconds where no resolver answers.
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.pause_seconds = pause_seconds
        thread = threading.Thread(target=server.serve_forever, args=[_POLL_SECONDS], name="inference_recorder-demo")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingTCPServer):
    pause_seconds = PAUSE_SECONDS


class _Handler(BaseHTTPRequestHandler):
    """One request. The connection is closed after the answer, as in HTTP/1.0, so no stream needs a length."""

    server: _Server
    timeout = 5

    def do_POST(self) -> None:
        with suppress(ConnectionError):  # the client may leave at any time
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/v1/chat/completions":
                self._complete(content)
            else:
                self._send_error(404, f"Invalid URL (POST {self.path})")

    def log_message(self, template: str, *args: object) -> None:
        """Write nothing: the demo's output goes to the same terminal."""

    def _complete(self, content: bytes) -> None:
        try:
            body = json.loads(content)
            model, prompt = body["model"], str(body["messages"][-1]["content"])
        except (ValueError, LookupError, TypeError):
            self._send_error(400, "The body must be JSON with a model and messages.")
            return
        text = HAIKU if "haiku" in prompt.lower() else GREETING
        counts = {"prompt_tokens": len(_WORD.findall(prompt)), "completion_tokens": len(_WORD.findall(text))}
        usage = {
            **counts,
            "total_tokens": sum(counts.values()),
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }
        shared = {"id": f"chatcmpl-{secrets.token_hex(14)}", "created": int(time.time()), "model": model}
        shared |= {"service_tier": "default", "system_fingerprint": "fp_embedded"}
        if model == NO_SUCH_MODEL:
            self._send_error(404, f"The model `{model}` does not exist", code="model_not_found")
        elif body.get("stream"):
            self._send_chunks(shared, text, usage if body.get("stream_options") else None)
        else:
            message: _Object = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
            choices = [_choice("message", message, "stop")]
            self._send_json(200, {**shared, "object": "chat.completion", "choices": choices, "usage": usage})

    def _send_chunks(self, shared: _Object, text: str, usage: _Object | None) -> None:
        """Send the role, one word a chunk, the end and, if it is requested, the usage."""
        shared = {**shared, "object": "chat.completion.chunk"} | ({} if usage is None else {"usage": None})
        role = {"role": "assistant", "content": "", "refusal": None}
        deltas: list[_Object] = [role, *({"content": word} for word in _WORD.findall(text)), {}]
        chunks = [shared | {"choices": [_choice("delta", delta, None if delta else "stop")]} for delta in deltas]
        if usage is not None:
            chunks.append(shared | {"choices": [], "usage": usage})
        self._send_head(200, "text/event-stream")
        for chunk in chunks:
            time.sleep(self.server.pause_seconds)
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def _send_error(self, status_code: int, message: str, code: str | None = None) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        self._send_json(status_code, {"error": error})

    def _send_json(self, status_code: int, content: _Object) -> None:
        self._send_head(status_code, "application/json")
        self.wfile.write(json.dumps(content).encode())

    def _send_head(self, status_code: int, content_type: str) -> None:
        self.send_response(status_code)
        self.send_header("content-type", content_type)
        self.send_header("x-request-id", f"req_{secrets.token_hex(16)}")
        self.send_header("openai-version", "2020-10-01")
        self.end_headers()


def _choice(name: str, content: _Object, finish_reason: str | None) -> _Object:
    return {"index": 0, name: content, "logprobs": None, "finish_reason": finish_reason}
