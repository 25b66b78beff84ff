"""Row 4 of `broker-bridge bench`: what it prints; how fast the machine is, is no test."""

from __future__ import annotations

import json

import pytest

from broker_bridge.daemon import bench
from broker_bridge.daemon.bench.routing import Floor


def test_a_decision_stands_beside_one_and_beside_a_scan(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--quick", "--rows", "4"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert [check["reference"] for check in row["checks"]] == [
        "a bitset AND over the same data, p99",
        "the same among 100",
        "a scan over the same data",
    ]
    assert all(check["value"] > 0 and check["reference_value"] > 0 for check in row["checks"])
    assert row["more"]["waiting"] == 1_000 and row["more"]["line_mb"] > 0 and row["more"]["round_for_nobody_us"] > 0
    more = row["more"]
    assert (more["floor_agents"], more["floor_waiting"]) == (400, 1_000)
    assert more["floor_load_all_s"] > 0 and more["floor_resident_mb"] > more["floor_resident_mb_before"] > 0
    assert more["floor_decision_with_why_p50_us"] > more["floor_choice_p50_us"] > 0
    assert 500 < more["floor_offers"] <= 1_000


def test_the_scan_that_it_is_measured_against_finds_somebody_for_the_same_requests() -> None:
    floor = Floor(200)
    requests = [floor.request() for _ in range(100)]
    found = [floor.scan(request) is not None for request in requests]
    assert found == [floor.index.choose(request) is not None for request in requests]
    assert any(found) and not all(found)
