"""How containers and their elements lie in memory (IEEE 1800-2023 7.5, 7.8, 7.10).

A container is a block of the arena that the collector knows as it knows objects (`heap_kernels`); its handle is the
block's address, and 0 is an empty one. An element takes a whole number of bytes: the plane of its bits and, if its type
has four states, that of its unknowns, as a signal does; a word value (a real, a handle) takes one word.

Associative arrays lie in memory too if their keys fit in a word: a key is kept so that keys compare as unsigned
numbers, a string as its handle, which compares by the string's characters (`text_kernels`). The index of `[*]` is
unsigned and has any width (7.8.1), and here a value of up to 64 bits. Arrays whose keys are vectors of more than 64
bits are kept by Python, under handles that are numbers less than `LEAST_ADDRESS`.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass, field
from weft.engines.event.value_types import CONTAINERS, REALS, WORDS
from weft.engines.event.writer import mask, plane_bytes
from weft.ir.design import Type

LEAST_ADDRESS = 1 << 32
"""Handles from here on are addresses."""

MARK_CONTAINER = 1 << 32
"""What the first word of a container has, and no object's class number; the number of its type is below."""
MARK_SCAN = 1 << 33
"""Elements or keys may hold handles."""
MARK_DEEP = 1 << 34
"""Elements are containers, which are copied with the one that holds them."""
MARK_MAP = 1 << 35
"""It is an associative array."""
MARK_BOX = 1 << 36
"""It is a mailbox or a semaphore."""
MARK_TEXT = 1 << 37
"""It is an associative array whose keys are strings."""

SIGN = 1 << 63


@dataclass(frozen=True, slots=True)
class ElementLayout:
    """Be how an element of a type lies."""

    type: Type
    word: bool
    """Whether the value is a word: a real or a handle."""
    width: int
    """Of the value, in bits."""
    four_state: bool
    """Whether there is a plane of unknowns."""
    step: int
    """The bytes of an element."""
    unknown: int
    """The unknowns of the default value (IEEE 1800-2023 table 7-1); its bits are 0."""


@dataclass(frozen=True, slots=True)
class ContainerLayout:
    """Be how containers of a type lie."""

    type: Type
    element: ElementLayout
    is_map: bool
    """Whether it is an associative array."""
    step: int
    """The distance of elements in bytes; those of an associative array have their key before them."""
    limit: int
    """How many elements there may be; 0: any number."""
    mark: int
    """The first word of such a container."""


def element_layout(kind: Type) -> ElementLayout:
    """Return how elements of a type lie."""
    word = kind.kind in WORDS and not kind.unpacked
    width = 64 if word else flat_width(kind)
    four_state = kind.four_state and not word
    step = plane_bytes(width) * (2 if four_state else 1)
    return ElementLayout(kind, word, width, four_state, step, mask(width) if four_state else 0)


def container_layout(kind: Type, number: int) -> ContainerLayout:
    """Return how containers of a type lie, which has a number."""
    assert kind.element is not None
    element = element_layout(kind.element)
    is_map = kind.kind == "assoc"
    mark = number | MARK_CONTAINER
    if holds_handles(kind.element) or (kind.key is not None and kind.key.kind in WORDS):
        mark |= MARK_SCAN
    if element.word and kind.element.kind in CONTAINERS:
        mark |= MARK_DEEP
    if is_map:
        mark |= MARK_MAP
    if kind.key is not None and kind.key.kind == "string":
        mark |= MARK_TEXT
    step = 8 + (element.step + 7) // 8 * 8 if is_map else element.step
    return ContainerLayout(kind, element, is_map, step, kind.bound if kind.kind == "queue" else 0, mark)


@dataclass(slots=True)
class ContainerTypes:
    """Number the types of containers, as their first word has it."""

    types: list[Type] = field(default_factory=list[Type])
    _layouts: dict[Type, ContainerLayout] = field(default_factory=dict[Type, ContainerLayout])

    def layout(self, kind: Type) -> ContainerLayout:
        """Return how containers of a type lie, which gets a number when first asked for."""
        found = self._layouts.get(kind)
        # A state that is put back has the numbers that were given when it was taken.
        if found is None or not self._has(kind, found.mark & mask(32)):
            found = self._layouts[kind] = container_layout(kind, len(self.types))
            self.types.append(kind)
        return found

    def _has(self, kind: Type, number: int) -> bool:
        return number < len(self.types) and (self.types[number] is kind or self.types[number] == kind)

    def copy(self) -> ContainerTypes:
        """Return the same numbers, to which others may be added."""
        return ContainerTypes(list(self.types), dict(self._layouts))


def flat_width(kind: Type) -> int:
    """Return the flattened width of a type."""
    count = 1
    for left, right in kind.unpacked:
        count *= abs(left - right) + 1
    return kind.width * count


def holds_handles(kind: Type) -> bool:
    """Say whether a value of a type may have handles in it."""
    return (kind.kind in WORDS and kind.kind not in REALS) or any(holds_handles(part) for _, _, part in kind.members)


def in_memory(kind: Type | None) -> bool:
    """Say whether containers of a type lie in memory; those inside their elements may not."""
    if kind is None or kind.kind not in CONTAINERS or kind.element is None:
        return False
    if kind.kind != "assoc":
        return True
    key = kind.key
    if key is None:
        return True
    return not key.unpacked and (key.kind in ("class", "string") or (key.kind not in WORDS and key.width <= 64))
