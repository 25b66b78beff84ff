"""`agent`: who may sign in.

Law: a seed that is made here goes to standard output once and nowhere else; the bridge gets the public half. The
enrollment line is what `agent-tui login` takes.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import re
from pathlib import Path

from broker_bridge.commands import exits
from broker_bridge.commands.asking import office
from broker_bridge.commands.tables import columns, harmless, json_line
from broker_bridge.contract import subjects
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon.config import Config, ConfigError
from broker_bridge.daemon.office import AgentLine, Declined, NewAgent
from broker_bridge.daemon.strict import nearest

LINE_HEAD = "onewindow1:"
_PUBLIC_KEY = re.compile(r"U[A-Z2-7]{55}")


def execute(args: argparse.Namespace) -> int:
    config = configuration.load(configuration.find(args.config))
    deeds = {"add": _add, "list": _list, "remove": _remove}
    return deeds[args.deed](config, args)


def enrollment_line(server: str, agent: str, name: str, seed: str, ca: str | None) -> str:
    """What an agent gives to `agent-tui login`; it holds the seed. `ca`: certificates as PEM text."""
    told = {"server": server, "agent": agent, "name": name, "seed": seed, "ca": ca}
    return LINE_HEAD + base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


def _add(config: Config, args: argparse.Namespace) -> int:
    _refuse_nonsense(config, args)
    seed = ""
    public = args.key
    ca = _certificates(config)
    if public is None:
        from broker_bridge.daemon.accounts import make_seed

        keys = make_seed()
        seed, public = keys.seed, keys.public
    new = NewAgent(
        agent=args.agent,
        name=args.full_name or args.agent,
        public_key=public,
        role=args.role,
        queues=tuple(args.queue),
        capacity=args.capacity,
    )
    added = asyncio.run(office().agent_add(config, new))
    exits.say(
        f"{new.agent} ({new.name}) {'may sign in' if added.is_new else 'was known; key and settings are changed'}"
    )
    if added.accounts:
        exits.say("put this into the broker's configuration and reload it:\n")
        exits.say(added.accounts)
    if seed:
        exits.say(
            "The line below holds the secret key and is shown this once. Hand it over where nobody else reads it:\n"
        )
        print(enrollment_line(added.server, new.agent, new.name, seed, ca))
        exits.say("\nThere: `agent-tui login`, and paste it.")
    else:
        exits.say(f"There: agent-tui login --server {added.server} --agent {new.agent}")
    return exits.OK


def _list(config: Config, args: argparse.Namespace) -> int:
    agents = asyncio.run(office().agent_list(config))
    if args.json:
        for one in agents:
            print(json_line(_row(one)))
        return exits.OK
    rows = [
        (
            one.agent,
            harmless(one.name),
            one.role,
            ", ".join(one.queues) or "every queue",
            one.capacity,
            "here" if one.is_online else "",
        )
        for one in agents
    ]
    print(columns(("AGENT", "NAME", "ROLE", "QUEUES", "CAPACITY", ""), rows) if rows else "nobody may sign in yet")
    return exits.OK


def _remove(config: Config, args: argparse.Namespace) -> int:
    asyncio.run(office().agent_remove(config, args.agent))
    exits.say(f"{args.agent} may no longer sign in")
    return exits.OK


def _row(one: AgentLine) -> dict[str, object]:
    return {
        "agent": one.agent,
        "name": one.name,
        "role": one.role,
        "queues": list(one.queues),
        "capacity": one.capacity,
        "public_key": one.public_key,
        "is_online": one.is_online,
    }


def _refuse_nonsense(config: Config, args: argparse.Namespace) -> None:
    try:
        subjects.token(args.agent)
    except ValueError:
        raise Declined("an agent's short name is 1 to 64 letters, digits, '-' and '_'") from None
    if args.key is not None and not _PUBLIC_KEY.fullmatch(args.key):
        # Not repeated: it may be the seed, which has no place among arguments.
        raise Declined(
            "--key takes the public key: 'U' and 55 letters or digits; never the seed, which begins with 'S'"
        )
    known = [queue.name for queue in config.queues]
    for name in args.queue:
        if name not in known:
            raise Declined(f"there is no queue {name!r}{nearest(name, known)}")


def _certificates(config: Config) -> str | None:
    if not config.broker.ca:
        return None
    path = config.path.parent / Path(config.broker.ca).expanduser()
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{config.path}: broker.ca: {path} cannot be read") from error
