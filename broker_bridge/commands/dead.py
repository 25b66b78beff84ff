"""`dead`: work items that could not be read or applied. Nothing in DEAD is lost; it waits for a repair and a replay."""

from __future__ import annotations

import argparse
import asyncio
import sys

from broker_bridge.commands import exits
from broker_bridge.commands.asking import office
from broker_bridge.commands.tables import columns, harmless, json_line, moment
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon.config import Config
from broker_bridge.daemon.office import DeadLine

SHOWN_CHARS = 20_000


def execute(args: argparse.Namespace) -> int:
    config = configuration.load(configuration.find(args.config))
    deeds = {"list": _list, "show": _show, "replay": _replay}
    return deeds[args.deed](config, args)


def _list(config: Config, args: argparse.Namespace) -> int:
    items = asyncio.run(office().dead_list(config))
    if args.json:
        for one in items:
            print(json_line(_row(one)))
        return exits.OK
    rows = [
        (
            one.seq,
            moment(one.at_ms),
            one.channel,
            one.size_bytes,
            "replayed" if one.is_replayed else "",
            harmless(one.reason),
        )
        for one in items
    ]
    print(columns(("ID", "TIME", "CHANNEL", "BYTES", "", "REASON"), rows) if rows else "nothing waits for repair")
    return exits.OK


def _show(config: Config, args: argparse.Namespace) -> int:
    item = asyncio.run(office().dead_show(config, args.id))
    if args.raw:
        sys.stdout.buffer.write(item.raw)
        return exits.OK
    line = item.line
    print(f"{line.seq}  {moment(line.at_ms)}  {line.channel}  {line.size_bytes} bytes\n{harmless(line.reason)}\n")
    text = item.raw.decode("utf-8", "replace")
    for row in text[:SHOWN_CHARS].splitlines():
        print(harmless(row))
    if len(text) > SHOWN_CHARS:
        exits.say(f"… and {len(text) - SHOWN_CHARS} characters more: --raw gives all")
    return exits.OK


def _replay(config: Config, args: argparse.Namespace) -> int:
    asyncio.run(office().dead_replay(config, args.id))
    exits.say(f"{args.id} is on its way again; `broker-bridge dead list` shows it if it fails")
    return exits.OK


def _row(one: DeadLine) -> dict[str, object]:
    return {
        "id": one.seq,
        "at_ms": one.at_ms,
        "channel": one.channel,
        "reason": one.reason,
        "size_bytes": one.size_bytes,
        "is_replayed": one.is_replayed,
    }
