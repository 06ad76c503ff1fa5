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

    It is a sample of procedures which wait for edges, those of the trigger of this number; or of logic, which waits for
    the bits of `ranges`, from low ends to high ones, exclusive.
    """

    signal: Signal
    value: int
    unknown: int
    stride: int
    trigger: int = -1
    ranges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class RegionGroup:
    """Be the inputs that some logic follows together.

    `joins` says that some output or latch depends on them which depends on states too, `parts` that some output does
    which depends on none.
    """

    inputs: tuple[RegionInput, ...]
    joins: bool = False
    parts: bool = False

    @property
    def passes(self) -> bool:
        """Say whether some output or latch depends on them."""
        return self.joins or self.parts


@dataclass(frozen=True, slots=True, eq=False)
class RegionTrigger:
    """Be what steps the region: a `posedge` or `negedge` of an input, or one of several, and the byte of its flag.

    `again` says that procedures find variables as their last run has left them, so that each run counts.
    """

    edges: tuple[tuple[Signal, str], ...]
    flag: int
    again: bool


@dataclass(frozen=True, slots=True, eq=False)
class RegionOutput:
    """Be an output port: the stub's variable, and where its planes lie in the buffer (`unknown`: -1 if it has none).

    `groups` has a bit for each group of inputs that it depends on, and `FOLLOWS_STEP` if it depends on states.
    """

    signal: Signal
    value: int
    unknown: int
    groups: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Describe one region's ports and edges.

    `samples` are for procedures, `groups` for logic; what only people read of the inputs has a place in `ports`. Each
    edge fires some of the `triggers`, a mask that is among `steps`. Of the outputs that are registers, `early` ones
    change before those that logic computes are asked for.

    `initial` says that procedures inside give first values at time 0, `settles` that there are outputs that logic
    computes, or latches; `latches` says where those that inputs reach lie in the state, as pairs of a place and a size.
    `begun` is the byte that is 1 from when procedures begin to wait for levels on, `started` that from when
    `always_comb` runs on, or -1.
    """

    ports: tuple[RegionInput, ...]
    samples: tuple[RegionInput, ...]
    groups: tuple[RegionGroup, ...]
    triggers: tuple[RegionTrigger, ...]
    steps: tuple[int, ...]
    direct: tuple[RegionOutput, ...]
    through: tuple[RegionOutput, ...]
    early: int
    initial: bool
    settles: bool
    latches: tuple[tuple[int, int], ...]
    begun: int
    started: int
    span: Span = NOWHERE

    @property
    def followed(self) -> list[RegionInput]:
        """Return the places of inputs that logic follows."""
        return [port for group in self.groups for port in group.inputs]

    def watched(self) -> set[Signal]:
        """Return the inputs whose changes the region looks at."""
        edges = {signal for trigger in self.triggers for signal, _ in trigger.edges}
        return edges | {port.signal for port in self.followed}


@dataclass(frozen=True, slots=True)
class RegionShape:
    """Say what functions a region has.

    `flags` are the states of its triggers' flags, `steps` those that an edge sets, for each edge; `direct` and
    `through` the nodes whose values the two functions for outputs put into a buffer, one after the other in whole
    words. The latter has latches follow; steps have only those follow that no input reaches. `once` are the states that
    stay 1 once they are (`sim.regions.await_changes`), `early` those that procedures assign with `=`.
    """

    flags: tuple[int, ...]
    steps: tuple[frozenset[int], ...]
    direct: tuple[int, ...]
    through: tuple[int, ...]
    once: tuple[int, ...]
    early: frozenset[int] = frozenset()


REGION_STATE, REGION_MEMORIES, REGION_CONTEXT, REGION_OUT = 0, 8, 16, 24
"""Offsets in an instance's record: the addresses of its state array, its memories, its context and its buffer."""
REGION_STEP, REGION_DIRECT, REGION_THROUGH = 32, 40, 48
"""The functions; that of the edge number `k` is at `REGION_EDGES + 8 * k`, or 0 while the general step does it."""
REGION_PENDING = 56
"""Which triggers have fired and wait for the NBA region, a bit for each."""
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
REGION_LATER = 128
"""What logic has followed and outputs do not show yet: a bit for each group of inputs, and `FOLLOWS_STEP`."""
REGION_AHEAD = 136
"""The groups of inputs, a bit for each, that what follows a step has followed before their turn."""
FOLLOWS_STEP, MOST_GROUPS = 63, 62
"""Groups from this one on share a bit."""

REGION_EDGES = 144


def group_bit(number: int) -> int:
    """Return which bit of `REGION_LATER` and `REGION_AHEAD` stands for a group of inputs."""
    return min(number, MOST_GROUPS)
