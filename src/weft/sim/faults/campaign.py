"""Fault campaigns: `weft.compile("cpu.sv").faults(sites="cpu.*", cycles=1000).run()`.

A campaign lists the faults, puts those that can be told apart into lanes, as many at a time as the batch has, and keeps
what was found of each. It can be cut short at any moment; its report then says what is missing.

Transients are sorted by their cycle, and each batch of them begins at the good machine's state before the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, replace
from weft.base.errors import Unsupported, UserError
from weft.ir.lane_engine import LaneDevice
from weft.passes.inject_faults import SITE
from weft.passes.insert_random import random_words
from weft.sim.batch import BatchOptions
from weft.sim.compile_design import make_program
from weft.sim.cycle_simulation import CycleSimulation
from weft.sim.engine import Checkpoint
from weft.sim.faults.fault_batch import FaultBatch
from weft.sim.faults.fault_design import FaultDesign, input_widths, make_fault_design
from weft.sim.faults.fault_list import (
    SA0,
    SA1,
    TRANSIENT,
    FaultList,
    list_faults,
    read_fault_file,
    read_faults,
    read_models,
)
from weft.sim.faults.fault_pins import find_pins
from weft.sim.faults.fault_report import FaultReport
from weft.sim.faults.fault_sites import FaultSite, find_sites, refuse_left_out
from weft.sim.faults.good_machine import LONGEST, GoodMachine, stimulus_table
from weft.sim.faults.lane_faults import FaultClass, LaneFaults, Outcomes
from weft.sim.faults.refill_lanes import RefilledLanes
from weft.sim.make_batch import choose_device
from weft.sim.run_effects import Outcome
from weft.sim.stimulus.lane_simulation import LaneSimulation

_WINDOW = 1024
_MOST_WINDOW = 1 << 20
_REFILL_WINDOW = 1 << 16
"""The cycles of a run at most whose lanes are refilled: all of its outputs are in memory, at a place for each lane."""
_FEW_TILES = 4
_REFILL_SLICE = 64
"""Lanes at different cycles stop together at ends of slices, so these are short."""

_LANES = {"cpu": 1024, "cuda": 65_536}
_EXTRA_CYCLES = 1000
"""By default a run that should end has twice the good machine's cycles and these."""


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """Choose what a campaign does; `Simulation.faults` explains the fields."""

    cycles: int
    sites: tuple[str, ...] = ("*",)
    models: tuple[str, ...] = ("stuck",)
    pins: tuple[str, ...] = ()
    observe: tuple[str, ...] | None = None
    faults: str | Path | tuple[str, ...] = ()
    until: str = ""
    timeout: int | None = None
    compare: str = "cycle"
    at: tuple[int, ...] | None = None
    sample: int | None = None
    seed: int = 0
    collapse: bool = True
    dominance: bool = False
    refill: bool = True
    lanes: int | None = None
    device: str = "auto"
    threads: int = 0


@dataclass(frozen=True, slots=True)
class FaultProgress:
    """Say how far a campaign is: faults that are decided, of how many, how many of them detected, and seconds."""

    done: int
    total: int
    detected: int
    seconds: float


