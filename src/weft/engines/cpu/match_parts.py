"""Walk the cones of corresponding sinks side by side, as far as parts do the same: that is a kernel's step.

An item of the walk is a tuple with a node for each part. If all are one operation, of which each part alone needs its
own, the walk goes on to their sources (the least general generalisation of terms: Plotkin, "A note on inductive
generalization", Machine Intelligence 5, 1970). Otherwise the item is an input of the kernel: the outer step puts its
values into slots. So is a constant that is another in each part, such as a processor's number.

An item whose nodes have one shape, and so depend on their own parts' states alone, needs no walk side by side: the
first part's cone stands for all. Reads of outputs, which another kernel has computed, end there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from weft.base.dataclass import dataclass, field, replace
from weft.engines.cpu.kernel_slots import KernelSlots
from weft.engines.cpu.node_owners import NodeOwners
from weft.ir.cone_graph import SETTLE, MemoryWrite, Write
from weft.ir.step_graph import CONST, LOOKUP, MEMREAD, READ, StepGraph

_Item = int | tuple[int, ...]


@dataclass(slots=True)
class KernelInputs:
    """Collect what kernels want the outer step to compute: `stores` has pairs of a slot and a node."""

    slots: KernelSlots
    stores: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    common: dict[int, int] = field(default_factory=dict[int, int])

    def same(self, node: int, width: int) -> int:
        """Return the slot for a value that is the same in all parts."""
        if node not in self.common:
            self.common[node] = self.slots.common_slot(width)
            self.stores.append((self.common[node], node))
        return self.common[node]

    def each(self, group: int, nodes: tuple[int, ...], width: int) -> int:
        """Return the kernel's slot for a value that each part has of its own."""
        slot = self.slots.part_slot(group, width)
        self.stores += zip(slot.parts, nodes, strict=True)
        return slot.argument


