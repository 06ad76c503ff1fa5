"""Run a cone graph as native code: the `Program` of the CPU engine.

The program compiles the graph's general step when it is made, and whatever else a run needs when the run first needs
it. It drives the compiled run loop in slices of a few hundredths of a second, so that Python handles signals and the
optimised tier can take over between two of them.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import InternalError
from weft.engines.cpu import context as ctx
from weft.engines.cpu.emit_effects import record_bytes
from weft.engines.cpu.emit_step import StepEmitter, condition_text, evaluate_text
from weft.engines.cpu.emitter import words
from weft.engines.cpu.jit import FULL, QUICK, Compiler, Library
from weft.engines.cpu.run_loop import SLICE, run_loop_text
from weft.engines.cpu.tiers import TieredUnit, Tiers
from weft.ir.cone_graph import STEP_LIMIT, ConeGraph
from weft.ir.layout import StateLayout, place_state
from weft.ir.program import Clock, Hook, RunResult, StateArray, Status

_BUFFER_BYTES = 1 << 20
_SLICE_EDGES = 20_000
_WARM_SECONDS = 0.3
"""How long a program runs before better code is worth its compilation."""


class CpuHook:
    """Be a compiled hook, with the scratch that it needs."""

    def __init__(self, library: Library, name: str, scratch: int) -> None:
        self._library = library
        self._scratch = np.zeros(scratch + 8, np.uint8)
        self.address = library.addresses[name]
        self.context = self._scratch.ctypes.data


class CpuProgram:
    """Implement `weft.ir.program.Program` with LLVM.

    `steady` gives inputs (scalar states) that nearly always have a value, such as an inactive reset: the code for clock
    edges is compiled for that, which removes every reset from it, and other values take the general way.
    """

    def __init__(
        self,
        graph: ConeGraph,
        compiler: Compiler | None = None,
        tier: str = "auto",
        steady: Mapping[int, int] | None = None,
    ) -> None:
        if graph.four_state:
            raise InternalError("the CPU engine runs 2-state graphs: split the planes first")
        self.graph = graph
        self.layout: StateLayout = place_state(graph.states)
        self._compiler = compiler or Compiler()
        self._time_state = next((i for i, state in enumerate(graph.states) if state.kind == "time"), -1)
        self._tiers = Tiers(self._compiler, tier)
        self._phases: dict[tuple[int, int], TieredUnit] = {}
        self._steady = steady or {}
        self._seconds = 0.0
        self._compile()
        self._evaluators: dict[tuple[int, tuple[int, ...]], tuple[ConeGraph, Library, NDArray[np.uint8]]] = {}

    def _compile(self) -> None:
        emitter = self._emitter = StepEmitter(self.graph, self.layout, self._steady)
        loop = self._compiler.submit(run_loop_text(), FULL)
        (self._general,) = self._tiers.compile([emitter.general()])
        self._loop = Library([loop.result()], ["weft_run", "weft_settle"])
        self._run: Any = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3, ctypes.c_uint64)(
            self._loop.addresses["weft_run"]
        )
        self._settle: Any = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(
            self._loop.addresses["weft_settle"]
        )
        self._allocate(emitter.scratch)
        each = sum(record_bytes(self.graph, index) for index in range(len(self.graph.effects)))
        margin = (STEP_LIMIT + 2) * each
        self._effects = np.zeros(max(_BUFFER_BYTES, 2 * margin) if each else 64, np.uint8)
        self._words[ctx.EFFECT_NEAR] = self._effects.ctypes.data + len(self._effects) - margin
        self._use_general()
        if self._time_state >= 0:
            self._words[ctx.TIME_OFFSET] = self.layout.slots[self._time_state].offset

    def _allocate(self, size: int) -> None:
        """Make the context block, or a larger one."""
        old = getattr(self, "_words", None)
        self._block = np.zeros(size + 64, np.uint8)
        self._words = self._block[: ctx.PENDING].view(np.uint64)
        if old is not None:
            self._words[:] = old

    def _compile_phases(self, clocks: Sequence[Clock]) -> None:
        """Compile the functions for the edges of these clocks that are not there yet."""
        wanted = {(clock.state, level) for clock in clocks for level in (0, 1)} - self._phases.keys()
        order = sorted(wanted)
        units = [self._emitter.phase(clock, level) for clock, level in order]
        for key, unit in zip(order, self._tiers.compile(units), strict=True):
            self._phases[key] = unit
        if self._emitter.scratch + 64 > len(self._block):
            self._allocate(self._emitter.scratch)

    def _improve(self, clocks: Sequence[Clock], edges: NDArray[np.uint64]) -> None:
        """Ask for better code for what this run uses, and take over what is ready."""
        used: list[TieredUnit] = []
        for row, clock in enumerate(clocks):
            for level in (0, 1):
                unit = self._phases[clock.state, level]
                used.append(unit)
                if unit.upgrade():
                    edges[2 * row + 1 - level, ctx.EDGE_FUNCTION] = unit.library.addresses["phase"]
        if self._general.upgrade():
            self._use_general()
        for unit in (*used, self._general):
            unit.improve(self._compiler)

    def _use_general(self) -> None:
        addresses = self._general.library.addresses
        self._words[ctx.SETTLE] = addresses["settle"]
        self._words[ctx.POSTPONED_FUNCTION] = addresses.get("postponed", 0)

    def settle(self, state: StateArray) -> RunResult:
        """Run steps at the present time until the design has settled."""
        self._begin(())
        at = state.ctypes.data
        began = time.perf_counter()
        status = self._settle(at, at + self.layout.memory_offset, self._block.ctypes.data)
        self._seconds += time.perf_counter() - began
        if self._tiers.option == "auto" and self._seconds > _WARM_SECONDS:
            if self._general.upgrade():
                self._use_general()
            self._general.improve(self._compiler)
        status = Status.DONE if status == Status.BUFFER else Status(status)
        return RunResult(status, self._time(state), self._drain())

    def run(self, state: StateArray, clocks: Sequence[Clock], until_fs: int, hooks: Sequence[Hook] = ()) -> RunResult:
        """Advance time to `until_fs`, toggling clocks on the way."""
        if self._time_state < 0:
            raise InternalError("a graph without a time state cannot run")
        now = self._time(state)
        if until_fs < now:
            return RunResult(Status.DONE, now)
        edges = self._edge_table(clocks, now)
        table = self._begin(hooks)
        words_ = self._words
        words_[ctx.EDGES] = len(edges)
        words_[ctx.EDGE_TABLE] = edges.ctypes.data
        at, block = state.ctypes.data, self._block.ctypes.data
        while True:
            words_[ctx.BUDGET] = _SLICE_EDGES
            began = time.perf_counter()
            status = self._run(at, at + self.layout.memory_offset, block, until_fs)
            self._seconds += time.perf_counter() - began
            if status != SLICE:
                break
            if self._tiers.option == "auto" and self._seconds > _WARM_SECONDS:
                self._improve(clocks, edges)
        if status == Status.INTERRUPTED:
            words_[ctx.INTERRUPT] = 0
        del table
        return RunResult(Status(status), self._time(state), self._drain(), int(words_[ctx.HOOK_STOPPED].view(np.int64)))

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

    def units(self) -> list[TieredUnit]:
        """Return what is compiled so far: the general function, and the phases of the clocks that have run."""
        return [self._general, *self._phases.values()]

    def interrupt(self) -> None:
        """Make the run in another thread, or the next one, return INTERRUPTED."""
        self._words[ctx.INTERRUPT] = 1

    # ------------------------------------------------------------------------------------------------- parts

    def _begin(self, hooks: Sequence[Hook]) -> NDArray[np.uint64]:
        """Reset the context for a call and return the hook table, which must stay alive during it."""
        table = np.array([word for hook in hooks for word in (hook.address, hook.context)] or [0], np.uint64)
        self._words[ctx.EFFECT_AT] = self._effects.ctypes.data
        self._words[ctx.STOP] = 0
        self._words[ctx.POSTPONED] = 0
        self._words[ctx.HOOKS] = len(hooks)
        self._words[ctx.HOOK_TABLE] = table.ctypes.data
        self._words[ctx.HOOK_STOPPED] = (1 << 64) - 1
        return table

    def _edge_table(self, clocks: Sequence[Clock], now: int) -> NDArray[np.uint64]:
        self._compile_phases(clocks)
        rows: list[tuple[int, int, int, int, int]] = []
        for clock in clocks:
            for first, level in ((clock.rise_fs, 1), (clock.fall_fs, 0)):
                following = first + max(0, (now - first) // clock.period_fs + 1) * clock.period_fs
                offset = self.layout.slots[clock.state].offset
                rows.append(
                    (
                        following,
                        clock.period_fs,
                        offset,
                        level,
                        self._phases[clock.state, level].library.addresses["phase"],
                    )
                )
        return np.array(rows, np.uint64).reshape(-1, ctx.EDGE_WORDS)

    def _drain(self) -> bytes:
        used = int(self._words[ctx.EFFECT_AT]) - self._effects.ctypes.data
        return self._effects[:used].tobytes()

    def _time(self, state: StateArray) -> int:
        return self.layout.read(state, self._time_state) if self._time_state >= 0 else 0
