"""Say what a plain `randomize` draws for a dynamic array or queue: its size, and each element (IEEE 1800-2023 18.4).

The size is a variable of the choice if constraints speak of it, else it stays as it is. All elements are drawn by one
loop; what `foreach` constraints say of an element becomes constraints on a variable that stands for it, with the index
in another one. That is right as long as no constraint joins elements with each other or with other random variables.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import dataclass, field
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.container_layout import ContainerLayout, in_memory
from weft.engines.event.draw_targets import Known, has_words, unroll
from weft.engines.event.value_types import WORDS
from weft.ir.constraints import Constraint, ForEach, constraint_expressions
from weft.ir.design import Expr, Signal, Type
from weft.ir.expressions import Field, Item, Ref, SystemCall
from weft.ir.walk import subexpressions

_INT = Type("int", 32, signed=True, four_state=False)


@dataclass(slots=True, eq=False)
class ArrayTarget:
    """Be a random property that is a dynamic array or queue of vectors."""

    member: Signal
    layout: ContainerLayout
    size: Signal
    element: Signal
    index: Signal
    sized: bool = False
    """Whether constraints speak of the size."""
    items: list[Constraint] = field(default_factory=list[Constraint])
    """The constraints on an element."""

    @property
    def plain(self) -> bool:
        """Say whether all bits of the elements are random, and side by side."""
        element = self.layout.element
        whole = element.width == 8 * self.layout.step and not element.four_state
        return whole and not self.items and element.type.kind != "enum"


def array_target(f: FunctionCode, member: Signal) -> ArrayTarget | None:
    """Return what is drawn of a property, if it is a container that compiled code can fill."""
    kind = member.type
    element = kind.element
    if kind.kind not in ("dynamic", "queue") or kind.unpacked or member.depth or element is None or not in_memory(kind):
        return None
    if element.kind in WORDS or element.unpacked or has_words(element) or not 0 < element.width <= 64:
        return None
    if element.kind == "enum" and (not element.enum_values or element.width == 64):
        return None
    layout = f.unit.program.containers.layout(kind)
    if layout.limit:
        return None
    size, index = (Signal(name, 32, _INT, 0, True, automatic=True, local=True) for name in ("size$", "index$"))
    one = Signal("element$", element.width, element, 0, element.signed, automatic=True, local=True)
    return ArrayTarget(member, layout, size, one, index)


def part_constraints(
    arrays: Sequence[ArrayTarget], items: Sequence[Constraint], holders: Sequence[Signal]
) -> tuple[Constraint, ...] | None:
    """Give the arrays the constraints on their elements; return the others, or None if Python has to choose."""
    members = {array.member: array for array in arrays}
    found: list[Constraint] = []
    for item in items:
        array = _array_of(item.array, members, holders) if isinstance(item, ForEach) and not item.bounds else None
        if isinstance(item, ForEach) and array is not None:
            body = unroll(item.body, _known(members, holders, array, item.index))
            if body is None:
                return None
            array.items += body
        else:
            rest = unroll((item,), _known(members, holders))
            if rest is None:
                return None
            found += rest
    for expression in constraint_expressions(tuple(found)):
        if any(isinstance(part, Field) and part.member in members for part in subexpressions(expression)):
            return None
    return tuple(found)


def _array_of(expression: Expr, members: dict[Signal, ArrayTarget], holders: Sequence[Signal]) -> ArrayTarget | None:
    match expression:
        case Field(Ref(holder), member) if holder in holders:
            return members.get(member)
        case _:
            return None


def _known(
    members: dict[Signal, ArrayTarget],
    holders: Sequence[Signal],
    array: ArrayTarget | None = None,
    index: Signal | None = None,
) -> Known:
    """Return what is put into constraints: variables for sizes, and for the element and index of a loop."""

    def swap(expression: Expr) -> Expr | None:
        match expression:
            case SystemCall("array.size" | "array.num", (container,)):
                sized = _array_of(container, members, holders)
                if sized is None:
                    return None
                sized.sized = True
                return Ref(sized.size)
            case Item(container, Ref(at)) if array is not None and at is index:
                return Ref(array.element) if _array_of(container, members, holders) is array else None
            case Ref(at) if array is not None and at is index:
                return Ref(array.index)
            case _:
                return None

    return Known({}, swap)
