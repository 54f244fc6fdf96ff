"""Which recording is the nearest, and why it does not answer."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from inference_recorder.diagnosis import index as index_module
from inference_recorder.diagnosis.index import Index, index_of
from inference_recorder.diagnosis.nearest import explanation_of
from inference_recorder.explanation import Difference, Explanation, lines_of
from inference_recorder.request.keys import EXACT, FOLDING, KeyVersion
from inference_recorder.request.normalizers import Normalizers

from ...support.secret_table import SECRETS
from .directories import TEST, asks, explain, put, question

OTHER = "tests/test_b.py::test_other"


def paths(explanation: Explanation) -> list[str]:
    assert explanation.nearest is not None
    return [difference.path for difference in explanation.nearest.differences]


def test_a_recording_of_the_same_test_comes_nearest(recordings: Path) -> None:
    """The usual miss: somebody changed the prompt of this test, and another test asks something alike."""
    own = put(recordings, asks("Translate to French.", "Good morning."))
    put(recordings, asks("Be brief.", "Say hello to them all."), OTHER)
    explanation = explain(recordings, question(asks("Be brief.", "Say hello to them.")))

    assert explanation.nearest is not None
    nearest = explanation.nearest
    assert (own, "other request", TEST) == (nearest.path, nearest.reason, nearest.test_id)
    assert ["$.messages[0].content", "$.messages[1].content"] == paths(explanation)


def test_of_the_calls_of_one_test_the_most_similar_is_shown(recordings: Path) -> None:
    """An agent's test makes ten calls; the difference to its first says nothing about its third."""
    turns = ["Be brief.", "Which planet is this?", "Earth.", "How many moons has it?"]
    put(recordings, asks(*turns[:2]))
    third = put(recordings, asks(*turns))
    explanation = explain(recordings, question(asks(*turns[:3], "How many suns has it?")))

    assert explanation.nearest is not None
    assert third == explanation.nearest.path
    assert ["$.messages[3].content"] == paths(explanation)


def test_of_those_about_as_similar_the_one_with_the_fewest_differences_is_shown(recordings: Path) -> None:
    """The same words in another order are another prompt; six words more are the same one, continued."""
    words = [f"word{number}" for number in range(20)]
    put(recordings, asks(" ".join([words[0], *words[-2:0:-1], words[-1]]), n=2, top_p=1))
    continued = put(recordings, asks(" ".join([*words, "one two three four five six"]), n=1, top_p=2))
    explanation = explain(recordings, question(asks(" ".join(words), n=1, top_p=2)))

    assert explanation.nearest is not None
    assert continued == explanation.nearest.path


@pytest.mark.parametrize("also", [{}, {"endpoint": "/v1/responses"}], ids=["same endpoint", "own call elsewhere"])
def test_without_one_of_the_test_the_same_model_comes_before_another(recordings: Path, also: dict[str, str]) -> None:
    """A new test is often written after an old one."""
    put(recordings, asks("Say hello to them.", model="o3"), OTHER)
    near = put(recordings, asks("Say goodbye."), OTHER)
    if also:
        put(recordings, asks("Say hello to them."), **also)
    explanation = explain(recordings, question(asks("Say hello to them.")))

    assert explanation.nearest is not None
    assert near == explanation.nearest.path
    assert ["test_id", "$.messages[0].content"] == paths(explanation)


def test_another_model_is_named_when_that_is_all_there_is(recordings: Path) -> None:
    """Changing the model in one place misses every recording."""
    put(recordings, asks("Say hello.", model="o3"))
    explanation = explain(recordings, question(asks("Say hello.")))

    assert ["$.model"] == paths(explanation)


def test_another_endpoint_is_named_when_the_test_has_no_other(recordings: Path) -> None:
    """Moving from chat completions to responses is one difference, beside those of the body."""
    put(recordings, {"model": "gpt-4o", "input": "Say hello."}, endpoint="/v1/responses")
    put(recordings, {"model": "gpt-4o", "input": "Say hello."}, OTHER, endpoint="/v1/responses")
    explanation = explain(recordings, question(asks("Say hello.")))

    assert ["endpoint", "$.messages", "$.input"] == paths(explanation)


def test_another_http_method_is_named(recordings: Path) -> None:
    """The same path lists with GET and creates with POST."""
    put(recordings, {"model": "m"}, endpoint="/v1/batches")
    asked = question({"model": "m"}, endpoint="/v1/batches")
    explanation = explain(recordings, asked._replace(request=asked.request._replace(method="GET")))

    assert ["method"] == paths(explanation)


