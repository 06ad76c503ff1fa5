"""A stream of random numbers whose whole state is one 64-bit word (`ir.random_streams` has the generator).

Every thread and every object has a stream of its own (IEEE 1800-2023 18.14); compiled code keeps the word in the
thread or object and seeds new ones from it.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.ir.random_streams import GOLDEN, LAST_SHIFT, MIX

_WORD = (1 << 64) - 1


def mix(state: int) -> int:
    """Return a well-mixed word for a state."""
    for shift, factor in MIX:
        state = ((state ^ (state >> shift)) * factor) & _WORD
    return state ^ (state >> LAST_SHIFT)


def seeded(seed: int) -> int:
    """Return the state that a seed gives a stream; it is not 0, which stands for no stream."""
    return mix((seed + GOLDEN) & _WORD) or 1


@dataclass(slots=True)
class RandomStream:
    """Draw random numbers; `state` is what to remember."""

    state: int

    def word(self) -> int:
        """Return 64 random bits."""
        self.state = state = (self.state + GOLDEN) & _WORD
        return mix(state)

    def bits(self, width: int) -> int:
        """Return so many random bits."""
        result = self.word()
        have = 64
        while have < width:
            result = result << 64 | self.word()
            have += 64
        return result >> (have - width)

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1, all equally likely."""
        width = (count - 1).bit_length()
        if not width:
            return 0
        while True:
            found = self.bits(width)
            if found < count:
                return found

    def between(self, low: int, high: int) -> int:
        """Return a number from `low` to `high`, at most 2**32 of them, as `$urandom_range` does: with one draw."""
        return low + ((high - low + 1) * self.word() >> 64)

    def chance(self, part: int, total: int) -> bool:
        """Return whether an event of probability `part / total` happens."""
        return part >= total or self.below(total) < part

    def shuffle(self, items: list[object]) -> None:
        """Put a list into a random order (Fisher and Yates)."""
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
