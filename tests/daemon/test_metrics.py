"""/metrics: a page that a scraper reads, with the numbers of the moment."""

from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from broker_bridge.daemon.metrics import ChannelCounts, Metrics, QueueLevel, Snapshot


@dataclass
class Numbers:
    now: Snapshot = field(default_factory=Snapshot)
    asked: int = 0

    def snapshot(self) -> Snapshot:
        self.asked += 1
        return self.now


def samples(page: bytes) -> dict[tuple[str, str], float]:
    """Name and the value of its one label, to number."""
    return {
        (sample.name, "".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_the_page_holds_the_numbers_of_the_moment() -> None:
    numbers = Numbers()
    metrics = Metrics(numbers)
    numbers.now = Snapshot(
        channels={"mail": ChannelCounts(received=7, stored=5, quarantined=1, duplicates=1, unknown=2, is_up=True)},
        queues={"support": QueueLevel(waiting=3, oldest_s=12.5)},
        log_seq=120,
        follower_seq=100,
        fills={"LOG": 0.25},
        reconnects=4,
        lost_races=9,
        clock_jump_s=-3600.0,
        is_connected=True,
    )
    told = samples(metrics.render())
    assert told["onewindow_channel_received_total", "mail"] == 7
    assert told["onewindow_channel_quarantined_total", "mail"] == 1
    assert told["onewindow_channel_unknown_total", "mail"] == 2
    assert told["onewindow_channel_up", "mail"] == 1
    assert told["onewindow_queue_waiting", "support"] == 3
    assert told["onewindow_queue_oldest_seconds", "support"] == 12.5
    assert told["onewindow_follower_lag", ""] == 20
    assert told["onewindow_stream_fill_ratio", "LOG"] == 0.25
    assert told["onewindow_broker_reconnects_total", ""] == 4
    assert told["onewindow_lost_races_total", ""] == 9
    assert told["onewindow_clock_jump_seconds", ""] == -3600
    numbers.now = Snapshot(channels={"mail": ChannelCounts(received=8)})
    assert samples(metrics.render())["onewindow_channel_received_total", "mail"] == 8


def test_the_bridge_is_not_asked_before_somebody_scrapes() -> None:
    numbers = Numbers()
    Metrics(numbers)
    assert numbers.asked == 0


def test_two_bridges_in_one_process_do_not_mix() -> None:
    one, other = Numbers(Snapshot(log_seq=1)), Numbers(Snapshot(log_seq=2))
    pages = [Metrics(numbers).render() for numbers in (one, other)]
    assert [samples(page)["onewindow_log_sequence", ""] for page in pages] == [1, 2]
