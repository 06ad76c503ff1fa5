"""Constants that hold strings among other things: parameters of struct and array types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.ir.design import Text
from weft.lang.sv.build import concat
from weft.lang.sv.constants import flatten
from weft.lang.sv.strings import word
from weft.lang.sv.types import ARRAY, STRING, STRUCT, Layout

if TYPE_CHECKING:
    from weft.ir.design import Expr


def constant_value(value: Any, layout: Layout) -> Expr | None:
    """Return what a `ConstantValue` of slang's holds as an expression; None if it holds a container."""
    flat = flatten(value, layout)
    if flat is not None:
        return flat
    if layout.kind == STRING and isinstance(value, str):
        return word(Text(value))
    if layout.kind not in (STRUCT, ARRAY) or not isinstance(value, list):
        return None
    if layout.kind == STRUCT:
        layouts = [member for _, member in layout.fields.values()]
    else:
        assert layout.element is not None
        layouts = [layout.element] * layout.count
    values: list[Any] = [getattr(one, "value", one) for one in value]  # pyright: ignore[reportUnknownVariableType]
    if len(values) != len(layouts):
        return None
    parts = [constant_value(one, part) for one, part in zip(values, layouts, strict=True)]
    found = [part for part in parts if part is not None]
    if len(found) != len(parts):
        return None
    return concat(found[::-1] if layout.kind == ARRAY and not layout.descending else found)
