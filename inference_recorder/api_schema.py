"""The parts of requests and answers that the API prescribes: names of members, enumerated values and counts.

Declared secrets are not searched there: without `created`, or with another `finish_reason`, an answer is not valid.
Keys depend on these tables, so they are not read from the installed SDK. A test compares them with the types of each
supported SDK version.
"""

# ruff: noqa: SIM905 - a list would take a line for each word
from __future__ import annotations

import json
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from types import ModuleType
from typing import Literal, get_args, get_origin

from .packages import SDKS

FREE = frozenset(
    "arguments attribute_matchers attributes datasource_item env extra_body extra_query headers input_schema "
    "item_schema jwks logit_bias metadata output_schema parameters parsed_arguments properties request_metadata "
    "schema state_variables variables".split()
)
"""Members that hold JSON of the caller's own, names included: of type `Dict[str, ...]` or `object` in the SDK."""

_ENUMERATED = frozenset(
    "access allowed_callers allowed_client_events allowed_server_events anchor api_source background batch_size beta "
    "betas bucket_width button chunking_strategy code completion_window complexity compute_multiplier "
    "connection_origin connector_id container_size context_compression context_levels context_size currency cyber "
    "decision delay detail eagerness effort enabled_tiers encoding_format error_code error_type eval_interval "
    "eval_samples evaluation_metric event event_type event_types execution finish_reason format function_call "
    "generate_summary group_by group_type harassment harassment/threatening hate hate/threatening illicit "
    "illicit/violent include input_audio_format input_fidelity interval learning_rate_multiplier level "
    "max_output_tokens max_response_output_tokens media_type memory_limit method modalities mode moderation "
    "moderation_stage n_epochs object operation order order_by outcome output_audio_format output_format "
    "output_modalities owner_project_access pause_reason personality phase processing_status prompt_cache_retention "
    "purpose quality quantity_unit ranker reason reasoning_effort require_approval residency response_format "
    "retention_type review role search_content_types search_context_size seconds self-harm self-harm/instructions "
    "self-harm/intent service_tier sexual sexual/minors sip_media_security size sizes skip_reason source_event_type "
    "sources status stop_reason stream_format style syntax task_type timestamp_granularities tool_choice tracing "
    "truncation ttl type user_type validation_state variant verbosity violence violence/graphic voice".split()
)
"""Members of a type `Literal[...]` in the SDK. A value that does not look enumerated is free text even there."""

_SOMETIMES_ENUMERATED = {
    name: frozenset(values.split())
    for name, values in {
        "action": "auto cancel edit followup_task generate interrupt_agent list_agents removed send_message "
        "spawn_agent submit wait_agent",
        "context": "all_turns auto current_turn",
        "conversation": "auto none",
        "default": "fast scale standard",
        "environment": "browser linux ubuntu windows",
        "filter": "cancelled completed failed in_progress",
        "name": "requests tokens",
        "normalize": "cwd dates hashes tmp_path tool_call_ids uuids",
        "source": "connector_publish role_connector_update role_delete role_toggle workspace_permissions",
        "summary": "auto concise detailed",
        "target": "client decisions responses",
        "task": "transcribe",
    }.items()
}
"""Members that are enumerated in some objects and free text in others -> their enumerated values.

`normalize` belongs to a recording's request; its values are the built-in normalizers.
"""

_LOOKS_ENUMERATED = re.compile(r"(?=.{1,100}\Z)(?!.*\d{5})(?=.*[A-Za-z])(?:[/a-z0-9][a-z0-9_.:=/*\[\]-]*|[A-Z][A-Z_]*)")
_LOOKS_LIKE_A_MEMBER = re.compile(r"_{0,2}[a-z](?:[a-z_./-]|\d{1,3}(?!\d))*")

ENCODED = frozenset({"b64_json", "embedding", "encrypted_content", "partial_image_b64", "__type__"})
"""Members whose values are encoded, or written by the recorder: a match in them is not a secret but chance."""

_SETTINGS = frozenset(
    "best_of dimensions frequency_penalty logprobs max_completion_tokens max_num_results max_output_tokens "
    "max_prompt_tokens max_tokens max_tool_calls n output_compression partial_images presence_penalty seed "
    "score_threshold speed temperature threshold top_logprobs top_p".split()
)
"""Arguments that are numbers of the API. Requests that differ in one have different answers."""

