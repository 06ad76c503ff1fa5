"""Logic and LogicArray: conversions, indexing with the declared range, comparisons, the standard's truth tables."""

import itertools

import pytest

from weft import Logic, LogicArray


def test_text_and_int():
    assert str(LogicArray("01xZ")) == "01xz"
    assert int(LogicArray("0101")) == 5
    assert LogicArray(5, 8) == 5
    assert LogicArray(-1, 4) == 15
    assert LogicArray(15, 4).signed == -1
    assert not LogicArray("1x").resolvable
    with pytest.raises(ValueError, match="x or z"):
        int(LogicArray("1x"))
    with pytest.raises(ValueError, match="does not fit"):
        LogicArray(16, 4)
    with pytest.raises(ValueError, match="not one of"):
        LogicArray("012")
    with pytest.raises(TypeError):
        LogicArray(3)


def test_indexing_follows_the_range():
    down, up = LogicArray("1000", (3, 0)), LogicArray("1000", (0, 3))
    assert down[3] == 1 and down[0] == 0
    assert up[0] == 1 and up[3] == 0
    assert str(down[3:2]) == "10" and str(up[0:1]) == "10"
    assert down[3:2].range == (3, 2)
    with pytest.raises(IndexError):
        down[4]
    with pytest.raises(IndexError, match="against"):
        down[0:3]
    assert [str(bit) for bit in LogicArray("01xz")] == list("01xz")


def test_equality_and_hash_agree():
    assert LogicArray("0101") == LogicArray("101") and hash(LogicArray("0101")) == hash(LogicArray("101")) == hash(5)
    assert LogicArray("x1") == LogicArray("x1") != LogicArray("0x1")
    assert Logic("1") == 1 and hash(Logic("1")) == hash(1)
    assert Logic("x") != 0 and Logic("x") != 1 and Logic("x") == Logic("x")
    assert LogicArray("x") == Logic("x") and hash(LogicArray("x")) == hash(Logic("x"))
    assert len({Logic("0"), Logic("1"), Logic("x"), Logic("z"), LogicArray("x")}) == 4


def test_truth_tables():
    """IEEE 1800-2023 tables 11-11 to 11-14, in the order 0 1 x z."""
    tables = {
        "and": "0000 01xx 0xxx 0xxx",
        "or": "01xx 1111 x1xx x1xx",
        "xor": "01xx 10xx xxxx xxxx",
    }
    for (i, a), (j, b) in itertools.product(enumerate("01xz"), repeat=2):
        row = {"and": Logic(a) & Logic(b), "or": Logic(a) | Logic(b), "xor": Logic(a) ^ Logic(b)}
        wide = {
            "and": LogicArray(a) & LogicArray(b),
            "or": LogicArray(a) | LogicArray(b),
            "xor": LogicArray(a) ^ LogicArray(b),
        }
        for name, table in tables.items():
            assert str(row[name]) == str(wide[name]) == table.split()[i][j], (name, a, b)
    assert str(~LogicArray("01xz")) == "10xx"
    assert bool(LogicArray("x1")) and not bool(LogicArray("x0")) and not bool(Logic("x"))
