"""Put faults into a design as logic: one graph for all faults, in which a few states of each lane choose its own.

A *site* is a signal that was made forceable (`insert_forces`): its force point becomes

    mux($fault_site == number, driven & $fault_keep ^ $fault_flip, driven)

so one comparison and two operations a site serve every bit and both stuck-at values, however many lanes there are.
Sites wider than 32 bits are several *pieces* with numbers of their own. A memory is a site of its reads, where
`$fault_element` must agree too. Number 0 is no site: the good machine.

A *pin* is a signal as the logic of one other alone sees it: that logic, between force points, is built once more, with
the faulty value in the signal's place.

A transient is in a lane from the end of cycle `$fault_cycle` - 1 on. On a wire it holds for that cycle: `$fault_site`
counts only while `$fault_beat`, the number of cycles that are over, equals `$fault_cycle`. In a register, latch or
memory it is an *upset*: at that falling edge the bits of state piece `$fault_upset` change, behind whatever else the
edge writes, and stay until the design writes them. All upsets are under one condition, and no other edge has any logic
for them.

The observed signals are packed into one row. The good machine's graph (`record`) writes it into memory `$good` at the
end of each cycle, at the falling edge of the clock, which sees what had settled; the faulty graph compares with that
memory, which all lanes share, notes the first output that differs in `$fault_output` (from 1), and stops the lane with
a `$stop` of its own. `$stimulus` is a memory of the inputs' values, one row a cycle. Both memories are windows: cycle c
is at c modulo their depth. Both graphs have the same state table.

The method is the parallel fault simulation of Seshu (IEEE Trans. Electronic Computers, 1965), with lanes for bits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import InternalError
from weft.ir.cone_graph import SETTLE, ConeGraph, Domain, Effect, MemoryWrite, State, Write
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE
from weft.ir.statements import SystemTask
from weft.passes.insert_forces import find_force_points
from weft.passes.rebuild_graph import drop_dead_nodes, move_sinks
from weft.passes.simplify_nodes import simplify_two_state

PIECE = 32
"""A piece of a site has this many bits at most."""

ALWAYS = (1 << 32) - 1
"""The `$fault_cycle` of a fault that is there all the time."""

SITE, UPSET, KEEP, FLIP, CYCLE, ELEMENT, CHECK, BEAT, OUTPUT, GOOD, STIMULUS, CLOCK = (
    "$fault_site", "$fault_upset", "$fault_keep", "$fault_flip", "$fault_cycle", "$fault_element", "$fault_check",
    "$fault_beat", "$fault_output", "$good", "$stimulus", "$fault_clock",
)  # fmt: skip
_SAMPLE = "$fault_clock_before"
_CHOICES = (SITE, UPSET, KEEP, FLIP, CYCLE, ELEMENT)
_CONST, _READ, _MEMREAD, _MUX = (CODE[name] for name in ("const", "read", "memread", "mux"))


@dataclass(frozen=True, slots=True)
class InjectionPlan:
    """Say where faults may be, by states of the graph: `clock` is an input or -1 where the design has none.

    `wires` are paths of forceable signals, `memories` and `upsets` states whose reads are sites and whose bits may
    flip; `observed` are nodes, `stimulus` input states. `pins` are pairs of forceable signals, the reader (and its own
    states) and the one that it reads. `window` is the depth of the memories, a power of two.
    """

    clock: int
    wires: tuple[str, ...] = ()
    memories: tuple[int, ...] = ()
    upsets: tuple[int, ...] = ()
    observed: tuple[int, ...] = ()
    stimulus: tuple[int, ...] = ()
    window: int = 1024
    pins: tuple[tuple[str, tuple[int, ...], str], ...] = ()


@dataclass(slots=True)
class Injection:
    """Hold the graph and where things are in it: `states` maps old states to new ones (-1: gone).

    `wires`, `memories` and `upsets` give the number of the first piece of each site, the latter two by old state.
    """

    graph: ConeGraph
    states: list[int]
    clock: int
    named: dict[str, int]
    wires: dict[str, int] = field(default_factory=dict[str, int])
    memories: dict[int, int] = field(default_factory=dict[int, int])
    upsets: dict[int, int] = field(default_factory=dict[int, int])
    pins: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])


def inject_faults(graph: ConeGraph, plan: InjectionPlan, *, record: bool = False) -> Injection:
    """Return a 2-state graph with fault logic, or with `record` the good machine that records its outputs."""
    if graph.four_state:
        raise InternalError("faults are injected into 2-state graphs")
    return _Injector(graph, plan, record).run()


def piece_count(width: int) -> int:
    """Return the number of pieces of a site."""
    return -(-width // PIECE)


def pin_roots(graph: ConeGraph, driven: int, states: Sequence[int]) -> list[int]:
    """Return the nodes that drive a signal, or that its own states take."""
    own = set(states)
    writes = [write for write in graph.writes if write.state in own]
    return [driven, *(node for write in writes for node in (write.value, write.enable))]


def pin_sources(graph: ConeGraph, roots: Sequence[int], ends: Collection[int]) -> list[int]:
    """Return the nodes of `ends` that the logic of some nodes begins at."""
    return [node for node in pin_logic(graph, roots, ends) if node in ends]


def pin_logic(graph: ConeGraph, roots: Sequence[int], ends: Collection[int]) -> list[int]:
    """Return the nodes of the logic of some nodes, those of `ends` that it begins at among them, in ascending order."""
    found, work = set(roots), list(roots)
    while work:
        node = work.pop()
        if node not in ends:
            fresh = [source for source in graph.sources(node) if source not in found]
            found.update(fresh)
            work += fresh
    return sorted(found)


class _Injector:
    def __init__(self, graph: ConeGraph, plan: InjectionPlan, record: bool) -> None:
        self.graph, self.plan, self.record = graph, plan, record
        self.builder = builder = GraphBuilder(simplify_two_state)
        self.points = find_force_points(graph, plan.wires)
        gone = {state for point in self.points.values() for state in (point.enable, point.value)}
        places: list[int] = []
        for number, state in enumerate(graph.states):
            places.append(-1 if number in gone else len(builder.states))
            if number not in gone:
                builder.states.append(state)
        self.named: dict[str, int] = {}
        clock = places[plan.clock] if plan.clock >= 0 else self._state(State(CLOCK, 1, kind="input", initial=0))
        self.result = Injection(graph, places, clock, self.named)
        for name in _CHOICES:
            self._state(State(name, 32, kind="input", initial=0, known=True))
        self._state(State(CHECK, 1, kind="input", initial=0, known=True))
        self._state(State(BEAT, 32, initial=0, known=True))
        self._state(State(OUTPUT, 32, initial=0, known=True))
        self._state(State(_SAMPLE, 1, kind="sample", initial=0, known=True))
        for name, width in (
            (GOOD, sum(int(graph.width[node]) for node in plan.observed)),
            (STIMULUS, sum(graph.states[state].width for state in plan.stimulus)),
        ):
            if width:
                self._state(State(name, width, plan.window, "memory", 0))
        self._number()

    def _state(self, state: State) -> int:
        self.named[state.name] = len(self.builder.states)
        self.builder.states.append(state)
        return self.named[state.name]

    def _number(self) -> None:
        """Give each piece of each site its number; sites and upsets are numbered apart."""
        result, graph, at = self.result, self.graph, 1
        for path in self.plan.wires:
            result.wires[path] = at
            at += piece_count(int(graph.width[self.points[path].node]))
        for state in self.plan.memories:
            result.memories[state] = at
            at += piece_count(graph.states[state].width)
        for path, _, source in self.plan.pins:
            result.pins[path, source] = at
            at += piece_count(int(graph.width[self.points[source].node]))
        at = 1
        for state in self.plan.upsets:
            result.upsets[state] = at
            at += piece_count(graph.states[state].width)

    def run(self) -> Injection:
        builder, graph, result = self.builder, self.graph, self.result
        moved = self._move()
        pinned = self._pinned_writes(moved)
        table = replace(graph, writes=[self._moved_write(write) for write in pinned])
        at = [*moved, -1]
        table.memory_writes = [replace(w, state=result.states[w.state]) for w in graph.memory_writes]
        move_sinks(table, builder, np.array(moved, np.int32))
        now, before = builder.read(result.clock), builder.read(self.named[_SAMPLE])
        self.trigger = builder.add("negedge", 1, before, now)
        builder.domains.append(Domain("the end of a cycle", self.trigger))
        self.domain = len(builder.domains) - 1
        always, beat = builder.const(1, 1), builder.read(self.named[BEAT])
        following = builder.add("add", 32, beat, builder.const(32, 1))
        row = [at[node] for node in self.plan.observed]
        if row and self.record:
            address = self._window(beat)
            builder.memory_writes.append(
                MemoryWrite(self.named[GOOD], address, builder.concat(row), always, self.domain)
            )
        elif row:
            self._compare(row, beat)
        if not self.record:
            self._upset(following)
        builder.writes.append(Write(self.named[BEAT], following, always, self.domain))
        builder.writes.append(Write(self.named[_SAMPLE], now, always, SETTLE))
        result.graph, _ = drop_dead_nodes(builder.freeze())
        return result

    def _moved_write(self, write: Write) -> Write:
        return replace(write, state=self.result.states[write.state])

    # --------------------------------------------------------------------------------------------------- sites

    def _move(self) -> list[int]:
        """Copy the nodes, with the logic of the sites among them; return the new node of each."""
        graph, builder, places = self.graph, self.builder, self.result.states
        stimulus = self._stimulus()
        at_node = {point.node: path for path, point in self.points.items()}
        starts, srcs = graph.start.tolist(), graph.src.tolist()
        moved: list[int] = []
        rows = zip(graph.op.tolist(), graph.width.tolist(), graph.param.tolist(), strict=True)
        for node, (op, width, param) in enumerate(rows):
            if op == _CONST:
                moved.append(builder.const(width, *graph.constants[param]))
                continue
            if op == _READ:
                # The states of force points are gone; their reads are only used by those points.
                place = places[param]
                moved.append(stimulus.get(param, builder.read(place) if place >= 0 else builder.const(width, 0)))
                continue
            sources = tuple([moved[source] for source in srcs[starts[node] : starts[node + 1]]])
            path = at_node.get(node)
            if path is not None:
                driven = self._with_pins(path, self.points[path].driven, moved)
                moved.append(self._faulty(driven, self.result.wires[path], -1))
            elif op == _MEMREAD:
                read = builder.node(op, width, sources, places[param])
                first = self.result.memories.get(param)
                moved.append(read if first is None else self._faulty(read, first, sources[0]))
            else:
                moved.append(builder.node(op, width, sources, param))
        return moved

    def _with_pins(self, path: str, root: int, moved: Sequence[int]) -> int:
        """Return what stands for a node of a signal's logic, whose pins have faults."""
        pins = [source for target, _, source in self.plan.pins if target == path]
        if not pins:
            return moved[root]
        graph, builder = self.graph, self.builder
        ends = {point.node for point in self.points.values()}
        logic, changed = pin_logic(graph, [root], ends), dict[int, int]()
        for source in pins:
            node = self.points[source].node
            if node in logic:  # a register's next value has other pins than what shows the register
                changed[node] = self._faulty(moved[node], self.result.pins[path, source], -1)
        for node in logic:
            sources = graph.sources(node)
            if node in ends or not any(source in changed for source in sources):
                continue
            op, param = int(graph.op[node]), int(graph.param[node])
            new = tuple([changed.get(source, moved[source]) for source in sources])
            if op == _MEMREAD:
                first = self.result.memories.get(param)
                read = builder.node(op, int(graph.width[node]), new, self.result.states[param])
                changed[node] = read if first is None else self._faulty(read, first, new[0])
            else:
                changed[node] = builder.node(op, int(graph.width[node]), new, param)
        return changed.get(root, moved[root])

    def _pinned_writes(self, moved: list[int]) -> list[Write]:
        """Return the writes, those of registers with pins by nodes of their own, which are added to what has moved."""
        owners = {state: path for path, states, _ in self.plan.pins for state in states}
        found: list[Write] = []
        for write in self.graph.writes:
            if write.state in owners:
                nodes = [self._with_pins(owners[write.state], node, moved) for node in (write.value, write.enable)]
                moved += nodes
                write = replace(write, value=len(moved) - 2, enable=len(moved) - 1)
            found.append(write)
        return found

    def _choice(self, name: str) -> int:
        return self.builder.read(self.named[name])

    def _active_site(self) -> int:
        """Return the number of the lane's site while its fault is there, else 0."""
        builder, cycle = self.builder, self._choice(CYCLE)
        always = builder.add("eq", 1, cycle, builder.const(32, ALWAYS))
        now = builder.add("or", 1, always, builder.add("eq", 1, cycle, self._choice(BEAT)))
        return builder.add("mux", 32, now, self._choice(SITE), builder.const(32, 0))

    def _faulty(self, driven: int, first: int, address: int) -> int:
        """Return a value in which the lane's fault is, if this is its site (and element)."""
        if self.record:
            return driven
        builder, active = self.builder, self._active_site()
        same = builder.const(1, 1)
        if address >= 0:
            same = self._same_element(address)
        return self._pieces(driven, first, active, same)

    def _same_element(self, address: int) -> int:
        builder = self.builder
        width = max(32, builder.width[address])
        wide = address if builder.width[address] == width else builder.add("zext", width, address)
        element = self._choice(ELEMENT)
        if width > 32:
            element = builder.add("zext", width, element)
        return builder.add("eq", 1, wide, element)

    def _pieces(self, value: int, first: int, chosen: int, condition: int) -> int:
        """Return a value whose piece of the chosen number is changed by the lane's masks where the condition holds."""
        builder, total = self.builder, self.builder.width[value]
        pieces: list[int] = []
        for number, low in enumerate(range(0, total, PIECE)):
            width = min(PIECE, total - low)
            part = builder.slice(value, low, width)
            keep, flip = (builder.slice(self._choice(name), 0, width) for name in (KEEP, FLIP))
            changed = builder.add("xor", width, builder.add("and", width, part, keep), flip)
            mine = builder.add("eq", 1, chosen, builder.const(32, first + number))
            here = builder.add("and", 1, mine, condition)
            pieces.append(builder.add("mux", width, here, changed, part))
        return builder.concat(pieces)

    # ----------------------------------------------------------------------------------------------- stimulus

    def _window(self, beat: int) -> int:
        """Return the place of a cycle in the memories of a window."""
        return self.builder.slice(beat, 0, max(1, (self.plan.window - 1).bit_length()))

    def _stimulus(self) -> Mapping[int, int]:
        """Return what stands for each input that has a stimulus."""
        if not self.plan.stimulus:
            return {}
        builder, low = self.builder, 0
        row = builder.memread(self.named[STIMULUS], self._window(builder.read(self.named[BEAT])))
        found: dict[int, int] = {}
        for state in self.plan.stimulus:
            width = self.graph.states[state].width
            found[state] = builder.slice(row, low, width)
            low += width
        return found

    # ----------------------------------------------------------------------------------- upsets and comparison

    def _upset(self, following: int) -> None:
        """Write each state once more, with the lane's bits flipped, at the end of the cycle before its fault's."""
        builder, result = self.builder, self.result
        strike = builder.add("eq", 1, following, self._choice(CYCLE))
        chosen, one = self._choice(UPSET), builder.const(1, 1)
        scalars = list(builder.writes)
        memories = list(builder.memory_writes)
        for old, first in result.upsets.items():
            state = result.states[old]
            if builder.states[state].depth:
                self._upset_memory(state, first, strike, [w for w in memories if w.state == state])
                continue
            value = builder.read(state)
            for write in scalars:
                if write.state == state:
                    fires = builder.add("and", 1, builder.domains[write.domain].trigger, write.enable)
                    value = builder.add("mux", builder.width[value], fires, write.value, value)
            flipped = self._pieces(value, first, chosen, one)
            builder.writes.append(Write(state, flipped, strike, self.domain))

    def _upset_memory(self, state: int, first: int, strike: int, writes: Sequence[MemoryWrite]) -> None:
        builder = self.builder
        described, element = builder.states[state], self._choice(ELEMENT)
        width = described.width
        value = builder.memread(state, element)
        for write in writes:
            fires = builder.add("and", 1, builder.domains[write.domain].trigger, write.enable)
            there = self._same_element(write.address)
            if write.count > 1:
                there = self._within(element, write.address, write.count)
            new = write.value
            if write.mask >= 0:
                kept = builder.add("and", width, value, builder.add("not", width, write.mask))
                new = builder.add("or", width, kept, builder.add("and", width, new, write.mask))
            value = builder.add("mux", width, builder.add("and", 1, fires, there), new, value)
        mine = builder.const(1, 0)
        for number in range(piece_count(width)):
            same = builder.add("eq", 1, self._choice(UPSET), builder.const(32, first + number))
            mine = builder.add("or", 1, mine, same)
        flipped = self._pieces(value, first, self._choice(UPSET), builder.const(1, 1))
        enable = builder.add("and", 1, strike, mine)
        builder.memory_writes.append(MemoryWrite(state, element, flipped, enable, self.domain))

    def _within(self, element: int, address: int, count: int) -> int:
        """Say whether an element is one of `count` from an address on."""
        builder = self.builder
        width = max(33, builder.width[address] + 1)
        low, at = builder.add("zext", width, address), builder.add("zext", width, element)
        distance = builder.add("sub", width, at, low)
        return builder.add("ult", 1, distance, builder.const(width, count))

    def _compare(self, row: Sequence[int], beat: int) -> None:
        """Stop the lane at the end of a cycle in which an observed signal is not what the good machine has."""
        builder = self.builder
        good = builder.memread(self.named[GOOD], self._window(beat))
        differs: list[int] = []
        low = 0
        for node in row:
            width = builder.width[node]
            same = builder.add("eq", 1, node, builder.slice(good, low, width))
            differs.append(builder.add("not", 1, same))
            low += width
        change = builder.add("xor", low, builder.concat(row), good)
        some = builder.add("and", 1, builder.add("redor", 1, change), self._choice(CHECK))
        first = builder.const(32, len(row))
        for number in range(len(row) - 1, 0, -1):
            first = builder.add("mux", 32, differs[number - 1], builder.const(32, number), first)
        builder.writes.append(Write(self.named[OUTPUT], first, some, self.domain))
        builder.effects.append(Effect(SystemTask("$stop", ()), (), some, self.domain, self.graph.scopes[0].path))
