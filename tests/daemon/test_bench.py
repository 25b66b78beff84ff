"""`broker-bridge bench`: what it prints; how fast the machine is, is no test."""

from __future__ import annotations

import json
from typing import Any

import pytest

from broker_bridge.daemon import bench
from broker_bridge.daemon.bench.figures import by_ratio, by_value, percentile, rounded


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    assert bench.main(argv) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(
    ("row", "references"),
    [
        (1, ["raw atomic batches of 512", "one by one publishes"]),
        (2, ["raw explicit-ack consume", "nats-py fetch + publish"]),
        (3, ["one bare JetStream ack, p50", "one bare JetStream ack, p99"]),
        (9, ["bare publish -> receive, p50", "bare publish -> receive, p99"]),
    ],
)
def test_every_figure_stands_beside_its_reference(
    capsys: pytest.CaptureFixture[str], row: int, references: list[str]
) -> None:
    report = printed(capsys, "--quick", "--rows", str(row))
    assert report["is_quick"] and report["machine"]["cores"] >= 1
    assert [one["row"] for one in report["rows"]] == [row]
    checks = report["rows"][0]["checks"]
    assert [check["reference"] for check in checks] == references
    assert all(check["value"] > 0 and check["reference_value"] > 0 for check in checks)
    assert all(isinstance(check["is_met"], bool) and check["goal"] for check in checks)


def test_the_bridge_with_many_cases_tells_its_memory_and_its_start(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = printed(capsys, "--quick", "--rows", "12")["rows"]
    assert row["more"]["open_conversations"] == 200
    assert row["more"]["resident_mb"] > 0
    assert row["checks"][0]["reference"] == "ordered replay of the same stream"


def test_a_row_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--rows", "4711"]) == 64
    assert "4711" in capsys.readouterr().err


def test_a_goal_says_whether_it_is_met() -> None:
    assert by_ratio("a", 90.0, "/s", "b", 100.0, "more", 0.8).is_met
    assert not by_ratio("a", 70.0, "/s", "b", 100.0, "more", 0.8).is_met
    assert by_ratio("a", 1.4, "ms", "b", 1.0, "less", 1.5).is_met
    assert not by_value("a", 31.0, "ms", "b", 1.0, 30.0).is_met


def test_figures_are_short() -> None:
    assert (rounded(12345.6), rounded(0.012345), rounded(123.456)) == (12346.0, 0.0123, 123.0)
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([], 0.99) == 0.0
