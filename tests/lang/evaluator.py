"""A plain evaluator of design functions: the oracle's other side, written from the standard and not from the engines.

A value is (bits, unknown): 0 is (0, 0), 1 is (1, 0), x is (0, 1), z is (1, 1). Every expression and statement that a
function without timing can hold is executed as IEEE 1800-2023 says, x and z included.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from weft.ir import design as d

Value = tuple[int, int]


def ones(width: int) -> int:
    return (1 << width) - 1


def x(width: int) -> Value:
    return 0, ones(width)


def to_signed(bits: int, width: int) -> int:
    return bits - (1 << width) if width and bits >> (width - 1) else bits


def boolean(value: Value) -> int | None:
    bits, unknown = value
    if bits & ~unknown:
        return 1
    return None if unknown else 0


def one_bit(value: int | bool | None) -> Value:
    return (0, 1) if value is None else (int(value), 0)


class Left(Exception):
    """Leave a loop, a block or the function."""

    def __init__(self, kind: str, label: str = "") -> None:
        super().__init__(kind)
        self.kind, self.label = kind, label


def _divide(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _power(a: int, b: int) -> int | None:
    if b >= 0:
        return a**b
    if a == 0:
        return None
    return {1: 1, -1: -1 if b % 2 else 1}.get(a, 0)


@dataclass
class Frame:
    """Hold the variables of one call; static ones live in `statics`, shared among calls."""

    statics: dict[d.Signal, Value]
    values: dict[d.Signal, Value] = field(default_factory=dict)
    steps: int = 0
    result: d.Signal | None = None

    def read(self, signal: d.Signal) -> Value:
        store = self.values if signal in self.values else self.statics
        if signal not in store:
            initial = signal.initial
            default = x(signal.bits) if signal.type.four_state else (0, 0)
            self.statics[signal] = self.value(initial) if initial is not None else default
            store = self.statics
        return store[signal]

    def write(self, signal: d.Signal, value: Value) -> None:
        store = self.values if signal.automatic or signal in self.values else self.statics
        store[signal] = value[0] & ones(signal.bits), value[1] & ones(signal.bits)

    # ------------------------------------------------------------------------------------- expressions

    def value(self, e: Any) -> Value:
        assert e.width >= 0
        bits, unknown = self._value(e)
        assert 0 <= bits <= ones(e.width) and 0 <= unknown <= ones(e.width), (e, bits, unknown)
        return bits, unknown

    def _value(self, e: Any) -> Value:
        match e:
            case d.Const():
                return e.value, e.unknown
            case d.Text():
                return int.from_bytes(e.value.encode("latin-1"), "big"), 0
            case d.Ref():
                return self.read(e.signal)
            case d.Element():
                index = self.value(e.index)
                if index[1] or index[0] >= e.signal.depth:
                    return x(e.width)
                return self.cut(self.read(e.signal), e.signal.bits, index[0] * e.width, e.width)
            case d.Slice():
                offset = self.offset(e)
                return x(e.width) if offset is None else self.cut(self.value(e.value), e.value.width, offset, e.width)
            case d.Resize():
                return self.resize(self.value(e.value), e.value.width, e.width, e.signed)
            case d.Unary():
                return self.unary(e.op, self.value(e.value), e.value.width, e.width)
            case d.Binary():
                return self.binary(e)
            case d.Cond():
                return self.choose(e)
            case d.Concat():
                assert sum(part.width for part in e.parts) == e.width
                return self.join([(self.value(part), part.width) for part in e.parts])
            case d.Repeat():
                assert e.width == e.count * e.value.width
                return self.join([(self.value(e.value), e.value.width)] * e.count)
            case d.Call():
                return self.call(e)
            case d.AssignExpr():
                assert e.lhs.width == e.rhs.width == e.width
                old = self.value(e.lhs)
                new = self.value(e.rhs)
                self.assign(e.lhs, new)
                return old if e.post else new
            case _:
                raise NotImplementedError(type(e))

    def offset(self, e: d.Slice) -> int | None:
        if isinstance(e.offset, int):
            return e.offset
        bits, unknown = self.value(e.offset)
        return None if unknown else to_signed(bits, e.offset.width)

    @staticmethod
    def cut(value: Value, have: int, offset: int, width: int) -> Value:
        bits = unknown = 0
        for i in range(width):
            k = offset + i
            if 0 <= k < have:
                bits |= (value[0] >> k & 1) << i
                unknown |= (value[1] >> k & 1) << i
            else:
                unknown |= 1 << i
        return bits, unknown

    @staticmethod
    def resize(value: Value, have: int, width: int, signed: bool) -> Value:
        bits, unknown = value
        if width > have and signed and have:
            fill = ones(width) ^ ones(have)
            bits |= fill if bits >> (have - 1) else 0
            unknown |= fill if unknown >> (have - 1) else 0
        return bits & ones(width), unknown & ones(width)

    @staticmethod
    def join(parts: list[tuple[Value, int]]) -> Value:
        bits = unknown = 0
        for value, width in parts:
            bits, unknown = bits << width | value[0], unknown << width | value[1]
        return bits, unknown

    @staticmethod
    def unary(op: str, value: Value, have: int, width: int) -> Value:
        bits, unknown = value
        known = bits & ~unknown
        match op:
            case "known":
                return known, 0
            case "not":
                return ~bits & ones(width) & ~unknown, unknown
            case "neg":
                return x(width) if unknown else (-bits & ones(width), 0)
            case "lnot":
                truth = boolean(value)
                return one_bit(None if truth is None else not truth)
            case "redand":
                zero = ~bits & ~unknown & ones(have)
                return one_bit(0 if zero else None if unknown else 1)
            case "redor":
                return one_bit(boolean(value))
            case "redxor":
                return one_bit(None if unknown else bits.bit_count() & 1)
            case "isunknown":
                return int(unknown != 0), 0
            case "countones":
                return known.bit_count() & ones(width), 0
            case "onehot":
                return int(known.bit_count() == 1), 0
            case "onehot0":
                return int(known.bit_count() <= 1), 0
            case "clog2":
                return x(width) if unknown else (max(bits - 1, 0).bit_length(), 0)
            case _:
                raise NotImplementedError(op)

    def binary(self, e: d.Binary) -> Value:
        op = e.op
        if op in ("land", "lor"):
            assert e.lhs.width == e.rhs.width == 1
            left = boolean(self.value(e.lhs))
            if left is not None and left == (op == "lor"):
                return left, 0
            right = boolean(self.value(e.rhs))
            if right is not None and right == (op == "lor"):
                return right, 0
            return one_bit(None if None in (left, right) else int(op == "land"))
        a, b, n = self.value(e.lhs), self.value(e.rhs), e.lhs.width
        if op in ("shl", "lshr", "ashr"):
            assert n == e.width
            return self.shift(op, a, b, n)
        if op not in ("upow", "spow"):
            assert n == e.rhs.width, (op, n, e.rhs.width)
        if op in ("eq", "ne", "ceq", "cne", "weq", "wne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge"):
            assert e.width == 1
            return self.compare(op, a, b, n)
        assert e.width == n
        return self.arithmetic(op, a, b, n, e.rhs.width)

    @staticmethod
    def shift(op: str, a: Value, b: Value, n: int) -> Value:
        if b[1]:
            return x(n)
        count = min(b[0], n)
        if op == "shl":
            return a[0] << count & ones(n), a[1] << count & ones(n)
        fill = ones(n) ^ ones(n - count) if op == "ashr" else 0
        bits = a[0] >> count | (fill if a[0] >> (n - 1) else 0)
        return bits, a[1] >> count | (fill if a[1] >> (n - 1) else 0)

    @staticmethod
    def compare(op: str, a: Value, b: Value, n: int) -> Value:
        if op in ("ceq", "cne"):
            return int((a == b) == (op == "ceq")), 0
        if op in ("weq", "wne"):
            care = ones(n) & ~b[1]
            a, b, op = (a[0] & care, a[1] & care), (b[0] & care, 0), "eq" if op == "weq" else "ne"
        both = ~(a[1] | b[1])
        if op in ("eq", "ne") and (a[0] ^ b[0]) & both & ones(n):
            return int(op == "ne"), 0
        if a[1] | b[1]:
            return 0, 1
        left, right = (to_signed(v[0], n) if op[0] == "s" else v[0] for v in (a, b))
        tests = {"eq": left == right, "ne": left != right, "lt": left < right, "le": left <= right}
        tests |= {"gt": left > right, "ge": left >= right}
        return int(tests[op[-2:]]), 0

    @staticmethod
    def arithmetic(op: str, a: Value, b: Value, n: int, width: int) -> Value:
        (p, u), (q, v) = a, b
        if op == "and":
            zero = (~p & ~u) | (~q & ~v)
            unknown = (u | v) & ~zero & ones(n)
            return p & q & ~unknown & ones(n), unknown
        if op == "or":
            one = (p & ~u) | (q & ~v)
            unknown = (u | v) & ~one & ones(n)
            return one & ones(n), unknown
        if op in ("xor", "xnor"):
            unknown = u | v
            bits = (p ^ q) if op == "xor" else ~(p ^ q)
            return bits & ~unknown & ones(n), unknown
        if u | v:
            return x(n)
        if op[0] == "s" and op != "sub":
            p, q, op = to_signed(p, n), to_signed(q, width), "u" + op[1:]
        match op:
            case "add":
                result: int | None = p + q
            case "sub":
                result = p - q
            case "mul":
                result = p * q
            case "udiv":
                result = _divide(p, q) if q else None
            case "umod":
                result = p - _divide(p, q) * q if q else None
            case "upow":
                result = _power(p, q)
            case _:
                raise NotImplementedError(op)
        return x(n) if result is None else (result & ones(n), 0)

    def choose(self, e: d.Cond) -> Value:
        assert e.cond.width == 1 and e.then.width == e.other.width == e.width
        test = boolean(self.value(e.cond))
        if test is not None:
            return self.value(e.then if test else e.other)
        (p, u), (q, v) = self.value(e.then), self.value(e.other)
        unknown = (u | v | p ^ q) & ones(e.width)
        return p & ~unknown, unknown

    def call(self, e: d.Call) -> Value:
        function = e.function
        frame = Frame(self.statics)
        for (direction, formal), actual in zip(function.args, e.args, strict=True):
            assert formal.bits == actual.width, (formal, actual)
            if direction != "output":
                frame.values[formal] = self.value(actual)
            else:
                frame.values[formal] = x(formal.bits)
        if function.result is not None:
            frame.values[function.result] = x(function.result.bits)
        frame.run_function(function)
        for (direction, formal), actual in zip(function.args, e.args, strict=True):
            if direction != "input":
                self.assign(actual, frame.values[formal])
        return frame.values[function.result] if function.result is not None else (0, 0)

    # ------------------------------------------------------------------------------------- statements

    def assign(self, target: Any, value: Value) -> None:
        match target:
            case d.Ref():
                self.write(target.signal, value)
            case d.Element():
                index = self.value(target.index)
                if not index[1] and index[0] < target.signal.depth:
                    self.put(target.signal, index[0] * target.width, target.width, value)
            case d.Slice():
                offset = self.offset(target)
                if offset is not None:
                    self.assign(target.value, self.paste(self.value(target.value), target, offset, value))
            case d.Concat():
                rest = target.width
                for part in target.parts:
                    rest -= part.width
                    self.assign(part, (value[0] >> rest & ones(part.width), value[1] >> rest & ones(part.width)))
            case _:
                raise NotImplementedError(type(target))

    @staticmethod
    def paste(old: Value, target: d.Slice, offset: int, value: Value) -> Value:
        bits, unknown = old
        for i in range(target.width):
            k = offset + i
            if 0 <= k < target.value.width:
                bits = bits & ~(1 << k) | (value[0] >> i & 1) << k
                unknown = unknown & ~(1 << k) | (value[1] >> i & 1) << k
        return bits, unknown

    def put(self, signal: d.Signal, offset: int, width: int, value: Value) -> None:
        keep = ~(ones(width) << offset)
        bits, unknown = self.read(signal)
        self.write(signal, (bits & keep | value[0] << offset, unknown & keep | value[1] << offset))

    def run_function(self, function: d.Function) -> None:
        self.result = function.result
        try:
            self.run(function.body)
        except Left as left:
            if left.kind != "return":
                raise

    def run(self, s: Any) -> None:
        self.steps += 1
        assert self.steps < 100_000, "endless loop"
        match s:
            case None:
                pass
            case d.Block():
                try:
                    for inner in s.body:
                        self.run(inner)
                except Left as left:
                    if left.kind != "disable" or left.label != s.label:
                        raise
            case d.Assign():
                assert s.blocking and s.lhs.width == s.rhs.width, (s.lhs.width, s.rhs.width)
                self.assign(s.lhs, self.value(s.rhs))
            case d.If():
                assert s.cond.width == 1
                self.run(s.then if boolean(self.value(s.cond)) else s.other)
            case d.Case():
                self.run(self.select(s))
            case d.Loop():
                self.loop(s)
            case d.RepeatTimes():
                bits, unknown = self.value(s.count)
                for _ in range(0 if unknown else bits):
                    if self.body(s.body):
                        break
            case d.Evaluate():
                self.value(s.value)
            case d.Jump():
                self.jump(s)
            case _:
                raise NotImplementedError(type(s))

    def jump(self, s: d.Jump) -> None:
        if s.value is not None:
            assert self.result is not None and s.value.width == self.result.bits
            self.values[self.result] = self.value(s.value)
        raise Left(s.kind, s.label)

    def body(self, s: Any) -> bool:
        try:
            self.run(s)
        except Left as left:
            if left.kind == "break":
                return True
            if left.kind != "continue":
                raise
        return False

    def loop(self, s: d.Loop) -> None:
        while s.test_last or s.cond is None or boolean(self.value(s.cond)):
            if self.body(s.body):
                break
            for step in s.step:
                self.run(step)
            if s.test_last and not boolean(self.value(s.cond)):
                break

    def select(self, s: d.Case) -> Any:
        subject = self.value(s.subject)
        width = s.subject.width
        for item in s.items:
            for label in item.labels:
                if isinstance(label, tuple):
                    low, high = (self.value(bound) for bound in label)
                    sign = "s" if s.signed else "u"
                    above = self.compare(sign + "ge", subject, low, width)
                    below = self.compare(sign + "le", subject, high, width)
                    if boolean(above) and boolean(below):
                        return item.body
                elif self.matches(s.kind, subject, self.value(label), width):
                    assert label.width == width
                    return item.body
        return s.default

    def matches(self, kind: str, a: Value, b: Value, width: int) -> bool:
        if kind == "case":
            return a == b
        if kind == "inside":
            return boolean(self.compare("weq", a, b, width)) == 1
        both = (a, b)
        ignore = a[1] | b[1] if kind == "casex" else both[0][0] & both[0][1] | both[1][0] & both[1][1]
        care = ones(width) & ~ignore
        return (a[0] & care, a[1] & care) == (b[0] & care, b[1] & care)


def call_function(function: d.Function, args: list[Value], statics: dict[d.Signal, Value] | None = None) -> Value:
    """Call a function with constant arguments and return its result."""
    caller = Frame({} if statics is None else statics)
    widths = [formal.bits for _, formal in function.args]
    exprs = tuple(d.Const(width, *arg) for width, arg in zip(widths, args, strict=True))
    width = function.result.bits if function.result is not None else 0
    return caller.value(d.Call(function, exprs, width))
