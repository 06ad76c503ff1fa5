"""Say after which clock edges a traced row may have changed, as LLVM IR: most falling edges are idle.

A domain fires at an edge of a clock only if its trigger can: `posedge (clk & en)` cannot while `clk` is 0, whatever
`en` is. Latches that follow a clock, as those of clock gates do, may change at any time, and are compared one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from weft.base.dataclass import dataclass
from weft.ir.cone_graph import SETTLE, ConeGraph, Node
from weft.ir.layout import StateLayout
from weft.ir.ops import CODE
from weft.ir.step_graph import StepGraph, cone

_READ, _MEMREAD = CODE["read"], CODE["memread"]
_LOOSE = 16  # states that are compared one by one, at most
_Levels = frozenset[tuple[int, int]]
"""Levels of clocks, each with the clock's state."""


@dataclass(frozen=True, slots=True)
class RowActivity:
    """Know the design and its clocks: `hot` are the states that toggle all the time, `clocks` those that are inputs."""

    graph: ConeGraph
    step: StepGraph
    layout: StateLayout
    hot: frozenset[int]
    clocks: frozenset[int]

    def busy(self, places: Mapping[int, int], captures: bool) -> tuple[str, str]:
        """Return code and operand that say whether anything in a row may have changed.

        `places` are the row's states and where they are in it; `captures` says whether it has elements of memories.
        The code reads the last row, `%last`.
        """
        graph = self.graph
        states, loose = self._followed(places)
        if states is None:
            return "", "true"
        domains = {write.domain for write in graph.writes if write.state in states and write.domain != SETTLE}
        reads_memory = captures or any(graph.states[state].depth for state in states)
        domains |= {write.domain for write in graph.memory_writes} if reads_memory else set()
        text, result = self.may_change("b", domains)
        for state in sorted(loose):
            slot, name = self.layout.slots[state], f"l{state}"
            kind = f"i{8 * slot.stride}"
            text += f"""  %{name}.p = getelementptr i8, ptr %s, i64 {slot.offset}
  %{name}.q = getelementptr i8, ptr %last, i64 {places[state]}
  %{name}.v = load {kind}, ptr %{name}.p, align 1
  %{name}.w = load {kind}, ptr %{name}.q, align 1
  %{name}.t = icmp ne {kind} %{name}.v, %{name}.w
  %{name}.o = or i1 {result}, %{name}.t
"""
            result = f"%{name}.o"
        return text, result

    def _followed(self, row: Iterable[int]) -> tuple[set[int] | None, set[int]]:
        """Return a row's states and those that latches among them follow, and those of the row that follow a clock.

        The first is None if one is the time, or if too many follow a clock.
        """
        graph, step = self.graph, self.step
        latches = {write.state: (write.value, write.enable) for write in graph.writes if write.domain == SETTLE}
        sources: dict[int, set[int]] = {}
        pending = list(row)
        while pending:
            state = pending.pop()
            if state in sources:
                continue
            needed = cone(step, latches.get(state, ()), set())
            sources[state] = {step.param[node] for node in needed if step.op[node] in (_READ, _MEMREAD)}
            pending += sources[state]
        loose = {state for state in sources if state in self.hot or graph.states[state].kind == "time"}
        while more := {state for state in sources if state not in loose and sources[state] & loose}:
            loose |= more
        loose &= set(row)
        if len(loose) > _LOOSE or any(graph.states[state].kind == "time" for state in loose):
            return None, set()
        return set(sources), loose

    def firing(self, trigger: int) -> set[_Levels]:
        """Return after which levels of clocks a domain may fire in a run: after all those of any of these."""
        graph = self.graph
        match graph.node(trigger):
            case Node("or", _, (a, b), _):
                return self.firing(a) | self.firing(b)
            case Node("posedge" | "negedge" as op, _, (_, now), _):
                needed = cone(self.step, [now], set())
                read = {int(graph.param[node]) for node in needed if graph.op[node] in (_READ, _MEMREAD)}
                # Inputs that are no clocks change between runs, and then everything is looked at.
                if all(graph.states[state].kind == "input" and state not in self.clocks for state in read):
                    return set()
                clocks = read & self.clocks
                # What has not this value after a clock's level was no edge at it, whatever the rest is.
                value = int(op == "posedge")
                levels = ((clock, level) for clock in clocks for level in (0, 1))
                return {frozenset((c, 1 - level) for c, level in levels if self._known_bit(now, c, level) == 1 - value)}
            case Node("const", _, _, number) if not self.step.constants[number][0]:
                return set()
            case _:
                return {frozenset()}

    def _known_bit(self, node: int, clock: int, level: int) -> int | None:
        """Return the value that a 1-bit node has whenever a clock has a level, or None if that depends on more."""
        graph = self.graph
        match graph.node(node):
            case Node("read", 1, _, state) if state == clock:
                return level
            case Node("not", 1, (a,), _):
                bit = self._known_bit(a, clock, level)
                return None if bit is None else 1 - bit
            case Node("and" | "or" as op, 1, operands, _):
                decides = int(op == "or")
                bits = [self._known_bit(operand, clock, level) for operand in operands]
                return decides if decides in bits else 1 - decides if None not in bits else None
            case _:
                return None

    def may_change(self, prefix: str, domains: set[int]) -> tuple[str, str]:
        """Return code and operand that say whether one of these domains may have fired in a run since the last call."""
        found = {levels for domain in domains for levels in self.firing(self.graph.domains[domain].trigger)}
        if frozenset[tuple[int, int]]() in found:
            return "", "true"
        text, result = "", "false"
        for n, levels in enumerate(sorted(map(sorted, found))):
            every = "true"
            for clock, level in levels:
                name = f"{prefix}{n}.{clock}"
                text += f"""  %{name}.p = getelementptr i8, ptr %s, i64 {self.layout.slots[clock].offset}
  %{name}.v = load i8, ptr %{name}.p
  %{name}.t = icmp eq i8 %{name}.v, {level}
  %{name}.a = and i1 {every}, %{name}.t
"""
                every = f"%{name}.a"
            text += f"  %{prefix}{n}.o = or i1 {result}, {every}\n"
            result = f"%{prefix}{n}.o"
        return text, result
