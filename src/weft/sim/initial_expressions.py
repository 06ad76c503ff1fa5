"""Translate design expressions to Python source text, for the interpreter of initial procedures.

Values are ints, and in 4-state mode possibly `Unknown`s (`sim.unknown_values`). The common operators become inline
Python arithmetic; the others call the helper functions. What an expression does besides having a value (calls with
output arguments, `i++`) is emitted as statements before the one that uses it; the arms of `?:`, `&&` and `||` then
become `if` statements, so that only the chosen arm runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.base.errors import InternalError, Unsupported
from weft.base.source import NOWHERE, Span
from weft.base.text_bytes import text_bytes
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
    Unary,
)
from weft.sim.initial_names import Names, Place
from weft.sim.unknown_values import Unknown

_MOST_NESTED = 40
_SHORT = 1 << 64
_INLINE = {"add": "+", "sub": "-", "mul": "*"}
_BITWISE = {"and": "&", "or": "|", "xor": "^"}
_HELPERS = {"and": "and4", "or": "or4", "xor": "xor4"}
_COMPARISONS = {
    # name: (operator, signed, swap, negate) in terms of <
    "ult": (False, False, False),
    "ugt": (False, True, False),
    "uge": (False, False, True),
    "ule": (False, True, True),
    "slt": (True, False, False),
    "sgt": (True, True, False),
    "sge": (True, False, True),
    "sle": (True, True, True),
}
_SHIFTS = {"shl": "shift_left4", "lshr": "shift_right4", "ashr": "shift_signed4"}


class ExpressionWriter:
    """Write expressions; `lines` collects the statements that must run before."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.four_state = names.four_state
        self.lines: list[str] = []
        self.indent = ""
        self.locals: dict[int, str] = {}
        self.call_function: Callable[[Call], str] = self._no_calls
        self._temporaries = 0
        self._depth = 0

    def emit(self, line: str) -> None:
        """Add a statement."""
        self.lines.append(self.indent + line)

    def temporary(self, source: str) -> str:
        """Emit an assignment to a new name, and return it."""
        self._temporaries += 1
        name = f"t{self._temporaries}"
        self.emit(f"{name} = {source}")
        return name

    def _no_calls(self, call: Call) -> str:
        raise Unsupported("a function call here", call.span)

    # ------------------------------------------------------------------------------------------------ values

    def unknown(self, width: int) -> str:
        """Return the source of a value of all x; 0 in 2-state."""
        return self.names.constant(Unknown(0, (1 << width) - 1)) if self.four_state else "0"

    def value(self, expr: Expr) -> str:
        """Return the source of an expression's value; deep ones go through names, as Python limits nesting."""
        self._depth += 1
        source = self._value(expr)
        self._depth -= 1
        return self.temporary(source) if self._depth % _MOST_NESTED == _MOST_NESTED - 1 else source

    def _value(self, expr: Expr) -> str:
        match expr:
            case Const(width, value, unknown):
                if not unknown:
                    return integer_source(value)
                if self.four_state:
                    return self.names.constant(Unknown(value, unknown))
                return integer_source(value & ~unknown)
            case Text(text):
                return integer_source(int.from_bytes(text_bytes(text), "big"))
            case Ref(signal, path):
                return self._signal(signal, path)
            case Element(signal, index, path):
                return self._element(signal, index, path)
            case Slice(value, offset, width):
                return self._slice(value, offset, width)
            case Resize(value, width, signed):
                return self._resize(value, width, signed)
            case Unary():
                return self._unary(expr)
            case Binary():
                return self._binary(expr)
            case Cond():
                return self._conditional(expr)
            case Concat(parts, _):
                return self._concat(parts)
            case Repeat(count, value, _):
                name = self._simple(self.value(value))
                width = value.width
                return "(" + " | ".join(f"({name} << {i * width})" for i in range(count)) + ")"
            case Call():
                return self.call_function(expr)
            case SystemCall():
                return self._system_call(expr)
            case AssignExpr(lhs, rhs, width, post):
                place = self.place(lhs)
                old = self.temporary(self.read(place)) if post else ""
                new = self.temporary(self.value(rhs))
                self.write(place, new)
                return old if post else new
            case Real() | Item() | Field() | New() | Iterate() | Randomize():
                raise Unsupported("a value that is no bit vector (it needs the event engine)")

    def _simple(self, source: str) -> str:
        """Return a source that can be repeated: a name or a number."""
        return source if source.isidentifier() or source.isdigit() else self.temporary(source)

    def _signal(self, signal: Signal, path: tuple[str, ...]) -> str:
        local = self.locals.get(id(signal))
        if local is not None:
            return f"join({local}, {signal.width})" if signal.depth else local
        name = self.names.signal(signal, path)
        return f"join({name}, {signal.width})" if signal.depth else f"{name}.v"

    def array(self, signal: Signal, path: tuple[str, ...]) -> str:
        """Return the name of an array's elements."""
        return self.locals.get(id(signal)) or self.names.signal(signal, path)

    def _element(self, signal: Signal, index: Expr, path: tuple[str, ...]) -> str:
        name = self.array(signal, path)
        if isinstance(index, Const) and not index.unknown:
            return f"{name}[{index.value}]" if index.value < signal.depth else self.unknown(signal.width)
        at = self._simple(self.value(index))
        test = f"{at} < {signal.depth}"
        if self.four_state:
            test = f"type({at}) is int and {test}"
        return f"({name}[{at}] if {test} else {self.unknown(signal.width)})"

    def _slice(self, value: Expr, offset: Expr | int, width: int) -> str:
        offset = _constant_offset(offset)
        if isinstance(offset, int) and offset >= 0 and offset + width <= value.width:
            source = self.value(value)
            shifted = f"{source} >> {offset}" if offset else source
            return f"({shifted} & {(1 << width) - 1:#x})" if offset + width < value.width else f"({shifted})"
        source = self.value(value)
        return f"select({source}, {value.width}, {self._offset(offset)}, {width}, {self.unknown(width)})"

    def _offset(self, offset: Expr | int) -> str:
        """Return the source of a signed bit offset."""
        if isinstance(offset, int):
            return str(offset)
        source, width = self.value(offset), offset.width
        return f"signed_index({source}, {width})"

    def _resize(self, value: Expr, width: int, signed: bool) -> str:
        source, old = self.value(value), value.width
        if width < old:
            return f"({source} & {(1 << width) - 1:#x})"
        if width == old or not signed:
            return source
        if self.four_state:
            return f"extend_sign({source}, {old}, {width})"
        name = self._simple(source)
        extension = (1 << width) - (1 << old)
        return f"({name} | {extension:#x} if {name} >> {old - 1} else {name})"

    def _unary(self, expr: Unary) -> str:
        source, width = self.value(expr.value), expr.value.width
        ones = (1 << width) - 1
        four = self.four_state
        match expr.op:
            case "not":
                return f"xor4({source}, {ones:#x})" if four else f"({source} ^ {ones:#x})"
            case "neg":
                return f"(-{source} & {ones:#x})"
            case "lnot":
                return f"logical_not4({source})" if four else f"(0 if {source} else 1)"
            case "redand":
                return f"reduce_and4({source}, {width})" if four else f"int({source} == {ones:#x})"
            case "redor":
                return f"truth4({source})" if four else f"(1 if {source} else 0)"
            case "redxor":
                return f"reduce_xor4({source}, {width})" if four else f"(({source}).bit_count() & 1)"
            case "known":
                return f"known({source})" if four else source
            case "isunknown":
                return f"int(type({source}) is not int)" if four else "0"
            case "countones":
                return f"known({source}).bit_count()" if four else f"({source}).bit_count()"
            case "onehot" | "onehot0":
                test = "== 1" if expr.op == "onehot" else "<= 1"
                return f"int(known({source}).bit_count() {test})"
            case "clog2":
                unknown = self.unknown(expr.width)
                if four:
                    name = self._simple(source)
                    return f"(max({name} - 1, 0).bit_length() if type({name}) is int else {unknown})"
                return f"max({source} - 1, 0).bit_length()"
            case _:
                raise InternalError(f"the unary operator {expr.op} is unknown")

    def _binary(self, expr: Binary) -> str:
        op, four = expr.op, self.four_state
        if op in ("land", "lor"):
            return self._logical(expr)
        a, b = self.value(expr.lhs), self.value(expr.rhs)
        width = expr.lhs.width
        ones = (1 << width) - 1
        if op in _INLINE:
            return f"({a} {_INLINE[op]} {b} & {(1 << expr.width) - 1:#x})"
        if op in _BITWISE:
            return f"{_HELPERS[op]}({a}, {b})" if four else f"({a} {_BITWISE[op]} {b})"
        if op == "xnor":
            return f"xor4(xor4({a}, {b}), {ones:#x})" if four else f"({a} ^ {b} ^ {ones:#x})"
        if op in _SHIFTS:
            return f"{_SHIFTS[op]}({a}, {b}, {width})"
        if op in ("udiv", "sdiv", "umod", "smod"):
            unknown = self.unknown(width)
            return f"divide({a}, {b}, {width}, {op[0] == 's'}, {op.endswith('mod')}, {unknown})"
        if op in ("upow", "spow"):
            unknown = self.unknown(width)
            return f"power({a}, {b}, {width}, {expr.rhs.width}, {op == 'spow'}, {unknown})"
        if op in _COMPARISONS:
            return self._compare(op, a, b, width)
        if op in ("eq", "ceq", "weq"):
            helper = {"eq": "equal4", "ceq": "same", "weq": "wild_equal"}[op]
            return f"{helper}({a}, {b})" if four else f"int({self._equal2(expr, a, b)})"
        if op in ("ne", "cne", "wne"):
            helper = {"ne": "equal4", "cne": "same", "wne": "wild_equal"}[op]
            return f"logical_not4({helper}({a}, {b}))" if four else f"int(not {self._equal2(expr, a, b)})"
        raise InternalError(f"the binary operator {op} is unknown")

    def _equal2(self, expr: Binary, a: str, b: str) -> str:
        """Return a 2-state equality; the unknown bits of a constant right operand of `==?` match anything."""
        if expr.op in ("weq", "wne") and isinstance(expr.rhs, Const) and expr.rhs.unknown:
            return f"(not ({a} ^ {b}) & {~expr.rhs.unknown & (1 << expr.rhs.width) - 1:#x})"
        return f"({a} == {b})"

    def _compare(self, op: str, a: str, b: str, width: int) -> str:
        signed, swap, negate = _COMPARISONS[op]
        if swap:
            a, b = b, a
        sign = 1 << (width - 1)
        if self.four_state:
            less = f"signed_less4({a}, {b}, {sign:#x})" if signed else f"less4({a}, {b})"
            return f"logical_not4({less})" if negate else less
        if signed:
            a, b = f"({a} ^ {sign:#x})", f"({b} ^ {sign:#x})"
        return f"int({a} {'>=' if negate else '<'} {b})"

    def _concat(self, parts: Sequence[Expr]) -> str:
        sources: list[str] = []
        low = sum(part.width for part in parts)
        for part in parts:
            low -= part.width
            source = self.value(part)
            sources.append(f"({source} << {low})" if low else source)
        return f"({' | '.join(sources)})"

    # ------------------------------------------------------------------------------------------ control in values

    def captured(self, expr: Expr) -> tuple[list[str], str]:
        """Return the statements that an expression needs, indented once more, and its source."""
        outer, self.lines = self.lines, []
        indent, self.indent = self.indent, self.indent + "    "
        source = self.value(expr)
        lines, self.lines, self.indent = self.lines, outer, indent
        return lines, source

    def _branch(self, test: str, arm: tuple[list[str], str], name: str) -> None:
        lines, source = arm
        self.emit(f"{test}:")
        self.lines.extend(lines)
        self.emit(f"    {name} = {source}")

    def _logical(self, expr: Binary) -> str:
        a = self.value(expr.lhs)
        lines, b = self.captured(expr.rhs)
        both = expr.op == "land"
        if self.four_state:
            helper = "logical_and4" if both else "logical_or4"
            if not lines:
                return f"{helper}({a}, {b})"
            name = self.temporary(f"truth4({a})")
            self._branch(f"if {name} != {0 if both else 1}", (lines, f"{helper}({name}, {b})"), name)
            return name
        if not lines:
            return f"(1 if {a} {'and' if both else 'or'} {b} else 0)"
        name = self.temporary(f"1 if {a} else 0")
        self._branch(f"if {'' if both else 'not '}{name}", (lines, f"1 if {b} else 0"), name)
        return name

    def _conditional(self, expr: Cond) -> str:
        cond = self.value(expr.cond)
        then, other = self.captured(expr.then), self.captured(expr.other)
        if not then[0] and not other[0]:
            if not self.four_state:
                return f"({then[1]} if {cond} else {other[1]})"
            return f"choose({cond}, {then[1]}, {other[1]})"
        name, result = self.temporary(cond), self.temporary("0")
        self._branch(f"if {name}", then, result)
        if self.four_state:
            self._branch(f"elif type({name}) is int", other, result)
            first = self.temporary("0")
            self._branch(f"if not {name} and type({name}) is not int", then, first)
            self._branch(
                f"if not {name} and type({name}) is not int", (other[0], f"merge({first}, {other[1]})"), result
            )
        else:
            self._branch("else", other, result)
        return result

    def _system_call(self, call: SystemCall) -> str:
        """Return a call of the run-time environment, which knows the system functions."""
        name = call.name
        span = self.names.constant(call.span)
        if name == "$value$plusargs":
            place = self.place(call.args[1])
            form = self._text(call.args[0], call.span)
            found = self.temporary(f"system.value_plusargs({form}, {place.width}, {span})")
            self.emit(f"if {found} is not None:")
            self.indent += "    "
            self.write(place, found)
            self.indent = self.indent[:-4]
            return f"int({found} is not None)"
        if (name in ("$random", "$urandom") and call.args) or name.startswith("$dist_"):
            target = call.args[0]
            while isinstance(target, Resize | Unary):  # the value's conversions; the variable is what is updated
                target = target.value
            place = self.place(target)
            seed, result = self.temporary(self.read(place)), self._temporary_pair()
            more = "".join(f", {self._parameter(call, index)}" for index in range(1, len(call.args)))
            self.emit(f"{result[0]}, {result[1]} = system.seeded('{name}', {seed}{more})")
            self.write(place, result[1])
            return result[0]
        arguments = [
            self._text(argument, call.span) if isinstance(argument, Text) else self.value(argument)
            for argument in call.args
        ]
        joined = "".join(f", {argument}" for argument in arguments)
        return f"system.call('{name}', {call.width}, {span}{joined})"

    def _parameter(self, call: SystemCall, index: int) -> str:
        """Return a parameter of a distribution, of 32 bits."""
        argument, signed = call.args[index], index < len(call.signs) and call.signs[index]
        value = self.value(argument)
        return f"extend_sign({value}, {argument.width}, 32)" if signed and argument.width < 32 else value

    def _temporary_pair(self) -> tuple[str, str]:
        self._temporaries += 2
        return f"t{self._temporaries - 1}", f"t{self._temporaries}"

    def _text(self, expr: Expr, span: Span = NOWHERE) -> str:
        """Return the source of a string argument: a literal, or bits that hold characters."""
        if isinstance(expr, Text):
            return repr(expr.value)
        return f"as_text({self.value(expr)}, {expr.width})"

    text = _text

    # ------------------------------------------------------------------------------------------------- lvalues

    def place(self, lhs: Expr) -> Place:
        """Return an lvalue with its indices computed into names."""
        match lhs:
            case Ref(signal, path):
                local = self.locals.get(id(signal))
                name = local or self.names.signal(signal, path)
                kind = "array" if signal.depth else ("local" if local else "cell")
                return Place(kind, signal.bits, name, signal)
            case Element(signal, index, path):
                at = self._simple(self.value(index))
                return Place("element", signal.width, self.array(signal, path), signal, at)
            case Slice(value, offset, width):
                inner = self.place(value)
                constant = _constant_offset(offset)
                if not isinstance(constant, int):
                    constant = self._simple(self._offset(constant))
                return Place("part", width, inner=inner, offset=constant)
            case Concat(parts, width):
                return Place("join", width, parts=tuple(self.place(part) for part in parts))
            case _:
                raise Unsupported(f"assigning to a {type(lhs).__name__.lower()}")

    def read(self, place: Place) -> str:
        """Return the source of a place's present value."""
        match place.kind:
            case "cell":
                return f"{place.name}.v"
            case "local":
                return place.name
            case "array":
                assert place.signal is not None
                return f"join({place.name}, {place.signal.width})"
            case "element":
                assert place.signal is not None
                test = self._in_range(place.index, place.signal.depth)
                unknown = self.unknown(place.width)
                return f"({place.name}[{place.index}] if {test} else {unknown})"
            case "part":
                assert place.inner is not None
                whole = self.read(place.inner)
                return (
                    f"select({whole}, {place.inner.width}, {place.offset}, {place.width}, {self.unknown(place.width)})"
                )
            case _:
                low, sources = place.width, list[str]()
                for part in place.parts:
                    low -= part.width
                    sources.append(f"({self.read(part)} << {low})")
                return f"({' | '.join(sources)})"

    def _in_range(self, index: str, depth: int) -> str:
        return f"type({index}) is int and {index} < {depth}" if self.four_state else f"{index} < {depth}"

    def write(self, place: Place, source: str) -> None:
        """Emit the assignment of a source, of the place's width, to a place."""
        match place.kind:
            case "cell":
                self.emit(f"{place.name}.v = {source}")
            case "local":
                self.emit(f"{place.name} = {source}")
            case "array":
                assert place.signal is not None
                self.emit(f"spread({place.name}, {place.signal.width}, {source})")
            case "element":
                assert place.signal is not None
                if place.index.isdigit():
                    if int(place.index) < place.signal.depth:
                        self.emit(f"{place.name}[{place.index}] = {source}")
                    return
                self.emit(
                    f"if {self._in_range(place.index, place.signal.depth)}: {place.name}[{place.index}] = {source}"
                )
            case "part":
                self._write_part(place, source)
            case _:
                name = self._simple(source)
                low = place.width
                for part in place.parts:
                    low -= part.width
                    shifted = f"({name} >> {low})" if low else name
                    self.write(part, f"({shifted} & {(1 << part.width) - 1:#x})")

    def _write_part(self, place: Place, source: str) -> None:
        inner, offset, width = place.inner, place.offset, place.width
        assert inner is not None
        old = self.read(inner)
        if isinstance(offset, int) and offset >= 0 and offset + width <= inner.width:
            kept = ((1 << inner.width) - 1) ^ (((1 << width) - 1) << offset)
            shifted = f"({source} << {offset})" if offset else f"({source})"
            self.write(inner, f"({old} & {kept:#x} | {shifted})")
        else:
            self.write(inner, f"insert({old}, {inner.width}, {offset}, {source}, {width})")


def integer_source(value: int) -> str:
    """Return a literal of an integer; Python reads only some thousands of digits in decimal, any number in hex."""
    return str(value) if -_SHORT < value < _SHORT else hex(value)


def _constant_offset(offset: Expr | int) -> Expr | int:
    """Return a constant offset expression as the signed int that it means."""
    if isinstance(offset, Const) and not offset.unknown:
        negative = offset.value >> (offset.width - 1) if offset.width else 0
        return offset.value - (negative << offset.width)
    return offset
