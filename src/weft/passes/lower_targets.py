"""Assignments: from an lvalue and a node to pieces of variables and to memory writes.

An lvalue is first *frozen*, its indices evaluated once. What then has a constant position is written in place. A
variable index into a small array becomes one conditional write for each element (so that each stays a register of its
own, with its own enable); any other variable offset reads, inserts and writes back the part of the variable that it may
reach. Bits outside the target are dropped (IEEE 1800-2023 11.5.1), and an unknown index writes nothing (7.4.5).
"""

from __future__ import annotations

from functools import partial

from weft.base.dataclass import dataclass
from weft.base.errors import InternalError
from weft.ir.expressions import Concat, Const, Element, Expr, Ref, Signal, Slice
from weft.ir.ops import mask, signed
from weft.passes.fragment import ClockedMemory
from weft.passes.lower_expressions import Evaluator
from weft.passes.module_context import ModuleContext
from weft.passes.symbolic_state import Environment, Variable

DECODED_DEPTH = 64
"""A variable index into an array of at most this many elements writes them one by one."""

WHOLE_MEMORY_BITS = 1 << 14
"""The largest memory that can be read as one value."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Be an expression that was evaluated already."""

    node: int
    width: int


Place = tuple[Variable, int, int]
"""A target with a constant position: variable, low bit, width."""


