"""The command line of the bridge: what can be asked, and who answers it.

Law: nothing but argparse is loaded before a subcommand is known, so `--help` works at once, without a configuration and without a
broker. Data goes to standard output, words to standard error; secrets are never arguments.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Any, NoReturn

from broker_bridge.commands import exits

EXAMPLES = """examples:
  broker-bridge init ~/shop                     a configuration to start from
  broker-bridge check --config ~/shop/bridge.toml
  broker-bridge run --config ~/shop/bridge.toml
  broker-bridge agent add maya --name "Maya Lindqvist" --queue support
  broker-bridge queue set support --needs "swedish 3" --mode in_order
  broker-bridge dead list
  broker-bridge decode email letter.eml | python3 -m json.tool

configuration: --config, else $BROKER_BRIDGE_CONFIG, ./bridge.toml, the user's, /etc/onewindow/bridge.toml

exit codes:
  0 done   1 not done   2 wrong usage   69 a server is not there   70 the broker let go of the bridge
  77 not permitted   78 wrong configuration or missing secret   130 interrupted"""

AGENT_EXAMPLES = """examples:
  broker-bridge agent add maya --name "Maya Lindqvist" --queue support --queue sales
      makes a key pair and prints the one line that Maya gives to `agent-tui login`
  broker-bridge agent add maya --name "Maya Lindqvist" --key UAB…
      Maya made the pair herself (`agent-tui login --server … --agent maya`): nothing secret is printed
  broker-bridge agent add olga --role supervisor --units 60
  broker-bridge agent set ole --skill "fees 3" --skill "swedish 4" --units 120 --queue support
      what is not named stays; --queue '' is every queue, --skill '' is none"""

QUEUE_EXAMPLES = """examples:
  broker-bridge queue set support --needs "swedish 3, fees" --mode in_order --order "maya, ole"
  broker-bridge queue set support --hours week.toml --holidays se.ics
      week.toml: zone = "Europe/Stockholm" and days as mon-fri = "08:00-12:00, 13:00-18:00"
  broker-bridge queue set support --overflow "60 widen 1" --overflow "120 queue sales" --overflow "300 alarm Long line"
  broker-bridge queue set support --target "first_reply=15m next_reply=1h resolution=4h" --target "priority=1 first_reply=5m"
  broker-bridge queue set support --disposition solved --disposition "sold: order number, amount" --wrap-up timed
  broker-bridge queue add returns --from returns.toml
      a block [[queue]] of a file, as `queue show` prints one

A change holds until the queue's block in bridge.toml changes. Holidays given here are read now, once; the file's are renewed."""

ROUTE_EXAMPLES = """examples:
  broker-bridge route --what-if other.toml --since 24h
  broker-bridge route --what-if other.toml --since 2026-11-20 --until 2026-11-21 --queue support --limit 0
  broker-bridge route --what-if other.toml --json | python3 -m json.tool

