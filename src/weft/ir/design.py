"""The design: what the user wrote, elaborated, with control flow kept (ARCHITECTURE section 2).

A front end produces it; passes lower it to the cone graph; the event engine and the debugger work on it directly.
One `Module` stands for one parameterisation of a source module; instances of the same parameterisation share it.
Signals and modules are compared by identity, so a reference to one is the object itself.

Every type is flattened to bits when the design is built, so that no later pass knows about types:

* A packed value, struct, union or enum of any shape is one vector; bit 0 is the least significant bit.
* An unpacked array is `depth` elements of `width` bits. Dimensions are normalised: the element with the lowest index of
  each dimension is 0, the first (left-most) dimension varies slowest. As a whole it is the vector with element `k` at
  bits `[k * width +: width]`. Unpacked structs become one signal per leaf member (`s.field`).
* Member, element and range selects become `Slice` with an offset in bits, already normalised to bit 0 of the value.
* Widths and signs follow IEEE 1800-2023 11.6-11.8 and are final: operands of an arithmetic, bitwise or comparison
  operator have equal width, and every extension or truncation is an explicit `Resize`.

Values outside a signal's range read as x (0 in 2-state) and writes there do nothing (IEEE 1800-2023 7.4.5, 11.5.1).
"""

from __future__ import annotations

from enum import Enum
from math import gcd

from weft.base.dataclass import dataclass, field
from weft.base.source import NOWHERE, SourceMap, Span
from weft.ir.assertion_control import AssertionControl
from weft.ir.constraints import ConstraintBlock
from weft.ir.coverage import CoverGroup
from weft.ir.expressions import (
    AssignExpr,
    Binary,
    Call,
    Concat,
    Cond,
    Const,
    Element,
    Expr,
    Field,
    Item,
    Iterate,
    New,
    Randomize,
    Real,
    Ref,
    Repeat,
    Resize,
    Signal,
    Slice,
    SystemCall,
    Text,
    Type,
    Unary,
    operands,
)
from weft.ir.specify import ModulePath, PathDelay, PathStamp, TimingCheck
from weft.ir.statements import (
    Assertion,
    Assign,
    Block,
    Case,
    CaseItem,
    Delay,
    Disable,
    DisableFork,
    Evaluate,
    Event,
    Force,
    If,
    Implicit,
    Jump,
    Loop,
    Release,
    Repeated,
    RepeatTimes,
    Statement,
    SystemTask,
    Timing,
    Trigger,
    Wait,
    WaitFork,
    WaitUntil,
)

__all__ = [
    "Assertion",
    "Assign",
    "AssignExpr",
    "Binary",
    "Block",
    "Call",
    "Case",
    "CaseItem",
    "Class",
    "Concat",
    "Cond",
    "Const",
    "ContinuousAssign",
    "Delay",
    "Design",
    "Disable",
    "DisableFork",
    "Element",
    "Evaluate",
    "Event",
    "Expr",
    "Field",
    "Force",
    "Function",
    "Gate",
    "If",
    "Implicit",
    "Instance",
    "Item",
    "Iterate",
    "Jump",
    "Kind",
    "Loop",
    "Module",
    "ModulePath",
    "New",
    "PathDelay",
    "Port",
    "Process",
    "Randomize",
    "Real",
    "Ref",
    "Release",
    "Repeat",
    "RepeatTimes",
    "Repeated",
    "Resize",
    "Signal",
    "Slice",
    "Statement",
    "SystemCall",
    "SystemTask",
    "Text",
    "Timing",
    "TimingCheck",
    "Trigger",
    "Type",
    "UdpTable",
    "Unary",
    "Wait",
    "WaitFork",
    "WaitUntil",
    "operands",
]


# ------------------------------------------------------------------------------------- modules and hierarchy


