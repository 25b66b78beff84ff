"""`agent-tui bench`: the window's rows of the table of goals, as JSON on stdout, each figure with its reference.

Law: the real program in a real pseudo-terminal, in folders of its own; nothing of the person's is read or written. A missed goal is
said and does not change the exit code.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from agent_tui.bench import measures
from agent_tui.bench.figures import Report, Row, machine

LARGE = 1_000_000


def _row5(folder: Path, is_quick: bool) -> Row:
    return measures.row5(folder, (100,) if is_quick else (1_000, LARGE), 1 if is_quick else 5)


def _row6(folder: Path, is_quick: bool) -> Row:
    return measures.row6(folder, (50, 200) if is_quick else (1_000, LARGE), 5 if is_quick else 300)


def _row9(folder: Path, is_quick: bool) -> Row:
    return measures.row9(folder, 1.0 if is_quick else 10.0)


ROWS: dict[int, Callable[[Path, bool], Row]] = {5: _row5, 6: _row6, 9: _row9}


def main(argv: Sequence[str]) -> int:
    """Run and print; the exit code."""
    names = ", ".join(map(str, ROWS))
    top = argparse.ArgumentParser(prog="agent-tui bench", description="Measure the window on this machine: JSON.")
    top.add_argument("--quick", action="store_true", help="small runs: the shape, not the figures")
    top.add_argument("--rows", default=names.replace(" ", ""), metavar="N,N", help=f"which rows: {names}")
    args = top.parse_args(list(argv))
    wanted = [int(part) if part.isdigit() else 0 for part in args.rows.split(",")]
    if unknown := [row for row in wanted if row not in ROWS]:
        print(f"agent-tui bench: there is no row {unknown[0]}", file=sys.stderr)
        return 64
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="onewindow-bench-") as folder:
        for number in wanted:
            print(f"row {number} ...", file=sys.stderr, flush=True)
            place = Path(folder) / f"row{number}"
            place.mkdir()
            found.append(ROWS[number](place, args.quick))
    report = Report(program="agent-tui bench", is_quick=args.quick, machine=machine(), rows=tuple(found))
    print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    return 0