_STRING = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"(?P<after>\s*:)?')

_PATH = re.compile(
    r"(?<=/)(?:v1|assistants|audio|batches|chat|completions|containers|content|conversations|count_tokens|embeddings|"
    r"evals|fine_tuning|files|generations|images|items|jobs|messages|models|moderations|realtime|responses|runs|sessions|"
    r"speech|threads|transcriptions|translations|uploads|vector_stores|videos)(?=/|\Z)"
)
"""Segments of a path that the API prescribes."""


def is_member(name: str) -> bool:
    """Return whether a name outside of free JSON may be that of a member of one of the SDK's objects."""
    return _LOOKS_LIKE_A_MEMBER.fullmatch(name) is not None


def is_tool_input(holder: Mapping[str, object], name: str) -> bool:
    """Return whether a member is the input of a tool call in Anthropic's form: free JSON, and no text that holds it."""
    kind = holder.get("type")
    return name == "input" and isinstance(kind, str) and kind.endswith("tool_use")


def is_enumerated(name: str, value: str) -> bool:
    """Return whether the API prescribes this value of a member, outside of free JSON."""
    if name in ENCODED or value in _SOMETIMES_ENUMERATED.get(name, ()):
        return True
    return name in _ENUMERATED and _LOOKS_ENUMERATED.fullmatch(value) is not None


def prescribed_in_path(path: str) -> list[tuple[int, int]]:
    """Return the spans of a path or url that the API prescribes."""
    return [match.span() for match in _PATH.finditer(path)]


def member_names_in(text: str) -> list[tuple[int, int]]:
    """Return the spans of the members' names in a text that is JSON; [] for any other text."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return []
    names = [match for match in _STRING.finditer(text) if match["after"] is not None]
    return [match.span("text") for match in names if is_member(match["text"])]


def prescribed_in_file(text: str) -> list[tuple[int, int]]:
    """Return the spans of a recording's text that the API prescribes. Free JSON is not recognized."""
    spans, name = [], ""
    for match in _STRING.finditer(text):
        string, is_name = match["text"], match["after"] is not None
        if is_member(string) if is_name else is_enumerated(name, string):
            spans.append(match.span("text"))
        name = string if is_name else name  # items of a list have the name of the list
    return spans


def lies_in(spans: list[tuple[int, int]], start: int, end: int) -> bool:
    """Return whether one of the sorted spans contains the span from `start` to `end`."""
    before = bisect_right(spans, start, key=itemgetter(0)) - 1
    return before >= 0 and end <= spans[before][1]


def is_setting(name: str) -> bool:
    """Return whether a number in a request is a setting of the API's."""
    return name in _SETTINGS


def is_count(name: str) -> bool:
    """Return whether a number in an answer is one of the API's: a time, a count, an index, a probability.

    This is read from the types of the imported SDKs. No key depends on it: it is used only while recording, for a
    number that matches a secret.
    """
    roots = [f"{sdk.package}.types" for sdk in SDKS if sdk.package in sys.modules]
    return any(name in _counts(root, len(_modules_of_types(root))) for root in roots)


def _modules_of_types(root: str) -> list[ModuleType]:
    return [module for name, module in list(sys.modules.items()) if name.startswith(root)]


@lru_cache(maxsize=16)
def _counts(root: str, number_of_modules: int) -> frozenset[str]:
    """Return the members that are a number in some imported type of an SDK and a text in none."""
    numbers, texts = set(_SETTINGS), set()
    for kind in [
        kind for module in _modules_of_types(root) for kind in vars(module).values() if isinstance(kind, type)
    ]:
        fields = getattr(kind, "model_fields", vars(kind).get("__fields__"))  # "__fields__" in pydantic 1
        for name, field in fields.items() if isinstance(fields, dict) else ():
            scalars = set(_scalars(field.annotation))
            if not scalars.isdisjoint((int, float)):
                numbers.add(field.alias or name)
            elif str in scalars:
                texts.add(field.alias or name)
    return frozenset(numbers - texts)


def _scalars(annotation: object) -> Iterator[object]:
    """Yield the types that an annotation consists of, without those in a Literal or a dict."""
    if get_origin(annotation) in (Literal, dict):
        return
    arguments = get_args(annotation)
    for argument in arguments:
        yield from _scalars(argument)
    if not arguments:
        yield annotation
