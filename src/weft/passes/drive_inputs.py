"""Say how inputs are driven inside a lane program: by expressions, random numbers, and blocks of cycles.

At the beginning of each cycle of the first clock, after what happened at the same time has settled, a *drive* event
(`ir.lane_program.LaneEvent`) stores the inputs' new values and lets the design settle: what a poke between two calls of
`run_cycles(1)` does, inside the loop. So no engine knows of stimulus, and a plain simulation that is poked in every
cycle has the same states.

The values are nodes of a graph over the design's states and further *planes*: memories with a private element for each
lane that belong to the batch and not to the design. `LANE` holds the lane's number, `CYCLE` the number of the cycle
that begins, `AT` the row of the block that is next; they are followed by the blocks, a row for each cycle. The batch
sets them before a run, so nothing of them is state that a checkpoint would have to keep.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.ir.cone_graph import ConeGraph, State
from weft.ir.graph_builder import GraphBuilder
from weft.passes.simplify_nodes import simplify_two_state

LANE, CYCLE, AT = 0, 1, 2
"""The places of the first planes, after the design's states."""

_PLANES = (("$lane", 32), ("$cycle", 64), ("$at", 32))


@dataclass(frozen=True, slots=True)
class DrivePlan:
    """Drive inputs at the beginning of every `period_fs`.

    `graph` has the design's states and, from number `first` on, the planes; `stores` gives (state, node) of each input,
    `counts` the planes that grow by one each time.
    """

    period_fs: int
    graph: ConeGraph
    first: int
    stores: tuple[tuple[int, int], ...]
    counts: tuple[int, ...]


class DriveBuilder:
    """Collect what a plan stores; `blocks` are the states of the inputs that blocks of `depth` rows drive."""

    def __init__(self, design: ConeGraph, period_fs: int, blocks: tuple[int, ...] = (), depth: int = 1) -> None:
        self.period_fs, self.first = period_fs, len(design.states)
        self.builder = GraphBuilder(simplify_two_state)
        planes = [State(name, width, 1, "memory", 0, known=True) for name, width in _PLANES]
        rows = [State(f"$block {design.states[s].name}", design.states[s].width, depth, "memory", 0, known=True)
                for s in blocks]  # fmt: skip
        self.builder.states = [*design.states, *planes, *rows]
        self._stores: dict[int, int] = {}
        self._used: set[int] = set()
        for number, state in enumerate(blocks):
            self.store(state, self.builder.memread(self.first + len(_PLANES) + number, self.count(AT)))

    def lane(self) -> int:
        """Return the node of the lane's number."""
        return self._plane(LANE)

    def count(self, plane: int) -> int:
        """Return the node of a plane that grows with each cycle: `CYCLE` or `AT`."""
        self._used.add(plane)
        return self._plane(plane)

    def counter(self) -> int:
        """Return the node that random numbers are made of: the cycle in the lower half, the lane above it."""
        return self.builder.concat([self.builder.slice(self.count(CYCLE), 0, 32), self.lane()])

    def _plane(self, plane: int) -> int:
        return self.builder.memread(self.first + plane, self.builder.const(32, 0))

    def store(self, state: int, value: int, unknown: int = -1) -> None:
        """Give an input a value; its unknown plane becomes `unknown`, or 0."""
        self._stores[state] = value
        twin = self.builder.states[state].twin
        if twin >= 0:
            self._stores[twin] = unknown if unknown >= 0 else self.builder.const(self.builder.width[value], 0)

    def plan(self) -> DrivePlan:
        """Return the finished plan."""
        # Every plan counts cycles, so that a record can tell how many of a lane have begun.
        counts = tuple(self.first + plane for plane in sorted(self._used | {CYCLE}))
        return DrivePlan(self.period_fs, self.builder.freeze(), self.first, tuple(self._stores.items()), counts)
