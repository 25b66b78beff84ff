"""`run`: the bridge, until it is stopped."""

from __future__ import annotations

import argparse
import time

from broker_bridge.commands import exits
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon import log, policyfile


def execute(args: argparse.Namespace) -> int:
    """Raises ConfigError. A channel whose settings are wrong is named here; the others work."""
    config = configuration.load(configuration.find(args.config))
    log.setup(config.log.level, config.log.format)
    for problem in configuration.channel_problems(config):
        exits.say(f"broker-bridge: {problem}; this channel stays closed, the others work")
    laws = policyfile.laws(config, time.time_ns() // 1_000_000)
    for wrong in policyfile.problems_of(config, laws):
        if not wrong.is_warning:
            exits.say(f"broker-bridge: {config.path}: {wrong}; the last good policy stays in force")
    # Loaded only now: a wrong configuration is told at once, not after the broker's library.
    from broker_bridge.daemon.run import main

    return main(config)