class Writer(Evaluator):
    """Assign to variables and memories in the environment of process number `process`."""

    def __init__(self, context: ModuleContext, environment: Environment, process: int, trigger: int) -> None:
        super().__init__(context, environment)
        self.process, self.trigger = process, trigger
        self.blocking_writes: list[ClockedMemory] = []
        self.nonblocking_writes: list[ClockedMemory] = []
        self._methods[Known] = lambda known: known.node

    def assign(self, lhs: Expr, value: int, nonblocking: bool = False) -> None:
        """Assign a node as wide as `lhs`."""
        match lhs:
            case Ref(signal, path):
                variable = self.variable(signal, path)
                if variable.memory:
                    self._fill(variable, value, nonblocking)
                else:
                    self.environment.write(self._target(variable, nonblocking), 0, value)
            case Concat(parts):
                low = 0
                for part in reversed(parts):
                    self.assign(part, self.builder.slice(value, low, part.width), nonblocking)
                    low += part.width
            case Element() | Slice():
                self._assign_part(self.freeze(lhs), value, nonblocking)
            case _:
                raise InternalError(f"{type(lhs).__name__} as an assignment's target")

    def _target(self, variable: Variable, nonblocking: bool) -> Variable:
        """Return the variable itself, or the twin that collects its nonblocking assignments."""
        if not nonblocking:
            return variable
        twin = variable.pending
        if twin is None:
            twin = variable.pending = self.environment.variable(variable.signal, variable.path, variable.width)
            twin.origin = partial(self.environment.read, variable)
        return twin

    def freeze(self, lhs: Expr) -> Expr:
        """Return an lvalue with its indices evaluated."""
        match lhs:
            case Element(signal, index, path):
                return Element(signal, self._evaluated(index), path)
            case Slice(value, offset, width):
                outer = self.freeze(value)
                if isinstance(offset, int):
                    return Slice(outer, offset, width)
                node = self.evaluate(offset)
                known = self.builder.value(node)
                at = Known(node, offset.width) if known is None else signed(known, self.builder.width[node])
                return Slice(outer, at, width)  # type: ignore[arg-type]
            case _:
                return lhs

    def _evaluated(self, expression: Expr) -> Expr:
        node = self.evaluate(expression)
        known = self.builder.value(node)
        if known is not None:
            return Const(expression.width, known)
        return Known(node, self.builder.width[node])  # type: ignore[return-value]

    def place(self, lhs: Expr, nonblocking: bool = False) -> Place | None:
        """Return the constant position of a frozen lvalue, or None if it has none."""
        match lhs:
            case Ref(signal, path) if not (variable := self.variable(signal, path)).memory:
                return self._target(variable, nonblocking), 0, variable.width
            case Element(signal, Const(_, index), path) if not (variable := self.variable(signal, path)).memory:
                inside = index < signal.depth
                return self._target(variable, nonblocking), index * signal.width, signal.width if inside else 0
            case Slice(value, int(offset), width) if 0 <= offset <= value.width - width:
                outer = self.place(value, nonblocking)
                return (outer[0], outer[1] + offset, min(width, outer[2])) if outer else None
            case _:
                return None

    def _assign_part(self, lhs: Expr, value: int, nonblocking: bool) -> None:
        place = self.place(lhs, nonblocking)
        if place is not None:
            variable, low, width = place
            if width:
                self.environment.write(variable, low, value)
            return
        match lhs:
            case Element(signal, index, path):
                variable = self.variable(signal, path)
                if variable.memory:
                    self._write_memory(variable, self.evaluate(index), value, -1, nonblocking)
                elif signal.depth <= DECODED_DEPTH:
                    self._assign_each(variable, self.evaluate(index), 0, value, nonblocking)
                else:
                    offset = self.scale(self.evaluate(index), signal.width)
                    self._insert(Ref(signal, path), offset, value, nonblocking)
            case Slice(outer, int(offset), width) if offset < 0 or offset + width > outer.width:
                start, stop = max(offset, 0), min(offset + width, outer.width)
                if start < stop:
                    part = self.builder.slice(value, start - offset, stop - start)
                    self._assign_part(Slice(outer, start, stop - start), part, nonblocking)
            case Slice():
                self._assign_slice(lhs, value, nonblocking)
            case _:
                raise InternalError(f"{type(lhs).__name__} as an assignment's target")

    def _assign_slice(self, lhs: Slice, value: int, nonblocking: bool) -> None:
        root: Expr = lhs
        while isinstance(root, Slice):
            root = root.value
        if isinstance(root, Element):
            variable = self.variable(root.signal, root.path)
            if variable.memory:
                ones = self.builder.const(lhs.width, mask(lhs.width))
                bits, chosen = self._widen(lhs, value), self._widen(lhs, ones)
                self._write_memory(variable, self.evaluate(root.index), bits, chosen, nonblocking)
                return
            if lhs.value is root and isinstance(lhs.offset, int) and root.signal.depth <= DECODED_DEPTH:
                self._assign_each(variable, self.evaluate(root.index), lhs.offset, value, nonblocking)
                return
        self._insert(lhs.value, self._offset(lhs), value, nonblocking)

    def _offset(self, lhs: Slice) -> int:
        if isinstance(lhs.offset, int):
            return self.builder.const(33, lhs.offset & mask(33))
        return self.evaluate(lhs.offset)

    def _assign_each(self, variable: Variable, index: int, offset: int, value: int, nonblocking: bool) -> None:
        """Write an element of a small array: each one where the index says so."""
        signal, builder, environment = variable.signal, self.builder, self.environment
        target = self._target(variable, nonblocking)
        size = builder.width[index]
        reachable = min(signal.depth, 1 << size)
        equal = "ceq" if self.four_state else "eq"
        conditions = [builder.add(equal, 1, index, builder.const(size, k)) for k in range(reachable)]
        bodies = [partial(environment.write, target, k * signal.width + offset, value) for k in range(reachable)]
        complete = reachable == 1 << size and not self.four_state
        environment.select(conditions, bodies, None, exclusive=True, complete=complete)

    def _insert(self, lhs: Expr, offset: int, value: int, nonblocking: bool) -> None:
        """Read what surrounds a part at a variable offset, insert the part and write all back."""
        old = self._present(lhs, nonblocking)
        new = self.builder.add("insert", self.builder.width[old], old, offset, value)
        self._assign_part(lhs, new, nonblocking)

    def _present(self, lhs: Expr, nonblocking: bool) -> int:
        """Return what a frozen lvalue holds, nonblocking assignments so far included if `nonblocking`."""
        place = self.place(lhs, nonblocking)
        if place is not None:
            variable, low, width = place
            return self.environment.read(variable, low, width) if width else self.outside(lhs.width)
        match lhs:
            case Element(signal, index, path):
                outer = self._present(Ref(signal, path), nonblocking)
                return self.builder.add("extract", lhs.width, outer, self.scale(self.evaluate(index), signal.width))
            case Slice(value, _, width):
                return self.builder.add("extract", width, self._present(value, nonblocking), self._offset(lhs))
            case _:
                raise InternalError(f"{type(lhs).__name__} as an assignment's target")

    # --------------------------------------------------------------------------------------------- memories

    def _widen(self, lhs: Expr, value: int) -> int:
        """Return a part of a memory element as a whole element, 0 elsewhere."""
        while isinstance(lhs, Slice):
            zero = self.builder.const(lhs.value.width, 0)
            value = self.builder.add("insert", lhs.value.width, zero, self._offset(lhs), value)
            lhs = lhs.value
        return value

    def _write_memory(
        self, variable: Variable, address: int, value: int, chosen: int, nonblocking: bool, count: int = 1
    ) -> None:
        if self.trigger < 0:
            raise self.unsupported(f"an assignment to the memory '{variable.signal.name}' outside a clocked process")
        known = self.builder.value(address)
        if known is not None and known >= variable.signal.depth:
            return
        use, enable = self.context.use(variable.signal, variable.path), self.environment.path()
        writes = self.nonblocking_writes if nonblocking else self.blocking_writes
        place = (self.trigger, self.process, chosen, count, self.span)
        writes.append(ClockedMemory(use, address, value, enable, *place, blocking=not nonblocking))

    def _fill(self, variable: Variable, value: int, nonblocking: bool) -> None:
        """Write a value to a whole memory: one write if all elements get the same."""
        signal, builder = variable.signal, self.builder
        zero = builder.const(max(signal.depth.bit_length(), 1), 0)
        parts = {builder.slice(value, k * signal.width, signal.width) for k in range(signal.depth)}
        if len(parts) == 1:
            self._write_memory(variable, zero, parts.pop(), -1, nonblocking, signal.depth)
            return
        for k in range(signal.depth):
            part = builder.slice(value, k * signal.width, signal.width)
            address = builder.const(max(signal.depth.bit_length(), 1), k)
            self._write_memory(variable, address, part, -1, nonblocking)

    def fill_range(self, signal: Signal, first: int, count: int, value: int, nonblocking: bool) -> None:
        """Write one value to `count` consecutive elements of a memory."""
        variable = self.variable(signal, ())
        address = self.builder.const(max(signal.depth.bit_length(), 1), first)
        self._write_memory(variable, address, value, -1, nonblocking, count)

    def read_memory(self, variable: Variable, address: int) -> int:
        """Return an element, blocking writes of this process so far included."""
        signal, builder = variable.signal, self.builder
        known = builder.value(address)
        if known is not None and known >= signal.depth:
            return self.outside(signal.width)
        variable.read_first = 1
        use = self.context.use(signal, variable.path)
        value = builder.memread(use, address)
        for write in self.blocking_writes:
            if write.target == use:
                value = self._forward(write, address, value)
        return value

    def _forward(self, write: ClockedMemory, address: int, value: int) -> int:
        builder, environment = self.builder, self.environment
        width = builder.width[value]
        size = max(builder.width[address], builder.width[write.address]) + 1
        here, there = self.resize(address, size, False), self.resize(write.address, size, False)
        if write.count > 1:
            below = builder.add("ult", 1, here, there)
            end = builder.add("add", size, there, builder.const(size, write.count))
            hit = builder.add("and", 1, self.negate(below), builder.add("ult", 1, here, end))
        else:
            hit = builder.add("eq", 1, here, there)
        new = write.value
        if write.mask >= 0:
            kept = builder.add("and", width, value, builder.add("not", width, write.mask))
            new = builder.add("or", width, kept, builder.add("and", width, new, write.mask))
        return environment.mux(builder.add("and", 1, write.enable, self.truth(hit)), new, value)

    def read_memory_whole(self, variable: Variable) -> int:
        """Return all elements side by side, if they are not too many."""
        signal = variable.signal
        if signal.bits > WHOLE_MEMORY_BITS:
            raise self.unsupported(f"reading the memory '{signal.name}' of {signal.bits} bits as one value")
        size = max(signal.depth.bit_length(), 1)
        return self.builder.concat(
            [self.read_memory(variable, self.builder.const(size, k)) for k in range(signal.depth)]
        )
