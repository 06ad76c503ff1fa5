"""What a device took for a batch: kernels, copies, stages of compilation; and what it could reach at best.

Stages and copies are always counted, which costs nothing beside them; kernels only while `timed` is set, for a GPU
takes two events around each launch. Copies that go beside kernels have their bytes counted always and their time only
then.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from weft.base.dataclass import dataclass, field


@dataclass(slots=True)
class KernelTimes:
    """Add up what a kernel took: seconds by the device's clock, launches, slots of lanes.

    `state_bytes` are those that it moved at least: a launch takes each lane's words into registers and back.
    """

    seconds: float = 0.0
    launches: int = 0
    lane_slots: int = 0
    state_bytes: int = 0

    def add(self, seconds: float, lane_slots: int = 0, state_bytes: int = 0) -> None:
        """Count a launch."""
        self.seconds += seconds
        self.launches += 1
        self.lane_slots += lane_slots
        self.state_bytes += state_bytes


@dataclass(slots=True)
class DeviceTimes:
    """Add up what a device took since it was chosen.

    `stages` are seconds of compiling kernels; `to_device` and `from_device` bytes that were copied between host and
    device, which took `copy_s`.
    """

    timed: bool = False
    kernels: dict[str, KernelTimes] = field(default_factory=dict[str, KernelTimes])
    stages: dict[str, float] = field(default_factory=dict[str, float])
    to_device: int = 0
    from_device: int = 0
    copy_s: float = 0.0

    def kernel(self, name: str) -> KernelTimes:
        """Return what a kernel took so far."""
        return self.kernels.setdefault(name, KernelTimes())

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Add the time of what happens inside to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - began

    def copied(self, began: float, inwards: int = 0, outwards: int = 0) -> None:
        """Count a copy between host and device that began at a time of `perf_counter`."""
        self.copy_s += time.perf_counter() - began
        self.to_device += inwards
        self.from_device += outwards


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """Say what a device could reach: bytes a second of a copy within it, read and written ones together, as measured;
    integer operations a second, by its units and clock. Zero where that is not known."""

    copy_bytes_s: float = 0.0
    integer_ops_s: float = 0.0


def add_times(parts: list[DeviceTimes]) -> DeviceTimes:
    """Return what several devices took that work at the same time: the longest seconds, and all of the rest."""
    whole = DeviceTimes()
    for part in parts:
        for name, each in part.kernels.items():
            kernel = whole.kernel(name)
            kernel.seconds = max(kernel.seconds, each.seconds)
            kernel.launches += each.launches
            kernel.lane_slots += each.lane_slots
            kernel.state_bytes += each.state_bytes
        for name, seconds in part.stages.items():
            whole.stages[name] = max(whole.stages.get(name, 0.0), seconds)
        whole.to_device += part.to_device
        whole.from_device += part.from_device
        whole.copy_s = max(whole.copy_s, part.copy_s)
    return whole
