"""`audit`: the books of every channel. received = stored + quarantined + pending, or the command fails and names what is missing."""

from __future__ import annotations

import argparse
import asyncio

from broker_bridge.commands import exits
from broker_bridge.commands.asking import office
from broker_bridge.commands.tables import columns, harmless, json_line
from broker_bridge.daemon import config as configuration

SHOWN_IDS = 20
HEADS = (
    "CHANNEL",
    "RECEIVED",
    "STORED",
    "QUARANTINED",
    "PENDING",
    "GAP",
    "SHOWN",
    "QUEUED",
    "SENT",
    "FAILED",
    "UNKNOWN",
)


def execute(args: argparse.Namespace) -> int:
    config = configuration.load(configuration.find(args.config))
    lines = asyncio.run(office().audit(config))
    is_whole = all(line.gap == 0 and not line.missing and not line.doubled for line in lines)
    if args.json:
        for line in lines:
            print(
                json_line(
                    {
                        "channel": line.channel,
                        "received": line.received,
                        "stored": line.stored,
                        "quarantined": line.quarantined,
                        "pending": line.pending,
                        "gap": line.gap,
                        "missing": list(line.missing),
                        "doubled": list(line.doubled),
                        "shown": line.shown,
                        "queued": line.queued,
                        "sent": line.sent,
                        "failed": line.failed,
                        "unknown": line.unknown,
                    }
                )
            )
        return exits.OK if is_whole else exits.FAILURE
    rows = [
        (
            one.channel,
            one.received,
            one.stored,
            one.quarantined,
            one.pending,
            one.gap,
            one.shown,
            one.queued,
            one.sent,
            one.failed,
            one.unknown,
        )
        for one in lines
    ]
    print(columns(HEADS, rows) if rows else "nothing came in yet")
    for line in lines:
        for name in line.missing[:SHOWN_IDS]:
            print(f"{line.channel}: missing {harmless(name)}")
        for name in line.doubled[:SHOWN_IDS]:
            print(f"{line.channel}: doubled {harmless(name)}")
    exits.say(
        "every item that came in is accounted for"
        if is_whole
        else "items are missing: keep the streams, and report this"
    )
    return exits.OK if is_whole else exits.FAILURE
