"""The fixture `inference_session`, and what it can be asked."""

from __future__ import annotations

from .conftest import Suite


def test_it_has_the_requests_and_the_usage(suite: Suite) -> None:
    """Tests of agents assert on prompts and on budgets."""
    suite.write(
        "test_it.py",
        """
        import openai, os
        from inference_recorder import Usage

        def test_it(inference_session):
            messages = [{"role": "user", "content": "Hi"}]
            with openai.OpenAI(base_url=os.environ["SERVER"], api_key="x") as client:
                client.chat.completions.create(model="gpt-4o", messages=messages)
                messages.append({"role": "user", "content": "And?"})
                list(client.chat.completions.create(model="gpt-4o", messages=messages, stream=True))
                list(client.responses.create(model="gpt-5", input="Hi", stream=True))
                client.embeddings.create(model="small", input="Hi")
                client.chat.completions.with_raw_response.create(model="raw", messages=messages)
            requests, outcome = inference_session.requests, inference_session.replayed + inference_session.recorded

            assert [1, 2, 2] == [len(r.body["messages"]) for r in requests if "messages" in r.body]
            assert ["gpt-4o", "gpt-4o", "gpt-5", "small", "raw"] == [r.model for r in requests]
            assert ["/v1/responses"] == [r.endpoint for r in requests if r.model == "gpt-5"]
            usage = {"gpt-4o": Usage(18, 6), "gpt-5": Usage(9, 3), "small": Usage(2, 0), "raw": Usage(9, 3)}
            assert usage == inference_session.usage
            assert all(os.path.exists(call.path) and call.started > 1.6e9 for call in outcome)
            if inference_session.recorded:
                stream = inference_session.recorded[1]
                assert 0 < stream.chunk_seconds[0] <= stream.chunk_seconds[-1] <= stream.seconds
                assert 6 == len(stream.chunk_seconds)
            else:
                assert {0.0} == {call.seconds for call in outcome}
        """,
    )

    suite.run("--inference-mode=record").assert_outcomes(passed=1)
    suite.run().assert_outcomes(passed=1)


def test_it_is_the_markers_session(suite: Suite) -> None:
    """Two sessions in one test would each see half."""
    suite.write(
        "test_it.py",
        """
        @pytest.fixture
        def before(): ask()

        @pytest.mark.inference_recording("record", test_id="mine")
        def test_it(before, inference_session):
            assert "mine" == inference_session.recorded[0].test_id
        """,
    )

    suite.run().assert_outcomes(passed=1)


def test_it_is_open_before_all_other_fixtures_of_its_test(suite: Suite) -> None:
    """Otherwise the order of arguments would decide what is recorded; requested by name, it opens at that moment."""
    suite.write(
        "test_it.py",
        """
        @pytest.fixture
        def agent(): ask()

        def test_last(agent, inference_session):
            assert {"recorded": 1} == inference_session.counts

        def test_by_name(request):
            session = request.getfixturevalue("inference_session")
            ask()
            assert {"recorded": 1} == session.counts
        """,
    )

    suite.run("--inference-mode=record").assert_outcomes(passed=2)
