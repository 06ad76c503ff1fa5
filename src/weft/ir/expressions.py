"""Types, signals and expressions of the design; `ir.design` tells how types are flattened to bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass
from weft.base.source import NOWHERE, Span

if TYPE_CHECKING:
    from weft.ir.design import Function


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


def operands(expression: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly inside one, arguments of calls and both sides of assignments included."""
    match expression:
        case Const() | Text() | Ref():
            return ()
        case Element(_, index):
            return (index,)
        case Slice(value, offset):
            return (value,) if isinstance(offset, int) else (value, offset)
        case Resize(value) | Unary(_, value) | Repeat(_, value):
            return (value,)
        case Binary(_, lhs, rhs) | AssignExpr(lhs, rhs):
            return (lhs, rhs)
        case Cond(cond, then, other):
            return (cond, then, other)
        case Concat(parts):
            return parts
        case Call(_, args) | SystemCall(_, args):
            return args
