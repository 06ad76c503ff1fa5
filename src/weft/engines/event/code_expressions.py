"""Write the value of an expression.

One function for each class of node. Operands that only sometimes may be evaluated (the arms of `?:`, the right side of
`&&`) get a branch if they have effects; all others are computed and selected.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from weft.engines.event import code_strings
from weft.engines.event import operators as ops
from weft.engines.event.code_assertions import assertion_state
from weft.engines.event.code_boxes import box_call
from weft.engines.event.code_calls import call_function, create_object
from weft.engines.event.code_containers import container_call, read_item
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_host import host_value
from weft.engines.event.code_iterations import iterate
from weft.engines.event.code_places import (
    field_place,
    find_place,
    load_field,
    load_place,
    load_slice,
    store_lvalue,
)
from weft.engines.event.random_numbers import RANDOM, random_value
from weft.engines.event.value_types import REAL_FUNCTIONS, is_real, is_word, type_of
from weft.engines.event.writer import Operand, Value, Writer, ir_type, mask
from weft.ir.design import Expr, Signal
from weft.ir.expressions import (
    AssignExpr,
    Binary,
    Call,
    Concat,
    Cond,
    Const,
    Element,
    Field,
    Item,
    Iterate,
    New,
    Randomize,
    Real,
    Ref,
    Repeat,
    Resize,
    Slice,
    SystemCall,
    Text,
    Unary,
)
from weft.ir.walk import subexpressions

_MAX_WHOLE = 1 << 16
"""The widest whole array, in bits, that is handled as one vector."""


def value(f: FunctionCode, expression: Expr) -> Value:
    """Write an expression and return its value."""
    match expression:
        case Const(width, bits, unknown):
            return Value(width, bits, unknown)
        case Ref(signal, path):
            return _load_whole(f, signal, path)
        case Element(signal):
            place = find_place(f, expression)
            return load_place(f, place)
        case Slice():
            return load_slice(f, expression)
        case Resize(inner, width, signed):
            return ops.resize(f.w, value(f, inner), width, signed)
        case Unary(op, inner, width):
            return _unary(f, op, inner, width)
        case Binary(op, lhs, rhs, width):
            return _binary(f, op, lhs, rhs, width)
        case Cond():
            return _conditional(f, expression)
        case Concat(parts):
            return ops.concat(f.w, [value(f, part) for part in parts if part.width])
        case Repeat(count, inner):
            one = value(f, inner)
            return ops.concat(f.w, [one] * count) if one.width else Value(0, 0)
        case Real(number):
            return Value(64, struct.unpack("<Q", struct.pack("<d", number))[0])
        case Text(text):
            return Value(64, f.unit.program.text_handle(text))
        case Field():
            return load_field(f, expression)
        case Item(container, index, width):
            character = type_of(container).kind == "string"
            name = "string.getc" if character else "array.get"
            found = code_strings.read_item(f, expression) if character else read_item(f, expression)
            return found if found is not None else host_value(f, name, (container, index), width, expression)
        case New():
            return create_object(f, expression)
        case Call():
            return call_function(f, expression)
        case SystemCall():
            return _system_call(f, expression)
        case Iterate():
            return iterate(f, expression)
        case Randomize():
            from weft.engines.event.code_randomize import randomize

            return randomize(f, expression)
        case AssignExpr(lhs, rhs, _, post):
            old = value(f, lhs) if post else None
            new = value(f, rhs)
            store_lvalue(f, lhs, new)
            return old if old is not None else new


def condition(f: FunctionCode, expression: Expr) -> Operand:
    """Write a condition and return one bit: whether it is certainly true."""
    return ops.is_true(f.w, value(f, expression))


def word(f: FunctionCode, expression: Expr, signed: bool = False) -> tuple[Operand, Operand]:
    """Write a number; return it as a 64-bit word, and whether it is unknown."""
    found = value(f, expression)
    unknown = ops.any_unknown(f.w, found)
    return f.w.resize(found.bits, found.width, 64, signed), unknown


def has_effects(expression: Expr) -> bool:
    """Say whether evaluating an expression does more than give its value, or may be an error."""
    return any(
        (isinstance(part, Field) and not (isinstance(part.object, Ref) and part.object.signal.name == "this"))
        or isinstance(part, Call | AssignExpr | New | Item | Iterate | Randomize)
        or (isinstance(part, SystemCall) and part.name not in _PURE)
        or (isinstance(part, Binary) and part.op in ("udiv", "sdiv", "umod", "smod") and part.width > 64)
        for part in subexpressions(expression)
    )


_PURE = frozenset({"$ticks", "$time", "$stime", "$realtime", "$itor", "$rtoi", "assertion.enabled", "assertion.kills"})


def _load_whole(f: FunctionCode, signal: Signal, path: tuple[str, ...]) -> Value:
    operand = f.operands.get(signal)
    if operand is not None:
        return operand
    if signal.depth and signal.bits > _MAX_WHOLE:
        raise f.unsupported(f"reading the array '{signal.name}' of {signal.bits} bits as a whole")
    return f.load_flat(signal, f.signal_pointer(signal, path))


# ------------------------------------------------------------------------------------------- operators


def _unary(f: FunctionCode, op: str, inner: Expr, width: int) -> Value:
    w = f.w
    a = value(f, inner)
    match op:
        case "not":
            return ops.bit_not(w, a)
        case "neg":
            return ops.negate(w, a)
        case "lnot":
            return ops.bit_not(w, ops.truth(w, a))
        case "redand":
            return ops.reduce_and(w, a)
        case "redor":
            return ops.reduce_or(w, a)
        case "redxor":
            return ops.reduce_xor(w, a)
        case "isunknown":
            return Value(1, ops.any_unknown(w, a))
        case "known":
            return ops.known_only(w, a)
        case "countones" | "onehot" | "onehot0":
            size = max(a.width.bit_length() + 1, a.width)
            count = ops.count_ones(w, size, w.resize(ops.one(w, a), a.width, size))
            if op == "countones":
                return Value(width, w.resize(count, size, width))
            return Value(
                width,
                w.resize(
                    w.compare("eq" if op == "onehot" else "ult", size, count, 1 if op == "onehot" else 2), 1, width
                ),
            )
        case "clog2":
            return ops.clog2(w, a, width)
        case "fneg":
            return _real_result(w, w.emit(f"fneg double {_double(w, a)}"))
        case "itof" | "utof":
            bits = ops.one(w, a)
            if isinstance(bits, int):
                signed = bits - (1 << a.width) if op == "itof" and bits >> (a.width - 1) & 1 else bits
                return Value(64, struct.unpack("<Q", struct.pack("<d", float(signed)))[0])
            return _integer_to_real(w, bits, a.width, op == "itof")
        case "ftoi":
            return _round(w, _double(w, a), width)
        case "fround":
            narrow = w.emit(f"fptrunc double {_double(w, a)} to float")
            return _real_result(w, w.emit(f"fpext float {narrow} to double"))
        case _:
            raise f.internal(f"no unary operator {op}")


def _double(w: Writer, a: Value) -> str:
    if isinstance(a.bits, int):
        return f"0x{a.bits:016X}"
    return w.emit(f"bitcast i64 {a.bits} to double")


def _real_result(w: Writer, double: str) -> Value:
    return Value(64, w.emit(f"bitcast double {double} to i64"))


def _round(w: Writer, double: str, width: int) -> Value:
    """Return a real rounded to an integer, halves away from zero (IEEE 1800-2023 6.12.1); x if it is no number."""
    w.declare("llvm.round.f64", "declare double @llvm.round.f64(double)")
    return whole_to_integer(w, w.emit(f"call double @llvm.round.f64(double {double})"), width)


def whole_to_integer(w: Writer, double: str, width: int) -> Value:
    """Return the integer part of a real, modulo 2 ** width: its mantissa, shifted by its exponent."""
    bits = w.emit(f"bitcast double {double} to i64")
    exponent = w.op("and", 64, w.op("lshr", 64, bits, 52), 0x7FF)
    mantissa = w.op("or", 64, w.op("and", 64, bits, (1 << 52) - 1), 1 << 52)
    size = max(width, 64)
    left = w.op("sub", 64, exponent, 1075)
    right = w.op("sub", 64, 1075, exponent)
    small = w.compare("ult", 64, exponent, 1075)
    shifted_right = w.op("lshr", 64, mantissa, w.select(64, w.compare("ult", 64, right, 64), right, 63))
    fits = w.compare("ult", 64, left, size)
    amount = w.resize(w.select(64, fits, left, 0), 64, size)
    shifted_left = w.op("shl", size, w.resize(mantissa, 64, size), amount)
    shifted_left = w.select(size, fits, shifted_left, 0)
    magnitude = w.select(size, small, w.resize(shifted_right, 64, size), shifted_left)
    negative = w.compare("slt", 64, bits, 0)
    whole = w.select(size, negative, w.op("sub", size, 0, magnitude), magnitude)
    return ops.if_known(w, width, w.compare("eq", 64, exponent, 0x7FF), w.resize(whole, size, width))


def _integer_to_real(w: Writer, bits: Operand, width: int, signed: bool) -> Value:
    """Return an integer as the nearest real; of a wide one the top 64 bits decide, the rest is one sticky bit."""
    if width <= 64:
        how = "sitofp" if signed or width < 64 else "uitofp"
        return _real_result(w, w.emit(f"{how} i64 {w.resize(bits, width, 64, signed)} to double"))
    negative: Operand = w.compare("slt", width, bits, 0) if signed else 0
    magnitude = w.select(width, negative, w.op("sub", width, 0, bits), bits)
    w.declare(f"llvm.ctlz.i{width}", f"declare i{width} @llvm.ctlz.i{width}(i{width}, i1)")
    zeros = w.emit(f"call i{width} @llvm.ctlz.i{width}(i{width} {magnitude}, i1 false)")
    long = w.compare("ult", width, zeros, width - 64)
    drop = w.select(width, long, w.op("sub", width, width - 64, zeros), 0)
    top = w.resize(w.op("lshr", width, magnitude, drop), width, 64)
    lost = w.op("and", width, magnitude, w.op("sub", width, w.op("shl", width, 1, drop), 1))
    top = w.op("or", 64, top, w.resize(w.nonzero(width, lost), 1, 64))
    scale = w.op("shl", 64, w.op("add", 64, w.resize(drop, width, 64), 1023), 52)
    product = w.emit(f"uitofp i64 {top} to double")
    product = w.emit(f"fmul double {product}, {w.emit(f'bitcast i64 {scale} to double')}")
    if negative != 0:
        minus = w.emit(f"fneg double {product}")
        product = w.emit(f"select i1 {negative}, double {minus}, double {product}")
    return _real_result(w, product)


_BINARY: dict[str, Callable[[Writer, Value, Value], Value]] = {
    "add": ops.arithmetic("add"),
    "sub": ops.arithmetic("sub"),
    "mul": ops.arithmetic("mul"),
    "udiv": ops.division("udiv"),
    "sdiv": ops.division("sdiv"),
    "umod": ops.division("urem"),
    "smod": ops.division("srem"),
    "upow": ops.power(False),
    "spow": ops.power(True),
    "and": ops.bit_and,
    "or": ops.bit_or,
    "xor": ops.bit_xor,
    "xnor": lambda w, a, b: ops.bit_not(w, ops.bit_xor(w, a, b)),
    "shl": ops.shift("shl"),
    "lshr": ops.shift("lshr"),
    "ashr": ops.shift("ashr"),
    "eq": ops.equal,
    "ne": ops.not_equal,
    "ceq": lambda w, a, b: Value(1, ops.identical(w, a, b)),
    "cne": lambda w, a, b: Value(1, w.not_(1, ops.identical(w, a, b))),
    "weq": ops.wildcard_equal,
    "wne": lambda w, a, b: ops.bit_not(w, ops.wildcard_equal(w, a, b)),
    **{name: ops.relation(name) for name in ("ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge")},
}

_REAL_ARITHMETIC = {"fadd": "fadd", "fsub": "fsub", "fmul": "fmul", "fdiv": "fdiv"}
_REAL_COMPARISONS = {"feq": "oeq", "fne": "une", "flt": "olt", "fle": "ole", "fgt": "ogt", "fge": "oge"}


def _binary(f: FunctionCode, op: str, lhs: Expr, rhs: Expr, width: int) -> Value:
    w = f.w
    if op in ("land", "lor"):
        return _logical(f, op, lhs, rhs)
    if isinstance(lhs, SystemCall):
        strings = code_strings.compare_equal(f, op, lhs, rhs)
        if strings is not None:
            return strings
    a, b = value(f, lhs), value(f, rhs)
    if op in _REAL_ARITHMETIC:
        return _real_result(w, w.emit(f"{op} double {_double(w, a)}, {_double(w, b)}"))
    if op in _REAL_COMPARISONS:
        return Value(1, w.emit(f"fcmp {_REAL_COMPARISONS[op]} double {_double(w, a)}, {_double(w, b)}"))
    if op == "fpow":
        w.declare("pow", "declare double @pow(double, double)")
        return _real_result(w, w.emit(f"call double @pow(double {_double(w, a)}, double {_double(w, b)})"))
    if a.width == 0 or b.width == 0:
        return Value(width, 0)
    return _BINARY[op](w, a, b)


def _logical(f: FunctionCode, op: str, lhs: Expr, rhs: Expr) -> Value:
    """Write `&&` or `||`: the right side is evaluated only if the left one does not decide (11.4.7)."""
    w = f.w
    a = ops.truth(w, value(f, lhs))
    if not has_effects(rhs):
        b = ops.truth(w, value(f, rhs))
        return ops.logical_and(w, a, b) if op == "land" else ops.logical_or(w, a, b)
    decided = w.not_(1, w.or_(1, a.bits, a.unknown)) if op == "land" else ops.one(w, a)

    def right() -> Value:
        b = ops.truth(w, value(f, rhs))
        return ops.logical_and(w, a, b) if op == "land" else ops.logical_or(w, a, b)

    return _branches(f, decided, lambda: Value(1, int(op == "lor")), right, 1)


def _branches(
    f: FunctionCode, condition: Operand, then: Callable[[], Value], other: Callable[[], Value], width: int
) -> Value:
    """Write two ways to a value behind a branch; the planes meet in stack slots."""
    w = f.w
    if isinstance(condition, int):
        return then() if condition else other()
    slots, kind = (w.slot(width), w.slot(width)), ir_type(width)
    labels = w.fresh("yes"), w.fresh("no"), w.fresh("met")
    w.branch(condition, labels[0], labels[1])
    for label, way in zip(labels, (then, other), strict=False):
        w.label(label)
        result = way()
        w.do(f"store {kind} {result.bits}, ptr {slots[0]}")
        w.do(f"store {kind} {result.unknown}, ptr {slots[1]}")
        w.jump(labels[2])
    w.label(labels[2])
    return Value(width, w.emit(f"load {kind}, ptr {slots[0]}"), w.emit(f"load {kind}, ptr {slots[1]}"))


def _conditional(f: FunctionCode, expression: Cond) -> Value:
    w = f.w
    test = ops.truth(w, value(f, expression.cond))
    if not (has_effects(expression.then) or has_effects(expression.other)):
        then, other = value(f, expression.then), value(f, expression.other)
        if is_word(expression):
            return ops.choose(w, ops.one(w, test), then, other)
        return ops.conditional(w, test, then, other)
    if test.unknown == 0 or is_word(expression):
        return _branches(
            f,
            ops.one(w, test),
            lambda: value(f, expression.then),
            lambda: value(f, expression.other),
            expression.width,
        )
    # With an unknown condition both arms are evaluated and merged.
    known = w.not_(1, test.unknown)
    return _branches(
        f,
        known,
        lambda: _branches(
            f, test.bits, lambda: value(f, expression.then), lambda: value(f, expression.other), expression.width
        ),
        lambda: ops.merge(w, value(f, expression.then), value(f, expression.other)),
        expression.width,
    )


# ------------------------------------------------------------------------------------------- system functions


def _system_call(f: FunctionCode, call: SystemCall) -> Value:
    w = f.w
    name = call.name
    if name == "$ticks":
        return Value(64, w.load_word("%Sp", 0))
    if name in ("$time", "$stime", "$realtime"):
        return _time(f, name, call.width)
    if name in ("$realtobits", "$bitstoreal"):
        return ops.known_only(w, ops.resize(w, value(f, call.args[0]), call.width, False))
    if name == "$rtoi":
        double = _double(w, value(f, call.args[0]))
        return whole_to_integer(w, double, call.width)
    if name == "$itor":
        # What is real becomes an integer before it becomes real again.
        (argument,) = call.args
        whole: Expr = Unary("itof", Unary("ftoi", argument, 32), 64) if is_real(argument) else argument
        return value(f, whole)
    if name in ("assertion.enabled", "assertion.kills"):
        return assertion_state(f, call)
    if name == "event.triggered":
        (event,) = call.args
        assert isinstance(event, Ref | Element | Field)
        place = field_place(f, event) if isinstance(event, Field) else find_place(f, event)
        stamp = load_place(f, place)
        now = w.op("add", 64, w.load_word("%Sp", 0), 1)
        return Value(1, w.compare("eq", 64, w.op("lshr", 64, stamp.bits, 16), w.op("and", 64, now, mask(48))))
    if name in REAL_FUNCTIONS:
        double = [_double(w, value(f, argument)) for argument in call.args]
        symbol = REAL_FUNCTIONS[name]
        w.declare(symbol, f"declare double @{symbol}({', '.join(['double'] * len(double))})")
        return _real_result(w, w.emit(f"call double @{symbol}({', '.join(f'double {d}' for d in double)})"))
    if name in RANDOM:
        drawn = random_value(f, call)
        if drawn is not None:
            return drawn
    if name.startswith(("array.", "string.")):
        found = container_call(f, call) if name.startswith("array.") else code_strings.string_call(f, call)
        if found is not None:
            return found
    if name.startswith(("mailbox.", "semaphore.")):
        return box_call(f, call)
    return host_value(f, name, call.args, call.width, call)


def _time(f: FunctionCode, name: str, width: int) -> Value:
    """Return the time in the module's unit; `$time` rounds halves up (IEEE 1800-2023 20.3)."""
    w = f.w
    ticks = w.load_word("%Sp", 0)
    per_unit = f.unit.ticks_per_unit
    if name == "$realtime":
        double = w.emit(f"uitofp i64 {ticks} to double")
        if per_unit != 1:
            double = w.emit(f"fdiv double {double}, {float(per_unit):e}")
        return _real_result(w, double)
    if per_unit != 1:
        ticks = w.emit(f"udiv i64 {w.op('add', 64, ticks, per_unit // 2)}, {per_unit}")
    if name == "$stime":
        return Value(width, w.resize(w.resize(ticks, 64, 32), 32, width))
    return Value(width, w.resize(ticks, 64, width))
