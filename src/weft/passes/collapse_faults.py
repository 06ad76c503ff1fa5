"""Find stuck-at faults that no test can tell apart, by structure: equivalence collapsing (McCluskey and Clegg, 1971).

A fault is followed forwards from its site for as long as its bit has one reader and the stuck value decides what that
reader gives: through wires, selections and concatenations, inverters, and gates for which the value is controlling (0
for and, 1 for or, and likewise reductions). Where two faults arrive at the same bit with the same value, every test
detects both or neither. What is observed, what a register or memory takes, and what has several readers ends the way: a
fault is followed to there and no further, so a fault at the stem of a fan-out is not that of a branch.

Where a fault ends its way at a gate with the value that does not control it (1 at an and, 0 at an or), whatever detects
it also detects that value at the gate's output: that fault *dominates* it. A test of the former has the gate's other
inputs at 1 (or 0), so both faulty circuits are one then. This holds cycle by cycle, so only where what the gate drives
does not come to any state: elsewhere the two may have gone different ways before.

The graph is that of a design whose sites are forceable (`insert_forces`): each is a mux, whose other operands do not
count as logic.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise

from weft.ir.cone_graph import ConeGraph
from weft.ir.ops import CODE

_NOT, _AND, _OR, _SLICE, _CONCAT, _ZEXT, _REDAND, _REDOR = (
    CODE[name] for name in ("not", "and", "or", "slice", "concat", "zext", "redand", "redor")
)

Place = tuple[int, int, int]
"""A node, a bit of it, and the value at which that is stuck."""


class FaultCollapser:
    """Follow stuck-at faults through one graph; building it takes a pass over the graph."""

    def __init__(self, graph: ConeGraph, sites: Mapping[int, int], observed: Collection[int]) -> None:
        """Prepare to follow faults: `sites` has the force points' nodes and what drives each, `observed` are nodes."""
        self._op, self._param = graph.op.tolist(), graph.param.tolist()
        self._width, self._sites = graph.width.tolist(), sites
        starts, src = graph.start.tolist(), graph.src.tolist()
        self._sources = [src[a:b] for a, b in pairwise(starts)]
        self._ends = bytearray(len(graph))
        for node in (*observed, *_sink_nodes(graph)):
            if node >= 0:
                self._ends[node] = 1
        live = bytearray(self._ends)
        self._readers: list[list[int]] = [[] for _ in range(len(graph))]
        for node in range(len(graph) - 1, -1, -1):
            if live[node]:
                for source in self._read_by(node):
                    live[source] = 1
                    self._readers[source].append(node)
        self._known: dict[Place, Place] = {}
        self._stateful = bytearray(len(graph))
        for node in _sink_nodes(graph):
            if node >= 0:
                self._stateful[node] = 1
        for node in range(len(graph) - 1, -1, -1):
            if self._stateful[node]:
                for source in self._read_by(node):
                    self._stateful[source] = 1

    def _read_by(self, node: int) -> list[int]:
        """Return what a node reads; of a force point what drives it alone."""
        driven = self._sites.get(node)
        return self._sources[node] if driven is None else [driven]

    def follow(self, node: int, bit: int, value: int) -> Place:
        """Return how far a bit of a node, stuck at a value, can be followed; equal answers are equivalent faults."""
        place, passed = (node, bit, value), list[Place]()
        while True:
            known = self._known.get(place)
            following = self._advance(place) if known is None else known
            if following is None:
                break
            passed.append(place)
            place = following
            if known is not None:
                break
        for each in passed:
            self._known[each] = place
        return place

    def dominating(self, place: Place) -> Place | None:
        """Return the fault that every test of this one detects, no later; both are as `follow` has them.

        None where there is none, or where state could tell them apart.
        """
        node, bit, value = place
        reader = self._only_reader(node, bit)
        if reader is None or self._stateful[reader[0]] or reader[0] in self._sites:
            return None
        user, at = reader
        op = self._op[user]
        if (op == _AND and value == 1) or (op == _OR and value == 0):
            return self.follow(user, at, value)
        if (op == _REDAND and value == 1) or (op == _REDOR and value == 0):
            return self.follow(user, 0, value)
        return None

    def follow_branch(self, node: int, bit: int, value: int, logic: Collection[int]) -> Place | None:
        """Return how far a fault of the branch of a bit that goes to some logic alone can be followed.

        None where it can be told from all faults of signals. If nothing else reads the bit it is the stem's.
        """
        if not self._ends[node] and self._stays(node, logic):
            return self.follow(node, bit, value)
        place = self._through(self._only_reader(node, bit, logic), value)
        if place is None or (place[0] not in self._sites and not self._stays(place[0], logic)):
            return None  # what the logic shares with other logic would be faulty there as well
        return self.follow(*place)

    def _stays(self, node: int, logic: Collection[int]) -> bool:
        """Say whether nothing but some logic, which ends at a site of its own, depends on a node."""
        work, seen = [node], {node}
        while work:
            for user in self._readers[work.pop()]:
                if user not in logic or (self._ends[user] and user not in self._sites):
                    return False
                if user not in self._sites and user not in seen:
                    seen.add(user)
                    work.append(user)
        return True

    def _advance(self, place: Place) -> Place | None:
        """Return the next place that is the same fault, or None."""
        node, bit, value = place
        return self._through(self._only_reader(node, bit), value)

    def _through(self, reader: tuple[int, int] | None, value: int) -> Place | None:
        """Return what a reader makes of a bit that is stuck, where that decides it."""
        if reader is None:
            return None
        user, at = reader
        op = self._op[user]
        if user in self._sites:
            return user, at, value
        if op == _NOT:
            return user, at, 1 - value
        if (op == _AND and value == 0) or (op == _OR and value == 1):
            return user, at, value
        if (op == _REDAND and value == 0) or (op == _REDOR and value == 1):
            return user, 0, value
        return None

    def _only_reader(self, node: int, bit: int, logic: Collection[int] | None = None) -> tuple[int, int] | None:
        """Return the one node of logic that reads a bit, behind wiring, and which of its bits that is; else None."""
        found: tuple[int, int] | None = None
        stem, work = node, [(node, bit)]
        while work:
            node, bit = work.pop()
            if self._ends[node] and (logic is None or node != stem):
                return None
            for user in dict.fromkeys(self._readers[node]):
                if logic is not None and user not in logic:
                    continue
                op = self._op[user]
                if user in self._sites or op not in (_SLICE, _CONCAT, _ZEXT):
                    if found is not None:
                        return None
                    found = user, bit
                elif op == _SLICE:
                    low = self._param[user]
                    if low <= bit < low + self._width[user]:
                        work.append((user, bit - low))
                elif op == _ZEXT:
                    work.append((user, bit))
                else:
                    work += self._places_in(user, node, bit)
        return found

    def _places_in(self, user: int, node: int, bit: int) -> list[tuple[int, int]]:
        """Return where a concatenation has a bit."""
        places: list[tuple[int, int]] = []
        low = 0
        for source in self._sources[user]:
            if source == node:
                places.append((user, low + bit))
            low += self._width[source]
        return places


def _sink_nodes(graph: ConeGraph) -> list[int]:
    """Return the nodes that domains, writes and effects read."""
    found = [domain.trigger for domain in graph.domains]
    for write in graph.writes:
        found += (write.value, write.enable)
    for write in graph.memory_writes:
        found += (write.address, write.value, write.enable, write.mask)
    for effect in graph.effects:
        found += (effect.enable, *effect.args, *effect.unknowns)
    return found
