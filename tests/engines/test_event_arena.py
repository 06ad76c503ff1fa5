"""The arena hands out blocks that do not overlap, takes them back, grows them, and can be put back as it was."""

import ctypes
import io
import random

import pytest

from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventSimulation


@pytest.fixture
def engine():
    return EventSimulation(load_design(texts={"t.sv": "module t; endmodule"}), io.BytesIO()).engine


def test_blocks_are_apart_and_used_again(engine):
    choose = random.Random(1)
    blocks: dict[int, tuple[int, int]] = {}
    used = []
    for i in range(3000):
        if blocks and choose.random() < 0.45:
            at = choose.choice(list(blocks))
            size, mark = blocks.pop(at)
            assert ctypes.string_at(at, size) == bytes([mark]) * size
            engine.call("weft_free", at)
        else:
            size = choose.choice([1, 8, 24, 25, 152, 1000, 1016, 1017, 5000, 70000])
            at, mark = engine.call("weft_malloc", size), i % 251
            assert at % 8 == 0 and all(at + size <= other or other + blocks[other][0] <= at for other in blocks)
            ctypes.memset(at, mark, size)
            blocks[at] = (size, mark)
        used.append(engine.arena.used)
    assert used[-1] < 3 * max(sum(size for size, _ in blocks.values()), 4_000_000)


def test_a_block_grows(engine):
    at = engine.call("weft_realloc", 0, 24)
    ctypes.memset(at, 7, 24)
    assert engine.call("weft_realloc", at, 20) == at, "there is room"
    new = engine.call("weft_realloc", at, 5000)
    assert new != at and ctypes.string_at(new, 24) == bytes([7]) * 24
    assert engine.call("weft_malloc", 24) == at, "the old block is free"


def test_it_is_put_back(engine):
    words = engine.arena.words(4)
    words[:] = 5
    kept, used = engine.arena.copy(), engine.arena.used
    words[:] = 6
    engine.arena.words(1000)
    engine.arena.restore(kept)
    assert words.tolist() == [5] * 4 and engine.arena.used == used
