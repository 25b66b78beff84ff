"""Many agents' terminals in one process, as far as their feeds go: they say hello, decode what comes and note how old it is.

Reads one JSON line (address, seeds) from stdin, says `ready`, and at the next line prints the ages in ms. Ages are differences of the
machine's monotonic clock, which its processes share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from broker_bridge.contract import codec, subjects
from broker_bridge.contract.commands import Hello
from broker_bridge.daemon.bus import Bus


async def main() -> None:
    loop = asyncio.get_running_loop()
    said = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    rows: list[float] = []
    bare: list[float] = []

    def arrived(subject: str, body: bytes) -> None:
        now_ns = time.monotonic_ns()
        kind = subject.rpartition(".")[2]
        if kind == "bench":
            bare.append((now_ns - int(body)) / 1e6)
        elif kind == "desk":
            for row in codec.feed(body).rows:
                word, _, began_ns = row.text.partition(" ")
                if word == "bench" and began_ns not in seen:
                    seen.add(began_ns)
                    rows.append((time.monotonic_ns() - int(began_ns)) / 1e6)

    seen: set[str] = set()
    buses = []
    for agent, seed in said["agents"].items():
        bus = await Bus.connect(
            said["url"], seed=seed, name=agent, inbox_prefix=subjects.inbox(agent), on_closed=lambda: None
        )
        await bus.listen(subjects.view(agent) + ".>", arrived)
        await bus.flush()
        await bus.request(subjects.do(agent, "hello"), codec.encode(Hello()))
        buses.append(bus)
    await asyncio.sleep(1.0)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    print(json.dumps({"rows": rows, "bare": bare}), flush=True)
    for bus in buses:
        await bus.close()


if __name__ == "__main__":
    asyncio.run(main())
