"""Choose the pieces of the state that the rows of a trace hold, and where in a row each lies.

A piece is 32, 16 or 8 bytes, which is one load and one store. Where most of 32 bytes matter they are one piece; where
few do, only the words that matter are copied: rows go through the memory between two cores, and the bytes are what they
cost. Larger pieces come first, so each is aligned.
"""

from __future__ import annotations

from collections.abc import Iterable

from weft.base.dataclass import dataclass
from weft.ir.layout import Slot

BLOCK = 32
_WORD = 8
_WORDS = BLOCK // _WORD


@dataclass(frozen=True, slots=True)
class Piece:
    """Copy `size` bytes from an offset of the state to a place in a row."""

    offset: int
    size: int
    place: int


def choose_pieces(slots: Iterable[Slot], first: int, most: int) -> list[Piece]:
    """Return the pieces with some slots of the state; they begin at `first` in a row.

    If they have more than `most` blocks of 32 bytes, the blocks are copied whole: neighbours in the state are then
    neighbours in the row. Slots of more than 8 bytes always have whole blocks.
    """
    whole: set[int] = set()
    words: set[int] = set()
    for slot in slots:
        if slot.stride > _WORD:
            whole.update(range(slot.offset // BLOCK, (slot.offset + slot.stride - 1) // BLOCK + 1))
        else:
            words.add(slot.offset // _WORD)
    blocks = sorted(whole | {word // _WORDS for word in words})
    if len(blocks) > most:
        whole.update(blocks)
    found: list[tuple[int, int]] = []
    for block in blocks:
        wanted = [word for word in range(_WORDS * block, _WORDS * block + _WORDS) if word in words]
        if block in whole or len(wanted) > _WORDS // 2:
            found.append((BLOCK, BLOCK * block))
        elif len(wanted) == 2 and wanted[0] % 2 == 0 and wanted[1] == wanted[0] + 1:
            found.append((2 * _WORD, _WORD * wanted[0]))
        else:
            found += [(_WORD, _WORD * word) for word in wanted]
    pieces: list[Piece] = []
    for size, offset in sorted(found, key=lambda piece: (-piece[0], piece[1])):
        pieces.append(Piece(offset, size, first))
        first += size
    return pieces
