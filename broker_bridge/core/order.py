"""Who comes before whom: the least relative load first, among equals who was given something (or came) longest ago.

Law: exactly what sorting by (level, turn) would say. A level is a number of few values and a turn is written with few digits: each value
of each has its set, and the first of any set is found value by value, until one is left.
"""

from __future__ import annotations

from collections.abc import Iterator

from broker_bridge.core.bitsets import Grades, members, of

DIGIT_BITS = 3
"""Eight values: of a handful of candidates one stands under the first two of them."""
DIGITS = 6
TOGETHER = 2
"""Last binary digits of a turn that no sets are kept for: of those who are left, four at most, the turns are compared one by one."""
FEW = 12
"""Up to how many are sorted at once."""


class Order:
    """Of members by their numbers."""

    def __init__(self) -> None:
        self._levels = Grades()
        self._digits = [[0] * (1 << DIGIT_BITS) for _ in range(DIGITS)]
        """The last one first, each with a set for each value."""
        self._turns: list[int] = []
        """By number; 0: no member."""
        self._turn = 0
        self._most = (1 << TOGETHER + DIGITS * DIGIT_BITS) - 1
        """Turns until they are numbered anew: 1,048,575."""

    def grow(self, capacity: int) -> None:
        """Make place for members up to `capacity` - 1."""
        self._turns += [0] * (capacity - len(self._turns))

    def come(self, number: int, level: int) -> None:
        """A new member, the last among equals."""
        self._levels.change(number, None, level)
        self.given(number)

    def leave(self, number: int, level: int) -> None:
        """No member any more."""
        self._levels.change(number, level, None)
        self._take_out(number)
        self._turns[number] = 0

    def level(self, number: int, before: int, after: int) -> None:
        """Another load than before."""
        self._levels.change(number, before, after)

    def given(self, number: int) -> None:
        """Last among equals from now on: no two have the same turn."""
        if self._turn >= self._most:
            self._number_turns()
        self._turn += 1
        turns = self._turns
        before, after = turns[number], self._turn
        if not before:
            self._put_in(number, after)
        elif before >> TOGETHER != after >> TOGETHER:
            self._move(number, before >> TOGETHER, after >> TOGETHER)
        turns[number] = after

    def first(self, bits: int) -> int:
        """Of these members, who comes first; -1: there are none."""
        if bits:
            for having in self._levels.sets:
                some = bits & having
                if some:
                    return self._longest_ago(some)
        return -1

    def ascending(self, bits: int) -> Iterator[int]:
        """All of these members in order; who is not asked for is not sorted."""
        for having in self._levels.sets:
            some = bits & having
            if some:
                yield from self._by_turn(some, DIGITS)

    def _longest_ago(self, bits: int) -> int:
        for digit in reversed(self._digits):
            best = bits.bit_length() - 1
            if bits == 1 << best:
                return best
            for having in digit:
                some = bits & having
                if some:
                    bits = some
                    break
        return min(members(bits), key=self._turns.__getitem__)

    def _by_turn(self, bits: int, digits: int) -> Iterator[int]:
        if not digits or bits.bit_count() <= FEW:
            yield from sorted(members(bits), key=self._turns.__getitem__)
            return
        for having in self._digits[digits - 1]:
            some = bits & having
            if some:
                yield from self._by_turn(some, digits - 1)

    def _move(self, number: int, before: int, after: int) -> None:
        bit, last = 1 << number, (1 << DIGIT_BITS) - 1
        for digit in self._digits:
            if before == after:
                return
            was, now = before & last, after & last
            if was != now:
                digit[was] ^= bit
                digit[now] ^= bit
            before >>= DIGIT_BITS
            after >>= DIGIT_BITS

    def _put_in(self, number: int, turn: int) -> None:
        bit, left = 1 << number, turn >> TOGETHER
        for digit in self._digits:
            digit[left & (1 << DIGIT_BITS) - 1] ^= bit
            left >>= DIGIT_BITS

    def _take_out(self, number: int) -> None:
        self._put_in(number, self._turns[number])

    def _number_turns(self) -> None:
        """The same order with small numbers again: once in a million turns."""
        numbers = [number for _, number in sorted((turn, number) for number, turn in enumerate(self._turns) if turn)]
        places: list[list[list[int]]] = [[[] for _ in digit] for digit in self._digits]
        for turn, number in enumerate(numbers, 1):
            self._turns[number] = turn
            left = turn >> TOGETHER
            for place in places:
                place[left & (1 << DIGIT_BITS) - 1].append(number)
                left >>= DIGIT_BITS
        self._turn = len(numbers)
        self._digits = [[of(some, len(self._turns)) for some in place] for place in places]
