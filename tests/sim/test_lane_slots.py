"""Slots of lanes: lanes of one time get what each would get alone."""

import numpy as np
import pytest

from weft.sim.lane_slots import SlotClock

CLOCK = SlotClock(np.array([0, 5, 15], np.uint64), 30)


@pytest.mark.parametrize("clock", [CLOCK, SlotClock(np.array([0, 5, 15, 15], np.uint64), 30, 15)])
@pytest.mark.parametrize("now", [0, 4, 5, 15, 29, 30, 95])
@pytest.mark.parametrize("length", [0, 1, 15, 30, 77])
def test_lanes_of_one_time(clock, now, length):
    alone = np.array([now], np.uint64)
    until = alone + np.uint64(length)
    many = np.repeat(alone, 4)
    mixed = np.array([now, now + 7, now, now], np.uint64)
    for one, several in (
        (clock.first(alone), clock.first(many)),
        (clock.last(alone, until), clock.last(many, many + np.uint64(length))),
    ):
        assert several.dtype == np.uint64 and several.tolist() == one.tolist() * 4
    assert clock.first(mixed)[0] == clock.first(alone)[0]
    assert clock.last(mixed, mixed + np.uint64(length))[2] == clock.last(alone, until)[0]


def test_no_lanes():
    assert not len(CLOCK.first(np.empty(0, np.uint64)))
