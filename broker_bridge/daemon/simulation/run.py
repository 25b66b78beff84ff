"""Many histories on all cores, and what came of them: `broker-bridge simulate`.

Law: each worker is a process of its own with a fixed hash seed, so that a seed means the same history everywhere; what failed is printed
with the words that repeat it.
"""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from threading import Event

import msgspec

HASH_SEED = "0"


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a worker: one history."""

    seed: int
    problems: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    virtual_s: float = 0.0
    steps: int = 0
    entries: int = 0

    @property
    def mark(self) -> bytes:
        """The history in a few bytes: equal wherever it was played."""
        return repr((self.seed, self.problems, sorted(self.counts.items()), self.steps, self.entries)).encode()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All histories of one call."""

    seeds: int
    failed: dict[int, tuple[str, ...]]
    """Seed to broken promises."""
    planted: str
    virtual_s: float
    entries: int
    steps: int
    took_s: float
    counts: dict[str, int]
    jobs: int = 1
    digest: str = ""
    """Of all histories: the same for the same seeds, whatever the number of processes."""

    @property
    def a_second(self) -> float:
        return self.seeds / self.took_s if self.took_s else 0.0


_lines = msgspec.json.Decoder(Told)


def repeated(seed: int, planted: str = "") -> str:
    """The words that play one history again."""
    bug = f" --planted {planted}" if planted else ""
    return f"broker-bridge simulate --from {seed} --seeds 1{bug}"


def histories(seeds: Sequence[int], planted: str = "", seconds: float | None = None) -> Iterator[Told]:
    """Play seeds in this process, which must have been started with PYTHONHASHSEED=0."""
    from broker_bridge.daemon.simulation.planted import planted as planting
    from broker_bridge.daemon.simulation.world import play

    began = time.monotonic()
    with planting(planted) if planted else nullcontext(), _garbage_left_lying():
        for seed in seeds:
            if seconds is not None and time.monotonic() - began > seconds:
                return
            found = play(seed)
            yield Told(
                seed=seed,
                problems=tuple(found.problems),
                counts=found.counts,
                virtual_s=found.virtual_s,
                steps=found.steps,
                entries=found.entries,
            )
            del found
            gc.collect()


@contextmanager
def _garbage_left_lying() -> Iterator[None]:
    """Garbage is collected between histories only: within them nothing of it could go, and looking takes time."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def run(
    first: int,
    seeds: int,
    *,
    planted: str = "",
    seconds: float | None = None,
    jobs: int | None = None,
    on_broken: Callable[[Told], None] = lambda told: None,
) -> Summary:
    """Play `seeds` histories from seed `first` on; with a planted bug, until it is found.

    Args:
        seconds: begin none after that.
        on_broken: called at once with each history that broke a promise, from the threads that read the workers.
    """
    began = time.monotonic()
    jobs = max(1, min(jobs or os.cpu_count() or 1, seeds))
    with ThreadPoolExecutor(jobs) as crew:
        workers = [_Worker(first + place, first + seeds, jobs, planted, seconds) for place in range(jobs)]
        try:
            found = Event() if planted else None
            parts = list(crew.map(lambda worker: worker.told(found, on_broken), workers))
        finally:
            for worker in workers:
                worker.end()
    told = sorted((one for part in parts for one in part), key=lambda one: one.seed)
    counts: Counter[str] = Counter()
    digest = hashlib.sha256()
    for one in told:
        counts.update(one.counts)
        digest.update(one.mark)
    return Summary(
        seeds=len(told),
        failed={one.seed: one.problems for one in told if one.problems},
        planted=planted,
        virtual_s=sum(one.virtual_s for one in told),
        entries=sum(one.entries for one in told),
        steps=sum(one.steps for one in told),
        took_s=time.monotonic() - began,
        counts=dict(sorted(counts.items())),
        jobs=jobs,
        digest=digest.hexdigest()[:16],
    )


class _Worker:
    """One process with every `jobs`-th seed."""

    def __init__(self, first: int, end: int, step: int, planted: str, seconds: float | None) -> None:
        arguments = [str(first), str(end), str(step), planted or "-", str(seconds or 0)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "broker_bridge.daemon.simulation.run", *arguments],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": HASH_SEED},
        )

    def told(self, is_found: Event | None, on_broken: Callable[[Told], None]) -> list[Told]:
        """What it played; with `is_found`, until some worker has found something. Raises RuntimeError: it ended badly."""
        found: list[Told] = []
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found.append(_lines.decode(line))
            if found[-1].problems:
                on_broken(found[-1])
            if is_found is not None and (found[-1].problems or is_found.is_set()):
                is_found.set()
                self.end()
                return found
        if self._process.wait():
            raise RuntimeError(f"a worker of the simulation ended with {self._process.returncode}")
        return found

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def main(arguments: Sequence[str]) -> int:
    """A worker: first, end, step, planted bug or `-`, seconds or 0; a JSON line a history."""
    first, end, step, planted, seconds = arguments
    for told in histories(
        range(int(first), int(end), int(step)), "" if planted == "-" else planted, float(seconds) or None
    ):
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
