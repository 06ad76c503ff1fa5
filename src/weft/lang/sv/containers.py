"""Dynamic and associative arrays and queues (IEEE 1800-2023 7.5 to 7.10): literals, joins, selects, methods.

A container is a word; an element of it an `Item`. What makes or changes one is an `array.*` call. An index that is out
of range reads the default of the element's type, so that what is read of a 2-state element is made 0 there.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.design import Binary, Expr, Item, SystemCall, Unary
from weft.lang.sv.build import concat, constant, resize
from weft.lang.sv.constants import index_value
from weft.lang.sv.dispatch import lvalue_of, value_of
from weft.lang.sv.ownership import array_parts, assigned, literal, own, typed
from weft.lang.sv.shapes import known_parts
from weft.lang.sv.side_effects import held_value
from weft.lang.sv.strings import character, to_string
from weft.lang.sv.types import ARRAY, CONTAINER, PACKED, REAL, STRING, Layout

if TYPE_CHECKING:
    from weft.lang.sv.state import State

# ------------------------------------------------------------------------------------------------- making containers


def convert_new_array(state: State, node: ast.Expression) -> Expr:
    """Convert `new[size]` or `new[size](source)`."""
    made = cast("ast.NewArrayExpression", node)
    size, source = made.sizeExpr, made.initExpr
    args, types = [value_of(state, size)], [None]
    described = state.context.describe(node.type)
    if source is not None:
        args.append(assigned(state, source, node.type))
    return SystemCall(
        "array.new",
        tuple(args),
        64,
        span=state.context.span(node),
        type=described,
        signs=(state.layout(size.type).signed, False)[: len(args)],
        types=(*types, described)[: len(args)],
    )


def container_pattern(state: State, node: ast.AssignmentPatternExpressionBase) -> Expr:
    """Convert an assignment pattern to a container (IEEE 1800-2023 10.9.1)."""
    layout, described = state.layout(node.type), state.context.describe(node.type)
    held = node.type.canonicalType.arrayElementType
    assert layout.element is not None
    if layout.container == "assoc" and isinstance(node, ast.StructuredAssignmentPatternExpression):
        return _associative_pattern(state, node, layout)
    elements = list(node.elements)
    if isinstance(node, ast.ReplicatedAssignmentPatternExpression):
        count = index_value(node.count)
        if count is None:
            state.context.unsupported("a replicated pattern whose count is not constant", node)
        elements *= count
    return literal([assigned(state, element, held) for element in elements], described, layout)


def _associative_pattern(state: State, node: ast.StructuredAssignmentPatternExpression, layout: Layout) -> Expr:
    described = state.context.describe(node.type)
    held = node.type.canonicalType.arrayElementType
    default = node.defaultSetter
    args: list[Expr] = []
    for setter in node.indexSetters:
        args += value_of(state, setter.index), assigned(state, setter.expr, held)
    types = (described.element, *((described.key, described.element) * len(node.indexSetters)))
    if default is not None:
        args.insert(0, _default(state, default, held))
    name = "array.literal" if default is None else "array.literal_default"
    return SystemCall(
        name, tuple(args), 64, span=state.context.span(node), type=described, types=types[len(types) - len(args) :]
    )


def join_containers(state: State, node: ast.ConcatenationExpression) -> Expr:
    """Convert an unpacked array concatenation to a container (IEEE 1800-2023 10.10)."""
    layout, described = state.layout(node.type), state.context.describe(node.type)
    held = node.type.canonicalType.arrayElementType
    parts: list[Expr] = []
    elements: list[Expr] = []
    for operand in node.operands:
        source = state.layout(operand.type)
        if not source.is_flat:
            continue
        if source.kind not in (CONTAINER, ARRAY) or held.isEquivalent(operand.type):
            elements.append(assigned(state, operand, held))
            continue
        value = value_of(state, operand)
        if source.kind == ARRAY:
            elements += array_parts(value, source)
            continue
        if elements:
            parts.append(literal(elements, described, layout))
            elements = []
        parts.append(value)
    if elements:
        parts.append(literal(elements, described, layout))
    if not parts:
        return constant(64, 0)
    if len(parts) == 1:
        return own(parts[0], layout, described)
    types = (described,) * len(parts)
    return SystemCall("array.join", tuple(parts), 64, span=state.context.span(node), type=described, types=types)


def _default(state: State, node: ast.Expression, held: ast.Type) -> Expr:
    """Convert the value of all other keys, which slang leaves in a type of its own."""
    source, wanted = state.layout(node.type), state.layout(held)
    if wanted.kind == STRING:
        return to_string(state, node, source)
    if wanted.kind == REAL and source.kind == PACKED:
        return Unary("itof" if source.signed else "utof", value_of(state, node), 64)
    value = assigned(state, node, held)
    return known_parts(resize(value, wanted.width, source.signed), wanted) if wanted.kind == PACKED else value


# ------------------------------------------------------------------------------------------------- selects


def convert_item(state: State, node: ast.ElementSelectExpression, lvalue: bool) -> Expr:
    """Convert an element of a container, or a character of a string."""
    base, selector = node.value, node.selector
    layout = state.layout(base.type)
    container = lvalue_of(state, base) if lvalue else value_of(state, base)
    if layout.kind == STRING:
        return character(state, node, container)
    assert layout.element is not None
    described = state.context.describe(base.type)
    state.ends.append(last_index(container))
    index = held_value(state, selector)
    state.ends.pop()
    signed = state.layout(selector.type).signed
    item = Item(container, index, layout.element.width, signed, state.context.span(node), described)
    return item if lvalue else readable_item(item, layout.element)


def readable_item(item: Expr, element: Layout) -> Expr:
    """Make what is read where there is no element 0 or nothing, in those parts of its type that have no x."""
    return known_parts(item, element)


def last_index(container: Expr) -> Expr:
    """Return the last index of a queue, `$`."""
    return Binary("sub", size_of(container), constant(32, 1), 32)


def size_of(container: Expr) -> Expr:
    """Return the number of elements of a container."""
    return SystemCall("array.size", (container,), 32, signed=True)


def convert_end(state: State, node: ast.Expression) -> Expr:
    """Convert `$` in the index of a queue."""
    if not state.ends:
        state.context.unsupported("'$' here", node)
    return state.ends[-1]


def convert_container_slice(state: State, node: ast.RangeSelectExpression) -> Expr:
    """Convert `q[a:b]`, `q[a +: n]` or `q[a -: n]` of a queue or dynamic array (IEEE 1800-2023 7.4.5, 7.10.1)."""
    base = node.value
    layout, result = state.layout(base.type), state.layout(node.type)
    container = value_of(state, base)
    described = state.context.describe(base.type)
    state.ends.append(last_index(container))
    left, right = _bound(state, node.left), _bound(state, node.right)
    state.ends.pop()
    if node.selectionKind == ast.RangeSelectionKind.IndexedUp:
        left, right = left, Binary("add", left, Binary("sub", right, constant(64, 1), 64), 64)
    elif node.selectionKind == ast.RangeSelectionKind.IndexedDown:
        left, right = Binary("sub", left, Binary("sub", right, constant(64, 1), 64), 64), left
    if result.kind == ARRAY:
        return _fixed_slice(container, left, layout, result)
    return SystemCall(
        "array.slice",
        (container, left, right),
        64,
        span=state.context.span(node),
        type=described,
        signs=(False, True, True),
        types=(described, None, None),
    )


def _bound(state: State, node: ast.Expression) -> Expr:
    return resize(value_of(state, node), 64, state.layout(node.type).signed)


def _fixed_slice(container: Expr, first: Expr, layout: Layout, result: Layout) -> Expr:
    element = layout.element
    assert element is not None
    items = [
        readable_item(Item(container, Binary("add", first, constant(64, i), 64), element.width, True), element)
        for i in range(result.count)
    ]
    return concat(items if result.descending else items[::-1])


# ------------------------------------------------------------------------------------------------- methods

_CHANGING = frozenset({"delete", "insert", "push_back", "push_front", "pop_back", "pop_front", "reverse", "shuffle"})


def convert_container_method(state: State, node: ast.CallExpression, arguments: list[ast.Expression]) -> Expr:
    """Convert a method of a container that is no iteration (IEEE 1800-2023 7.5, 7.9, 7.10, 7.12.2)."""
    name = node.subroutineName
    receiver, rest = arguments[0], arguments[1:]
    container = lvalue_of(state, receiver) if name in _CHANGING else value_of(state, receiver)
    held = receiver.type.canonicalType.arrayElementType
    layouts = [state.layout(argument.type) for argument in rest]
    result = state.layout(node.type)
    args: list[Expr] = []
    for i, argument in enumerate(rest):
        if isinstance(argument, ast.AssignmentExpression):
            args.append(_key_argument(state, argument))
        elif name in ("push_back", "push_front") or (name == "insert" and i == 1):
            args.append(assigned(state, argument, held))
        else:
            args.append(value_of(state, argument))
    call = SystemCall(
        "array.size" if name == "num" else f"array.{name}",
        (container, *args),
        result.width if result.is_flat else 0,
        result.signed,
        state.context.span(node),
        state.context.describe(node.type) if result.has_word else None,
        (False, *(layout.signed for layout in layouts)),
        (state.context.describe(receiver.type), *(typed(state, a, b) for a, b in zip(rest, layouts, strict=True))),
    )
    return known_parts(call, result) if name.startswith("pop_") and not result.four_state else call


def _key_argument(state: State, node: ast.AssignmentExpression) -> Expr:
    """Convert the key that `first`, `next` and their like write."""
    if not isinstance(node.right, ast.EmptyArgumentExpression):
        state.context.unsupported("a key of another type than the array's index", node)
    return lvalue_of(state, node.left)


# ------------------------------------------------------------------------------------------------- queries and streams


def convert_query(state: State, node: ast.CallExpression, arguments: list[ast.Expression]) -> Expr | None:
    """Convert `$size` and its like of a container; None where it is something else (IEEE 1800-2023 20.7)."""
    receiver = arguments[0]
    layout, result = state.layout(receiver.type), state.layout(node.type)
    if layout.kind not in (CONTAINER, STRING) or isinstance(receiver, ast.DataTypeExpression):
        return None
    name = node.subroutineName
    container = value_of(state, receiver)
    if layout.kind == STRING:
        size: Expr = SystemCall("string.len", (container,), 32, signed=True)
    else:
        size = size_of(container)
    if name == "$bits":
        step = layout.element.width if layout.element is not None else 0
        if layout.kind == CONTAINER and layout.element is not None and layout.element.has_word:
            state.context.unsupported("'$bits' of an array of such elements", node)
        return Binary("mul", resize(size, result.width, True), constant(result.width, step), result.width)
    if len(arguments) > 1 and index_value(arguments[1]) != 1:
        state.context.unsupported("a query of an inner dimension of an array of dynamic size", node)
    if layout.container == "assoc" and name != "$size":
        state.context.unsupported(f"'{name}' of an associative array", node)
    match name:
        case "$size":
            return size
        case "$left" | "$low":
            return constant(result.width, 0)
        case "$right" | "$high":
            return Binary("sub", size, constant(32, 1), 32)
        case "$increment":
            return constant(result.width, (1 << result.width) - 1)
        case _:
            return None


def _check_streamed(state: State, layout: Layout, node: ast.Expression) -> None:
    if layout.element is None or layout.element.kind != PACKED or layout.container == "assoc":
        state.context.unsupported("a stream of an array of such elements", node)


def pack_container(state: State, node: ast.Expression, size: int, width: int) -> Expr:
    """Return the elements of a container as a stream of `width` bits, with its blocks of `size` bits reversed."""
    _check_streamed(state, state.layout(node.type), node)
    described = state.context.describe(node.type)
    args = (value_of(state, node), constant(32, size))
    return SystemCall("array.pack", args, width, span=state.context.span(node), types=(described, None))


def unpack_container(
    state: State, source: Expr, size: int, target: ast.Type, node: ast.Expression, held: ast.Type | None = None
) -> Expr:
    """Return a container of the elements in a stream of bits, or in that of a container of type `held`."""
    _check_streamed(state, state.layout(target), node)
    described = state.context.describe(target)
    types = (state.context.describe(held) if held is not None else None, None)
    args, span = (source, constant(32, size)), state.context.span(node)
    return SystemCall("array.unpack", args, 64, span=span, type=described, types=types)
