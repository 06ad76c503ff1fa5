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

from dataclasses import dataclass, field
from enum import Enum

from weft.base.source import NOWHERE, SourceMap, Span


@dataclass(frozen=True, slots=True)
class Type:
    """Describe a type for people (waves, debugger); simulation only uses the flattened widths.

    `kind` is `logic`, `bit`, `enum`, `struct`, `union`, `integer`, ... ; `ranges` lists packed dimensions as
    (left, right), outermost first; `unpacked` likewise; `members` are (name, bit offset, Type).
    """

    kind: str
    width: int
    signed: bool = False
    four_state: bool = True
    name: str = ""
    ranges: tuple[tuple[int, int], ...] = ()
    unpacked: tuple[tuple[int, int], ...] = ()
    members: tuple[tuple[str, int, Type], ...] = ()
    enum_values: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True, eq=False)
class Signal:
    """Be a net, variable, or local variable of a module or function.

    `width` is the width of one element in bits; `depth` the number of elements, 0 for anything but an unpacked array.
    `net` is the net type (`wire`, `tri0`, ...) or empty for a variable. `name` includes generate and block scopes
    (`gen[3].q`, `loop.i`). `initial` is the declaration's initialiser. `automatic` variables live per call or block
    entry. A `constant` signal is never written after its initialiser.
    """

    name: str
    width: int
    type: Type
    depth: int = 0
    signed: bool = False
    net: str = ""
    automatic: bool = False
    local: bool = False
    initial: Expr | None = None
    span: Span = NOWHERE

    @property
    def bits(self) -> int:
        """Return the total number of bits, all elements together."""
        return self.width * max(self.depth, 1)

    def __repr__(self) -> str:
        return f"<Signal {self.name}>"


# ---------------------------------------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Const:
    """Be a constant. `unknown` has a 1 for each x or z bit; there `value` is 0 for x and 1 for z."""

    width: int
    value: int
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """Be a string literal where a string, not its bits, is meant: formats, file names, plusargs."""

    value: str

    @property
    def width(self) -> int:
        """Return the width of the literal's bits, 8 per character (IEEE 1800-2023 5.9)."""
        return 8 * len(self.value)


@dataclass(frozen=True, slots=True, eq=False)
class Ref:
    """Read or write a whole signal.

    `path` is empty for a signal of the module itself; else the instance names that lead to it, downwards from this
    module, or from the top when it begins with `$root`. A module with a `$root` path is never shared.
    """

    signal: Signal
    path: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Return the flattened width."""
        return self.signal.bits


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """Read or write one element of an unpacked array; `index` is unsigned and normalised (out of range reads x)."""

    signal: Signal
    index: Expr
    path: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Return the width of one element."""
        return self.signal.width


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Read or write `width` bits of `value` from bit `offset` up.

    `offset` is a plain int or an expression read as a *signed* number of its own width (so that a select that starts
    below bit 0 can say so). Bits outside `value` read as x and ignore writes. As an lvalue, `value` is one too.
    """

    value: Expr
    offset: Expr | int
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Resize:
    """Truncate, or extend with zeros or with the sign bit."""

    value: Expr
    width: int
    signed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Unary:
    """Apply `not neg lnot redand redor redxor isunknown countones onehot onehot0 clog2 known` to a value.

    `known` turns x and z bits into 0 (assignment to a 2-state type).
    """

    op: str
    value: Expr
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """Apply an operator to two values.

    `add sub mul udiv sdiv umod smod upow spow and or xor xnor`; `shl lshr ashr` (right operand unsigned, any width);
    `eq ne ceq cne weq wne ult ule ugt uge slt sle sgt sge land lor` (1 bit wide; `weq` is `==?`, `ceq` is `===`).
    """

    op: str
    lhs: Expr
    rhs: Expr
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Cond:
    """Choose by `?:`; an unknown condition merges both arms bit by bit (IEEE 1800-2023 11.4.11)."""

    cond: Expr
    then: Expr
    other: Expr
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Concat:
    """Join values, the most significant first as Verilog writes them. Also an lvalue."""

    parts: tuple[Expr, ...]
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """Repeat a value `count` times."""

    count: int
    value: Expr
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Call a user function. Output arguments are lvalues."""

    function: Function
    args: tuple[Expr, ...]
    width: int
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class SystemCall:
    """Call a system function whose value is not known at compile time (`$random`, `$time`, `$value$plusargs`, ...)."""

    name: str
    args: tuple[Expr, ...]
    width: int
    signed: bool = False
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class AssignExpr:
    """Assign inside an expression (`a = b`, `i++`); `post` yields the old value (IEEE 1800-2023 11.3.6, 11.4.2)."""

    lhs: Expr
    rhs: Expr
    width: int
    post: bool = False


Expr = (
    Const
    | Text
    | Ref
    | Element
    | Slice
    | Resize
    | Unary
    | Binary
    | Cond
    | Concat
    | Repeat
    | Call
    | SystemCall
    | AssignExpr
)

# ----------------------------------------------------------------------------------------------- statements


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
    """

    sources: SourceMap
    tops: list[tuple[str, Module]]
    modules: list[Module]
    packages: list[tuple[str, Module]] = field(default_factory=list[tuple[str, Module]])
    digest: str = ""