class FaultCampaign:
    """Be a list of faults and what is known of them. Make one with `Simulation.faults`."""

    def __init__(
        self,
        simulation: CycleSimulation,
        options: CampaignOptions,
        stimulus: Mapping[str, Any] | None = None,
        random: Mapping[str, int] | None = None,
    ) -> None:
        _check(simulation, options)
        self.options, self._simulation = options, simulation
        simulation.engine.settle()
        clocks = {clock.clock.state for clock in simulation.clocks}
        patterns = ("*",) if options.faults else options.sites
        self.sites: list[FaultSite]
        self.sites, self.left_out = find_sites(simulation.design, simulation.signals, patterns, clocks)
        refuse_left_out(self.left_out, patterns)
        between: list[str] = []
        if options.pins:
            every, _ = find_sites(simulation.design, simulation.signals, ("*",), clocks)
            between = [site.path for site in every if site.memory < 0 and not site.depth]
            self.sites += find_pins(simulation, every, options.pins)
        self.faults = self._list_faults()
        if not len(self.faults):
            raise UserError("bad-fault-list", "there are no faults to simulate")
        values = _stimulus_values(simulation, options.cycles, stimulus or {}, random or {})
        self._widths = input_widths(simulation, list(values))
        self._table = stimulus_table(self._widths, values) if values else None
        self.window = self._choose_window()
        self.design: FaultDesign = make_fault_design(
            simulation, self.sites, self.faults, options.observe, list(self._widths), self.window, between
        )
        self._clock_low()
        count = len(self.faults)
        self.outcomes = Outcomes(np.zeros(count, np.uint8), np.full(count, -1, np.int64), np.full(count, -1, np.int32))
        self.same, self.dominating = np.arange(count), dict[int, int]()
        if options.collapse:
            self.same, dominating = self.design.equivalent(self.sites, self.faults)
            self.dominating = dominating if options.dominance else {}
        self.inferred = np.zeros(count, np.bool_)
        self._mark_untestable()
        self.good: GoodMachine | None = None
        self.seconds = 0.0
        self.device = ""

    # ----------------------------------------------------------------------------------------------- preparation

    def _list_faults(self) -> FaultList:
        options = self.options
        if isinstance(options.faults, tuple):
            if not options.faults:
                models = read_models(options.models)
                return list_faults(
                    self.sites, models, options.cycles, at=options.at, sample=options.sample, seed=options.seed
                )
            return read_faults(
                options.faults,
                self.sites,
                options.cycles,
                left_out=self.left_out,
                sample=options.sample,
                seed=options.seed,
            )
        return read_fault_file(
            options.faults,
            self.sites,
            options.cycles,
            left_out=self.left_out,
            sample=options.sample,
            seed=options.seed,
        )

    def _choose_window(self) -> int:
        """Return the depth of the memories that hold some cycles of the outputs and of the inputs."""
        options = self.options
        if options.compare == "cycle":
            many = options.refill and len(self.faults) > (options.lanes or _LANES["cpu"])
            window = 1 << (self._whole_window() - 1).bit_length()
            return max(_WINDOW, window) if many and window <= _REFILL_WINDOW else _WINDOW
        if self._table is None:
            return _WINDOW
        window = 1 << (self._timeout(self.options.cycles) - 1).bit_length()
        if window > _MOST_WINDOW:
            raise Unsupported(f"a stimulus of more than {_MOST_WINDOW:,} cycles with compare='end'")
        return max(_WINDOW, window)

    def _whole_window(self) -> int:
        """Return the cycles that the window has if lanes are refilled: with inputs, those of runs that end late too."""
        return self.options.cycles if self._table is None else self._timeout(self.options.cycles)

    @property
    def _refilled(self) -> bool:
        """Say whether lanes take up faults one by one: the window holds the whole run."""
        return self.options.refill and self.options.compare == "cycle" and self.window >= self._whole_window()

    def _timeout(self, cycles: int) -> int:
        given = self.options.timeout
        return 2 * cycles + _EXTRA_CYCLES if given is None else given

    def _clock_low(self) -> None:
        """Raise where the clock is not at the end of a cycle."""
        simulation = self._simulation
        for clock in simulation.clocks:
            if simulation.time_fs % clock.clock.period_fs:
                raise UserError("bad-option", "a campaign begins at the end of a clock cycle: use run_cycles before it")

    def _mark_untestable(self) -> None:
        faults = self.faults
        flat = faults.flat_bits(self.sites)
        for number in np.unique(faults.site).tolist():
            for bit, value in self.sites[number].constants:
                same = (faults.site == number) & (flat == bit) & (faults.model == (SA1 if value else SA0))
                self.outcomes.classes[same] = FaultClass.UNTESTABLE

    # ----------------------------------------------------------------------------------------------------- running

    def run(self, progress: Callable[[FaultProgress], None] | None = None) -> FaultReport:
        """Simulate the faults that are not decided yet, and return the report.

        `progress` is called after each slice of a batch. Ctrl-C raises `KeyboardInterrupt`; `report` then has what was
        found, and `run` goes on.
        """
        began, before = time.perf_counter(), self.seconds

        def tell(running: int) -> None:
            self.seconds = before + time.perf_counter() - began
            if progress is not None:
                progress(self._progress())

        try:
            self._run(tell)
        finally:
            self.seconds = before + time.perf_counter() - began
            self._spread()
        return self.report()

    def _run(self, tell: Callable[[int], None]) -> None:
        options = self.options
        if self.good is None:
            longest = _REFILL_SLICE if self._refilled else LONGEST
            self.good = GoodMachine(self.design, options.cycles, self._table, self.window, options.until, longest)
            if not self.good.cycles:
                raise UserError("bad-option", "the good machine's run ends in its first cycle")
        waiting = self._waiting()
        later = {self.dominating[number] for number in waiting.tolist() if number in self.dominating}
        self._simulate(waiting[~np.isin(waiting, list(later))], tell)
        self._infer()
        self._simulate(self._waiting(), tell)

    def _infer(self) -> None:
        """Note the faults that are detected because one that they dominate is."""
        outcomes = self.outcomes
        work = list(self.dominating)
        while work:
            number = work.pop()
            other = self.dominating.get(number, -1)
            if other < 0 or outcomes.classes[other] != FaultClass.WAITING:
                continue
            if outcomes.classes[number] == FaultClass.DETECTED and outcomes.outputs[number] >= 0:
                for column in (outcomes.classes, outcomes.cycles, outcomes.outputs):
                    column[other] = column[number]
                self.inferred[other] = True
                work.append(other)
        self._spread()

    def _simulate(self, waiting: NDArray[np.int64], tell: Callable[[int], None]) -> None:
        """Simulate some faults."""
        options, good = self.options, self.good
        assert good is not None
        if not len(waiting):
            return
        batch = self._make_batch(len(waiting))
        timeout = max(good.cycles + 1, self._timeout(good.cycles))
        runner = LaneFaults(self.design, good, batch, self.outcomes)
        for first in range(0, len(waiting), batch.lanes):
            if first and self._refilled and self._few_left(waiting[:first], batch):
                rest = waiting[first:]
                choices = self.design.choices(self.sites, self.faults.take(rest))
                refilled = RefilledLanes(self.design, good, batch, self.outcomes)
                refilled.run_all(rest, choices, options.until, timeout, tell)
                return
            some = waiting[first : first + batch.lanes]
            faults = self.faults.take(some)
            begin = int(faults.cycle.min()) if (faults.model == TRANSIENT).all() else 0
            choices = self.design.choices(self.sites, faults)
            runner.run(some, choices, begin, options.until, timeout, options.compare == "cycle", tell)
            self._spread()

    def _few_left(self, decided: NDArray[np.int64], batch: FaultBatch) -> bool:
        """Say whether the lanes of a turn that run to its end are too few to fill their vectors.

        Otherwise turns are as good: their lanes are at the same cycle, and so agree on what they can skip.
        """
        turns = len(decided) // batch.lanes
        left = int((self.outcomes.classes[decided] != FaultClass.DETECTED).sum())
        return left < _FEW_TILES * batch.layout.tile * turns

    def _waiting(self) -> NDArray[np.int64]:
        """Return the faults to simulate: one of each class, those that are there all the time first."""
        classes = self.outcomes.classes
        mine = np.nonzero((classes == FaultClass.WAITING) & (self.same == np.arange(len(classes))))[0]
        assert self.good is not None
        late = self.faults.cycle[mine] >= self.good.cycles
        # The good machine's run is over before they come.
        classes[mine[late]] = FaultClass.UNDETECTED
        mine = mine[~late]
        return mine[np.argsort(self.faults.cycle[mine], kind="stable")]

    def _make_batch(self, count: int) -> FaultBatch:
        made, options = self.design, self.options
        place: LaneDevice = choose_device(options.device, count, options.threads)
        lanes = min(count, options.lanes or _LANES[place.kind])
        self.device = place.name or place.kind

        def replay(state: bytes, finished: bool) -> LaneSimulation:
            raise Unsupported("a simulation of a campaign's lane (use FaultCampaign.replay)")

        batch_options = BatchOptions(lanes, (), "count")
        return FaultBatch(made.faulty, made.program.layout, made.start, made.clocks, place, batch_options, replay)

    def _spread(self) -> None:
        """Give the faults of each class what was found of the one that was simulated."""
        outcomes, same = self.outcomes, self.same
        others = outcomes.classes == FaultClass.WAITING
        known = np.nonzero(others & (outcomes.classes[same] != FaultClass.WAITING))[0]
        for column in (outcomes.classes, outcomes.cycles, outcomes.outputs):
            column[known] = column[same[known]]

    def _progress(self) -> FaultProgress:
        classes = self.outcomes.classes[self.same]
        done, detected = int((classes != FaultClass.WAITING).sum()), int((classes == FaultClass.DETECTED).sum())
        return FaultProgress(done, len(classes), detected, self.seconds)

    # ---------------------------------------------------------------------------------------------------- results

    def report(self) -> FaultReport:
        """Return what is known of the faults now."""
        options, design = self.options, self._simulation.design
        good = self.good
        return FaultReport(
            design=" ".join(design.tops),
            sites=self.sites,
            faults=self.faults,
            outcomes=self.outcomes,
            observed=self.design.observed,
            simulated=int((self.same == np.arange(len(self.same))).sum()) - int(self.inferred.sum()),
            inferred=int(self.inferred[self.same].sum()),
            cycles=good.cycles if good is not None else options.cycles,
            sampled=options.sample is not None,
            seed=options.seed,
            seconds=self.seconds,
            device=self.device,
            scopes=tuple(scope.path for scope in design.graph.scopes),
            left_out=tuple(self.left_out if not options.faults else ()),
        )

    def replay(self, number: int) -> CycleSimulation:
        """Return a simulation at the campaign's beginning in which one fault of the list is, to look at it or trace it.

        Raises Unsupported where the campaign has a stimulus of more cycles than one window.
        """
        made, options = self.design, self.options
        if not 0 <= number < len(self.faults):
            raise UserError("bad-option", f"there is no fault {number}: the campaign has {len(self.faults)}")
        if self._table is not None and options.cycles > self.window:
            raise Unsupported(f"replaying a campaign with a stimulus of more than {self.window} cycles")
        fault = self.faults.take(np.array([number]))
        program = make_program(made.faulty, "cpu")
        good = GoodMachine(made, 1, self._table, self.window, "")
        layout, state = program.layout, good.begin(0)[1].copy()
        for name, values in made.choices(self.sites, fault).items():
            layout.write(state, made.injection.named[name], int(values[0]))
        start_fs = good.start_fs
        run = replace(
            self._simulation.options, clock={each.name: each.clock.period_fs for each in made.clocks if each.name}
        )
        simulation = CycleSimulation(
            made.faulty, program, run, start=Checkpoint(made.faulty.digest, start_fs, state.tobytes(), Outcome())
        )
        if fault.cycle[0] == 0 and int(made.choices(self.sites, fault)[SITE][0]) == 0:
            raise Unsupported("replaying an upset before the first cycle (flip the register yourself)")
        simulation.engine.dirty = True
        return simulation


