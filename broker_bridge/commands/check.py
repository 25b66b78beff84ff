"""`check`: the configuration, tried with the real servers."""

from __future__ import annotations

import argparse
import asyncio
import time

from broker_bridge.commands import exits
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon import log, policyfile
from broker_bridge.daemon.checks import check
from broker_bridge.daemon.config import Config

MARKS = {"ok": "ok   ", "note": "note ", "misconfigured": "WRONG", "unreachable": "DOWN "}


def execute(args: argparse.Namespace) -> int:
    """78 if the configuration is wrong, 69 if a server is not there, 0 if all is well. Raises ConfigError."""
    config = configuration.load(configuration.find(args.config))
    log.setup("error", config.log.format)
    verdicts = asyncio.run(_tell(config, dict(args.agent)))
    if "misconfigured" in verdicts:
        return exits.CONFIG
    return exits.UNAVAILABLE if "unreachable" in verdicts else exits.OK


async def _tell(config: Config, agents: dict[str, str]) -> set[str]:
    verdicts = _tell_policy(config)
    async for finding in check(config, agents):
        verdicts.add(finding.verdict)
        print(f"{MARKS[finding.verdict]}  {finding.what}: {finding.sentence}", flush=True)
    return verdicts


def _tell_policy(config: Config) -> set[str]:
    """File and key of everything that is wrong with the policy; agents who are let in by command are not known here."""
    laws = policyfile.laws(config, time.time_ns() // 1_000_000)
    problems = policyfile.problems_of(config, laws)
    wrong = [one for one in problems if not one.is_warning]
    if not wrong:
        print(f"{MARKS['ok']}  {config.path}", flush=True)
    for one in problems:
        print(f"{MARKS['note' if one.is_warning else 'misconfigured']}  {config.path}: {one}", flush=True)
    return {"misconfigured"} if wrong else set()
