"""Random well-formed cone graphs for property tests: every operation, odd widths, memories, clocks, effects.

A graph is a function of a seed and a size; a smaller size with the same seed gives a prefix of the larger graph's
nodes, so a failing example shrinks by its size.
"""

from __future__ import annotations

from random import Random

import numpy as np

from weft.ir.cone_graph import ConeGraph, Domain, Effect, MemoryWrite, Scope, State, Write
from weft.ir.design import Module, Signal, SystemTask, Text, Type
from weft.ir.graph_builder import GraphBuilder, Simplify
from weft.ir.ops import OPS, Op, mask

WIDTHS = (1, 1, 1, 2, 3, 4, 8, 16, 31, 32, 33, 63, 64, 65, 70, 128, 130)
TIME, FIRST_CLOCK, CLOCKS, INPUTS, REGISTERS, MEMORIES = 0, 1, 2, 6, 6, 2


class RandomGraph:
    """Grow a graph: states first, then `size` nodes, then sinks."""

    def __init__(self, seed: int, four_state: bool = False, simplify: Simplify | None = None) -> None:
        self.random = Random(seed)
        self.builder = GraphBuilder(simplify=simplify, four_state=four_state)
        self.pool: list[int] = []
        self.inputs: list[int] = []
        self.registers: list[int] = []
        self.memories: list[int] = []
        self._add_states()

    def _state(self, state: State) -> int:
        self.builder.states.append(state)
        return len(self.builder.states) - 1

    def _add_states(self) -> None:
        random, builder = self.random, self.builder
        self._state(State("$time", 64, kind="time", initial=0))
        for index in range(CLOCKS):
            self.inputs.append(self._state(State(f"clk{index}", 1, kind="input", initial=0)))
            self._state(State(f"clk{index}$before", 1, kind="sample", initial=0))
        self.inputs += [self._state(State(f"in{i}", random.choice(WIDTHS), kind="input")) for i in range(INPUTS)]
        for index in range(REGISTERS):
            width = random.choice(WIDTHS)
            initial = random.choice((None, 0, random.getrandbits(width)))
            self.registers.append(self._state(State(f"q{index}", width, initial=initial)))
        for index in range(MEMORIES):
            width, depth = random.choice(WIDTHS), random.choice((1, 3, 8, 20))
            self.memories.append(self._state(State(f"ram{index}", width, depth, "memory")))
        self.pool += [builder.read(state) for state in self.inputs + self.registers]

    def constant(self, width: int) -> int:
        """Return a constant, often a special one, in 4-state graphs sometimes with unknown bits."""
        random = self.random
        value = random.choice((0, 1, mask(width), random.getrandbits(width), 1 << random.randrange(width)))
        unknown = random.getrandbits(width) if self.builder.four_state and random.random() < 0.3 else 0
        return self.builder.const(width, value, unknown)

    def operand(self, width: int) -> int:
        """Return a node of a given width, made out of one in the pool."""
        random, builder = self.random, self.builder
        if random.random() < 0.15:
            return self.constant(width)
        fitting = [node for node in self.pool[-60:] if builder.width[node] == width]
        if fitting and random.random() < 0.8:
            return random.choice(fitting)
        node = random.choice(self.pool[-60:])
        have = builder.width[node]
        if have > width:
            return builder.slice(node, random.randrange(have - width + 1), width)
        if have < width:
            return builder.add(random.choice(("zext", "zext", "sext")), width, node)
        return node

    def add_node(self) -> int:
        """Add a node of a random operation."""
        random, builder = self.random, self.builder
        codes = len(OPS) if builder.four_state else next(op.code for op in OPS if op.four_state_only)
        op = OPS[random.randrange(2, codes)]
        width = random.choice(WIDTHS)
        if op.name == "memread":
            node = builder.memread(random.choice(self.memories), self.operand(random.choice((1, 2, 4, 5, 32, 70))))
        elif op.name == "concat":
            node = builder.concat([self.operand(random.choice(WIDTHS)) for _ in range(random.randrange(1, 5))])
        elif op.name == "slice":
            source = self.operand(width + random.randrange(1, 40))
            low = random.randrange(builder.width[source] - width + 1)
            node = builder.slice(source, low, width)
        else:
            node = builder.node(
                op.code, 1 if op.rule in ("bit", "bit1", "compare") else width, self._sources(op, width)
            )
        self.pool.append(node)
        return node

    def _sources(self, op: Op, width: int) -> tuple[int, ...]:
        any_width = self.random.choice(WIDTHS)
        index_width = self.random.choice((1, 2, 3, 4, 6, 8, 32, 70))
        match op.rule:
            case "same":
                widths = (width,) * op.arity
            case "compare":
                widths = (any_width, any_width)
            case "shift":
                widths = (width, index_width)
            case "extend":
                widths = (self.random.randint(1, width),)
            case "mux":
                widths = (1, width, width)
            case "insert":
                widths = (width, index_width, any_width)
            case "bit":
                widths = (any_width,)
            case "bit1":
                widths = (1, 1)
            case "any":
                widths = (any_width,) if op.arity == 1 else (any_width, index_width)
            case _:
                raise AssertionError(op)
        return tuple(self.operand(width) for width in widths)

    def add_sinks(self) -> None:
        """Clock registers and memories, show some values, name some nodes."""
        random, builder = self.random, self.builder
        one = builder.const(1, 1)
        known_one = "true" if builder.four_state else ""
        for index in range(CLOCKS):
            state = FIRST_CLOCK + 2 * index
            clock, before = builder.read(state), builder.read(state + 1)
            builder.writes.append(Write(state + 1, clock, one, 0))
            edge = builder.add(random.choice(("posedge", "negedge", "changed")), 1, before, clock)
            builder.domains.append(Domain(f"edge {index}", edge))

        def enable() -> int:
            if random.random() < 0.3:
                return one
            node = self.operand(1)
            return builder.add(known_one, 1, node) if known_one else node

        for register in self.registers:
            domain = random.randrange(1, len(builder.domains))
            value = self.operand(builder.states[register].width)
            builder.writes.append(Write(register, value, enable(), domain))
        for memory in self.memories:
            for _ in range(2):
                width = builder.states[memory].width
                bits = self.operand(width) if random.random() < 0.5 else -1
                if bits >= 0 and builder.four_state:
                    bits = builder.add("known", width, bits)
                address, value = self.operand(random.choice((2, 4, 32))), self.operand(width)
                domain, count = random.randrange(1, len(builder.domains)), random.choice((1, 1, 3))
                builder.memory_writes.append(MemoryWrite(memory, address, value, enable(), domain, bits, count))
        for index in range(3):
            arguments = tuple(random.choice(self.pool) for _ in range(random.randrange(4)))
            task = SystemTask("$display", (Text("%d;"), *(None for _ in arguments)), (False, True, *arguments[1:])[:1])
            domain, postponed = random.randrange(1, len(builder.domains)), index == 2
            builder.effects.append(Effect(task, (-1, *arguments), enable(), domain, "top", postponed=postponed))
        self._add_scope()

    def _add_scope(self) -> None:
        builder = self.builder
        nodes = [self.random.choice(self.pool) for _ in range(10)]
        signals = [
            Signal(f"s{i}", builder.width[node], Type("logic", builder.width[node])) for i, node in enumerate(nodes)
        ]
        memory = builder.states[self.memories[0]]
        signals += [
            Signal("ram", memory.width, Type("logic", memory.width), memory.depth),
            Signal("i", 8, Type("int", 8)),
        ]
        places = np.array([*nodes, -2 - self.memories[0], -1], np.int32)
        builder.scopes.append(Scope("top", -1, Module("top", "top", signals=signals), places))


def random_graph(seed: int, size: int, four_state: bool = False, simplify: Simplify | None = None) -> ConeGraph:
    """Return a whole random graph."""
    grown = RandomGraph(seed, four_state, simplify)
    for _ in range(size):
        grown.add_node()
    grown.add_sinks()
    return grown.builder.freeze()


def random_state(graph: ConeGraph, random: Random) -> dict[int, list[int]]:
    """Return random elements for each state but the time: scalars have one."""
    return {
        index: [random.choice((0, mask(state.width), random.getrandbits(state.width))) for _ in range(state.depth or 1)]
        for index, state in enumerate(graph.states)
        if state.kind != "time"
    }
