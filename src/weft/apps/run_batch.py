"""`weft batch`: run many instances of a design at once, and write what became of each."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weft.apps.show_progress import compile_progress, print_note, print_warnings, show_status
from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.ir.lane_program import LaneStatus
from weft.sim.choose_clock import choose_reset
from weft.sim.compile_design import compile_design
from weft.sim.cycle_simulation import CycleSimulation
from weft.sim.pipeline_options import PipelineOptions, use_pipeline
from weft.sim.stimulus.files import FileOptions

if TYPE_CHECKING:
    from weft.sim.batch import Batch

_PIECE_SECONDS = 0.5
"""How often a run is looked at, so that its progress can be shown."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Hold the options of `weft batch`."""

    slang: tuple[str, ...]
    lanes: int
    top: str = ""
    plusargs: tuple[str, ...] = ()
    device: str = "auto"
    threads: int = 0
    cycles: int | None = None
    until: str = ""
    clock: str = ""
    period: str = "10ns"
    reset: str = ""
    values: tuple[str, ...] = ()
    generators: tuple[str, ...] = ()
    seed: int = 0
    stimulus: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    files: FileOptions = field(default_factory=FileOptions)
    out: str = ""
    signals: tuple[str, ...] = ()
    wave: str = ""
    wave_lane: int = 0
    four_state: bool = False
    x_initial: str = "0"
    loops: str = "error"
    assertions: str = "error"
    cache: bool = True
    pipeline: PipelineOptions = field(default_factory=PipelineOptions)
    devices: str | Sequence[int] = (0,)
    max_steps: int = 0
    profile: bool = False
    profile_output: str = ""
    quiet: bool = False
    all_warnings: bool = False


def run_batch(plan: BatchPlan) -> bool:
    """Run a batch; say whether a lane has reported an error."""
    if plan.out and Path(plan.out).suffix.lower() not in (".npz", ".parquet"):
        raise UserError("bad-option", f"--out writes .npz or .parquet, not '{plan.out}'")
    if plan.cycles is None and not plan.stimulus:
        raise UserError("bad-option", "say how long to run: --cycles N, or --stimulus FILE")
    with use_pipeline(plan.pipeline, print_note, print_note):
        run = _Run(plan)
        try:
            with run.profile():
                run.run()
        finally:
            run.finish()
        run.write_wave()
    return run.failed


