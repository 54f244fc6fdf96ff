"""What the table says of the SDK's types, compared with the types of the SDK that is installed."""

# ruff: noqa: SIM905 - a list would have a line for each word
from __future__ import annotations

import json
import subprocess
import sys
import time
import timeit
from functools import partial
from typing import Any

import pytest

from inference_recorder.api_schema import FREE, is_count, is_enumerated, is_member, prescribed_in_file
from inference_recorder.redaction.numbers import bare_numbers, numbers_restored

_PROGRAM = r"""
import importlib, inspect, json, pkgutil, sys, typing
import openai, openai.types
from typing_extensions import Annotated, Literal, get_args, get_origin, get_type_hints, is_typeddict
for module in pkgutil.walk_packages(openai.types.__path__, "openai.types."):
    importlib.import_module(module.name)

def flat(one):
    if get_origin(one) in (Literal, dict) or not get_args(one):
        yield one
    elif get_origin(one) is Annotated:
        yield from flat(get_args(one)[0])
    else:
        for below in get_args(one):
            yield from flat(below)

literals, names, free, numbers, texts = {}, set(), set(), set(), set()
for name, module in list(sys.modules.items()):
    if not name.startswith("openai.types"):
        continue
    for kind in list(vars(module).values()):
        if inspect.isclass(kind) and issubclass(kind, openai.BaseModel):
            fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
        elif is_typeddict(kind):
            try:
                fields = get_type_hints(kind)
            except (NameError, TypeError):
                continue
        else:
            continue
        for name, annotation in fields.items():
            names.add(name)
            for one in flat(annotation):
                if get_origin(one) is Literal:
                    literals.setdefault(name, set()).update(v for v in get_args(one) if isinstance(v, str))
                elif get_origin(one) is dict:
                    free.add(name)
                elif one in (int, float) and issubclass(kind, dict) is False:
                    numbers.add(name)
print(json.dumps([{name: sorted(values) for name, values in literals.items()}, sorted(names), sorted(free),
                  sorted(numbers)]))
"""

_WRITTEN_BY_PEOPLE = frozenset({"model", "endpoint"})
"""The SDK's values are some of those that a server may have; and paths, which are looked at by their parts."""
_SHORTER_THAN_A_SECRET = 4
_OF_THE_API = frozenset(
    # Of an eval alone, and objects of the SDK elsewhere.
    "item sample "
    # Of counts by category, by model or by kind, and of files in the form of HTTP: no names that callers choose.
    "audio_sample categories category_applied_input_types category_scores created_by_user_obj data event file files "
    "image input_reference mask markup model_grader_token_usage_per_model otlp recording scores sub_rewards tools "
    "top_logprobs video extra_headers".split()
)


@pytest.fixture(scope="module")
def of_the_sdk() -> Any:
    """Return the members with enumerated values, all members, those that are free JSON, and the numbers."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", _PROGRAM], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_table_has_each_enumerated_value_of_the_sdk(of_the_sdk: Any) -> None:
    """One that it lacks is taken for a text, and a secret that happens to be in it destroys the answer."""
    literals = of_the_sdk[0]

    missed = {
        (name, value)
        for name, values in literals.items()
        for value in values
        if name not in _WRITTEN_BY_PEOPLE
        and len(value) >= _SHORTER_THAN_A_SECRET
        and any(map(str.isalpha, value))
        and not is_enumerated(name, value)
    }

    assert set() == missed


@pytest.mark.slow
def test_each_member_of_the_sdks_objects_is_one(of_the_sdk: Any) -> None:
    """One that is not loses its name to a secret."""
    assert [] == [name for name in of_the_sdk[1] if not is_member(name)]


@pytest.mark.slow
def test_each_member_with_names_of_the_callers_is_free(of_the_sdk: Any) -> None:
    """A secret that is a name in one that is not stays in the file."""
    assert set() == set(of_the_sdk[2]) - FREE - _OF_THE_API


@pytest.mark.parametrize("name", ["created", "total_tokens", "index", "logprob", "embedding"])
def test_a_number_of_the_sdks_own_is_a_count(name: str) -> None:
    """It is read from the types of the answers that this process has seen."""
    import openai.types.chat
    import openai.types.responses  # noqa: F401

    assert is_count(name)
    assert not is_count("customer")
    assert not is_count("id")


@pytest.mark.slow
def test_a_number_of_another_sdks_own_is_a_count() -> None:
    """A declared number that equals the size of a cache must not take it from the answer."""
    pytest.importorskip("anthropic.types")
    pytest.importorskip("groq.types")

    assert all(map(is_count, ["cache_read_input_tokens", "queue_time", "embedding"]))
    assert not is_count("customer")


@pytest.mark.parametrize("value", ["end_turn", "tool_use", "model_context_window_exceeded"])
def test_why_a_message_ended_is_enumerated(value: str) -> None:
    """A tool loop that reads it would end."""
    assert is_enumerated("stop_reason", value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("role", "Bert Brown"),
        ("status", "123456789012"),
        ("name", "assistant"),
        ("content", "stop"),
        ("summary", "rumpelstiltskin"),
        ("type", "customer-123456"),
    ],
)
def test_what_people_write_is_not_enumerated(name: str, value: str) -> None:
    """A server that puts a text where the SDK has a few values gives it to the file."""
    assert not is_enumerated(name, value)


@pytest.mark.parametrize("name", ["Bert Brown", "customer-123456789012", "123456", "$defs", "BertBrown"])
def test_what_people_write_is_not_a_member(name: str) -> None:
    """Such a name is looked through wherever it stands."""
    assert not is_member(name)


@pytest.mark.parametrize(
    "repeated", ["a", "a1", "\\", '"', '"a":', '"0', "__REDACTED_1N__", '"__REDACTED_1N__', "{", "9"]
)
def test_a_text_of_sixteen_times_the_length_takes_no_hundred_times_as_long(repeated: str) -> None:
    """A stranger's recording and answer are read too."""

    def read(text: str) -> None:
        is_member(text)
        is_enumerated("type", text)
        prescribed_in_file(text)
        bare_numbers(f'{{"a": "{text}"}}')
        numbers_restored(text.encode() + b"N__", lambda number: None)

    texts = [repeated * (size // len(repeated)) for size in (4_000, 64_000)]
    taken = [min(timeit.repeat(partial(read, text), timer=time.process_time, number=1, repeat=3)) for text in texts]

    assert taken[1] < 100 * taken[0] + 0.01
