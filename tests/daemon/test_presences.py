"""Presence as a lease: what is renewed in time stays, on every bridge."""

import asyncio

import pytest

from broker_bridge.daemon.presence import PRESENCE_TTL_S, SILENT_MS, Presences
from broker_bridge.daemon.wire import LostRace, Unavailable
from tests.until import until


class Bucket:
    """Notes when something was put."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000
        self.put_ms: list[int] = []

    async def get(self, key: str) -> tuple[bytes, int] | None:
        return None

    async def create(self, key: str, value: bytes) -> int:
        return await self.update(key, value, 0)

    async def update(self, key: str, value: bytes, revision: int) -> int:
        assert revision == len(self.put_ms)
        self.put_ms.append(self.now_ms)
        return len(self.put_ms)


async def test_an_agent_whose_terminal_speaks_every_eight_seconds_never_expires_from_the_bucket() -> None:
    bucket = Bucket()
    staff = Presences(bucket, lambda: bucket.now_ms, asyncio.sleep)
    await staff.chose("maya", "ready")
    for _ in range(40):
        bucket.now_ms += 8_000
        await staff.heard("maya")
    gaps_ms = [later - earlier for earlier, later in zip(bucket.put_ms, bucket.put_ms[1:], strict=False)]
    assert max(gaps_ms) < PRESENCE_TTL_S * 1000 / 2
    assert bucket.now_ms - bucket.put_ms[-1] < PRESENCE_TTL_S * 1000 / 2
    assert staff.of("maya").state == "ready"


class Shared:
    """A bucket that tells nobody by itself: the test says which word reaches which bridge when."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.keys: set[str] = set()
        self.is_broken = False
        self.asked = 0

    async def get(self, key: str) -> tuple[bytes, int] | None:
        if self.is_broken:
            raise Unavailable("no connection to the broker")
        return (self.values[-1], len(self.values)) if self.values else None

    async def create(self, key: str, value: bytes) -> int:
        return await self.update(key, value, 0)

    async def update(self, key: str, value: bytes, revision: int) -> int:
        await asyncio.sleep(0)
        self.asked += 1
        if self.is_broken:
            raise Unavailable("no connection to the broker")
        if revision != len(self.values) and key in self.keys:
            raise LostRace("wrong last sequence")
        self.keys.add(key)
        self.values.append(value)
        return len(self.values)


def a_bridge(bucket: Shared, clock: list[int]) -> Presences:
    return Presences(bucket, lambda: clock[0], asyncio.sleep)


async def two_bridges_one_choice() -> tuple[Shared, list[int], Presences, Presences]:
    """Maya chose to be away at the first bridge while the second, whose clock is ahead, heard her terminal."""
    bucket, clock, ahead = Shared(), [1_000_000], [1_000_500]
    first, second = a_bridge(bucket, clock), a_bridge(bucket, ahead)
    await first.chose("maya", "ready")
    second.told("maya", bucket.values[-1], 1)
    clock[0] += 11_000
    ahead[0] += 11_000
    await first.chose("maya", "away", "lunch")
    await second.heard("maya")
    return bucket, ahead, first, second


async def test_a_choice_is_not_lost_to_a_terminal_that_was_heard_elsewhere_at_the_same_moment() -> None:
    """Seeds 22797 and 22954: who had come back, or gone, stayed as they were before, for good."""
    bucket, ahead, first, second = await two_bridges_one_choice()
    for revision, word in enumerate(bucket.values, 1):
        first.told("maya", word, revision)
        second.told("maya", word, revision)
    for one in (first, second, a_bridge(bucket, ahead)):
        await one.look("maya")
        assert (one.of("maya").state, one.of("maya").reason) == ("away", "lunch")
    # And it was heard there none the less.
    assert second.of("maya").heard_ms == 1_011_500


async def test_a_bridge_that_knows_less_does_not_overwrite_a_choice() -> None:
    """Seed 81: whoever began at that moment took the old choice out of the bucket."""
    bucket, ahead, _, _ = await two_bridges_one_choice()
    begun_now = a_bridge(Shared(), ahead)
    begun_now.told("maya", bucket.values[-1], len(bucket.values))
    assert begun_now.of("maya").state == "away"