def pairs(words: Sequence[str], option: str) -> dict[str, str]:
    """Return the NAME=TEXT words of an option."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name or not text:
            raise UserError("bad-option", f"{option} is NAME=..., not '{word}'")
        found[name.strip()] = text.strip()
    return found


class _Run:
    def __init__(self, plan: BatchPlan) -> None:
        self.plan, self.done = plan, 0
        self.failed = self.complete = False
        start = time.perf_counter()
        with compile_progress() as progress:
            simulation = compile_design(
                top=plan.top or None,
                slang_args=plan.slang,
                plusargs=plan.plusargs,
                clock=plan.clock or None,
                period=plan.period,
                four_state=plan.four_state,
                x_initial=plan.x_initial,
                seed=plan.seed,
                loops=plan.loops,
                assertions=plan.assertions,
                cache=plan.cache,
                background=plan.pipeline.background,
                progress=progress,
            )
        assert isinstance(simulation, CycleSimulation)
        self.simulation = simulation
        self.batch: Batch = simulation.batch(
            plan.lanes,
            plan.device,
            messages="count",
            threads=plan.threads,
            devices=plan.devices,
            max_steps=plan.max_steps,
        )
        self.begun = time.perf_counter()
        if not plan.quiet:
            print_warnings(simulation.design.warnings, plan.all_warnings)
            print_note(f"compiled in {self.begun - start:.2f} s")
            print_note(f"{plan.lanes:,} lanes on {self.batch.device.name}")
            for clock in self.batch.clocks:
                print_note(clock.describe())

    @contextmanager
    def profile(self) -> Generator[None]:
        """Measure, show and save a profile of what runs inside, if the plan asks for it."""
        if not self.plan.profile:
            yield
            return
        from weft.apps.show_batch_profile import show_batch_profile
        from weft.apps.show_profile import save_flame_graph

        with self.batch.profile() as profile:
            yield
        show_batch_profile(profile)
        save_flame_graph(profile, self.plan.profile_output or f"{self.simulation.design.tops[0]}.speedscope.json")

    def run(self) -> None:
        """Set, reset, run."""
        plan, batch = self.plan, self.batch
        self._find_outputs()
        if plan.wave:
            batch.lane_state(plan.wave_lane)  # what is wrong with its number is said before anything runs
            batch.record()
        for path, text in pairs(plan.values, "--set").items():
            try:
                batch.poke(path, int(text, 0))
            except ValueError:
                raise UserError("bad-option", f"--set {path} takes an integer, not '{text}'") from None
        for path, text in pairs(plan.generators, "--generate").items():
            batch.generate(path, text, plan.seed)
        columns: dict[str, Any] = {}
        if plan.stimulus:
            ports = pairs(plan.ports, "--port") or None
            columns = batch.read_stimulus(list(plan.stimulus), ports, plan.files, plan.cycles)
        elif plan.ports:
            raise UserError("bad-option", "--port needs --stimulus FILE")
        driven = {*columns, *batch.generators}
        reset = choose_reset(plan.reset, self.simulation.clock_report, batch.signals)
        if reset is not None and {reset.name, f"{self.simulation.design.tops[0]}.{reset.name}"} & driven:
            reset = None
        if reset is not None:
            if not plan.quiet:
                print_note(reset.describe())
            batch.poke(reset.name, 0 if reset.active_low else 1)
        if reset is not None or not plan.until:
            with compile_progress(kernels=True) as progress:
                batch.compile(progress, ahead=not plan.until)
        with show_status(self._describe):
            if reset is not None:
                self._advance(reset.cycles, "")
                batch.poke(reset.name, 1 if reset.active_low else 0)
            if columns:
                batch.drive(columns, plan.until)
            else:
                self._advance(plan.cycles or 0, plan.until)
        self.complete = True

    def _advance(self, cycles: int, until: str) -> None:
        """Run cycles, or until a condition holds, in pieces that take a moment."""
        batch, piece = self.batch, 64
        while cycles > 0:
            count, start = min(piece, cycles), time.perf_counter()
            status = batch.run_until(until, count) if until else batch.run_cycles(count)
            cycles -= count
            self.done += count
            # `$stop` is for somebody who goes on by hand; here a lane goes on, until its condition holds.
            if ((status == LaneStatus.CONDITION) | batch.finished).all():
                return
            if time.perf_counter() - start < _PIECE_SECONDS:
                piece *= 2

    def _describe(self) -> str:
        return f"running {self.plan.lanes:,} lanes: {self.done + self.batch.driven_cycles:,} cycles"

    # ------------------------------------------------------------------------------------------------- results

    def finish(self) -> None:
        """Say how it ended, and write the results, those of an interrupted run too."""
        batch, plan = self.batch, self.plan
        seconds = max(time.perf_counter() - self.begun, 1e-9)
        if plan.out:
            self._write(plan.out)
        messages = batch.messages
        errors = sum(int(counts.sum()) for name, counts in messages.items() if name.startswith("$error"))
        self.failed = errors > 0 or bool((batch.status == LaneStatus.FATAL).any())
        if plan.quiet:
            return
        for name, counts in messages.items():
            if counts.any():
                print_note(f"{name}: {int(counts.sum()):,} times in {int((counts > 0).sum()):,} lanes")
        words = {
            LaneStatus.TIME: "ran to the end",
            LaneStatus.CONDITION: f"stopped where '{plan.until}' holds",
            LaneStatus.FINISH: "finished",
            LaneStatus.STOP: "stopped",
            LaneStatus.FATAL: "failed",
            LaneStatus.OSCILLATION: "oscillated",
        }
        counts = {status: int((batch.status == status).sum()) for status in LaneStatus}
        text = ", ".join(f"{count:,} {words[status]}" for status, count in counts.items() if count)
        period = batch.clocks[0].clock.period_fs if batch.clocks else 1
        cycles = float(batch.time_fs.astype(np.float64).sum()) / period
        rate = f"{cycles:,.0f} lane cycles, {cycles / seconds:,.0f} a second"
        print_note(f"{text}; {rate}" if self.complete else f"not complete; {rate}")
        self._say_times()

    def _say_times(self) -> None:
        """Say what kernels of a GPU took, if the environment asks for times and there is no profile to say so."""
        times = self.batch.device.times()
        if self.plan.profile or self.batch.device.kind != "cuda":
            return
        for name, each in times.kernels.items():
            print_note(f"kernel {name}: {each.launches:,} launches, {each.seconds:.6f} s by the GPU's clock")

    def _find_outputs(self) -> None:
        """Find the signals whose values are written: the outputs of the top, or those of some patterns."""
        batch, plan = self.batch, self.plan
        tops = [f"{scope.path}." for scope in batch.design.graph.scopes if scope.parent < 0]
        self.outputs: dict[str, Any] = {}
        for full, scope, index in batch.signals.paths():
            found = batch.signals.at(scope, index)
            short = next((full.removeprefix(top) for top in tops if full.startswith(top)), full)
            if found.memory >= 0:
                continue
            if plan.signals:
                if any(fnmatch.fnmatchcase(name, glob) for glob in plan.signals for name in (full, short)):
                    self.outputs[short] = found
            elif batch.design.graph.scopes[scope].parent < 0:
                ports = batch.design.graph.scopes[scope].module.ports
                if any(port.signal is found.signal and port.direction == "output" for port in ports):
                    self.outputs[short] = found
        if plan.signals and not self.outputs:
            raise UserError("unknown-signal", f"no signal matches {', '.join(plan.signals)}")

    def _write(self, path: str) -> None:
        """Write a row for each lane: why it stopped, its time, signals."""
        batch = self.batch
        columns: dict[str, Any] = {
            "lane": np.arange(batch.lanes, dtype=np.uint32),
            "status": np.array([LaneStatus(status).name.lower() for status in batch.status.tolist()]),
            "time_fs": batch.time_fs,
        }
        for name, found in self.outputs.items():
            columns[name] = batch.get(found)
            if found.unknown >= 0:
                columns[f"{name}.unknown"] = batch.get(found, unknown=True)
        try:
            if path.lower().endswith(".npz"):
                np.savez(path, **columns)
            else:
                _write_parquet(path, columns)
        except OSError as error:
            raise UserError("cannot-write", f"cannot write '{path}': {error.strerror or error}") from None
        if not self.plan.quiet:
            print_note(f"results in {path}")

    def write_wave(self) -> None:
        """Run one lane again, alone, and write its waveform."""
        if not self.plan.wave:
            return
        lane = self.batch.replay(self.plan.wave_lane)
        with show_status(lambda: f"writing {self.plan.wave}"), lane.trace(self.plan.wave):
            lane.run_recorded()
        if not self.plan.quiet:
            print_note(f"waveform of lane {self.plan.wave_lane} in {self.plan.wave}")


def _write_parquet(path: str, columns: dict[str, Any]) -> None:
    """Write columns as a table; words of wide signals become lists."""
    import importlib

    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise UserError("no-package", f"'{path}' needs a package: pip install 'weft[parquet]'") from None
    table = {name: list(values) if values.ndim > 1 else values for name, values in columns.items()}
    parquet.write_table(arrow.table(table), path)
