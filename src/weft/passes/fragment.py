"""A fragment: one module as a piece of graph whose signals are not connected yet.

`lower_module` executes a module's processes symbolically, once per parameterisation, and yields a fragment;
`flatten_design` instantiates fragments, connects their signals and yields the whole `ConeGraph`.

The fragment's builder is an ordinary `GraphBuilder` whose "states" stand for the module's signals: node `read k` is the
present value of `uses[k]` (a whole flat vector) and `memread k` one element of it, whatever will drive it: a register,
a wire, a port, another instance. `uses[k].hold` marks the value that a combinational process finds in a variable
before it assigns it: where a drive's value still depends on a hold, the variable is a latch.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.base.dataclass import dataclass, field
from weft.base.source import NOWHERE, Span
from weft.ir.design import Module, Signal, SystemTask
from weft.ir.graph_builder import GraphBuilder


@dataclass(frozen=True, slots=True)
class Use:
    """Be a signal that the fragment reads or writes: its own (`path` empty) or one reached by a hierarchical path.

    A signal whose name begins with `$` belongs to no module but to the simulation, and is shared by name: `$time` (64
    bits, femtoseconds) is the time state, `$random` the seed of the function of that name (`connect_draws`), and any
    other a `constant` state that the simulation sets before time 0 (`$test$plusargs(trace)`).
    """

    signal: Signal
    path: tuple[str, ...] = ()
    hold: bool = False
    memory: bool = False  # kept as a memory (dynamic element access), not as a flat vector
    trigger: int = -1  # the trigger of the clocked processes that read this input port, where that is told apart
    process: int = -1  # the process that draws, of the seed: each has the one that the process before it has left
    logic: int = -1  # the assignment, procedure or connection that reads this input port, where that is told apart


@dataclass(frozen=True, slots=True)
class Drive:
    """Drive bits `low` to `low + width - 1` of use `target` with node `value` for ever.

    `enable` is a node as wide as `value` with a 0 for each bit that is not driven (z), or -1 when all always are.
    `process` numbers the process or assignment, for finding multiple drivers; a procedural driver of a variable must be
    the only one of its bits (IEEE 1800-2023 6.5), nets resolve.
    """

    target: int
    low: int
    width: int
    value: int
    process: int
    enable: int = -1
    span: Span = NOWHERE
    weak: bool = False  # strength pull or weak: counts only where no other driver does (pullup, pulldown)


@dataclass(frozen=True, slots=True)
class Trigger:
    """Start a clocked process: any of `edges`, each (`posedge`, `negedge`, `edge` or `any`, node, iff node or -1)."""

    edges: tuple[tuple[str, int, int], ...]
    name: str
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Clocked:
    """Set bits `low` to `low + width - 1` of `target` to `value` when `trigger` fires and `enable` (1 bit) holds.

    Where `enable` is 0 the value does not matter. One process gives at most one entry for each bit. `blocking` says
    that only blocking assignments set it: an edge of it comes before the nonblocking updates of the same step.
    """

    target: int
    low: int
    width: int
    value: int
    enable: int
    trigger: int
    process: int
    span: Span = NOWHERE
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class ClockedMemory:
    """Write an element of memory use `target`; in program order. `mask` is a node selecting bits, or -1 for all.

    `blocking` says that it is assigned with `=`: who waits for a clock that rises in the same step sees it.
    """

    target: int
    address: int
    value: int
    enable: int
    trigger: int
    process: int
    mask: int = -1
    count: int = 1
    span: Span = NOWHERE
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Draw:
    """Set the seed of `$random` to `value` when `trigger` fires and `enable` holds; `before` is the use that reads it.

    Where `enable` is 0 the value does not matter.
    """

    before: int
    value: int
    enable: int
    trigger: int
    process: int
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class FragmentEffect:
    """Run a system task when `trigger` fires and `enable` holds; trigger -1: whenever `enable` or an argument changes.

    `args` has a node for each value argument and -1 for the others.
    """

    task: SystemTask
    args: tuple[int, ...]
    enable: int
    trigger: int
    postponed: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """Connect port number `port` of instance number `instance`.

    An input has a `value` node. An output (or ref, inout) has `targets`: (use, low, width, bit of the port's value).
    """

    instance: int
    port: int
    value: int = -1
    targets: tuple[tuple[int, int, int, int], ...] = ()


Waits = Mapping[Signal, frozenset[tuple[int, int]]]
"""The bits of input ports whose changes make logic run: ranges from a low end to a high one, exclusive."""


@dataclass(slots=True)
class Fragment:
    """Hold one lowered module.

    `forwarded` names signals that a process reads after it has assigned them: what it reads there is what it assigned,
    whatever a force or a fault makes of the signal. `waits` is only known where inputs are told apart, by the
    numbers of `Use.logic`.
    """

    module: Module
    builder: GraphBuilder
    uses: list[Use] = field(default_factory=list[Use])
    drives: list[Drive] = field(default_factory=list[Drive])
    triggers: list[Trigger] = field(default_factory=list[Trigger])
    clocked: list[Clocked] = field(default_factory=list[Clocked])
    clocked_memories: list[ClockedMemory] = field(default_factory=list[ClockedMemory])
    effects: list[FragmentEffect] = field(default_factory=list[FragmentEffect])
    draws: list[Draw] = field(default_factory=list[Draw])
    waits: dict[int, Waits] = field(default_factory=dict[int, Waits])
    connections: list[Connection] = field(default_factory=list[Connection])
    forwarded: set[str] = field(default_factory=set[str])