async def test_a_bridge_that_heard_a_terminal_before_it_knew_of_any_choice_takes_the_choice_from_the_bucket() -> None:
    """Seed 70201: to a bridge that could not read the bucket, and whose clock was ahead, an agent who is ready was off for good."""
    bucket, ahead, first, _ = await two_bridges_one_choice()
    bucket.is_broken = True
    begun_now = a_bridge(bucket, ahead)
    with pytest.raises(Unavailable):
        await begun_now.look("maya")
    await begun_now.heard("maya")
    for revision, word in enumerate(bucket.values, 1):
        begun_now.told("maya", word, revision)
    assert (begun_now.of("maya").state, begun_now.of("maya").reason) == ("away", "lunch")
    # And to one that knows the choice, being heard of by somebody who knew of none changes nothing.
    first.told("maya", b'{"heard_ms":1020000}', 9)
    assert first.of("maya").state == "away"


async def test_of_two_choices_the_bucket_keeps_the_later_one_whatever_the_clocks_say() -> None:
    bucket, _, first, second = await two_bridges_one_choice()
    await second.chose("maya", "busy")
    await first.chose("maya", "ready")
    words = list(enumerate(bucket.values, 1))
    for one in (first, second):
        for revision, word in words:
            one.told("maya", word, revision)
        assert one.of("maya").state == "ready"


async def test_a_choice_that_the_bucket_did_not_take_is_put_again_although_its_agent_is_heard_elsewhere_from_then_on() -> (
    None
):
    """Seeds 355, 758, 1217 and more: the bridge where it was chosen knew it, and nobody else ever did."""
    bucket, clock = Shared(), [1_000_000]
    first, second = a_bridge(bucket, clock), a_bridge(bucket, clock)
    await first.chose("maya", "ready")
    second.told("maya", bucket.values[-1], 1)
    bucket.is_broken = True
    await first.chose("maya", "away", "lunch")
    bucket.is_broken = False
    clock[0] += 11_000
    # Her next words reach the other bridge, which knows of no lunch.
    await second.heard("maya")
    working = asyncio.create_task(first.run())
    await until(lambda: b"lunch" in bucket.values[-1])
    working.cancel()


async def test_a_choice_whose_word_met_an_older_one_in_the_bucket_is_put_again() -> None:
    bucket, _, first, second = await two_bridges_one_choice()
    # Another bridge, of an older version, or one that knew no better, wrote over it.
    bucket.values.append(b'{"state":"ready","since_ms":1000000,"heard_ms":1020000,"chose_ms":1000000}')
    for one in (first, second):
        one.told("maya", bucket.values[-1], len(bucket.values))
    working = [asyncio.create_task(one.run()) for one in (first, second)]
    await until(lambda: b"lunch" in bucket.values[-1])
    for task in working:
        task.cancel()


async def test_while_the_broker_is_away_one_choice_is_tried_for_all_and_then_all_are_put() -> None:
    bucket, clock = Shared(), [1_000_000]
    tries: list[int] = []

    async def pause(_: float) -> None:
        tries.append(bucket.asked)
        bucket.is_broken = len(tries) < 3
        await asyncio.sleep(0)

    staff = Presences(bucket, lambda: clock[0], pause)
    bucket.is_broken = True
    for number in range(50):
        await staff.chose(f"agent{number}", "ready")
    before = bucket.asked
    working = asyncio.create_task(staff.run())
    await until(lambda: len(bucket.keys) == 50)
    working.cancel()
    assert tries[1] == before + 2


async def test_of_two_choices_at_one_bridge_the_later_one_stays_though_the_first_met_another_in_the_bucket() -> None:
    bucket, clock = Shared(), [1_000_000]
    first, ahead = a_bridge(bucket, clock), a_bridge(bucket, [1_900_000])
    await ahead.chose("maya", "busy")
    await asyncio.gather(first.chose("maya", "away", "lunch"), first.chose("maya", "ready"))
    assert b'"ready"' in bucket.values[-1]
    assert first.of("maya").state == "ready"


