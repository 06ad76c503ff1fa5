"""Decide whether parts of a run's design may be regions, and mix the design."""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported
from weft.ir.design import Design
from weft.sim.regions.mixed_design import WORTH, MixedDesign, unmixed


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Say which engine the user wants (`auto`, `event` or `cycle`), and what of the run matters for it.

    `shuffled` says that the order of events is drawn at random; parts with less than `worth` statements and assignments
    are left to events. Without `whole`, nobody can look into regions, and what no output depends on is left out.
    `races` says that accesses that race are reported, for which their code is marked.
    """

    engine: str = "event"
    plusargs: tuple[str, ...] = ()
    shuffled: bool = False
    worth: int = WORTH
    whole: bool = True
    races: bool = False

    def mix(self, design: Design, observed: bool, annotated: bool) -> MixedDesign:
        """Return the design with its regions taken out.

        None are where every signal is `observed`, or SDF files are `annotated`. Raises `Unsupported` if the engine is
        `cycle` and something that is not a testbench's runs as events.
        """
        all_events = ""
        if observed:
            all_events = "a run that looks at every signal, for a waveform or from Python"
        elif self.shuffled:
            all_events = "a run whose order of events is shuffled"
        elif self.races:
            all_events = "a run that reports races"
        elif annotated:
            all_events = "a run with delays from an SDF file"
        if self.engine == "event" or (all_events and self.engine != "cycle"):
            return unmixed(design, all_events or "asked for by --engine=event")
        # What makes regions is only loaded where there are some.
        from weft.sim.regions.mix_design import demand_regions, mix_design

        if self.engine == "cycle":
            if all_events:
                raise Unsupported(f"{all_events}, with --engine=cycle,")
            return demand_regions(mix_design(design, 0, self.whole))
        return mix_design(design, self.worth, self.whole)
