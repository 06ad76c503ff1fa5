"""What is remembered from run to run."""

from pathlib import Path

import pytest

from weft.engines.cpu.habits import Habits
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.past_runs import PastRuns, parse_runs

HABITS = Habits({3: 1, 5: 0}, {7: {0: 10, 2: 118}})


def test_seconds_and_habits_come_back(tmp_path: Path):
    cache = ObjectCache(tmp_path)
    runs = PastRuns(cache, "design")
    assert (runs.seconds, runs.habits) == (0.0, None)
    runs.keep(0.25, None)
    assert (PastRuns(cache, "design").seconds, PastRuns(cache, "design").habits) == (0.25, None)
    runs.keep(0.5, HABITS)
    found = PastRuns(cache, "design")
    assert (found.seconds, found.habits) == (0.5, HABITS)
    assert found.habits is not None and found.habits.describe() == HABITS.describe()
    assert PastRuns(cache, "another").habits is None


def test_without_a_key_nothing_is_stored(tmp_path: Path):
    runs = PastRuns(ObjectCache(tmp_path), "")
    runs.keep(0.5, HABITS)
    assert runs.habits == HABITS
    assert not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"seconds": 1, "habits": [[[1]], []]}', b'{"seconds": 1, "habits": 7}']
)
def test_damaged_entries_say_nothing(data: bytes):
    assert parse_runs(data) == (0.0, None)