def test_a_renamed_test_is_recognised(recordings: Path) -> None:
    """Renaming a test used to cost a new recording of all its calls."""
    put(recordings, asks("Say hello."), "tests/test_c.py::test_hi")
    put(recordings, asks("Say hello."), "tests/old/test_a.py::test_greeting")
    explanation = explain(recordings, question(asks("Say hello.")))
    text = list(lines_of(explanation, TEST, recordings))

    assert "tests/old/test_a.py::test_greeting" == explanation.renamed_from
    assert ("tests/old/test_a.py::test_greeting", "tests/test_c.py::test_hi") == explanation.recorded_for
    assert (
        "recorded for tests/old/test_a.py::test_greeting: was this test renamed? Then give it its recordings:" in text
    )
    assert f"  inference-recorder rename-test tests/old/test_a.py::test_greeting {TEST} {recordings}" in text


def test_a_test_id_is_quoted_for_the_shell(recordings: Path) -> None:
    """The ids of parametrised tests hold brackets, spaces and quotes."""
    old, new = "t.py::test_old[a b]", "t.py::test_new[it's]"
    put(recordings, asks("Say hello."), old)
    lines = [line.strip() for line in lines_of(explain(recordings, question(asks("Say hello."), new)), new, recordings)]
    (command,) = (line for line in lines if line.startswith("inference-recorder"))

    assert ["inference-recorder", "rename-test", old, new, str(recordings)] == shlex.split(command)


def test_a_test_with_recordings_of_its_own_was_not_renamed(recordings: Path) -> None:
    """Many tests say hello; to take another's recordings away from it would break that one."""
    put(recordings, asks("Say goodbye."))
    put(recordings, asks("Say hello."), OTHER)
    put(recordings, {"model": "m", "input": "a"}, "t.py::embeds", endpoint="/v1/embeddings")
    explanation = explain(recordings, question(asks("Say hello.")))
    embeds = explain(recordings, question(asks("Say hello."), "t.py::embeds"))

    assert [None, None] == [explanation.renamed_from, embeds.renamed_from]
    assert (OTHER,) == explanation.recorded_for == embeds.recorded_for
    assert ["$.messages[0].content"] == paths(explanation)
    assert ["test_id"] == paths(embeds)
    assert f"  {OTHER}" in list(lines_of(explanation, TEST, recordings))


def test_the_same_request_from_outside_a_test_is_found_to_be_that(recordings: Path) -> None:
    """Tried in a script first, then put into a test: there is no id to rename."""
    put(recordings, asks("Say hello."), None)
    explanation = explain(recordings, question(asks("Say hello.")))

    assert (None, (None,)) == (explanation.renamed_from, explanation.recorded_for)
    assert any("outside of one" in line for line in lines_of(explanation, TEST, recordings))


def test_another_base_path_is_reported(recordings: Path) -> None:
    """A gateway's url in front of the API is part of the key, and nobody expects it."""
    put(recordings, asks("Say hello."), base_url="https://gateway/openai/v1")
    put(recordings, asks("Say hello."), OTHER, base_url="https://gateway/openai/v1")
    explanation = explain(recordings, question(asks("Say hello.")))

    assert explanation.nearest is not None
    assert "other url" == explanation.nearest.reason
    url = Difference("url", "/openai/v1/v1/chat/completions", "/v1/v1/chat/completions")
    assert (url,) == explanation.nearest.differences
    assert () == explanation.recorded_for  # renaming would not help


def test_another_set_of_normalizers_is_reported(recordings: Path) -> None:
    """The request is the same under the rules declared now, so that nothing else would explain the miss."""
    put(recordings, asks("On 2026-11-23."), name="a" * 64)
    put(recordings, asks("On 2026-11-23."), "t.py::under_a_rule", normalize=["dates"], name="b" * 64)
    rules = Normalizers(["dates"])
    asked = question(asks("On __DATE__."))._replace(normalizers=rules)
    other = explain(recordings, asked)
    same = explain(recordings, asked._replace(test_id="t.py::under_a_rule"))

    assert other.nearest is not None
    assert same.nearest is not None
    assert "other normalizers" == other.nearest.reason
    assert (Difference("normalize", None, ["dates"]),) == other.nearest.differences
    assert "other name" == same.nearest.reason


