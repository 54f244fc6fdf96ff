"""Ids that a kept recording has for new ones are known to the whole run, so that recording again gives no diff."""

from __future__ import annotations

import random

import pytest

from ..support.directories import contents_of
from ..support.openai_server import OpenAIServer, ReceivedRequest, Reply, error, response, response_events
from .conftest import Suite, line_of
from .noting import noted, write_tests

RECORD = "--inference-mode=record"

SUITE = """
    import openai, os

    client = openai.OpenAI(base_url=os.environ["SERVER"], api_key="x", max_retries=0)
    aclient = openai.AsyncOpenAI(base_url=os.environ["SERVER"], api_key="x", max_retries=0)

    def respond(text, previous=None):
        return client.responses.create(model="gpt-4o", input=text, previous_response_id=previous)

    @pytest.fixture(scope="session")
    def of_session(): return respond("session").id

    @pytest.fixture(scope="module")
    def of_module(of_session):
        with client.responses.create(
            model="gpt-4o", input="module", previous_response_id=of_session, stream=True
        ) as events:
            return [event for event in events][-1].response.id

    @inference_recording(scope="shared")
    def shared(): return respond("shared").id

    @pytest.mark.parametrize("number", range(4))
    def test_it(number, of_session, of_module):
        for previous in (of_session, of_module, shared()):
            answer = respond(f"about {number}", previous)
            note(answer.output_text, respond(f"then {number}", answer.id).output_text)

    @pytest.mark.asyncio
    async def test_async(of_module):
        answer = await aclient.responses.with_raw_response.create(
            model="gpt-4o", input="async", previous_response_id=of_module
        )
        note(answer.parse().output_text, client.responses.retrieve(of_module).output_text)
"""


def remembering(server: OpenAIServer) -> None:
    """Make a server remember the responses it has made, each under its own id, and refuse all others."""
    known: dict[str, str] = {}

    def respond(asked: ReceivedRequest, number: int) -> Reply:
        body, name = asked.json, random.randrange(10**8)
        previous = body.get("previous_response_id")
        if previous is not None and previous not in known:
            return error(404, f"no response {previous}")
        text = body["input"] if previous is None else f"{body['input']} after {known[previous]}"
        known[f"resp_{name:08d}"] = text
        if body.get("stream"):
            events = response_events(text, number=name)
            for event in events:
                event.update(
                    {"response": event["response"] | {"previous_response_id": previous}} if "response" in event else {}
                )
            return Reply(events=events, is_done_sent=False)
        return Reply(response(text, number=name, previous_response_id=previous))

    def retrieve(asked: ReceivedRequest, number: int) -> Reply:
        name = asked.path.rpartition("/")[2]
        return (
            Reply(response(known[name], number=int(name[5:]))) if name in known else error(404, f"no response {name}")
        )

    server.scripts["/v1/responses"] = respond
    server.elsewhere = retrieve


@pytest.fixture
def remembering_suite(suite: Suite) -> Suite:
    usual = suite.server.elsewhere
    remembering(suite.server)
    write_tests(suite, SUITE)
    yield suite
    suite.server.elsewhere = usual


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2, 4])
def test_recording_again_gives_no_diff(workers: int, remembering_suite: Suite) -> None:
    """The tests' answers were stored under ids that the fixture's kept file does not hold, and the files grew."""
    suite = remembering_suite
    suite.run_apart(RECORD, f"-n{workers}").assert_outcomes(passed=5)
    before, live = contents_of(suite.directory / "recordings"), noted(suite)
    asked = suite.server.count
    assert asked == len(suite.files()) == 3 + 4 * 6 + 2

    for again in (workers, 0, 2):
        suite.run_apart(RECORD, f"-n{again}").assert_outcomes(passed=5)
        assert before == contents_of(suite.directory / "recordings")
        assert live == noted(suite)
    assert 4 * asked == suite.server.count
    for arguments in (["-n0"], ["-n2"]):
        replayed = suite.run_apart(*arguments)
        replayed.assert_outcomes(passed=5)
        assert live == noted(suite)
        assert " 0 recorded, 0 missed, 0 live, 0 unused" in line_of(replayed, "recordings:")
    assert 4 * asked == suite.server.count


