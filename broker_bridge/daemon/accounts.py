"""Accounts and users of the broker, as text for its configuration. Pure, but for the dice of a new seed.

Law: the bridge lives in account BR with JetStream; every agent lives in an account of its own that imports only
`cc.do.<id>.>` (requests) and `cc.view.<id>.>` (the private feed). One shared account for all agents is not enough: the reply of
a request is checked against nobody's permissions, so an agent could have the bridge's answer delivered into a colleague's feed
(shown on nats-server 2.15.1). With an account each, a forged reply reaches only the forger. The server keeps no secret.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

INBOX_BRIDGE = "_INBOX_BR"
_AGENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PUBLIC_NKEY = re.compile(r"U[A-Z2-7]{55}")

MAX_CONNECTIONS = 8
"""Terminals of one agent at once."""
MAX_SUBSCRIPTIONS = 64
MAX_REQUEST_BYTES = 144 * 1024
"""A request of 128 KiB with its headers."""

BRIDGE_PUBLISH = ("cc.>", "$JS.API.>", "$JS.ACK.>", "$KV.>", "$O.>", "_R_.>", f"{INBOX_BRIDGE}.>")
BRIDGE_SUBSCRIBE = ("cc.>", f"{INBOX_BRIDGE}.>")


@dataclass(frozen=True, slots=True)
class Keys:
    """An identity: the seed is the secret (kept by its owner), the public part goes into the server's configuration."""

    seed: str
    public: str

    def __repr__(self) -> str:
        return f"Keys(public={self.public!r})"


@dataclass(frozen=True, slots=True)
class AgentUser:
    """An agent who may sign in."""

    id: str
    public: str


def make_seed() -> Keys:
    """A new identity."""
    import nkeys  # costs a C library; only set-up and tests need it

    seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
    return Keys(seed.decode(), public_of(seed.decode()))


def public_of(seed: str) -> str:
    """The public part of a seed.

    Raises:
        ValueError: it is no seed of a user.
    """
    import nkeys

    try:
        public = nkeys.from_seed(bytearray(seed.strip().encode())).public_key.decode()
    except (nkeys.NkeysError, ValueError) as error:
        raise ValueError("this is not the seed of an NKey") from error
    if not _PUBLIC_NKEY.fullmatch(public):
        raise ValueError("this seed is not a user's")
    return str(public)


def agent_inbox(agent: str) -> str:
    """The inbox prefix of an agent's terminal."""
    return f"_INBOX_{agent}"


def agent_account(agent: str) -> str:
    """The name of an agent's account."""
    return f"AG_{agent}"


def accounts_block(bridges: Sequence[str], agents: Iterable[AgentUser]) -> str:
    """The `accounts` part of the server's configuration, also printed for an external broker.

    `bridges` are public NKeys.

    Raises:
        ValueError: an id that would change the meaning of a subject, a key that is no user's, or two agents with one id.
    """
    people = sorted(agents, key=lambda agent: agent.id)
    for agent in people:
        if not _AGENT_ID.fullmatch(agent.id):
            raise ValueError(f"agent id {agent.id!r}: use 1 to 64 letters, digits, '-' and '_'")
    if len({agent.id for agent in people}) < len(people):
        raise ValueError("two agents have the same id")
    for public in [*bridges, *(agent.public for agent in people)]:
        if not _PUBLIC_NKEY.fullmatch(public):
            raise ValueError("a public key is 'U' and 55 letters or digits")
    blocks = [_bridge_account(bridges), *(_agent_account(agent) for agent in people)]
    return "accounts {\n" + "\n".join(blocks) + "\n}\n"


def _bridge_account(bridges: Sequence[str]) -> str:
    users = "\n".join(f"      {_user(public, BRIDGE_PUBLISH, BRIDGE_SUBSCRIBE)}" for public in bridges)
    return (
        "  BR {\n"
        "    jetstream: enabled\n"
        f"    users: [\n{users}\n    ]\n"
        "    exports: [\n"
        '      { service: "cc.do.>" }\n'
        '      { stream: "cc.view.>" }\n'
        "    ]\n"
        "  }"
    )


def _agent_account(agent: AgentUser) -> str:
    do, view = f"cc.do.{agent.id}.>", f"cc.view.{agent.id}.>"
    return (
        f"  {agent_account(agent.id)} {{\n"
        f"    limits {{ max_connections: {MAX_CONNECTIONS}, max_subscriptions: {MAX_SUBSCRIPTIONS}, "
        f"max_payload: {MAX_REQUEST_BYTES} }}\n"
        f"    users: [ {_user(agent.public, [do], [view, f'{agent_inbox(agent.id)}.>'])} ]\n"
        "    imports: [\n"
        f'      {{ service: {{ account: BR, subject: "{do}" }} }}\n'
        f'      {{ stream: {{ account: BR, subject: "{view}" }} }}\n'
        "    ]\n"
        "  }"
    )


def _user(public: str, publish: Iterable[str], subscribe: Iterable[str]) -> str:
    return (
        f"{{ nkey: {public}, allowed_connection_types: [STANDARD], permissions: {{ "
        f"publish: [{_quoted(publish)}], subscribe: [{_quoted(subscribe)}] }} }}"
    )


def _quoted(subjects: Iterable[str]) -> str:
    return ", ".join(f'"{subject}"' for subject in subjects)
