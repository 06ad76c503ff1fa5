"""What the value of an expression is, where its width does not tell: a real, a string, a handle or plain bits."""

from __future__ import annotations

from weft.ir.design import Expr, Type
from weft.ir.expressions import (
    AssignExpr,
    Binary,
    Call,
    Cond,
    Element,
    Field,
    Item,
    Iterate,
    New,
    Real,
    Ref,
    Slice,
    SystemCall,
    Text,
    Unary,
)

BITS = Type("logic", 0)
REAL = Type("real", 64, four_state=False)
STRING = Type("string", 64, four_state=False)

REALS = frozenset({"real", "shortreal", "realtime"})
CONTAINERS = frozenset({"queue", "dynamic", "assoc"})
WORDS = REALS | CONTAINERS | {"string", "event", "chandle", "class", "mailbox", "semaphore", "process"}
"""The kinds of type whose values are 64-bit words."""

_STRING_CALLS = frozenset(
    {
        "$sformatf",
        "$psprintf",
        "name",
        "string.concat",
        "string.repeat",
        "string.of",
        "string.substr",
        "string.toupper",
        "string.tolower",
    }
)
REAL_FUNCTIONS = {
    "$ln": "log",
    **{
        f"${name}": name
        for name in (
            "log10",
            "exp",
            "sqrt",
            "pow",
            "floor",
            "ceil",
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "atan2",
        )
    },
    **{f"${name}": name for name in ("hypot", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh")},
}
"""The mathematical functions of IEEE 1800-2023 20.8.2, and what the C library calls them."""

_REAL_CALLS = frozenset({"$realtime", "$itor", "$bitstoreal", "$bitstoshortreal", "string.atoreal", *REAL_FUNCTIONS})


def type_of(expression: Expr | None) -> Type:
    """Return the type of an expression's value; `BITS` for every vector."""
    match expression:
        case Real():
            return REAL
        case Text():
            return STRING
        case Ref(signal) | Field(_, signal) if signal.type.kind in WORDS and signal.width > 64:
            return BITS  # an array of words, flattened
        case Ref(signal) | Element(signal) | Field(_, signal):
            return signal.type
        case Slice(Ref(array) | Field(_, array), _, 64) if array.type.kind in WORDS:
            return array.type  # an element of an array, flattened or not
        case Item(container, type=known):
            return type_of(container).element or (known.element if known is not None else None) or BITS
        case Slice(type=known):
            return known or BITS
        case Unary("known", value):
            return type_of(value)  # an element at a variable index
        case Unary(op):
            return REAL if op in ("fneg", "itof", "utof", "fround") else BITS
        case Binary(op):
            return REAL if op in ("fadd", "fsub", "fmul", "fdiv", "fpow") else BITS
        case Cond(_, then):
            return type_of(then)
        case Call(function):
            return function.result.type if function.result is not None else BITS
        case New():
            return Type("class", 64)
        case SystemCall(name, type=known):
            if known is not None:
                return known
            return REAL if name in _REAL_CALLS else STRING if name in _STRING_CALLS else BITS
        case Iterate(type=known):
            return known
        case AssignExpr(lhs):
            return type_of(lhs)
        case _:
            return BITS


def is_real(expression: Expr | None) -> bool:
    """Say whether an expression's value is a real."""
    return type_of(expression).kind in REALS


def is_word(expression: Expr | None) -> bool:
    """Say whether an expression's value is a 64-bit word rather than a vector."""
    return type_of(expression).kind in WORDS