async def test_a_choice_that_the_bucket_did_not_take_is_put_when_the_terminal_is_heard_next() -> None:
    bucket, clock = Shared(), [1_000_000]
    staff = a_bridge(bucket, clock)
    await staff.chose("maya", "ready")
    bucket.is_broken = True
    await staff.chose("maya", "away", "lunch")
    bucket.is_broken = False
    clock[0] += 1_000
    await staff.heard("maya")
    assert b"lunch" in bucket.values[-1]


async def test_words_of_an_older_bridge_which_names_no_moment_of_choice_go_by_when_the_terminal_was_heard() -> None:
    clock = [1_000_000]
    staff = a_bridge(Shared(), clock)
    await staff.chose("maya", "ready")
    staff.told("maya", b'{"state":"away","since_ms":1000100,"heard_ms":1000100}')
    assert staff.of("maya").state == "away"
    staff.told("maya", b'{"state":"busy","since_ms":1000050,"heard_ms":1000050}')
    assert staff.of("maya").state == "away"


# a choice is made on what was chosen, not on what was known of it


async def test_a_next_status_that_was_forgotten_at_another_bridge_does_not_begin() -> None:
    """Maya said `ready` again before her case was done; the leader had not heard of it, and sent her to lunch."""
    bucket, clock = Shared(), [1_000_000]
    leader, desk = a_bridge(bucket, clock), a_bridge(bucket, clock)
    await desk.chose("maya", "ready")
    await desk.chose("maya", "away", "lunch", is_next=True)
    leader.told("maya", bucket.values[-1], 2)
    clock[0] += 1
    await desk.chose("maya", "ready")
    clock[0] += 1
    assert await leader.follow("maya") is None
    for one in (leader, desk, a_bridge(bucket, clock)):
        await one.look("maya")
        one.told("maya", bucket.values[-1], len(bucket.values))
        assert (one.of("maya").state, one.of("maya").next_state) == ("ready", "")


async def test_a_next_status_leaves_what_a_supervisor_said_meanwhile() -> None:
    bucket, clock = Shared(), [1_000_000]
    first, second = a_bridge(bucket, clock), a_bridge(bucket, clock)
    await first.chose("maya", "ready")
    second.told("maya", bucket.values[-1], 1)
    await second.chose("maya", "away", "training", is_heard=False)
    clock[0] += 1
    await first.chose("maya", "off", is_next=True)
    second.told("maya", bucket.values[-1], len(bucket.values))
    for one in (first, second):
        known = one.of("maya")
        assert (known.state, known.reason, known.next_state) == ("away", "training", "off")


async def test_a_hello_makes_nobody_ready_whom_the_bucket_knows_to_be_at_lunch() -> None:
    bucket, clock = Shared(), [1_000_000]
    first, behind = a_bridge(bucket, clock), a_bridge(bucket, clock)
    await first.chose("maya", "off")
    behind.told("maya", bucket.values[-1], 1)
    await first.chose("maya", "away", "lunch")
    clock[0] += 1
    assert not await behind.came("maya")
    assert behind.of("maya").reason == "lunch"
    assert b"lunch" in bucket.values[-1]


async def test_a_supervisors_word_says_nothing_of_the_terminal() -> None:
    clock = [1_000_000]
    staff = a_bridge(Shared(), clock)
    await staff.chose("maya", "away")
    clock[0] += SILENT_MS + 1
    await staff.chose("maya", "ready", is_heard=False)
    assert staff.of("maya").state == "silent"
    never_heard = a_bridge(Shared(), clock)
    await never_heard.chose("ole", "ready", is_heard=False)
    # And silent since the word, not since 1970.
    assert (never_heard.of("ole").state, never_heard.of("ole").since_ms) == ("silent", clock[0])


# what the bucket says late, or of other clocks


