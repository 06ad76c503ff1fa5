"""The engine's working copy of a graph: plain lists, the sinks of one step, and specialisation to what is known.

When the run loop makes a clock rise it knows the clock's value before and after, and that the design had settled. So
the code for that edge is compiled from a graph in which the clock is 1, its sample 0, and every other sample of stable
state equals what it samples: triggers fold to constants, and whole domains vanish or need no test. Only the nodes that
depend on something known are visited twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping

from weft.base.dataclass import dataclass, field, replace
from weft.ir.cone_graph import SETTLE, ConeGraph, Effect, MemoryWrite, State, Write
from weft.ir.ops import CODE, OPS, mask

CONST, READ, MEMREAD, MUX, NOT, AND, OR, XOR = (
    CODE[name] for name in ("const", "read", "memread", "mux", "not", "and", "or", "xor")
)
SLICE = CODE["slice"]
_EQ, _POSEDGE, _NEGEDGE, _CHANGED = (CODE[name] for name in ("eq", "posedge", "negedge", "changed"))


LOOKUP = len(OPS)
"""The engine's own operation: entry src0 of table number param (`tabulate_logic`)."""


@dataclass(frozen=True, slots=True)
class Table:
    """Be a look-up table: the bits of its source that make the index, its entries' width and the entries."""

    bits: int
    width: int
    entries: tuple[int, ...]


@dataclass(slots=True)
class StepGraph:
    """Hold nodes as lists, and what one step does; `triggers` has a node for each domain."""

    op: list[int]
    width: list[int]
    param: list[int]
    srcs: list[tuple[int, ...]]
    constants: list[tuple[int, int]]
    states: list[State]
    triggers: list[int]
    writes: list[Write]
    memory_writes: list[MemoryWrite]
    effects: list[tuple[int, Effect]]
    tables: list[Table] = field(default_factory=list[Table])

    def constant(self, node: int) -> int | None:
        """Return the value of a constant node, else None."""
        return self.constants[self.param[node]][0] if self.op[node] == CONST else None

    def roots(self) -> list[int]:
        """Return the nodes that sinks, effects and triggers use, each as often as it is used."""
        found = list(self.triggers)
        for write in self.writes:
            found += [write.value, write.enable]
        for write in self.memory_writes:
            found += [write.address, write.value, write.enable, write.mask]
        for _, effect in self.effects:
            found += [*effect.args, *effect.unknowns, effect.enable]
        return [node for node in found if node >= 0]

    def renumbered(self, get: Callable[[int], int]) -> StepGraph:
        """Return the step with other nodes in its sinks, effects and triggers; its nodes are left as they are."""

        def new(node: int) -> int:
            return get(node) if node >= 0 else node

        return replace(
            self,
            triggers=[new(trigger) for trigger in self.triggers],
            writes=[replace(write, value=new(write.value), enable=new(write.enable)) for write in self.writes],
            memory_writes=[
                replace(w, address=new(w.address), value=new(w.value), enable=new(w.enable), mask=new(w.mask))
                for w in self.memory_writes
            ],
            effects=[
                (
                    index,
                    replace(
                        effect,
                        args=tuple(map(new, effect.args)),
                        unknowns=tuple(map(new, effect.unknowns)),
                        enable=new(effect.enable),
                    ),
                )
                for index, effect in self.effects
            ],
        )


def live_nodes(step: StepGraph) -> bytearray:
    """Return 1 for each node that a sink, an effect or a trigger depends on."""
    live = bytearray(len(step.op))
    for node in step.roots():
        live[node] = 1
    for node in range(len(live) - 1, -1, -1):
        if live[node]:
            for source in step.srcs[node]:
                live[source] = 1
    return live


