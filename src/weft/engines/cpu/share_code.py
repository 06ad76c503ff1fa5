"""Find what several parts of a step have in common, and split the step so that code for it is made once.

A design with four processors has four times the logic of one; machine code that is made for the flat graph is four
times as long, takes four times as long to compile, and does not fit into the caches of a processor. So a step is split:

1. kernels `before`, one for each group of parts, compute values that others need of the parts' states alone;
2. the `outer` step computes what crosses the parts' boundaries, puts it into slots of the context, and commits all
   that lies outside them;
3. kernels `after` commit the registers and memories of their parts from those and from slots.

A kernel is a function of the state, the memories, the context and a part's slots: it is compiled once and called for
each part, with addresses moved to it (`ir.layout` gives corresponding states equal distances). Nothing is read after it
was committed: `before` commits nothing, `outer` no state of a part, and `after` reads no states but its own part's.

Which parts may be alike their states' names say (`ir.find_repeats`); whether they are, the graph (`match_parts`).
Combinational paths through parts need no order of parts: what both others and the inputs of a part have to do with is
left to the outer step, and only what depends on the part's states alone is computed before it. Any cut gives the same
values, so nothing here decides whether a result is right; a cut must only save enough. Linear in the size of the step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from weft.base.dataclass import dataclass, replace
from weft.engines.cpu.kernel_slots import KernelSlots
from weft.engines.cpu.match_parts import KernelInputs, PartMatcher
from weft.engines.cpu.node_owners import DEAD, MIXED, NodeOwners
from weft.engines.cpu.part_groups import PartGroup, group_parts, split_group
from weft.engines.cpu.sink_regions import node_cost
from weft.ir.cone_graph import SETTLE, Write
from weft.ir.find_repeats import Repeat
from weft.ir.layout import StateLayout
from weft.ir.step_graph import READ, StepGraph, live_nodes

LEAST_SAVED = 1000
"""Operations that need not be compiled again because a kernel is shared, at least."""

LEAST_SHARE = 3
"""Operations of a kernel for each value that crosses its boundary, at least."""

OUTPUT_COST = 6
"""Operations that a value which parts have for others must take to be computed by a kernel."""


ODD = 8
"""A part that differs more often from most others leaves their group, in which each difference costs a slot."""

_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Kernel:
    """Be code for several parts: a step of the first one, and how far each lies behind that.

    A move is of the state and of the memories, in bytes, and where in the context the part's slots begin.
    """

    step: StepGraph
    moves: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class SharedStep:
    """Be a step that is split: kernels, the outer step, kernels; with the layout and the end of the context for all."""

    before: tuple[Kernel, ...]
    outer: StepGraph
    after: tuple[Kernel, ...]
    layout: StateLayout
    scratch: int


def share_code(step: StepGraph, layout: StateLayout, repeats: Sequence[Repeat], scratch: int) -> SharedStep | None:
    """Split a step, or return None if that does not save enough; slots begin at `scratch` in the context."""
    groups = [group for repeat in repeats for group in group_parts(step, repeat)]
    for attempt in range(_ATTEMPTS):
        if not groups:
            break
        splitter = _Splitter(step, groups)
        kept: list[PartGroup] = []
        for number, group in enumerate(groups):
            odd = splitter.odd_parts(number) if attempt < _ATTEMPTS // 2 else ()
            if odd:
                kept += split_group(group, odd)
            elif splitter.is_worth_it(number):
                kept.append(group)
        if kept == groups:
            return splitter.result(layout, scratch)
        groups = kept
    return None


class _Splitter:
    """Split one step for some groups of parts."""

    def __init__(self, step: StepGraph, groups: Sequence[PartGroup]) -> None:
        self.step, self.groups = step, groups
        self.owners = NodeOwners(step, groups)
        self.slots = KernelSlots(step.states, [len(group.parts) for group in groups])
        self.inputs = KernelInputs(self.slots)
        self.outputs: list[dict[int, int]] = [{} for _ in groups]
        self.models: list[dict[int, int]] = [{} for _ in groups]
        self.replaced: dict[int, int] = {}
        self._find_outputs()
        self.matchers = [PartMatcher(self.owners, n, self.outputs[n], self.inputs) for n in range(len(groups))]
        self.bodies = [compact(matcher.commit()) for matcher in self.matchers]

    def odd_parts(self, number: int) -> list[int]:
        """Return the parts of a group that often do something else than most of the others."""
        return [part for part, count in self.matchers[number].odd.items() if count > ODD]

    def is_worth_it(self, number: int) -> bool:
        """Say whether a group's kernel saves enough code, and has enough to do for what it costs."""
        body = self.bodies[number]
        cost = sum(node_cost(body, node) for node in range(len(body.op)))
        cost += len(body.writes) + 2 * len(body.memory_writes)
        crossing = self.matchers[number].crossing + len(self.outputs[number])
        return cost * (len(self.groups[number].parts) - 1) >= LEAST_SAVED and cost >= LEAST_SHARE * crossing

    def result(self, layout: StateLayout, scratch: int) -> SharedStep:
        """Place the slots and return the split step."""
        before = [
            compact(PartMatcher(self.owners, number, {}, self.inputs).compute(models)) if models else None
            for number, models in enumerate(self.models)
        ]
        begins, slots, scratch = self.slots.place(scratch)
        moves = [_moves(layout, group, begin) for group, begin in zip(self.groups, begins, strict=True)]
        return SharedStep(
            tuple(Kernel(body, move) for body, move in zip(before, moves, strict=True) if body is not None),
            self._outer(),
            tuple(map(Kernel, self.bodies, moves)),
            replace(layout, slots=(*layout.slots, *slots)),
            scratch,
        )

    def _find_outputs(self) -> None:
        """Choose the values that kernels compute for others: those that most parts of a group have, and the first."""
        step, owners = self.step, self.owners
        support, shape, user = owners.support, owners.shape, owners.user
        wanted = {node for node in owners.outer_roots() if self._is_dear(node)}
        for node, whose in enumerate(support):
            if whose == MIXED and user[node] != DEAD:
                for source in step.srcs[node]:
                    if user[node] != support[source] and self._is_dear(source):
                        wanted.add(source)
        counts = [Counter[int]() for _ in self.groups]
        for node in wanted:
            counts[owners.group_of[support[node]]][shape[node]] += 1
        nodes: list[dict[int, list[int]]] = [{} for _ in self.groups]
        for node, whose in enumerate(support):
            if whose >= 0 and step.op[node] > READ:
                number = owners.group_of[whose]
                if 2 * counts[number].get(shape[node], 0) > len(self.groups[number].parts):
                    nodes[number].setdefault(shape[node], []).append(node)
        for number, found in enumerate(nodes):
            first = owners.first[number]
            for each, same in found.items():
                model = next((node for node in same if support[node] == first), -1)
                if model >= 0:
                    slot = self.slots.part_slot(number, step.width[model])
                    self.outputs[number][each] = slot.argument
                    self.models[number][model] = slot.argument
                    self.replaced.update({node: slot.parts[support[node] - first] for node in same})

    def _is_dear(self, node: int) -> bool:
        return self.owners.support[node] >= 0 and self.owners.cost[node] >= OUTPUT_COST

    def _outer(self) -> StepGraph:
        """Return the step without the groups' sinks, which fills the slots."""
        step, owners = self.step, self.owners
        op, param, srcs = list(step.op), list(step.param), list(step.srcs)
        for node, slot in self.replaced.items():
            op[node], param[node], srcs[node] = READ, slot, ()
        stores = [Write(slot, node, step.triggers[SETTLE], SETTLE) for slot, node in self.inputs.stores]
        return compact(
            replace(
                step,
                op=op,
                param=param,
                srcs=srcs,
                states=self.slots.states,
                writes=[*owners.outer_writes, *stores],
                memory_writes=owners.outer_memory_writes,
            )
        )


def _moves(layout: StateLayout, group: PartGroup, begins: Sequence[int]) -> tuple[tuple[int, int, int], ...]:
    """Return how far each part lies behind the first, and where its slots begin."""
    slots, model = layout.slots, group.parts[0]
    scalar = next((place for place, state in enumerate(model) if not slots[state].depth), -1)
    memory = next((place for place, state in enumerate(model) if slots[state].depth), -1)
    found: list[tuple[int, int, int]] = []
    for part, begin in zip(group.parts, begins, strict=True):
        state_move, memory_move = (
            slots[part[place]].offset - slots[model[place]].offset if place >= 0 else 0 for place in (scalar, memory)
        )
        found.append((state_move, memory_move, begin))
    return tuple(found)


def compact(step: StepGraph) -> StepGraph:
    """Return a step without the nodes that nothing depends on."""
    live = live_nodes(step)
    kept = [node for node in range(len(live)) if live[node]]
    place = {node: number for number, node in enumerate(kept)}
    return replace(
        step.renumbered(place.__getitem__),
        op=[step.op[node] for node in kept],
        width=[step.width[node] for node in kept],
        param=[step.param[node] for node in kept],
        srcs=[tuple([place[source] for source in step.srcs[node]]) for node in kept],
    )
