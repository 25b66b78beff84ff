"""`queue`: lines of waiting conversations, and how they work.

Law: options are the words of a block `[[queue]]`, put together and read by the same rules; here nothing is decided.
"""

from __future__ import annotations

import argparse
import asyncio
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from broker_bridge.commands import exits
from broker_bridge.commands.asking import registry
from broker_bridge.commands.tables import columns, harmless, json_line, moment
from broker_bridge.contract import subjects
from broker_bridge.contract.policy import QueueRules
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.office import Declined, QueueLine, QueueWish
from broker_bridge.daemon.policytext import block, skills_line, words_of
from broker_bridge.daemon.strict import ConfigError, nearest

SHOWN_CLOSURES = 12


def execute(args: argparse.Namespace) -> int:
    config = configuration.load(configuration.find(args.config))
    deeds = {"add": _set, "set": _set, "list": _list, "show": _show, "remove": _remove}
    return deeds[args.deed](config, args)


def _list(config: Config, args: argparse.Namespace) -> int:
    queues = asyncio.run(registry().queue_list(config))
    if args.json:
        for one in queues:
            print(json_line(_row(one)))
        return exits.OK
    rows = [
        (
            one.queue,
            harmless(one.rules.title),
            one.rules.priority,
            one.rules.mode,
            harmless(skills_line(one.rules.needs)),
            "always" if one.rules.hours is None else one.rules.hours.zone,
            "file" if one.is_of_file else "command",
        )
        for one in queues
    ]
    print(columns(("QUEUE", "TITLE", "PRIORITY", "MODE", "NEEDS", "HOURS", "FROM"), rows))
    return exits.OK


def _row(one: QueueLine) -> dict[str, Any]:
    rules = msgspec.to_builtins(one.rules)
    return {"queue": one.queue, "is_of_file": one.is_of_file, "rules": rules}


def _show(config: Config, args: argparse.Namespace) -> int:
    queues = asyncio.run(registry().queue_list(config))
    found = next((one for one in queues if one.queue == args.queue), None)
    if found is None:
        raise Declined(f"there is no queue {args.queue[:80]!r}{nearest(args.queue, [one.queue for one in queues])}")
    if args.json:
        print(json_line(_row(found)))
        return exits.OK
    print(block(words_of(found.queue, found.rules)))
    for line in _closures(found.rules):
        print(f"# {line}")
    return exits.OK


def _closures(rules: QueueRules) -> list[str]:
    if rules.hours is None or not rules.hours.closures:
        return []
    zone, closures = rules.hours.zone, rules.hours.closures
    lines = [f"{len(closures)} closures, times in UTC; the zone of the queue is {zone}"]
    lines += [
        f"{moment(one.from_ms)} to {moment(one.to_ms)}  {harmless(one.title)}" for one in closures[-SHOWN_CLOSURES:]
    ]
    return lines


def _set(config: Config, args: argparse.Namespace) -> int:
    try:
        subjects.token(args.queue)
    except ValueError:
        raise Declined("a queue's name is 1 to 64 letters, digits, '-' and '_'") from None
    words = _words(args)
    source = Path(args.source) if args.source else None
    is_new = args.deed == "add"
    if source is not None:
        words = _block(source, args.queue) | words
    elif not words and not is_new:
        raise Declined("nothing was said that should change; `broker-bridge queue set --help` shows what can")
    folder = source.absolute().parent if source is not None and not args.holidays else Path.cwd()
    wish = QueueWish(queue=args.queue, words=words, folder=folder, is_new=is_new, is_whole=is_new or source is not None)
    for warning in asyncio.run(registry().queue_set(config, wish)):
        exits.say(f"note: {warning}")
    exits.say(f"queue {args.queue} {'is defined' if is_new else 'is changed'}")
    if config.queue(args.queue) is not None:
        exits.say(f"{config.path} has a block for it: this holds until that block changes")
    return exits.OK


def _remove(config: Config, args: argparse.Namespace) -> int:
    asyncio.run(registry().queue_remove(config, args.queue))
    exits.say(f"queue {args.queue} is no more")
    return exits.OK


def _words(args: argparse.Namespace) -> dict[str, Any]:
    """What the options say, as a block would."""
    words: dict[str, Any] = {key: value for key in PLAIN if (value := getattr(args, key)) is not None}
    words |= {key: _listed(value) for key in LISTS if (value := getattr(args, key)) is not None}
    if args.always_open:
        words["hours"] = {}
    elif args.hours:
        words["hours"] = _hours(Path(args.hours))
    if args.holidays:
        words["holidays"] = list(args.holidays)
    if args.overflow is not None:
        words["overflow"] = [_step(text) for text in args.overflow if text.strip()]
    if args.target is not None:
        words["target"] = [_target(text) for text in args.target if text.strip()]
    if args.disposition is not None:
        words["dispositions"] = [_disposition(text) for text in args.disposition if text.strip()]
    return words


PLAIN = (
    "title",
    "priority",
    "mode",
    "affinity_s",
    "responsible_first",
    "offer_s",
    "service_level",
    "warn_share",
    "wrap_up",
    "wrap_up_s",
    "default_disposition",
    "away_reply",
)
LISTS = ("order", "needs", "auto_accept", "pauses")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _hours(path: Path) -> dict[str, Any]:
    table = _table(path)
    found = table.get("hours", table)
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: hours: expected a table")
    return found


def _block(path: Path, name: str) -> dict[str, Any]:
    """The block of this name, or the only one."""
    blocks = _table(path).get("queue")
    if not isinstance(blocks, list) or not all(isinstance(one, dict) for one in blocks) or not blocks:
        raise ConfigError(f"{path}: queue: there is no block [[queue]] in it")
    found = [one for one in blocks if one.get("name", name) == name]
    if not found:
        raise ConfigError(f"{path}: queue: there is no block of the name {name!r}")
    return {key: value for key, value in found[0].items() if key != "name"}


def _step(text: str) -> dict[str, Any]:
    """`60 widen 1`, `120 queue sales`, `300 alarm Somebody waits`."""
    parts = text.split(None, 2)
    if len(parts) < 3 or not parts[0].isdecimal() or parts[1] not in ("widen", "queue", "alarm"):
        raise Declined("--overflow is written as '60 widen 1', '120 queue sales' or '300 alarm TEXT'")
    if parts[1] == "widen" and not parts[2].isdecimal():
        raise Declined("--overflow 'SECONDS widen N': N is a number of levels")
    return {"after_s": int(parts[0]), parts[1]: int(parts[2]) if parts[1] == "widen" else parts[2]}


def _target(text: str) -> dict[str, Any]:
    """`first_reply=15m next_reply=1h resolution=4h`, with `priority=1` for one priority."""
    found: dict[str, Any] = {}
    for part in text.split():
        key, parted, value = part.partition("=")
        if not parted or key not in ("priority", "first_reply", "next_reply", "resolution"):
            raise Declined("--target is written as 'first_reply=15m next_reply=1h resolution=4h'")
        if key == "priority" and not value.isdecimal():
            raise Declined("--target 'priority=N': N is 1 to 9")
        found[key] = int(value) if key == "priority" else value
    return found


def _disposition(text: str) -> Any:
    """`sold: order number, amount`."""
    name, _, fields = text.partition(":")
    return {"name": name.strip(), "fields": _listed(fields)} if fields.strip() else name.strip()
