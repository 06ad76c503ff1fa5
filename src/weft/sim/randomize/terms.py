"""Constraints as terms over random variables, with everything that is not random folded into constants.

A term is a tuple `(operator, width, operand, ...)`, so that equal terms are equal and can be keys of caches:
`("c", width, value)` is a constant, `("v", width, number)` a random variable; the others are vectors of two states:

* `not neg and or xor add sub mul udiv umod sdiv smod pow` (division by zero is 0, as x is in two states);
* `shl lshr ashr` by an amount of any width; `eq ult ule slt sle`, one bit wide; `ite`;
* `concat` of terms, the highest first; `extract` of `width` bits from a constant bit up; `zext sext`;
* `call` of a function of the design, which has a value only when its arguments have.

A term becomes Python text for trying values out, and terms of a solver (`term_solver`).
"""

from __future__ import annotations

from typing import Any

Term = tuple[Any, ...]

TRUE: Term = ("c", 1, 1)
FALSE: Term = ("c", 1, 0)


def ones(width: int) -> int:
    """Return so many one bits."""
    return (1 << width) - 1


def constant(width: int, value: int) -> Term:
    """Return a constant."""
    return ("c", width, value & ones(width))


def signed(value: int, width: int) -> int:
    """Return bits as a signed number."""
    return value - (1 << width) if value >> (width - 1) & 1 else value


def _shift(op: str, width: int, a: int, n: int) -> int:
    if op == "shl":
        return a << n & ones(width) if n < width else 0
    if op == "lshr":
        return a >> n if n < width else 0
    return signed(a, width) >> min(n, width) & ones(width)


def _divide(op: str, width: int, a: int, b: int) -> int:
    if not b:
        return 0
    if op in ("udiv", "umod"):
        return a // b if op == "udiv" else a % b
    x, y = signed(a, width), signed(b, width)
    quotient = abs(x) // abs(y)
    if (x < 0) != (y < 0):
        quotient = -quotient
    return (quotient if op == "sdiv" else x - quotient * y) & ones(width)


def fold(op: str, width: int, values: tuple[int, ...], widths: tuple[int, ...]) -> int:
    """Return the value of an operator for constant operands (`extract` has its bit as the last one)."""
    a = values[0]
    full = ones(width)
    match op:
        case "not":
            return a ^ full
        case "neg":
            return -a & full
        case "and":
            return a & values[1]
        case "or":
            return a | values[1]
        case "xor":
            return a ^ values[1]
        case "add":
            return (a + values[1]) & full
        case "sub":
            return (a - values[1]) & full
        case "mul":
            return (a * values[1]) & full
        case "udiv" | "umod" | "sdiv" | "smod":
            return _divide(op, width, a, values[1])
        case "pow":
            return pow(a, values[1], 1 << width)
        case "shl" | "lshr" | "ashr":
            return _shift(op, width, a, values[1])
        case "eq":
            return int(a == values[1])
        case "ult":
            return int(a < values[1])
        case "ule":
            return int(a <= values[1])
        case "slt":
            return int(signed(a, widths[0]) < signed(values[1], widths[1]))
        case "sle":
            return int(signed(a, widths[0]) <= signed(values[1], widths[1]))
        case "zext":
            return a
        case "sext":
            return signed(a, widths[0]) & full
        case "extract":
            return a >> values[1] & full
        case _:
            raise AssertionError(op)


def make(op: str, width: int, *parts: Term) -> Term:
    """Return a term of an operator, folded where its operands tell the value."""
    if all(part[0] == "c" for part in parts):
        return ("c", width, fold(op, width, tuple(part[2] for part in parts), tuple(part[1] for part in parts)))
    if op in ("and", "or"):
        for one, other in (parts, parts[::-1]):
            if one[0] == "c":
                if one[2] == 0:
                    return one if op == "and" else other
                if one[2] == ones(width):
                    return other if op == "and" else one
    if op == "not" and parts[0][0] == "not":
        return parts[0][2]
    return (op, width, *parts)


def both(a: Term, b: Term) -> Term:
    """Return a conjunction of bits."""
    return make("and", 1, a, b)


def either(a: Term, b: Term) -> Term:
    """Return a disjunction of bits."""
    return make("or", 1, a, b)


def negate(a: Term) -> Term:
    """Return the opposite of a bit."""
    return make("not", 1, a)


def choose(width: int, test: Term, then: Term, other: Term) -> Term:
    """Return one of two terms by a bit."""
    if test[0] == "c":
        return then if test[2] else other
    return then if then == other else ("ite", width, test, then, other)


def join(parts: list[Term]) -> Term:
    """Return terms side by side, the highest first."""
    width = sum(part[1] for part in parts)
    if len(parts) == 1:
        return parts[0]
    if all(part[0] == "c" for part in parts):
        total = 0
        for part in parts:
            total = total << part[1] | part[2]
        return ("c", width, total)
    return ("concat", width, *parts)


