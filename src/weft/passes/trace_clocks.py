"""Find a design's clocks and resets, so that nobody has to name them.

Every domain's trigger is an or of edges. The value whose edge it is leads to an input of the top directly, through
gating logic, or to a register (a derived clock). In a domain with several edges (`posedge clk or negedge rst_n`) the
one that decides what the registers are set to is an asynchronous reset: it is a condition near the root of the
registers' next values, which a clock never is. A synchronous reset is an input with a reset's name that is such a
condition, with a constant in the arm that it selects. The caller gets every candidate, the one with the most sinks
first, and decides what is ambiguous.

Only a few levels from each sink are looked at, so the cost does not depend on the size of the logic.
"""

from __future__ import annotations

import re
from collections import Counter

from weft.base.dataclass import dataclass
from weft.ir.cone_graph import SETTLE, ConeGraph
from weft.ir.ops import CODE
from weft.passes.clock_assertions import is_tick

_READ, _NOT, _MUX, _AND, _OR, _CONST = (CODE[name] for name in ("read", "not", "mux", "and", "or", "const"))
_TRUE = CODE["true"]
_EDGES = {CODE[name]: name for name in ("posedge", "negedge", "changed")}
_RESET_NAME = re.compile(r"(?<!fi)(?<!bu)(?<!wo)rst|reset|(^|_)(clr|clear)", re.IGNORECASE)  # not first, burst, worst
_CLOCK_NAME = re.compile(r"clk|clock|(^|\.|_)ck($|_)", re.IGNORECASE)
_OPPOSITE = {"posedge": "negedge", "negedge": "posedge", "changed": "changed"}
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class ClockSource:
    """Be an input that clocks something; `edges` are `posedge`, `negedge`, `changed`; `sinks` counts its writes.

    `gated` counts the sinks that it reaches only through logic.
    """

    state: int
    name: str
    edges: tuple[str, ...]
    sinks: int
    gated: int = 0


@dataclass(frozen=True, slots=True)
class DerivedClock:
    """Be a register that clocks something."""

    state: int
    name: str
    sinks: int


@dataclass(frozen=True, slots=True)
class ResetSource:
    """Be an input that resets registers, when it is 0 (`active_low`) or 1."""

    state: int
    name: str
    active_low: bool
    asynchronous: bool
    sinks: int


@dataclass(frozen=True, slots=True)
class ClockReport:
    """Say what clocks and resets a design has, each list by number of sinks."""

    clocks: tuple[ClockSource, ...]
    derived: tuple[DerivedClock, ...]
    resets: tuple[ResetSource, ...]

    def describe(self) -> str:
        """Return the findings as sentences, one for each line."""
        lines: list[str] = []
        for clock in self.clocks:
            gate = f", {clock.gated} of them through gates" if clock.gated else ""
            lines.append(f"clock {clock.name}: {' and '.join(clock.edges)}, {_count(clock.sinks)}{gate}")
        lines += [f"derived clock {clock.name}: a register, {_count(clock.sinks)}" for clock in self.derived]
        for reset in self.resets:
            kind = "asynchronous" if reset.asynchronous else "synchronous"
            lines.append(f"reset {reset.name}: {kind}, active {'low' if reset.active_low else 'high'}")
        return "\n".join(lines) or "no clocks: the design is combinational"


def find_clocks(graph: ConeGraph) -> ClockReport:
    """Return the clocks and resets of a design."""
    return _Tracer(graph).report()


