"""Figures of the window, each beside its reference of the same run. The shape is that of the bridge's benchmark; the terminal knows of
the bridge only its words, so it is said here once more.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One goal: a figure, what it is held against, and whether that is enough."""

    figure: str
    value: float
    unit: str
    reference: str
    reference_value: float | None
    """None: the reference is not installed here."""
    ratio: float | None
    goal: str
    is_met: bool | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table of goals."""

    row: int
    what: str
    checks: tuple[Check, ...]
    more: Mapping[str, float | int | str] = {}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    program: str
    is_quick: bool
    machine: Mapping[str, str | int | float]
    rows: tuple[Row, ...]


def at_most(
    figure: str, value: float, reference: str, reference_value: float | None, *, times: float = 0.0, ms: float = 0.0
) -> Check:
    """A goal in milliseconds: at most `times` the reference, or at most `ms`."""
    ratio = value / reference_value if reference_value else None
    is_met = value <= ms if ms else None if ratio is None else ratio <= times
    return Check(
        figure=figure,
        value=rounded(value),
        unit="ms",
        reference=reference,
        reference_value=None if reference_value is None else rounded(reference_value),
        ratio=None if ratio is None else rounded(ratio),
        goal=f"<= {ms:g} ms" if ms else f"<= {times:g}x",
        is_met=is_met,
    )


def rounded(value: float) -> float:
    """Three digits that matter."""
    return float(f"{value:.3g}") if abs(value) < 1000 else float(round(value))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def machine() -> dict[str, str | int | float]:
    """What was measured on: nothing that names its owner."""
    facts: dict[str, str | int | float] = {
        "cores": os.cpu_count() or 1,
        "load_1m": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for package in ("textual", "rich", "msgspec", "nats-py"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "absent"
    return facts
