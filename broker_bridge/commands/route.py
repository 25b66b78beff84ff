"""`route --what-if POLICY.toml`: what another policy would have changed, from the log.

Law: how many decisions come out as they were stands first: it says what the rest is worth. Ids, queues and colleagues are shown; nothing
that a customer wrote, and no address.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from broker_bridge.commands import exits
from broker_bridge.commands.tables import columns, harmless, json_line
from broker_bridge.core.replay_plan import Difference, Report, Sums
from broker_bridge.daemon import config as configuration
from broker_bridge.daemon.office import Declined

UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
AGO = re.compile(r"(\d{1,9})([smhdw])")


def execute(args: argparse.Namespace) -> int:
    from broker_bridge.daemon import log, whatif

    config = configuration.load(configuration.find(args.config))
    log.setup("error")
    now_ms = time.time_ns() // 1_000_000
    since_ms = moment_of("--since", args.since, now_ms)
    until_ms = moment_of("--until", args.until, now_ms) if args.until else None
    if until_ms is not None and until_ms <= since_ms:
        raise Declined("--until is not after --since")
    asked = whatif.Asked(path=Path(args.policy), since_ms=since_ms, until_ms=until_ms, queue=args.queue)
    report = asyncio.run(whatif.replayed(config, asked))
    if args.json:
        print(json_line(msgspec.to_builtins(report)))
    else:
        print("\n".join(lines(report, args.limit)))
    return exits.OK


def moment_of(option: str, text: str, now_ms: int) -> int:
    """Ms of `24h` ago, of `2026-11-21`, or of `2026-11-21T09:30` (UTC, unless it says otherwise). Raises Declined."""
    ago = AGO.fullmatch(text.strip())
    if ago is not None:
        return now_ms - int(ago[1]) * UNITS_S[ago[2]] * 1000
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Declined(f"{option} is written as 90m, 24h or 7d (ago), or as 2026-11-21T09:30") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def lines(report: Report, limit: int) -> list[str]:
    """All that is printed; at most `limit` differences (0: all)."""
    found = [*_honesty(report), ""]
    if not report.all.decisions and not report.all.unasked:
        return [*found[:-1], "nothing was offered by the router in that time"]
    names = {name: harmless(said) for name, said in report.names.items()}
    queues = [(name, *_counts(sums)) for name, sums in sorted(report.queues.items())]
    head = ("QUEUE", "DECISIONS", "REPRODUCED", "SAME", "OTHER AGENT", "WOULD WAIT", "SOONER", "NEVER OFFERED")
    found.append(columns(head, [*queues, ("all", *_counts(report.all))]))
    agents = [
        (name, one.offers, one.offers_then, f"{one.offers_then - one.offers:+}", one.units, one.units_then)
        for name, one in sorted(report.agents.items())
    ]
    if agents:
        found += ["", columns(("AGENT", "OFFERS", "WOULD BE", "CHANGE", "UNITS", "WOULD BE"), agents)]
    shown = sorted(report.differences, key=lambda one: one.at_ms)
    if shown:
        is_long = report.until_ms - shown[0].at_ms > 86_400_000 or _day(shown[0].at_ms) != _day(shown[-1].at_ms)
        found += ["", f"{len(shown):,} differences, times in UTC"]
        found += [_line(one, names, is_long) for one in (shown[:limit] if limit else shown)]
        if limit and len(shown) > limit:
            found.append(f"… and {len(shown) - limit:,} more: --limit 0 shows all")
    return found


def _honesty(report: Report) -> list[str]:
    total = report.all
    found = [f"reproduced {total.reproduced:,} of {total.decisions:,} decisions as they were"]
    helped = {
        "presence": "heartbeats and next statuses are no facts",
        "turns": "whose turn it is among equals is no fact",
    }
    for key, count in sorted(report.helped.items()):
        found.append(f"  {count:,} of them with what the decision itself recorded: {helped.get(key, key)}")
    for key, count in sorted(report.missed.items(), key=lambda one: (-one[1], one[0])):
        found.append(f"  {count:,} not, and not compared: {key}")
    if report.unread:
        found.append(f"  {report.unread:,} entries of a later version were left out")
    if report.moved:
        found.append(
            f"  {report.moved:,} would have waited in another queue: who would have been moved from there by hand, and how "
            "full it would have been by then, nobody can know"
        )
    found.append("Each decision is made again in the situation that was: a changed one changes no later one.")
    return found


def _counts(sums: Sums) -> tuple[int, ...]:
    return sums.decisions, sums.reproduced, sums.same, sums.other_agent, sums.waits, sums.sooner, sums.unasked


def _line(one: Difference, names: dict[str, str], is_long: bool) -> str:
    """`10:02:11 K7Q2M cards  offered to Maya (knows the customer)  ->  Ole (least to do: 20 of 100)`."""
    at = datetime.fromtimestamp(one.at_ms / 1000, UTC)
    clock = at.strftime("%m-%d %H:%M:%S" if is_long else "%H:%M:%S")
    was = f"offered to {_people(one.was, names)}{_because(one.was_reason)}"
    if one.kind == "unasked":
        was = f"never offered{_because(one.was_reason)}"
    now = f"{_people(one.now, names)}{_because(one.now_reason)}" if one.now else f"waits{_because(one.now_reason)}"
    if one.kind == "sooner":
        now = _people(one.now, names)
    sooner = f", {_span(one.sooner_ms)} sooner" if one.sooner_ms else ""
    moved = f", from {one.now_queue}" if one.now_queue != one.queue else ""
    return f"{clock} {one.number} {one.queue}  {was}  ->  {now}{sooner}{moved}"


def _people(agents: tuple[str, ...], names: dict[str, str]) -> str:
    first = [names.get(one, one) for one in agents[:3]]
    return ", ".join(first) + (f" and {len(agents) - 3} more" if len(agents) > 3 else "")


def _because(reason: str) -> str:
    return f" ({harmless(reason)})" if reason else ""


def _span(ms: int) -> str:
    seconds = ms // 1000
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7_200 else f"{seconds // 3_600} h {seconds % 3_600 // 60} min"


def _day(at_ms: int) -> int:
    return at_ms // 86_400_000