class _Tracer:
    def __init__(self, graph: ConeGraph) -> None:
        self.graph = graph
        self.sinks = Counter(write.domain for write in (*graph.writes, *graph.memory_writes, *graph.effects))
        self.clocked = {write.domain for write in (*graph.writes, *graph.memory_writes)}
        # What assertions do is no part of the design.
        self.watching = {number for number, domain in enumerate(graph.domains) if self._is_ticked(domain.trigger)}
        self.votes: dict[int, Counter[tuple[int, bool]]] = {}
        self._count_conditions()

    def report(self) -> ClockReport:
        clocks: dict[int, Counter[str]] = {}
        gated: Counter[int] = Counter()
        derived: Counter[int] = Counter()
        asynchronous: dict[int, tuple[bool, int]] = {}
        pending: list[tuple[int, str, list[int]]] = []
        for number, domain in enumerate(self.graph.domains):
            if number == SETTLE or number in self.watching:
                continue
            edges = self._edges(domain.trigger)
            if number not in self.clocked and all(edge == "changed" for edge, _ in edges):
                continue  # an effect of combinational logic
            resets = self._resets(number, edges)
            for edge, node in edges:
                state = self._state(node)
                if (edge, node) in resets:
                    _, sinks = asynchronous.get(state, (False, 0))
                    asynchronous[state] = (edge == "negedge", sinks + self.sinks[number])
                elif state >= 0 and self._kind(state) == "input":
                    clocks.setdefault(state, Counter())[edge] += self.sinks[number]
                elif state >= 0:
                    derived[state] += self.sinks[number]
                else:
                    pending.append((number, edge, self._leaves(node)))
        for number, edge, leaves in pending:
            several = len(self._edges(self.graph.domains[number].trigger)) > 1
            if several and not any(state in clocks for state in leaves):
                continue  # a reset that is combined out of several: which input it comes from is not clear
            for state in self._gate_clocks(leaves, clocks):
                if self._kind(state) == "input":
                    clocks.setdefault(state, Counter())[edge] += self.sinks[number]
                    gated[state] += self.sinks[number]
                else:
                    derived[state] += self.sinks[number]
        return ClockReport(
            self._clock_sources(clocks, gated),
            tuple(DerivedClock(state, self._name(state), sinks) for state, sinks in derived.most_common()),
            self._reset_sources(asynchronous, set(clocks)),
        )

    def _clock_sources(self, clocks: dict[int, Counter[str]], gated: Counter[int]) -> tuple[ClockSource, ...]:
        order = ("posedge", "negedge", "changed")
        found = [
            ClockSource(state, self._name(state), tuple(e for e in order if e in edges), edges.total(), gated[state])
            for state, edges in clocks.items()
        ]
        return tuple(sorted(found, key=lambda clock: (-clock.sinks, clock.name)))

    def _reset_sources(self, asynchronous: dict[int, tuple[bool, int]], clocks: set[int]) -> tuple[ResetSource, ...]:
        found = [ResetSource(s, self._name(s), low, True, count) for s, (low, count) in asynchronous.items()]
        total: Counter[tuple[int, bool]] = Counter()
        for votes in self.votes.values():
            total.update(votes)
        for state in {state for state, _ in total} - set(asynchronous) - clocks:
            if _RESET_NAME.search(self._name(state).rpartition(".")[2]):
                low, high = total[state, True], total[state, False]
                found.append(ResetSource(state, self._name(state), low > high, False, max(low, high)))
        return tuple(sorted(found, key=lambda reset: (-reset.sinks, reset.name)))

    def _count_conditions(self) -> None:
        """Count for each domain which inputs, at which level, choose a constant near the root of a next value."""
        for write in self.graph.writes:
            if write.domain == SETTLE or write.domain in self.watching:
                continue
            votes = self.votes.setdefault(write.domain, Counter())
            found: set[tuple[int, bool]] = set()
            pending = [(write.value, 0)]
            while pending:
                node, depth = pending.pop()
                if self.graph.op[node] != _MUX or depth == _DEPTH:
                    continue
                condition, then, other = self.graph.sources(node)
                for arm, low in ((then, False), (other, True)):
                    if self.graph.op[arm] == _CONST:
                        found.update(self._levels(condition, low))
                    pending.append((arm, depth + 1))
            if self.graph.op[write.value] == _CONST:
                found.update(self._levels(write.enable, False))
            votes.update(found)

    def _levels(self, condition: int, low: bool) -> list[tuple[int, bool]]:
        """Return the inputs that make a condition true (or false, if `low`), each with the level that does."""
        result: list[tuple[int, bool]] = []
        pending = [(condition, low, 0)]
        while pending:
            node, low, depth = pending.pop()
            op = self.graph.op[node]
            if op == _READ and self._kind(int(self.graph.param[node])) == "input" and self.graph.width[node] == 1:
                result.append((int(self.graph.param[node]), low))
            elif op == _TRUE:  # of a 4-state graph: an if's condition
                pending.append((self.graph.sources(node)[0], low, depth))
            elif depth < _DEPTH and op == _NOT:
                pending.append((self.graph.sources(node)[0], not low, depth + 1))
            elif depth < _DEPTH and op == (_AND if low else _OR):  # any one of them is enough
                pending += [(source, low, depth + 1) for source in self.graph.sources(node)]
        return result

    def _edges(self, trigger: int) -> list[tuple[str, int]]:
        """Return the (edge, clock node) pairs of a trigger."""
        result: dict[tuple[str, int], None] = {}
        pending = [trigger]
        while pending:
            node = pending.pop()
            op = int(self.graph.op[node])
            if op in _EDGES:
                before, now = self.graph.sources(node)
                edge, sampled = _EDGES[op], self._state(before)
                if sampled < 0 or self._kind(sampled) != "sample":
                    continue
                if self.graph.op[now] == _NOT:  # the positive edge of ~clk is the negative edge of clk
                    edge, now = _OPPOSITE[edge], self.graph.sources(now)[0]
                result[edge, now] = None
            elif op in (_OR, _AND):
                pending += self.graph.sources(node)
        return list(result)

    def _is_ticked(self, trigger: int) -> bool:
        return any(is_tick(self._name(state)) for _, node in self._edges(trigger) if (state := self._state(node)) >= 0)

    def _resets(self, domain: int, edges: list[tuple[str, int]]) -> set[tuple[str, int]]:
        """Return which edges of a domain are asynchronous resets: not all of them, and conditions of its values."""
        if len(edges) < 2:
            return set()
        votes = self.votes.get(domain, Counter())
        level = {"negedge": True, "posedge": False}
        found = {(e, n) for e, n in edges if e in level and votes[self._state(n), level[e]]}
        if not found or len(found) == len(edges):
            found = {(e, n) for e, n in edges if self._state(n) >= 0 and self._looks_like_reset(self._state(n))}
        return found if len(found) < len(edges) else set()

    def _looks_like_reset(self, state: int) -> bool:
        return self._kind(state) == "input" and bool(_RESET_NAME.search(self._name(state).rpartition(".")[2]))

    def _gate_clocks(self, leaves: list[int], clocks: dict[int, Counter[str]]) -> list[int]:
        """Return which of the states that a gated clock is computed from is the clock; all if that is not clear."""
        known = [state for state in leaves if state in clocks]
        inputs = [state for state in leaves if self._kind(state) == "input"]
        named = [state for state in inputs if _CLOCK_NAME.search(self._name(state).rpartition(".")[2])]
        registers = [state for state in leaves if self._kind(state) == "register"]
        return known or named or inputs or registers

    def _leaves(self, node: int) -> list[int]:
        """Return the scalar states that a node is computed from."""
        found: dict[int, None] = {}
        seen = {node}
        pending = [node]
        while pending:
            node = pending.pop()
            if self.graph.op[node] == _READ:
                found[int(self.graph.param[node])] = None
            for source in self.graph.sources(node):
                if source not in seen:
                    seen.add(source)
                    pending.append(source)
        return list(found)

    def _state(self, node: int) -> int:
        """Return the state that a node reads, or -1."""
        return int(self.graph.param[node]) if self.graph.op[node] == _READ else -1

    def _kind(self, state: int) -> str:
        return self.graph.states[state].kind

    def _name(self, state: int) -> str:
        return self.graph.states[state].name


def _count(sinks: int) -> str:
    return "1 sink" if sinks == 1 else f"{sinks} sinks"
