"""Order the sinks of one region so that a state is read before it is written, as far as that is possible.

Items form a graph: who reads a state should precede who writes it. It usually has cycles (registers that read one
another); the greedy order takes next the item whose writes disturb the fewest items that are still to come. Each
disturbance that remains costs one early load.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence

from weft.base.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """Be what is emitted together: some sinks, the region that they are in or under, what they read and write."""

    region: int
    sinks: tuple[int, ...]
    reads: frozenset[int]
    writes: frozenset[int]


def order_items(items: Sequence[Item], ordered: frozenset[int]) -> list[Item]:
    """Return the items in a good order; those that write a state of `ordered` keep their order among themselves."""
    readers: dict[int, list[int]] = {}
    writers: dict[int, list[int]] = {}
    for number, item in enumerate(items):
        for state in item.reads:
            readers.setdefault(state, []).append(number)
        for state in item.writes:
            writers.setdefault(state, []).append(number)
    disturbed = [0] * len(items)
    for state, who in writers.items():
        for number in who:
            disturbed[number] += sum(reader != number for reader in readers.get(state, ()))
    blocked = [0] * len(items)
    following: dict[int, list[int]] = {}
    for state in ordered:
        who = writers.get(state, [])
        for before, after in itertools.pairwise(who):
            following.setdefault(before, []).append(after)
            blocked[after] += 1
    heap = [(disturbed[number], number) for number in range(len(items)) if not blocked[number]]
    heapq.heapify(heap)
    done = [False] * len(items)
    result: list[Item] = []
    while heap:
        cost, number = heapq.heappop(heap)
        if done[number] or cost != disturbed[number]:
            continue
        done[number] = True
        item = items[number]
        result.append(item)
        for state in item.reads:
            for writer in writers.get(state, ()):
                if writer != number and not done[writer]:
                    disturbed[writer] -= 1
                    if not blocked[writer]:
                        heapq.heappush(heap, (disturbed[writer], writer))
        for after in following.get(number, ()):
            blocked[after] -= 1
            if not blocked[after]:
                heapq.heappush(heap, (disturbed[after], after))
    return result
