"""The lane program: what an engine needs to run one design in many lanes at once (ARCHITECTURE section 1).

A lane is one instance. Its scalar state is *words* of up to 64 bits; a wide state has several. A memory has a *plane*
of such words for each 64 bits of its elements; a plane that the design never writes is shared by all lanes, others can
be until they are written (`ir.lane_pages`). All lanes run the same *steps*: code over words with the operations of
`passes.split_words`, in evaluation order, interleaved with *actions* that store, write memories, stop lanes or count
messages. What only matters under one condition may stand in a *branch*, which is skipped where the condition holds in
no lane. Both the SIMD engine of the CPU and the CUDA engine
emit LLVM IR from it.

Time in lanes
-------------
The edges of the clocks form a pattern of *events* that repeats every `period_fs`; event k is what happens at its time.
A lane's position is a *slot*: how many events have passed since the beginning of its present period, so that slot s is
event `s % len(events)`, whatever the lane's own time. Lanes that have stopped at different times so run in one loop.

An event sets its clocks, runs `step` (specialised to that edge, as the CPU engine's phases are), commits, and runs
`after`: what settles latches and samples, and whether another domain fires (`fire`). Lanes in which one does run
`general` until none does, at most `STEP_LIMIT` times. A lane in which the condition then holds, or a `$finish` ran,
stops there; its state is that of this settled time.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from weft.base.dataclass import dataclass, field
from weft.ir.cone_graph import State


class LaneStatus(IntEnum):
    """Say why a lane stopped in its last run."""

    TIME = 0  # it ran as long as it was told to
    CONDITION = 1  # the condition holds
    FINISH = 2  # $finish ran; the lane does not go on
    STOP = 3  # $stop ran
    FATAL = 4  # $fatal ran; the lane does not go on
    OSCILLATION = 5  # it does not settle; the lane does not go on
    PAGES = 6  # pages of shared memories run short (`ir.lane_pages`); the batch makes room, and nobody sees it


@dataclass(frozen=True, slots=True)
class LaneWord:
    """Be word number `word` of scalar state `state`."""

    state: int
    word: int
    width: int


@dataclass(frozen=True, slots=True)
class LaneMemory:
    """Be the plane of word number `word` of the elements of memory `state`.

    All lanes share one that is `shared`; of one that is `paged` they share what they have not written
    (`ir.lane_pages`); else each has its own.
    """

    state: int
    word: int
    width: int
    depth: int
    shared: bool
    paged: bool = False

    @property
    def private(self) -> bool:
        """Say whether every lane has all of it to itself, interleaved with its neighbours'."""
        return not self.shared and not self.paged


@dataclass(frozen=True, slots=True)
class LaneAction:
    """Do something with nodes. What `target` and `nodes` are depends on `kind`:

    `store` a word: (value); `write` a memory: (address, value, mask or -1, enable), for `count` elements;
    `stop` lanes with a status: (enable); `count` a message, by its place in `messages`: (enable);
    `fire`: (whether a domain fires); `holds`: (whether the state has its habits); `condition`: (whether it holds);
    `output` a word of a look: (value).
    """

    kind: str
    target: int
    nodes: tuple[int, ...]
    count: int = 1


@dataclass(frozen=True, slots=True)
class LaneBranch:
    """Evaluate `items` only if node `condition` is `polarity` in some lane: in the others nobody looks at them.

    `results` are the nodes among them that are used later; skipped, they are 0. Stores among them keep the old value
    where the condition does not hold.
    """

    condition: int
    polarity: int
    items: tuple[int | LaneAction, ...]
    results: tuple[int, ...]


LaneItem = int | LaneAction | LaneBranch
"""What a step's sequence consists of: a node to evaluate, an action, or a branch."""


@dataclass(slots=True)
class LaneStep:
    """Hold the code of a step: columns of nodes, and the sequence in which they are evaluated."""

    name: str
    op: list[int]
    width: list[int]
    param: list[int]
    srcs: list[tuple[int, ...]]
    constants: list[tuple[int, int]]
    sequence: list[LaneItem]

    def constant(self, node: int) -> int | None:
        """Return the value of a constant node, else None."""
        return None if self.op[node] else self.constants[self.param[node]][0]

    @property
    def actions(self) -> list[LaneAction]:
        """Return the actions, in order."""
        return [item for item in self.flat() if isinstance(item, LaneAction)]

    @property
    def nodes(self) -> list[int]:
        """Return the nodes that are evaluated, in order."""
        return [item for item in self.flat() if not isinstance(item, LaneAction)]

    def flat(self) -> Iterator[int | LaneAction]:
        """Yield nodes and actions in order, those of branches too."""
        for item in self.sequence:
            if isinstance(item, LaneBranch):
                yield from item.items
            else:
                yield item

    @property
    def empty(self) -> bool:
        """Say whether the step does nothing."""
        return not self.actions


@dataclass(frozen=True, slots=True)
class LaneEvent:
    """Be what happens at one time of the period: `offset_fs` after its beginning, the clocks in `levels` change.

    `usual` is a shorter form of `step`, for lanes whose state has its habits: where the action `holds` of `guard` does.
    With `drive` it is the beginning of a cycle of the first clock, at which inputs take new values; it follows the
    edges of the same time.
    """

    offset_fs: int
    levels: tuple[tuple[int, int], ...]
    step: LaneStep
    after: LaneStep
    guard: LaneStep | None = None
    usual: LaneStep | None = None
    drive: bool = False


@dataclass(slots=True)
class LaneProgram:
    """Hold a design for lanes; `words` and `memories` are in the order of the state table.

    A `key` stands for all of it, and for the version of Weft: what is made of two programs with the same key is alike.
    """

    states: list[State]
    words: list[LaneWord]
    memories: list[LaneMemory]
    places: list[int]
    general: LaneStep
    events: list[LaneEvent] = field(default_factory=list[LaneEvent])
    period_fs: int = 0
    condition: LaneStep | None = None
    messages: list[int] = field(default_factory=list[int])
    key: str = ""

    @property
    def fires(self) -> bool:
        """Say whether an event can make another domain fire, so that `general` is needed in a run."""
        actions = [action for event in self.events for action in event.after.actions]
        return any(action.kind == "fire" for action in actions)
