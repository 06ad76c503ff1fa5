"""Say of each node of a step which part of the design needs it, and which part's states it depends on.

Both are sweeps over the nodes, one down from the sinks, one up from the reads. Nodes that depend on one part's states
alone get a number for their shape: it is the same for two of them if they do the same with corresponding states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from weft.engines.cpu.part_groups import PartGroup
from weft.engines.cpu.sink_regions import node_cost
from weft.ir.cone_graph import MemoryWrite, Write
from weft.ir.step_graph import CONST, LOOKUP, MEMREAD, READ, StepGraph

DEAD, MANY, REST = -1, -2, -3
"""Who needs a node, if it is not one part alone: nobody, several, what lies outside all parts."""

NONE, MIXED = -1, -2
"""Whose states a node depends on, if it is not one part's alone: nobody's, others' as well."""

_MOST_COST = 1 << 20


class NodeOwners:
    """Hold the columns `user`, `support`, `shape` and `cost` of a step; the parts of all groups are numbered through.

    Part j of group g has the number `first[g] + j`; `group_of` has each part's group; `part_of` and `place_of` say of a
    state in which part it is, and which of its states. `cost` is what a node of one part costs with all that it needs.
    """

    def __init__(self, step: StepGraph, groups: Sequence[PartGroup]) -> None:
        self.step, self.groups = step, groups
        self.first: list[int] = []
        self.group_of: list[int] = []
        self.part_of, self.place_of = [-1] * len(step.states), [-1] * len(step.states)
        for number, group in enumerate(groups):
            self.first.append(len(self.group_of))
            for states in group.parts:
                for place, state in enumerate(states):
                    self.part_of[state], self.place_of[state] = len(self.group_of), place
                self.group_of.append(number)
        inside: dict[int, int] = {}
        inside_memories: dict[int, int] = {}
        for group, first in zip(groups, self.first, strict=True):
            for part in range(len(group.parts)):
                inside.update(dict.fromkeys(group.writes[part], first + part))
                inside_memories.update(dict.fromkeys(group.memory_writes[part], first + part))
        self.outer_writes = [write for number, write in enumerate(step.writes) if number not in inside]
        self.outer_memory_writes = [w for number, w in enumerate(step.memory_writes) if number not in inside_memories]
        self.user = [DEAD] * len(step.op)
        self._find_users(inside, inside_memories)
        self.support, self.shape, self.cost = [MIXED] * len(step.op), [-1] * len(step.op), [0] * len(step.op)
        self._find_shapes()

    def outer_roots(self) -> Iterator[int]:
        """Yield the nodes that sinks outside all parts, effects and triggers use."""
        for sink in (*self.outer_writes, *self.outer_memory_writes):
            yield from sink_nodes(sink)
        yield from self.step.triggers
        for _, effect in self.step.effects:
            yield effect.enable
            yield from (node for node in (*effect.args, *effect.unknowns) if node >= 0)

    def _find_users(self, inside: dict[int, int], inside_memories: dict[int, int]) -> None:
        step, user = self.step, self.user

        def touch(node: int, who: int) -> None:
            have = user[node]
            if have != who:
                user[node] = who if have == DEAD else MANY

        for table, places in ((step.writes, inside), (step.memory_writes, inside_memories)):
            for number, sink in enumerate(table):
                for node in sink_nodes(sink):
                    touch(node, places.get(number, REST))
        for node in self.outer_roots():
            touch(node, REST)
        srcs = step.srcs
        for node in range(len(user) - 1, -1, -1):
            who = user[node]
            if who != DEAD:
                for source in srcs[node]:
                    have = user[source]
                    if have != who:
                        user[source] = who if have == DEAD else MANY

    def _find_shapes(self) -> None:
        step, user, part_of, place_of = self.step, self.user, self.part_of, self.place_of
        op, width, param, srcs = step.op, step.width, step.param, step.srcs
        support, shape, cost = self.support, self.shape, self.cost
        numbers: dict[tuple[object, ...], int] = {}
        for node, code in enumerate(op):
            if user[node] == DEAD:
                continue
            what: object = param[node]
            whose, price = NONE, 0
            if code == CONST:
                what = step.constants[param[node]][0]
            elif code in (READ, MEMREAD):
                whose = part_of[param[node]]
                if whose < 0:
                    continue
                what = self.group_of[whose], place_of[param[node]]
            elif code == LOOKUP:
                what = step.tables[param[node]]
            for source in srcs[node]:
                other = support[source]
                if other != whose and other != NONE:
                    if whose != NONE or other == MIXED:
                        whose = MIXED
                        break
                    whose = other
                price += cost[source]
            if whose != MIXED:
                support[node] = whose
                key = (code, width[node], what, *[shape[source] for source in srcs[node]])
                shape[node] = numbers.setdefault(key, len(numbers))
                cost[node] = min(price + node_cost(step, node), _MOST_COST)


def sink_nodes(sink: Write | MemoryWrite) -> Iterator[int]:
    """Yield the nodes that a sink uses, but for its domain's trigger."""
    nodes = (sink.value, sink.enable) if isinstance(sink, Write) else (sink.address, sink.value, sink.enable, sink.mask)
    return (node for node in nodes if node >= 0)
