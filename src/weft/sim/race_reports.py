"""Say which processes of an event simulation race, each pair once for a signal (`weft run --races`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from weft.base.dataclass import dataclass, field
from weft.engines.event.code_races import RaceSite
from weft.engines.event.elaborate import Node
from weft.engines.event.sites import ThreadPlan
from weft.ir.design import Signal
from weft.sim.tasks.dump_scopes import plain_path
from weft.sim.times import time_text

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

Process = tuple[Node, ThreadPlan]


@dataclass(slots=True, eq=False)
class RaceReports:
    """Print the races of a simulation. `count` says how many."""

    simulation: EventSimulation
    out: TextIO
    count: int = 0
    _known: set[tuple[object, ...]] = field(default_factory=set["tuple[object, ...]"])

    def begin(self) -> None:
        """Have the engine tell of races."""
        self.simulation.engine.on_race = self._look

    def _look(self, first: int, first_thread: int, second: int, second_thread: int) -> None:
        engine = self.simulation.engine
        assert engine.code.races is not None
        sites = engine.code.races[first >> 1], engine.code.races[second >> 1]
        processes = engine.process_of(first_thread), engine.process_of(second_thread)
        for site, (_, plan) in zip(sites, processes, strict=True):
            # Such a process looks again when the other one has written.
            if not site.write and (plan.rereads is None or site.ref.signal in plan.rereads):
                return
        if all(plan.what == "assign" for _, plan in processes):
            return  # two drivers of a net, which is resolved from both
        holder = self._holder(processes[0], sites[0])
        pair = frozenset((id(plan), node.number) for node, plan in processes)
        key = (pair, holder[0].number, id(holder[1]))
        if key in self._known:
            return
        self._known.add(key)
        self.count += 1
        self._print(holder, sites, processes)

    def _holder(self, process: Process, site: RaceSite) -> tuple[Node, Signal]:
        """Return the instance and signal that hold the value; a routine's own if it is of another module."""
        design = self.simulation.engine.code.design
        node, signal = process[0], site.ref.signal
        try:
            return design.find(design.reach(node, site.ref.path), signal)
        except KeyError:
            return node, signal

    def _print(
        self, holder: tuple[Node, Signal], sites: tuple[RaceSite, RaceSite], processes: tuple[Process, Process]
    ) -> None:
        host = self.simulation.host
        sources = self.simulation.design.sources
        name = plain_path(f"{holder[0].path}.{holder[1].name}")
        kinds = " and ".join("a write" if site.write else "a read" for site in sites)
        lines = [f"race: {kinds} of '{name}' at {time_text(host.time * host.tick_fs)} in no order"]
        for site, (node, plan) in zip(sites, processes, strict=True):
            what = "writes" if site.write else "reads"
            process = f"{plan.what or 'a process'} of {plain_path(node.path)} ({sources.describe(plan.span)})"
            lines.append(f"  {sources.describe(site.span)}: {process} {what} it")
        print("\n".join(lines), file=self.out, flush=True)
