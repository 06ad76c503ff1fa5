"""A campaign on PicoRV32 running its firmware: each fault as a plain simulation has it, by `poke` and `force`."""

import random

import pytest
from bench.batch import compile_single, find_design, reset
from bench.designs import MissingPackage

import weft
from brute_force import first_difference, good_rows

OUTPUTS = ["trap", "bus_valid", "bus_fetch", "bus_address", "bus_write_data", "bus_write_strobe", "tx"]


@pytest.mark.slow
def test_picorv32():
    try:
        design = find_design("picorv32_soc")
    except MissingPackage as error:
        pytest.skip(str(error))
    cycles, sim = 400, compile_single(design)
    reset(sim, design)
    start = sim.checkpoint()
    flips = sim.faults(cycles, sites=["cpu.cpuregs", "cpu.reg_*"], models="flip", sample=60, seed=3, device="cpu").run()
    stuck = sim.faults(cycles, sites="cpu.*", models="stuck", device="cpu").run()
    good = good_rows(sim, OUTPUTS, {}, cycles)
    for row in flips.rows():
        sim.restore(start)
        check(row, first_difference(sim, OUTPUTS, {}, good, flip_of(row)))
    single = [row for row in stuck.rows() if "[" not in row.name and row.result != "untestable"]
    chosen = random.Random(4).sample(single, 40)
    forced = weft.compile(
        *design.files,
        **design.compile_options(),
        forceable=sorted({row.name for row in chosen}),
        output=lambda data: None,
    )
    reset(forced, design)
    start = forced.checkpoint()
    for row in chosen:
        forced.restore(start)
        forced.force(row.name, int(row.model == "sa1"))
        check(row, first_difference(forced, OUTPUTS, {}, good, lambda sim, cycle: None))
    assert sum(row.result == "detected" for row in chosen) >= 5


def flip_of(row):
    name, *rest = row.name.removeprefix("picorv32_soc.").split("[")
    indices = [int(part.rstrip("]")) for part in rest]

    def flip(sim, cycle):
        if cycle != row.cycle:
            return
        if name == "cpu.cpuregs":
            memory = sim.memory(name)
            memory[indices[0]] = int(memory[indices[0]]) ^ 1 << indices[1]
        else:
            sim.poke(name, int(sim.peek(name)) ^ 1 << (indices[0] if indices else 0))

    return flip


def check(row, found):
    if found is None:
        assert row.result in ("undetected", "latent"), row
    else:
        want = "detected", found[0], f"picorv32_soc.{OUTPUTS[found[1]]}"
        order = (row.result, row.seen_cycle, row.output)
        assert order[:2] == want[:2], row
