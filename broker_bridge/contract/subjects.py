"""Every NATS subject of the house, in one place. Tokens are ids or checked words: a subject is never built from foreign text."""

from __future__ import annotations

import re

LOG = "LOG"
IN = "IN"
DEAD = "DEAD"
AUDIT = "AUDIT"
CONTEXT = "CONTEXT"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def token(word: str) -> str:
    """`word`, if it is safe as one token of a subject.

    Raises:
        ValueError: it is empty, longer than 64 characters, or has a character besides letters, digits, `_` and `-`.
    """
    if not _TOKEN.match(word):
        raise ValueError(f"not a name of letters, digits, _ or -: {word[:80]!r}")
    return word


def is_token(word: str) -> bool:
    """Whether `token` takes it."""
    return _TOKEN.match(word) is not None


def log(aggregate: str, name: str) -> str:
    """`cc.log.<conv|cust|hand|agent|shift|load|queue|house|count>.<id>`: the exact subject of one aggregate's facts."""
    return f"cc.log.{aggregate}.{token(name)}"


def inbound(kind: str, channel: str, partition: int) -> str:
    return f"cc.in.{token(kind)}.{token(channel)}.{partition}"


def inbound_filter(partition: int) -> str:
    return f"cc.in.*.*.{partition}"


def dead(source: str) -> str:
    return f"cc.dead.{token(source)}"


def audit(boot: str) -> str:
    return f"cc.audit.{token(boot)}"


def do(agent: str, verb: str) -> str:
    """A request of an agent; who speaks is read from here, never from the body."""
    return f"cc.do.{token(agent)}.{token(verb)}"


def view(agent: str, *rest: str) -> str:
    """An agent's private feed: `desk`, `thread.<conversation>`, `beat`."""
    return ".".join(("cc.view", token(agent), *(token(part) for part in rest)))


def inbox(agent: str) -> str:
    """The inbox prefix of one identity."""
    return f"_INBOX_{token(agent)}"


def signal(kind: str, name: str) -> str:
    """Between bridges, not stored: `cc.sig.typing.<conv>`, `cc.sig.push.<handle>`."""
    return f"cc.sig.{token(kind)}.{token(name)}"
