"""Types, signals and expressions of the design; `ir.design` tells how types are flattened to bits.

Values that are no bit vectors travel as 64-bit words, so that every expression still has a width:

* a `real` is the bits of an IEEE 754 double (a `shortreal` too, rounded to single precision when it is stored);
* a `string`, a dynamic array, queue or associative array, and a class object is a handle; 0 is the empty string or
  container, and null. Containers have value semantics: who assigns one copies it (`array.copy`);
* a named event is a counter that a trigger advances, so that waiting for it is waiting for a change.

Only the event engine runs these; `passes` refuse them for the cycle engines.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass
from weft.base.source import NOWHERE, Span
from weft.ir.constraints import Constraint, constraint_expressions

if TYPE_CHECKING:
    from weft.ir.design import Class, Delay, Function


CONTAINERS = frozenset({"queue", "dynamic", "assoc"})
"""The kinds of types that hold any number of elements."""

WORD_KINDS = CONTAINERS | {"real", "shortreal", "string", "event", "chandle", "class"}
"""The kinds of types whose values are 64-bit words and no bit vectors."""


@dataclass(frozen=True, slots=True)
class Type:
    """Describe a type for people (waves, debugger); simulation only uses the flattened widths and the kinds below.

    `kind` is `logic`, `bit`, `enum`, `struct`, `union`, `integer`, ... ; `ranges` lists packed dimensions as
    (left, right), outermost first; `unpacked` likewise; `members` are (name, bit offset, Type).

    A `tagged` union has the number of the member that it holds in the bits above those of its members.

    Kinds whose values are 64-bit words: `real`, `shortreal`, `string`, `event`, `chandle`, `class`, and the containers
    `queue` (of at most `bound` elements, 0: any number), `dynamic` and `assoc` (indexed by `key`; None: any integer),
    whose elements are of type `element`, flattened as everything is.
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
    element: Type | None = None
    key: Type | None = None
    bound: int = 0


@dataclass(slots=True, eq=False)
class Signal:
    """Be a net, variable, or local variable of a module or function.

    `width` is the width of one element in bits; `depth` the number of elements, 0 for anything but an unpacked array.
    `net` is the net type (`wire`, `tri0`, ...) or empty for a variable. `name` includes generate and block scopes
    (`gen[3].q`, `loop.i`). `initial` is the declaration's initialiser. `automatic` variables live per call or block
    entry. A `constant` signal is never written after its initialiser. `delay` is a net's own delay (`wire #5 w`),
    `charge` the size of a `trireg` (`small`, `medium`, `large`).
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
    delay: Delay | None = None
    charge: str = ""

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
class Real:
    """Be a real constant."""

    value: float

    @property
    def width(self) -> int:
        """Return the width of a double."""
        return 64


@dataclass(frozen=True, slots=True)
class Text:
    """Be a string literal where a string, not its bits, is meant: formats, file names, plusargs, string values."""

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
    below bit 0 can say so). Bits outside `value` read as x and ignore writes. As an lvalue, `value` is one too. `type`
    is given if the bits are a word, such as a string in a struct.
    """

    value: Expr
    offset: Expr | int
    width: int
    type: Type | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Resize:
    """Truncate, or extend with zeros or with the sign bit."""

    value: Expr
    width: int
    signed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Unary:
    """Apply `not neg lnot redand redor redxor isunknown countones onehot onehot0 clog2 known` to a value.

    `known` turns x and z bits into 0 (assignment to a 2-state type). For reals: `fneg`; `itof` and `utof` make a real
    of a signed or unsigned number (x and z count as 0), `ftoi` rounds one to `width` bits, halves away from zero
    (IEEE 1800-2023 6.12.1); `fround` rounds to single precision.
    """

    op: str
    value: Expr
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """Apply an operator to two values.

    `add sub mul udiv sdiv umod smod upow spow and or xor xnor`; `shl lshr ashr` (right operand unsigned, any width);
    `eq ne ceq cne weq wne ult ule ugt uge slt sle sgt sge land lor` (1 bit wide; `weq` is `==?`, `ceq` is `===`).
    For reals: `fadd fsub fmul fdiv fpow`, and 1 bit wide `feq fne flt fle fgt fge`.
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
class Item:
    """Read or write an element of a container or a character of a string; the container is an lvalue if the item is.

    `index` is a number, read as `signed` says, or for an associative array a key of the type that it is indexed by.
    `type` is the container's, for the engine to make one where none is. An element that is not there reads as x, or as
    0 where it is a word.
    """

    container: Expr
    index: Expr
    width: int
    signed: bool = False
    span: Span = NOWHERE
    type: Type | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Read or write a property of a class object; `object` is its handle, `member` one of the class's `fields`."""

    object: Expr
    member: Signal
    span: Span = NOWHERE

    @property
    def width(self) -> int:
        """Return the flattened width."""
        return self.member.bits


