"""Random cone graphs with parts that occur several times: alike, nearly alike, and tied to one another.

Every part is grown by the same random choices from its own states and from as many values from outside. Those are the
same node for all parts, another node or constant for each, what an earlier part computes without a register between, or
a register of its neighbour. Now and then a part does something of its own.
"""

from __future__ import annotations

from random import Random

from random_graphs import CLOCKS, WIDTHS, RandomGraph
from weft.ir.cone_graph import ConeGraph, MemoryWrite, State, Write

OUTSIDE = 6
KINDS = ("common", "other", "constant", "chain", "neighbour")


class RandomParts(RandomGraph):
    """Grow a graph of some parts with `size` nodes each, and logic around them."""

    def __init__(self, seed: int, parts: int, size: int) -> None:
        super().__init__(seed)
        self.seed = seed
        self.top = self.random
        states = [self._part_states(part) for part in range(parts)]
        for _ in range(10):
            self.add_node()
        around = list(self.pool)
        pools: list[list[int]] = []
        for part, own in enumerate(states):
            outside = [self._outside(part, number, around, states, pools) for number in range(OUTSIDE)]
            self.random = Random(seed + 2)
            reads = [self.builder.read(state) for state in own if not self.builder.states[state].depth]
            self.pool = reads + outside
            self._grow(part, size, [state for state in own if self.builder.states[state].depth])
            pools.append(self.pool)
        self.random, self.pool = self.top, around + [node for pool in pools for node in pool[-3:]]
        for _ in range(10):
            self.add_node()
        self.add_sinks()
        for part, (own, pool) in enumerate(zip(states, pools, strict=True)):
            self._part_sinks(part, own, pool)

    def _part_states(self, part: int) -> list[int]:
        random, found = Random(self.seed + 1), list[int]()
        for index in range(4):
            kind = random.choice(("register", "register", "register", "latch"))
            found.append(self._state(State(f"top.part[{part}].q{index}", random.choice(WIDTHS), kind=kind)))
        width, depth = random.choice(WIDTHS), random.choice((1, 3, 8))
        found.append(self._state(State(f"top.part[{part}].deep.ram", width, depth, "memory")))
        return found

    def _outside(
        self, part: int, number: int, around: list[int], states: list[list[int]], pools: list[list[int]]
    ) -> int:
        """Return the value number `number` that a part gets."""
        builder, same = self.builder, Random(f"{self.seed} {number}")
        kind = same.choice(KINDS)
        common = same.choice(around)
        width = builder.width[common]
        if kind == "neighbour":
            register = same.choice([place for place, state in enumerate(states[0]) if not builder.states[state].depth])
            return builder.read(states[part - 1][register])
        if kind == "chain":
            place = same.randrange(-5, 0)
            wanted = builder.read(states[0][0]) if not pools else pools[-1][place]
            return self._fit(wanted, width)
        if kind == "other":
            return self._fit(self.top.choice(around), width)
        if kind == "constant":
            return builder.const(width, self.top.getrandbits(width))
        return common

    def _fit(self, node: int, width: int) -> int:
        have = self.builder.width[node]
        if have > width:
            return self.builder.slice(node, 0, width)
        return self.builder.add("zext", width, node) if have < width else node

    def _grow(self, part: int, size: int, memories: list[int]) -> None:
        kept, self.memories = self.memories, memories
        for _ in range(size):
            self.add_node()
            if self.top.random() < 0.02:
                width = self.builder.width[self.pool[-1]]
                self.pool[-1] = self.builder.add("xor", width, self.pool[-1], self.builder.const(width, part & 1))
        self.memories = kept

    def _part_sinks(self, part: int, own: list[int], pool: list[int]) -> None:
        random = self.random = Random(self.seed + 3)
        self.pool = pool
        builder, one = self.builder, self.builder.const(1, 1)
        for state in own:
            width, depth, kind = builder.states[state].width, builder.states[state].depth, builder.states[state].kind
            domain = random.randrange(1, 1 + CLOCKS)
            enable = one if random.random() < 0.3 else self.operand(1)
            if depth:
                for _ in range(2):
                    mask = self.operand(width) if random.random() < 0.5 else -1
                    address, value = self.operand(4), self.operand(width)
                    builder.memory_writes.append(MemoryWrite(state, address, value, enable, domain, mask))
            elif kind == "latch":
                self._latch(state, width)
            elif self.top.random() > 0.02:
                builder.writes.append(Write(state, self.operand(width), enable, domain))

    def _latch(self, state: int, width: int) -> None:
        """Let a latch follow a value that does not depend on any latch, so that all of them settle."""
        builder = self.builder
        open_, value = builder.slice(builder.read(self.inputs[0]), 0, 1), builder.read(self.random.choice(self.inputs))
        value = builder.add("mux", width, open_, self._fit(value, width), builder.read(state))
        builder.writes.append(Write(state, value, builder.const(1, 1), 0))


def random_parts(seed: int, parts: int, size: int) -> ConeGraph:
    """Return a random graph of some parts."""
    return RandomParts(seed, parts, size).builder.freeze()