@pytest.mark.slow
def test_a_test_names_an_object_as_the_server_knows_it_now(remembering_suite: Suite) -> None:
    """A request that is answered from a kept file gets the new id, since only that one is known to the server."""
    suite = remembering_suite
    suite.run_apart(RECORD).assert_outcomes(passed=5)
    before = contents_of(suite.directory / "recordings")
    suite.server.scripts.clear()
    remembering(suite.server)  # one that has forgotten everything

    suite.run_apart(RECORD).assert_outcomes(passed=5)

    assert before == contents_of(suite.directory / "recordings")


@pytest.mark.slow
@pytest.mark.parametrize(
    "selection", [["-k", "test_it[1]"], ["-n2", "-k", "test_it"], ["test_it.py::test_async"]], ids=str
)
def test_recording_a_part_again_gives_no_diff(selection: list[str], remembering_suite: Suite) -> None:
    """The fixtures' kept answers name objects of an earlier run, and so do the requests of these tests."""
    suite = remembering_suite
    suite.run_apart(RECORD).assert_outcomes(passed=5)
    before, live = contents_of(suite.directory / "recordings"), noted(suite)

    assert pytest.ExitCode.OK == suite.run_apart(RECORD, *selection).ret

    assert before == contents_of(suite.directory / "recordings")
    noted(suite)
    suite.run_apart().assert_outcomes(passed=5)
    assert live == noted(suite)


CHAIN = """
    import openai, os

    client = openai.OpenAI(base_url=os.environ["SERVER"], api_key="x", max_retries=0)

    @pytest.fixture(scope="module")
    def wide(): return client.responses.create(model="gpt-4o", input="{name}: wide").id

    def test_{name}(wide):
        previous = {first}
        for text in ("one", "two", "three"):
            answer = client.responses.create(model="gpt-4o", input="{name}: " + text, previous_response_id=previous)
            previous = answer.id
            note(answer.output_text)
"""


def counting(server: OpenAIServer, *, by_test: bool) -> None:
    """Make a server count its responses from 0, all of them or separately by test, and refuse unknown ones."""
    made: dict[str, list[str]] = {}

    def respond(asked: ReceivedRequest, number: int) -> Reply:
        body = asked.json
        ids = made.setdefault(body["input"].partition(":")[0] if by_test else "", [])
        previous = body.get("previous_response_id")
        if previous is not None and previous not in ids:
            return error(404, f"no response {previous}")
        ids.append(f"resp_{len(ids):08d}")
        return Reply(response(f"{body['input']}!", number=len(ids) - 1, previous_response_id=previous))

    server.scripts["/v1/responses"] = respond


@pytest.mark.slow
def test_ids_that_other_tests_had_before_give_no_diff(suite: Suite) -> None:
    """In another order, a server that counts gives each test the ids that another's recordings hold."""
    for name in "abc":
        write_tests(suite, CHAIN.format(name=name, first="wide"), f"test_{name}.py")
    counting(suite.server, by_test=False)
    suite.run_apart(RECORD).assert_outcomes(passed=3)
    before, live = contents_of(suite.directory / "recordings"), noted(suite)

    for order in ("bca", "cab", "acb"):
        counting(suite.server, by_test=False)
        suite.run_apart(RECORD, *(f"test_{name}.py" for name in order)).assert_outcomes(passed=3)
        assert before == contents_of(suite.directory / "recordings")
        assert live == noted(suite)

    suite.run_apart().assert_outcomes(passed=3)
    assert live == noted(suite)


@pytest.mark.slow
def test_equal_ids_of_two_servers_are_distinguished(suite: Suite) -> None:
    """A test's own server counts from the start again: what its ids stand for is not what another test's do."""
    for name in "ab":
        write_tests(suite, CHAIN.format(name=name, first="wide"), f"test_{name}.py")
    counting(suite.server, by_test=True)
    suite.run_apart(RECORD).assert_outcomes(passed=2)
    before, live = contents_of(suite.directory / "recordings"), noted(suite)
    one_more = 'client.responses.create(model="gpt-4o", input="a: more").id and wide'
    write_tests(suite, CHAIN.format(name="a", first=one_more), "test_a.py")

    counting(suite.server, by_test=True)
    suite.run_apart(RECORD).assert_outcomes(passed=2)

    after = contents_of(suite.directory / "recordings")
    assert before.items() <= after.items()
    assert len(before) + 1 == len(after)
    assert live == noted(suite)
    suite.run_apart().assert_outcomes(passed=2)
    assert live == noted(suite)