@dataclass(frozen=True, slots=True, eq=False)
class New:
    """Create an object and run its constructor, if it has one, on it."""

    type: Class
    args: tuple[Expr, ...] = ()
    span: Span = NOWHERE

    @property
    def width(self) -> int:
        """Return the width of a handle."""
        return 64


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Call a user function. Output arguments are lvalues.

    A method is called on `receiver`; if `virtual`, the method of that name of the object's own class is meant.
    `path` leads to the instance whose function it is, as a `Ref`'s does; it is empty for one of the module itself.
    """

    function: Function
    args: tuple[Expr, ...]
    width: int
    span: Span = NOWHERE
    receiver: Expr | None = None
    virtual: bool = False
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SystemCall:
    """Call a system function whose value is not known at compile time (`$random`, `$time`, `$value$plusargs`, ...).

    `type` is given where the width does not tell what results. `signs[i]` says whether argument `i` is signed; it may
    be empty. Operations on strings, containers and events are calls too:

    * `string.concat(a, b, ...)`, `string.repeat(n, s)`, `string.compare(a, b)` (less, equal, more: -1, 0, 1),
      `string.of(bits)` (leading zero bytes left out), `string.bits(s)` (to `width` bits), and the methods of
      IEEE 1800-2023 6.16 (`string.len`, `string.getc`, `string.substr`, `string.atoi`, ...);
    * `array.new(size[, source])`, `array.copy(a)`, `array.literal(e, ...)`, `array.join(a, b, ...)` (containers and,
      as `array.literal`, elements), `array.slice(a, low, high)`, `array.equal(a, b)`, the methods of 7.5, 7.9, 7.10;
      `array.pack(a, size)` and `array.unpack(bits or a, size)` between a container and its elements in stream order
      (11.4.14), with the blocks of `size` bits, if it is not 0, in reverse;
    * `event.triggered(e)`;
    * `assertion.enabled(bit)` and `assertion.kills(number)`: what its argument says, which is part of the word by which
      `$assertoff` and its like control an assertion (`ir.assertion_control`);
    * `union.check(value, tag, wanted)`: the value if the tag is the wanted one, else an error at run time (11.9);
    * `class.copy(object)`, `class.cast(target, object)` (1 and assigned if the object is of the type of `types[0]` or
      null, else 0), `class.srandom(object, seed)`, ..., `class.rand_mode(object, name[, value])` and
      `class.constraint_mode` of 18.8 and 18.9 (all of them if the name is empty);
    * `mailbox.new(bound)`, `mailbox.put(m, value)`, `mailbox.try_get(m, target)`, ..., `semaphore.get(s, n)`, ...,
      `process.self()`, `process.await(p)`, ... of 15.3, 15.4 and 9.7. `put`, `get`, `peek` and `await` are evaluated
      as statements only and may suspend.

    A method that changes its string or container has the lvalue as its first argument. `types[i]` is the type of
    argument `i` if it is no plain vector (a string, a container, a struct, an enum, ...), else None; it may be empty.
    `array.copy` copies containers inside the elements too. `array.literal` has for an associative array keys and values
    in turn; `array.literal_default` has the value of all other keys before them.
    """

    name: str
    args: tuple[Expr, ...]
    width: int
    signed: bool = False
    span: Span = NOWHERE
    type: Type | None = None
    signs: tuple[bool, ...] = ()
    types: tuple[Type | None, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Iterate:
    """Apply an array method with a `with` clause, or an ordering or locator method (IEEE 1800-2023 7.12).

    `item` and `index` are automatic variables that hold each element and its index while `body` is evaluated. `array`
    is a container or an unpacked array of fixed size; `name` is `find`, `sort`, `sum`, `min`, `unique_index`, ...
    """

    name: str
    array: Expr
    item: Signal
    index: Signal
    body: Expr | None
    width: int
    type: Type
    signed: bool = False
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Randomize:
    """Choose random values that meet the constraints: 1, or 0 and nothing changed if there are none (18.6, 18.12).

    The random variables are those of `object` that are `rand` or `randc` (`Class.random`), with the constraints of its
    own class, or the `targets` only where these are not None; an empty tuple means that nothing is chosen, only the
    constraints are checked. Without an object they are the targets alone. `constraints` are the call's own; in them
    and in the targets `this` holds the object. Its methods `pre_randomize` and `post_randomize`, if it has them, are
    called before, and after a success (18.6.2).
    """

    object: Expr | None
    targets: tuple[Expr, ...] | None
    constraints: tuple[Constraint, ...] = ()
    this: Signal | None = None
    span: Span = NOWHERE

    @property
    def width(self) -> int:
        """Return the width of an int."""
        return 32


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
    | Real
    | Item
    | Field
    | New
    | Call
    | SystemCall
    | Iterate
    | Randomize
    | AssignExpr
)


def operands(expression: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly inside one, arguments of calls and both sides of assignments included."""
    return OPERANDS[type(expression)](expression)


