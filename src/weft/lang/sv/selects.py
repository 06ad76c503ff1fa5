"""Names and selects: which bits of which signal an expression reads or writes.

A select of an unpacked dimension leads to an `Element` of a signal, one of a packed dimension to a `Slice`. A chain of
unpacked selects and member accesses is collected in a `Place` until it ends at a name; what remains unselected becomes
a slice of the whole array, or a concatenation of the leaf signals of an unpacked struct.

Indices are normalised so that nothing wraps into range: every intermediate result is wide enough for any index, each
inner dimension is checked by itself, and an index that is out of range anywhere makes the whole access read x (0 of a
2-state type) and write nothing (IEEE 1800-2023 7.4.5, 7.4.6, 11.5.1).
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.base.dataclass import dataclass, replace
from weft.ir.design import Binary, Cond, Const, Element, Expr, Field, Ref, Signal, Slice, SystemCall, Text
from weft.lang.sv.build import affine, bits_of, concat, constant, known, ones, resize, signed_value
from weft.lang.sv.classes import declare_statics, is_static, property_of
from weft.lang.sv.constant_values import constant_value
from weft.lang.sv.constants import flatten, index_value
from weft.lang.sv.containers import convert_container_slice, convert_item
from weft.lang.sv.covergroups import convert_option
from weft.lang.sv.dispatch import layout_of, lvalue_of, refuse_type, value_of
from weft.lang.sv.event_objects import event_value, is_event_object
from weft.lang.sv.shapes import known_parts
from weft.lang.sv.side_effects import held_value
from weft.lang.sv.tagged_unions import member_value
from weft.lang.sv.types import ARRAY, CONTAINER, EVENT, STRING, STRUCT, WORDS, Layout
from weft.lang.sv.virtual_interfaces import bound_body, free_root, member_name, value_through

if TYPE_CHECKING:
    from weft.lang.sv.state import State

Leaf = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """Be one selected unpacked dimension: a normalised unsigned index, at least `count` where it is out of range."""

    value: Expr
    count: int


@dataclass(frozen=True, slots=True)
class Place:
    """Be a variable, or a part of it that unpacked selects and member accesses lead to."""

    signals: dict[Leaf, Signal]
    path: tuple[str, ...]
    leaf: Leaf
    indices: tuple[Index, ...]
    layout: Layout

    def member(self, name: str) -> Place:
        """Return the place of a member of an unpacked struct."""
        return replace(self, leaf=(*self.leaf, name), layout=self.layout.fields[name][1])

    def value(self) -> Expr:
        """Return the place's bits as a value: an index out of range reads 0 of a 2-state type."""
        if self.layout.has_struct:
            return concat([part.value() for part in self._parts()])
        selected = self.target()
        plain = self.layout.four_state or self.layout.kind == EVENT or not self.indices
        return selected if plain else readable(selected)

    def _parts(self) -> list[Place]:
        """Return the parts of a place with structs inside, from the high bits of its flat form down."""
        layout = self.layout
        if layout.kind == STRUCT:
            return [self.member(name) for name in layout.fields]
        width = layout.count.bit_length()
        indices = [Index(constant(width, i), layout.count) for i in range(layout.count)]
        return [self.element(index) for index in reversed(indices)]

    def element(self, index: Index) -> Place:
        """Return the place of an element of an unpacked array."""
        assert self.layout.element is not None
        return replace(self, indices=(*self.indices, index), layout=self.layout.element)

    def target(self) -> Expr:
        """Return the place's bits as the target of an assignment."""
        layout = self.layout
        if layout.has_struct:
            return concat([part.target() for part in self._parts()])
        signal = self.signals[self.leaf]
        if not self.indices:
            return Ref(signal, self.path)
        index = join_indices(self.indices)
        if layout.kind != ARRAY:
            return Element(signal, index, self.path)
        return bits_of(Ref(signal, self.path), affine(index, False, 1, 0, layout.width), layout.width)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Be what an argument by reference stands for in a task: a place, whose `captured` indices the call gives it."""

    place: Place
    captured: tuple[Signal, ...] = ()

    @property
    def key(self) -> object:
        """Return what is equal for references to the same place, whatever the captured indices are."""
        place = self.place
        indices = [one.value if isinstance(one.value, Const) else one.value.width for one in place.indices]
        return (str(place.path), place.leaf, tuple(map(id, place.signals.values())), tuple(indices))


def join_indices(indices: tuple[Index, ...]) -> Expr:
    """Return the number of an element of a multi-dimensional array, the first dimension varying slowest."""
    flat, depth = indices[0].value, indices[0].count
    checks: list[Expr] = []
    for index in indices[1:]:
        inner, count = index.value, index.count
        depth *= count
        if isinstance(inner, Const):
            if inner.unknown or inner.value >= count:
                return constant(depth.bit_length(), depth) if not inner.unknown else inner
        elif ones(inner.width) >= count:
            checks.append(Binary("ult", inner, constant(inner.width, count), 1))
        if count & (count - 1) == 0:
            flat = concat([flat, resize(inner, count.bit_length() - 1, False)])
        else:
            width = flat.width + count.bit_length()
            scaled = _multiply(resize(flat, width, False), count, width)
            flat = _add(scaled, resize(inner, width, False), width)
    if not checks:
        return flat
    inside = checks[0]
    for check in checks[1:]:
        inside = Binary("and", inside, check, 1)
    width = max(flat.width, depth.bit_length())
    return Cond(inside, resize(flat, width, False), constant(width, ones(width)), width)


def _multiply(value: Expr, factor: int, width: int) -> Expr:
    if isinstance(value, Const) and not value.unknown:
        return constant(width, value.value * factor)
    return Binary("mul", value, constant(width, factor), width)


def _add(left: Expr, right: Expr, width: int) -> Expr:
    if isinstance(left, Const) and isinstance(right, Const) and not left.unknown | right.unknown:
        return constant(width, left.value + right.value)
    return Binary("add", left, right, width)


def normalise(index: Expr, signed: bool, array: Layout) -> Index:
    """Return an index of an unpacked dimension counted from its lowest one."""
    low, count = array.low, array.count
    if isinstance(index, Const) and not index.unknown:
        exact = (signed_value(index) if signed else index.value) - low
        return Index(constant(count.bit_length(), exact if 0 <= exact < count else count), count)
    if low == 0:
        # A negative index reads as a large unsigned one, once its sign bit stands above every valid index.
        needed = count.bit_length() + 1 if signed else 0
        return Index(resize(index, max(index.width, needed), signed), count)
    shifted = affine(index, signed, 1, -low, 1)
    return Index(resize(shifted, max(shifted.width, count.bit_length() + 1), True), count)


# ------------------------------------------------------------------------------------------------- names


def convert_name_value(state: State, node: ast.Expression) -> Expr:
    """Convert a name that is read."""
    return event_value(state, node) if is_event_object(state, node.type) else convert_name(state, node)


def convert_name(state: State, node: ast.Expression) -> Expr:
    """Convert a reference to a net, variable, parameter, enum value or iterator."""
    symbol = cast("ast.ValueExpressionBase", node).symbol
    found = state.names.get(symbol)
    if found is None:
        found = _convert_symbol(state, node, symbol)
        if not state.iterators and not isinstance(found, Field):
            state.names[symbol] = found
    return found


def _convert_symbol(state: State, node: ast.Expression, symbol: ast.ValueSymbol) -> Expr:
    bound = state.iterators.get(symbol)
    if bound is not None:
        return bound[0]
    if isinstance(symbol, ast.ClassPropertySymbol):
        if not is_static(symbol):
            return property_of(state, symbol, None, node)
        declare_statics(state, symbol)
    if isinstance(symbol, ast.ClockVarSymbol) and state.context.ignore_assertions:
        state.context.unsupported("a clocking block's variable without the assertions", node)
    if isinstance(symbol, ast.ParameterSymbol | ast.EnumValueSymbol | ast.SpecparamSymbol):
        return _convert_parameter(state, node, symbol)
    if isinstance(symbol, ast.ModportPortSymbol) and _is_modport_expression(symbol):
        return value_of(state, symbol.explicitConnection)
    return _root(state, node).target()


def _convert_parameter(
    state: State, node: ast.Expression, symbol: ast.ParameterSymbol | ast.EnumValueSymbol | ast.SpecparamSymbol
) -> Expr:
    layout = state.layout(node.type)
    value = symbol.value.value
    if isinstance(value, str):
        flat = flatten(value, layout)
        return Text(value) if flat is None else flat
    flat = constant_value(value, layout)
    if flat is not None:
        return flat
    return refuse_type(state, node, layout)


def _root(state: State, node: ast.Expression) -> Place:
    layout = layout_of(state, node)
    target = node.member if isinstance(node, ast.MemberAccessExpression) else node
    body = bound_body(state, node.value) if isinstance(node, ast.MemberAccessExpression) else None
    if body is not None and isinstance(target, ast.Symbol):
        found, path = state.context.reach_instance(body, member_name(state, target))
        signals = found if isinstance(found, dict) else {(): found}
    elif isinstance(target, ast.ValueExpressionBase) and target.symbol in state.references:
        return state.references[target.symbol].place
    elif layout.has_struct:
        signals, path = state.context.leaves(target)
    else:
        signal, path = state.context.reference(target)
        signals = {(): signal}
    return Place(signals, path, (), (), layout)


_NAMED = (ast.VariableSymbol, ast.NetSymbol, ast.ModportPortSymbol)


def find_place(state: State, node: ast.Expression) -> Place | None:
    """Return the place of a variable or of an unpacked part of one; None if the expression is something else."""
    match node:
        case ast.NamedValueExpression() | ast.HierarchicalValueExpression():
            symbol = node.symbol
            if symbol in state.references:
                return _root(state, node)
            if isinstance(symbol, ast.ClassPropertySymbol):
                if not is_static(symbol):
                    return None
                declare_statics(state, symbol)
            if isinstance(symbol, _NAMED) and not (
                symbol in state.vectors or symbol in state.iterators or _is_modport_expression(symbol)
            ):
                return _root(state, node)
        case ast.ElementSelectExpression():
            array = state.layout(node.value.type)
            if array.kind == ARRAY:
                place = find_place(state, node.value)
                return place and place.element(_convert_index(state, node.selector, array))
        case ast.MemberAccessExpression():
            if bound_body(state, node.value) is not None:
                return _root(state, node)
            if is_static(node.member):
                declare_statics(state, node.member)
                return _root(state, node)
            if state.layout(node.value.type).kind == STRUCT:
                place = find_place(state, node.value)
                return place and place.member(node.member.name)
        case _:
            pass
    return None


def _is_modport_expression(symbol: ast.ValueSymbol) -> bool:
    if not isinstance(symbol, ast.ModportPortSymbol) or symbol.internalSymbol is not None:
        return False
    return symbol.explicitConnection is not None


def _convert_index(state: State, selector: ast.Expression, array: Layout) -> Index:
    return normalise(held_value(state, selector), layout_of(state, selector).signed, array)


# ------------------------------------------------------------------------------------------------- selects


def convert_element(state: State, node: ast.Expression) -> Expr:
    """Convert a bit or element select."""
    root = free_root(state, node)
    if root is not None:
        return value_through(state, root, node, lambda: convert_element(state, node))
    if is_event_object(state, node.type):
        return event_value(state, node)
    return _element(state, cast("ast.ElementSelectExpression", node), False)


def convert_element_lvalue(state: State, node: ast.Expression) -> Expr:
    """Convert a bit or element select that is assigned."""
    return _element(state, cast("ast.ElementSelectExpression", node), True)


def _element(state: State, node: ast.ElementSelectExpression, lvalue: bool) -> Expr:
    base = node.value
    layout = layout_of(state, base)
    selector = node.selector
    if layout.kind in (CONTAINER, STRING):
        return convert_item(state, node, lvalue)
    if layout.kind == ARRAY:
        place = find_place(state, node)
        if place is not None:
            return place.target() if lvalue else place.value()
    value = lvalue_of(state, base) if lvalue else value_of(state, base)
    index = held_value(state, selector)
    selected = bits_of(value, bit_offset(index, layout_of(state, selector).signed, layout), layout.step)
    selected = _as_word(state, node, selected)
    return selected if lvalue else readable_as(selected, state.layout(node.type))


def bit_offset(index: Expr, signed: bool, layout: Layout, above: int = 0) -> Expr:
    """Return the offset in bits of the element that an index names, or of the one `above` places higher up.

    In an ascending packed range the right-most, highest index stands at bit 0; an unpacked array has its lowest
    index there whatever its direction.
    """
    step = layout.step
    if layout.descending or layout.kind == ARRAY:
        return affine(index, signed, 1, above - layout.low, step)
    return affine(index, signed, -1, layout.low + layout.count - 1 + above, step)


def convert_range(state: State, node: ast.Expression) -> Expr:
    """Convert a part select or a slice of an array."""
    root = free_root(state, node)
    if root is not None:
        return value_through(state, root, node, lambda: convert_range(state, node))
    selected = _range(state, cast("ast.RangeSelectExpression", node), False)
    return readable_as(selected, state.layout(node.type))


def convert_range_lvalue(state: State, node: ast.Expression) -> Expr:
    """Convert a part select or a slice of an array that is assigned."""
    return _range(state, cast("ast.RangeSelectExpression", node), True)


def _range(state: State, node: ast.RangeSelectExpression, lvalue: bool) -> Expr:
    base = node.value
    layout = layout_of(state, base)
    if layout.kind == CONTAINER:
        if lvalue:
            state.context.unsupported("a slice of an array of dynamic size as the target of an assignment", node)
        return convert_container_slice(state, node)
    width = layout_of(state, node).width
    value = lvalue_of(state, base) if lvalue else value_of(state, base)
    left = node.left
    kind = node.selectionKind
    if kind == ast.RangeSelectionKind.Simple:
        bounds = index_value(left), index_value(node.right)
        if bounds[0] is None or bounds[1] is None:
            state.context.unsupported("a part select with bounds that are not constant", node)
        low, high = min(bounds[0], bounds[1]), max(bounds[0], bounds[1])
        upwards = layout.descending or layout.kind == ARRAY
        first = low - layout.low if upwards else layout.low + layout.count - 1 - high
        return bits_of(value, first * layout.step, width)
    # Of the elements that `a[i +: n]` or `a[i -: n]` selects, the one at the lowest bits has index i, or is n - 1 away.
    count = width // layout.step - 1
    upwards = layout.descending or layout.kind == ARRAY
    starts_low = (kind == ast.RangeSelectionKind.IndexedUp) == upwards
    offset = bit_offset(held_value(state, left), layout_of(state, left).signed, layout, 0 if starts_low else -count)
    return bits_of(value, offset, width)


def convert_member(state: State, node: ast.Expression) -> Expr:
    """Convert an access to a member of a struct, union, class or interface."""
    root = free_root(state, node)
    if root is not None:
        return value_through(state, root, node, lambda: convert_member(state, node))
    if is_event_object(state, node.type):
        return event_value(state, node)
    return _member(state, cast("ast.MemberAccessExpression", node), False)


def convert_member_lvalue(state: State, node: ast.Expression) -> Expr:
    """Convert a member of a struct, union, class or interface that is assigned."""
    if free_root(state, node) is not None:
        state.context.unsupported("a target here that a virtual interface chooses", node)
    return _member(state, cast("ast.MemberAccessExpression", node), True)


def _member(state: State, node: ast.MemberAccessExpression, lvalue: bool) -> Expr:
    option = convert_option(state, node, lvalue)
    if option is not None:
        return option
    base = node.value
    layout = layout_of(state, base)
    found = node.member
    if layout.kind == STRUCT or is_static(found) or bound_body(state, base) is not None:
        place = find_place(state, node)
        if place is not None:
            return place.target() if lvalue else place.value()
    if isinstance(found, ast.ClassPropertySymbol):
        return property_of(state, found, base, node)
    if isinstance(found, ast.ParameterSymbol | ast.EnumValueSymbol):
        return _convert_parameter(state, node, found)
    if found.name not in layout.fields:
        state.context.unsupported("an access to this kind of member", node)
    if layout.tag_bits:
        if lvalue:
            state.context.unsupported("a member of a tagged union as the target of an assignment", node)
        return member_value(state, value_of(state, base), node, layout)
    offset, member = layout.fields[node.member.name]
    value = lvalue_of(state, base) if lvalue else value_of(state, base)
    return _as_word(state, node, bits_of(value, offset, member.width))


def _as_word(state: State, node: ast.Expression, value: Expr) -> Expr:
    """Return a part of a flat value with its type if it is a word; it may be the only part."""
    if state.layout(node.type).kind not in WORDS or isinstance(value, SystemCall | Text | Const):
        return value
    kind = state.context.describe(node.type)
    return replace(value, type=kind) if isinstance(value, Slice) else Slice(value, 0, value.width, kind)


def readable_as(value: Expr, layout: Layout) -> Expr:
    """Make what a select reads out of range 0, in those parts of a type that are 2-state."""
    if layout.kind in WORDS:
        return readable(value) if isinstance(value, Element | Slice) else value
    if layout.four_state and not layout.has_struct:
        return value
    return value if readable(value) is value else known_parts(value, layout)


def readable(value: Expr) -> Expr:
    """Make what a select of a 2-state value reads out of range 0."""
    if isinstance(value, Element):
        if isinstance(value.index, Const) and value.index.value < value.signal.depth:
            return value
    elif not isinstance(value, Const) and isinstance(getattr(value, "offset", None), int):
        if value.offset >= 0 and value.offset + value.width <= value.value.width:  # pyright: ignore
            return value
    return known(value)