class PartMatcher:
    """Build the step of one group's kernel; `outputs` gives the slots of shapes that are computed already.

    `crossing` counts the values that each part gets from the outer step, `odd` how often a part's node was another
    operation than that of most.
    """

    def __init__(self, owners: NodeOwners, group: int, outputs: Mapping[int, int], inputs: KernelInputs) -> None:
        self._owners, self._step, self._number = owners, owners.step, group
        self._group, self._first = owners.groups[group], owners.first[group]
        self._outputs, self._inputs = outputs, inputs
        self.crossing = 0
        self.odd = Counter[int]()
        self._op: list[int] = []
        self._width: list[int] = []
        self._param: list[int] = []
        self._srcs: list[tuple[int, ...]] = []
        self._constants: list[tuple[int, int]] = []
        self._memo: dict[_Item, int] = {}
        self._known: dict[tuple[int, int], int] = {}
        self._triggers = [self._constant(1, 1)]

    def commit(self) -> StepGraph:
        """Return the step that commits the group's sinks."""
        step, group = self._step, self._group
        writes: list[Write] = []
        for numbers in zip(*group.writes, strict=True):
            sinks = [step.writes[n] for n in numbers]
            value, enable = (self._all([getattr(sink, name) for sink in sinks]) for name in ("value", "enable"))
            writes.append(Write(sinks[0].state, value, enable, self._domain(sinks)))
        memory_writes: list[MemoryWrite] = []
        for numbers in zip(*group.memory_writes, strict=True):
            each = [step.memory_writes[n] for n in numbers]
            names = ("address", "value", "enable", "mask")
            found = {name: self._all([getattr(sink, name) for sink in each]) for name in names}
            memory_writes.append(replace(each[0], domain=self._domain(each), **found))
        return self._result(writes, memory_writes)

    def compute(self, nodes: Mapping[int, int]) -> StepGraph:
        """Return the step that stores nodes of the first part's own, each to a slot."""
        one = self._constant(1, 1)
        return self._result([Write(slot, self._find(node), one, SETTLE) for node, slot in nodes.items()], [])

    def _all(self, nodes: Sequence[int]) -> int:
        return self._find(tuple(nodes)) if nodes[0] >= 0 else -1

    def _domain(self, sinks: Sequence[Write] | Sequence[MemoryWrite]) -> int:
        trigger = self._all([self._step.triggers[sink.domain] for sink in sinks])
        if trigger not in self._triggers:
            self._triggers.append(trigger)
        return self._triggers.index(trigger)

    def _result(self, writes: list[Write], memory_writes: list[MemoryWrite]) -> StepGraph:
        return StepGraph(
            op=self._op,
            width=self._width,
            param=self._param,
            srcs=self._srcs,
            constants=self._constants,
            states=self._inputs.slots.states,
            triggers=self._triggers,
            writes=writes,
            memory_writes=memory_writes,
            effects=[],
            tables=self._step.tables,
        )

    # ------------------------------------------------------------------------------------------------- the walk

    def _find(self, root: _Item) -> int:
        """Return the kernel's node for a node of the first part's own, or for corresponding nodes of all parts."""
        step, memo = self._step, self._memo
        stack = [root]
        while stack:
            item = stack[-1]
            if item in memo:
                stack.pop()
                continue
            if not isinstance(item, int) and self._has_one_shape(item):
                if item[0] in memo:
                    memo[item] = memo[item[0]]
                else:
                    stack.append(item[0])
                continue
            leaf = self._leaf(item)
            if leaf >= 0:
                memo[item] = leaf
                continue
            model = item if isinstance(item, int) else item[0]
            sources: Sequence[_Item] = (
                step.srcs[item] if isinstance(item, int) else [*zip(*[step.srcs[node] for node in item], strict=True)]
            )
            missing = [source for source in sources if source not in memo]
            if missing:
                stack.extend(reversed(missing))
                continue
            found = tuple([memo[source] for source in sources])
            memo[item] = self._append(step.op[model], step.width[model], step.param[model], found)
        return memo[root]

    def _leaf(self, item: _Item) -> int:
        """Return the kernel's node for an item at which the walk ends, or -1."""
        step = self._step
        model = item if isinstance(item, int) else item[0]
        width, value = step.width[model], step.constant(model)
        if isinstance(item, int):
            if value is not None:
                return self._constant(width, value)
            state = step.param[item] if step.op[item] == READ else self._outputs.get(self._owners.shape[item], -1)
        elif value is not None and all(step.constant(node) == value for node in item):
            return self._constant(width, value)
        elif all(node == model for node in item):
            state = self._inputs.same(model, width)
        elif self._agrees(item):
            return -1
        else:
            state = self._inputs.each(self._number, item, width)
            self.crossing += 1
            self._count_odd(item)
        return self._append(READ, width, state, ()) if state >= 0 else -1

    def _has_one_shape(self, item: tuple[int, ...]) -> bool:
        """Say whether nodes depend on their parts' own states alone, in the same way."""
        support, shape = self._owners.support, self._owners.shape
        whole = shape[item[0]]
        return all(support[node] == part and shape[node] == whole for part, node in enumerate(item, self._first))

    def _agrees(self, item: tuple[int, ...]) -> bool:
        """Say whether nodes are the same operation, of which each part alone needs its own."""
        step, owners, model = self._step, self._owners, item[0]
        op, width, param = step.op[model], step.width[model], step.param[model]
        if op in (CONST, READ):
            return False
        widths = [step.width[source] for source in step.srcs[model]]
        for part, node in enumerate(item, self._first):
            if owners.user[node] != part or step.op[node] != op or step.width[node] != width:
                return False
            if node != model and [step.width[source] for source in step.srcs[node]] != widths:
                return False
            other = step.param[node]
            if op == MEMREAD:
                if owners.part_of[other] != part or owners.place_of[other] != owners.place_of[param]:
                    return False
            elif other != param and (op != LOOKUP or step.tables[other] != step.tables[param]):
                return False
        return True

    def _count_odd(self, item: tuple[int, ...]) -> None:
        """Count the parts whose node is another operation than that of most."""
        step = self._step
        kinds = [(step.op[node], step.width[node], len(step.srcs[node])) for node in item]
        usual, count = Counter(kinds).most_common(1)[0]
        if 2 * count > len(kinds):
            self.odd.update(part for part, kind in enumerate(kinds) if kind != usual)

    def _append(self, op: int, width: int, param: int, srcs: tuple[int, ...]) -> int:
        self._op.append(op)
        self._width.append(width)
        self._param.append(param)
        self._srcs.append(srcs)
        return len(self._op) - 1

    def _constant(self, width: int, value: int) -> int:
        key = (width, value)
        if key not in self._known:
            self._constants.append((value, 0))
            self._known[key] = self._append(CONST, width, len(self._constants) - 1, ())
        return self._known[key]