def step_graph(graph: ConeGraph) -> StepGraph:
    """Copy a graph into lists; the general step."""
    starts, src = graph.start.tolist(), graph.src.tolist()
    op, param = graph.op.tolist(), graph.param.tolist()

    def lives(sink: Write | MemoryWrite | Effect) -> bool:
        nodes = (graph.domains[sink.domain].trigger, sink.enable)
        return all(op[node] != CONST or graph.constants[param[node]][0] for node in nodes)

    return StepGraph(
        op=op,
        width=graph.width.tolist(),
        param=param,
        srcs=[tuple(src[a:b]) for a, b in itertools.pairwise(starts)],
        constants=list(graph.constants),
        states=graph.states,
        triggers=[domain.trigger for domain in graph.domains],
        writes=[write for write in graph.writes if lives(write)],
        memory_writes=[write for write in graph.memory_writes if lives(write)],
        effects=[(index, effect) for index, effect in enumerate(graph.effects) if lives(effect)],
    )


def flatten_domains(step: StepGraph) -> StepGraph:
    """Return the same step with every trigger made part of the enables, so that no sink waits behind its domain's."""
    more = Specialiser(step)
    joined: dict[tuple[int, int], int] = {}

    def enable(sink: Write | MemoryWrite) -> int:
        trigger = step.triggers[sink.domain]
        if step.constant(trigger) == 1:
            return sink.enable
        key = (trigger, sink.enable)
        if key not in joined:
            joined[key] = trigger if step.constant(sink.enable) == 1 else more.append(AND, 1, key, 0)
        return joined[key]

    writes = [replace(write, enable=enable(write), domain=SETTLE) for write in step.writes]
    memory_writes = [replace(write, enable=enable(write), domain=SETTLE) for write in step.memory_writes]
    return replace(
        step,
        op=more.op,
        width=more.width,
        param=more.param,
        srcs=more.srcs,
        writes=writes,
        memory_writes=memory_writes,
    )


