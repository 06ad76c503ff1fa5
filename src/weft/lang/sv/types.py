"""slang's types as Weft needs them: what they are for people, and how they lie in bits.

`describe_type` gives the `design.Type` that waves and the debugger show. `Layout` is the short form that the conversion
of expressions works with; it is computed once for each slang type and looked up by identity afterwards.

A value of any fixed-size type is one vector, its *flat* form:

* a packed type is its bits (IEEE 1800-2023 7.4.1);
* an unpacked array has the element with the lowest index at the low bits, whatever the direction of its range;
* an unpacked struct has its first member at the high bits, as a packed one would;
* an unpacked union is as wide as its widest member; all members share its high bits, so that structs that begin alike
  show the same there (7.3);
* a real number, string, container, handle or named event is a 64-bit word (`ir.expressions`).
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Callable

from pyslang import ast

from weft.base.dataclass import dataclass, field
from weft.ir.design import Type

PACKED, ARRAY, STRUCT, UNION, STRING, REAL, VOID, OTHER, EVENT, CONTAINER, HANDLE = range(11)
"""What a layout's `kind` says. CONTAINER is a dynamic or associative array or a queue, HANDLE an object or null."""

WORDS = frozenset({STRING, REAL, EVENT, CONTAINER, HANDLE})
"""The kinds whose values are 64-bit words and not bits."""


