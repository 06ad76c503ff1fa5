"""Interpret statements of the design on plain ints, one activation at a time: the 2-state meaning, written naively."""

from __future__ import annotations

from weft.ir.design import Assign, Block, Case, Evaluate, If, Jump, Loop, RepeatTimes, Statement
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
    Resize,
    Signal,
    Slice,
    Unary,
)
from weft.ir.ops import BY_NAME, mask, signed


class Jumped(Exception):  # control flow, not an error
    def __init__(self, kind: str, label: str = "") -> None:
        self.kind, self.label = kind, label


class Interpreter:
    """Hold the values of all signals; nonblocking assignments wait in `late`."""

    def __init__(self) -> None:
        self.values: dict[Signal, int] = {}
        self.late: list[tuple[Signal, int, int]] = []
        self.result: Signal | None = None

    def activate(self, body: Statement) -> None:
        self.execute(body)
        for signal, place, bit in self.late:
            self._put(signal, place, bit)
        self.late.clear()

    def _put(self, signal: Signal, place: int, bit: int) -> None:
        self.values[signal] = self.values.get(signal, 0) & ~(1 << place) | bit << place

    # ---------------------------------------------------------------------------------------- statements

    def execute(self, statement: Statement) -> None:
        match statement:
            case Block(body, label):
                try:
                    for each in body:
                        self.execute(each)
                except Jumped as jump:
                    if not label or (jump.kind, jump.label) != ("disable", label):
                        raise
            case Assign(lhs, rhs, now):
                self.assign(lhs, self.evaluate(rhs), now)
            case If(cond, then, other):
                if self.evaluate(cond):
                    self.execute(then)
                elif other is not None:
                    self.execute(other)
            case Case():
                self._case(statement)
            case Loop(cond, body, step, test_last):
                first = test_last
                try:
                    while first or self.evaluate(cond):
                        first = False
                        self._round(body)
                        for each in step:
                            self.execute(each)
                except Jumped as jump:
                    if jump.kind != "break":
                        raise
            case RepeatTimes(count, body):
                try:
                    for _ in range(self.evaluate(count)):
                        self._round(body)
                except Jumped as jump:
                    if jump.kind != "break":
                        raise
            case Jump(kind, label, value):
                if value is not None:
                    self.assign(Ref(self.result), self.evaluate(value))
                raise Jumped(kind, label)
            case Evaluate(value):
                self.evaluate(value)

    def _round(self, body: Statement) -> None:
        try:
            self.execute(body)
        except Jumped as jump:
            if jump.kind != "continue":
                raise

    def _case(self, case: Case) -> None:
        subject = self.evaluate(case.subject)
        for item in case.items:
            if any(self._matches(case.kind, subject, label) for label in item.labels):
                self.execute(item.body)
                return
        if case.default is not None:
            self.execute(case.default)

    def _matches(self, kind: str, subject: int, label) -> bool:
        if isinstance(label, tuple):
            return self.evaluate(label[0]) <= subject <= self.evaluate(label[1])
        if isinstance(label, Const) and label.unknown:
            wild = label.unknown if kind != "casez" else label.unknown & label.value
            if kind == "case" or label.unknown & ~wild:
                return False
            return not (subject ^ label.value) & ~wild
        return subject == self.evaluate(label)

    def assign(self, lhs: Expr, value: int, now: bool = True) -> None:
        if isinstance(lhs, Concat):
            for part in reversed(lhs.parts):
                self.assign(part, value & mask(part.width), now)
                value >>= part.width
            return
        signal, places = self._locate(lhs)
        for position, place in enumerate(places):
            if place is not None and now:
                self._put(signal, place, value >> position & 1)
            elif place is not None:
                self.late.append((signal, place, value >> position & 1))

    def _locate(self, lhs: Expr) -> tuple[Signal, list[int | None]]:
        """Return the signal that an lvalue names, and for each of its bits the signal's bit or None."""
        match lhs:
            case Ref(signal):
                return signal, list(range(signal.bits))
            case Element(signal, index):
                at = self.evaluate(index)
                inside = at < signal.depth
                return signal, [at * signal.width + k if inside else None for k in range(signal.width)]
            case Slice(value, offset, width):
                signal, outer = self._locate(value)
                at = offset if isinstance(offset, int) else signed(self.evaluate(offset), offset.width)
                return signal, [outer[k] if 0 <= k < len(outer) else None for k in range(at, at + width)]
        raise NotImplementedError(lhs)

    # ---------------------------------------------------------------------------------------- expressions

    def evaluate(self, expression: Expr) -> int:
        match expression:
            case Const(_, value, unknown):
                return value & ~unknown
            case Ref(signal):
                return self.values.get(signal, 0)
            case Element(signal, index):
                at = self.evaluate(index)
                return self.values.get(signal, 0) >> at * signal.width & mask(signal.width) if at < signal.depth else 0
            case Slice(value, offset, width):
                at = offset if isinstance(offset, int) else signed(self.evaluate(offset), offset.width)
                inner = self.evaluate(value)
                return (inner >> at if at >= 0 else inner << -at) & mask(width)
            case Resize(value, width, is_signed):
                inner = self.evaluate(value)
                return (signed(inner, value.width) if is_signed else inner) & mask(width)
            case Unary(op, value, width):
                return self._unary(op, self.evaluate(value), value.width, width)
            case Binary():
                return self._binary(expression)
            case Cond(cond, then, other):
                return self.evaluate(then if self.evaluate(cond) else other)
            case Concat(parts):
                value = 0
                for part in parts:
                    value = value << part.width | self.evaluate(part)
                return value
            case AssignExpr(lhs, rhs, _, post):
                old, new = self.evaluate(lhs), self.evaluate(rhs)
                self.assign(lhs, new)
                return old if post else new
            case Call():
                return self._call(expression)
        raise NotImplementedError(expression)

    def _unary(self, op: str, value: int, size: int, width: int) -> int:
        match op:
            case "not":
                return value ^ mask(size)
            case "neg":
                return -value & mask(size)
            case "lnot":
                return int(not value)
            case "redand" | "redor" | "redxor":
                return BY_NAME[op].evaluate([value], [size], 1, 0)
            case "countones":
                return value.bit_count() & mask(width)
            case "onehot":
                return int(value.bit_count() == 1)
            case "onehot0":
                return int(value.bit_count() <= 1)
            case "clog2":
                return max(value - 1, 0).bit_length()
        raise NotImplementedError(op)

    def _binary(self, expression: Binary) -> int:
        op, width = expression.op, expression.lhs.width
        a = self.evaluate(expression.lhs)
        if op == "land":
            return int(bool(a and self.evaluate(expression.rhs)))
        if op == "lor":
            return int(bool(a or self.evaluate(expression.rhs)))
        b = self.evaluate(expression.rhs)
        if op[1:] in ("le", "gt", "ge", "lt"):
            if op[0] == "s":
                a, b = signed(a, width), signed(b, width)
            return int({"le": a <= b, "gt": a > b, "ge": a >= b, "lt": a < b}[op[1:]])
        if op == "ne":
            return int(a != b)
        if op == "xnor":
            return a ^ b ^ mask(width)
        return BY_NAME[op].evaluate([a, b], [width, expression.rhs.width], expression.width, 0)

    def _call(self, call: Call) -> int:
        function, saved, outer = call.function, dict(self.values), self.result
        pairs = list(zip(function.args, call.args, strict=True))
        actuals = [0 if way == "output" else self.evaluate(arg) for (way, _), arg in pairs]
        own = [formal for _, formal in function.args] + function.locals
        own += [function.result] if function.result is not None else []
        for signal in own:
            if signal.automatic:
                self.values[signal] = 0
        for (way, formal), actual in zip(function.args, actuals, strict=True):
            if way != "output":
                self.values[formal] = actual
        self.result = function.result
        try:
            self.execute(function.body)
        except Jumped as jump:
            if jump.kind != "return" and (jump.kind, jump.label) != ("disable", function.name):
                raise
        result = self.values.get(function.result, 0) if function.result is not None else 0
        outputs = [(arg, self.values.get(formal, 0)) for (way, formal), arg in pairs if way != "input"]
        for signal in own:
            if signal.automatic:
                self.values[signal] = saved.get(signal, 0)
        self.result = outer
        for arg, value in outputs:
            self.assign(arg, value)
        return result
