"""Programs that the tests of a user's suite start, and what is written and read for them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

# Imported here for the same reason as what conftest.py imports.
import inference_recorder.server.running  # noqa: F401

if TYPE_CHECKING:
    from .conftest import Suite

RECORD = "--inference-mode=record"
PATH = "/v1/chat/completions"
PROGRAMS = '''
    """Programs that make calls without Python's patches, and one that makes them with the SDK."""

    import json, os, subprocess, sys, urllib.error, urllib.request

    ASK = """if True:
        import json, os, sys, urllib.error, urllib.request
        def ask(text, url=os.environ["OPENAI_BASE_URL"], headers={}, **more):
            body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]} | more
            headers = {"content-type": "application/json", "authorization": "Bearer sk-child"} | headers
            request = urllib.request.Request(url + "/chat/completions", json.dumps(body).encode(), headers)
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    answer = response.read().decode()
            except urllib.error.HTTPError as error:
                return f"{error.code} {error.read().decode()}"
            return answer if more else json.loads(answer)["choices"][0]["message"]["content"]
    """
    SDK = """if True:
        import openai, os
        def ask(text, key=os.environ.get("OPENAI_API_KEY", "sk-child")):
            http = openai.DefaultHttpxClient(verify=False)
            with openai.OpenAI(api_key=key, max_retries=0, http_client=http) as client:
                messages = [{"role": "user", "content": text}]
                return client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content
    """

    def program(statements, env, code=ASK):
        """Run a program and return what it prints."""
        command = [sys.executable, "-c", f"{code}\\n{statements}"]
        return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def say(text, env, code=ASK, **more):
        """Ask for an answer in a program."""
        return program(f"print(ask({text!r}, **{more!r}))" if more else f"print(ask({text!r}))", env, code)
'''


def write(suite: Suite, text: str, name: str = "test_it.py") -> None:
    """Write a test file that can start programs."""
    suite.write(name, f"from programs import *\n{textwrap.dedent(text)}")


def texts(suite: Suite) -> list[str]:
    """Return the texts of the recorded answers in order."""
    bodies = [recording["response"]["body"] for recording in suite.recordings()]
    return sorted(body["__data__"]["choices"][0]["message"]["content"] for body in bodies)
