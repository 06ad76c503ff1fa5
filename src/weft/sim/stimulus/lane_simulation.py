"""A lane of a batch, alone: a simulation by clock cycles that is told what the lane was and will be told.

It first follows the lane's record (`sim.stimulus.record`), then the batch's generators. At the beginning of each cycle
of the first clock the inputs take their values, as in the batch's drive events, and between them whatever was poked.
The run loop is that of every simulation, so traces, watches and conditions see all of it.
"""

from __future__ import annotations

from typing import Any

from weft.base.errors import UserError
from weft.ir.cone_graph import ConeGraph
from weft.passes.insert_random import LANE
from weft.sim.build_condition import Condition
from weft.sim.cycle_simulation import CycleSimulation
from weft.sim.engine import Stop
from weft.sim.stimulus.plan import Generator, Port, make_cone
from weft.sim.stimulus.record import LaneEntry, LaneNumber, LanePoke, LaneSpan
from weft.sim.times import looks_like_time, parse_time

_Cone = tuple[ConeGraph, int, int]


class LaneSimulation(CycleSimulation):
    """Be one lane; `Batch.lane` and `Batch.replay` make it."""

    number = 0
    _period_fs = 0
    _end_fs = 0
    _row = 0

    def follow(
        self, lane: int, generators: tuple[Generator, ...], entries: list[LaneEntry], end_fs: int, period_fs: int
    ) -> None:
        """Follow a record, whose end is at a time of the lane, and go on by generators."""
        self.number, self._period_fs, self._end_fs = lane, period_fs, end_fs
        self._live, self._entries = generators, entries[::-1]
        self._cones: dict[tuple[Generator, int], _Cone] = {}

    # --------------------------------------------------------------------------------------------------- time

    def run_cycles(self, count: int) -> Stop:
        """Advance by a number of clock cycles; return why it stopped."""
        if not self.clocks:
            raise UserError("ambiguous-clock", "the design has no clock to run cycles of; name one with clock=")
        return self._go(self.time_fs + count * self.clocks[0].clock.period_fs)

    def run_until(self, target: str | int, max_cycles: int | None = None) -> Stop:
        """Advance to a time or until an expression holds, as `CycleSimulation.run_until` does."""
        if isinstance(target, int) or looks_like_time(target):
            until, condition = parse_time(target), None
        else:
            until, condition = (1 << 63), self.condition(target)
            if self.engine.holds(condition):
                return Stop.CONDITION
        if condition is not None and not self.clocks:
            raise UserError("ambiguous-clock", "the design has no clock, so nothing will change; name one with clock=")
        if max_cycles is not None and self.clocks:
            until = min(until, self.time_fs + max_cycles * self.clocks[0].clock.period_fs)
        return self._go(until, condition)

    def step(self) -> Stop:
        """Tell the lane what is due, then advance to the next clock edge."""
        self._tell()
        return super().step()

    def run_recorded(self) -> Stop:
        """Run to where the batch has the lane now; the state is then the same."""
        stop = Stop.TIME
        while self.time_fs < self._end_fs and stop is not Stop.FINISH:
            stop = self._go(self._end_fs)
        while self._entries and self._due() <= self.time_fs:
            self._do_next()
        return stop

    def _go(self, until: int, condition: Condition | None = None) -> Stop:
        """Advance to a time or until a condition holds, telling the lane what is due on the way."""
        while True:
            if self.time_fs < until:
                self._tell()
                if condition is not None and self.engine.holds(condition):
                    return Stop.CONDITION
            target = min(until, self._next())
            stop = self.engine.run_until(target, condition)
            if stop is not Stop.TIME or target == until:
                return stop

    def _next(self) -> int:
        """Return the time at which something is due next, after now."""
        if self._entries:
            return max(self._due(), self.time_fs)
        if not self._live:
            return 1 << 64
        return (self.time_fs // self._period_fs + 1) * self._period_fs

    def _due(self) -> int:
        """Return the time of the record's next entry, or of its next cycle."""
        entry = self._entries[-1]
        return entry.time_fs + (self._row * self._period_fs if isinstance(entry, LaneSpan) else 0)

    def _tell(self) -> None:
        """Give inputs the values that are due now."""
        while self._entries and self._due() <= self.time_fs:
            self._do_next()
        if not self._entries and self._live and self.time_fs >= self._end_fs and self.time_fs % self._period_fs == 0:
            self._drive(self._live, [], self.number)

    def _do_next(self) -> None:
        """Do what the record says next."""
        entry = self._entries[-1]
        if isinstance(entry, LanePoke):
            self._entries.pop()
            self._poke(entry)
            return
        if isinstance(entry, LaneNumber):
            self._entries.pop()
            self._renumber(entry.lane)
            return
        self._drive(entry.generators, entry.values(self._row), entry.column)
        self._row += 1
        if self._row == entry.count:
            self._row = 0
            self._entries.pop()

    # ------------------------------------------------------------------------------------------------- values

    def _poke(self, entry: LanePoke) -> None:
        """Poke a signal or elements of a memory."""
        engine = self.engine
        if entry.elements is None:
            engine.set(entry.found, (entry.value, 0))
            return
        memory = entry.found.memory
        twin = self.design.graph.states[memory].twin
        view: Any = engine.program.layout.view(engine.state, memory)
        view[entry.elements] = entry.values
        if twin >= 0:
            engine.program.layout.view(engine.state, twin)[entry.elements] = 0
        engine.dirty = True

    def _renumber(self, lane: int) -> None:
        """Give the state the number of another lane, if random inputs are made of it."""
        number = next((number for number, each in enumerate(self.design.graph.states) if each.name == LANE), -1)
        if number >= 0:
            self.engine.program.layout.write(self.engine.state, number, lane)
            self.engine.dirty = True

    def _drive(self, generators: tuple[Generator, ...], values: list[tuple[Port, int]], lane: int) -> None:
        """Set inputs, as lane number `lane` does; all expressions see the state that was before."""
        engine = self.engine
        engine.settle()
        found = [(port, (value, 0)) for port, value in values]
        for generator in generators:
            graph, value, unknown = self._cone(generator, lane)
            planes = engine.program.evaluate(engine.state, graph, [value, unknown])
            found.append((generator.port, (planes[0], planes[1])))
        for port, planes in found:
            engine.set(port.found, planes)

    def _cone(self, generator: Generator, lane: int) -> _Cone:
        cone = self._cones.get((generator, lane))
        if cone is None:
            cone = make_cone(generator, lane, self.signals, self._period_fs)
            self._cones[generator, lane] = cone
        return cone
