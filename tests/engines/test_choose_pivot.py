"""The register that a step is split by: the machine's state, if that saves enough, and versions that are the step."""

import itertools

import pytest

from step_machines import FLAG, STATE, VALUES, commit, machine
from weft.engines.cpu import choose_pivot as module
from weft.engines.cpu.choose_pivot import choose_pivot
from weft.ir.step_graph import live_nodes

VARIED = {STATE: {1: 50, 2: 30, 4: 15, 8: 5}, FLAG: {0: 60, 1: 40}}


def test_the_state_of_a_machine_is_chosen_and_its_versions_do_the_same():
    step = machine()
    chosen = choose_pivot(step, VARIED)
    assert chosen is not None
    pivot, versions = chosen
    assert pivot == STATE and tuple(versions) == VALUES
    for (value, version), flag, seed in itertools.product(versions.items(), (0, 1), (3, 77)):
        assert sum(live_nodes(version)) < 0.6 * sum(live_nodes(step))
        assert len(version.writes) < len(step.writes)
        reads = {STATE: value, FLAG: flag, **{2 + n: (seed * (n + 1)) & 0xFF for n in range(8)}}
        assert commit(version, reads) == commit(step, reads)


def test_nothing_is_chosen_that_saves_little_or_makes_much_code(monkeypatch: pytest.MonkeyPatch):
    step = machine()
    assert choose_pivot(step, {FLAG: VARIED[FLAG]}) is None
    assert choose_pivot(step, {}) is None
    monkeypatch.setattr(module, "MOST_CODE", 100)
    assert choose_pivot(step, VARIED) is None
