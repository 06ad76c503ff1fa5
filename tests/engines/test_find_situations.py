"""Situations: what tells them apart, what is known in each, and that steps for them do the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from step_machines import FLAG, STATE, VALUES, commit, machine
from weft.engines.cpu import find_situations as module
from weft.engines.cpu.emit_speculation import without_repeats
from weft.engines.cpu.find_situations import find_situations
from weft.engines.cpu.sample_table import SampleTable
from weft.engines.cpu.situations import OTHER, Situation, situations_from_words, situations_to_words
from weft.ir.step_graph import Specialiser, live_nodes

STATES = 10


def table(rows: list[dict[int, int]]) -> SampleTable:
    """Return the table of samples of the machine's states; those that a row does not name are 0."""
    values = np.array([[row.get(state, 0) for row in rows] for state in range(STATES)], np.uint8)
    flat = np.zeros(STATES, np.bool_)
    return SampleTable(np.arange(STATES), values, flat, ~flat)


def rows(count: int = 400) -> list[dict[int, int]]:
    """Return samples: the machine's state goes round, the flag is 1 in two of its states, registers count."""
    found: list[dict[int, int]] = []
    for number in range(count):
        state = VALUES[number % 4]
        found.append({STATE: state, FLAG: int(state in (2, 4)), **{2 + n: number * (n + 3) % 256 for n in range(8)}})
    return found


def test_the_machines_state_tells_its_situations_apart():
    step = machine()
    found = find_situations(table(rows()), step)
    assert {each.path for each in found} == {((STATE, value),) for value in VALUES}
    for each in found:
        assert each.known == {STATE: each.path[0][1], FLAG: int(each.path[0][1] in (2, 4))}


def test_steps_for_situations_do_the_same():
    step = machine()
    for each, seed in itertools.product(find_situations(table(rows()), step), (3, 77)):
        version = without_repeats(Specialiser(step).run(each.known, {}), each.known)
        assert sum(live_nodes(version)) < 0.6 * sum(live_nodes(step))
        reads = {**{2 + n: (seed * (n + 1)) & 0xFF for n in range(8)}, **each.known}
        assert commit(version, reads) == commit(step, reads)


def test_rare_values_share_a_situation_or_have_none():
    samples = [{STATE: VALUES[number % 2], 2: number % 251} for number in range(1000)]
    for number in range(9):
        samples[100 * number] = {STATE: VALUES[2]}
    found = find_situations(table(samples), machine())
    assert {each.path for each in found} == {((STATE, VALUES[0]),), ((STATE, VALUES[1]),)}
    for number in range(9):
        samples[100 * number + 50] = {STATE: VALUES[3]}
    found = find_situations(table(samples), machine())
    assert ((STATE, OTHER),) in {each.path for each in found}
    assert all(STATE not in each.known for each in found if each.path == ((STATE, OTHER),))


def test_no_situations_where_nothing_tells_them_apart(monkeypatch: pytest.MonkeyPatch):
    step = machine()
    assert find_situations(table([{STATE: 1, 2: number % 256} for number in range(300)]), step) == ()
    assert find_situations(table([]), step) == ()
    monkeypatch.setattr(module, "MOST_VALUES", 3)
    assert all(STATE not in dict(each.path) for each in find_situations(table(rows()), step))


def test_there_are_not_more_than_wanted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST", 3)
    assert len(find_situations(table(rows()), machine())) <= 3


def test_situations_go_through_words():
    every = (Situation(((3, 1), (4, OTHER)), {3: 1, 9: 0}), Situation(((3, 2),), {3: 2}))
    assert situations_from_words(situations_to_words(every)) == every
    with pytest.raises((TypeError, ValueError)):
        situations_from_words([[1, 2]])
    assert every[0].describe() != every[1].describe()
