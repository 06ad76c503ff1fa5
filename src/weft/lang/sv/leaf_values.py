"""Values of unpacked struct types as one value for each leaf member, for initialisers and port connections.

A variable of such a type is one signal for each leaf member (`signals`), an expression of it one flat vector (`types`).
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.ir.design import Expr
from weft.lang.sv.build import bits_of, concat
from weft.lang.sv.ownership import assigned
from weft.lang.sv.types import STRUCT, Layout

if TYPE_CHECKING:
    from pyslang import ast

    from weft.lang.sv.state import Context

Leaf = tuple[str, ...]


def convert_initializer(context: Context, symbol: ast.ValueSymbol, initializer: ast.Expression) -> None:
    """Give the signal or signals of a variable the values that its declaration, or its port's, says."""
    state = context.state
    value = assigned(state, initializer, symbol.type)
    layout = state.layout(symbol.type)
    if not layout.has_struct:
        context.signal(symbol).initial = value
        return
    signals, _ = context.leaves(symbol)
    for leaf, part in split(value, layout).items():
        signals[leaf].initial = part


def split(value: Expr, layout: Layout) -> dict[Leaf, Expr]:
    """Return the parts of a flat value that belong to each leaf member; an array of structs gives arrays of members."""
    if layout.kind == STRUCT:
        found: dict[Leaf, Expr] = {}
        for name, (offset, part) in layout.fields.items():
            inner = split(bits_of(value, offset, part.width), part)
            found.update({(name, *leaf): bits for leaf, bits in inner.items()})
        return found
    if layout.has_struct and layout.element is not None:
        width = layout.element.width
        elements = [split(bits_of(value, i * width, width), layout.element) for i in range(layout.count)]
        return {leaf: concat([element[leaf] for element in reversed(elements)]) for leaf in elements[0]}
    return {(): value}
