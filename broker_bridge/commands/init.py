"""`init`: a folder with a commented bridge.toml and an example of a systemd unit."""

from __future__ import annotations

import argparse
from pathlib import Path

from broker_bridge.commands import exits
from broker_bridge.daemon import starter
from broker_bridge.daemon.config import FILE_NAME


def execute(args: argparse.Namespace) -> int:
    """Never overwrites. Raises OSError."""
    folder = Path(args.folder)
    files = {FILE_NAME: starter.CONFIG, starter.UNIT_NAME: starter.UNIT}
    there = [name for name in files if (folder / name).exists()]
    if there:
        exits.say(f"broker-bridge: {folder / there[0]} is there already; nothing was written")
        return exits.FAILURE
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        with (folder / name).open("x") as file:
            file.write(text)
        exits.say(f"wrote {folder / name}")
    exits.say(f"next: broker-bridge run --config {folder / FILE_NAME}")
    return exits.OK
