"""Bring the words of a tile's lanes from the batch's rows into its buffer, and back.

Rows are arrays over lanes in the containers of `ir.lane_layout`; in the buffer a word is vectors of integers, a bit a
vector of bytes (`lane_emitter`).
"""

from __future__ import annotations

from itertools import accumulate

from weft.engines.cpu import lane_context as ctx
from weft.engines.cpu.lane_emitter import TileBuffer, TileEmitter
from weft.engines.lanes.shape import Shape, element
from weft.ir.lane_program import LaneProgram, LaneStep
from weft.ir.layout import container_bytes

_COLUMNS = 256
"""The words that one function moves: LLVM takes more than twice the time for a block of twice the length."""


class ColumnEmitter(TileEmitter):
    """Emit what brings some words into the buffer, or back."""

    def __init__(self, program: LaneProgram, shape: Shape, buffer: TileBuffer, chosen: range) -> None:
        super().__init__(program, LaneStep("", [], [], [], [], [], []), shape, buffer)
        self.chosen = chosen
        sizes = [container_bytes(word.width) for word in program.words[: chosen.stop]]
        self._before = list(accumulate(sizes, initial=0))

    def load(self) -> str:
        """Return the text that brings the active lanes' words into the buffer."""
        self._begin()
        for number in self.chosen:
            word = self.program.words[number]
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
        return self._close()

    def save(self) -> str:
        """Return the text that brings the active lanes' words back to the batch's array."""
        self._begin()
        for number in self.chosen:
            value = self.read(number)
            assert not isinstance(value, int)
            self._store_row(self._row(number), self.program.words[number].width, value, self._active)
        return self._close()

    def _row(self, word: int) -> str:
        """Return the address of a word's row: rows follow one another, each of `STRIDE` lanes."""
        state, stride = self.context_word(ctx.STATE, "ptr"), self.context_word(ctx.STRIDE)
        return self.put(f"getelementptr i8, ptr {state}, i64 {self.put(f'mul i64 {stride}, {self._before[word]}')}")

    def _close(self) -> str:
        return "\n  ".join([*self.lines, "ret void"])


def column_functions(program: LaneProgram, shape: Shape, buffer: TileBuffer) -> dict[str, dict[str, str]]:
    """Return for each of the two functions its pieces: their bodies, by name."""
    found: dict[str, dict[str, str]] = {"load_columns": {}, "save_columns": {}}
    for first in range(0, max(1, len(program.words)), _COLUMNS):
        chosen = range(first, min(first + _COLUMNS, len(program.words)))
        number = first // _COLUMNS
        found["load_columns"][f"load_columns.{number}"] = ColumnEmitter(program, shape, buffer, chosen).load()
        found["save_columns"][f"save_columns.{number}"] = ColumnEmitter(program, shape, buffer, chosen).save()
    return found