async def test_a_terminal_that_is_heard_by_a_bridge_whose_clock_is_behind_is_not_silent() -> None:
    """Two machines an hour apart: the leader, which had heard her before, took her work from her while she typed."""
    bucket, clock, behind = Shared(), [5_000_000], [1_400_000]
    leader, second = a_bridge(bucket, clock), a_bridge(bucket, behind)
    await leader.chose("maya", "ready")
    second.told("maya", bucket.values[-1], 1)
    for _ in range(20):
        clock[0] += 11_000
        behind[0] += 11_000
        await second.heard("maya")
        leader.told("maya", bucket.values[-1], len(bucket.values))
        assert leader.of("maya").state == "ready"
    clock[0] += SILENT_MS + 1
    assert leader.of("maya").state == "silent"
    # The same word once more is nothing that was heard.
    leader.told("maya", bucket.values[-1], len(bucket.values))
    assert leader.of("maya").state == "silent"


async def test_the_next_status_that_a_leader_begins_is_no_word_of_the_terminal_elsewhere() -> None:
    bucket, clock = Shared(), [1_000_000]
    leader, desk = a_bridge(bucket, clock), a_bridge(bucket, clock)
    await desk.chose("maya", "away", "lunch", is_next=True)
    leader.told("maya", bucket.values[-1], 1)
    clock[0] += SILENT_MS + 1
    assert await leader.follow("maya") is not None
    desk.told("maya", bucket.values[-1], 2)
    assert desk.of("maya").state == "silent"


async def test_whose_word_ran_out_while_nobody_could_renew_it_stays_as_they_chose_if_they_are_heard() -> None:
    """A broker that takes no write for two minutes made everybody off who sat at a terminal, for good."""
    bucket, clock = Shared(), [1_000_000]
    first, second = a_bridge(bucket, clock), a_bridge(bucket, clock)
    await first.chose("maya", "away", "lunch")
    second.told("maya", bucket.values[-1], 1)
    bucket.is_broken = True
    for _ in range(15):
        clock[0] += 8_000
        await first.heard("maya")
    bucket.is_broken = False
    bucket.values.clear()
    for one in (first, second):
        one.told("maya", None, 2)
    assert first.of("maya").reason == "lunch"
    # There nobody has heard of her since.
    assert second.of("maya").state == "off"
    working = asyncio.create_task(first.run())
    await until(lambda: bool(bucket.values))
    working.cancel()
    second.told("maya", bucket.values[-1], 3)
    assert second.of("maya").reason == "lunch"


class Slow(Shared):
    """Takes a write when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def update(self, key: str, value: bytes, revision: int) -> int:
        if not self.is_broken:
            await self.gate.wait()
        return await super().update(key, value, revision)


async def test_whose_word_ends_while_choices_are_put_again_is_passed_over() -> None:
    """It ended the whole bridge."""
    bucket, clock = Slow(), [1_000_000]
    staff = a_bridge(bucket, clock)
    bucket.is_broken = True
    for agent in ("maya", "ole"):
        await staff.chose(agent, "away")
    bucket.is_broken = False
    clock[0] += SILENT_MS + 1
    working = asyncio.create_task(staff.run())
    await until(lambda: "maya" not in staff._owed)
    staff.told("ole", None)
    bucket.gate.set()
    await until(lambda: bool(bucket.values))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not working.done()
    working.cancel()


async def test_a_choice_that_was_written_while_the_word_before_it_ended_is_known() -> None:
    bucket, clock = Shared(), [1_000_000]
    staff = a_bridge(bucket, clock)
    await staff.chose("maya", "ready")
    clock[0] += SILENT_MS + 1
    forcing = asyncio.create_task(staff.chose("maya", "away", "training", is_heard=False))
    await asyncio.sleep(0)
    staff.told("maya", None)
    await forcing
    staff.told("maya", bucket.values[-1], len(bucket.values))
    assert not await staff.came("maya")
    await staff.heard("maya")
    assert staff.of("maya").reason == "training"


async def test_the_end_of_an_older_word_takes_nothing_from_a_newer_one() -> None:
    bucket, clock = Shared(), [1_000_000]
    staff = a_bridge(bucket, clock)
    await staff.chose("maya", "away", "lunch")
    await staff.chose("maya", "away", "training")
    clock[0] += SILENT_MS + 1
    staff.told("maya", None, 1)
    assert staff.of("maya").state == "silent"
    staff.told("maya", None, 3)
    assert staff.of("maya").state == "off"
