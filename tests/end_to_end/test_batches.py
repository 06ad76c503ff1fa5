"""Batches of real processors on the CPU: lanes with different memories equal plain simulations, state for state."""

import numpy as np
import pytest
from bench.batch import RAMS, compile_single, find_design, load, reset
from bench.designs import MissingPackage
from bench.lane_firmware import COUNT_ADDRESS, SEED_ADDRESS, seeds


@pytest.mark.slow
@pytest.mark.parametrize("name", ["picorv32_soc", "serv", "vexriscv_min"])
def test_lanes_equal_simulations(name):
    try:
        design = find_design(name)
    except MissingPackage as error:
        pytest.skip(str(error))
    single = compile_single(design)
    start, lanes, cycles = single.checkpoint(), 18, 4000
    batch = single.batch(lanes, "cpu", messages="count")
    load(batch, name, lanes)
    reset(batch, design)
    batch.run_cycles(cycles)
    for lane in (0, 5, 17):
        single.restore(start)
        load(single, name, 0)
        single.memory(RAMS[name])[SEED_ADDRESS // 4] = seeds(lanes)[lane]
        reset(single, design)
        single.run_cycles(cycles)
        assert np.array_equal(batch.lane_state(lane), np.frombuffer(single.checkpoint().state, np.uint8)), lane
    rounds = batch.memory(RAMS[name])[:, COUNT_ADDRESS // 4]
    assert rounds.max() > rounds.min() or name == "serv"


@pytest.mark.slow
def test_ibex():
    try:
        design = find_design("ibex")
    except MissingPackage as error:
        pytest.skip(str(error))
    single = compile_single(design)
    batch = single.batch(3, "cpu", messages="count")
    for target in (batch, single):
        reset(target, design)
        target.run_cycles(1500)
    assert np.array_equal(batch.lane_state(2), np.frombuffer(single.checkpoint().state, np.uint8))