@pytest.mark.parametrize(
    ("position", "recorded_places", "reason"),
    [(3, (1, 2), "used up"), (1, (2,), "gap"), (1, (), None)],
    ids=["asked once too often", "the first was deleted", "none"],
)
def test_what_a_series_has_to_do_with_it(
    recordings: Path, position: int, recorded_places: tuple[int, ...], reason: str | None
) -> None:
    """The request is the same to the last byte; what is missing is this answer to it."""
    asked = question(asks("Say hello."), position=position)
    for number in recorded_places:
        put(recordings, asks("Say hello."), name=asked.key if number == 1 else f"{asked.key}.{number}")
    nearest = explain(recordings, asked).nearest

    assert reason == (None if nearest is None else nearest.reason)


def test_a_file_under_another_name_is_reported(recordings: Path) -> None:
    """A recording copied under a name that says more to people is not found by any look-up."""
    put(recordings, asks("Say hello."), name="hello")
    nearest = explain(recordings, question(asks("Say hello."))).nearest

    assert nearest is not None
    assert ("other name", ()) == (nearest.reason, nearest.differences)


@pytest.mark.parametrize("version", [EXACT, FOLDING[0]], ids=["ours", "llama-stack's"])
def test_what_a_key_does_not_see_is_not_a_difference(version: KeyVersion, recordings: Path) -> None:
    """A score is why the exact key missed; under llama-stack's keys, pointing at it would send people the wrong way."""
    put(recordings, asks("score: 0.91234", "Hello.", temperature=0.1234567))
    asked = question(asks("score: 0.5", "Hi.", temperature=0.1234561))._replace(version=version)
    explanation = explain(recordings, asked)

    hidden = [] if version is FOLDING[0] else ["$.messages[0].content", "$.temperature"]
    assert sorted([*hidden, "$.messages[1].content"]) == sorted(paths(explanation))


def test_the_difference_shows_what_was_requested(recordings: Path) -> None:
    """llama-stack's keys round numbers and take a zero from order 007; nobody finds such a text in a prompt."""
    put(recordings, asks("Order 007.12345: score: 3", extra_body={"project_id": "a"}))
    asked = question(asks("Order 008.12345: score: 5", extra_body={"project_id": "b"}))._replace(version=FOLDING[0])
    explanation = explain(recordings, asked)

    assert explanation.nearest is not None
    [difference] = explanation.nearest.differences
    assert ("Order 007.12345: score: 3", "Order 008.12345: score: 5") == (difference.recorded, difference.asked)


def test_the_nearest_recording_differs_by_what_folding_hides(recordings: Path) -> None:
    """The advice must not be that of an equal request, such as to record the test again for one answer more."""
    put(recordings, asks("score: 1"))
    explanation = explain(recordings, question(asks("score: 5")))

    assert explanation.nearest is not None
    assert ("other request", ["$.messages[0].content"]) == (explanation.nearest.reason, paths(explanation))


def test_a_list_of_models_is_its_tests_like_any_request(recordings: Path) -> None:
    """A test that expects a failure must not get another test's list."""
    put(recordings, {}, OTHER, endpoint="/v1/models", base_url="https://gateway/openai/v1", name="models-a-b")
    explanation = explain(recordings, question({}, endpoint="/v1/models", base_url="https://api.openai.com/v1"))

    assert ["url", "test_id"] == paths(explanation)


def test_what_is_shown_of_a_recording_is_redacted_first(recordings: Path) -> None:
    """An old recording may hold the secret that the session by now keeps out of the request."""
    put(recordings, asks(f"The key is {SECRETS[0].one}."))
    explanation = explain(recordings, question(asks("The key is __REDACTED__. Again.")))

    assert explanation.nearest is not None
    (difference,) = explanation.nearest.differences
    assert ("The key is __REDACTED__.", "The key is __REDACTED__. Again.") == (difference.recorded, difference.asked)


@pytest.mark.parametrize("recorded", [SECRETS[0].one, "__REDACTED_1__"], ids=["recorded with it", "recorded without"])
def test_a_secret_is_not_a_difference(recorded: str, recordings: Path) -> None:
    """Its placeholder has a number in the file and none in the key."""
    put(recordings, asks(f"The key is {recorded}."), OTHER)
    explanation = explain(recordings, question(asks("The key is __REDACTED__.")))

    assert explanation.nearest is not None
    assert "other test" == explanation.nearest.reason


