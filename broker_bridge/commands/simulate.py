"""`simulate`: random histories of a whole site in memory, every promise checked after each; a failing seed, and how to repeat it."""

from __future__ import annotations

import argparse

import msgspec

from broker_bridge.commands import exits
from broker_bridge.commands.tables import json_line

SHOWN = 20
SHOWN_PROBLEMS = 4


def execute(args: argparse.Namespace) -> int:
    from broker_bridge.daemon.simulation import run
    from broker_bridge.daemon.simulation.planted import BUGS

    if args.planted and args.planted not in BUGS:
        exits.say(f"no bug of that name; there are: {', '.join(BUGS)}")
        return exits.USAGE

    def broken(told: run.Told) -> None:
        # Ten thousand take a quarter of an hour: nobody shall wait for the end of it to hear of the first.
        exits.say(f"seed {told.seed} broke a promise; again: {run.repeated(told.seed, args.planted)}")

    found = run.run(
        args.first, args.seeds, planted=args.planted, seconds=args.seconds, jobs=args.jobs, on_broken=broken
    )
    if args.json:
        print(json_line({**msgspec.to_builtins(found), "a_second": round(found.a_second, 1)}))
    else:
        _print(found)
    is_right = bool(found.failed) == bool(args.planted)
    return exits.OK if is_right else exits.FAILURE


def _print(found: object) -> None:
    from broker_bridge.daemon.simulation.checkers import HAPPENED
    from broker_bridge.daemon.simulation.run import Summary, repeated

    assert isinstance(found, Summary)
    for seed, problems in list(found.failed.items())[:SHOWN]:
        print(f"seed {seed}: {len(problems)} promises broken; again: {repeated(seed, found.planted)}")
        for problem in problems[:SHOWN_PROBLEMS]:
            print(f"  {problem}")
    for what, number in sorted(found.counts.items(), key=lambda one: (not one[0].startswith(HAPPENED), one[0])):
        print(f"{number:>10,}  {what.removeprefix(HAPPENED)}")
    print(
        f"{found.seeds:,} histories, {found.virtual_s / 3600:,.1f} hours of life, {found.entries:,} entries in the log, "
        f"{found.steps:,} steps, in {found.took_s:.1f} s: {found.a_second:.1f} a second on {found.jobs} processes; digest {found.digest}"
    )
    if found.planted:
        exits.say("the bug was found" if found.failed else "the bug was not found: the checkers are blind to it")
    else:
        exits.say(f"{len(found.failed)} broke a promise" if found.failed else "every promise was kept")