@dataclass(slots=True, eq=False)
class Layout:
    """Describe how a type lies in bits.

    `low`, `count` and `descending` describe the indices of an array or of a packed vector (whose elements may be
    single bits); `element` is what an index selects. `fields` gives each member's offset in the flat form.
    `has_struct` says that an unpacked struct is somewhere inside, so that variables of the type are several signals;
    `single` that a real is a `shortreal`; `has_word` that a word is inside, which is no bit vector; `has_container`
    that assigning a value means copying one. For a container `element` and `key` are what it holds and is indexed by,
    and `container` is its `Type.kind`.
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
    single: bool = False
    has_word: bool = False
    has_container: bool = False
    container: str = ""
    key: Layout | None = None
    tag_bits: int = 0

    @property
    def is_flat(self) -> bool:
        """Say whether values of the type have a flat form."""
        return self.kind not in (VOID, OTHER)

    @property
    def step(self) -> int:
        """Return the width of what one index selects."""
        return self.element.width if self.element else 1


_BIT = {state: Layout(PACKED, 1, four_state=state) for state in (False, True)}

_CHARACTER = Layout(PACKED, 8, signed=True, four_state=False, count=8, element=_BIT[False])
"""What indexing a string gives: a `byte`."""

_CONTAINERS: dict[type[ast.Type], str] = {
    ast.DynamicArrayType: "dynamic",
    ast.QueueType: "queue",
    ast.AssociativeArrayType: "assoc",
}


@dataclass(slots=True, eq=False)
class LayoutTable:
    """Find the layout of a slang type; one table serves one compilation, whose types it keeps alive.

    `events_are_objects` says that a named event is a handle (`event_objects`).
    """

    events_are_objects: bool = False
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
                if isinstance(canonical, ast.PackedUnionType) and canonical.isTagged:
                    layout.tag_bits = canonical.tagBits
                return layout
            case ast.UnboundedType():
                # `$` counts as the `int` that it stands for in a queue's index.
                return Layout(PACKED, 32, signed=True, four_state=False, count=32, element=_BIT[False])
            case ast.IntegralType():
                return self._vector(canonical, canonical.getBitVectorRange(), None)
            case ast.FixedSizeUnpackedArrayType():
                element, bounds = self(canonical.elementType), canonical.range
                if not element.is_flat:
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
                    has_word=element.has_word,
                    has_container=element.has_container,
                )
            case ast.UnpackedStructType():
                return self._struct(canonical)
            case ast.UnpackedUnionType():
                return self._union(canonical)
            case ast.StringType():
                return Layout(STRING, 64, four_state=False, has_word=True, element=_CHARACTER)
            case ast.DynamicArrayType() | ast.QueueType() | ast.AssociativeArrayType():
                return self._container(canonical)
            case (
                ast.ClassType() | ast.CHandleType() | ast.NullType() | ast.VirtualInterfaceType() | ast.CovergroupType()
            ):
                return Layout(HANDLE, 64, four_state=False, has_word=True)
            case ast.FloatingType():
                single = canonical.bitWidth == 32
                return Layout(REAL, 64, signed=True, four_state=False, single=single, has_word=True)
            case ast.EventType():
                if self.events_are_objects:
                    return Layout(HANDLE, 64, four_state=False, has_word=True)
                return Layout(EVENT, 64, four_state=False, has_word=True)
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
            if not member.is_flat:
                return Layout(member.kind, 0)
            offset -= member.width
            layout.fields[name] = (offset, member)
            layout.has_word |= member.has_word
            layout.has_container |= member.has_container
        return layout

    def _union(self, canonical: ast.UnpackedUnionType) -> Layout:
        members = [(m.name, self(m.type)) for m in canonical if isinstance(m, ast.FieldSymbol)]
        width = max((member.width for _, member in members), default=0)
        tag = _tag_bits(canonical)
        layout = Layout(UNION, tag + width, four_state=any(m.four_state for _, m in members), tag_bits=tag)
        for name, member in members:
            if member.kind == OTHER or member.has_container:
                return Layout(OTHER, 0)
            layout.fields[name] = (width - member.width, member)
            layout.has_word |= member.has_word
        return layout

    def _container(self, canonical: ast.DynamicArrayType | ast.QueueType | ast.AssociativeArrayType) -> Layout:
        element = self(canonical.elementType)
        key = None
        if isinstance(canonical, ast.AssociativeArrayType) and canonical.indexType is not None:
            key = self(canonical.indexType)
        if not element.is_flat or (key is not None and not key.is_flat):
            return Layout(OTHER, 0)
        return Layout(
            CONTAINER,
            64,
            four_state=False,
            element=element,
            has_word=True,
            has_container=True,
            container=_CONTAINERS[type(canonical)],
            key=key,
        )


NameClass = Callable[[ast.Type], str]
"""Gives a class its unique name, and the type `event` that of its objects, or nothing if it is no handle."""


def describe_type(slang_type: ast.Type, name_class: NameClass) -> Type:
    """Return the description of a type: what waves and the debugger show, and the event engine knows words by."""
    name = slang_type.name if slang_type.isAlias else ""
    canonical = slang_type.canonicalType
    unpacked: list[tuple[int, int]] = []
    element = slang_type
    while isinstance(canonical, ast.FixedSizeUnpackedArrayType):
        unpacked.append((canonical.range.left, canonical.range.right))
        element = canonical.elementType
        name = element.name if element.isAlias else name
        canonical = element.canonicalType
    if type(canonical) in _CONTAINERS:
        return _describe_container(canonical, name, tuple(unpacked), name_class)
    ranges: list[tuple[int, int]] = []
    inner = canonical
    while isinstance(inner, ast.PackedArrayType):
        ranges.append((inner.range.left, inner.range.right))
        name = name or (inner.elementType.name if inner.elementType.isAlias else "")
        inner = inner.elementType.canonicalType
    handle = name_class(inner) if isinstance(inner, ast.ClassType | ast.EventType | ast.CovergroupType) else ""
    return Type(
        kind="class" if handle else _kind_name(inner),
        width=canonical.bitWidth if canonical.isIntegral else flat_width(canonical),
        signed=canonical.isSigned,
        four_state=canonical.isFourState,
        name=handle or name or _predefined_name(inner),
        ranges=tuple(ranges),
        unpacked=tuple(unpacked),
        members=_describe_members(inner, name_class),
        enum_values=_describe_values(inner),
    )


def _describe_container(
    canonical: ast.Type, name: str, unpacked: tuple[tuple[int, int], ...], name_class: NameClass
) -> Type:
    key = canonical.indexType if isinstance(canonical, ast.AssociativeArrayType) else None
    return Type(
        kind=_CONTAINERS[type(canonical)],
        width=64,
        four_state=False,
        name=name,
        unpacked=unpacked,
        element=describe_type(canonical.arrayElementType, name_class),
        key=describe_type(key, name_class) if key is not None else None,
        bound=int(canonical.maxBound) + 1 if isinstance(canonical, ast.QueueType) and canonical.maxBound else 0,
    )


def _tag_bits(canonical: ast.UnpackedUnionType) -> int:
    """Return the bits of the tag of a tagged union, which stand above its members'."""
    members = [member for member in canonical if isinstance(member, ast.FieldSymbol)]
    return max((len(members) - 1).bit_length(), 1) if canonical.isTagged else 0


