"""Put the nodes, stores and memory writes of a lane step in order, and what seldom matters behind branches.

Stores are ordered so that a word is stored when its old value has been used (`ir.order_sinks`); what is still needed is
read before. Memory writes come last, in the order of their table, behind every read.

Lanes that run together only skip what none of them needs, so branches pay where a condition is rare or the lanes agree.
A *region* is what matters under one condition and polarity alone: the arms of muxes, and the next values of words that
keep their old value otherwise. Each node is in the one region of all its users, or in none. A region whose nodes cost
less than `BRANCH_COST` is given up. The others become branches when something in them is first needed, with whatever of
the region can be computed then; so a region may end up in several branches, and never waits for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from weft.ir.graph_builder import GraphBuilder
from weft.ir.lane_program import LaneAction, LaneBranch, LaneItem, LaneStep
from weft.ir.ops import OPS
from weft.ir.order_sinks import Item, order_items
from weft.ir.step_graph import CONST, MEMREAD, MUX, NOT, READ

BRANCH_COST = 24
"""What a branch must save, in simple operations on words."""

_COSTS = {
    "const": 0, "read": 1, "memread": 24, "mul": 3, "udiv": 60, "umod": 60, "sdiv": 60, "smod": 60, "popcount": 2,
    "zext": 1, "slice": 2, "shl": 2, "lshr": 2, "ashr": 3, "eq": 3, "ult": 3, "slt": 4,
}  # fmt: skip
_COST = [_COSTS.get(op.name, 1) for op in OPS]
_STORE_COST = 2

_ROOT = 0
"""The region of what is always evaluated."""


def order_step(
    name: str,
    builder: GraphBuilder,
    stores: Mapping[int, int],
    writes: Sequence[LaneAction],
    others: Sequence[LaneAction],
    branch_cost: int = BRANCH_COST,
) -> LaneStep:
    """Return a step. `stores` gives each word's new value; `others` are actions without an effect on the state."""
    return _Order(name, builder, stores, writes, others, branch_cost).step()


