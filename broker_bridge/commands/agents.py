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
from broker_bridge.commands.asking import office, registry
from broker_bridge.commands.tables import columns, harmless, json_line
from broker_bridge.contract import subjects
from broker_bridge.contract.policy import OTHER_COST, Skill
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon.config import Agent, Config, ConfigError
from broker_bridge.daemon.office import AgentLine, AgentWish, Declined, NewAgent
from broker_bridge.daemon.policytext import block, skills_line
from broker_bridge.daemon.policywords import skill, skill_words
from broker_bridge.daemon.strict import nearest

LINE_HEAD = "onewindow1:"
_PUBLIC_KEY = re.compile(r"U[A-Z2-7]{55}")


def execute(args: argparse.Namespace) -> int:
    config = configuration.load(configuration.find(args.config))
    deeds = {"add": _add, "set": _set, "list": _list, "show": _show, "remove": _remove}
    return deeds[args.deed](config, args)


def enrollment_line(server: str, agent: str, name: str, seed: str, ca: str | None) -> str:
    """What an agent gives to `agent-tui login`; it holds the seed. `ca`: certificates as PEM text."""
    told = {"server": server, "agent": agent, "name": name, "seed": seed, "ca": ca}
    return LINE_HEAD + base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


def _add(config: Config, args: argparse.Namespace) -> int:
    _refuse_nonsense(args)
    seed = ""
    public = args.key
    ca = _certificates(config)
    if public is None:
        from broker_bridge.daemon.accounts import make_seed

        keys = make_seed()
        seed, public = keys.seed, keys.public
    new = _wanted(config, args, public)
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


def _wanted(config: Config, args: argparse.Namespace, public: str) -> NewAgent:
    """Who shall be let in; what is not said here, but in their block of the file, is as there."""
    said = next((one for one in config.agents if one.id == args.agent), None) or Agent(id=args.agent)
    units = args.units or (0 if args.capacity else said.units)
    return NewAgent(
        agent=args.agent,
        name=args.full_name or said.name or args.agent,
        public_key=public,
        role=args.role or said.role,
        queues=said.queues if args.queue is None else _named(args.queue),
        capacity=args.capacity or max(1, units // OTHER_COST),
        units=units,
        skills=_skills(said.skills if args.skill is None else _named(args.skill)),
    )


def _named(words: list[str]) -> tuple[str, ...]:
    """Without empty ones: `--queue ''` is none."""
    return tuple(word for word in words if word.strip())


def _skills(words: tuple[str, ...]) -> tuple[Skill, ...]:
    try:
        return tuple(skill(word) for word in words)
    except ValueError as error:
        raise Declined(f"--skill: {error}") from None


def _set(config: Config, args: argparse.Namespace) -> int:
    _refuse_nonsense(args)
    units = args.units or (args.capacity * OTHER_COST if args.capacity else None)
    wish = AgentWish(
        agent=args.agent,
        name=args.full_name or None,
        role=args.role,
        queues=None if args.queue is None else _named(args.queue),
        skills=None if args.skill is None else _named(args.skill),
        units=units,
        public_key=args.key,
    )
    if wish == AgentWish(agent=args.agent):
        raise Declined("nothing was said that should change; `broker-bridge agent set --help` shows what can")
    for warning in asyncio.run(registry().agent_set(config, wish)):
        exits.say(f"note: {warning}")
    exits.say(f"{args.agent} is changed")
    if any(one.id == args.agent for one in config.agents):
        exits.say(f"{config.path} has a block for them: this holds until that block changes")
    return exits.OK


def _show(config: Config, args: argparse.Namespace) -> int:
    agents = asyncio.run(office().agent_list(config))
    found = next((one for one in agents if one.agent == args.agent), None)
    if found is None:
        raise Declined(f"there is no agent {args.agent[:80]!r}{nearest(args.agent, [one.agent for one in agents])}")
    if args.json:
        print(json_line(_row(found)))
        return exits.OK
    words = {
        "id": found.agent,
        "name": found.name,
        "role": found.role,
        "queues": list(found.queues),
        "skills": [skill_words(one) for one in found.skills],
        "units": found.units,
        "public_key": found.public_key,
    }
    print(block(words, "[[agent]]"))
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
            harmless(skills_line(one.skills)),
            one.units,
            "here" if one.is_online else "",
        )
        for one in agents
    ]
    print(
        columns(("AGENT", "NAME", "ROLE", "QUEUES", "SKILLS", "UNITS", ""), rows) if rows else "nobody may sign in yet"
    )
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
        "units": one.units,
        "skills": [skill_words(skill) for skill in one.skills],
        "public_key": one.public_key,
        "is_online": one.is_online,
    }


def _refuse_nonsense(args: argparse.Namespace) -> None:
    try:
        subjects.token(args.agent)
    except ValueError:
        raise Declined("an agent's short name is 1 to 64 letters, digits, '-' and '_'") from None
    if args.key is not None and not _PUBLIC_KEY.fullmatch(args.key):
        # Not repeated: it may be the seed, which has no place among arguments.
        raise Declined(
            "--key takes the public key: 'U' and 55 letters or digits; never the seed, which begins with 'S'"
        )


def _certificates(config: Config) -> str | None:
    if not config.broker.ca:
        return None
    path = config.path.parent / Path(config.broker.ca).expanduser()
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{config.path}: broker.ca: {path} cannot be read") from error
