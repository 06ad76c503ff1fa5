"""What the event engine needs to know of a region: a part of the design that runs as a compiled step.

A *region* is a module with all that is below it. Its state lies in an array of its own (`ir.layout`), and compiled code
steps it: the event engine only ever copies inputs there, calls functions, and takes outputs from a buffer. In the
design that the event engine sees, the region's module has become a *stub*: its ports, its outputs as variables, and
nothing inside.

Clocked procedures read an input as it is when their edge comes; logic reads what it has followed of it, which may be
older. So the state has several places for an input: samples for procedures, by the edges that these wait for, and for
logic, by the inputs that this reads.

Functions have the signature `(state, memories, context, out)`. A step commits what the edges fire whose flags (bytes of
the state) are 1; the code for a single edge takes its flag for granted and ignores the bytes. There is also a step in
three functions: one computes all that is to be committed, and leaves it in the context; one commits what is assigned
with `=`; one commits the rest. The remaining two put values of outputs into the buffer `out`, in whole words: `direct`
those that are registers, `through` what logic computes, after it has let latches follow their inputs.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.base.source import NOWHERE, Span
from weft.ir.expressions import Signal


@dataclass(frozen=True, slots=True, eq=False)
class RegionInput:
    """Be a place for an input: where its planes lie in the state, each in `stride` bytes; `unknown` is -1 for none.

    With `edges`, a bit for each, it is a sample that procedures read which wait for these edges. `ranges` are the bits
    that logic waits for which reads it, from low ends to high ones, exclusive.
    """

    signal: Signal
    value: int
    unknown: int
    stride: int
    edges: int = 0
    ranges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class RegionGroup:
    """Be the inputs that some logic follows together; `passes` says that some output or latch depends on them."""

    inputs: tuple[RegionInput, ...]
    passes: bool


@dataclass(frozen=True, slots=True, eq=False)
class RegionEdge:
    """Be an edge that steps the region: `posedge` or `negedge` of an input, and the byte of its flag.

    `shared` has a bit for each other edge that all procedures wait for which wait for this one, `again` for each edge
    that starts a procedure which this one starts too, and which finds variables as its last run has left them.
    """

    signal: Signal
    edge: str
    flag: int
    shared: int = 0
    again: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class RegionOutput:
    """Be an output port: the stub's variable, and where its planes lie in the buffer (`unknown`: -1 if it has none)."""

    signal: Signal
    value: int
    unknown: int


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Describe one region's ports and edges.

    `samples` are for procedures, `groups` for logic; what only people read of the inputs has a place in `ports`. Of the
    outputs that are registers, `early` ones change before those that logic computes are asked for.

    `initial` says that procedures inside give first values at time 0, `settles` that there are outputs that logic
    computes, or latches; `latches` says where those that inputs reach lie in the state, as pairs of a place and a size.
    `begun` is the byte that is 1 from when procedures begin to wait for levels on, `started` that from when
    `always_comb` runs on, or -1.
    """

    ports: tuple[RegionInput, ...]
    samples: tuple[RegionInput, ...]
    groups: tuple[RegionGroup, ...]
    edges: tuple[RegionEdge, ...]
    direct: tuple[RegionOutput, ...]
    through: tuple[RegionOutput, ...]
    early: int
    initial: bool
    settles: bool
    latches: tuple[tuple[int, int], ...]
    begun: int
    started: int
    span: Span = NOWHERE

    def watched(self) -> set[Signal]:
        """Return the inputs whose changes the region looks at."""
        followed = {port.signal for group in self.groups for port in group.inputs}
        return {edge.signal for edge in self.edges} | followed


@dataclass(frozen=True, slots=True)
class RegionShape:
    """Say what functions a region has.

    `flags` are the states of its edges' flags; `direct` and `through` the nodes whose values the two functions for
    outputs put into a buffer, one after the other in whole words. The latter has latches follow; steps have only those
    follow that no input reaches. `once` are the states that stay 1 once they are (`sim.regions.await_changes`), `early`
    those that procedures assign with `=`.
    """

    flags: tuple[int, ...]
    direct: tuple[int, ...]
    through: tuple[int, ...]
    once: tuple[int, ...]
    early: frozenset[int] = frozenset()


REGION_STATE, REGION_MEMORIES, REGION_CONTEXT, REGION_OUT = 0, 8, 16, 24
"""Offsets in an instance's record: the addresses of its state array, its memories, its context and its buffer."""
REGION_STEP, REGION_DIRECT, REGION_THROUGH = 32, 40, 48
"""The functions; that of the edge number `k` is at `REGION_EDGES + 8 * k`, or 0 while the general step does it."""
REGION_PENDING = 56
"""Which edges have come and wait for the NBA region, a bit for each."""
REGION_MOVED = 64
"""Whether logic has followed inputs since the first edge that waits: then what it had followed before is kept apart."""
REGION_CHANGES, REGION_CHANGED = 72, 80
"""What initial procedures leave: the address of a table of places and sizes, each a word, which ends with a size of 0,
and of a state array with the bytes that go there."""
REGION_EVALUATE, REGION_COMMIT, REGION_ROOM = 88, 96, 104
"""The general step in functions, and how many bytes of context they need: what it computes, and what it commits."""
REGION_HELD = 112
"""The first of the steps that have been computed and wait for the NBA region (`engines.event.region_kernels`), or 0."""
REGION_EARLY = 120
"""The function that commits what is assigned with `=`."""
REGION_EDGES = 128