def extract(term: Term, low: int, width: int) -> Term:
    """Return bits of a term; of a concatenation only the parts that they are in."""
    if low == 0 and width == term[1]:
        return term
    if term[0] == "c":
        return ("c", width, term[2] >> low & ones(width))
    if term[0] == "concat":
        found: list[Term] = []
        at = term[1]
        for part in term[2:]:
            at -= part[1]
            first, last = max(low, at), min(low + width, at + part[1])
            if first < last:
                found.append(extract(part, first - at, last - first))
        return join(found)
    if term[0] == "extract":
        return extract(term[2], term[3] + low, width)
    return ("extract", width, term, low)


def resize(term: Term, width: int, sign: bool = False) -> Term:
    """Return a term truncated or extended."""
    have = term[1]
    if width == have:
        return term
    if width < have:
        return extract(term, 0, width)
    return make("sext" if sign else "zext", width, term)


def is_true(term: Term) -> Term:
    """Return whether any bit of a term is 1."""
    return term if term[1] == 1 else negate(make("eq", 1, term, constant(term[1], 0)))


def variables_of(term: Term, known: dict[Term, frozenset[int]]) -> frozenset[int]:
    """Return the numbers of the variables in a term; `known` remembers those of its parts."""
    found = known.get(term)
    if found is None:
        if term[0] == "v":
            found = frozenset((term[2],))
        elif term[0] == "c":
            found = frozenset()
        else:
            found = frozenset[int]().union(*(variables_of(p, known) for p in term[2:] if isinstance(p, tuple)))
        known[term] = found
    return found


# ------------------------------------------------------------------------------------------- Python text


def text_of(term: Term, memo: dict[Term, str], lines: list[str]) -> str:
    """Return a Python expression for a term; shared parts are assigned to names by `lines`.

    Variables are `v<number>`; `call` is a function of the environment.
    """
    op, width = term[0], term[1]
    if op == "c":
        return str(term[2])
    if op == "v":
        return f"v{term[2]}"
    name = memo.get(term)
    if name is not None:
        return name
    name = memo[term] = f"t{len(memo)}"
    parts = [
        text_of(part, memo, lines) if isinstance(part, tuple) and part and part[0] in _ALL else "" for part in term[2:]
    ]
    lines.append(f"{name} = {_operation(op, width, term, parts)}")
    return name


_ALL = frozenset(
    [
        "c",
        "v",
        "not",
        "neg",
        "and",
        "or",
        "xor",
        "add",
        "sub",
        "mul",
        "udiv",
        "umod",
        "sdiv",
        "smod",
        "pow",
        "shl",
        "lshr",
        "ashr",
        "eq",
        "ult",
        "ule",
        "slt",
        "sle",
        "ite",
        "concat",
        "extract",
        "zext",
        "sext",
        "call",
    ]
)


def _operation(op: str, width: int, term: Term, p: list[str]) -> str:
    full = ones(width)
    first = term[2][1] if isinstance(term[2], tuple) else 0
    top = 1 << (first - 1) if first else 0
    match op:
        case "not":
            return f"{p[0]} ^ {full}"
        case "neg":
            return f"-{p[0]} & {full}"
        case "and" | "or" | "xor":
            return f"{p[0]} {'&' if op == 'and' else '|' if op == 'or' else '^'} {p[1]}"
        case "add" | "sub" | "mul":
            return f"({p[0]} {'+' if op == 'add' else '-' if op == 'sub' else '*'} {p[1]}) & {full}"
        case "udiv" | "umod" | "sdiv" | "smod":
            return f"divide({op!r}, {width}, {p[0]}, {p[1]})"
        case "pow":
            return f"pow({p[0]}, {p[1]}, {1 << width})"
        case "shl" | "lshr" | "ashr":
            return f"shift({op!r}, {width}, {p[0]}, {p[1]})"
        case "eq":
            return f"{p[0]} == {p[1]}"
        case "ult" | "ule":
            return f"{p[0]} {'<' if op == 'ult' else '<='} {p[1]}"
        case "slt" | "sle":
            return f"({p[0]} ^ {top}) {'<' if op == 'slt' else '<='} ({p[1]} ^ {top})"
        case "ite":
            return f"{p[1]} if {p[0]} else {p[2]}"
        case "concat":
            at = width
            found: list[str] = []
            for part, text in zip(term[2:], p, strict=True):
                at -= part[1]
                found.append(f"{text} << {at}")
            return " | ".join(found)
        case "extract":
            return f"{p[0]} >> {term[3]} & {full}"
        case "zext":
            return p[0]
        case "sext":
            return f"(({p[0]} ^ {top}) - {top}) & {full}"
        case "call":
            return f"call({term[2]!r}, ({', '.join(p[1:])},))" if len(p) > 1 else f"call({term[2]!r}, ())"
        case _:
            raise AssertionError(op)


ENVIRONMENT: dict[str, Any] = {"divide": _divide, "shift": _shift}
"""What the text of terms calls, but for `call`."""