@dataclass(slots=True, eq=False)
class Function:
    """Be a function or task. `args` pairs each formal with its direction; `result` is None for tasks and void.

    `scope` is its path below the instance, which `Disable` and `%m` name. A method has the object that it is called on
    in `this`; `virtual` says that a class's own method of the same name takes its place.
    """

    name: str
    args: list[tuple[str, Signal]] = field(default_factory=list[tuple[str, Signal]])
    result: Signal | None = None
    locals: list[Signal] = field(default_factory=list[Signal])
    body: Statement | None = None
    automatic: bool = False
    task: bool = False
    span: Span = NOWHERE
    scope: str = ""
    this: Signal | None = None
    virtual: bool = False

    @property
    def variables(self) -> list[Signal]:
        """Return its own variables: arguments, the result and what it declares."""
        result = () if self.result is None else (self.result,)
        return [*(signal for _, signal in self.args), *result, *self.locals]


@dataclass(slots=True, eq=False)
class Class:
    """Be a class, one for each specialisation; `key` is unique among the design's classes.

    `fields` are its own properties, static ones excepted, which are signals of the package or module. `methods` are its
    own methods by name; `constructor` calls the base's, gives the properties their initial values, then runs the body
    of `new`; it is None if none of this does anything. All of them are functions of the module that declares the class
    too. A pure virtual method has no body. `Type.name` of a handle is the `key` of its class. `random` says
    which fields are `rand` or `randc`.
    """

    name: str
    key: str
    base: Class | None = None
    fields: list[Signal] = field(default_factory=list[Signal])
    methods: dict[str, Function] = field(default_factory=dict[str, Function])
    constructor: Function | None = None
    span: Span = NOWHERE
    interfaces: list[Class] = field(default_factory=list["Class"])
    random: dict[str, str] = field(default_factory=dict[str, str])
    constraints: list[ConstraintBlock] = field(default_factory=list[ConstraintBlock])

    def lineage(self) -> list[Class]:
        """Return the class and those that it is derived from, the first of them first."""
        found: list[Class] = [self]
        while found[-1].base is not None:
            found.append(found[-1].base)
        return found[::-1]

    def random_fields(self) -> list[tuple[Signal, bool]]:
        """Return each random property of an object, inherited ones too, and whether it is `randc`."""
        return [
            (member, owner.random[member.name] == "randc")
            for owner in self.lineage()
            for member in owner.fields
            if member.name in owner.random
        ]

    def constraint_blocks(self) -> list[tuple[ConstraintBlock, Class]]:
        """Return the constraints of an object, and who declares them; the last of a name counts (18.5.2)."""
        found: dict[str, tuple[ConstraintBlock, Class]] = {}
        for owner in self.lineage():
            for block in owner.constraints:
                found.pop(block.name, None)
                found[block.name] = (block, owner)
        return list(found.values())


class Kind(Enum):
    """Say what starts a process."""

    COMB = "comb"  # always_comb, always @*, always_latch: any change of what it reads
    EVENTS = "events"  # always @(events), always_ff: `events` is not empty
    FREE = "free"  # always with timing inside, nothing at its head
    INITIAL = "initial"
    FINAL = "final"


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """Be an always, initial or final procedure. `keyword` is what the user wrote (`always_ff`).

    `reactive` says that it belongs to a program and runs in the reactive regions (IEEE 1800-2023 24.3). `region` is
    `observed` or `postponed` if it runs there each time that its events wake it, else empty (4.4.2); the front end
    makes such processes for sampled values and assertions. A `COMB` one also runs at the start, before all others.
    What one of the observed region forks is reactive.
    """

    kind: Kind
    body: Statement
    events: tuple[Event, ...] = ()
    keyword: str = "always"
    span: Span = NOWHERE
    scope: str = ""
    reactive: bool = False
    region: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ContinuousAssign:
    """Drive `lhs` with `rhs` for ever. A z bit of `rhs` does not drive. Strengths default to strong.

    `gate` names the three-state gate (`bufif1`) that the assignment stands for: `rhs` is then a `Cond` of its control,
    whose x with an unknown control stands for L or H (IEEE 1800-2023 28.6).
    """

    lhs: Expr
    rhs: Expr
    span: Span = NOWHERE
    strength: tuple[str, str] = ("strong", "strong")
    delay: Delay | PathDelay | None = None
    gate: str = ""


