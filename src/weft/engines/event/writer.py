"""Write LLVM IR as text, folding what is constant as it is written.

An operand is a Python int, a constant, or the name of an LLVM value. A `Value` is a vector of `width` bits in two
planes: `bits` and `unknown`, where an unknown bit is x if its bit is 0 and z if it is 1. `unknown` is the constant 0
for everything that has only two states, and folding then leaves nothing of the second plane.

A plane of up to 64 bits is carried in a type of 1, 8, 16, 32 or 64 bits, the bits above it 0: LLVM selects instructions
of other types at its lowest level in a way that takes twice as long for the whole block.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from weft.base.dataclass import dataclass, field

Operand = int | str


@dataclass(frozen=True, slots=True)
class Value:
    """Be a 4-state vector."""

    width: int
    bits: Operand
    unknown: Operand = 0

    @property
    def known(self) -> bool:
        """Say whether the value has only the states 0 and 1."""
        return self.unknown == 0

    @property
    def constant(self) -> bool:
        """Say whether the value is a constant."""
        return isinstance(self.bits, int) and isinstance(self.unknown, int)


def mask(width: int) -> int:
    """Return `width` ones."""
    return (1 << width) - 1


def all_x(width: int) -> Value:
    """Return a value of x bits."""
    return Value(width, 0, mask(width))


def storage_bits(width: int) -> int:
    """Return the width in which a plane of so many bits lies in memory: a power of two, or whole 64-bit words."""
    for size in (8, 16, 32, 64):
        if width <= size:
            return size
    return (width + 63) // 64 * 64


_CARRIERS = (1, 1, *(storage_bits(width) for width in range(2, 65)))


def carrier(width: int) -> int:
    """Return the bits of the type that carries a plane of so many bits."""
    return _CARRIERS[width] if width <= 64 else width


def ir_type(width: int) -> str:
    """Return the type that carries a plane of so many bits."""
    return f"i{carrier(width)}"


def plane_bytes(width: int) -> int:
    """Return the bytes that a plane takes in memory."""
    return storage_bits(width) // 8


_FOLD: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "ult": operator.lt,
    "ule": operator.le,
    "ugt": operator.gt,
    "uge": operator.ge,
}
_SIGNED = ("ashr", "sdiv", "srem")
_EXCEEDING = ("add", "sub", "mul", "shl", *_SIGNED)
"""Operations whose results may have more bits than their operands."""


@dataclass(slots=True)
class Writer:
    """Hold the lines of one LLVM function while it is written."""

    lines: list[str] = field(default_factory=list[str])
    entry: list[str] = field(default_factory=list[str])
    declarations: dict[str, str] = field(default_factory=dict[str, str])
    count: int = 0
    closed: bool = False
    _known: dict[str, str] = field(default_factory=dict[str, str])
    """What this block has computed: addresses and complements."""
    _complements: dict[str, str] = field(default_factory=dict[str, str])
    """What complements are of, in all blocks: it comes before them."""
    without_z: set[tuple[Operand, Operand]] = field(default_factory=set[tuple[Operand, Operand]])
    """The planes of values whose bits are 0 where they are unknown, as what operators return is."""

    def fresh(self, stem: str = "t") -> str:
        """Return a name that is not used yet."""
        self.count += 1
        return f"{stem}{self.count}"

    def emit(self, text: str) -> str:
        """Write an instruction with a result, and return the result's name."""
        self.count += 1
        name = f"%t{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Write an instruction without a result."""
        self.lines.append(f"  {text}")

    def label(self, name: str) -> None:
        """Begin a block; control falls into it."""
        if not self.closed:
            self.lines.append(f"  br label %{name}")
        self.lines.append(f"{name}:")
        self._known.clear()
        self.closed = False

    def jump(self, name: str) -> None:
        """End the block with a jump."""
        if not self.closed:
            self.lines.append(f"  br label %{name}")
        self.closed = True

    def branch(self, condition: Operand, then: str, other: str) -> None:
        """End the block with a branch on one bit."""
        if isinstance(condition, int):
            self.jump(then if condition else other)
            return
        self.lines.append(f"  br i1 {condition}, label %{then}, label %{other}")
        self.closed = True

    def ret(self, text: str = "i64 0") -> None:
        """Return from the function."""
        if not self.closed:
            self.lines.append(f"  ret {text}")
        self.closed = True

    def reopen(self) -> None:
        """Begin a block that nothing jumps to, so that what is written next is well formed."""
        if self.closed:
            self.lines.append(f"{self.fresh('dead')}:")
            self._known.clear()
            self.closed = False

    def declare(self, name: str, text: str) -> None:
        """Declare an outside function once."""
        self.declarations.setdefault(name, text)

    def slot(self, bits: int) -> str:
        """Return a stack slot that lives as long as the function."""
        name = f"%{self.fresh('slot')}"
        self.entry.append(f"  {name} = alloca {ir_type(bits)}")
        return name

    # ------------------------------------------------------------------------------------------- operations

    def op(self, name: str, width: int, a: Operand, b: Operand) -> Operand:
        """Return `a name b`."""
        full = mask(width)
        if isinstance(a, int) and isinstance(b, int) and name in _FOLD:
            return _FOLD[name](a, b) & full
        if isinstance(a, int) and name in ("and", "or", "xor", "add", "mul"):
            a, b = b, a
        if isinstance(b, int):
            b &= full
            if b == 0 and name in ("or", "xor", "add", "sub", "shl", "lshr", "ashr"):
                return a
            if b == 0 and name in ("and", "mul"):
                return 0
            if b == full and name == "and":
                return a
            if b == full and name == "or":
                return full
        if a == b and name in ("and", "or"):
            return a
        if a == 0 and name in ("shl", "lshr", "ashr"):
            return 0
        size = carrier(width)
        if name in _SIGNED:
            a, b = self._extended(width, a), b if name == "ashr" else self._extended(width, b)
        result = self.emit(f"{name} i{size} {a}, {b}")
        return self.op("and", size, result, full) if size != width and name in _EXCEEDING else result

    def _extended(self, width: int, a: Operand) -> Operand:
        """Return a signed value in all bits of its carrier."""
        size = carrier(width)
        if isinstance(a, int):
            return (a | -(a >> (width - 1) & 1) << width) & mask(size)
        if size == width:
            return a
        return self.emit(f"ashr i{size} {self.emit(f'shl i{size} {a}, {size - width}')}, {size - width}")

    def and_(self, width: int, a: Operand, b: Operand) -> Operand:
        """Return the bitwise and."""
        return self.op("and", width, a, b)

    def or_(self, width: int, a: Operand, b: Operand) -> Operand:
        """Return the bitwise or."""
        return self.op("or", width, a, b)

    def not_(self, width: int, a: Operand) -> Operand:
        """Return the complement."""
        if isinstance(a, int):
            return a ^ mask(width)
        if a in self._complements:
            return self._complements[a]
        found = self._known.get(f"not {a}")
        if found is None:
            found = self._known[f"not {a}"] = self.emit(f"xor {ir_type(width)} {a}, {mask(width)}")
            self._complements[found] = a
        return found

    def compare(self, name: str, width: int, a: Operand, b: Operand) -> Operand:
        """Return a comparison as one bit."""
        if isinstance(a, int) and isinstance(b, int) and name in _COMPARE:
            return int(_COMPARE[name](a, b))
        if width == 1 and name in ("eq", "ne"):
            if isinstance(a, int):
                a, b = b, a
            if isinstance(b, int):
                return a if b == (name == "eq") else self.not_(1, a)
            differ = self.op("xor", 1, a, b)
            return differ if name == "ne" else self.not_(1, differ)
        if name[0] == "s":
            a, b = self._extended(width, a), self._extended(width, b)
        return self.emit(f"icmp {name} {ir_type(width)} {a}, {b}")

    def select(self, width: int, condition: Operand, a: Operand, b: Operand) -> Operand:
        """Return `a` if the condition holds, else `b`."""
        if isinstance(condition, int):
            return a if condition else b
        if a == b:
            return a
        if width == 1 and isinstance(a, int) and isinstance(b, int):
            return condition if a else self.not_(1, condition)
        return self.emit(f"select i1 {condition}, {ir_type(width)} {a}, {ir_type(width)} {b}")

    def resize(self, a: Operand, old: int, new: int, signed: bool = False) -> Operand:
        """Truncate or extend."""
        if old == new:
            return a
        if isinstance(a, int):
            if new > old and signed and a >> (old - 1) & 1:
                a |= mask(new) ^ mask(old)
            return a & mask(new)
        size, other = carrier(new), carrier(old)
        if new < old:
            cut = a if size == other else self.emit(f"trunc i{other} {a} to i{size}")
            return self.op("and", size, cut, mask(new)) if size != new else cut
        if signed and other == old:
            wide: Operand = self.emit(f"sext i{old} {a} to i{size}")
        else:
            wide = a if size == other else self.emit(f"zext i{other} {a} to i{size}")
            if not signed:
                return wide
            wide = self.emit(f"shl i{size} {wide}, {size - old}")
            wide = self.emit(f"ashr i{size} {wide}, {size - old}")
        return self.op("and", size, wide, mask(new)) if size != new else wide

    def nonzero(self, width: int, a: Operand) -> Operand:
        """Return whether any bit is 1."""
        return int(a != 0) if isinstance(a, int) else self.compare("ne", width, a, 0)

    # ------------------------------------------------------------------------------------------- memory

    def address(self, base: str, offset: Operand) -> str:
        """Return a pointer `offset` bytes behind another."""
        if offset == 0:
            return base
        text = f"getelementptr i8, ptr {base}, i64 {offset}"
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self.emit(text)
        return found

    def load(self, pointer: str, width: int) -> Operand:
        """Load a plane of so many bits."""
        size = storage_bits(width)
        value = self.emit(f"load i{size}, ptr {pointer}, align {1 if size > 64 else size // 8}")
        return self.resize(value, size, width)

    def store(self, pointer: str, value: Operand, width: int) -> None:
        """Store a plane of so many bits."""
        size = storage_bits(width)
        wide = self.resize(value, width, size)
        self.do(f"store i{size} {wide}, ptr {pointer}, align {1 if size > 64 else size // 8}")

    def load_word(self, pointer: str, offset: int = 0) -> str:
        """Load a 64-bit word behind a pointer."""
        return self.emit(f"load i64, ptr {self.address(pointer, offset)}")

    def store_word(self, pointer: str, offset: int, value: Operand) -> None:
        """Store a 64-bit word behind a pointer."""
        self.do(f"store i64 {value}, ptr {self.address(pointer, offset)}")

    def store_planes(self, pointer: str, value: Value) -> None:
        """Store a value's two planes behind a pointer, each in whole words."""
        bits = (value.width + 63) // 64 * 64
        for plane, content in enumerate((value.bits, value.unknown)):
            at = self.address(pointer, plane * bits // 8)
            self.do(f"store i{bits} {self.resize(content, value.width, bits)}, ptr {at}, align 8")

    def load_planes(self, pointer: str, width: int) -> Value:
        """Load a value that `store_planes` has stored."""
        bits = (width + 63) // 64 * 64
        planes = [
            self.resize(self.emit(f"load i{bits}, ptr {self.address(pointer, at)}, align 8"), bits, width)
            for at in (0, bits // 8)
        ]
        return Value(width, planes[0], planes[1])

    def pointer(self, word: Operand) -> str:
        """Return a word as a pointer."""
        return self.emit(f"inttoptr i64 {word} to ptr")

    def call(self, name: str, *arguments: Operand) -> str:
        """Call a function of 64-bit words."""
        self.declare(name, f"declare i64 @{name}({', '.join(['i64'] * len(arguments))})")
        return self.emit(f"call i64 @{name}({', '.join(f'i64 {argument}' for argument in arguments)})")
