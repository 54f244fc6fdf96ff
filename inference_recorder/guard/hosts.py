"""The hosts that models are served from."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

# Not *.cognitiveservices.azure.com, nor Databricks' workspaces: most of what is asked there is no model. As the base
# url of a client of the SDK, they count too.
HOSTS = (
    "api.openai.com",
    "*.api.openai.com",
    "*.openai.azure.com",
    "*.openai.azure.us",
    "*.services.ai.azure.com",
    "*.models.ai.azure.com",
    "*.inference.ai.azure.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "aiplatform.googleapis.com",
    "*-aiplatform.googleapis.com",
    "aiplatform.*.rep.googleapis.com",
    "bedrock-runtime.*.amazonaws.com",
    "bedrock-runtime-fips.*.amazonaws.com",
    "bedrock-runtime.*.amazonaws.com.cn",
    "bedrock-agent-runtime.*.amazonaws.com",
    "bedrock-mantle.*.api.aws",
    "api.mistral.ai",
    "codestral.mistral.ai",
    "api.groq.com",
    "api.together.xyz",
    "api.together.ai",
    "api.cohere.com",
    "api.cohere.ai",
    "openrouter.ai",
    "api.deepseek.com",
    "api.x.ai",
    "*.api.x.ai",
    "api.fireworks.ai",
    "api.perplexity.ai",
    "api-inference.huggingface.co",
    "router.huggingface.co",
    "*.endpoints.huggingface.cloud",
    "api.cerebras.ai",
    "integrate.api.nvidia.com",
    "ai.api.nvidia.com",
    "api.replicate.com",
    "api.ai21.com",
    "api.voyageai.com",
    "api.jina.ai",
    "api.sambanova.ai",
    "api.deepinfra.com",
    "api.moonshot.ai",
    "api.moonshot.cn",
    "api.z.ai",
    "open.bigmodel.cn",
    "dashscope.aliyuncs.com",
    "dashscope-*.aliyuncs.com",
    "api.minimax.io",
    "api.siliconflow.com",
    "api.siliconflow.cn",
    "api.novita.ai",
    "api.hyperbolic.xyz",
    "api.studio.nebius.ai",
    "api.studio.nebius.com",
    "api.tokenfactory.nebius.com",
    "inference.baseten.co",
    "*.api.baseten.co",
    "models.github.ai",
    "api.githubcopilot.com",
    "gateway.ai.cloudflare.com",
    "ai-gateway.vercel.sh",
    "api.upstage.ai",
    "api.writer.com",
    "api.reka.ai",
    "api.stability.ai",
)
"""Names, with "*" for any text."""
_OLLAMA_PORT = 11434
_PATTERN = re.compile("|".join(translate(host) for host in HOSTS))


@lru_cache(maxsize=1024)
def serves_models(host: str) -> bool:
    """Return whether models are served from a host, given in lower case."""
    return _PATTERN.fullmatch(host) is not None


def is_recorded_by_llama_stack(host: str, port: int) -> bool:
    """Return whether llama-stack's recorder records what is asked there, past the SDKs: Ollama, and Tavily's search.

    Source: ogx `api_recorder.py`, `patch_inference_clients`. Ollama is known by its port, as it runs on this machine.
    """
    return port == _OLLAMA_PORT or host == "api.tavily.com"
