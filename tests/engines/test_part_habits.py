"""Parts that share code take the same for granted, unless they do different work."""

from weft.engines.cpu.part_habits import CommonHabits, agree_on_habits, common_habits, join_values
from weft.ir.find_repeats import Repeat

REPEAT = Repeat(("a", "b", "c"), (tuple(range(10, 20)), tuple(range(20, 30)), tuple(range(30, 40))))


def habits(first: int, *others: int) -> dict[int, int]:
    """Return habits of a part: all its states are 0, but for some."""
    return {first + place: 0 for place in range(10) if place not in others}


def test_what_only_some_of_equal_parts_have_is_dropped():
    found = agree_on_habits({1: 5, **habits(10), **habits(20, 3), **habits(30)}, [REPEAT])
    assert found == {1: 5, **habits(10, 3), **habits(20, 3), **habits(30, 3)}


def test_other_values_are_other_habits():
    found = agree_on_habits({**habits(10), **habits(20), 23: 1, **habits(30)}, [REPEAT])
    assert found == {**habits(10, 3), **habits(20, 3), **habits(30, 3)}


def test_parts_that_do_other_work_keep_what_they_have():
    busy, idle = habits(10, *range(5)), {**habits(20), **habits(30)}
    assert agree_on_habits({**busy, **idle}, [REPEAT]) == {**busy, **idle}


def test_values_of_corresponding_registers_are_counted_together():
    varied = {11: {0: 5, 1: 3}, 21: {1: 2, 2: 4}, 1: {0: 1, 9: 1}, 12: {0: 1, 1: 1}, 22: {2: 1, 3: 1}}
    joined = {0: 5, 1: 5, 2: 4}
    assert join_values(varied, [REPEAT], 3) == {11: joined, 21: joined, 31: joined, 1: {0: 1, 9: 1}}


def test_guards_are_shared_by_parts_with_equal_habits():
    known = {1: 5, **habits(10), **habits(20, 4), **habits(30)}
    alike, rest = common_habits(known, [REPEAT], 2)
    assert alike == [CommonHabits((REPEAT.parts[0], REPEAT.parts[2]), dict.fromkeys(range(10), 0))]
    assert rest == {1: 5, **habits(20, 4)}
    assert common_habits(known, [REPEAT], 3) == ([], known)
