"""Repeated parts are found by the names of their states, and the layout makes blocks of them."""

import pytest

from weft.ir.cone_graph import State
from weft.ir.find_repeats import find_repeats
from weft.ir.layout import place_state


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.ir.find_repeats.LEAST_SAVED", 2)
    monkeypatch.setattr("weft.ir.find_repeats.SMALL", 1)


def part(path: str, width: int = 8) -> list[State]:
    return [State(f"{path}.wide", 40), State(f"{path}.fifo.data", 8, 4, "memory"), State(f"{path}.fifo.count", width)]


def test_parts_of_one_shape_correspond_by_name():
    states = [State("$time", 64, kind="time"), *part("top.a"), State("top.q", 1), *reversed(part("top.b"))]
    (repeat,) = find_repeats(states)
    assert repeat.paths == ("top.a", "top.b")
    assert repeat.parts == ((1, 2, 3), (7, 6, 5))


def test_other_widths_are_other_shapes():
    assert find_repeats([*part("top.a"), *part("top.b", 9)]) == []


def test_inputs_and_samples_belong_to_nobody():
    states = [*part("top.a"), State("top.a.clk$before", 1, kind="sample"), *part("top.b")]
    assert find_repeats(states)[0].parts == ((0, 1, 2), (4, 5, 6))


def test_the_largest_parts_are_taken_and_then_others_outside_them():
    states = [state for path in ("top.c0", "top.c1") for inner in ("x", "y") for state in part(f"{path}.{inner}")]
    states += [State(f"{path}.more{n}", 8) for path in ("top.c0", "top.c1") for n in range(9)]
    states += part("top.z") + part("top.w")
    found = find_repeats(states)
    assert [repeat.paths for repeat in found] == [("top.c0", "top.c1"), ("top.z", "top.w")]
    assert not {s for r in found[:1] for p in r.parts for s in p} & {s for r in found[1:] for p in r.parts for s in p}


def test_planes_and_equal_names_are_told_apart():
    states = [State(f"top.{path}.q", 8, plane=plane) for path in "ab" for plane in ("value", "unknown")]
    states += [State(f"top.{path}.q", 8, plane="value") for path in "ab"]
    assert find_repeats(states)[0].parts == ((0, 1, 4), (2, 3, 5))


def test_what_saves_little_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("weft.ir.find_repeats.LEAST_SAVED", 4)
    assert find_repeats([*part("top.a"), *part("top.b")]) == []


def test_corresponding_states_have_equal_distances():
    states = [State("top.q", 3), *part("top.a"), *part("top.b"), State("ram", 32, 10, "memory"), *part("top.c")]
    slots = place_state(states).slots
    (repeat,) = find_repeats(states)
    first = repeat.parts[0]
    for other in repeat.parts[1:]:
        scalar, memory = (slots[b].offset - slots[a].offset for a, b in list(zip(first, other, strict=True))[:2])
        assert slots[other[2]].offset - slots[first[2]].offset == scalar and scalar % 8 == memory % 64 == 0
    used = [byte for slot in slots for byte in range(slot.offset, slot.offset + slot.stride * max(1, slot.depth))]
    assert len(used) == len(set(used))
