"""The cone graph: one DAG of word-level operations, with the state outside it (ARCHITECTURE section 2).

Nodes are rows of columns, not objects: `op`, `width`, `param`, and the sources of node i in
`src[start[i]:start[i+1]]`. Ids ascend in evaluation order: every source has a smaller id. A node is shared by all who
compute the same thing (hash-consed by `GraphBuilder`). State is read by `read`/`memread` nodes and written by the sink
tables `writes` and `memory_writes`, so there are no cycles and no forward references.

What runs, and when
-------------------
A `Domain` is a set of sinks that fire together; its `trigger` is a 1-bit node. Domain 0 (`SETTLE`) has the constant 1
as trigger: latches, and the `sample` states that remember each clock's previous value. All other triggers are edges,
written as logic over those samples: `posedge(read prev_clk, clk)`.

One *step* evaluates everything that fires from the same present state, then commits all writes at once: the trigger
says whether a domain's sinks fire, `enable` whether the single sink does. Steps repeat until one fires no domain but
SETTLE (IEEE 1800-2023 4.4: the active region and the NBA region, again until both are empty). So a register clocked by
another register's output samples values after that register changed, while a clock gated by plain logic fires
together with the clock it comes from, as the standard has it. More than `STEP_LIMIT` steps mean an oscillation.

Scalar writes of one step commit in table order, the last one wins, and so do memory writes. Effects happen in table
order after the step's values are known, before its commits: they show pre-commit values, as `$display` in the active
region does; `postponed` effects (`$strobe`, `$monitor`) show the settled values at the end of the last step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field
from weft.base.source import NOWHERE, Span
from weft.ir.ops import OPS

if TYPE_CHECKING:
    from weft.ir.design import Module, SystemTask

SETTLE = 0
STEP_LIMIT = 100
STARTED = "$started"
"""The name of the sample that is 0 in the first step and 1 from then on."""


@dataclass(frozen=True, slots=True)
class State:
    """Describe one piece of state.

    `kind` is `input` (written by the user), `register`, `latch`, `memory` (`depth` elements), `sample` (a clock's
    previous value), `time` (64 bits, femtoseconds, kept by the run loop) or `constant` (set once before time 0, e.g. by
    `$test$plusargs`). `initial` is its value before the initial procedures run; None leaves it to the `--x-initial`
    policy (x in 4-state); of a memory it is the value of every element. A `known` state is a variable of a 2-state
    type: it never has unknown bits (IEEE 1800-2023 6.11.2). In a graph whose planes are split, `plane` is `value` or
    `unknown` and `twin` the other one; a state that is always known has no twin.
    """

    name: str
    width: int
    depth: int = 0
    kind: str = "register"
    initial: int | None = None
    span: Span = NOWHERE
    plane: str = ""
    twin: int = -1
    known: bool = False


@dataclass(frozen=True, slots=True)
class Domain:
    """Describe a set of sinks that fire together. `name` reads like `posedge clk or negedge rst_n`."""

    name: str
    trigger: int


@dataclass(frozen=True, slots=True)
class Write:
    """Set scalar state `state` to node `value` when `domain` fires and node `enable` is 1."""

    state: int
    value: int
    enable: int
    domain: int


@dataclass(frozen=True, slots=True)
class MemoryWrite:
    """Write node `value` to element `address` of memory `state`; `mask` (a node, or -1) selects bits.

    `count` greater than 1 fills that many consecutive elements (a reset loop that was not unrolled). Out of range
    addresses write nothing.
    """

    state: int
    address: int
    value: int
    enable: int
    domain: int
    mask: int = -1
    count: int = 1


@dataclass(frozen=True, slots=True)
class Effect:
    """Tell the outside world something: a system task, or an assertion that failed or was covered.

    `task` is the statement (its literal arguments, signs and span); `args` has a node for each argument that is a
    value and -1 for the others; `unknowns` the unknown planes of those nodes, once split. `scope` is the full `%m`
    path.
    """

    task: SystemTask
    args: tuple[int, ...]
    enable: int
    domain: int
    scope: str
    unknowns: tuple[int, ...] = ()
    postponed: bool = False
    time_unit_fs: int = 1_000_000


@dataclass(slots=True)
class Scope:
    """Be one instance in the hierarchy, and say where its signals live.

    `nodes[i]` belongs to `module.signals[i]`: a node id (kept valid by every pass), `-2 - s` for memory state `s`, or
    -1 for a signal that has no value (a local of a procedure). `unknowns` likewise holds the unknown plane when split.
    """

    path: str
    parent: int
    module: Module
    nodes: NDArray[np.int32]
    unknowns: NDArray[np.int32] | None = None


@dataclass(slots=True)
class ConeGraph:
    """Hold the columns and side tables. Build one with `GraphBuilder`; never change it in place."""

    op: NDArray[np.uint8]
    width: NDArray[np.int32]
    param: NDArray[np.int32]
    start: NDArray[np.int32]
    src: NDArray[np.int32]
    constants: list[tuple[int, int]]
    states: list[State]
    domains: list[Domain]
    writes: list[Write]
    memory_writes: list[MemoryWrite]
    effects: list[Effect]
    scopes: list[Scope] = field(default_factory=list[Scope])
    four_state: bool = False

    def __len__(self) -> int:
        return len(self.op)

    def sources(self, node: int) -> list[int]:
        """Return the source ids of a node."""
        return self.src[self.start[node] : self.start[node + 1]].tolist()

    def node(self, index: int) -> Node:
        """Return a view of one node, for `match`."""
        return Node(
            OPS[self.op[index]].name, int(self.width[index]), tuple(self.sources(index)), int(self.param[index])
        )

    def nodes(self) -> Iterator[Node]:
        """Yield a view of every node in evaluation order."""
        starts, srcs = self.start.tolist(), self.src.tolist()
        for i, (op, width, param) in enumerate(
            zip(self.op.tolist(), self.width.tolist(), self.param.tolist(), strict=True)
        ):
            yield Node(OPS[op].name, width, tuple(srcs[starts[i] : starts[i + 1]]), param)

    def constant(self, node: int) -> tuple[int, int]:
        """Return the (value, unknown) bits of a `const` node."""
        return self.constants[self.param[node]]


@dataclass(frozen=True, slots=True)
class Node:
    """View one node: `match graph.node(i): case Node("add", width, (a, b)): ...`."""

    op: str
    width: int
    sources: tuple[int, ...]
    param: int
