"""Clients that need no key, since nothing is sent.

Any client made in a replaying session needs none. In a pytest run that may replay, one made in a session that records
only what is missing, or outside of sessions, needs none either: modules make clients when they are imported.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from traceback import walk_tb
from types import TracebackType
from typing import Any, NoReturn

from ..engine.test_run import current_test_run
from ..modes import InferenceMode
from ..packages import OPENAI, SDKS, sdk_of, sdk_of_client, sdk_of_module
from ..request.unshown import Unshown
from .context import possible_engines
from .internals import check_requests
from .patching import Args, Kwargs, Original, Target

PLACEHOLDER_KEY = "made-in-replay-without-a-key"
_OF_RUN = (InferenceMode.REPLAY, InferenceMode.RECORD_IF_MISSING)
"""The modes in which no client needs a key in a test run that may replay."""
UNUSED = "unused"
"""What the docs advise to set where no key is needed."""
_OPENAI_VARIABLES = (OPENAI.variable, "OPENAI_ADMIN_KEY")
_AZURE_VARIABLES = ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN")


def targets() -> list[Target]:
    """Return the methods to patch: how every client of an SDK is made."""
    clients = [*((f"{sdk.package}._client", sdk.client) for sdk in SDKS), ("openai.lib.azure", "AzureOpenAI")]
    return [
        Target(module, start + owner, "__init__", _make, is_lasting=True)
        for module, owner in clients
        for start in ("", "Async")
    ]


def without_key() -> str | None:
    """Return what is to be said of an environment without a key that the API accepts; None if there may be one."""
    values = {os.environ.get(name, "").strip() for name in (*_OPENAI_VARIABLES, *_AZURE_VARIABLES)}
    if values - {"", UNUSED}:
        return None
    return f"{_OPENAI_VARIABLES[0]} is {UNUSED!r}" if UNUSED in values else f"no {_OPENAI_VARIABLES[0]} is set"


def _make(wrapped: Original, instance: Any, args: Args, kwargs: Kwargs) -> object:
    sdk = sdk_of_client(instance)
    # llama-index gives "" for a key that it does not have.
    has_credentials, given = any(kwargs.get(name) for name in sdk.credentials), Unshown((args, kwargs))
    is_copy = kwargs.get("api_key") == PLACEHOLDER_KEY
    # The module's client keeps its key in the module, and its first call makes it.
    is_of_module = isinstance(getattr(type(instance), "api_key", None), property)
    del args, kwargs  # a traceback may show the locals
    try:
        made = wrapped(*given.value[0], **given.value[1])
    except sdk.errors[sdk.error] as error:
        if has_credentials or not _needs_no_key(is_of_module):
            if not has_credentials:
                _explain(error, instance)
            raise
    else:
        if is_copy:
            check_requests(instance, partial(_check_request, instance))
        return made
    made = wrapped(*given.value[0], **{**given.value[1], "api_key": PLACEHOLDER_KEY})
    check_requests(instance, partial(_check_request, instance))
    if is_of_module:
        instance.api_key = None
    return made


def _needs_no_key(is_of_module: bool) -> bool:
    lets_clients_lack_keys = current_test_run().lets_clients_lack_keys
    # A client may be made where nothing says which session it will be used in: only its calls belong to one.
    if engines := possible_engines():
        modes = _OF_RUN if lets_clients_lack_keys else (InferenceMode.REPLAY,)
        return any(engine.mode in modes for engine in engines)
    return lets_clients_lack_keys and not is_of_module


def check_key(client: Any) -> None:
    """Raise the SDK's error, which says what to do, if a client was made without a key."""
    __tracebackhide__ = True
    if getattr(client, "api_key", None) == PLACEHOLDER_KEY:
        _refuse(client)


def _check_request(client: Any, request: Any) -> None:
    __tracebackhide__ = True
    if any(PLACEHOLDER_KEY in value for value in request.headers.values()):
        _refuse(client)


def _refuse(client: Any) -> NoReturn:
    __tracebackhide__ = True
    sdk = sdk_of_client(client)
    kind: type[Exception] = sdk.errors[sdk.error]
    variables, test_id = _variables(client), current_test_run().test_id
    unused = next(filter(os.environ.get, variables), None)  # the client was given an empty key, or was made before
    advice = f"set {variables[0]}" if unused is None else f"pass it the key of {unused}, which it was not made with"
    start = (
        f"Nothing was sent: {test_id or 'a call outside a test'} needs an API key, and its client was made without one"
    )
    if engines := possible_engines():
        if all(engine.is_live for engine in engines):
            raise kind(f"{start}\n  its session is live; to call the API, {advice}")
        raise kind(f"{start}\n  no recording answers the call; to record it, {advice}")
    raise kind(
        f"{start}\n  the call is in no session, so no recording can answer it; mark the test with "
        "@pytest.mark.inference_recording, or call inside `with inference_recording():`\n"
        f"  to call the API, {advice}"
    )


def _variables(client: object) -> tuple[str, ...]:
    if (sdk := sdk_of_client(client)) is not OPENAI:
        return (sdk.variable,)
    is_azure = any("Azure" in kind.__name__ for kind in type(client).__mro__)
    return _AZURE_VARIABLES if is_azure else _OPENAI_VARIABLES


def _explain(error: Any, client: object) -> None:
    """Add to the SDK's error for a missing key when a client needs none."""
    variables = _variables(client)
    if any(map(os.environ.get, variables)):  # the error is about something else
        return
    if engines := possible_engines():
        note = f"this session's mode is {engines[0].mode}, which sends calls; set {variables[0]}"
    else:
        note = (
            'a client needs no key if it is made inside `with inference_recording("replay"):`, or anywhere in a pytest '
            f"run that replays; otherwise set {variables[0]}, to {UNUSED!r} if recordings answer all calls"
        )
    note = f"inference_recorder: {note}"
    if sys.version_info >= (3, 11):
        error.add_note(note)
    else:
        error.args = (f"{error}\n{note}",)


def explain_uncaught() -> None:
    """Make Python explain an uncaught error for a missing key, as `_explain` does: no target is patched then."""
    report = sys.excepthook

    def explain(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        sdk = sdk_of_module(kind.__module__)
        if sdk is not None and kind.__name__ == sdk.error:
            frames = [frame for frame, _ in walk_tb(traceback)]
            made = [frame.f_locals.get("self") for frame in frames if frame.f_code.co_name == "__init__"]
            clients = [client for client in made if sdk_of(type(client)) is sdk]
            if clients and all(frame.f_globals is not globals() for frame in frames):  # otherwise `_make` has explained
                _explain(error, clients[0])
        report(kind, error, traceback)

    sys.excepthook = explain
