"""Start on quickly compiled code and move to well optimised code while running.

The quick tier runs no optimisation passes: the code is already lazy and in place, and instruction selection does the
rest (docs/performance.md has the numbers). When a program has run for a while, one background thread compiles the same
texts again with full optimisation; the program takes a unit over between two slices of a run. Both tiers share the
layout of state and context, so nothing has to be moved.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable

from weft.engines.cpu.emit_step import Unit
from weft.engines.cpu.jit import FULL, QUICK, START, Compiler, Library, Tier


class TieredUnit:
    """Be a unit's code at the best tier that there is."""

    def __init__(self, unit: Unit, library: Library, tier: Tier) -> None:
        self.unit, self.library, self.tier = unit, library, tier
        self._better: list[bytes] = []
        self._asked = False

    def improve(self, compiler: Compiler) -> None:
        """Ask the background thread for the full tier, once."""
        if not self._asked and self.tier is not FULL:
            self._asked = True
            _background.put(lambda: self._compile(compiler))

    def upgrade(self) -> bool:
        """Link the full tier if it is ready; say whether the addresses have changed."""
        if not self._better:
            return False
        self.library, self.tier, self._better = Library(self._better, list(self.unit.exports)), FULL, []
        return True

    def _compile(self, compiler: Compiler) -> None:
        objects: list[bytes] = []
        for text in self.unit.texts:
            if _background.stopping:
                return
            objects.append(compiler.object(text, FULL))
        self._better = objects


class Tiers:
    """Compile units as a tier option (`auto`, `quick`, `full`) says."""

    def __init__(self, compiler: Compiler, option: str) -> None:
        self.compiler, self.option = compiler, option

    def compile(self, units: list[Unit]) -> list[TieredUnit]:
        """Compile several units' modules in parallel and link each unit."""
        tiers = [self._tier(unit) for unit in units]
        work = [
            [self.compiler.submit(text, tier) for text in unit.texts] for unit, tier in zip(units, tiers, strict=True)
        ]
        return [
            TieredUnit(unit, Library([code.result() for code in codes], list(unit.exports)), tier)
            for unit, tier, codes in zip(units, tiers, work, strict=True)
        ]

    def _tier(self, unit: Unit) -> Tier:
        if self.option == "full" or (self.option == "auto" and self.compiler.knows(unit.texts, FULL)):
            return FULL
        # The general step of a large design runs a few times while the simulation starts, then seldom.
        return START if "settle" in unit.exports and len(unit.texts) > 1 else QUICK


class _Background:
    """Do jobs one after the other in a daemon thread that ends, after its present job, before the interpreter does."""

    def __init__(self) -> None:
        self.stopping = False
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, job: Callable[[], None]) -> None:
        """Queue a job."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="weft-optimise", daemon=True)
                self._thread.start()
                atexit.register(self._stop)
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self.stopping:
            job()

    def _stop(self) -> None:
        self.stopping = True
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()


_background = _Background()
