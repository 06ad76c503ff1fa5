"""Drive the inputs of a batch in every cycle: by expressions, arrays, files and test benches; replay single lanes.

What drives an input is compiled into the lane program (`passes.drive_inputs`), so a run of many cycles stays one call
of the device. Blocks of values are prepared and sent by a thread while the device runs the block before.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.base.workers import Job, Workers
from weft.ir.lane_engine import LaneDevice
from weft.ir.lane_layout import LaneLayout
from weft.ir.lane_program import LaneProgram, LaneStatus
from weft.ir.layout import container_bytes
from weft.passes.drive_inputs import CYCLE, DrivePlan
from weft.sim.choose_clock import ChosenClock
from weft.sim.lane_handles import check_values
from weft.sim.lane_state import LaneState
from weft.sim.signal_map import Found, SignalMap
from weft.sim.stimulus.files import Column, FileOptions, StimulusPath, map_ports, open_file, read_stimulus
from weft.sim.stimulus.lane_simulation import LaneSimulation
from weft.sim.stimulus.plan import Generator, Port, check_generator, find_port, make_plan
from weft.sim.stimulus.planes import Block, DrivePlanes, Sent
from weft.sim.stimulus.record import Fork, Poke, Record, Span, entries_of, packed

if TYPE_CHECKING:
    from weft.sim.batch import Batch
    from weft.sim.stimulus.bench import BenchFunction

_DEPTHS = (16, 128, 1024)
"""The rows that blocks have room for: few, since each is other code."""

_BLOCK_BYTES = 1 << 25
"""Blocks are no larger than that, if 16 cycles fit: larger ones are slower, for a cache no longer holds them."""

_workers = Workers("weft-stimulus", 1)

PlanKey = tuple[tuple[tuple[str, str, int], ...], tuple[str, ...], int]
Lanes = NDArray[np.bool_]
Prepared = tuple[Sent, Block]


class DrivenBatch:
    """Be the part of a batch that drives inputs; `sim.batch.Batch` is the rest."""

    lanes: int
    device: LaneDevice
    clocks: tuple[ChosenClock, ...]
    signals: SignalMap
    program: LaneProgram
    state: LaneState
    layout: LaneLayout
    data: Any
    status: NDArray[np.uint8]
    _end: NDArray[np.uint8]

    def _begin_driving(self) -> None:
        """Have nothing that drives."""
        self._generators: dict[str, Generator] = {}
        self._plans: dict[PlanKey, DrivePlan] = {}
        self._planes: dict[bool, tuple[PlanKey, DrivePlanes]] = {}
        self._key: PlanKey | None = None
        self._record: Record | None = None
        self.plain_runs = True  # neither driven by expressions nor recorded
        self.driven_cycles = 0
        self._shared_rows: dict[str, tuple[Found, NDArray[Any]]] = {}

    @property
    @abstractmethod
    def time_fs(self) -> NDArray[np.uint64]:
        """Return each lane's time in femtoseconds."""

    @abstractmethod
    def settle(self) -> None:
        """Settle every lane."""

    @abstractmethod
    def get(self, found: Found, unknown: bool = False) -> Any:
        """Return a signal's values."""

    @abstractmethod
    def _advance(
        self, duration_fs: Any, condition: str, holds: Lanes | None = None, keep: Lanes | None = None
    ) -> NDArray[np.uint8]:
        """Run the lanes that are not kept."""

    @abstractmethod
    def _holds(self, condition: str) -> Lanes:
        """Say in which lanes a condition holds."""

    @abstractmethod
    def _build(self, condition: str, steady: bool, habits: bool = False) -> tuple[LaneProgram, Any]:
        """Return the program and kernel of a run."""

    @abstractmethod
    def _replay_lane(self, state: NDArray[np.uint8], finished: bool) -> LaneSimulation:
        """Return the simulation of a lane's state."""

    # --------------------------------------------------------------------------------------------- generators

    def generate(self, path: str, text: str | None, seed: int = 0) -> None:
        """Drive an input by an expression from now on, at the beginning of each cycle of the first clock.

        The text has Verilog's operators and numbers over the design's signals and three names more: `lane`, the lane's
        number; `cycle`, how many cycles have passed since time 0; and `random`, at least 32 random bits that depend on
        the seed, the input's path, the lane and the cycle alone. It is compiled into the lane program, so it costs what
        such logic costs, on every device. None ends it, and the input keeps its last value. Raises `bad-expression`,
        `unknown-signal` or `read-only`.
        """
        port = find_port(path, self.signals, self.clocks)
        self._generators.pop(port.path, None)
        if text is not None:
            generator = Generator(port, text, seed)
            check_generator(generator, self.signals)
            self._generators[port.path] = generator
        self.plain_runs = self._record is None and not self._generators

    @property
    def generators(self) -> dict[str, str]:
        """Return the expressions that drive inputs, by path."""
        return {path: generator.text for path, generator in self._generators.items()}

    # ------------------------------------------------------------------------------------------------- arrays

    def drive(self, values: Mapping[str, Any], until: str = "") -> NDArray[np.uint8]:
        """Run cycles in which inputs have given values; return why each lane stopped (`LaneStatus`).

        Each array is `[cycle, lane]`, or `[cycle]` for what is the same in all lanes; inputs of more than 64 bits have
        a last axis of 64-bit words. Row n holds in the n-th cycle from now, from its beginning on; lanes that are in
        the middle of a cycle, because a condition stopped them there, first end it. As many cycles run as the arrays
        have rows. With `until` a lane stops, and misses the rest, where that expression holds. The arrays are read in
        pieces, so they may be memory-mapped files. Raises `bad-lanes` or `value-range`; pieces before the bad one have
        run by then.
        """
        ports = self.find_ports(values)
        arrays = {port: _check_shape(path, array, port, self.lanes) for port, (path, array) in ports.items()}
        counts = {port.path: int(array.shape[0]) for port, array in arrays.items()}
        if len(set(counts.values())) > 1:
            text = ", ".join(f"{path} has {count}" for path, count in counts.items())
            raise UserError("bad-lanes", f"drive needs arrays of the same number of cycles: {text}")
        if not arrays:
            raise UserError("bad-option", "drive needs the values of at least one input")
        cycles = next(iter(counts.values()))
        size = self.block_depth(list(arrays), cycles)

        def pieces() -> Iterator[Block]:
            for first in range(0, cycles, size):
                yield {port: _rows(array[first : first + size], port) for port, array in arrays.items()}

        return self.play(pieces(), list(arrays), size, until)

    def find_ports(self, values: Mapping[str, Any]) -> dict[Port, tuple[str, Any]]:
        """Return the inputs of paths, with the paths and what they map to; an input that a generator drives is none."""
        found: dict[Port, tuple[str, Any]] = {}
        for path, value in values.items():
            port = find_port(path, self.signals, self.clocks)
            if port.path in self._generators:
                raise UserError(
                    "read-only", f"'{path}' is driven by the expression '{self._generators[port.path].text}'"
                )
            found[port] = path, value
        return found

    def block_depth(self, ports: Sequence[Port], cycles: int) -> int:
        """Return how many cycles a block of some inputs has room for."""
        per_cycle = self.layout.stride * sum(container_bytes(port.width) for port in ports)
        fitting = [depth for depth in _DEPTHS if depth == _DEPTHS[0] or depth * per_cycle <= _BLOCK_BYTES]
        return next((depth for depth in fitting if depth >= cycles), fitting[-1])

    def play(self, blocks: Iterable[Block], ports: Sequence[Port], size: int, until: str = "") -> NDArray[np.uint8]:
        """Run blocks of up to `size` cycles; the next one is prepared while the device runs.

        A block whose rows are done in no lane that goes on ends the run.
        """
        holds = self._holds(until) if until else np.zeros(self.lanes, np.bool_)
        keep = holds.copy()
        source = iter(blocks)
        self._activate(ports, size)  # what is wrong with the design is said before anything runs
        self._key = None

        def following() -> Prepared | None:
            block = next(source, None)
            return None if block is None else self.prepare(block, ports, size)

        job: Job[Prepared | None] = _workers.submit(following)
        self.status = np.where(holds, np.uint8(LaneStatus.CONDITION), self._end)
        try:
            while (prepared := job.result()) is not None and not (keep | (self._end > 0)).all():
                job = _workers.submit(following)
                keep = keep | (self.run_block(prepared, ports, size, until, keep) > 0)
        finally:
            job.settled()
        return self.status.copy()

    def prepare(self, block: Block, ports: Sequence[Port], size: int) -> Prepared:
        """Check a block and send it to the device, in any thread, while the device runs the block before."""
        keep = self.recording
        checked = {
            port: check_values(port.path, block[port], port.width, block[port].shape[:2], "host", keep)
            for port in ports
        }
        return self.send_block(checked, ports, size)

    def send_block(self, block: Block, ports: Sequence[Port], size: int) -> Prepared:
        """Send a block of good values to the device; only where `has_planes`, that may be while it runs another."""
        if not self.has_planes(ports, size):
            self._activate(ports, size)
            self._key = None
        return self._planes[True][1].send(block, ports, len(next(iter(block.values())))), block

    def has_planes(self, ports: Sequence[Port], size: int) -> bool:
        """Say whether blocks of some inputs have their place on the device."""
        held = self._planes.get(bool(ports))
        return held is not None and held[0] == self._plan_key(ports, size)

    def _plan_key(self, ports: Sequence[Port], size: int) -> PlanKey:
        generators = tuple((each.port.path, each.text, each.seed) for each in self._generators.values())
        return generators, tuple(port.path for port in ports), size

    def run_block(
        self, prepared: Prepared, ports: Sequence[Port], size: int, until: str = "", keep: Lanes | None = None
    ) -> NDArray[np.uint8]:
        """Run the cycles of a prepared block in the lanes that are not kept."""
        sent, block = prepared
        planes = self._activate(ports, size)
        self._key = None
        planes.take(sent)
        self.driven_cycles += sent.cycles
        still = np.zeros(self.lanes, np.bool_) if keep is None else keep
        self.status = np.where(still, self.status, self._end)
        return self._drive(None, sent.cycles, until, still, ports, size, block)

    # -------------------------------------------------------------------------------------------------- files

    def stream(
        self,
        source: StimulusPath | Sequence[StimulusPath],
        ports: Mapping[str, str] | None = None,
        *,
        cycles: int | None = None,
        until: str = "",
        clock: str = "",
        edge: str = "rising",
        period: str | int = "",
        start: str | int = 0,
        lane_column: str = "lane",
        cycle_column: str = "cycle",
        unknown: int | None = None,
    ) -> NDArray[np.uint8]:
        """Run cycles in which inputs have the values in a file; return why each lane stopped (`LaneStatus`).

        The file is a waveform (`.vcd`, `.fst`), NumPy arrays (`.npy`, `.npz`) or a table (`.parquet`); several files
        are one for each lane. `ports` says which signal or column feeds an input, `{"a": "tb.dut.a"}`; without it each
        input takes the one of its own name, if there is one. `cycles` takes only so many, and the file must have them.

        A waveform is sampled just before each `edge` of a clock in the file, `clock` or the one named like the batch's;
        or with `period` at times from `start` on that are so far apart. Bits that are x or z are an error, unless
        `unknown` (0 or 1) replaces them. A table with a `lane_column` has a row for each lane and cycle, in the order
        of its `cycle_column` if it has one. Raises `bad-stimulus`, `no-such-file`, or `no-package`.
        """
        options = FileOptions(clock, edge, period, start, lane_column, cycle_column, unknown)
        return self.drive(self.read_stimulus(source, ports, options, cycles), until)

    def read_stimulus(
        self,
        source: StimulusPath | Sequence[StimulusPath],
        ports: Mapping[str, str] | None = None,
        options: FileOptions | None = None,
        cycles: int | None = None,
    ) -> dict[str, Column]:
        """Return what `stream` would drive, for `drive`: something like an array of cycles for each input, by path."""
        paths = [source] if isinstance(source, str | Path) else list(source)
        if not paths:
            raise UserError("bad-stimulus", "there are no files")
        name = self.clocks[0].name.rpartition(".")[2] if self.clocks else ""
        files = [open_file(path, options or FileOptions(), self.lanes, name) for path in paths]
        wanted = None
        if ports is not None:
            wanted = {port: column for port, (_, column) in self.find_ports(ports).items()}
        return read_stimulus(files, map_ports(files[0], self.inputs(), wanted), self.lanes, cycles)

    def inputs(self) -> list[Port]:
        """Return the inputs of the top that can be driven and that no expression drives."""
        clocks = {chosen.clock.state for chosen in self.clocks}
        found: list[Port] = []
        for scope in self.signals.graph.scopes:
            for port in scope.module.ports if scope.parent < 0 else ():
                path = f"{scope.path}.{port.signal.name}"
                if port.direction == "input" and path not in self._generators:
                    parts = self.signals.parts(self.signals.find(path).node)
                    if parts is not None and len(parts) == 1 and parts[0].state not in clocks:
                        found.append(find_port(path, self.signals, self.clocks))
        return found

    # --------------------------------------------------------------------------------------------- test benches

    def run_bench(
        self,
        *benches: BenchFunction,
        sync: str = "pipelined",
        block: int = 64,
        cycles: int | None = None,
        watch: Sequence[str] = (),
        ports: Sequence[str] = (),
    ) -> NDArray[np.uint8]:
        """Run test benches, `async def bench(lanes)`, until all of them return; return `status`.

        A test bench sets inputs (`lanes["a"] = array`), lets cycles pass (`await lanes.cycles(3)`) and looks at signals
        (`lanes.peek("q")`); `lanes.start` runs another coroutine beside it. It writes up to `block` cycles ahead of the
        device. With `sync="strict"` `peek` shows what the cycles so far have led to. With `pipelined` the test bench
        writes a block while the device runs the one before, and sees how the block before that one ended. With `async`
        neither waits for the other. Ends at the latest after so many `cycles`, or when every lane has; what still waits
        is then cancelled. `watch` names the signals that can be looked at unless `strict` (the top's outputs by
        default), `ports` inputs that change often, so that code for them is made once. What a test bench raises ends
        the run and is raised.
        """
        import asyncio  # batches without a test bench do without

        return asyncio.run(
            self.run_bench_async(*benches, sync=sync, block=block, cycles=cycles, watch=watch, ports=ports)
        )

    async def run_bench_async(
        self,
        *benches: BenchFunction,
        sync: str = "pipelined",
        block: int = 64,
        cycles: int | None = None,
        watch: Sequence[str] = (),
        ports: Sequence[str] = (),
    ) -> NDArray[np.uint8]:
        """Run test benches in an event loop that runs already; `run_bench` explains the arguments."""
        from weft.sim.stimulus.bench import BenchOptions, LaneBench

        options = BenchOptions(sync, block, cycles, tuple(watch), tuple(ports))
        await LaneBench(cast("Batch", self), options).run(benches)
        return self.status.copy()

    # -------------------------------------------------------------------------------------------------- runs

    def _run(self, duration_fs: int, condition: str = "", holds: Lanes | None = None) -> NDArray[np.uint8]:
        """Run all lanes, driven if something drives them."""
        self._note_rows()
        if not self._generators:
            return self._advance(duration_fs, condition, holds)
        keep = np.zeros(self.lanes, np.bool_) if holds is None else holds
        self.status = np.where(keep, np.uint8(LaneStatus.CONDITION), self._end)
        return self._drive(duration_fs, 0, condition, keep, (), 1, {})

    def _drive(
        self,
        duration_fs: int | None,
        cycles: int,
        condition: str,
        keep: Lanes,
        ports: Sequence[Port],
        size: int,
        block: Block,
    ) -> NDArray[np.uint8]:
        """Run for a time, or cycles from the next beginning of one; lanes in the middle of a cycle end it first."""
        period = np.uint64(self.clocks[0].clock.period_fs)
        rest = (period - self.time_fs % period) % period
        total = None if duration_fs is None else np.full(self.lanes, duration_fs, np.uint64)
        if (rest[~keep & (self._end == 0)] > 0).any():
            status = self._advance(rest if total is None else np.minimum(rest, total), condition, None, keep)
            keep = keep | (status > 0)
        duration = np.full(self.lanes, cycles, np.uint64) * period if total is None else total - np.minimum(rest, total)
        planes = self._activate(ports, size)
        self.settle()
        before = self.time_fs
        first = before // period
        planes.begin(first)
        try:
            status = self._advance(duration, condition, None, keep)
        finally:
            self._key = None
            if self._record is not None:
                counts = planes.row(CYCLE) - first
                generators = tuple(self._generators.values())
                self._record.entries.append(Span(packed(before), packed(counts), generators, dict(block)))
        return status

    def _activate(self, ports: Sequence[Port], size: int) -> DrivePlanes:
        """Make runs drive inputs, by the generators and some blocks, until `_key` is None again; return the planes."""
        key = self._plan_key(ports, size)
        if key not in self._plans:
            period = self.clocks[0].clock.period_fs
            self._plans[key] = make_plan(tuple(self._generators.values()), ports, size, self.signals, period)
        if not self.has_planes(ports, size):
            self.settle()
            self._key = key
            try:
                program = self._build("", False)[0]
            finally:
                self._key = None
            first = len(self.program.memories)
            self._planes[bool(ports)] = key, DrivePlanes(program, first, self.device, self.layout, self.data)
        self._key = key
        return self._planes[bool(ports)][1]

    @property
    def _plan(self) -> DrivePlan | None:
        """Return what drives inputs in the run that is on."""
        return None if self._key is None else self._plans[self._key]

    @property
    def _driven(self) -> set[int]:
        """Return the inputs that are driven in the run that is on."""
        plan = self._plan
        return set() if plan is None else {state for state, _ in plan.stores}

    @property
    def _run_layout(self) -> LaneLayout:
        """Return where the lanes' state and the planes of the run that is on are."""
        return self.layout if self._key is None else self._planes[bool(self._key[1])][1].layout

    # ------------------------------------------------------------------------------------- records and replays

    def record(self) -> None:
        """Keep what the batch is told from now on, so that `replay` can run any lane again from here, alone.

        It costs a copy of all lanes, and of the values that are set and driven. `restore` begins a new record.
        """
        self.settle()
        self._record = Record(self.state.copy_bytes(), self._end.copy())
        self.plain_runs = False

    @property
    def recording(self) -> bool:
        """Say whether a record is kept."""
        return self._record is not None

    def end_record(self) -> None:
        """Keep nothing any more, and drop what was kept."""
        self._record = None
        self.plain_runs = not self._generators

    def replay(self, lane: int) -> LaneSimulation:
        """Return a simulation of one lane as it was when the record began, which is told what the lane was told.

        `run_recorded` takes it to where the batch is now, with the same state bit for bit; it can be traced, watched
        and stopped like any other. Raises `no-record` without `record`.
        """
        self._check_lane(lane)
        if self._record is None:
            raise UserError("no-record", "nothing was recorded: call record() before the run that is to be replayed")
        self._note_rows()
        first, entries = entries_of(self._record, lane)
        past = copy(self.state)
        past.data = self._record.data
        simulation = self._replay_lane(past.extract(first), bool(self._record.end[first]))
        generators = tuple(self._generators.values())
        simulation.follow(lane, generators, entries, int(self.time_fs[lane]), self._period())
        return simulation

    def _alone(self, lane: int, state: NDArray[np.uint8]) -> LaneSimulation:
        """Return a simulation that goes on from the present state of a lane."""
        simulation = self._replay_lane(state, bool(self._end[lane]))
        simulation.follow(lane, tuple(self._generators.values()), [], int(self.time_fs[lane]), self._period())
        return simulation

    def _period(self) -> int:
        return self.clocks[0].clock.period_fs if self.clocks else 1

    @abstractmethod
    def _check_lane(self, lane: int) -> None:
        """Raise if there is no such lane."""

    def _note_poke(
        self, found: Found, lanes: NDArray[np.int64], values: Any, elements: NDArray[np.int64] | None = None
    ) -> None:
        """Record a poke."""
        if self._record is not None:
            self._record.entries.append(Poke(packed(self.time_fs), found, lanes, np.array(values), elements))

    def _note_fork(self, lane: int, into: NDArray[np.int64]) -> None:
        """Record a fork."""
        if self._record is not None:
            self._note_rows()
            self._record.entries.append(Fork(packed(self.time_fs), lane, into))

    def _note_rows(self) -> None:
        """Record what was written to rows that were handed out without a copy."""
        if self._record is None:
            return
        for path, (found, before) in list(self._shared_rows.items()):
            now = self.get(found)
            changed = np.nonzero(now != before)[0]
            if len(changed):
                self._note_poke(found, changed, now[changed])
                self._shared_rows[path] = found, now

    def _note_shared(self, path: str, found: Found) -> None:
        """Remember that a row is handed out, and what is in it."""
        self._shared_rows.setdefault(path, (found, self.get(found)))


def _check_shape(path: str, values: Any, port: Port, lanes: int) -> Any:
    """Return what was given for an input, as something with a shape that can be cut into pieces of cycles."""
    array: Any = values if hasattr(values, "shape") and hasattr(values, "dtype") else np.asarray(values)
    shape: tuple[int, ...] = tuple(array.shape)
    words = (-(-port.width // 64),) if port.width > 64 else ()
    if not shape or shape[1:] not in (words, (1, *words), (lanes, *words)):
        full = ", ".join(str(size) for size in (f"{lanes} lanes", *(f"{count} words" for count in words)))
        raise UserError("bad-lanes", f"'{path}' takes an array of cycles by {full}, not one of shape {shape}")
    return array


def _rows(values: Any, port: Port) -> NDArray[Any]:
    """Return a piece as `[cycle, lane]` or `[cycle, 1]`, with a third axis of words for a wide input."""
    return values[:, None] if len(values.shape) == 1 + (port.width > 64) else values
