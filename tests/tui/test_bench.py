"""`agent-tui bench`: what it prints; how fast the machine is, is no test."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent_tui import bench
from agent_tui.bench.figures import at_most, percentile


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    assert bench.main(argv) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_start_is_measured_beside_the_bare_import(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = printed(capsys, "--quick", "--rows", "5")["rows"]
    (check,) = row["checks"]
    assert check["reference"] == "import textual.app" and check["ratio"] > 0
    assert row["more"]["painted_100"] == 1, "the rows of the last run were on the screen"


def test_every_key_press_paints(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = printed(capsys, "--quick", "--rows", "6")["rows"]
    assert row["more"]["answered"] == row["more"]["presses"] == 5
    assert [check["goal"] for check in row["checks"]] == ["<= 8 ms", "<= 1x", "<= 16 ms", "<= 1x", "<= 1.1x"]


def test_news_is_seen_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = printed(capsys, "--quick", "--rows", "9")["rows"]
    assert row["more"]["painted"] > 0


def test_a_row_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--rows", "x"]) == 64
    assert "no row" in capsys.readouterr().err


def test_without_the_other_program_there_is_no_verdict() -> None:
    assert at_most("a", 5.0, "aerc, p50", None, times=1.0).is_met is None
    assert at_most("a", 5.0, "aerc, p50", None, ms=8.0).is_met is True
    assert at_most("a", 5.0, "aerc, p50", 4.0, times=1.0).is_met is False
    assert percentile([], 0.5) == 0.0
