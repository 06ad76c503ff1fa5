"""Run a cone graph as native code: the `Program` of the CPU engine.

The program starts to compile the graph's general step when it is made, and waits for it when it is first needed. That
step can do what every clock edge does, so the first cycles run on it; code for the edges themselves, which is several
times faster, is compiled in the background once a run lasts (`tiers`). The program drives the compiled run loop in
slices of a few hundredths of a second, so that Python handles signals and better code takes over between two of them.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import InternalError
from weft.engines.cpu import context as ctx
from weft.engines.cpu.emit_effects import record_bytes
from weft.engines.cpu.emit_step import FLAT_NODES, StepEmitter, condition_text, evaluate_text
from weft.engines.cpu.emitter import words
from weft.engines.cpu.habits import Habits
from weft.engines.cpu.jit import FULL, LEAN, QUICK, START, Compiler, Library, text_digest
from weft.engines.cpu.past_runs import PastRuns
from weft.engines.cpu.run_loop import SLICE, run_loop_text
from weft.engines.cpu.speculation import Speculation
from weft.engines.cpu.tiers import TieredUnit
from weft.engines.cpu.unit_index import UnitIndex
from weft.engines.cpu.unit_text import Finished, Unit
from weft.ir.cone_graph import STEP_LIMIT, ConeGraph
from weft.ir.layout import StateLayout, place_state
from weft.ir.program import Clock, Hook, RunResult, StateArray, Status

if TYPE_CHECKING:
    from weft.engines.cpu.kernel_timers import KernelTimers

_BUFFER_BYTES = 1 << 20
_LONGEST_SLICE = 200_000
_SLICE_SECONDS = 0.02
"""A slice has about this length, and at most `_LONGEST_SLICE` edges; `CpuProgram.longest_slice` may be less."""

_BUSY_SECONDS = 0.02
"""How long a program runs on the general function alone before code for its clock edges is worth its compilation."""

_WARM_SECONDS = 0.3
"""How long a design runs, in all runs together, before better code is worth its compilation."""

_KEPT_SECONDS = 0.03
"""How much longer a program has to run before that is written down again."""


class CpuHook:
    """Be a compiled hook, with the scratch that it needs."""

    def __init__(self, library: Library, name: str, scratch: int) -> None:
        self._library = library
        self._scratch = np.zeros(scratch + 8, np.uint8)
        self.address = library.addresses[name]
        self.context = self._scratch.ctypes.data


def _loop_unit(_: Finished) -> Unit:
    return Unit((run_loop_text(),), ("weft_run", "weft_settle"), 0)


def compile_run_loop() -> None:
    """Put what every program needs into the cache; this also makes LLVM ready."""
    compiler, text = Compiler(), run_loop_text()
    if compiler.find(text_digest(text), FULL) is None:
        compiler.object(text, START)


class CpuProgram:
    """Implement `weft.ir.program.Program` with LLVM.

    `steady` gives inputs (scalar states) that nearly always have a value, such as an inactive reset: the code for clock
    edges is compiled for that, which removes every reset from it, and other values take the general way. `key` stands
    for the graph in the cache, so that a later start need not emit any text; without it every program does.
    """

    def __init__(
        self,
        graph: ConeGraph,
        compiler: Compiler | None = None,
        tier: str = "auto",
        steady: Mapping[int, int] | None = None,
        key: str = "",
    ) -> None:
        if graph.four_state:
            raise InternalError("the CPU engine runs 2-state graphs: split the planes first")
        self.graph = graph
        self.layout: StateLayout = place_state(graph.states)
        self._compiler = compiler or Compiler()
        self._time_state = next((i for i, state in enumerate(graph.states) if state.kind == "time"), -1)
        self._fixed_tier = {"quick": QUICK, "full": FULL}.get(tier)
        self._steady = steady or {}
        self._emitter: StepEmitter | None = None
        self._emitting = threading.Lock()
        self._index = UnitIndex(self._compiler.cache, key)
        self._past = PastRuns(self._compiler.cache, key)
        self._seconds = self._kept_seconds = 0.0
        self._recalled = self._fixed_tier is not None
        self._timers: KernelTimers | None = None
        self._slice, self.longest_slice = 64, _LONGEST_SLICE
        self._phases: dict[tuple[int, int], TieredUnit] = {}
        self.speculation = Speculation(self.layout, graph, self._speculate)
        self._unseen = self.speculation.distance()  # edges until the next sample
        self._loop = TieredUnit("loop", _loop_unit, self._compiler, self._index)
        self._general = self._unit("general", lambda emitter: emitter.general())
        self._first = self._unit("first", lambda emitter: emitter.first())
        self._begin_start()
        self._make_context()
        self._evaluators: dict[tuple[int, tuple[int, ...]], tuple[ConeGraph, Library, NDArray[np.uint8]]] = {}

    def _unit(self, name: str, emit: Callable[[StepEmitter], Unit]) -> TieredUnit:
        def work(finished: Finished) -> Unit:
            with self._emitting:
                if self._emitter is None:
                    self._emitter = StepEmitter(self.graph, self.layout, self._steady)
                self._emitter.finished = finished
                return emit(self._emitter)

        return TieredUnit(name, work, self._compiler, self._index)

    def _begin_start(self) -> None:
        """Take the best code from the cache that runs the first cycles, or begin to compile some."""
        if self._fixed_tier is not None:
            self._loop.begin(self._fixed_tier)
            self._general.begin(self._fixed_tier)
            return
        if not self._loop.load(FULL, QUICK, START):
            self._loop.begin(START)
        if not self._general.load(FULL, QUICK) and not self._first.load(START):
            self._first.begin(START)

    def _make_context(self) -> None:
        """Make the context block and the effect buffer; the functions are entered when they are compiled."""
        self._block = np.zeros(ctx.scratch_offset(len(self.graph.effects)), np.uint8)
        self._words = self._block[: ctx.PENDING].view(np.uint64)
        each = sum(record_bytes(self.graph, index) for index in range(len(self.graph.effects)))
        margin = (STEP_LIMIT + 2) * each
        self._effects = np.zeros(max(_BUFFER_BYTES, 2 * margin) if each else 64, np.uint8)
        self._words[ctx.EFFECT_NEAR] = self._effects.ctypes.data + len(self._effects) - margin
        if self._time_state >= 0:
            self._words[ctx.TIME_OFFSET] = self.layout.slots[self._time_state].offset

    def _make_room(self, scratch: int) -> None:
        """Make the context block large enough for a unit's scratch."""
        if scratch + 64 > len(self._block):
            old = self._block
            self._block = np.zeros(scratch + 64, np.uint8)
            self._block[: len(old)] = old
            self._words = self._block[: ctx.PENDING].view(np.uint64)

    def _finish_start(self) -> None:
        """Wait for the first code, if it is still being compiled."""
        if not self._words[ctx.SETTLE]:
            self._loop.finish()
            self._use_loop()
            self._first.finish()
            self._general.finish()
            self._use_general()

    def _use_loop(self) -> None:
        addresses = self._loop.addresses
        self._run: Any = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3, ctypes.c_uint64)(
            addresses["weft_run"]
        )
        self._settle: Any = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(addresses["weft_settle"])

    def _use_general(self) -> None:
        unit = self._first if self._general.library is None else self._general
        self._make_room(unit.scratch)
        self._words[ctx.SETTLE] = self._timed(unit, unit.addresses["settle"])
        postponed = unit.addresses.get("postponed", 0)
        self._words[ctx.POSTPONED_FUNCTION] = self._timed("postponed effects", postponed) if postponed else 0

    def _find_phase(self, clock: int, level: int) -> TieredUnit:
        """Return the unit of an edge; it has code only if the cache has some, or the tier is a fixed one."""
        unit = self._phases.get((clock, level))
        if unit is None:
            steady = " ".join(f"{state}={value}" for state, value in sorted(self._steady.items()))
            name = f"phase {clock} {level} {steady}"
            unit = self._phases[clock, level] = self._unit(name, lambda emitter: emitter.phase(clock, level))
            if self._fixed_tier is not None:
                unit.begin(self._fixed_tier)
            else:
                unit.load(FULL, QUICK)
        return unit

    def _speculate(self, clock: int, level: int, habits: Habits) -> TieredUnit:
        """Return the unit of an edge of a design that has these habits."""
        steady = " ".join(f"{state}={value}" for state, value in sorted(self._steady.items()))
        name = f"phase {clock} {level} {steady} {habits.describe()}"

        def emit(emitter: StepEmitter) -> Unit:
            # Most programs end before they need this.
            from weft.engines.cpu.emit_speculation import speculative_phase

            return speculative_phase(emitter, clock, level, habits)

        unit = self._unit(name, emit)
        if self._fixed_tier is not None:
            unit.begin(self._fixed_tier)
        else:
            unit.load(LEAN)
        return unit

    def _edge_functions(self, edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the function for each edge `(clock, level)`, and the one to call when that misses."""
        found: list[tuple[int, int]] = []
        for edge in edges:
            usual = self._edge_function(self._phases[edge])
            fast = self.speculation.unit(edge)
            found.append((usual if fast is None else self._edge_function(fast, usual), usual))
        return found

    def _edge_function(self, unit: TieredUnit, other: int = 0) -> int:
        """Return a unit's function for an edge: while it has none, `other` or the general one."""
        unit.finish()
        if unit.library is None:
            return other or int(self._words[ctx.SETTLE])
        self._make_room(unit.scratch)
        return self._timed(unit, unit.addresses["phase"])

    def _improve(self, used: Sequence[TieredUnit]) -> bool:
        """Ask for better code as time goes by, and take over what is ready; say whether anything has changed."""
        if self._fixed_tier is not None or self._seconds < _BUSY_SECONDS:
            return False
        warm = self._seconds + self._past.seconds - self._kept_seconds >= _WARM_SECONDS
        fast = self.speculation.wanted()
        # A large design with code for its edges seldom enters the general function: it gets better code once, at last.
        units = [*used, self._loop, *([self._general] if len(self.graph) < FLAT_NODES or not used else [])]
        for unit in units:
            unit.improve(QUICK)
        if warm:
            for unit in fast:
                unit.improve(LEAN)
            for unit in (*used, self._loop, self._general):
                unit.improve(FULL)
        changed = [unit.upgrade() for unit in (*used, *fast)]
        if self._loop.upgrade():
            self._use_loop()
        if self._general.upgrade():
            self._use_general()
            changed.append(True)
        return any(changed)

    def settle(self, state: StateArray) -> RunResult:
        """Run steps at the present time until the design has settled."""
        self._finish_start()
        self._improve(())
        self._begin(())
        at = state.ctypes.data
        began = time.perf_counter()
        status = self._settle(at, at + self.layout.memory_offset, self._block.ctypes.data)
        self._seconds += time.perf_counter() - began
        status = Status.DONE if status == Status.BUFFER else Status(status)
        return RunResult(status, self._time(state), self._drain())

    def run(self, state: StateArray, clocks: Sequence[Clock], until_fs: int, hooks: Sequence[Hook] = ()) -> RunResult:
        """Advance time to `until_fs`, toggling clocks on the way."""
        if self._time_state < 0:
            raise InternalError("a graph without a time state cannot run")
        now = self._time(state)
        if until_fs < now:
            return RunResult(Status.DONE, now)
        self._finish_start()
        edges = [(clock.state, level) for clock in clocks for level in (1, 0)]
        phases = [self._find_phase(*edge) for edge in edges]
        rows = self._edge_table(clocks, edges, now)
        table = self._begin(hooks)
        self._words[ctx.EDGES] = len(rows)
        self._words[ctx.EDGE_TABLE] = rows.ctypes.data
        at = state.ctypes.data
        while True:
            changed = self._recall(edges)
            if not self._unseen:
                changed = self._sample(state, edges) or changed
            if self._improve(phases) or changed:
                rows[:, ctx.EDGE_FUNCTION : ctx.EDGE_USUAL + 1] = self._edge_functions(edges)
                self._keep_habits()
            budget = self._words[ctx.BUDGET] = min(self._slice, self._unseen, self.longest_slice)
            began = time.perf_counter()
            status = self._run(at, at + self.layout.memory_offset, self._block.ctypes.data, until_fs)
            seconds = time.perf_counter() - began
            self._seconds += seconds
            self._unseen -= budget - int(self._words[ctx.BUDGET])
            if status != SLICE:
                break
            self._fit_slice(seconds * self._slice / budget)
        if status == Status.INTERRUPTED:
            self._words[ctx.INTERRUPT] = 0
        del table
        self._keep_seconds()
        stopped = int(self._words[ctx.HOOK_STOPPED].view(np.int64))
        return RunResult(Status(status), self._time(state), self._drain(), stopped)

    def _recall(self, edges: Sequence[tuple[int, int]]) -> bool:
        """Take up the habits that an earlier run has found, when this one lasts; say whether there are some."""
        if self._recalled or self._seconds < _BUSY_SECONDS:
            return False
        self._recalled = True
        habits = self._past.habits
        return habits is not None and self.speculation.adopt(habits, edges)

    def _sample(self, state: StateArray, edges: Sequence[tuple[int, int]]) -> bool:
        """Take a sample for speculation; say whether it asks for other code."""
        changed = self.speculation.sample(state, edges)
        self._unseen = self.speculation.distance()
        return changed

    def _keep_habits(self) -> None:
        """Remember the first habits, and then only such as there is code for: a later run takes that up at once."""
        found = self.speculation.used or (self.speculation.habits if self._past.habits is None else None)
        if self._fixed_tier is None and found is not None and found != self._past.habits:
            self._past.keep(self._past.seconds, found)

    def _keep_seconds(self) -> None:
        """Add what has run since the last time to what all runs have run, until that is long enough."""
        if self._seconds - self._kept_seconds >= _KEPT_SECONDS and self._past.seconds < _WARM_SECONDS:
            self._past.keep(self._past.seconds + self._seconds - self._kept_seconds, self._past.habits)
            self._kept_seconds = self._seconds

    def _fit_slice(self, seconds: float) -> None:
        """Choose the next slice's edges so that it takes about `_SLICE_SECONDS`, after one that took `seconds`."""
        fitting = int(self._slice * min(4.0, _SLICE_SECONDS / max(seconds, 1e-6)))
        self._slice = max(16, min(_LONGEST_SLICE, fitting))

    def condition_hook(self, graph: ConeGraph, node: int) -> CpuHook:
        """Compile a hook that stops when `node` of `graph` is 1."""
        text, scratch = condition_text(graph, self.layout, node)
        return CpuHook(Library([self._compiler.object(text, FULL)], ["condition"]), "condition", scratch)

    def evaluate(self, state: StateArray, graph: ConeGraph, nodes: Sequence[int]) -> list[int]:
        """Compute combinational values at the present state; the compiled cone is kept for the next call."""
        key = (id(graph), tuple(nodes))
        found = self._evaluators.get(key)
        if found is None:
            text, scratch = evaluate_text(graph, self.layout, nodes)
            library = Library([self._compiler.object(text, QUICK)], ["evaluate"])
            found = self._evaluators[key] = (graph, library, np.zeros(scratch + 8, np.uint8))
        _, library, block = found
        counts = [words(int(graph.width[node])) for node in nodes]
        out = np.zeros(sum(counts) + 1, np.uint64)
        function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(library.addresses["evaluate"])
        at = state.ctypes.data
        function(at, at + self.layout.memory_offset, block.ctypes.data, out.ctypes.data)
        data, values, low = out.tobytes(), list[int](), 0
        for count in counts:
            values.append(int.from_bytes(data[low : low + 8 * count], "little"))
            low += 8 * count
        return values

    def compile_edges(self, clocks: Sequence[int]) -> None:
        """Compile the code for the edges of some clocks (states) now; a run does it later, in the background."""
        self._finish_start()
        phases = [self._find_phase(clock, level) for clock in clocks for level in (1, 0)]
        missing = [unit for unit in phases if unit.library is None]
        for unit in missing:
            unit.begin(QUICK)
        for unit in missing:
            unit.finish()

    def compile_fully(self, clocks: Sequence[int]) -> None:
        """Compile all code for the edges of some clocks (states) as well as can be, now and not in the background."""
        self._finish_start()
        units = [self._loop, self._general, *(self._find_phase(clock, level) for clock in clocks for level in (1, 0))]
        for unit in units:
            if unit.tier is not FULL and not unit.load(FULL):
                unit.begin(FULL)
        for unit in units:
            unit.finish()
        self._use_loop()
        self._use_general()

    def time_kernels(self) -> KernelTimers:
        """Measure from now on how long each kernel runs."""
        from weft.engines.cpu.kernel_timers import KernelTimers  # few programs are profiled

        self._finish_start()
        self._timers = self._timers or KernelTimers(self._compiler)
        self._use_general()
        return self._timers

    def time_no_kernels(self) -> None:
        """End `time_kernels`."""
        self._timers = None
        self._use_general()

    @property
    def compiled_seconds(self) -> float:
        """Return how long the program's compiled code has run."""
        return self._seconds

    def _timed(self, kernel: TieredUnit | str, address: int) -> int:
        """Return the address to enter for a kernel: its own, or that of a function that also measures it."""
        if self._timers is None:
            return address
        return self._timers.wrap(kernel if isinstance(kernel, str) else self._describe_kernel(kernel), address)

    def _describe_kernel(self, unit: TieredUnit) -> str:
        """Return a unit's name for people."""
        tier = unit.tier.name if unit.tier is not None else "none"
        words = unit.name.split()
        if words[0] != "phase":
            return f"general step ({tier})"
        edge = "rising" if words[2] == "1" else "falling"
        return f"{edge} edge of {self.graph.states[int(words[1])].name} ({'speculative' if tier == 'lean' else tier})"

    def pieces(self) -> tuple[int, int]:
        """Return how many of the objects for the first cycles are compiled, and how many there are."""
        counts = [unit.pieces() for unit in (self._loop, self._first, self._general)]
        return sum(done for done, _ in counts), sum(count for _, count in counts)

    def abandon(self) -> None:
        """Drop what is to be compiled, as far as no thread has begun; the program cannot be used any more."""
        for unit in self.all_units():
            unit.abandon()

    def all_units(self) -> list[TieredUnit]:
        """Return all units: those of `units`, the run loop, and speculative code."""
        return [self._loop, *self.units(), *self.speculation.wanted()]

    def units(self) -> list[TieredUnit]:
        """Return the units that there are: the first, the general one, and the phases of the clocks that have run."""
        return [self._first, self._general, *self._phases.values()]

    def interrupt(self) -> None:
        """Make the run in another thread, or the next one, return INTERRUPTED."""
        self._words[ctx.INTERRUPT] = 1

    # ------------------------------------------------------------------------------------------------- parts

    def _begin(self, hooks: Sequence[Hook]) -> NDArray[np.uint64]:
        """Reset the context for a call and return the hook table, which must stay alive during it."""
        calls = [(self._timed("condition" if isinstance(h, CpuHook) else "trace", h.address), h.context) for h in hooks]
        table = np.array([word for call in calls for word in call] or [0], np.uint64)
        self._words[ctx.EFFECT_AT] = self._effects.ctypes.data
        self._words[ctx.STOP] = 0
        self._words[ctx.POSTPONED] = 0
        self._words[ctx.HOOKS] = len(hooks)
        self._words[ctx.HOOK_TABLE] = table.ctypes.data
        self._words[ctx.HOOK_STOPPED] = (1 << 64) - 1
        return table

    def _edge_table(self, clocks: Sequence[Clock], edges: Sequence[tuple[int, int]], now: int) -> NDArray[np.uint64]:
        rows: list[tuple[int, ...]] = []
        functions = iter(self._edge_functions(edges))
        for clock in clocks:
            for first, level in ((clock.rise_fs, 1), (clock.fall_fs, 0)):
                following = first + max(0, (now - first) // clock.period_fs + 1) * clock.period_fs
                offset = self.layout.slots[clock.state].offset
                rows.append((following, clock.period_fs, offset, level, *next(functions)))
        return np.array(rows, np.uint64).reshape(-1, ctx.EDGE_WORDS)

    def _drain(self) -> bytes:
        used = int(self._words[ctx.EFFECT_AT]) - self._effects.ctypes.data
        return self._effects[:used].tobytes()

    def _time(self, state: StateArray) -> int:
        return self.layout.read(state, self._time_state) if self._time_state >= 0 else 0
