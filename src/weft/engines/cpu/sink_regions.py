"""Decide what is computed only when it matters: a tree of regions, each entered under a condition.

The root region always runs. A domain whose trigger is not known, a group of sinks with the same enable, and the arms of
a mux are regions below the one they are used in. A node belongs to the lowest common ancestor of all its uses, so a
cone that only one arm or one enabled register needs is computed behind that branch (lazy evaluation at compile time;
Click's global code motion, PLDI 1995, schedules by the same tree walk). Regions are keyed by (parent, condition,
polarity): all that depends on one condition shares a branch.

Pass one pretends that every mux and every enable branches and sums the cost of what each region then holds alone.
Regions that cost less than a likely misprediction are given up: their muxes become selects, their sinks conditional
moves. Pass two assigns the nodes again to what remains. A last sweep in evaluation order joins the muxes of one region
that share a condition into as few branches as their dependencies allow.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.engines.cpu.emitter import WIDE, words
from weft.ir.cone_graph import SETTLE
from weft.ir.ops import OPS
from weft.ir.step_graph import CONST, MEMREAD, MUX, NOT, READ, StepGraph, live_nodes

BRANCH_COST = 12
"""What an arm must save, in simple operations, before its mux becomes a branch."""

SINK_COST = 8
"""What a group of sinks must save before its enable becomes a branch; each store counts too."""

MAX_WORK = 2000
"""Branches that hold more are given up, so that long functions can be cut at their top level."""

MAX_DEPTH = 60
"""Regions are not nested deeper; muxes below become selects."""

_COSTS = {
    "const": 0, "read": 0, "memread": 4, "mul": 3, "udiv": 25, "umod": 25, "sdiv": 25, "smod": 25, "upow": 200,
    "spow": 200, "extract": 4, "insert": 6, "shl": 3, "lshr": 3, "ashr": 3, "popcount": 2, "redxor": 2,
}  # fmt: skip
_LOOKUP_COST, _WRITE_COST = 5, 2
_COST = [*(_COSTS.get(op.name, 1) for op in OPS), _LOOKUP_COST]


@dataclass(frozen=True, slots=True)
class Sink:
    """Be one thing that a step does: `kind` is `write` or `memory`, `index` its place in the step's table."""

    kind: str
    index: int
    domain: int
    enable: int
    payload: tuple[int, ...]


class RegionTree:
    """Hold regions: `parent`, `condition` (a node), `polarity` and `depth` by region number; 0 is the root."""

    def __init__(self) -> None:
        self.parent, self.condition, self.polarity, self.depth = [-1], [-1], [1], [0]
        self.children: dict[tuple[int, int, int], int] = {}

    def child(self, parent: int, condition: int, polarity: int) -> int:
        """Return the region below `parent` that runs when `condition` has this value."""
        key = (parent, condition, polarity)
        found = self.children.get(key)
        if found is None:
            found = self.children[key] = len(self.parent)
            self.parent.append(parent)
            self.condition.append(condition)
            self.polarity.append(polarity)
            self.depth.append(self.depth[parent] + 1)
        return found

    def common(self, a: int, b: int) -> int:
        """Return the lowest common ancestor."""
        parent, depth = self.parent, self.depth
        while depth[a] > depth[b]:
            a = parent[a]
        while depth[b] > depth[a]:
            b = parent[b]
        while a != b:
            a, b = parent[a], parent[b]
        return a

    def top(self, region: int) -> int:
        """Return the ancestor just below the root, or the root."""
        while self.depth[region] > 1:
            region = self.parent[region]
        return region

    def contains(self, outer: int, inner: int) -> bool:
        """Say whether `outer` is `inner` or an ancestor of it."""
        while self.depth[inner] > self.depth[outer]:
            inner = self.parent[inner]
        return inner == outer


