"""What a value stands for: one lane on a GPU, a tile of lanes in vectors on a CPU."""

from __future__ import annotations

from weft.base.dataclass import dataclass

Operand = int | str | tuple[str, ...]
"""A constant, a bit, or the chunks of a word."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Say what a value stands for: `lanes` lanes, `chunk` of them in each vector; 1 and 1 on a GPU.

    In a tile, `bit_size` is that of the integers that hold bits, all ones or all zeros: bytes where there are mask
    registers (AVX-512), else as large as those of words, so that a bit is the mask of a vector as it is.
    """

    lanes: int
    chunk: int
    bit_size: int = 8

    @property
    def scatters(self) -> bool:
        """Say whether the machine can store a vector's integers at places of their own (AVX-512)."""
        return self.chunk > 1 and self.bit_size == 8

    @property
    def chunks(self) -> int:
        """Return the number of vectors of a word."""
        return self.lanes // self.chunk

    @property
    def bit(self) -> str:
        """Return the type of a bit of every lane."""
        return "i1" if self.lanes == 1 else f"<{self.lanes} x i{self.bit_size}>"

    @property
    def set(self) -> str:
        """Return the type of a set of lanes: an integer with a bit for each."""
        return f"i{self.lanes}"

    def bit_literal(self, value: int) -> str:
        """Return a constant bit, without its type."""
        if self.lanes == 1:
            return "true" if value else "false"
        return f"splat (i{self.bit_size} -1)" if value else "zeroinitializer"

    @property
    def mask(self) -> str:
        """Return the type of a chunk's mask."""
        return self.vector(1)

    def vector(self, size: int) -> str:
        """Return the type of a chunk of integers of `size` bits."""
        return f"i{size}" if self.chunk == 1 else f"<{self.chunk} x i{size}>"

    def literal(self, size: int, value: int) -> str:
        """Return a constant chunk, without its type."""
        if self.chunk == 1 or value == 0:
            return "zeroinitializer" if self.chunk > 1 else str(value)
        return f"splat (i{size} {value})"


def indices(first: int, count: int) -> str:
    """Return the mask of a shuffle that takes `count` elements from one on."""
    return f"<{count} x i32> <" + ", ".join(f"i32 {first + number}" for number in range(count)) + ">"


def element(width: int) -> int:
    """Return the size of the integers that hold words of a width."""
    return 32 if width <= 32 else 64
