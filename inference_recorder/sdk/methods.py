"""The methods of the SDK that make inference calls: one row each, for sync and async.

Adding a method is adding a row; wrapping, restoring, recording and replaying follow from it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from .internals import transformed
from .versions import release_of


@dataclass(frozen=True, slots=True)
class Method:
    """One resource method that is wrapped. `answer`, `params` and `chunk` name types, "" for none."""

    name: str
    """As callers write it after the client: "chat.completions.create"."""
    endpoint: str
    """As recordings have it: "/v1" and the path the SDK asks for."""
    module: str
    owner: str
    """The sync class; the async one is called the same with "Async" before it."""
    answer: str
    params: str = ""
    """The type of the keyword arguments, by which the SDK makes them ready to be sent; "" where there are none."""
    chunk: str = ""
    is_list: bool = False
    """Answers with a page of items; the async method is a plain function that returns a paginator."""
    since: str = ""
    """The first SDK version that has it, "" for all we support."""

    @property
    def attribute(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def answer_type(self) -> Any:
        """The type of a whole answer (of an item, for a list)."""
        return _type_named(self.answer)

    @property
    def is_installed(self) -> bool:
        """Whether the installed SDK has it."""
        import openai

        return release_of(openai.__version__) >= release_of(self.since)

    def as_sent(self, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return keyword arguments as the SDK turns them into a body: models as it dumps them, iterables as lists.

        Arguments that it cannot turn are returned as they are. Source: `create` of each resource.
        """
        if not self.params:
            return kwargs
        try:
            sent: Mapping[str, Any] = transformed(kwargs, _type_named(self.params)) or {}
        except Exception:  # the caller hears of it where the SDK makes the call
            return kwargs
        return sent

    @property
    def chunk_type(self) -> Any:
        """The type of one chunk of a streamed answer; a union for some methods."""
        return _type_named(self.chunk)


_RESOURCES = "openai.resources."

METHODS = (
    Method("chat.completions.create", "/v1/chat/completions",
           _RESOURCES + "chat.completions.completions", "Completions",
           answer="openai.types.chat:ChatCompletion", params="openai.types.chat:CompletionCreateParams",
           chunk="openai.types.chat:ChatCompletionChunk"),
    Method("completions.create", "/v1/completions", _RESOURCES + "completions", "Completions",
           answer="openai.types:Completion", params="openai.types:CompletionCreateParams",
           chunk="openai.types:Completion"),
    Method("embeddings.create", "/v1/embeddings", _RESOURCES + "embeddings", "Embeddings",
           answer="openai.types:CreateEmbeddingResponse", params="openai.types:EmbeddingCreateParams"),
    Method("responses.create", "/v1/responses", _RESOURCES + "responses.responses", "Responses",
           answer="openai.types.responses:Response",
           params="openai.types.responses.response_create_params:ResponseCreateParams",
           chunk="openai.types.responses:ResponseStreamEvent"),
    Method("moderations.create", "/v1/moderations", _RESOURCES + "moderations", "Moderations",
           answer="openai.types:ModerationCreateResponse", params="openai.types:ModerationCreateParams"),
    Method("images.generate", "/v1/images/generations", _RESOURCES + "images", "Images",
           answer="openai.types:ImagesResponse", params="openai.types:ImageGenerateParams",
           chunk="openai.types:ImageGenStreamEvent"),
    Method("models.list", "/v1/models", _RESOURCES + "models", "Models",
           answer="openai.types:Model", is_list=True),
)  # fmt: skip


@cache
def method_for(endpoint: str) -> Method | None:
    """Return the row of an endpoint, None where the table has none."""
    return next((method for method in METHODS if method.endpoint == endpoint), None)


def _type_named(name: str) -> Any:
    # Not cached: the SDK may be imported again, and then has other types.
    module, _, attribute = name.partition(":")
    kind = getattr(sys.modules.get(module), attribute, None)
    return getattr(import_module(module), attribute) if kind is None else kind
