"""Pieces of the state in rows: every slot is in one, words that nobody wants are left out, larger pieces come first."""

from random import Random

import pytest

from weft.engines.cpu.row_pieces import BLOCK, choose_pieces
from weft.ir.layout import Slot


def byte(offset: int) -> Slot:
    return Slot(offset, 1, 8, 0)


@pytest.mark.parametrize(("offsets", "expected"), [
    ([0], [(0, 8)]),
    ([7, 8], [(0, 16)]),
    ([8, 16], [(8, 8), (16, 8)]),
    ([0, 24], [(0, 8), (24, 8)]),
    ([16, 31], [(16, 16)]),
    ([0, 8, 16], [(0, 32)]),
    ([5, 32, 40, 50], [(32, 32), (0, 8)]),
    ([70, 0, 8], [(0, 16), (64, 8)]),
])  # fmt: skip
def test_words_that_matter_are_copied(offsets: list[int], expected: list[tuple[int, int]]):
    pieces = choose_pieces(map(byte, offsets), 64, 100)
    assert [(piece.offset, piece.size) for piece in pieces] == expected
    assert [piece.place for piece in pieces] == [64 + sum(size for _, size in expected[:n]) for n in range(len(pieces))]


def test_wide_slots_have_whole_blocks_side_by_side():
    pieces = choose_pieces([byte(3), Slot(88, 24, 160, 0)], 0, 100)
    assert [(piece.offset, piece.size, piece.place) for piece in pieces] == [(64, 32, 0), (96, 32, 32), (0, 8, 64)]


def test_many_blocks_are_copied_whole_in_the_order_of_the_state():
    pieces = choose_pieces([byte(offset) for offset in range(0, 3200, 64)], 0, 49)
    assert [(piece.offset, piece.size) for piece in pieces] == [(offset, BLOCK) for offset in range(0, 3200, 64)]


@pytest.mark.parametrize("seed", range(20))
def test_every_slot_is_in_one_piece_at_its_alignment(seed: int):
    random = Random(seed)
    slots: list[Slot] = []
    for _ in range(random.randrange(1, 60)):
        stride = random.choice((1, 2, 4, 8))
        slots.append(Slot(random.randrange(0, 2048, stride), stride, 8 * stride, 0))
    pieces = choose_pieces(slots, 32, 1000)
    for slot in slots:
        inside = [p for p in pieces if p.offset <= slot.offset and slot.offset + slot.stride <= p.offset + p.size]
        assert len(inside) == 1
    assert all(piece.place % piece.size == 0 for piece in pieces)
