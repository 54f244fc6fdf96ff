"""What of the installed SDKs is intercepted: the table's methods, the clients below them, the sockets refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..packages import OPENAI, SDK, SDKS, sdk_of_module
from . import targets, websockets
from .methods import METHODS
from .patching import Target, owner_of
from .private_names import imported
from .versions import release_of

State = Literal["covered", "not in this SDK", "missing"]


@dataclass(frozen=True, slots=True)
class Covered:
    """One target, and whether the installed SDK has it. "missing" is one that it should have."""

    name: str
    state: State
    since: str


def coverage(version: str, sdk: SDK = OPENAI) -> list[Covered]:
    """Return a line for each target in an SDK, in the order of `targets`; imports the SDK's modules."""
    of_sdk = [target for target in targets.targets() if sdk_of_module(target.module) is sdk]
    return [Covered(_name(one), _state(one, version), one.since) for one in of_sdk]


def coverage_table() -> str:
    """Return the table of docs/coverage.md that says what is covered, in Markdown, made from `METHODS`."""
    rows = [
        "| call | sync and async | streamed | recorded as |",
        "|---|---|---|---|",
    ]
    for method in METHODS:
        kind = method.answer.partition(":")[2]
        recorded = f"list of `{kind}`" if method.is_list else f"`{kind}`"
        streamed = f"`{method.chunk.partition(':')[2]}`" if method.chunk else "–"
        rows.append(f"| `{method.name}` | yes | {streamed} | {recorded} |")
    rows.append("| every other request of a client | yes | yes | the HTTP response: JSON, events, text or bytes |")
    others = ", ".join(f"`{sdk.distribution}`" for sdk in SDKS if sdk is not OPENAI)
    rows.append(f"| every request of a client of {others} | yes | yes | the HTTP response |")
    connects = ", ".join(f"`{name}.connect`" for name, *_ in websockets.CONNECTS)
    rows.append(f"| websockets: {connects} | refused in replay | – | not recorded |")
    return "\n".join(rows)


def _name(target: Target) -> str:
    return ".".join(part for part in (target.owner, target.method or "*") if part)


def _state(target: Target, version: str) -> State:
    module = imported(target.module)
    has_all = not target.method and hasattr(module, target.owner)  # a class, with whatever methods its subclasses have
    if module is not None and (has_all or owner_of(target, module) is not None):
        return "covered"
    return "missing" if release_of(version) >= release_of(target.since) else "not in this SDK"
