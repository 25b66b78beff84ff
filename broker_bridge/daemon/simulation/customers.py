"""Customers who repeat until they are heard: by one address or several, in bursts, twice, late, or through a machine that answers.

Law: what a customer was told (an acknowledgment) is written into the books at that moment.
"""

from __future__ import annotations

import asyncio
import itertools
from random import Random
from typing import TYPE_CHECKING

from broker_bridge.contract import ids
from broker_bridge.contract.envelopes import Item, Receipt, Said
from broker_bridge.contract.words import Address, Words
from broker_bridge.daemon.simulation.books import Spoken
from broker_bridge.daemon.simulation.house import HANDLE_KEY, LANES
from broker_bridge.daemon.simulation.loop import NOBODY
from broker_bridge.daemon.simulation.provider import CHANNELS

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.world import World

PATIENCE_S = 6.0
MOST = 12
"""Customers of a history; the addresses behind theirs are of those who come in a rush."""
ADDRESSES = 32
"""Of each channel."""


def _addresses() -> dict[str, list[str]]:
    """Addresses whose handles lie on the lanes that there are."""
    found: dict[str, list[str]] = {name: [] for name in CHANNELS}
    for name, addresses in found.items():
        for number in itertools.count():
            address = f"{name}{number}"
            if ids.partition(ids.handle_id(HANDLE_KEY, name, "", address)) < LANES:
                addresses.append(address)
            if len(addresses) == ADDRESSES:
                break
    return found


_ADDRESSES = _addresses()


def handles_of(number: int, random: Random) -> list[tuple[str, str]]:
    """(channel, address) of a customer, of one channel or of all."""
    channels = list(CHANNELS)
    chosen = channels if random.random() < 0.3 else [channels[int(random.random() * len(channels))]]
    return [(channel, _ADDRESSES[channel][number]) for channel in chosen]


async def deliver(world: World, channel: str, native: str, item: Item, address: str) -> None:
    """Say one thing until it is acknowledged, always under the same id."""
    text = item.words.text
    spoken = world.books.spoken.setdefault(
        native, Spoken(native, channel, address, text, world.loop.now, is_receipt=isinstance(item, Receipt))
    )
    while not await _once(world, channel, native, item):  # noqa: ASYNC110 - a sender tries again after a while
        await asyncio.sleep(0.2 + world.random.random())
    if spoken.acknowledged_s is None:
        spoken.acknowledged_s = world.loop.now


async def _once(world: World, channel: str, native: str, item: Item) -> bool:
    doors = [one for one in world.doors if one.channel == channel and not one.process.is_dead]
    if not doors:
        return False
    door = doors[int(world.random.random() * len(doors))]
    heard: asyncio.Future[bool] = world.loop.create_future()

    def done(is_stored: bool) -> None:
        if world.random.random() >= world.sky.weather.mute:
            world.loop.call_later(world.sky.latency(), _set, heard, is_stored, context=NOBODY)

    world.loop.start(door.process, door.take(native, item, done))
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await heard
    except TimeoutError:
        return False


def _set(future: asyncio.Future[bool], value: bool) -> None:
    if not future.done():
        future.set_result(value)


async def customer(world: World, number: int, handles: list[tuple[str, str]]) -> None:
    """One person with one or more (channel, address)."""
    random = Random(world.random.random())
    for turn in range(1 + int(random.random() * 4)):
        pause_s = random.random() * 4
        if turn and world.loop.now + pause_s > world.calm_at_s and random.random() < 0.85:
            # What is said when nothing goes wrong any more shows little.
            return
        await asyncio.sleep(pause_s)
        burst = 1 + int(random.random() * 4) if random.random() < 0.4 else 1
        async with asyncio.TaskGroup() as crowd:
            for place in range(burst):
                channel, address = handles[int(random.random() * len(handles))]
                native = f"{number}.{turn}.{place}"
                sender = Address(address=address, name=f"Customer {number}")
                item = Said(
                    sender=sender,
                    words=Words(text=f"word {native}", name=sender.name),
                    automatic="auto-replied" if random.random() < 0.06 else "",
                )
                for _ in range(2 if random.random() < 0.2 else 1):
                    crowd.create_task(deliver(world, channel, native, item, address))
        if random.random() < 0.15:
            # The transport delivers the last one again, later: past the window in which a stream remembers ids.
            pause_s = random.random() * 8
            if world.loop.now + pause_s > world.calm_at_s + 2:
                return
            await asyncio.sleep(pause_s)
            await deliver(world, channel, native, item, address)


def rush(world: World) -> None:
    """Somebody who never wrote before says one thing now."""
    number = world.next_new_customer()
    if number is None:
        return
    channel, address = handles_of(number, world.random)[0]
    sender = Address(address=address, name=f"Customer {number}")
    item = Said(sender=sender, words=Words(text=f"word {number}.rush", name=sender.name))
    world.begin(deliver(world, channel, f"{number}.rush", item, address))


def receipts(world: World, channel: str, message: str, address: str) -> None:
    """The provider tells, sometimes, and sometimes before it has answered."""
    if world.random.random() > 0.5:
        return
    state = ("delivered", "read", "failed")[int(world.random.random() ** 2 * 3)]
    item = Receipt(sender=Address(address=address), message=message, state=state, reason="it came back")

    def tell() -> None:
        if not world.is_over:
            world.begin(deliver(world, channel, f"receipt.{message}.{state}", item, address))

    world.loop.call_later(world.random.random() ** 3 * 4, tell, context=NOBODY)
