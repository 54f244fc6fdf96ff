"""Clients that ask a llama-stack server: left alone where the server is what records, refused where they cannot be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from inference_recorder import UnrecordableCall, inference_recording, llama_stack

from ...conftest import Colour
from ...support.openai_server import OpenAIServer
from .calls import CHAT, INSTALLED

ASK_LLAMA_STACK = [name for name in INSTALLED if name in ("llama-stack-client", "ogx-client")]
OF_1_2 = {
    "__init__": "",
    "_version": "__version__ = '1.2.0'",
    "api_client": "class ApiClient:\n    def call_api(self, method, url, *rest): return 'sent'",
    "async_api_client": "class AsyncApiClient:\n    async def call_api(self, method, url, *rest): return 'sent'",
}
"""What ogx-client 1.2 sends every request through."""


@pytest.mark.slow
@pytest.mark.parametrize("sdk_name", ASK_LLAMA_STACK)
@pytest.mark.parametrize("mode", ["record", "replay"])
def test_llama_stacks_recorder_leaves_the_clients_of_its_server_alone(
    mode: str, sdk_name: str, sdk: Colour, server: OpenAIServer, recordings: Path
) -> None:
    """The server records what it asks the model; recorded here too, a replay would never reach the server."""
    call = CHAT[sdk_name]
    with llama_stack.inference_recording(mode, recordings):
        sdk.call(call.method, **call.kwargs)

    assert 1 == server.count
    assert [] == list(recordings.rglob("*.json"))


@pytest.fixture
def ogx_client_of_1_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if find_spec("ogx_client") is not None:
        pytest.skip("another ogx-client is installed")
    package = tmp_path / "site" / "ogx_client"
    package.mkdir(parents=True)
    for name, content in OF_1_2.items():
        (package / f"{name}.py").write_text(content)
    monkeypatch.syspath_prepend(package.parent)
    yield "ogx_client"
    for name in [name for name in sys.modules if name.partition(".")[0] == "ogx_client"]:
        del sys.modules[name]


def test_an_ogx_client_of_another_make_is_refused_in_replay(ogx_client_of_1_2: str, recordings: Path) -> None:
    """No patch of the family sees its calls, which would otherwise go out."""
    client: Any = import_module(f"{ogx_client_of_1_2}.api_client").ApiClient()
    async_client: Any = import_module(f"{ogx_client_of_1_2}.async_api_client").AsyncApiClient()
    with inference_recording("replay", recordings):
        with pytest.raises(UnrecordableCall, match="GET /v1/models"):
            client.call_api("GET", "http://127.0.0.1:9/v1/models", {})
        with pytest.raises(UnrecordableCall, match="POST /v1/responses"):
            async_client.call_api(method="POST", url="http://127.0.0.1:9/v1/responses")
    with inference_recording("record", recordings) as session:
        assert "sent" == client.call_api("GET", "http://127.0.0.1:9/v1/models")

    assert ["/v1/models"] == [call.endpoint for call in session.live]
