"""Presence as a lease: what is renewed in time stays, on every bridge."""

from typing import cast

from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.staff import PRESENCE_TTL_S, Staff
from broker_bridge.daemon.states import States


class Bucket:
    """Notes when something was put."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000
        self.put_ms: list[int] = []

    async def get(self, key: str) -> tuple[bytes, int] | None:
        return None

    async def put(self, key: str, value: bytes) -> int:
        self.put_ms.append(self.now_ms)
        return len(self.put_ms)


async def test_an_agent_whose_terminal_speaks_every_eight_seconds_never_expires_from_the_bucket() -> None:
    bucket = Bucket()
    staff = Staff(cast(States, None), cast(ReadModel, None), bucket, lambda: bucket.now_ms)
    await staff.chose("maya", "ready")
    for _ in range(40):
        bucket.now_ms += 8_000
        await staff.heard("maya")
    gaps_ms = [later - earlier for earlier, later in zip(bucket.put_ms, bucket.put_ms[1:], strict=False)]
    assert max(gaps_ms) < PRESENCE_TTL_S * 1000 / 2
    assert bucket.now_ms - bucket.put_ms[-1] < PRESENCE_TTL_S * 1000 / 2
    assert staff.presence("maya").state == "ready"
