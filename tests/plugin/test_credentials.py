"""What a test run prints and writes shows no credential, whatever its options."""

from __future__ import annotations

import pytest

from ..sdk.test_redaction import assert_nowhere
from ..support.openai_server import ReceivedRequest, Reply, completion, error
from ..support.secret_table import made
from .conftest import Suite

KEY, TOKEN = made(40, "of a run"), made(40, "sent by a run")
CALL = """
    def call(text, **more):
        # Neither name nor place says that it is a key.
        client = openai.OpenAI(base_url=os.environ["SERVER"], api_key=os.environ["SHOWN"], max_retries=0)
        with client:
            return client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": text}], extra_headers=headers(), **more
            )

    def headers():
        return {"x-token": os.environ["GIVEN"]}
"""


def test_no_traceback_and_no_assertion_shows_a_credential(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """CI logs are public; `Request` was a tuple with the client's key in it."""
    monkeypatch.setenv("SHOWN", KEY)
    monkeypatch.setenv("GIVEN", TOKEN)
    suite.write(
        "test_it.py",
        f"""
    import os
    import openai
    {CALL}

    def test_miss(inference_session):
        call("Say something new.")

    def test_streamed_miss(inference_session):
        call("Say something new.", stream=True)

    def test_assertion():
        with inference_recording("record", "elsewhere") as session:
            call("Say hello.")
            assert () == session.requests, vars(session)
    """,
    )

    result = suite.run("--full-trace", "-l", "-vv")

    result.assert_outcomes(failed=3)
    assert KEY not in result.stdout.str()
    assert TOKEN not in result.stdout.str()


def test_the_recordings_of_a_failing_test_hold_no_credentials(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server repeats what it was sent: in an answer, in a 401, and in the request of the second turn."""

    def repeat(asked: ReceivedRequest, number: int) -> Reply:
        token = asked.headers["x-token"]
        return error(401, f"Wrong: {token}") if number else Reply(completion(f"It is {token}."))

    suite.server.scripts["/v1/chat/completions"] = repeat
    monkeypatch.setenv("SHOWN", KEY)
    monkeypatch.setenv("GIVEN", TOKEN)
    suite.write(
        "test_it.py",
        f"""
    import os
    import openai
    {CALL}

    def test_it(inference_session):
        text = call("What is it?").choices[0].message.content
        try:
            call(text)
        except openai.AuthenticationError:
            pass
        assert False
    """,
    )

    suite.configure("record_errors = true")

    result = suite.run("--inference-mode=record", "--inference-report=page.html")

    result.assert_outcomes(failed=1)
    assert 2 == len(suite.files("recordings/.failed"))
    assert_nowhere(TOKEN, suite.directory / "recordings")
    assert TOKEN not in (suite.directory / "page.html").read_text()
    assert TOKEN not in result.stdout.str()
