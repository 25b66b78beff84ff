"""What a benchmark says: figures, each beside its reference of the same run.

Law: a figure without a reference says nothing on a machine that others use too; the ratio is what counts. Rows are numbered as in the
table of goals; a goal that is missed is printed as missed.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import msgspec

Better = Literal["more", "less"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One goal: a figure, what it is held against, and whether that is enough."""

    figure: str
    value: float
    unit: str
    reference: str
    reference_value: float
    ratio: float
    """value / reference_value."""
    goal: str
    is_met: bool


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table of goals."""

    row: int
    what: str
    checks: tuple[Check, ...]
    more: Mapping[str, float | int | str] = {}
    """Figures that explain the row and are no goal."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    program: str
    is_quick: bool
    machine: Mapping[str, str | int | float]
    rows: tuple[Row, ...]


def by_ratio(
    figure: str, value: float, unit: str, reference: str, reference_value: float, better: Better, bound: float
) -> Check:
    """A goal on value / reference: at least (`more`) or at most (`less`) `bound`."""
    ratio = value / reference_value if reference_value else 0.0
    is_met = ratio >= bound if better == "more" else ratio <= bound
    return Check(
        figure=figure,
        value=rounded(value),
        unit=unit,
        reference=reference,
        reference_value=rounded(reference_value),
        ratio=rounded(ratio),
        goal=f"{'>=' if better == 'more' else '<='} {bound:g}x",
        is_met=is_met,
    )


def by_value(figure: str, value: float, unit: str, reference: str, reference_value: float, bound: float) -> Check:
    """A goal on the figure itself: at most `bound`; the reference says what the machine gives today."""
    ratio = value / reference_value if reference_value else 0.0
    return Check(
        figure=figure,
        value=rounded(value),
        unit=unit,
        reference=reference,
        reference_value=rounded(reference_value),
        ratio=rounded(ratio),
        goal=f"<= {bound:g} {unit}",
        is_met=value <= bound,
    )


def rounded(value: float) -> float:
    """Three digits that matter."""
    return float(f"{value:.3g}") if abs(value) < 1000 else float(round(value))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values)) if values else 0.0


def machine(packages: Sequence[str]) -> dict[str, str | int | float]:
    """What was measured on: nothing that names its owner."""
    facts: dict[str, str | int | float] = {
        "cores": os.cpu_count() or 1,
        "load_1m": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": _sqlite(),
    }
    for package in packages:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "absent"
    return facts


def _sqlite() -> str:
    import sqlite3

    return sqlite3.sqlite_version


def resident_bytes() -> int:
    """Memory of this process that is in RAM now; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def printed(report: Any) -> None:
    """JSON on stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
