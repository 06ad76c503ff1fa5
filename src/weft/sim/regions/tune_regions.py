"""Compile, at the end of a run, all code that it has shown to be worth it (`weft run --tune`).

A design gets there without this, but each run only compiles what it has time for. A run that is to tune takes samples
from its begin to its end (`run_regions`). Then they are looked at (`engines.cpu.region_habits`), and what they ask for
is compiled on all cores: steps for situations, usual steps and outputs at their best tier, and the code of what runs as
events (`second_tier`). Compilers know this as profile-guided optimisation; here a guard makes sure of what was guessed.

What is done is in the code cache at once, so that Ctrl-C loses only what is in work.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass, field
from weft.sim.regions.run_regions import RegionRunner

if TYPE_CHECKING:
    from weft.engines.cpu.jit import Tier
    from weft.engines.cpu.tiers import TieredUnit


@dataclass(slots=True, eq=False)
class Tuning:
    """Tune the regions of a run that has ended; another thread may ask how far that is."""

    runner: RegionRunner
    _wanted: list[tuple[TieredUnit, Tier]] = field(default_factory=list["tuple[TieredUnit, Tier]"])
    _over: bool = False
    _since: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Do it."""
        self._wanted = self.runner.tune()
        # Texts are emitted in this thread while others compile.
        for unit, tier in self._wanted:
            unit.begin(tier)
        for unit, _ in self._wanted:
            unit.finish()
        self.runner.engine.second_tier.complete()
        self._over = True

    @property
    def _done(self) -> int:
        """Return how many pieces of code are compiled."""
        return sum(unit.tier is tier or unit.is_compiled for unit, tier in self._wanted)

    def describe(self) -> str:
        """Say what is being done."""
        done, count = self._done, len(self._wanted)
        if not count:
            return "tuning: looking at samples"
        if done == count:
            return "tuning: compiling what runs as events"
        return f"tuning: {done} of {count} pieces of code compiled"

    def summary(self) -> str:
        """Say what has been done."""
        programs = self.runner.programs.values()
        if not programs:
            return "--tune has found no part that is stepped by clock edges; --report says why"
        if not self._over:
            return f"tuning was interrupted; {self._done} of {len(self._wanted)} pieces of code are kept"
        situations = sum(program.situations for program in programs)
        what = f"{situations} situations" if situations else "all situations together: the run has shown no others"
        return f"tuned in {time.monotonic() - self._since:.1f} s for {what}"
