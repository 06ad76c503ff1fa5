"""Measure batches: `python bench/batch.py --designs picorv32 --device cpu --lanes 1024 --cycles 20000`.

Every lane runs the program of `bench/lane_firmware.py` with a seed of its own, so lanes diverge. On the CPU the batch
takes turns with a single instance of the same program, and both are measured in CPU seconds of the process, so a busy
machine matters less. On a GPU the rate is that of the wall clock around a run, after one that compiles; the kernel's
registers, spills and occupancy are printed too. `--check N` compares N lanes with plain simulations of the same cycles,
`--compare` every lane of a GPU with the same batch on the CPU.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import numpy as np  # noqa: E402

import weft  # noqa: E402
from bench.designs import CACHE, DESIGNS, Design  # noqa: E402
from bench.lane_firmware import COUNT_ADDRESS, SEED_ADDRESS, program, seeds  # noqa: E402

RAMS = {
    "picorv32": "soc.ram",
    "picorv32_soc": "ram",
    "serv": "servant.dut.ram.mem",
    "vexriscv_linux": "soc.ram",
    "vexriscv_min": "soc.ram",
}
"""The RAM of each computer, which begins at address 0; others run their own firmware, the same in all lanes."""

RAM_BYTES = {"serv": 8192}
"""Their sizes, where they are not 64 KiB."""


def find_design(name: str) -> Design:
    """Return a design; `picorv32_soc` is PicoRV32 with 16 KiB of RAM and without what looks at it."""
    if name != "picorv32_soc":
        return DESIGNS[name]()
    design = DESIGNS["picorv32"]()
    return replace(design, name=name, top="picorv32_soc", parameters={**design.parameters, "WORDS": 4096})


def compile_single(design: Design) -> Any:
    return weft.compile(*design.files, **design.compile_options(), output=lambda data: None)


def load(target: Any, name: str, lanes: int, agree: bool = False) -> None:
    """Put the program into the RAM of a batch (`lanes` > 0) or a simulation, with its seeds; one for all to `agree`."""
    if name not in RAMS:
        return
    memory = target.memory(RAMS[name])
    words = np.array(program(4 * memory.depth), np.uint32)
    if lanes:
        memory[:, 0 : len(words)] = words
        memory[:, SEED_ADDRESS // 4] = seeds(1)[0] if agree else np.array(seeds(lanes), np.uint32)
    else:
        memory[0 : len(words)] = words
        memory[SEED_ADDRESS // 4] = seeds(1)[0]


def reset(target: Any, design: Design) -> None:
    """Reset a batch or a simulation."""
    target.poke(design.reset, 1)
    target.run_cycles(design.reset_cycles)
    target.poke(design.reset, 0)


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure_cpu(name: str, lanes: int, cycles: int, rounds: int, threads: int, agree: bool) -> None:
    """Print the rates of a batch and of one instance, in turns."""
    design = find_design(name)
    single = compile_single(design)
    load(single, name, 0)
    batch = single.batch(lanes, "cpu", threads=threads, messages="count")
    load(batch, name, lanes, agree)
    for target in (single, batch):
        reset(target, design)
    single.run_cycles(3_000_000)  # until its best code is there
    batch.run_cycles(10 * cycles)  # until it knows its habits
    for _, kernel in batch.kernels.values():
        kernel.compile()
    rates: dict[str, list[float]] = {"one instance": [], "batch": []}
    for _ in range(rounds):
        for what, target, count in (("one instance", single, 1_000_000), ("batch", batch, cycles)):
            before = cpu_seconds()
            target.run_cycles(count)
            rates[what].append(count * (lanes if what == "batch" else 1) / (cpu_seconds() - before))
    one, many = (statistics.median(rates[what]) for what in ("one instance", "batch"))
    rounds_run = batch.memory(RAMS[name])[:, COUNT_ADDRESS // 4]
    print(
        f"{name}: {lanes} lanes, {many / 1e6:.1f} M instance-cycles per CPU second; one instance {one / 1e6:.1f};"
        f" ratio {many / one:.1f}; rounds of the program {rounds_run.min()} to {rounds_run.max()}"
    )


def measure_gpu(name: str, lanes: int, cycles: int, rounds: int, devices: str) -> None:
    """Print the rate of a batch on a GPU, and what its kernel takes."""
    began = time.perf_counter()
    design = find_design(name)
    single = compile_single(design)
    chosen = "all" if devices == "all" else [int(each) for each in devices.split(",")]
    batch = single.batch(lanes, "cuda", messages="count", devices=chosen)
    load(batch, name, lanes)
    loaded = time.perf_counter()
    reset(batch, design)
    first = time.perf_counter()
    batch.run_cycles(10)
    ready = time.perf_counter()
    rates: list[float] = []
    for _ in range(rounds):
        before = time.perf_counter()
        batch.run_cycles(cycles)
        rates.append(lanes * cycles / (time.perf_counter() - before))
    counted = (
        batch.memory(RAMS[name], lanes=slice(0, 4096))[:, COUNT_ADDRESS // 4] if name in RAMS else np.zeros(1, int)
    )
    print(
        f"{name}: {lanes} lanes x {cycles} cycles on {batch.device.name}: {statistics.median(rates) / 1e9:.2f}"
        f" G instance-cycles/s (best {max(rates) / 1e9:.2f}); rounds of the program {counted.min()} to"
        f" {counted.max()}; build and load {loaded - began:.1f} s, reset (first kernel) {first - loaded:.1f} s,"
        f" second kernel {ready - first:.1f} s"
    )
    for line in batch.kernel_report():
        print("  ", line)


def measure_verilator(name: str, cycles: int, rounds: int) -> None:
    """Print the rate of Verilator, one instance on one core, with the same program."""
    from bench.peers import verilator

    design = find_design(name)
    image = CACHE / f"lane-firmware-{name}.hex"
    image.parent.mkdir(parents=True, exist_ok=True)
    words = program(RAM_BYTES.get(name, 65536))
    words += [0] * (SEED_ADDRESS // 4 - len(words)) + [seeds(1)[0]]
    image.write_text("\n".join(f"{word:08x}" for word in words) + "\n")
    design = replace(design, name=f"{name}_lane", parameters={**design.parameters, "FIRMWARE": str(image)})
    build = verilator.build(design, again=False)
    rates = [verilator.run(design, build, cycles).rate for _ in range(rounds)]
    print(f"{name}: Verilator {statistics.median(rates) / 1e6:.2f} M cycles/s (best {max(rates) / 1e6:.2f})")


def check(name: str, device: str, lanes: int, cycles: int, count: int) -> None:
    """Compare some lanes of a batch with plain simulations."""
    design = find_design(name)
    single = compile_single(design)
    start = single.checkpoint()
    batch = single.batch(lanes, device, messages="count")
    load(batch, name, lanes)
    reset(batch, design)
    batch.run_cycles(cycles)
    step = max(1, lanes // count)
    for lane in range(0, lanes, step):
        single.restore(start)
        load(single, name, 0)
        single.memory(RAMS[name])[SEED_ADDRESS // 4] = seeds(lanes)[lane]
        reset(single, design)
        single.run_cycles(cycles)
        if not np.array_equal(batch.lane_state(lane), np.frombuffer(single.checkpoint().state, np.uint8)):
            raise SystemExit(f"{name}: lane {lane} differs from the plain simulation")
    print(f"{name}: {len(range(0, lanes, step))} of {lanes} lanes equal plain simulations after {cycles} cycles")


def compare_devices(name: str, lanes: int, cycles: int) -> None:
    """Compare every lane of a batch on a GPU with the same batch on the CPU: all words and memories."""
    design = find_design(name)
    single = compile_single(design)
    batches = [single.batch(lanes, device, messages="count") for device in ("cuda", "cpu")]
    for batch in batches:
        load(batch, name, lanes)
        reset(batch, design)
        batch.run_cycles(cycles)
    gpu, cpu = batches
    for word in range(len(cpu.program.words)):
        np.testing.assert_array_equal(gpu.state.word_row(word), cpu.state.word_row(word))
    for plane, memory in enumerate(cpu.program.memories):
        every = np.arange(memory.depth)
        for first in range(0, lanes, 512):
            some = np.arange(first, min(first + 512, lanes))
            pair = [batch.state.plane_elements(plane, some, every) for batch in batches]
            np.testing.assert_array_equal(*pair)
    print(f"{name}: all {lanes} lanes of {gpu.device.name} equal the CPU's after {cycles} cycles")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", default="picorv32")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--lanes", type=int, default=1024)
    parser.add_argument("--cycles", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--devices", default="0", help="numbers of GPUs, or all")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU; rates are for each CPU second")
    parser.add_argument("--check", type=int, default=0, help="compare this many lanes instead")
    parser.add_argument("--agree", action="store_true", help="give all lanes of a CPU batch one seed")
    parser.add_argument("--verilator", action="store_true", help="measure Verilator with the same program instead")
    parser.add_argument("--compare", action="store_true", help="compare every lane of a GPU with the CPU's instead")
    options = parser.parse_args()
    for name in options.designs.split(","):
        if options.verilator:
            measure_verilator(name, options.cycles, options.rounds)
        elif options.compare:
            compare_devices(name, options.lanes, options.cycles)
        elif options.check:
            check(name, options.device, options.lanes, options.cycles, options.check)
        elif options.device == "cpu":
            measure_cpu(name, options.lanes, options.cycles, options.rounds, options.threads, options.agree)
        else:
            measure_gpu(name, options.lanes, options.cycles, options.rounds, options.devices)


if __name__ == "__main__":
    main()