def _none(_: Any) -> tuple[Expr, ...]:
    return ()


def _value(expression: Slice | Resize | Unary | Repeat) -> tuple[Expr, ...]:
    return (expression.value,)


def _slice(expression: Slice) -> tuple[Expr, ...]:
    return (expression.value,) if isinstance(expression.offset, int) else (expression.value, expression.offset)


def _iterate(expression: Iterate) -> tuple[Expr, ...]:
    return (expression.array,) if expression.body is None else (expression.array, expression.body)


def _randomize(expression: Randomize) -> tuple[Expr, ...]:
    owner = () if expression.object is None else (expression.object,)
    return (*owner, *(expression.targets or ()), *constraint_expressions(expression.constraints))


def _call(expression: Call) -> tuple[Expr, ...]:
    return expression.args if expression.receiver is None else (expression.receiver, *expression.args)


LEAVES = frozenset({Const, Text, Real, Ref})
"""The kinds of expressions with nothing inside."""

OPERANDS: dict[type, Callable[[Any], tuple[Expr, ...]]] = {
    **dict.fromkeys(LEAVES, _none),
    Binary: attrgetter("lhs", "rhs"),
    AssignExpr: attrgetter("lhs", "rhs"),
    Cond: attrgetter("cond", "then", "other"),
    Concat: attrgetter("parts"),
    Item: attrgetter("container", "index"),
    Field: lambda expression: (expression.object,),
    Element: lambda expression: (expression.index,),
    **dict.fromkeys((Resize, Unary, Repeat), _value),
    Slice: _slice,
    Iterate: _iterate,
    Randomize: _randomize,
    Call: _call,
    SystemCall: attrgetter("args"),
    New: attrgetter("args"),
}
"""What `operands` does, by kind: every walk over a design asks for each expression, and looking a kind up takes a third
of the time that comparing it with one after the other takes."""
