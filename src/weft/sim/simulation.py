"""A simulation as users drive it: signals by path, values, time, watches, checkpoints.

Everything here is about names, values and errors; what runs is an `Engine` (`sim.engine`). A simulation is made by
`weft.compile`: of a design by clock cycles (`sim.cycle_simulation`) or of a testbench by events
(`sim.testbench_simulation`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.sim.build_condition import Condition, build_condition
from weft.sim.compiled_design import CompiledDesign
from weft.sim.engine import Checkpoint, Engine, Stop
from weft.sim.handles import MemoryHandle, SignalHandle, Value, to_planes, to_value
from weft.sim.hierarchy import Driver, HierarchyNode, build_hierarchy, find_drivers
from weft.sim.signal_map import Found, SignalMap

if TYPE_CHECKING:
    from weft.sim.batch import Batch
    from weft.sim.cycle_simulation import CycleSimulation
    from weft.sim.faults.campaign import FaultCampaign


@dataclass(slots=True)
class _Cache:
    conditions: dict[str, Condition] = field(default_factory=dict[str, Condition])
    handles: dict[str, SignalHandle | MemoryHandle] = field(default_factory=dict[str, "SignalHandle | MemoryHandle"])


class Simulation(ABC):
    """Be one running design. Make one with `weft.compile`."""

    def __init__(self, design: CompiledDesign) -> None:
        self.design = design
        self.build_seconds: dict[str, float] = {}
        self._cache = _Cache()
        self._closed = False

    def _forget(self) -> None:
        """Look everything up again."""
        self._cache = _Cache()

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """Return what runs the design."""

    # ------------------------------------------------------------------------------------------------ signals

    @property
    @abstractmethod
    def signals(self) -> SignalMap:
        """Return the signals of the design."""

    def __getitem__(self, path: str) -> SignalHandle | MemoryHandle:
        """Return the signal or memory of a path, such as `cpu.pc`; the top's own name may be left out."""
        handle = self._cache.handles.get(path)
        if handle is None:
            found = self.signals.find(path)
            handle = self._memory(path, found) if found.memory >= 0 else SignalHandle(self, path, found)
            self._cache.handles[path] = handle
        return handle

    @abstractmethod
    def _memory(self, path: str, found: Found) -> MemoryHandle:
        """Return the handle of a memory."""

    def __contains__(self, path: str) -> bool:
        found = self.signals.look_up(path)
        return found is not None and found.node != -1

    def _signal(self, path: str) -> Found:
        found = self.signals.find(path)
        if found.memory >= 0:
            raise UserError("unknown-signal", f"'{path}' is a memory: use memory('{path}')")
        return found

    def peek(self, path: str) -> Value:
        """Return a signal's settled value: an int, or in 4-state a Logic or LogicArray."""
        found = self._signal(path)
        return to_value(found, self.engine.get(found), self.design.four_state)

    get = peek

    def poke(self, path: str, value: Value | str | bool) -> None:
        """Set an input or a register; what follows from it is seen by the next `peek`, `step` or run."""
        found = self._signal(path)
        self.engine.set(found, to_planes(path, found, value))

    set = poke

    def memory(self, path: str) -> MemoryHandle:
        """Return a memory; `memory("ram")[0:64]` is a NumPy view of its elements."""
        handle = self[path]
        if not isinstance(handle, MemoryHandle):
            raise UserError("unknown-signal", f"'{path}' is not kept as a memory: use peek('{path}')")
        return handle

    @abstractmethod
    def force(self, path: str, value: Value | str | bool) -> None:
        """Hold a signal at a value, whatever drives it, until `release`."""

    def release(self, path: str) -> None:
        """End a force; a variable keeps the forced value until it is next assigned (IEEE 1800-2023 10.6.2)."""
        self.engine.release(self._signal(path))

    def watch(self, path: str, callback: Callable[[Value], None]) -> int:
        """Call `callback(value)` each time a signal has changed at a settled time; return a number for `unwatch`."""
        found = self._signal(path)
        four = self.design.four_state
        return self.engine.watch(found, lambda value: callback(to_value(found, value, four)))

    def unwatch(self, number: int) -> None:
        """End a watch."""
        self.engine.unwatch(number)

    def drivers(self, path: str) -> list[Driver]:
        """Return what drives a signal: assignments, procedures and instances, with their places in the source."""
        return find_drivers(self.design, self.signals.find(path))

    def hierarchy(self) -> list[HierarchyNode]:
        """Return the instances of the design, the tops first, with their signals."""
        return build_hierarchy(self.design)

    # --------------------------------------------------------------------------------------------------- time

    @property
    def time_fs(self) -> int:
        """Return the present time in femtoseconds."""
        return self.engine.time_fs

    @property
    def finished(self) -> bool:
        """Say whether the design has called `$finish` or `$fatal`."""
        return self.engine.outcome.finished

    @property
    def errors(self) -> int:
        """Return how many errors the design has reported (`$error`, `$fatal`, failed assertions)."""
        return self.engine.outcome.errors

    def step(self) -> Stop:
        """Settle what was poked, then advance to the next event (of a design, the next clock edge) and settle."""
        return self.engine.step()

    @abstractmethod
    def run_cycles(self, count: int) -> Stop:
        """Advance by a number of clock cycles; return why it stopped."""

    @abstractmethod
    def run_until(self, target: str | int, max_cycles: int | None = None) -> Stop:
        """Advance to a time (`"1ms"`, or femtoseconds), or until an expression such as `uart_valid == 1` holds."""

    def condition(self, text: str) -> Condition:
        """Return an expression in the form that engines run; raises `bad-expression` or `unknown-signal`."""
        found = self._cache.conditions.get(text)
        if found is None:
            found = self._cache.conditions[text] = build_condition(text, self.signals)
        return found

    def stop(self) -> None:
        """Make the run in progress return; for callbacks and other threads."""
        self.engine.stop()

    # ---------------------------------------------------------------------------------------------------- batches

    def batch(
        self,
        lanes: int,
        device: str = "auto",
        *,
        random: Mapping[str, int] | None = None,
        private: Sequence[str] = (),
        messages: str = "error",
        threads: int = 0,
        resident: str | bool = "auto",
        devices: str | Sequence[int] = (0,),
        max_steps: int = 0,
        share_memories: str | bool = "auto",
        pool_bytes: int = 0,
    ) -> Batch:
        """Return a batch of `lanes` instances, each a copy of this simulation as it is now.

        `device` is `cpu`, `cuda`, or `auto`: a GPU if there is one and the lanes are many. `random` gives inputs a new
        random value after each rising edge of the first clock, made from a seed, the lane and the cycle
        (`passes.insert_random`). Memories that the design never writes are held once for all lanes, but for those in
        `private`. With `messages="count"` messages such as `$display` are counted for each lane; otherwise a design
        that has some cannot be a batch. `threads` limits those of the CPU.

        With `resident=True` one kernel stays on the GPU, so that poke, run and peek cost microseconds; the lanes must
        all run at once there. `auto` does so when the batch is run for a few cycles often; False never. `devices` are
        the numbers of the GPUs to use, or `all`: each has a range of the lanes. A launch of a kernel takes no lane
        further than `max_steps` clock events, where that is given, which Ctrl-C and progress wait for.

        With `share_memories=True` lanes share memories of 1 KiB and more, but for those in `private`, until they write
        to them, page by page (`ir.lane_pages`), so that they cost what they write; each access takes a look-up more.
        `auto` does so where the lanes had no room otherwise. `pool_bytes` is what there is for pages that were
        written, by default most of what is left.
        """
        from weft.sim.make_batch import make_batch  # batches are rare, and most of their code is only theirs

        source, kept = self._batch_source(), tuple(private)
        return make_batch(
            source,
            lanes,
            device,
            random or {},
            kept,
            messages,
            threads,
            resident,
            devices,
            max_steps,
            share_memories,
            pool_bytes,
        )

    def faults(
        self,
        cycles: int,
        *,
        sites: str | Sequence[str] = "*",
        models: str | Sequence[str] = ("stuck",),
        pins: str | Sequence[str] = (),
        observe: str | Sequence[str] | None = None,
        faults: str | Path | Sequence[str] | None = None,
        stimulus: Mapping[str, Any] | None = None,
        random: Mapping[str, int] | None = None,
        until: str = "",
        timeout: int | None = None,
        compare: str = "cycle",
        at: Sequence[int] | None = None,
        sample: int | None = None,
        seed: int = 0,
        collapse: bool = True,
        dominance: bool = False,
        refill: bool = True,
        lanes: int | None = None,
        device: str = "auto",
        threads: int = 0,
    ) -> FaultCampaign:
        """Return a fault campaign that begins from this simulation as it is now; its `run` gives the report.

        `sites` are globs over signals and memories, those that begin with `!` without; `models` some of `stuck`,
        `sa0`, `sa1` and `flip`. `pins` are globs over signals whose inputs have faults too, `f<a`: what `f` alone sees
        of `a`. `faults` names a file of faults instead, or has its lines (`sim.faults.fault_list`).
        Every bit of every site has each stuck-at fault; a `flip` comes once in each bit, at a cycle drawn from `seed`,
        or at each of the cycles `at`. `sample` draws so many of all faults.

        The good machine runs for `cycles`, or until it finishes or `until` holds. With `compare="cycle"` a fault is
        detected when one of the signals that `observe` names (globs; the top's outputs by default) differs at the end
        of a cycle; with `"end"` when one differs at the end of the run. A run that does not end as the good machine's
        does within `timeout` cycles (by default, twice as many and 1,000) hangs. `stimulus` gives inputs a value for
        each cycle, `random` a random one from a seed. Faults that are equivalent are simulated once (`collapse`); with
        `dominance` one that is detected whenever another is is not simulated once that one is detected.
        `lanes`, `device` and `threads` are as for `batch`; where there are more faults than lanes, a lane whose fault
        is decided takes up the next one (`refill`).
        """
        from weft.sim.faults.campaign import CampaignOptions, FaultCampaign  # as rare as batches

        def words(text: str | Sequence[str]) -> tuple[str, ...]:
            return tuple(text.split(",")) if isinstance(text, str) else tuple(text)

        listed = () if faults is None else faults if isinstance(faults, str | Path) else tuple(faults)
        options = CampaignOptions(
            cycles=cycles,
            sites=words(sites),
            models=words(models),
            pins=words(pins),
            observe=None if observe is None else words(observe),
            faults=listed,
            until=until,
            timeout=timeout,
            compare=compare,
            at=None if at is None else tuple(at),
            sample=sample,
            seed=seed,
            collapse=collapse,
            dominance=dominance,
            refill=refill,
            lanes=lanes,
            device=device,
            threads=threads,
        )
        return FaultCampaign(self._batch_source(), options, stimulus, random)

    @abstractmethod
    def _batch_source(self) -> CycleSimulation:
        """Return the simulation whose copies become lanes; refuse where lanes, which run by clock edges, cannot be."""

    # ------------------------------------------------------------------------------------ checkpoints and files

    def checkpoint(self) -> Checkpoint:
        """Return a copy of everything that the design remembers, for `restore`."""
        return self.engine.checkpoint()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint."""
        self.engine.restore(checkpoint)

    @abstractmethod
    def save(self, path: str | Path) -> None:
        """Write the present state to a file."""

    @abstractmethod
    def load(self, path: str | Path) -> None:
        """Go to the state in a file that `save` wrote, for this design."""

    @abstractmethod
    def trace(
        self, path: str | Path, signals: str | Sequence[str] = "*", depth: int | None = None, memories: bool = False
    ) -> AbstractContextManager[Any]:
        """Write the waveform of some signals to a `.fst` or `.vcd` file while the context is open.

        `signals` are glob patterns over paths; `depth` 1 shows the top alone, 2 its instances too, and so on.
        """

    @abstractmethod
    def close(self) -> None:
        """Run the final procedures and close the files of the design; calling it again does nothing."""

    def __enter__(self) -> Simulation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