@dataclass(frozen=True, slots=True)
class UdpTable:
    """Be the table of a user-defined primitive (IEEE 1800-2023 clause 29).

    `rows` are (inputs, state, next): inputs as one string of `0 1 x ? b`, with edges as `(vw)`, `r f p n *`; `state`
    is empty for a combinational primitive; `next` is `0 1 x -`. `initial` is a sequential one's first state.
    """

    name: str
    rows: tuple[tuple[str, str, str], ...]
    sequential: bool = False
    initial: str = "x"


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """Be a primitive that an assignment cannot stand for.

    `kind` is a switch (`nmos pmos cmos rnmos rpmos rcmos tran tranif0 tranif1 rtran rtranif0 rtranif1`), `udp` or
    `alias`. `outputs` are lvalues: the output of a switch or UDP; both ends of a `tran`; what an `alias` joins.
    `inputs` are data, then controls.
    """

    kind: str
    outputs: tuple[Expr, ...]
    inputs: tuple[Expr, ...]
    span: Span = NOWHERE
    strength: tuple[str, str] = ("strong", "strong")
    delay: Delay | None = None
    table: UdpTable | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Port:
    """Be a port: direction is `input`, `output`, `inout` or `ref`; `signal` the module's own signal behind it.

    A port of an interface type is expanded by the front end into one port for each interface signal that the module
    uses (`bus.valid`), directed by the modport or by use.
    """

    name: str
    direction: str
    signal: Signal


def joins(inner: Signal, outer: Signal) -> bool:
    """Say whether a port that connects two signals can make them one, rather than be an assignment between them."""
    shapes = [(signal.width, signal.depth, signal.type.four_state) for signal in (inner, outer)]
    return shapes[0] == shapes[1]


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """Place a module. `connections` has one expression (an lvalue for outputs) or None for each port, in order."""

    name: str
    module: Module
    connections: tuple[Expr | None, ...]
    span: Span = NOWHERE


@dataclass(slots=True, eq=False)
class Module:
    """Be one parameterisation of a module; `key` is unique among the design's modules.

    `paths` and `checks` are what its specify blocks say, `stamps` what the delays of paths need (`ir.specify`).
    `covergroups` are those that it declares, as far as they are used. `controls` are the words of its assertions, in a
    design that controls them.
    """

    name: str
    key: str
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    signals: list[Signal] = field(default_factory=list[Signal])
    ports: list[Port] = field(default_factory=list[Port])
    assigns: list[ContinuousAssign] = field(default_factory=list[ContinuousAssign])
    processes: list[Process] = field(default_factory=list[Process])
    instances: list[Instance] = field(default_factory=list[Instance])
    functions: list[Function] = field(default_factory=list[Function])
    gates: list[Gate] = field(default_factory=list[Gate])
    paths: list[ModulePath] = field(default_factory=list[ModulePath])
    checks: list[TimingCheck] = field(default_factory=list[TimingCheck])
    stamps: list[PathStamp] = field(default_factory=list[PathStamp])
    covergroups: list[CoverGroup] = field(default_factory=list[CoverGroup])
    controls: list[AssertionControl] = field(default_factory=list[AssertionControl])
    time_unit_fs: int = 1_000_000
    time_precision_fs: int = 1_000_000
    span: Span = NOWHERE

    def __repr__(self) -> str:
        return f"<Module {self.key}>"


@dataclass(slots=True)
class Design:
    """Hold the elaborated design: `tops` are (instance name, module) pairs; `modules` come after those they contain.

    `packages` holds the package-level and compilation-unit variables, as modules without ports that are instantiated
    once, referred to by `$root` paths. `digest` identifies sources and options: it is the cache key's first part.
    `warnings` are the front end's, rendered; nobody has printed them yet. `files` are the paths of all files that were
    read, included ones too: when one of them changes, the design is another.
    """

    sources: SourceMap
    tops: list[tuple[str, Module]]
    modules: list[Module]
    packages: list[tuple[str, Module]] = field(default_factory=list[tuple[str, Module]])
    digest: str = ""
    warnings: list[str] = field(default_factory=list[str])
    files: list[str] = field(default_factory=list[str])
    classes: list[Class] = field(default_factory=list[Class])

    @property
    def tick_fs(self) -> int:
        """Return the finest step of time: the greatest that every module's precision is a multiple of."""
        modules = [*self.modules, *(module for _, module in (*self.packages, *self.tops))]
        return gcd(*(module.time_precision_fs for module in modules)) or 1_000_000
