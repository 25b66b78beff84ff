"""`run`: the bridge, until it is stopped."""

from __future__ import annotations

import argparse

from broker_bridge.commands import exits
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon import log


def execute(args: argparse.Namespace) -> int:
    """Raises ConfigError. A channel whose settings are wrong is named here; the others work."""
    config = configuration.load(configuration.find(args.config))
    log.setup(config.log.level, config.log.format)
    for problem in configuration.channel_problems(config):
        exits.say(f"broker-bridge: {problem}; this channel stays closed, the others work")
    # Loaded only now: a wrong configuration is told at once, not after the broker's library.
    from broker_bridge.daemon.run import main

    return main(config)
