"""What the event engine needs to know of a region: a part of the design that runs as a compiled step.

A *region* is a module with all that is below it. Its state lies in an array of its own (`ir.layout`), and compiled code
steps it: the event engine only ever copies inputs there, calls functions, and takes outputs from a buffer. In the
design that the event engine sees, the region's module has become a *stub*: its ports, its outputs as variables, and
nothing inside.

Functions have the signature `(state, memories, context, out)`. A step commits what the edges fire whose flags (bytes of
the state) are 1; the code for a single edge takes its flag for granted and ignores the bytes. The other two put values
of outputs into the buffer `out`, in whole words: `direct` those that depend on the state alone, `through` those that an
input reaches as well, after it has let latches follow their inputs.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.base.source import NOWHERE, Span
from weft.ir.expressions import Signal


@dataclass(frozen=True, slots=True, eq=False)
class RegionInput:
    """Be an input port: where its planes lie in the state, each in `stride` bytes; `unknown` is -1 if it has none.

    `passes` says that some output or latch follows it without a clock edge.
    """

    signal: Signal
    value: int
    unknown: int
    stride: int
    passes: bool


@dataclass(frozen=True, slots=True, eq=False)
class RegionEdge:
    """Be an edge that steps the region: `posedge` or `negedge` of an input, and the byte of its flag."""

    signal: Signal
    edge: str
    flag: int


@dataclass(frozen=True, slots=True, eq=False)
class RegionOutput:
    """Be an output port: the stub's variable, and where its planes lie in the buffer (`unknown`: -1 if it has none)."""

    signal: Signal
    value: int
    unknown: int


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Describe one region's ports and edges.

    `initial` says that procedures inside give first values at time 0, `settles` that inputs reach outputs or latches
    without an edge. `begun` is the byte that is 1 from when procedures begin to wait for levels on, `started` that from
    when `always_comb` runs on, or -1.
    """

    inputs: tuple[RegionInput, ...]
    edges: tuple[RegionEdge, ...]
    direct: tuple[RegionOutput, ...]
    through: tuple[RegionOutput, ...]
    initial: bool
    settles: bool
    begun: int
    started: int
    span: Span = NOWHERE

    def watched(self) -> set[Signal]:
        """Return the inputs whose changes the region looks at."""
        return {edge.signal for edge in self.edges} | {port.signal for port in self.inputs if port.passes}


@dataclass(frozen=True, slots=True)
class RegionShape:
    """Say what functions a region has.

    `flags` are the states of its edges' flags; `direct` and `through` the nodes whose values the two functions for
    outputs put into a buffer, one after the other in whole words. The latter has latches follow; steps have only those
    follow that no input reaches. `once` are the states that stay 1 once they are (`sim.regions.await_changes`).
    """

    flags: tuple[int, ...]
    direct: tuple[int, ...]
    through: tuple[int, ...]
    once: tuple[int, ...]


REGION_STATE, REGION_MEMORIES, REGION_CONTEXT, REGION_OUT = 0, 8, 16, 24
"""Offsets in an instance's record: the addresses of its state array, its memories, its context and its buffer."""
REGION_STEP, REGION_DIRECT, REGION_THROUGH = 32, 40, 48
"""The functions; that of the edge number `k` is at `REGION_EDGES + 8 * k`, or 0 while the general step does it."""
REGION_PENDING = 56
"""Which edges have come and wait for the NBA region, a bit for each."""
REGION_CHANGES, REGION_CHANGED = 64, 72
"""What initial procedures leave: the address of a table of places and sizes, each a word, which ends with a size of 0,
and of a state array with the bytes that go there."""
REGION_EDGES = 80