The site must run: the log is read through its broker. It is only read. A block [[queue]] or [[agent]] in POLICY.toml is a whole one:
what it does not say takes its default. No customer's words are shown."""


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version  # slow to load, rarely wanted

        print(f"broker-bridge {version('onewindow')}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say; gives the exit code."""
    try:
        args = parser().parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else exits.USAGE
    return exits.guarded(lambda: int(importlib.import_module(f"broker_bridge.commands.{args.module}").execute(args)))


def parser() -> argparse.ArgumentParser:
    """All that can be asked."""
    top = argparse.ArgumentParser(
        prog="broker-bridge",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.description = "The daemon of onewindow: relays every channel of a contact center through NATS."
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    run = _command(commands, "run", "run", "run the bridge until it is stopped")
    check = _command(commands, "check", "check", "try the configuration with the real servers")
    check.add_argument(
        "--agent",
        action="append",
        default=[],
        type=_named_reference,
        metavar="NAME=REFERENCE",
        help="an agent and the reference to their seed (as maya=file:maya.seed); two of them let an external broker's "
        "permissions be tried row by row",
    )
    init = _command(commands, "init", "init", "write a starter bridge.toml and a systemd unit")
    init.add_argument("folder", metavar="FOLDER")
    audit = _command(commands, "audit", "audit", "count what came in and where it is; 1 if something is missing")
    audit.add_argument("--json", action="store_true", help="one JSON line a channel")
    for one in (run, check, audit):
        _add_config(one)
    _agent_commands(commands)
    _queue_commands(commands)
    _route_command(commands)
    _dead_commands(commands)
    decode = _command(commands, "decode", "decode", "what the bridge makes of files from outside, as JSON lines")
    decode.add_argument("kind", metavar="KIND", help="a channel kind, as email")
    decode.add_argument("files", metavar="FILE", nargs="+", help="- is standard input")
    _command(commands, "schema", "schema", "the contract on the wire, as JSON Schema")
    bench = _command(
        commands, "bench", "bench", "measure the bridge on this machine", add_help=False, prefix_chars="\0"
    )
    bench.add_argument("rest", nargs="*", metavar="…", help="`bench --help` says more")
    simulate = _command(
        commands, "simulate", "simulate", "play random histories of a whole site in memory; 1 if a promise is broken"
    )
    simulate.add_argument("--seeds", type=_positive, default=1_000, metavar="N", help="how many histories (1000)")
    simulate.add_argument("--from", dest="first", type=int, default=0, metavar="SEED", help="the first one (0)")
    simulate.add_argument("--planted", default="", metavar="BUG", help="with a bug on purpose; 1 if it is not found")
    simulate.add_argument("--seconds", type=float, metavar="S", help="begin no history after that time")
    simulate.add_argument("--jobs", type=_positive, metavar="N", help="processes at once (one a core)")
    simulate.add_argument("--json", action="store_true", help="one JSON line with everything")
    return top


def _agent_commands(commands: Any) -> None:
    agent = _command(commands, "agent", "agents", "let agents in and out", epilog=AGENT_EXAMPLES)
    deeds = agent.add_subparsers(dest="deed", metavar="DEED", required=True)
    add = _command(deeds, "add", "agents", "let an agent in, or change what is known of them", epilog=AGENT_EXAMPLES)
    add.add_argument("agent", metavar="NAME", help="short name: letters, digits, - and _")
    change = _command(deeds, "set", "agents", "change what is known of an agent", epilog=AGENT_EXAMPLES)
    change.add_argument("agent", metavar="NAME")
    for one in (add, change):
        one.add_argument("--name", dest="full_name", default="", metavar="TEXT", help="as customers see it")
        one.add_argument("--role", choices=("agent", "supervisor", "admin"))
        one.add_argument("--queue", action="append", metavar="Q", help="may be repeated; none: every queue")
        one.add_argument("--skill", action="append", metavar="'SKILL LEVEL'", help="level 1 to 5; may be repeated")
        one.add_argument("--units", type=_positive, metavar="N", help="what they carry at once (100; a chat is 20)")
        # Of before there were units; still understood.
        one.add_argument("--capacity", type=_positive, metavar="N", help=argparse.SUPPRESS)
        one.add_argument("--key", metavar="U…", help="the public key of a pair that the agent made")
    listed = _command(deeds, "list", "agents", "who may sign in")
    listed.add_argument("--json", action="store_true", help="one JSON line an agent")
    show = _command(deeds, "show", "agents", "one agent, as a block of bridge.toml")
    show.add_argument("--json", action="store_true", help="as JSON")
    remove = _command(deeds, "remove", "agents", "let an agent out at once")
    for one in (show, remove):
        one.add_argument("agent", metavar="NAME")
    for one in (add, change, listed, show, remove):
        _add_config(one)


def _queue_commands(commands: Any) -> None:
    queue = _command(commands, "queue", "queues", "define queues and how they work", epilog=QUEUE_EXAMPLES)
    deeds = queue.add_subparsers(dest="deed", metavar="DEED", required=True)
    add = _command(deeds, "add", "queues", "define a new queue", epilog=QUEUE_EXAMPLES)
    change = _command(deeds, "set", "queues", "change how a queue works", epilog=QUEUE_EXAMPLES)
    for one in (add, change):
        one.add_argument("queue", metavar="NAME", help="letters, digits, - and _")
        _queue_options(one)
    listed = _command(deeds, "list", "queues", "the queues in force")
    listed.add_argument("--json", action="store_true", help="one JSON line a queue")
    show = _command(deeds, "show", "queues", "one queue, as a block of bridge.toml")
    show.add_argument("--json", action="store_true", help="as JSON")
    remove = _command(deeds, "remove", "queues", "take away a queue that nothing waits in")
    for one in (show, remove):
        one.add_argument("queue", metavar="NAME")
    for one in (add, change, listed, show, remove):
        _add_config(one)


def _queue_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("--from", dest="source", metavar="FILE.toml", help="a block [[queue]]; other options come on top")
    one.add_argument("--title", metavar="TEXT", help="for people")
    one.add_argument("--priority", type=int, metavar="N", help="1 (first) to 9")
    one.add_argument("--mode", metavar="MODE", help="evenly, in_order or everybody")
    one.add_argument("--order", metavar="AGENTS", help="for in_order, parted by commas")
    one.add_argument("--needs", metavar="SKILLS", help="as 'swedish 3, fees'")
    one.add_argument("--hours", metavar="FILE.toml", help="zone and days")
    one.add_argument("--always-open", action="store_true", help="no hours at all")
    one.add_argument("--holidays", action="append", metavar="FILE.ics", help="may be repeated")
    one.add_argument("--overflow", action="append", metavar="STEP", help="'60 widen 1'; may be repeated; '' for none")
    one.add_argument("--affinity", dest="affinity_s", type=int, metavar="S", help="wait for who knows the customer")
    one.add_argument("--responsible-first", action=argparse.BooleanOptionalAction, help="before who was last")
    one.add_argument("--offer", dest="offer_s", type=int, metavar="S", help="how long an offer rings")
    one.add_argument("--auto-accept", metavar="KINDS", help="channel kinds whose offers the machine accepts")
    one.add_argument("--target", action="append", metavar="TIMES", help="'first_reply=15m …'; may be repeated")
    one.add_argument("--service-level", type=float, metavar="SHARE", help="of answers in time, 0 to 1")
    one.add_argument(
        "--pauses", metavar="WORDS", help="waiting, snoozed: when the clock of the resolution stands still"
    )
    one.add_argument("--warn-share", type=float, metavar="SHARE", help="of a target left when it is warned of")
    one.add_argument("--wrap-up", metavar="MODE", help="none, optional, mandatory or timed")
    one.add_argument("--wrap-up-time", dest="wrap_up_s", type=int, metavar="S", help="of timed")
    one.add_argument(
        "--disposition", action="append", metavar="'NAME: FIELDS'", help="may be repeated; '' for the desk's"
    )
    one.add_argument("--default-disposition", metavar="NAME", help="when nobody chooses")
    one.add_argument("--away-reply", metavar="TEXT", help="told once to who writes out of hours")


def _route_command(commands: Any) -> None:
    route = _command(
        commands,
        "route",
        "route",
        "route the log again by another policy and print what would differ",
        epilog=ROUTE_EXAMPLES,
    )
    route.add_argument(
        "--what-if",
        dest="policy",
        required=True,
        metavar="POLICY.toml",
        help="[desk], [[queue]] and [[agent]] as in bridge.toml; what it does not name stays as it was",
    )
    route.add_argument("--since", default="24h", metavar="WHEN", help="90m, 24h or 7d ago, or 2026-11-21T09:30 (24h)")
    route.add_argument("--until", default="", metavar="WHEN", help="as --since (now)")
    route.add_argument("--queue", default="", metavar="Q", help="only decisions on cases of this queue")
    route.add_argument("--limit", type=_count, default=50, metavar="N", help="differences shown (50); 0: all")
    route.add_argument("--json", action="store_true", help="everything as one JSON line")
    _add_config(route)


def _dead_commands(commands: Any) -> None:
    dead = _command(commands, "dead", "dead", "what could not be read or applied: see, repair, replay")
    deeds = dead.add_subparsers(dest="deed", metavar="DEED", required=True)
    listed = _command(deeds, "list", "dead", "the work items, oldest first")
    listed.add_argument("--json", action="store_true", help="one JSON line an item")
    show = _command(deeds, "show", "dead", "one item: the reason, and what came from outside")
    show.add_argument("--raw", action="store_true", help="only the bytes that came, as they came")
    replay = _command(deeds, "replay", "dead", "apply it again, after a repair")
    for one in (show, replay):
        one.add_argument("id", type=_positive, metavar="ID", help="its number in `dead list`")
    for one in (listed, show, replay):
        _add_config(one)


def _command(commands: Any, name: str, module: str, text: str, **how: Any) -> argparse.ArgumentParser:
    """A subcommand that `commands/<module>.py` carries out."""
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        **how,
    )
    made.set_defaults(module=module)
    return made


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config", metavar="FILE", help="bridge.toml; see `broker-bridge --help` for where it is looked for"
    )


def _named_reference(text: str) -> tuple[str, str]:
    name, parted, reference = text.partition("=")
    if not name or not parted:
        raise argparse.ArgumentTypeError("write NAME=REFERENCE, as maya=file:maya.seed")
    return name, reference


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("0 or more")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
