"""slang's types as Weft needs them: what they are for people, and how they lie in bits.

`describe_type` gives the `design.Type` that waves and the debugger show. `Layout` is the short form that the conversion
of expressions works with; it is computed once for each slang type and looked up by identity afterwards.

A value of any fixed-size type is one vector, its *flat* form:

* a packed type is its bits (IEEE 1800-2023 7.4.1);
* an unpacked array has the element with the lowest index at the low bits, whatever the direction of its range;
* an unpacked struct has its first member at the high bits, as a packed one would.
"""

from __future__ import annotations

from pyslang import ast

from weft.base.dataclass import dataclass, field
from weft.ir.design import Type

PACKED, ARRAY, STRUCT, UNION, STRING, REAL, VOID, OTHER = range(8)
"""What a layout's `kind` says. Only the first three have a flat form."""


@dataclass(slots=True, eq=False)
class Layout:
    """Describe how a type lies in bits.

    `low`, `count` and `descending` describe the indices of an array or of a packed vector (whose elements may be
    single bits); `element` is what an index selects. `fields` gives each member's offset in the flat form.
    `has_struct` says that an unpacked struct is somewhere inside, so that variables of the type are several signals.
    """

    kind: int
    width: int
    signed: bool = False
    four_state: bool = True
    low: int = 0
    count: int = 0
    descending: bool = True
    element: Layout | None = None
    fields: dict[str, tuple[int, Layout]] = field(default_factory=dict[str, "tuple[int, Layout]"])
    has_struct: bool = False

    @property
    def step(self) -> int:
        """Return the width of what one index selects."""
        return self.element.width if self.element else 1


_BIT = {state: Layout(PACKED, 1, four_state=state) for state in (False, True)}


@dataclass(slots=True, eq=False)
class LayoutTable:
    """Find the layout of a slang type; one table serves one compilation, whose types it keeps alive."""

    _layouts: dict[ast.Type, Layout] = field(default_factory=dict["ast.Type", Layout])

    def __call__(self, slang_type: ast.Type) -> Layout:
        """Return the layout of a type."""
        layout = self._layouts.get(slang_type)
        if layout is None:
            layout = self._layouts[slang_type] = self._create(slang_type.canonicalType)
        return layout

    def _create(self, canonical: ast.Type) -> Layout:
        match canonical:
            case ast.PackedArrayType():
                return self._vector(canonical, canonical.range, self(canonical.elementType))
            case ast.PackedStructType() | ast.PackedUnionType():
                layout = self._vector(canonical, canonical.getBitVectorRange(), None)
                for member in canonical:
                    if isinstance(member, ast.FieldSymbol):
                        layout.fields[member.name] = (member.bitOffset, self(member.type))
                return layout
            case ast.IntegralType():
                return self._vector(canonical, canonical.getBitVectorRange(), None)
            case ast.FixedSizeUnpackedArrayType():
                element, bounds = self(canonical.elementType), canonical.range
                if element.kind > STRUCT:
                    return Layout(element.kind, 0)
                return Layout(
                    ARRAY,
                    element.width * bounds.width,
                    four_state=element.four_state,
                    low=bounds.lower,
                    count=bounds.width,
                    descending=bounds.left >= bounds.right,
                    element=element,
                    has_struct=element.has_struct,
                )
            case ast.UnpackedStructType():
                return self._struct(canonical)
            case ast.UnpackedUnionType():
                return Layout(UNION, 0)
            case ast.StringType():
                return Layout(STRING, 0, four_state=False)
            case ast.FloatingType():
                return Layout(REAL, 64, signed=True, four_state=False)
            case ast.VoidType():
                return Layout(VOID, 0)
            case _:
                return Layout(OTHER, 0)

    @staticmethod
    def _vector(canonical: ast.IntegralType, bounds: object, element: Layout | None) -> Layout:
        left, right = bounds.left, bounds.right  # pyright: ignore[reportAttributeAccessIssue]
        four_state = canonical.isFourState
        width = canonical.bitWidth
        return Layout(
            PACKED,
            width,
            canonical.isSigned,
            four_state,
            low=min(left, right),
            count=abs(left - right) + 1,
            descending=left >= right,
            element=element if element is not None and element.width > 1 else _BIT[four_state] if width > 1 else None,
        )

    def _struct(self, canonical: ast.UnpackedStructType) -> Layout:
        members = [(m.name, self(m.type)) for m in canonical if isinstance(m, ast.FieldSymbol)]
        offset = width = sum(member.width for _, member in members)
        layout = Layout(STRUCT, width, four_state=any(m.four_state for _, m in members), has_struct=True)
        for name, member in members:
            if member.kind > STRUCT:
                return Layout(member.kind, 0)
            offset -= member.width
            layout.fields[name] = (offset, member)
        return layout


def describe_type(slang_type: ast.Type) -> Type:
    """Return the description of a type that waves and the debugger show."""
    name = slang_type.name if slang_type.isAlias else ""
    canonical = slang_type.canonicalType
    unpacked: list[tuple[int, int]] = []
    element = slang_type
    while isinstance(canonical, ast.FixedSizeUnpackedArrayType):
        unpacked.append((canonical.range.left, canonical.range.right))
        element = canonical.elementType
        name = element.name if element.isAlias else name
        canonical = element.canonicalType
    ranges: list[tuple[int, int]] = []
    inner = canonical
    while isinstance(inner, ast.PackedArrayType):
        ranges.append((inner.range.left, inner.range.right))
        name = name or (inner.elementType.name if inner.elementType.isAlias else "")
        inner = inner.elementType.canonicalType
    return Type(
        kind=_kind_name(inner),
        width=canonical.bitWidth,
        signed=canonical.isSigned,
        four_state=canonical.isFourState,
        name=name or _predefined_name(inner),
        ranges=tuple(ranges),
        unpacked=tuple(unpacked),
        members=_describe_members(inner),
        enum_values=_describe_values(inner),
    )


_KIND_NAMES: dict[type[ast.Type], str] = {
    ast.EnumType: "enum",
    ast.PackedStructType: "struct",
    ast.UnpackedStructType: "struct",
    ast.PackedUnionType: "union",
    ast.UnpackedUnionType: "union",
    ast.FloatingType: "real",
    ast.StringType: "string",
    ast.EventType: "event",
    ast.PredefinedIntegerType: "integer",
}


def _kind_name(canonical: ast.Type) -> str:
    return _KIND_NAMES.get(type(canonical)) or ("logic" if canonical.isFourState else "bit")


def _predefined_name(canonical: ast.Type) -> str:
    return canonical.name if isinstance(canonical, ast.PredefinedIntegerType) else ""


def _describe_members(canonical: ast.Type) -> tuple[tuple[str, int, Type], ...]:
    if isinstance(canonical, ast.PackedStructType | ast.PackedUnionType):
        fields = [member for member in canonical if isinstance(member, ast.FieldSymbol)]
        return tuple((member.name, member.bitOffset, describe_type(member.type)) for member in fields)
    return ()


def _describe_values(canonical: ast.Type) -> tuple[tuple[str, int], ...]:
    if isinstance(canonical, ast.EnumType):
        mask = (1 << canonical.bitWidth) - 1
        values = [member for member in canonical if isinstance(member, ast.EnumValueSymbol)]
        return tuple((member.name, int(member.value.value) & mask) for member in values)  # pyright: ignore
    return ()
