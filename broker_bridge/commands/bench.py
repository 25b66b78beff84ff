"""`bench`: what this machine can do; the measuring itself is the daemon's."""

from __future__ import annotations

import argparse
import importlib


def execute(args: argparse.Namespace) -> int:
    return int(importlib.import_module("broker_bridge.daemon.bench").main(args.rest) or 0)
