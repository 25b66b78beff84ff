"""The part of `check` that talks to an external broker: it lets us in, it has JetStream, it keeps to the permissions.

Law: the bridge makes no users there; where a permission does not hold, the operator gets the block that would make it hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from broker_bridge.daemon.access import INBOX_BRIDGE, Row, accounts_block, verify
from broker_bridge.daemon.accounts import AgentUser, public_of
from broker_bridge.daemon.bus import Bus, BusError, Refused
from broker_bridge.daemon.sections import Broker
from broker_bridge.daemon.wire import api

Said = tuple[Literal["ok", "note", "misconfigured", "unreachable"], str]

CONNECT_TIMEOUT_S = 5.0
_NEEDS = "the broker's configuration needs:"


async def external(broker: Broker, seed: str, agent_seeds: Mapping[str, str]) -> list[Said]:
    """What is found, in order; ends at the first thing without which the rest cannot be tried."""
    urls = [url.strip() for url in broker.url.split(",")]
    try:
        agents = [AgentUser(name, public_of(agent_seed)) for name, agent_seed in agent_seeds.items()]
        block = accounts_block([public_of(seed)], agents)
    except ValueError as error:
        return [("misconfigured", str(error))]
    try:
        bus = await Bus.connect(
            urls, seed=seed, name="check", inbox_prefix=INBOX_BRIDGE, on_closed=_nothing, timeout_s=CONNECT_TIMEOUT_S
        )
    except Refused:
        return [("misconfigured", f"it does not know the bridge's key; {_NEEDS}\n{block}")]
    except BusError as error:
        return [("unreachable", f"{broker.url}: {error}")]
    try:
        info = await api(bus, "INFO")
    except BusError as error:
        return [
            ("misconfigured", f"JetStream does not answer the bridge ({error}); enable it for the bridge's account")
        ]
    finally:
        await bus.close()
    said: list[Said] = [("ok", f"JetStream answers, {info.get('streams', 0)} streams")]
    if not broker.allow_unsynced:
        said.append(("note", "see that its jetstream block has `sync_interval: always`: this cannot be read from here"))
    return said + await _permissions(urls[0], seed, agent_seeds, block)


async def _permissions(url: str, seed: str, agent_seeds: Mapping[str, str], block: str) -> list[Said]:
    if len(agent_seeds) < 2:
        return [("note", "permissions not tried: give two agents, as --agent maya=file:maya.seed --agent olga=file:…")]
    try:
        failed = await verify(url, seed, agent_seeds)
    except BusError as error:
        return [("misconfigured", f"an agent is not let in ({error}); {_NEEDS}\n{block}")]
    if not failed:
        return [("ok", "every permission holds")]
    return [*(("misconfigured", _in_words(row)) for row in failed), ("misconfigured", f"{_NEEDS}\n{block}")]


def _in_words(row: Row) -> str:
    deed = f"{row.action} {row.subject}".strip()
    return f"{row.who} may not {deed}, and must" if row.allowed else f"{row.who} may {deed}, and must not"


def _nothing() -> None:
    return
