"""Array methods that go through the elements (IEEE 1800-2023 7.12): locators, ordering, reductions.

They become an `Iterate`, whose item and index are automatic variables. A reduction of a fixed array is written out
instead (`system_calls`). The elements of other fixed arrays are taken from the left; where the index of an element is
not its number from there, a container of them stands for the array, and a result that is an index is `Unsupported`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Binary, Expr, Iterate, Ref, Signal, Type
from weft.lang.sv.build import constant, truth
from weft.lang.sv.dispatch import lvalue_of, value_of
from weft.lang.sv.ownership import array_parts, literal, vector_signal
from weft.lang.sv.types import ARRAY, CONTAINER, Layout

if TYPE_CHECKING:
    from weft.lang.sv.state import State

REARRANGING = frozenset({"reverse", "shuffle"})
"""What needs no comparison; methods of containers are not iterations, those of fixed arrays become such."""
ORDERING = frozenset({"sort", "rsort"}) | REARRANGING
LOCATORS = frozenset(
    {
        "find",
        "find_index",
        "find_first",
        "find_first_index",
        "find_last",
        "find_last_index",
        "min",
        "max",
        "unique",
        "unique_index",
    }
)
REDUCTIONS = frozenset({"sum", "product", "and", "or", "xor"})
MAPPING = frozenset({"map"})
ITERATIONS = ORDERING - REARRANGING | LOCATORS | REDUCTIONS | MAPPING


def convert_iteration(state: State, node: ast.CallExpression, arguments: list[ast.Expression]) -> Expr:
    """Convert a locator, ordering or reduction method of a container or fixed array."""
    name = node.subroutineName
    receiver = arguments[0]
    layout, result = state.layout(receiver.type), state.layout(node.type)
    info = node.subroutine
    extra = info.extraInfo if not isinstance(info, ast.SubroutineSymbol) else None
    iterator = extra if isinstance(extra, ast.CallExpression.IteratorCallInfo) else None
    array = lvalue_of(state, receiver) if name in ORDERING else value_of(state, receiver)
    offset = 0
    if layout.kind == ARRAY:
        array, offset = _from_the_left(state, node, array, layout)
    item, index = _variables(state, receiver, layout, iterator)
    body = None
    if iterator is not None:
        # A nested iteration may use the names of this one, but its own come first.
        state.indices[iterator.iterVar] = _index_value(Ref(index), layout, offset)
        body = value_of(state, iterator.iterExpr)
        if name.startswith("find"):
            body = truth(body)
    return Iterate(
        name,
        array,
        item,
        index,
        body,
        result.width if result.is_flat else 0,
        state.context.describe(node.type) if result.is_flat else Type("void", 0),
        _body_signed(state, iterator, layout),
        state.context.span(node),
    )


def _body_signed(state: State, iterator: ast.CallExpression.IteratorCallInfo | None, layout: Layout) -> bool:
    """Say whether what is compared or summed is signed."""
    if iterator is not None:
        return state.layout(iterator.iterExpr.type).signed
    return layout.element is not None and layout.element.signed


def _from_the_left(state: State, node: ast.CallExpression, array: Expr, layout: Layout) -> tuple[Expr, int]:
    """Return a fixed array as a container, unless it counts from 0; and the index of its first element."""
    if (not layout.descending and layout.low == 0) or node.subroutineName in REARRANGING:
        return array, 0
    if node.subroutineName in ORDERING or node.subroutineName.endswith("_index"):
        if layout.low or layout.count > 1:
            state.context.unsupported("this method of an array that does not count up from 0", node)
    described = Type("dynamic", 64, four_state=False, element=state.context.describe(_element(node)))
    first = layout.low + layout.count - 1 if layout.descending else layout.low
    holder = Layout(CONTAINER, 64, element=layout.element, has_word=True, has_container=True, container="dynamic")
    return literal(array_parts(array, layout), described, holder), first


def _element(node: ast.CallExpression) -> ast.Type:
    return node.arguments[0].type.canonicalType.arrayElementType


def _index_value(index: Expr, layout: Layout, offset: int) -> Expr:
    if layout.kind != ARRAY or (offset == 0 and not layout.descending):
        return index
    return Binary("sub" if layout.descending else "add", constant(32, offset & 0xFFFFFFFF), index, 32)


def _variables(
    state: State,
    receiver: ast.Expression,
    layout: Layout,
    iterator: ast.CallExpression.IteratorCallInfo | None,
) -> tuple[Signal, Signal]:
    """Create the variables of the element and of its index."""
    element = layout.element
    assert element is not None
    context = state.context
    if iterator is not None:
        item = vector_signal(state, iterator.iterVar, state.fresh_label(iterator.iterVar.name))
        state.names[iterator.iterVar] = Ref(item)
        state.vectors.add(iterator.iterVar)
    else:
        described = context.describe(receiver.type.canonicalType.arrayElementType)
        name = state.fresh_label("item")
        item = Signal(name, element.width, described, 0, element.signed, automatic=True, local=True)
    key = layout.key
    if key is None:
        kind = Type("int", 32, True, False)
        index = Signal(state.fresh_label("index"), 32, kind, 0, True, automatic=True, local=True)
    else:
        described = context.describe(receiver.type.canonicalType.indexType)  # pyright: ignore[reportAttributeAccessIssue]
        name = state.fresh_label("index")
        index = Signal(name, key.width, described, 0, key.signed, automatic=True, local=True)
    return item, index