def flat_width(slang_type: ast.Type) -> int:
    """Return the bits of a type's flat form."""
    canonical = slang_type.canonicalType
    if canonical.isIntegral:
        return canonical.bitWidth
    match canonical:
        case ast.FixedSizeUnpackedArrayType():
            return canonical.fixedRange.width * flat_width(canonical.elementType)
        case ast.UnpackedStructType() | ast.UnpackedUnionType():
            widths = [flat_width(member.type) for member in canonical if isinstance(member, ast.FieldSymbol)]
            if isinstance(canonical, ast.UnpackedStructType):
                return sum(widths)
            return max(widths, default=0) + _tag_bits(canonical)
        case ast.VoidType():
            return 0
        case _:
            return 64


_KIND_NAMES: dict[type[ast.Type], str] = {
    ast.EnumType: "enum",
    ast.PackedStructType: "struct",
    ast.UnpackedStructType: "struct",
    ast.PackedUnionType: "union",
    ast.UnpackedUnionType: "union",
    ast.FloatingType: "real",
    ast.StringType: "string",
    ast.EventType: "event",
    ast.CHandleType: "chandle",
    ast.VirtualInterfaceType: "chandle",
    ast.ClassType: "class",
    ast.NullType: "class",
    ast.PredefinedIntegerType: "integer",
}


def _kind_name(canonical: ast.Type) -> str:
    if isinstance(canonical, ast.FloatingType) and canonical.bitWidth == 32:
        return "shortreal"
    if isinstance(canonical, ast.PackedUnionType | ast.UnpackedUnionType) and canonical.isTagged:
        return "tagged"
    return _KIND_NAMES.get(type(canonical)) or ("logic" if canonical.isFourState else "bit")


def _predefined_name(canonical: ast.Type) -> str:
    return canonical.name if isinstance(canonical, ast.PredefinedIntegerType) else ""


def _describe_members(canonical: ast.Type, name_class: NameClass) -> tuple[tuple[str, int, Type], ...]:
    if isinstance(canonical, ast.PackedStructType | ast.PackedUnionType):
        fields = [member for member in canonical if isinstance(member, ast.FieldSymbol)]
        return tuple((member.name, member.bitOffset, describe_type(member.type, name_class)) for member in fields)
    if isinstance(canonical, ast.UnpackedStructType | ast.UnpackedUnionType):
        fields = [member for member in canonical if isinstance(member, ast.FieldSymbol)]
        end = total = flat_width(canonical)
        members: list[tuple[str, int, Type]] = []
        for member in fields:
            width = flat_width(member.type)
            if isinstance(canonical, ast.UnpackedUnionType):
                end = total - _tag_bits(canonical) - width
            else:
                end -= width
            members.append((member.name, end, describe_type(member.type, name_class)))
        return tuple(members)
    return ()


def _describe_values(canonical: ast.Type) -> tuple[tuple[str, int], ...]:
    if isinstance(canonical, ast.EnumType):
        mask = (1 << canonical.bitWidth) - 1
        values = [member for member in canonical if isinstance(member, ast.EnumValueSymbol)]
        return tuple((member.name, int(member.value.value) & mask) for member in values)  # pyright: ignore
    return ()
