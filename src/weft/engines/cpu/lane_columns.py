"""Bring the words of a tile's lanes from the batch's rows into its buffer, and back.

Rows are arrays over lanes in the containers of `ir.lane_layout`; in the buffer a word is vectors of integers, a bit a
vector of bytes (`lane_emitter`).
"""

from __future__ import annotations

from weft.engines.cpu import lane_context as ctx
from weft.engines.cpu.lane_emitter import TileEmitter, signature
from weft.engines.lanes.shape import Shape, element
from weft.ir.lane_program import LaneProgram, LaneStep
from weft.ir.layout import container_bytes


class ColumnEmitter(TileEmitter):
    """Emit one of the two functions."""

    def __init__(self, program: LaneProgram, shape: Shape) -> None:
        super().__init__(program, LaneStep("", [], [], [], [], [], []), shape)

    def load_columns(self) -> str:
        """Return the function that brings the active lanes' words into the buffer."""
        self._begin()
        for number, word in enumerate(self.program.words):
            base, item = self._row(number), container_bytes(word.width)
            kind = self.shape.vector(8 * item)
            parts = tuple(
                self.put(f"load {kind}, ptr {self._row_place(base, item, c)}, align {min(64, item * self.shape.chunk)}")
                for c in range(self.shape.chunks)
            )
            old = self.read(number)
            if isinstance(old, str):
                bit = self.pack(self.compare("ne", 8 * item, parts, self.constants(8 * item, 0)))
                self.store(number, self._merge(old, bit))
            else:
                assert isinstance(old, tuple)
                size = element(word.width)
                self.store(number, self.choose(size, self._active, self.convert(parts, 8 * item, size), old))
        return self._close("load_columns")

    def save_columns(self) -> str:
        """Return the function that brings the active lanes' words back to the batch's array."""
        self._begin()
        for number, word in enumerate(self.program.words):
            value = self.read(number)
            assert not isinstance(value, int)
            self._store_row(self._row(number), word.width, value, self._active)
        return self._close("save_columns")

    def _row(self, word: int) -> str:
        """Return the address of a word's row: rows follow one another, each of `STRIDE` lanes."""
        before = sum(container_bytes(other.width) for other in self.program.words[:word])
        state, stride = self.context_word(ctx.STATE, "ptr"), self.context_word(ctx.STRIDE)
        return self.put(f"getelementptr i8, ptr {state}, i64 {self.put(f'mul i64 {stride}, {before}')}")

    def _close(self, name: str) -> str:
        self.add("ret void")
        body = "\n  ".join(self.lines)
        return f"define internal void @{name}{signature(self.shape)} {{\nentry:\n  {body}\n}}\n"