class Specialiser:
    """Rewrite the part of a graph that depends on known values."""

    def __init__(self, step: StepGraph) -> None:
        self.base = step
        self.op, self.width, self.param = list(step.op), list(step.width), list(step.param)
        self.srcs, self.constants = list(step.srcs), list(step.constants)
        self.map: dict[int, int] = {}
        # Equal constants are one node, those of the graph included: rules compare nodes.
        self._new: dict[tuple[int, int, tuple[int, ...], int], int] = {
            (CONST, step.width[node], (), step.constants[step.param[node]][0]): node
            for node, op in enumerate(step.op)
            if op == CONST
        }

    def constant(self, width: int, value: int) -> int:
        """Return the node of a constant."""
        key = (CONST, width, (), value)
        if key not in self._new:
            self.constants.append((value, 0))
            self._new[key] = self.append(CONST, width, (), len(self.constants) - 1)
        return self._new[key]

    def run(self, known: Mapping[int, int], equal: Mapping[int, int]) -> StepGraph:
        """Return the graph in which state s reads as `known[s]`, or as what node `equal[s]` is."""
        base, new = self.base, self.map
        for node in range(len(base.op)):
            if base.op[node] == READ:
                state = base.param[node]
                if state in known:
                    new[node] = self.constant(base.width[node], known[state])
                elif state in equal:
                    # What a sample samples has a lower or higher id; only lower ones are rewritten already.
                    new[node] = new.get(equal[state], equal[state])
            else:
                sources = base.srcs[node]
                for source in sources:
                    if source in new:
                        self._rewrite(node, tuple([new.get(s, s) for s in sources]))
                        break
        return self._result()

    def _rewrite(self, node: int, sources: tuple[int, ...]) -> None:
        op, width, param = self.op[node], self.width[node], self.param[node]
        simpler = self._simplify(op, width, sources, param)
        if simpler < 0:
            key = (op, width, sources, param)
            simpler = self._new.get(key, -1)
            if simpler < 0:
                simpler = self._new[key] = self.append(op, width, sources, param)
        self.map[node] = simpler

    def append(self, op: int, width: int, sources: tuple[int, ...], param: int) -> int:
        """Add a node."""
        self.op.append(op)
        self.width.append(width)
        self.srcs.append(sources)
        self.param.append(param)
        return len(self.op) - 1

    def _value(self, node: int) -> int | None:
        return self.constants[self.param[node]][0] if self.op[node] == CONST else None

    def _simplify(self, op: int, width: int, sources: tuple[int, ...], param: int) -> int:
        """Return an equal node that exists or is a constant, or -1."""
        values = [self._value(source) for source in sources]
        evaluate = OPS[op].evaluate
        if evaluate is not None and all(value is not None for value in values):
            numbers = [value for value in values if value is not None]
            return self.constant(width, evaluate(numbers, [self.width[s] for s in sources], width, param))
        if op == MUX:
            if values[0] is not None:
                return sources[1] if values[0] else sources[2]
            return sources[1] if sources[1] == sources[2] else -1
        if len(sources) != 2:
            return -1
        return self._simplify_pair(op, width, sources, values)

    def _simplify_pair(self, op: int, width: int, sources: tuple[int, ...], values: list[int | None]) -> int:
        a, b = sources
        if a == b:
            if op in (_POSEDGE, _NEGEDGE, _CHANGED, XOR):
                return self.constant(width, 0)
            return self.constant(1, 1) if op == _EQ else a if op in (AND, OR) else -1
        if op in (_POSEDGE, _NEGEDGE):
            return self._simplify_edge(op == _POSEDGE, a, b, values)
        if op in (AND, OR):
            absorbing = 0 if op == AND else mask(width)
            for value, other in ((values[0], b), (values[1], a)):
                if value == absorbing:
                    return self.constant(width, absorbing)
                if value == mask(width) - absorbing:
                    return other
        return -1

    def _simplify_edge(self, rising: bool, before: int, now: int, values: list[int | None]) -> int:
        """Simplify an edge one of whose sides is known; `rising` wants 0 before and 1 now."""
        was, want = values[0], int(rising)
        if was == want or values[1] == 1 - want:
            return self.constant(1, 0)
        if was == 1 - want:
            return now if want else self._invert(now)
        if values[1] == want:
            return self._invert(before) if want else before
        return -1

    def _invert(self, node: int) -> int:
        key = (NOT, 1, (node,), 0)
        if key not in self._new:
            self._new[key] = self.append(NOT, 1, (node,), 0)
        return self._new[key]

    def _result(self) -> StepGraph:
        new = self.map
        result = self.base.renumbered(lambda node: new.get(node, node))
        dead = {domain for domain, trigger in enumerate(result.triggers) if self._value(trigger) == 0}

        def lives(sink: Write | MemoryWrite | Effect) -> bool:
            return sink.domain not in dead and self._value(sink.enable) != 0

        return replace(
            result,
            op=self.op,
            width=self.width,
            param=self.param,
            srcs=self.srcs,
            constants=self.constants,
            writes=[write for write in result.writes if lives(write)],
            memory_writes=[write for write in result.memory_writes if lives(write)],
            effects=[(index, effect) for index, effect in result.effects if lives(effect)],
        )


def edge_graph(step: StepGraph, clock: int, level: int, steady: Mapping[int, int]) -> StepGraph:
    """Return what the first step after a clock edge does, in a design that had settled before it.

    `steady` gives inputs, resets as a rule, that are known to have a value.
    """
    clock_samples, equal = _sort_samples(step, clock, ("time", "latch", "sample"))
    known = {**steady, clock: level, **dict.fromkeys(clock_samples, 1 - level)}
    moved = _moved_by(step, {clock} | _of_kinds(step, ("time",)))
    # A latch that the edge does not reach has its settled value already.
    writes = [
        write
        for write in step.writes
        if write.domain != SETTLE
        or step.states[write.state].kind != "latch"
        or moved[write.value]
        or moved[write.enable]
    ]
    result = Specialiser(replace(step, writes=writes)).run(known, equal)
    return replace(result, writes=[write for write in result.writes if write.state not in equal])


