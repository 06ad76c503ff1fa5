"""Where the time of a batch goes, and how far that is from what its device could do.

A kernel's seconds are those between two events of the GPU around each launch, or of the host's clock on a CPU; so are
those of copies between host and GPU. What remains of a run is the host: Python, drivers, stimulus that is prepared
while nothing else happens. Two bounds say how good the kernels are:

* Memory: a launch takes the words of each lane into registers and back, at least; the design's own memories come on
  top. That is set against a copy within the GPU, measured then.
* Integer units: operations of the lane program (`ir.lane_program`) in a period of its clocks, one for each 32 bits of
  its width, against the operations that the units do in a second. Branches skip some, and some take several
  instructions; so it is a bound for orientation and can be passed.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weft.base.cache_layers import Counts, counts
from weft.base.dataclass import asdict, dataclass, field, replace
from weft.ir.lane_program import LaneProgram, LaneStep
from weft.ir.lane_times import DeviceLimits, DeviceTimes, KernelTimes
from weft.sim.flame_graph import flame_graph, save_flame_graph

if TYPE_CHECKING:
    from weft.sim.batch import Batch

_FREE_OPS = 2
"""Operations below this are constants and words of the state, which cost nothing."""


@dataclass(slots=True)
class BatchProfile:
    """Hold what was measured.

    `stages` are the seconds of compiling the design and, since the batch was made, its kernels, which happens in other
    threads too. `kernels` are those of the run; `run_s` is its length. `lane_cycles` counts the clock cycles of all
    lanes, `operations` those of the lane program in a cycle. `facts` has a line for each kernel that was made for a
    GPU: registers, local memory (stack and spills), occupancy.
    """

    name: str
    device: str
    lanes: int
    stages: dict[str, float] = field(default_factory=dict[str, float])
    kernels: dict[str, KernelTimes] = field(default_factory=dict[str, KernelTimes])
    run_s: float = 0.0
    copy_s: float = 0.0
    to_device: int = 0
    from_device: int = 0
    lane_cycles: float = 0.0
    operations: int = 0
    limits: DeviceLimits = field(default_factory=DeviceLimits)
    facts: list[str] = field(default_factory=list[str])
    cache: Counts = field(default_factory=Counts)

    @property
    def kernel_s(self) -> float:
        """Return the seconds of all kernels."""
        return sum(kernel.seconds for kernel in self.kernels.values())

    @property
    def host_s(self) -> float:
        """Return the seconds of the run that were spent neither in kernels nor in copies."""
        return max(0.0, self.run_s - self.kernel_s - self.copy_s)

    @property
    def rate(self) -> float:
        """Return the clock cycles of all lanes in a second of the run."""
        return self.lane_cycles / self.run_s if self.run_s else 0.0

    @property
    def limit(self) -> float:
        """Return the clock cycles of all lanes in a second that the integer units allow; 0 where that is unknown."""
        return self.limits.integer_ops_s / self.operations if self.operations else 0.0

    @property
    def state_bytes_s(self) -> float:
        """Return the bytes of words of the state that kernels moved in a second of theirs, at least."""
        return sum(each.state_bytes for each in self.kernels.values()) / self.kernel_s if self.kernel_s else 0.0

    def stacks(self) -> list[tuple[tuple[str, ...], float]]:
        """Return stacks of frames, the outermost first, with their own seconds."""
        rows = [(("compile", name), seconds) for name, seconds in self.stages.items()]
        rows += [(("run", "kernels", name), each.seconds) for name, each in self.kernels.items()]
        rows += [(("run", "copies"), self.copy_s)] if self.copy_s else []
        return [*rows, (("run", "host"), self.host_s)]

    def speedscope(self) -> dict[str, Any]:
        """Return the flame graph in speedscope's format."""
        return flame_graph(f"{self.lanes} lanes of {self.name} on {self.device}", self.stacks())

    def save(self, path: str | Path) -> None:
        """Write the flame graph; raises `cannot-write`."""
        save_flame_graph(path, self.speedscope())


@contextmanager
def profile_batch(batch: Batch) -> Generator[BatchProfile]:
    """Measure where the time of a batch goes inside; the profile is complete at the end, and can be shown or saved.

    It is `Batch.profile`. Kernels of a GPU take some microseconds more, for the events around them.
    """
    device = batch.device
    profile = BatchProfile(batch.design.tops[0], device.name, batch.lanes)
    before, was_timed = _copy(device.times()), device.times().timed
    first = _lane_periods(batch)
    device.time_kernels(True)
    began = time.perf_counter()
    try:
        yield profile
    finally:
        profile.run_s = time.perf_counter() - began
        device.time_kernels(was_timed)
        _fill(profile, before, device.times())
        profile.stages = {**batch.options.stages, **device.times().stages}
        profile.lane_cycles = _lane_periods(batch) - first
        profile.operations = _count_operations(batch)
        profile.limits = device.limits()
        profile.facts = batch.kernel_report()
        profile.cache = Counts(**asdict(counts))


def _copy(times: DeviceTimes) -> DeviceTimes:
    return replace(times, kernels={name: replace(each) for name, each in times.kernels.items()})


def _fill(profile: BatchProfile, before: DeviceTimes, after: DeviceTimes) -> None:
    """Set what a run took: the difference of what the device took before and after it."""
    for name, each in after.kernels.items():
        old = before.kernels.get(name, KernelTimes())
        if each.launches > old.launches:
            profile.kernels[name] = KernelTimes(
                each.seconds - old.seconds,
                each.launches - old.launches,
                each.lane_slots - old.lane_slots,
                each.state_bytes - old.state_bytes,
            )
    profile.kernels = dict(sorted(profile.kernels.items(), key=lambda pair: -pair[1].seconds))
    profile.copy_s = after.copy_s - before.copy_s
    profile.to_device, profile.from_device = after.to_device - before.to_device, after.from_device - before.from_device


def _lane_periods(batch: Batch) -> float:
    """Return the cycles of the first clock that all lanes together have had."""
    if not batch.clocks:
        return 0.0
    return float(batch.time_fs.astype(np.float64).sum()) / batch.clocks[0].clock.period_fs


def _count_operations(batch: Batch) -> int:
    """Return the operations in a cycle of the first clock, of the program that was chosen last."""
    ready = [program for program, kernel in batch.kernels.values() if kernel.ready]
    if not ready or not batch.clocks:
        return 0
    program: LaneProgram = ready[-1]
    period = sum(_operations(event.step) + _operations(event.after) for event in program.events)
    if program.condition is not None:
        period += len(program.events) * _operations(program.condition)
    return round(period * batch.clocks[0].clock.period_fs / max(1, program.period_fs))


def _operations(step: LaneStep) -> int:
    return sum(-(-step.width[node] // 32) for node in step.nodes if step.op[node] >= _FREE_OPS)
