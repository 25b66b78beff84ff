"""What is due when, for many things of which most change their moment before it comes.

Law: the latest word about a thing is the only one that counts; finding what is due costs nothing for what is not.
"""

from __future__ import annotations

import heapq


class Moments:
    """A moment (ms) for each name."""

    def __init__(self) -> None:
        self._at_ms: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        """With old words among the new ones, which are told apart when they come up."""

    def __len__(self) -> int:
        return len(self._at_ms)

    def __contains__(self, name: str) -> bool:
        return name in self._at_ms

    def get(self, name: str) -> int | None:
        return self._at_ms.get(name)

    def set(self, name: str, at_ms: int | None) -> None:
        """None = never."""
        if at_ms == self._at_ms.get(name):
            return
        if at_ms is None:
            del self._at_ms[name]
            return
        self._at_ms[name] = at_ms
        heapq.heappush(self._heap, (at_ms, name))
        if len(self._heap) > 2 * len(self._at_ms) + 64:
            self._heap = [(moment, kept) for kept, moment in self._at_ms.items()]
            heapq.heapify(self._heap)

    def take_due(self, now_ms: int) -> list[str]:
        """Those whose moment has come, the earliest first; they are due no more."""
        due = []
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, name = heapq.heappop(self._heap)
            if self._at_ms.get(name) == at_ms:
                del self._at_ms[name]
                due.append(name)
        return due

    def next_ms(self) -> int | None:
        """The earliest moment; None: there is none."""
        while self._heap and self._at_ms.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
