"""Write what class objects need: creation, properties, methods that the object chooses (IEEE 1800-2023 clause 8).

An object is a piece of memory: its class's number, its size, then its properties, the base class's first. A virtual
call is a switch on the class's number among the methods that can be meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass, field
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.draw_kernels import CYCLE_BYTES
from weft.engines.event.draw_targets import keeps_cycle
from weft.engines.event.layout import value_bytes
from weft.engines.event.value_types import type_of
from weft.engines.event.writer import Operand, Value, ir_type, mask, plane_bytes
from weft.ir.design import Class, Function, Signal
from weft.ir.expressions import Call, Ref

if TYPE_CHECKING:
    from weft.engines.event.code_program import ProgramCode

OBJECT_SEED = 16
OBJECT_HEADER = 32
"""The class's number, the size in bytes, the state of its random numbers, and a word for the collector."""


@dataclass(slots=True, eq=False)
class Classes:
    """Hold the layout of the design's classes."""

    program: ProgramCode
    classes: list[Class]
    _offsets: dict[Signal, int] = field(default_factory=dict[Signal, int])
    _cycles: dict[Signal, int] = field(default_factory=dict[Signal, int])
    _sizes: dict[Class, int] = field(default_factory=dict[Class, int])
    _numbers: dict[Class, int] = field(default_factory=dict[Class, int])

    def __post_init__(self) -> None:
        for number, found in enumerate(self.classes, 1):
            self._numbers[found] = number

    def size(self, found: Class) -> int:
        """Return the bytes of an object, placing its properties."""
        known = self._sizes.get(found)
        if known is None:
            known = self.size(found.base) if found.base is not None else OBJECT_HEADER
            for member in found.fields:
                known += 16
                self._offsets[member] = known
                known += (value_bytes(member) + 23) // 8 * 8
                if found.random.get(member.name) == "randc" and keeps_cycle(member):
                    self._cycles[member] = known
                    known += CYCLE_BYTES
            self._sizes[found] = known
        return known

    def field_offset(self, member: Signal) -> int:
        """Return where a property lies in its object."""
        if member not in self._offsets:
            for found in self.classes:
                self.size(found)
        return self._offsets[member]

    def cycle_offset(self, member: Signal) -> int | None:
        """Return where the values are noted that a `randc` property has had in its cycle; None if Python keeps them."""
        self.field_offset(member)
        return self._cycles.get(member)

    def derived(self, key: str) -> list[tuple[int, Class]]:
        """Return the class of a key and all that are derived from it, with their numbers."""
        return [
            (number, found)
            for found, number in self._numbers.items()
            if any(step.key == key for step in found.lineage())
        ]

    def allocate(self, f: FunctionCode, found: Class) -> Operand:
        """Write the creation of an object with properties of their default values; return its handle."""
        w = f.w
        size = self.size(found)
        handle = w.call("object_new", size, self._numbers[found], "%node", "%S")
        pointer = w.pointer(handle)
        for step in reversed(found.lineage()):
            for member in step.fields:
                if member.type.four_state and member.width:
                    for i in range(max(member.depth, 1)):
                        at = self._offsets[member] + i * 2 * plane_bytes(member.width) + plane_bytes(member.width)
                        w.store(w.address(pointer, at), mask(member.width), member.width)
        return handle

    def check_null(self, f: FunctionCode, handle: Operand) -> None:
        """Write the check of a handle that is used; null is 0, or 1 among events."""
        from weft.engines.event.code_host import stop_if

        stop_if(f, f.w.compare("ult", 64, handle, 2), "$weft$null")

    def candidates(self, method: Function) -> list[Function]:
        """Return the methods that a virtual call of one may mean: its own and those of derived classes."""
        return list(dict.fromkeys(found for _, found in self._choices(method)))

    def _choices(self, method: Function) -> list[tuple[int, Function]]:
        """Return, for each class that has the method, its number and the method that its objects use."""
        owner = next((found for found in self.classes if method in found.methods.values()), None)
        result: list[tuple[int, Function]] = []
        for found in self.classes:
            chain = found.lineage()[::-1]
            if owner is None or owner not in chain:
                continue
            used = next(step.methods[method.name] for step in chain if method.name in step.methods)
            result.append((self._numbers[found], used))
        return result

    def call_virtual(self, f: FunctionCode, call: Call) -> Value:
        """Write a virtual call of a function."""
        from weft.engines.event.code_calls import call_function

        width = call.width
        slots = [f.w.slot(width), f.w.slot(width)] if width else []

        def one(direct: Call) -> None:
            result = call_function(f, direct)
            for slot, plane in zip(slots, (result.bits, result.unknown), strict=False):
                f.w.do(f"store {ir_type(width)} {plane}, ptr {slot}")

        self.dispatch(f, call, one)
        if not slots:
            return Value(0, 0)
        kind = ir_type(width)
        return Value(width, f.w.emit(f"load {kind}, ptr {slots[0]}"), f.w.emit(f"load {kind}, ptr {slots[1]}"))

    def enter_virtual(self, f: FunctionCode, call: Call) -> None:
        """Write a virtual call of a task that can suspend in some class."""
        from weft.engines.event.code_calls import call_function, enter_task

        def one(direct: Call) -> None:
            if f.unit.program.suspensions.function(direct.function):
                enter_task(f, direct)
            else:
                call_function(f, direct)

        self.dispatch(f, call, one)

    def dispatch(self, f: FunctionCode, call: Call, one: Callable[[Call], None]) -> None:
        """Write a switch on the object's class, and by `one` the call of each method that it may mean."""
        from weft.engines.event.code_expressions import value

        w = f.w
        assert call.receiver is not None
        receiver = value(f, call.receiver)
        holder = Signal("receiver", 64, type_of(call.receiver), automatic=True, local=True)
        f.operands[holder] = receiver
        self.check_null(f, receiver.bits)
        number = w.load_word(w.pointer(receiver.bits), 0)
        choices = [(n, found) for n, found in self._choices(call.function) if found.body is not None]
        labels = {found: w.fresh("method") for _, found in choices}
        after, none = w.fresh("called"), w.fresh("nomethod")
        listed = " ".join(f"i64 {n}, label %{labels[found]}" for n, found in choices)
        w.do(f"switch i64 {number}, label %{none} [ {listed} ]")
        w.closed = True
        for found, label in labels.items():
            w.label(label)
            one(Call(found, call.args, call.width, call.span, Ref(holder)))
            w.jump(after)
        w.label(none)
        w.jump(after)
        w.label(after)
