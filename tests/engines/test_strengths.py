"""The tables of strengths, against the rules of the standard followed member by member."""

from __future__ import annotations

import numpy as np
import pytest

from weft.engines.event.strengths import (
    COMBINE_KINDS,
    Z,
    decode,
    drive_bytes,
    encode,
    is_range,
    strength_text,
    tables,
)

RANGES = [byte for byte in range(256) if is_range(byte)]
TABLE, PLACES = tables()


def combine_by_members(a: int, b: int, kind: str) -> int:
    """Combine two ranges: each level of one with each of the other, and all that lies between (28.12)."""
    results: list[int] = []
    for x in range(decode(a)[0], decode(a)[1] + 1):
        for y in range(decode(b)[0], decode(b)[1] + 1):
            if abs(x) > abs(y):
                results.append(x)
            elif abs(y) > abs(x) or x == y:
                results.append(y)
            elif kind == "wire":
                results += [x, y]
            else:
                results.append(min(x, y) if kind == "wand" else max(x, y))
    return encode(min(results), max(results))


@pytest.mark.parametrize("kind", COMBINE_KINDS)
def test_combination_is_that_of_all_members(kind: str) -> None:
    """Combine all pairs of the 120 ranges."""
    table = TABLE[PLACES[f"combine.{kind}"] :][:65536].reshape(256, 256)
    for a in RANGES:
        assert [int(byte) for byte in table[a, RANGES]] == [combine_by_members(a, b, kind) for b in RANGES]


@pytest.mark.parametrize("kind", COMBINE_KINDS)
def test_combination_is_a_semilattice(kind: str) -> None:
    """Show that the island solver ends and that the order of drivers does not matter."""
    table = TABLE[PLACES[f"combine.{kind}"] :][:65536].reshape(256, 256)
    some = np.array(RANGES)
    pairs = table[np.ix_(some, some)]
    assert (pairs == pairs.T).all()
    assert (table[some, some] == some).all()
    assert (table[pairs[:, :, None], some] == table[some[:, None, None], pairs[None]]).all()


def test_passing_is_monotone_and_keeps_sides() -> None:
    """Reduce no strength below one that was weaker, and never turn a 0 into a 1."""
    for kind in ("join", "switch", "resistive"):
        for half in range(2):
            passed = TABLE[PLACES[f"pass.{kind}"] + 256 * half :][:256]
            for byte in RANGES:
                (low, high), (new_low, new_high) = decode(byte), decode(int(passed[byte]))
                assert abs(new_low) <= abs(low) or new_low == 0
                assert abs(new_high) <= abs(high) or new_high == 0
                assert new_low * low >= 0
                assert new_high * high >= 0
                if half:
                    assert new_low <= 0 <= new_high


def test_drivers_and_texts() -> None:
    """Drive 0, 1, x and z, and show what comes out as `%v` does."""
    ranges = drive_bytes(("pull", "supply"))
    shown = [strength_text(ranges >> 8 * code & 255) for code in range(4)]
    assert shown == ["Pu0", "Su1", "57X", "HiZ"]
    assert strength_text(drive_bytes(("highz", "strong")) & 255) == "HiZ"
    assert [strength_text(encode(*ends)) for ends in ((-6, 0), (0, 5), (3, 6), (-5, -3), (-6, 6))] == [
        "StL",
        "PuH",
        "631",
        "530",
        "StX",
    ]
    assert strength_text(Z) == "HiZ"