HOSTILE = {
    "empty": b"",
    "no JSON": b"{\n  nothing",
    "a list": b"[]",
    "binary": bytes(range(256)),
    "nested too deep": b'{"request": ' + b"[" * 100_000,
    "deep within a body": b'{"request": {"endpoint": "/v1/chat/completions", "body": {"messages": '
    + b"[" * 900
    + b"]" * 900
    + b"}}}",
    "a body of another kind": b'{"request": {"endpoint": "/v1/chat/completions", "body": [1]}}',
    "parts of other kinds": b'{"test_id": 3, "request": {"endpoint": "/v1/chat/completions", "method": 1, "url": [], '
    b'"normalize": 7, "body": {"model": {}, "messages": 5}}}',
    "an invalid url": b'{"request": {"endpoint": "/v1/chat/completions", "url": "http://[", "body": {"a": 1}}}',
    "a request of another kind": b'{"request": 5}',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_that_is_not_a_recording_does_not_break_the_explanation(content: bytes, recordings: Path) -> None:
    """The miss is what the caller has to hear of."""
    near = put(recordings, asks("Say goodbye."))
    for number in range(3):
        (recordings / f"{number}{'a' * 63}.json").write_bytes(content)
    explanation = explain(recordings, question(asks("Say hello.")))

    assert explanation.nearest is not None
    assert near == explanation.nearest.path
    assert all(line for line in lines_of(explanation, TEST, recordings))


def test_a_hostile_file_alone_does_not_break_it_either(recordings: Path) -> None:
    """Then it is what comes nearest, or nothing is."""
    recordings.mkdir()
    for number, content in enumerate(HOSTILE.values()):
        (recordings / f"{number}.json").write_bytes(content)
    lines = list(lines_of(explain(recordings, question(asks("Say hello."), None)), None, recordings))

    assert "files there cannot be read: inference-recorder check says why" in lines[-1]


def test_an_empty_directory_is_found_to_be_empty(recordings: Path) -> None:
    """The commonest first miss of all."""
    assert ("there are no recordings there yet",) == explain(recordings, question(asks("Say hello."))).remarks


def test_a_directory_without_this_endpoint_is_reported(recordings: Path) -> None:
    """A wrong folder looks like this."""
    put(recordings, {"model": "m", "input": "a"}, OTHER, endpoint="/v1/embeddings")
    explanation = explain(recordings, question(asks("Say hello.")))

    assert ("none of the 1 recordings there is of /v1/chat/completions",) == explanation.remarks


def test_a_directory_that_is_too_large_is_read_in_part(recordings: Path) -> None:
    """A hundred thousand recordings must not make a miss take minutes; the miss names what was not read."""
    for number in range(5):
        put(recordings, asks(f"Number {number}."), OTHER)
    put(recordings, asks("Say hello."), OTHER, name="0" * 64)
    explanation = explanation_of(question(asks("Say hello.")), Index([recordings], most_characters=1))

    advice = "`inference-recorder explain --request FILE` compares a request given as JSON with all of them"
    assert (f"compared with only 1 of the 6 recordings; {advice}",) == explanation.remarks
    assert (OTHER,) == explanation.recorded_for
    assert explanation.renamed_from is None  # this test's own may be among those that were not read


def test_five_differences_are_shown_and_the_rest_counted(recordings: Path) -> None:
    """An error fills no screen."""
    put(recordings, asks("Say hello.", **{f"extra_{number}": 1 for number in range(8)}))
    explanation = explain(recordings, question(asks("Say hello.", **{f"extra_{number}": 2 for number in range(8)})))
    text = list(lines_of(explanation, TEST, recordings))

    assert 8 == len(paths(explanation))
    assert 5 == sum(line.startswith("  $.extra_") for line in text)
    assert "  and 3 more" == text[-1]


def test_a_directory_is_read_once_until_it_changes(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hundred misses of a suite must not read three thousand files five hundred times."""
    put(recordings, asks("Say hello."))
    os.utime(recordings, (1, 1))  # long settled
    first, second = index_of([recordings]), index_of([recordings])
    put(recordings, asks("Say goodbye."))
    third, fourth = index_of([recordings]), index_of([recordings])

    assert first is second
    assert [1, 2, 2] == [one.read for one in (first, third, fourth)]
    assert third is not fourth  # changed a moment ago: a further change may leave the same time


def test_only_a_few_directories_are_kept(tmp_path: Path) -> None:
    """A suite with a folder beside each test file would keep them all in memory."""
    for number in range(9):
        directory = tmp_path / str(number)
        put(directory, asks("Say hello."))
        os.utime(directory, (1, 1))
        index_of([directory])

    assert 4 >= len(index_module._kept)