def after_graph(step: StepGraph, clock: int, level: int, steady: Mapping[int, int]) -> StepGraph:
    """Return what the next step does: only samples of the clock and of inputs are sure to equal what they sample."""
    clock_samples, equal = _sort_samples(step, clock, ("time", "latch", "sample", "register", "memory"))
    known = {**steady, clock: level, **dict.fromkeys(clock_samples, level)}
    result = Specialiser(step).run(known, equal)
    writes = [w for w in result.writes if w.state not in clock_samples and w.state not in equal]
    return replace(result, writes=writes)


def poke_graph(step: StepGraph, inputs: Iterable[int]) -> StepGraph:
    """Return what the next step does after some inputs have changed in a design that had settled.

    What does not depend on them equals what it samples; of the sinks only those that settle are left, beside triggers.
    """
    moved = _moved_by(step, set(inputs))
    equal = {state: node for state, node in _samples(step).items() if not moved[node]}
    writes = [
        write
        for write in step.writes
        if write.domain == SETTLE
        and (step.states[write.state].kind != "latch" or moved[write.value] or moved[write.enable])
    ]
    result = Specialiser(replace(step, writes=writes)).run({}, equal)
    return replace(
        result,
        writes=[write for write in result.writes if write.state not in equal],
        memory_writes=[write for write in result.memory_writes if write.domain == SETTLE],
        effects=[(index, effect) for index, effect in result.effects if effect.domain == SETTLE],
    )


def settles_after(step: StepGraph, state: int) -> bool:
    """Say whether a settled design may have to settle again when a state has been set from outside.

    It need not where no trigger, and nothing that every step does (latches, samples), depends on the state.
    """
    moved = _moved_by(step, {state})
    watched = list(step.triggers)
    for write in step.writes:
        watched += [write.value, write.enable] if write.domain == SETTLE else []
    for write in step.memory_writes:
        watched += [write.address, write.value, write.enable, write.mask] if write.domain == SETTLE else []
    for _, effect in step.effects:
        watched += [*effect.args, *effect.unknowns, effect.enable] if effect.domain == SETTLE else []
    return any(moved[node] for node in watched if node >= 0)


def _sort_samples(step: StepGraph, clock: int, moving: Iterable[str]) -> tuple[list[int], dict[int, int]]:
    """Return the samples of the clock itself, and the node of each sample that equals what it samples.

    Those are the ones that depend neither on the clock nor on states of the `moving` kinds.
    """
    samples = _samples(step)
    clock_samples = [s for s, node in samples.items() if step.op[node] == READ and step.param[node] == clock]
    moved = _moved_by(step, {clock} | _of_kinds(step, moving))
    return clock_samples, {s: node for s, node in samples.items() if not moved[node]}


def _of_kinds(step: StepGraph, kinds: Iterable[str]) -> set[int]:
    wanted = set(kinds)
    return {index for index, state in enumerate(step.states) if state.kind in wanted}


def _samples(step: StepGraph) -> dict[int, int]:
    """Return what each sample state samples, for those written just once and at every step."""
    found: dict[int, int] = {}
    for write in step.writes:
        if step.states[write.state].kind == "sample":
            sure = write.domain == SETTLE and step.constant(write.enable) == 1 and write.state not in found
            found[write.state] = write.value if sure else -1
    return {state: node for state, node in found.items() if node >= 0}


def _moved_by(step: StepGraph, states: set[int]) -> list[bool]:
    """Say of each node whether it depends on one of these states."""
    moved: list[bool] = []
    for op, param, sources in zip(step.op, step.param, step.srcs, strict=True):
        read = op in (READ, MEMREAD) and param in states
        moved.append(read or any(moved[source] for source in sources))
    return moved


def cone(step: StepGraph, targets: Iterable[int], ends: set[int]) -> list[int]:
    """Return the nodes that targets need, in order, not going beyond `ends`."""
    found: set[int] = set()
    pending = list(targets)
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            if node not in ends:
                pending.extend(source for source in step.srcs[node] if source not in found)
    return sorted(found)
