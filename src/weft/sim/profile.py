"""Where the time of a simulation goes: stages of the compilation, kernels of the run, Python, the cache.

`Simulation.profile` measures what happens inside it. Kernels (the code for a clock edge, the general step, conditions,
traces) are timed by functions around them (`engines.cpu.kernel_timers`); what remains of the compiled code is the run
loop, and what remains of the run is Python: printing, traces, watches, the test bench. `flame_graph` writes the file.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.base.cache_layers import Counts, counts
from weft.base.dataclass import asdict, dataclass, field
from weft.ir.program import Program
from weft.sim.flame_graph import flame_graph, save_flame_graph

if TYPE_CHECKING:
    from weft.engines.cpu.kernel_timers import KernelTime, KernelTimers


@dataclass(slots=True)
class Profile:
    """Hold what was measured.

    `stages` are the seconds of the compilation's; `kernels` those of the run, the longest first. `run_s` is the length
    of the run, of which `compiled_s` was spent in compiled code. `object_bytes` is the size of the code in use, as
    objects; `cache` counts what was found and made since Python began.
    """

    name: str
    stages: dict[str, float] = field(default_factory=dict[str, float])
    kernels: list[KernelTime] = field(default_factory=list["KernelTime"])
    run_s: float = 0.0
    compiled_s: float = 0.0
    cycles: int = 0
    object_bytes: int = 0
    cache: Counts = field(default_factory=Counts)

    @property
    def loop_s(self) -> float:
        """Return the seconds of compiled code outside kernels: the run loop, and the clock around each kernel."""
        return max(0.0, self.compiled_s - sum(kernel.seconds for kernel in self.kernels))

    @property
    def python_s(self) -> float:
        """Return the seconds of the run that were not spent in compiled code."""
        return max(0.0, self.run_s - self.compiled_s)

    @property
    def cycles_per_s(self) -> float:
        """Return the clock cycles in a second of the run."""
        return self.cycles / self.run_s if self.run_s else 0.0

    def stacks(self) -> list[tuple[tuple[str, ...], float]]:
        """Return stacks of frames, the outermost first, with their own seconds."""
        rows = [(("compile", name), seconds) for name, seconds in self.stages.items()]
        rows += [(("run", "compiled code", kernel.name), kernel.seconds) for kernel in self.kernels]
        rows += [(("run", "compiled code", "run loop"), self.loop_s)] if self.compiled_s else []
        return [*rows, (("run", "Python"), self.python_s)]

    def speedscope(self) -> dict[str, Any]:
        """Return the flame graph in speedscope's format."""
        return flame_graph(self.name, self.stacks())

    def save(self, path: str | Path) -> None:
        """Write the flame graph; raises `cannot-write`."""
        save_flame_graph(path, self.speedscope())


class Profiler:
    """Measure a program from `begin` to `end`."""

    def __init__(self, name: str, program: Program, stages: dict[str, float]) -> None:
        self.profile = Profile(name, dict(stages))
        self._program = program
        self._timers: KernelTimers | None = None
        self._began = self._compiled = 0.0

    def begin(self) -> None:
        """Begin to measure."""
        from weft.engines.cpu.program import CpuProgram

        if isinstance(self._program, CpuProgram):
            self._timers = self._program.time_kernels()
            self._compiled = self._program.compiled_seconds
        self._began = time.perf_counter()

    def end(self, cycles: int) -> Profile:
        """Fill in the profile of a run of so many cycles."""
        profile = self.profile
        profile.run_s = time.perf_counter() - self._began
        profile.cycles = cycles
        profile.cache = Counts(**asdict(counts))
        from weft.engines.cpu.program import CpuProgram

        if isinstance(self._program, CpuProgram) and self._timers is not None:
            profile.kernels = sorted(self._timers.times(), key=lambda kernel: -kernel.seconds)
            profile.compiled_s = self._program.compiled_seconds - self._compiled
            profile.object_bytes = sum(unit.object_bytes for unit in self._program.all_units())
            self._program.time_no_kernels()
        return profile
