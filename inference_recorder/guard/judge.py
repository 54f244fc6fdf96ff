"""Whether a connection may be opened, or a request sent. Holds state: what judges those outside every session.

The pytest plugin sets it between tests; no lock guards it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..engine.engine import Engine
from ..errors import LiveCallBlocked
from ..explanation import Refusal
from ..modes import InferenceMode
from ..network import NetworkRules, host_and_port, is_loopback
from ..sdk.context import possible_engines
from ..sdk.hand_over import is_being_recorded
from .hosts import is_recorded_by_llama_stack, serves_models
from .stack import line_of_caller


@dataclass(frozen=True, slots=True)
class Contact:
    """A connection that is about to be opened, or a request that is about to be sent."""

    hosts: Sequence[str]
    """The names, in lower case, of which it has one; more than one where only an address is known that they share."""
    port: int
    address: str | None = None
    """What it is connected to, if that is known yet; for a request through a proxy, the host of its url."""
    path: str = ""
    is_counted: bool = True
    """Whether it is one call: not the connection below a request that is judged too."""

    def is_allowed_by(self, rules: NetworkRules) -> bool:
        """Return whether a session lets it through whatever it is."""
        return rules.allows(self.hosts if self.address is None else (*self.hosts, self.address), self.port)

    def is_blocked_by(self, rules: NetworkRules) -> bool:
        """Return whether a session refuses it whatever it is, as it leaves this machine."""
        return rules.blocks_all and self.address is not None and not is_loopback(self.address)


outsiders: list[Callable[[Contact], None]] = []
"""Take a contact outside every session. The last one judges it; a pytest run within another one has its own."""


def judge(contact: Contact) -> None:
    """Return if a contact may be made, and count it where a session is recording; raise LiveCallBlocked otherwise."""
    __tracebackhide__ = True
    if is_being_recorded():
        return
    engines = possible_engines()
    if not engines:
        if outsiders:
            outsiders[-1](contact)
        return
    engines = [engine for engine in engines if not (engine.is_live or contact.is_allowed_by(engine.network))]
    is_llama_stacks = any(engine.rules.is_llama_stacks for engine in engines)
    is_model = all(
        (not is_loopback(host) and (serves_models(host) or (host, contact.port) in _base_urls(engines)))
        or (is_llama_stacks and is_recorded_by_llama_stack(host, contact.port))
        for host in contact.hosts
    )
    # Of several that the contact may belong to, the one that refuses it decides, as for a call of the SDK.
    replaying = [engine for engine in engines if is_model and engine.mode is InferenceMode.REPLAY]
    if refusing := replaying or [engine for engine in engines if contact.is_blocked_by(engine.network)]:
        error = refusal(contact, "replay" if replaying else "network", refusing[0].current_test_id())
        for engine in refusing:
            engine.call_log.blocked(error)  # the code under test may catch the error
        raise error
    if is_model and contact.is_counted:
        for engine in engines:
            path = engine.rules.shown_path(contact.path)
            engine.call_log.live(path, test_id=engine.current_test_id(), host=contact.hosts[0])


def refusal(contact: Contact, reason: Refusal, test_id: str | None) -> LiveCallBlocked:
    """Return the error that refuses a contact; the SDKs that are imported do not try it again."""
    from .patches import end_retries

    end_retries()
    return LiveCallBlocked(contact.hosts[0], contact.port, test_id, line_of_caller(), reason)


def _base_urls(engines: Iterable[Engine]) -> set[tuple[str, int]]:
    return {host_and_port(url) for engine in engines for url in engine.call_log.urls.copy()}
