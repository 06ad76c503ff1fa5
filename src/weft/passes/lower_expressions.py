"""Expressions of the design to nodes of the graph.

`Evaluator` reads variables through the process's symbolic environment, so an expression sees what the statements before
it have assigned. Where only one operand is evaluated (`?:`, `&&`, `||`: IEEE 1800-2023 11.3.5) the operands are run as
branches, so that assignments and calls inside them happen only there.

In a 2-state graph an unknown bit of a constant is 0, except where it has a meaning of its own: `===` with an x never
holds, and `==?` takes it as a wildcard.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

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
    Ref,
    Repeat,
    Resize,
    Signal,
    Slice,
    SystemCall,
    Text,
    Unary,
)
from weft.ir.ops import mask, signed
from weft.passes.module_context import ModuleContext
from weft.passes.side_effects import may_act
from weft.passes.symbolic_state import Environment, Variable

_DIRECT = {"add", "sub", "mul", "udiv", "sdiv", "umod", "smod", "and", "or", "xor"}
_SHIFTS = {"shl", "lshr", "ashr", "upow", "spow"}
_COMPARISONS = {  # name: (op, operands swapped, result complemented)
    "eq": ("eq", False, False),
    "ne": ("eq", False, True),
    "ult": ("ult", False, False),
    "ugt": ("ult", True, False),
    "ule": ("ult", True, True),
    "uge": ("ult", False, True),
    "slt": ("slt", False, False),
    "sgt": ("slt", True, False),
    "sle": ("slt", True, True),
    "sge": ("slt", False, True),
}


class Evaluator(ABC):
    """Turn expressions into nodes, in the environment of one process."""

    def __init__(self, context: ModuleContext, environment: Environment) -> None:
        self.context, self.environment = context, environment
        self.builder = context.builder
        self.four_state = context.builder.four_state
        self.span: Span = NOWHERE
        self.scope: dict[Signal, Variable] = {}
        self.held: dict[tuple[Signal, tuple[str, ...]], int] = {}
        self.reader = -1
        """The trigger of the clocked process that reads."""
        self.logic = -1
        """The number of the assignment, combinational procedure or connection that reads."""
        self.variables: dict[Signal | tuple[Signal, tuple[str, ...]], Variable] = {}
        self._methods: dict[type, Callable[[Any], int]] = {
            Const: self._const,
            Text: self._text,
            Ref: self._ref,
            Element: self._element,
            Slice: self._slice,
            Resize: self._resize,
            Unary: self._unary,
            Binary: self._binary,
            Cond: self._cond,
            Concat: self._concat,
            Repeat: self._repeat,
            Call: self.call,
            SystemCall: self.system_call,
            AssignExpr: self.assign_expression,
        }

    def evaluate(self, expression: Expr) -> int:
        """Return the node of an expression's present value."""
        return self._methods[type(expression)](expression)

    def condition(self, expression: Expr) -> int:
        """Return 1 if the expression is true; an unknown one is not (IEEE 1800-2023 12.4)."""
        return self.truth(self.evaluate(expression))

    def truth(self, node: int) -> int:
        """Return 1 if some bit of a node is a known 1."""
        if self.four_state:
            return self.builder.add("true", 1, node)
        return self.boolean(node)

    def boolean(self, node: int) -> int:
        """Return the OR of a node's bits, possibly x."""
        return node if self.builder.width[node] == 1 else self.builder.add("redor", 1, node)

    def negate(self, node: int) -> int:
        """Return the complement of a bit."""
        return self.builder.add("not", 1, node)

    def unsupported(self, what: str, span: Span = NOWHERE) -> Unsupported:
        """Return the error for something that is legal and not built yet."""
        return Unsupported(what, self.span if span.file < 0 else span)

    # ---------------------------------------------------------------------------------------------- variables

    def variable(self, signal: Signal, path: tuple[str, ...]) -> Variable:
        """Return the process's view of a signal."""
        found = self.scope.get(signal) or self.variables.get((signal, path) if path else signal)
        if found is None:
            found = self.environment.variable(signal, path, signal.bits)
            if signal.automatic:
                found.private = True
                found.origin = self._unknown(signal)
            else:
                self.context.attach(found, self.held.get((signal, path), 0), self.reader, self.logic)
            self.variables[(signal, path) if path else signal] = found
        return found

    def fresh(self, signal: Signal) -> Variable:
        """Return a new variable for an automatic signal of a call that begins."""
        variable = self.environment.variable(signal, (), signal.bits)
        variable.private = True
        variable.origin = self._unknown(signal)
        return variable

    def _unknown(self, signal: Signal) -> Callable[[int, int], int]:
        """Return the origin of an automatic variable: x, or 0 for a 2-state type (IEEE 1800-2023 table 6-7)."""
        const = self.builder.const
        if signal.type.four_state:
            return lambda low, width: const(width, 0, mask(width))
        return lambda low, width: const(width, 0)

    def _ref(self, expression: Ref) -> int:
        variable = self.variable(expression.signal, expression.path)
        if variable.memory:
            return self.read_memory_whole(variable)
        return self.environment.read(variable, 0, variable.width)

    def _element(self, expression: Element) -> int:
        signal = expression.signal
        variable = self.variable(signal, expression.path)
        index = self.evaluate(expression.index)
        if variable.memory:
            return self.read_memory(variable, index)
        known = self.builder.value(index)
        if known is not None:
            if known >= signal.depth:
                return self.outside(signal.width)
            return self.environment.read(variable, known * signal.width, signal.width)
        whole = self.environment.read(variable, 0, variable.width)
        return self.builder.add("extract", signal.width, whole, self.scale(index, signal.width))

    def outside(self, width: int) -> int:
        """Return what bits outside a value read as."""
        return self.builder.const(width, 0, mask(width))

    def scale(self, index: int, width: int) -> int:
        """Return an unsigned index times an element's width as a signed bit offset that cannot overflow."""
        builder = self.builder
        if width & (width - 1) == 0:
            shift = width.bit_length() - 1
            parts = [builder.const(shift, 0)] if shift else []
            return builder.concat([*parts, index, builder.const(1, 0)])
        size = builder.width[index] + width.bit_length() + 1
        return builder.add("mul", size, builder.add("zext", size, index), builder.const(size, width))

    def _slice(self, expression: Slice) -> int:
        offset = expression.offset
        if not isinstance(offset, int):
            node = self.evaluate(offset)
            known = self.builder.value(node)
            if known is None:
                return self.builder.add("extract", expression.width, self.evaluate(expression.value), node)
            offset = signed(known, self.builder.width[node])
        return self._static_slice(expression.value, offset, expression.width)

    def _static_slice(self, value: Expr, low: int, width: int) -> int:
        total = value.width
        if low < 0 or low + width > total:
            start, stop = max(low, 0), min(low + width, total)
            if start >= stop:
                if may_act(value):
                    self.evaluate(value)
                return self.outside(width)
            below, above = start - low, low + width - stop
            parts = [self.outside(below)] if below else []
            parts.append(self._static_slice(value, start, stop - start))
            return self.builder.concat([*parts, self.outside(above)] if above else parts)
        if isinstance(value, Slice) and isinstance(value.offset, int):
            inner = value.offset + low
            if inner >= 0 and inner + width <= value.value.width:
                return self._static_slice(value.value, inner, width)
        if isinstance(value, Ref):
            variable = self.variable(value.signal, value.path)
            if not variable.memory:
                return self.environment.read(variable, low, width)
        return self.builder.slice(self.evaluate(value), low, width)

    # ---------------------------------------------------------------------------------------------- operators

    def _const(self, expression: Const) -> int:
        return self.builder.const(expression.width, expression.value, expression.unknown)

    def _text(self, expression: Text) -> int:
        data = text_bytes(expression.value) or b"\0"
        return self.builder.const(8 * len(data), int.from_bytes(data, "big"))

    def _resize(self, expression: Resize) -> int:
        return self.resize(self.evaluate(expression.value), expression.width, expression.signed)

    def resize(self, node: int, width: int, is_signed: bool) -> int:
        """Return a node truncated or extended."""
        have = self.builder.width[node]
        if width <= have:
            return self.builder.slice(node, 0, width)
        return self.builder.add("sext" if is_signed else "zext", width, node)

    def _concat(self, expression: Concat) -> int:
        nodes = [self.evaluate(part) for part in expression.parts if part.width]
        nodes.reverse()
        return self.builder.concat(nodes)

    def _repeat(self, expression: Repeat) -> int:
        return self.builder.concat([self.evaluate(expression.value)] * expression.count)

    def _unary(self, expression: Unary) -> int:
        builder, width = self.builder, expression.width
        node = self.evaluate(expression.value)
        size = builder.width[node]
        match expression.op:
            case "not":
                return builder.add("not", size, node)
            case "neg":
                return builder.add("sub", size, builder.const(size, 0), node)
            case "lnot":
                return self.negate(self.boolean(node))
            case "redand" | "redor" | "redxor":
                return builder.add(expression.op, 1, node)
            case "isunknown":
                return builder.add("isx", 1, node) if self.four_state else builder.const(1, 0)
            case "known":
                return self.known(node)
            case "countones":
                return builder.add("popcount", width, self.known(node))
            case "onehot" | "onehot0":
                return self._onehot(self.known(node), expression.op == "onehot")
            case "clog2":
                return self._clog2(node, width)
            case _:
                raise InternalError(f"unary operator {expression.op}")

    def known(self, node: int) -> int:
        """Return a node with 0 for its x and z bits."""
        return self.builder.add("known", self.builder.width[node], node) if self.four_state else node

    def _onehot(self, node: int, exactly: bool) -> int:
        """Return whether at most one bit is set: clearing the lowest one leaves nothing."""
        builder, size = self.builder, self.builder.width[node]
        others = builder.add("and", size, node, builder.add("sub", size, node, builder.const(size, 1)))
        result = self.negate(self.boolean(others))
        return builder.add("and", 1, result, self.boolean(node)) if exactly else result

    def _clog2(self, node: int, width: int) -> int:
        """Return the length of `node - 1`: smear its highest 1 downwards and count (IEEE 1800-2023 20.8.1)."""
        builder, size = self.builder, self.builder.width[node]
        smear = builder.add("sub", size, node, builder.const(size, 1))
        step = 1
        while step < size:
            smear = builder.add("or", size, smear, builder.add("lshr", size, smear, builder.const(32, step)))
            step *= 2
        count = builder.add("popcount", width, smear)
        return builder.add("mux", width, self.boolean(node), count, builder.const(width, 0))

    def _binary(self, expression: Binary) -> int:
        op, builder = expression.op, self.builder
        if op in ("land", "lor"):
            return self._short_circuit(expression.lhs, expression.rhs, op == "land")
        if op in ("ceq", "cne", "weq", "wne"):
            lhs = self.evaluate(expression.lhs)
            result = self.match_label(lhs, expression.rhs, wild=op[0] == "w")
            return result if op.endswith("eq") else self.negate(result)
        lhs, rhs = self.evaluate(expression.lhs), self.evaluate(expression.rhs)
        if op in _DIRECT or op in _SHIFTS:
            return builder.add(op, expression.width, lhs, rhs)
        if op == "xnor":
            return builder.add("not", expression.width, builder.add("xor", expression.width, lhs, rhs))
        name, swapped, complemented = _COMPARISONS[op]
        node = builder.add(name, 1, rhs, lhs) if swapped else builder.add(name, 1, lhs, rhs)
        return self.negate(node) if complemented else node

    def match_label(self, subject: int, label: Expr, wild: bool) -> int:
        """Return `subject ==? label` or `subject === label`."""
        builder = self.builder
        constant = self.constant(label)
        if self.four_state:
            return builder.add("weq" if wild else "ceq", 1, subject, self.evaluate(label))
        if constant is None or not constant.unknown:
            return builder.add("eq", 1, subject, self.evaluate(label))
        return (
            self.match_bits(subject, constant.value, mask(constant.width) & ~constant.unknown)
            if wild
            else (builder.const(1, 0))
        )

    def match_bits(self, subject: int, value: int, care: int) -> int:
        """Return whether the bits of `care` equal those of `value`."""
        builder, width = self.builder, self.builder.width[subject]
        if not care:
            return builder.const(1, 1)
        low, high = (care & -care).bit_length() - 1, care.bit_length()
        if care == mask(high) - mask(low):
            wanted = builder.const(high - low, (value & care) >> low)
            return builder.add("eq", 1, builder.slice(subject, low, high - low), wanted)
        masked = builder.add("and", width, subject, builder.const(width, care))
        return builder.add("eq", 1, masked, builder.const(width, value & care))

    def constant(self, expression: Expr) -> Const | None:
        """Return an expression that is made of constants as one, unknown bits kept."""
        match expression:
            case Const():
                return expression
            case Resize(value, width, is_signed):
                inner = self.constant(value)
                if inner is None:
                    return None
                if width > inner.width and is_signed:
                    bits = signed(inner.value, inner.width), signed(inner.unknown, inner.width)
                    return Const(width, bits[0] & mask(width), bits[1] & mask(width))
                return Const(width, inner.value & mask(width), inner.unknown & mask(width))
            case Concat(parts) if all(isinstance(part, Const | Concat | Repeat | Resize) for part in parts):
                return self._join_constants(tuple(self.constant(part) for part in parts))
            case Repeat(count, value):
                return self._join_constants((self.constant(value),) * count)
            case _:
                return None

    def _join_constants(self, parts: tuple[Const | None, ...]) -> Const | None:
        width = value = unknown = 0
        for part in parts:
            if part is None:
                return None
            width += part.width
            value, unknown = value << part.width | part.value, unknown << part.width | part.unknown
        return Const(width, value, unknown)

    # ------------------------------------------------------------------------------------------- conditional

    def _cond(self, expression: Cond) -> int:
        cond = self.boolean(self.evaluate(expression.cond))
        known = self.builder.value(cond)
        if known is not None:
            return self.evaluate(expression.then if known else expression.other)
        then, other = self.branches(cond, expression.then, expression.other)
        return (
            then
            if then == other and not self.four_state
            else (self.builder.add("mux", expression.width, cond, then, other))
        )

    def branches(self, cond: int, then: Expr, other: Expr | None) -> tuple[int, int]:
        """Evaluate two operands of which only one happens, or both if the condition is x; -1 for a missing one."""
        select, results = self.environment.select, [-1, -1]

        def run(arm: int, operand: Expr) -> Callable[[], None]:
            def body() -> None:
                results[arm] = self.evaluate(operand)

            return body

        if not self.four_state:
            select([cond], [run(0, then)], run(1, other) if other is not None else None, exclusive=False)
        else:
            select([self.negate(self.truth(self.negate(cond)))], [run(0, then)], None, exclusive=True)
            if other is not None:
                select([self.negate(self.truth(cond))], [run(1, other)], None, exclusive=True)
        return results[0], results[1]

    def _short_circuit(self, lhs: Expr, rhs: Expr, conjunctive: bool) -> int:
        first = self.boolean(self.evaluate(lhs))
        known = self.builder.value(first)
        if known is not None:
            if bool(known) != conjunctive:
                return first
            return self.boolean(self.evaluate(rhs))
        guard = first if conjunctive else self.negate(first)
        second = self.boolean(self.branches(guard, rhs, None)[0])
        return self.builder.add("and" if conjunctive else "or", 1, first, second)

    # --------------------------------------------------------------------------- what statements and memories add

    @abstractmethod
    def read_memory(self, variable: Variable, address: int) -> int:
        """Return the present value of a memory element."""

    @abstractmethod
    def read_memory_whole(self, variable: Variable) -> int:
        """Return all elements of a memory side by side."""

    @abstractmethod
    def call(self, expression: Call) -> int:
        """Run a function and return its result."""

    @abstractmethod
    def system_call(self, expression: SystemCall) -> int:
        """Return the value of a system function."""

    @abstractmethod
    def assign_expression(self, expression: AssignExpr) -> int:
        """Assign, and return the new or the old value."""