class SinkRegions:
    """Analyse one step: `region` of each live node (-1: dead) and of each sink, and the branches of muxes."""

    def __init__(self, step: StepGraph) -> None:
        self.step = step
        self.sinks = _sinks(step)
        self._early = self._early_reads()
        every = self._assign(None, None)
        self._branches: set[int] = set()
        self._guards: set[tuple[int, int]] = set()
        self._choose(every)
        self.tree, self.region, self.sink_region, self.selected = self._assign(self._branches, self._guards)
        self.instance: dict[int, int] = {}
        self.instances: list[list[int]] = []
        self._join()

    def base(self, condition: int) -> tuple[int, int]:
        """Return a condition without its negations, and its polarity."""
        op, srcs, polarity = self.step.op, self.step.srcs, 1
        while op[condition] == NOT:
            condition, polarity = srcs[condition][0], 1 - polarity
        return condition, polarity

    def uses(self, node: int) -> tuple[int, ...]:
        """Return what a node uses when it is emitted: a branching mux tests the condition without negations."""
        srcs = self.step.srcs[node]
        return (self.base(srcs[0])[0], srcs[1], srcs[2]) if node in self._branches else srcs

    # ------------------------------------------------------------------------------------------- assignment

    def _assign(
        self, branches: set[int] | None, guards: set[tuple[int, int]] | None
    ) -> tuple[RegionTree, list[int], list[int], list[bool]]:
        """Return the tree, the region of each node and sink, and whether a sink is a conditional move."""
        step, tree = self.step, RegionTree()
        region = [-1] * len(step.op)

        def touch(node: int, where: int) -> None:
            have = region[node]
            if have < 0:
                region[node] = where
            elif have != where:
                region[node] = tree.common(have, where)

        places: list[int] = []
        selected: list[bool] = []
        for trigger in step.triggers[SETTLE + 1 :]:
            if step.constant(trigger) is None:
                touch(trigger, 0)
        for _, effect in step.effects:
            touch(effect.enable, 0)
            touch(step.triggers[effect.domain], 0)
        for sink in self.sinks:
            place = self._domain_region(tree, touch, sink.domain)
            if step.constant(sink.enable) is None:
                condition, polarity = self.base(sink.enable)
                guarded = guards is None or (sink.domain, sink.enable) in guards
                touch(condition if guarded else sink.enable, place)
                if guarded:
                    place = tree.child(place, condition, polarity)
                selected.append(not guarded)
            else:
                selected.append(False)
            for node in sink.payload:
                touch(node, place)
            places.append(place)
        memory_places = {
            tree.top(place) for sink, place in zip(self.sinks, places, strict=True) if sink.kind == "memory"
        }
        self._assign_nodes(tree, region, branches, memory_places - {0})
        return tree, region, places, selected

    def _domain_region(self, tree: RegionTree, touch: object, domain: int) -> int:
        trigger = self.step.triggers[domain]
        return 0 if self.step.constant(trigger) == 1 else tree.child(0, trigger, 1)

    def _assign_nodes(
        self, tree: RegionTree, region: list[int], branches: set[int] | None, memory_places: set[int]
    ) -> None:
        """Give every node to the common ancestor of its uses.

        Memory writes come last, in the order of their table. So a read of a written memory that only feeds memory
        writes must not wait for their branches.
        """
        step, common, early = self.step, tree.common, self._early
        op, srcs = step.op, step.srcs
        for node in range(len(op) - 1, -1, -1):
            where = region[node]
            if where < 0:
                continue
            sources = srcs[node]
            if node in early and tree.top(where) in memory_places:
                where = region[node] = 0
            if op[node] == MUX and (
                node in branches if branches is not None else tree.depth[where] < MAX_DEPTH and op[sources[0]] != CONST
            ):
                condition, polarity = self.base(sources[0])
                places = (
                    (condition, where),
                    (sources[1], tree.child(where, condition, polarity)),
                    (sources[2], tree.child(where, condition, 1 - polarity)),
                )
                for source, place in places:
                    have = region[source]
                    region[source] = place if have < 0 else common(have, place)
                continue
            for source in sources:
                have = region[source]
                if have != where:
                    region[source] = where if have < 0 else common(have, where)

    def _early_reads(self) -> set[int]:
        """Return the reads of written memories that memory writes depend on."""
        op, srcs, param = self.step.op, self.step.srcs, self.step.param
        written = {write.state for write in self.step.memory_writes}
        stack = [node for sink in self.sinks if sink.kind == "memory" for node in (*sink.payload, sink.enable)]
        seen = set(stack)
        while stack:
            for source in srcs[stack.pop()]:
                if source not in seen:
                    seen.add(source)
                    stack.append(source)
        return {node for node in seen if op[node] == MEMREAD and param[node] in written}

    # --------------------------------------------------------------------------------------------- decisions

    def _choose(self, every: tuple[RegionTree, list[int], list[int], list[bool]]) -> None:
        """Keep the muxes and enables whose branches save enough."""
        step, (tree, region, places, _) = self.step, every
        total = [0.0] * len(tree.parent)
        for node, where in enumerate(region):
            if where > 0:
                total[where] += node_cost(step, node)
        stores = [0] * len(tree.parent)
        for sink, place in zip(self.sinks, places, strict=True):
            stores[place] += 1 if sink.kind == "write" else 2
        kept: set[tuple[int, int]] = set()
        for number in range(len(tree.parent) - 1, 0, -1):
            self._decide(tree, number, total, stores, kept)
        branches, op = self._branches, step.op
        for node, where in enumerate(region):
            if where >= 0 and op[node] == MUX and (where, self.base(step.srcs[node][0])[0]) in kept:
                branches.add(node)
        for sink, place in zip(self.sinks, places, strict=True):
            if (place and (tree.parent[place], tree.condition[place]) in kept) or sink.kind == "memory":
                self._guards.add((sink.domain, sink.enable))

    def _decide(
        self, tree: RegionTree, number: int, total: list[float], stores: list[int], kept: set[tuple[int, int]]
    ) -> None:
        """Decide a pair of regions when its lower number comes up; by then both are summed."""
        parent, condition, polarity = tree.parent[number], tree.condition[number], tree.polarity[number]
        other = tree.children.get((parent, condition, 1 - polarity), 0)
        if other and other < number:
            return
        both = (number, other) if other else (number,)
        cost = [total[r] + stores[r] for r in both]
        work = sum(total[r] for r in both)
        limit = SINK_COST if any(stores[r] for r in both) else BRANCH_COST
        if max(cost) >= limit and work < MAX_WORK:
            kept.add((parent, condition))
            total[parent] += 2 + work / 4
        else:
            total[parent] += work + 2 * sum(stores[r] for r in both)

    # ------------------------------------------------------------------------------------------------ joining

    def _join(self) -> None:
        """Number the branches: hold muxes back until nothing else can go on, then join those of one key."""
        region, branches = self.region, self._branches
        users: dict[int, list[int]] = {}
        waiting = [0] * len(region)
        ready: list[int] = []
        for node, where in enumerate(region):
            if where < 0:
                continue
            count = 0
            for source in set(self.uses(node)):
                if self.step.op[source] > READ:
                    count += 1
                    users.setdefault(source, []).append(node)
            waiting[node] = count
            if not count:
                ready.append(node)
        buckets: dict[tuple[int, int], list[int]] = {}
        while ready or buckets:
            if not ready:
                key = next(iter(buckets))
                group = buckets.pop(key)
                for mux in group:
                    self.instance[mux] = len(self.instances)
                self.instances.append(group)
                done = group
            else:
                node = ready.pop()
                if node in branches:
                    key = (region[node], self.base(self.step.srcs[node][0])[0])
                    buckets.setdefault(key, []).append(node)
                    continue
                done = [node]
            for node in done:
                for user in users.get(node, ()):
                    waiting[user] -= 1
                    if not waiting[user]:
                        ready.append(user)


def node_cost(step: StepGraph, node: int) -> int:
    """Return what computing a node costs, in simple operations."""
    cost, width = _COST[step.op[node]], step.width[node]
    return cost if width <= 64 else cost * (words(width) if width <= WIDE else words(width) + 8)


def step_price(step: StepGraph) -> float:
    """Return the cost of all that is live in a step, in simple operations, as if nothing were skipped."""
    cost = sum(node_cost(step, node) for node, lives in enumerate(live_nodes(step)) if lives)
    return cost + _WRITE_COST * len(step.writes)


def _sinks(step: StepGraph) -> list[Sink]:
    found = [Sink("write", i, w.domain, w.enable, (w.value,)) for i, w in enumerate(step.writes)]
    for i, w in enumerate(step.memory_writes):
        payload = (w.address, w.value) if w.mask < 0 else (w.address, w.value, w.mask)
        found.append(Sink("memory", i, w.domain, w.enable, payload))
    return found
