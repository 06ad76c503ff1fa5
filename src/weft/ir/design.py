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

from weft.base.dataclass import dataclass, field
from weft.base.source import NOWHERE, SourceMap, Span
from weft.ir.expressions import (
    AssignExpr,
    Binary,
    Call,
    Concat,
    Cond,
    Const,
    Element,
    Expr,
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

__all__ = [
    "Assertion",
    "Assign",
    "AssignExpr",
    "Binary",
    "Block",
    "Call",
    "Case",
    "CaseItem",
    "Concat",
    "Cond",
    "Const",
    "ContinuousAssign",
    "Delay",
    "Design",
    "Element",
    "Evaluate",
    "Event",
    "Expr",
    "Function",
    "If",
    "Instance",
    "Jump",
    "Kind",
    "Loop",
    "Module",
    "Port",
    "Process",
    "Ref",
    "Repeat",
    "RepeatTimes",
    "Resize",
    "Signal",
    "Slice",
    "Statement",
    "SystemCall",
    "SystemTask",
    "Text",
    "Timing",
    "Type",
    "Unary",
    "Wait",
    "WaitUntil",
    "operands",
]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Run statements in order. `disable` can leave a `label`; `fork` is empty or `join`, `join_any`, `join_none`."""

    body: tuple[Statement, ...]
    label: str = ""
    fork: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Assign:
    """Assign in a procedure, blocking (`=`) or not (`<=`); `timing` is an intra-assignment delay or event."""

    lhs: Expr
    rhs: Expr
    blocking: bool
    span: Span = NOWHERE
    timing: Timing | None = None


@dataclass(frozen=True, slots=True, eq=False)
class If:
    """Choose a branch; an unknown condition is false. `check` is empty or `unique`, `unique0`, `priority`."""

    cond: Expr
    then: Statement
    other: Statement | None = None
    check: str = ""
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class CaseItem:
    """List a case item's labels. A label is an expression, or for `inside` possibly a (low, high) pair."""

    labels: tuple[Expr | tuple[Expr, Expr], ...]
    body: Statement


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Choose the first item whose label matches; `kind` is `case`, `casez`, `casex` or `inside`."""

    kind: str
    subject: Expr
    items: tuple[CaseItem, ...]
    default: Statement | None = None
    check: str = ""
    span: Span = NOWHERE
    signed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """Repeat `body` then `step` while `cond` holds; `test_last` runs the body first (do while). No `cond`: forever."""

    cond: Expr | None
    body: Statement
    step: tuple[Statement, ...] = ()
    test_last: bool = False
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class RepeatTimes:
    """Run `body` a number of times that is computed once, on entry."""

    count: Expr
    body: Statement
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Jump:
    """Leave or continue: `kind` is `break`, `continue`, `return` or `disable` (of the block or task `label`)."""

    kind: str
    label: str = ""
    value: Expr | None = None
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Evaluate:
    """Evaluate an expression for what it does: a call of a task or void function, `i++`."""

    value: Expr
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class SystemTask:
    """Call a system task (`$display`, `$finish`, `$readmemh`, ...). `scope` is the `%m` path below the instance.

    An argument is an expression, or None where it is left out (`$display(a,,b)`). `signed[i]` says whether argument
    `i` is signed, which `%d` needs.
    """

    name: str
    args: tuple[Expr | None, ...]
    signed: tuple[bool, ...] = ()
    span: Span = NOWHERE
    scope: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Assertion:
    """Check a condition now; `kind` is `assert`, `assume` or `cover`; `deferred` is empty, `observed` or `final`."""

    kind: str
    cond: Expr
    passed: Statement | None = None
    failed: Statement | None = None
    deferred: str = ""
    label: str = ""
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """Wait for an edge (`posedge`, `negedge`, `edge`) or any change (`any`) of a value, if `condition` holds (iff)."""

    edge: str
    value: Expr
    condition: Expr | None = None
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Delay:
    """Wait a time given in units of the module's timescale."""

    value: Expr


Timing = Delay | tuple[Event, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Wait:
    """Wait for a delay or for one of several events, then run `body`."""

    timing: Timing
    body: Statement
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class WaitUntil:
    """Wait until a condition is true, then run `body`."""

    cond: Expr
    body: Statement
    span: Span = NOWHERE


Statement = (
    Block | Assign | If | Case | Loop | RepeatTimes | Jump | Evaluate | SystemTask | Assertion | Wait | WaitUntil
)

# ------------------------------------------------------------------------------------- modules and hierarchy


@dataclass(slots=True, eq=False)
class Function:
    """Be a function or task. `args` pairs each formal with its direction; `result` is None for tasks and void."""

    name: str
    args: list[tuple[str, Signal]] = field(default_factory=list[tuple[str, Signal]])
    result: Signal | None = None
    locals: list[Signal] = field(default_factory=list[Signal])
    body: Statement | None = None
    automatic: bool = False
    task: bool = False
    span: Span = NOWHERE


class Kind(Enum):
    """Say what starts a process."""

    COMB = "comb"  # always_comb, always @*, always_latch: any change of what it reads
    EVENTS = "events"  # always @(events), always_ff: `events` is not empty
    FREE = "free"  # always with timing inside, nothing at its head
    INITIAL = "initial"
    FINAL = "final"


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """Be an always, initial or final procedure. `keyword` is what the user wrote (`always_ff`)."""

    kind: Kind
    body: Statement
    events: tuple[Event, ...] = ()
    keyword: str = "always"
    span: Span = NOWHERE
    scope: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ContinuousAssign:
    """Drive `lhs` with `rhs` for ever. A z bit of `rhs` does not drive. Strengths default to strong."""

    lhs: Expr
    rhs: Expr
    span: Span = NOWHERE
    strength: tuple[str, str] = ("strong", "strong")
    delay: Delay | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Port:
    """Be a port: direction is `input`, `output`, `inout` or `ref`; `signal` the module's own signal behind it.

    A port of an interface type is expanded by the front end into one port for each interface signal that the module
    uses (`bus.valid`), directed by the modport or by use.
    """

    name: str
    direction: str
    signal: Signal


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """Place a module. `connections` has one expression (an lvalue for outputs) or None for each port, in order."""

    name: str
    module: Module
    connections: tuple[Expr | None, ...]
    span: Span = NOWHERE


@dataclass(slots=True, eq=False)
class Module:
    """Be one parameterisation of a module; `key` is unique among the design's modules."""

    name: str
    key: str
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    signals: list[Signal] = field(default_factory=list[Signal])
    ports: list[Port] = field(default_factory=list[Port])
    assigns: list[ContinuousAssign] = field(default_factory=list[ContinuousAssign])
    processes: list[Process] = field(default_factory=list[Process])
    instances: list[Instance] = field(default_factory=list[Instance])
    functions: list[Function] = field(default_factory=list[Function])
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
