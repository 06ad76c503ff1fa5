"""Make a batch of a simulation: choose the device, put random stimulus into the design, find its lanes a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from weft.base.dataclass import replace
from weft.base.errors import UserError
from weft.engines.cpu.object_cache import ObjectCache
from weft.ir.lane_engine import LaneDevice
from weft.passes.insert_random import insert_random
from weft.sim.batch import Batch
from weft.sim.batch_options import BatchOptions, check_sharing
from weft.sim.begin_device import first_gpu, wants_gpu
from weft.sim.compile_design import make_program
from weft.sim.compiled_design import CompiledDesign
from weft.sim.cycle_engine import copy_states
from weft.sim.design_cache import hash_words
from weft.sim.engine import Checkpoint
from weft.sim.run_effects import Outcome
from weft.sim.stimulus.lane_simulation import LaneSimulation

if TYPE_CHECKING:
    from weft.sim.cycle_simulation import CycleSimulation


def make_batch(
    simulation: CycleSimulation,
    lanes: int,
    device: str,
    random: Mapping[str, int],
    private: tuple[str, ...],
    messages: str,
    threads: int,
    resident: str | bool = "auto",
    devices: str | Sequence[int] = (0,),
    max_steps: int = 0,
    share_memories: str | bool = "auto",
    pool_bytes: int = 0,
) -> Batch:
    """Return a batch; `Simulation.batch` explains the arguments."""
    if lanes < 1:
        raise UserError("bad-lanes", f"a batch has at least one lane, not {lanes}")
    if messages not in ("error", "count"):
        raise UserError("bad-option", f"messages is error or count, not '{messages}'")
    if resident not in ("auto", True, False):
        raise UserError("bad-option", f"resident is auto, True or False, not '{resident}'")
    if max_steps < 0:
        raise UserError("bad-option", f"max_steps is a number of clock events, or 0, not {max_steps}")
    check_sharing(share_memories, pool_bytes)
    place = choose_device(device, lanes, threads, devices)
    design, program, state = simulation.design, simulation.engine.program, simulation.engine.state
    simulation.engine.settle()
    if random:
        design = _with_random(simulation, random)
        program = make_program(design, "cpu")
        state = copy_states(simulation.design, simulation.engine.program, state, design, program)

    def replay(bytes_: bytes, finished: bool) -> LaneSimulation:
        time = next(i for i, each in enumerate(design.graph.states) if each.kind == "time")
        slot = program.layout.slots[time]
        now = int.from_bytes(bytes_[slot.offset : slot.offset + slot.stride], "little")
        outcome = Outcome(finished=finished)
        start = Checkpoint(design.digest, now, bytes_, outcome)
        options = replace(simulation.options, clock={each.name: each.clock.period_fs for each in simulation.clocks})
        return LaneSimulation(design, make_program(design, "cpu"), options, start=start)

    batch = Batch(
        design,
        program.layout,
        state,
        simulation.clocks,
        place,
        BatchOptions(
            lanes, private, messages, resident, max_steps, share_memories, pool_bytes, dict(simulation.build_seconds)
        ),
        replay,
    )
    if random:
        batch.number_lanes()
    return batch


def choose_device(device: str, lanes: int, threads: int = 0, devices: str | Sequence[int] = (0,)) -> LaneDevice:
    """Return the device of a name; of several GPUs one that is all of them."""
    if device not in ("cpu", "cuda", "auto"):
        raise UserError("bad-option", f"device is cpu, cuda or auto, not '{device}'")
    if wants_gpu(device, lanes):
        from weft.engines.cuda.device import find_gpu

        if device == "cuda" or find_gpu():
            return _choose_gpus(lanes, devices)
    from weft.engines.cpu.lane_engine import CpuDevice

    return CpuDevice(threads=threads)


def _choose_gpus(lanes: int, devices: str | Sequence[int]) -> LaneDevice:
    """Return one GPU, or several as one device, each with 64 lanes at least."""
    from weft.engines.cuda.device import CudaDevice
    from weft.engines.lanes.split_device import SplitDevice, cut_lanes

    if isinstance(devices, str) and devices != "all":
        raise UserError("bad-option", f"devices is all, or a list of numbers of GPUs, not '{devices}'")
    cache = ObjectCache()
    first = CudaDevice(cache=cache, ordinal=first_gpu(devices))
    chosen = list(range(first.driver.count)) if isinstance(devices, str) else list(dict.fromkeys(devices))
    if not chosen:
        raise UserError("bad-option", "devices needs the number of at least one GPU")
    count = len(cut_lanes(lanes, len(chosen))) - 1
    if count == 1:
        return first
    others = [CudaDevice(cache=cache, api=first.driver.api, ordinal=ordinal) for ordinal in chosen[1:count]]
    return SplitDevice([first, *others])


def _with_random(simulation: CycleSimulation, random: Mapping[str, int]) -> CompiledDesign:
    """Return the design with random values in the place of some inputs."""
    design, engine = simulation.design, simulation.engine
    if not simulation.clocks:
        raise UserError("ambiguous-clock", "random stimulus changes with a clock, and the design has none")
    inputs: dict[int, tuple[str, int]] = {}
    for path, seed in random.items():
        found = engine.signals.find(path)
        parts = engine.signals.parts(found.node) if found.node >= 0 else None
        if parts is None or len(parts) != 1 or design.graph.states[parts[0].state].kind != "input":
            raise UserError("read-only", f"'{path}' is no input of the top module, so it cannot be random")
        if parts[0].state == simulation.clocks[0].clock.state:
            raise UserError("bad-option", f"'{path}' is the clock, so it cannot be random")
        inputs[parts[0].state] = (engine.full_path(found), seed)
    graph = insert_random(design.graph, simulation.clocks[0].clock.state, inputs)
    digest = hash_words([design.digest, "random", *(f"{state} {what}" for state, what in inputs.items())])
    return replace(design, graph=graph, digest=digest)