class _Order:
    def __init__(
        self,
        name: str,
        builder: GraphBuilder,
        stores: Mapping[int, int],
        writes: Sequence[LaneAction],
        others: Sequence[LaneAction],
        branch_cost: int,
    ) -> None:
        self.name, self.builder, self.stores, self.writes, self.others = name, builder, stores, writes, others
        self.op, self.srcs, self.branch_cost = builder.op, builder.srcs, branch_cost
        self.keys: list[tuple[int, int]] = [(-1, 1)]
        self._numbers: dict[tuple[int, int], int] = {}
        self.sequence: list[LaneItem] = []
        self._done = bytearray(len(builder.op))
        # New values are computed where they are stored: skipped in a branch before, they would be 0.
        self._stored = set(stores.values())
        self._count_uses()
        self._assign(None)
        self._assign(self._worthwhile())
        self._members: dict[int, list[int]] = {}
        for node, region in enumerate(self.region):
            if region > _ROOT:
                self._members.setdefault(region, []).append(node)

    def step(self) -> LaneStep:
        """Order everything."""
        for action in self.others:
            self._evaluate(action.nodes)
            self.sequence.append(action)
        self._emit_stores()
        self._evaluate([node for action in self.writes for node in action.nodes if node >= 0])
        self._evaluate([node for node, used in enumerate(self._uses) if used and self.op[node] == MEMREAD])
        self.sequence += self.writes
        b = self.builder
        return LaneStep(self.name, b.op, b.width, b.param, b.srcs, b.constants, self._with_results())

    # ------------------------------------------------------------------------------------------------ regions

    def _key(self, condition: int, polarity: int) -> int:
        """Return the region of a condition without its negations."""
        while self.op[condition] == NOT:
            condition, polarity = self.srcs[condition][0], 1 - polarity
        key = (condition, polarity)
        if key not in self._numbers:
            self._numbers[key] = len(self.keys)
            self.keys.append(key)
        return self._numbers[key]

    def _store_region(self, place: int, node: int) -> int:
        """Return the region in which a word gets a new value, and keeps its old one outside."""
        if self.op[node] == MUX:
            condition, then, other = self.srcs[node]
            for kept, polarity in ((other, 1), (then, 0)):
                if self.op[kept] == READ and self.builder.param[kept] == place:
                    return self._key(condition, polarity)
        return _ROOT

    def _count_uses(self) -> None:
        self._uses = uses = [0] * len(self.op)
        for node in self._roots():
            uses[node] += 1
        for node in range(len(uses) - 1, -1, -1):
            if uses[node]:
                for source in self.srcs[node]:
                    uses[source] += 1

    def _roots(self) -> Iterable[int]:
        yield from self.stores.values()
        for action in (*self.writes, *self.others):
            yield from (node for node in action.nodes if node >= 0)

    def _assign(self, kept: set[int] | None) -> None:
        """Give every node to the region of all its users; `kept` are the regions that there are (None: all)."""
        op, srcs, uses = self.op, self.srcs, self._uses
        region = [-1] * len(op)
        self.store_region: dict[int, int] = {}

        def touch(node: int, where: int) -> None:
            if kept is not None and where not in kept:
                where = _ROOT
            have = region[node]
            region[node] = where if have in (-1, where) else _ROOT

        for action in (*self.writes, *self.others):
            for node in action.nodes:
                if node >= 0:
                    touch(node, _ROOT)
        for place, node in self.stores.items():
            where = self._store_region(place, node)
            where = where if kept is None or where in kept else _ROOT
            self.store_region[place] = where
            if where:
                touch(self.keys[where][0], _ROOT)
            # What others use too must be right where the condition does not hold.
            touch(node, where if uses[node] == 1 else _ROOT)
        for node in range(len(op) - 1, -1, -1):
            if not uses[node]:
                continue
            where = region[node]
            if op[node] == MUX and where == _ROOT:
                condition, then, other = srcs[node]
                touch(condition, _ROOT)
                touch(then, self._key(condition, 1))
                touch(other, self._key(condition, 0))
                continue
            for source in srcs[node]:
                touch(source, where)
        self.region = [max(where, _ROOT) if op[node] > READ else _ROOT for node, where in enumerate(region)]

    def _worthwhile(self) -> set[int]:
        """Return the regions whose nodes and stores cost enough."""
        total = [0] * len(self.keys)
        for node, where in enumerate(self.region):
            if where and self._uses[node]:
                total[where] += self._cost(node)
        for where in self.store_region.values():
            total[where] += _STORE_COST
        return {where for where, cost in enumerate(total) if where and cost >= self.branch_cost}

    def _cost(self, node: int) -> int:
        cost = _COST[self.op[node]]
        return cost * 2 if self.builder.width[node] > 32 else cost

    # -------------------------------------------------------------------------------------------------- order

    def _evaluate(self, nodes: Iterable[int]) -> None:
        """Put nodes and what they need into the sequence, sources first."""
        done, region = self._done, self.region
        for root in nodes:
            stack = [root] if root >= 0 else []
            while stack:
                node = stack[-1]
                if done[node]:
                    stack.pop()
                    continue
                where = region[node]
                needed = self._inputs((node,), where) if where else self.srcs[node]
                missing = [source for source in needed if not done[source]]
                if missing:
                    stack.extend(reversed(missing))
                    continue
                stack.pop()
                if where:
                    self._emit_region(where, self._cone((node,), where), ())
                else:
                    done[node] = 1
                    if self.op[node] != CONST:
                        self.sequence.append(node)

    def _cone(self, nodes: Iterable[int], where: int) -> set[int]:
        """Return the nodes of a region that some of its nodes need and that are not there yet."""
        found = {node for node in nodes if self.region[node] == where and not self._done[node]}
        stack = list(found)
        while stack:
            for source in self.srcs[stack.pop()]:
                if self.region[source] == where and not self._done[source] and source not in found:
                    found.add(source)
                    stack.append(source)
        return found

    def _inputs(self, nodes: Iterable[int], where: int) -> list[int]:
        """Return what must be there before some nodes of a region: its condition, and what lies outside."""
        found = dict.fromkeys((self.keys[where][0],))
        for node in self._cone(nodes, where):
            found.update(dict.fromkeys(source for source in self.srcs[node] if self.region[source] != where))
        return list(found)

    def _emit_region(self, where: int, cone: set[int], actions: Sequence[LaneAction]) -> None:
        """Emit nodes of a region, and those that can be computed now, in a branch if that pays."""
        done, chosen = self._done, set(cone)
        for node in self._members.get(where, ()):
            if not done[node] and node not in chosen and node not in self._stored and all(
                done[source] or source in chosen or self.op[source] == CONST for source in self.srcs[node]
            ):  # fmt: skip
                chosen.add(node)
        items: list[int | LaneAction] = [*sorted(chosen), *actions]
        for node in chosen:
            done[node] = 1
        if sum(map(self._cost, chosen)) + _STORE_COST * len(actions) < self.branch_cost:
            self.sequence += items
        else:
            self.sequence.append(LaneBranch(*self.keys[where], tuple(items), ()))

    def _emit_stores(self) -> None:
        """Store words one by one, or a region's together; old values that somebody still needs are read before."""
        op, param = self.op, self.builder.param
        self._read_nodes = {param[node]: node for node, used in enumerate(self._uses) if used and op[node] == READ}
        groups: dict[int, list[int]] = {}
        items: list[list[int]] = []
        for place in self.stores:
            where = self.store_region[place]
            if not where:
                items.append([place])
            elif where in groups:
                groups[where].append(place)
            else:
                groups[where] = [place]
                items.append(groups[where])
        described = [
            Item(0, (number,), frozenset().union(*(self._reads(self.stores[p]) for p in places)), frozenset(places))
            for number, places in enumerate(items)
        ]
        for item in order_items(described, frozenset()):
            self._emit_group(items[item.sinks[0]])

    def _emit_group(self, places: Sequence[int]) -> None:
        where = self.store_region[places[0]]
        values = [self.stores[place] for place in places]
        actions = [LaneAction("store", place, (self.stores[place],)) for place in places]
        inside = [value for value in values if where and self.region[value] == where and not self._done[value]]
        self._evaluate(value for value in values if value not in inside)
        if inside:
            self._evaluate(self._inputs(inside, where))
            inside = [value for value in inside if not self._done[value]]
        for place in places:
            if place in self._read_nodes:
                self._evaluate((self._read_nodes[place],))
        if where:
            self._evaluate((self.keys[where][0],))
            self._emit_region(where, self._cone(inside, where), actions)
        else:
            self.sequence += actions

    def _reads(self, root: int) -> set[int]:
        """Return the words that a cone reads by nodes of its own."""
        found, stack, seen = set[int](), [root], {root}
        while stack:
            node = stack.pop()
            if self.op[node] == READ:
                found.add(self.builder.param[node])
            elif node == root or self._uses[node] == 1:
                for source in self.srcs[node]:
                    if source not in seen:
                        seen.add(source)
                        stack.append(source)
        return found

    def _with_results(self) -> list[LaneItem]:
        """Return the sequence with each branch's results: its nodes that are used elsewhere."""
        owner: dict[int, int] = {}
        for number, item in enumerate(self.sequence):
            if isinstance(item, LaneBranch):
                owner.update((node, number) for node in item.items if not isinstance(node, LaneAction))
        wanted: dict[int, set[int]] = {}

        def use(item: int | LaneAction, number: int) -> None:
            for source in item.nodes if isinstance(item, LaneAction) else self.srcs[item]:
                if owner.get(source, number) != number:
                    wanted.setdefault(owner[source], set()).add(source)

        for number, item in enumerate(self.sequence):
            if isinstance(item, LaneBranch):
                use(LaneAction("", 0, (item.condition,)), number)
                for inner in item.items:
                    use(inner, number)
            else:
                use(item, -1)
        return [
            LaneBranch(item.condition, item.polarity, item.items, tuple(sorted(wanted.get(number, ()))))
            if isinstance(item, LaneBranch)
            else item
            for number, item in enumerate(self.sequence)
        ]
