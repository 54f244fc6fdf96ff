"""The server in a thread: there while the block runs, gone without a trace afterwards."""

from __future__ import annotations

import asyncio
import logging
import socket
import statistics
import threading
import time
from http.client import HTTPConnection
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from inference_recorder.cli.demo.loopback import serve


async def hello(request):
    return PlainTextResponse("hello")


async def broken(request):
    raise ValueError("broken on purpose")


async def endless(request):
    async def lines():
        while True:
            yield "more\n"
            await asyncio.sleep(0.005)

    return StreamingResponse(lines())


APP = Starlette(routes=[Route("/hello", hello), Route("/broken", broken), Route("/endless", endless)])


@pytest.fixture
def started():
    """The threads that run now and did not before the test; other tests' servers may run all the while."""
    before = set(threading.enumerate())
    return lambda: set(threading.enumerate()) - before


def assert_refuses(url: str) -> None:
    address = urlsplit(url)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=5)


def test_it_answers_in_the_block_and_refuses_after_it(started):
    """The demo's replay rests on nobody listening any more."""
    with serve(APP) as url, urlopen(f"{url}/hello", timeout=5) as response:  # noqa: S310 - our own http url
        assert b"hello" == response.read()

    assert_refuses(url)
    assert set() == started()


def test_a_block_in_which_nothing_is_asked_stops_too(started):
    """Told to exit while it starts is another way out of uvicorn than told so later."""
    with serve(APP) as url:
        pass

    assert_refuses(url)
    assert set() == started()


def test_an_error_in_the_block_stops_it_and_comes_through(started):
    """Else a failing test leaves a server for the rest of the run."""
    with pytest.raises(LookupError, match="in the block"), serve(APP) as url:
        raise LookupError("in the block")

    assert_refuses(url)
    assert set() == started()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_cannot_start_is_an_error_at_once(monkeypatch, started):
    """Its socket listens already; the SDK would wait ten minutes for an answer."""

    async def startup(self, sockets=None):
        raise OSError("too many open files")

    monkeypatch.setattr(uvicorn.Server, "startup", startup)

    with pytest.raises(RuntimeError, match="ended before it had started"), serve(APP):
        pass

    assert started() == set()


def test_an_answer_under_way_does_not_keep_it_up(started):
    """A stream that is left early must not hang the command; leaked sockets are errors in this suite."""
    with serve(APP) as url:
        response = urlopen(f"{url}/endless", timeout=5)  # noqa: S310 - our own http url
        assert b"more\n" == response.readline()

    response.close()
    assert_refuses(url)
    assert set() == started()


def test_a_client_that_asks_again_is_answered_at_once():
    """Nagle's algorithm and delayed acknowledgements cost 40 ms an answer, which the demo showed as the API's time."""
    seconds = []
    with serve(APP) as url:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=5)
        for _ in range(20):
            started = time.perf_counter()
            connection.request("GET", "/hello")
            connection.getresponse().read()
            seconds.append(time.perf_counter() - started)
        connection.close()

    assert statistics.median(seconds) < 0.03


def test_two_run_at_once(started):
    """Tests run in parallel; a fixed port would not do."""
    with serve(APP) as one, serve(APP) as other:
        assert one != other
        assert 2 == len(started())


def test_an_error_in_the_application_is_a_500_and_writes_nothing(capfd, caplog):
    """The server shares its terminal with the demo's output."""
    caplog.set_level(logging.DEBUG)

    with serve(APP) as url, pytest.raises(HTTPError) as caught:
        urlopen(f"{url}/broken", timeout=5)  # noqa: S310 - our own http url
    caught.value.close()

    assert 500 == caught.value.code
    assert ("", "") == capfd.readouterr()
    assert [] == [record for record in caplog.records if record.name.startswith("uvicorn")]