def _check(simulation: CycleSimulation, options: CampaignOptions) -> None:
    """Raise what is wrong with the options."""
    if simulation.design.four_state:
        raise Unsupported("a fault campaign in four states (compile without four_state)")
    if options.cycles < 1:
        raise UserError("bad-option", f"a campaign has at least one cycle, not {options.cycles}")
    if options.compare not in ("cycle", "end"):
        raise UserError("bad-option", f"compare is cycle or end, not '{options.compare}'")
    if options.dominance and (not options.collapse or options.compare != "cycle"):
        raise UserError("bad-option", "dominance needs collapse, and compare='cycle'")
    if options.sample is not None and options.sample < 1:
        raise UserError("bad-option", f"a sample has at least one fault, not {options.sample}")
    if options.lanes is not None and options.lanes < 1:
        raise UserError("bad-lanes", f"a campaign has at least one lane, not {options.lanes}")


def _stimulus_values(
    simulation: CycleSimulation, cycles: int, stimulus: Mapping[str, Any], random: Mapping[str, int]
) -> dict[str, NDArray[np.object_]]:
    """Return the value of each input that has a stimulus, for each cycle; arrays keep their last value."""
    found: dict[str, NDArray[np.object_]] = {}
    for name, values in stimulus.items():
        column = np.array(list(values), dtype=object)
        if not len(column):
            raise UserError("bad-option", f"the stimulus of '{name}' is empty")
        found[name] = column
    widths = input_widths(simulation, list(random))
    lanes, beats = np.zeros(cycles, np.int64), np.arange(cycles)
    for name, seed in random.items():
        if name in found:
            raise UserError("bad-option", f"'{name}' has a stimulus and is random")
        column = np.zeros(cycles, dtype=object)
        for low in range(0, widths[name], 32):
            width = min(32, widths[name] - low)
            words = random_words(seed, f"{name} {low // 32}", width, lanes, beats)
            column = column + words.astype(object) * (1 << low)
        found[name] = column
    return found
