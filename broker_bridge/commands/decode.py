"""`decode`: what a channel makes of files, without a configuration, a broker or a bridge.

Law: one JSON object a line, in the order of the files; an input that the channel cannot read is an answer too (its reason), and only a
file that is not there is a failure. The output is ASCII: what a customer wrote cannot command the operator's terminal.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import msgspec

from broker_bridge import channel
from broker_bridge.commands import exits


def execute(args: argparse.Namespace) -> int:
    try:
        if not args.kind.isidentifier():
            raise LookupError("a channel kind is a name, as email")
        kind = channel.load(args.kind)
    except LookupError as error:
        exits.say(f"broker-bridge: {error.args[0]}")
        return exits.USAGE
    if not hasattr(kind, "describe"):
        exits.say(f"broker-bridge: channel kind {args.kind!r} has nothing that comes in files")
        return exits.USAGE
    code = exits.OK
    for name in args.files:
        try:
            raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            exits.say(f"broker-bridge: {name}: {error.strerror}")
            code = exits.FAILURE
            continue
        print(json.dumps({"file": name} | msgspec.to_builtins(kind.describe(raw))), flush=True)
    return code
