"""Start on quickly compiled code and move to well optimised code while running.

A unit is compiled up to three times, with the same layout of state and context, so that nothing has to be moved when
the program takes the better code over between two slices of a run:

- `start` for the first cycles: instruction selection without any optimisation, for the general step alone, which can
  do what every clock edge does;
- `quick` when a program has run for a moment: the code is already lazy and in place, and instruction selection does
  the rest (docs/performance.md has the numbers);
- `full` when it has run for a while: all of LLVM's optimisations. Speculative code (`speculation`) is `lean` then.

`quick` and `full` are made by one background thread, emission included. A later start finds the best code that was ever
made in the cache and emits nothing (`unit_index`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from weft.base.workers import Dropped, Job, Workers
from weft.engines.cpu.jit import FULL, LEAN, QUICK, START, Compiler, Library, Tier, text_digest
from weft.engines.cpu.unit_index import KnownUnit, UnitIndex
from weft.engines.cpu.unit_text import Finished, Unit, unwatched

_RANKS = {tier.name: rank for rank, tier in enumerate((START, QUICK, FULL, LEAN))}

_background = Workers("weft-optimise", 1)


class TieredUnit:
    """Be a unit's code at the best tier that there is; none (`library` is None) until it was loaded or compiled."""

    def __init__(self, name: str, emit: Callable[[Finished], Unit], compiler: Compiler, index: UnitIndex) -> None:
        self.name = name
        self.library: Library | None = None
        self.tier: Tier | None = None
        self.object_bytes = 0
        self._emit, self._compiler, self._index = emit, compiler, index
        self._known: KnownUnit | None = index.find(name)
        self._unit: Unit | None = None
        self._lock = threading.Lock()
        self._pending: tuple[Tier, list[Job[bytes]]] | None = None
        self._ready: tuple[Tier, list[bytes]] | None = None
        self._rank = self._asked = -1  # ranks of `tier` and of the best tier that was asked for
        self._error: Exception | None = None

    @property
    def addresses(self) -> dict[str, int]:
        """Return where the unit's functions are."""
        assert self.library is not None
        return self.library.addresses

    @property
    def scratch(self) -> int:
        """Return how many bytes of context the unit's code needs."""
        return self._known.scratch if self._known is not None else 0

    @property
    def ready(self) -> bool:
        """Say whether there is code, or will be by `finish`."""
        return self.library is not None or self._pending is not None

    def load(self, *tiers: Tier) -> bool:
        """Take the code of the first of these tiers that the cache has; say whether there is some."""
        if self._known is None:
            return False
        for tier in tiers:
            objects = [self._compiler.find(digest, tier) for digest in self._known.texts]
            found = [code for code in objects if code is not None]
            if len(found) == len(objects):
                self._link(tier, found)
                return True
        return False

    def begin(self, tier: Tier) -> None:
        """Start to compile in worker threads, while the rest is emitted; `finish` waits for them."""
        jobs: dict[str, Job[bytes]] = {}

        def submit(text: str) -> Job[bytes]:
            if text not in jobs:
                jobs[text] = self._compiler.submit(text, tier)
            return jobs[text]

        self._pending = tier, [submit(text) for text in self._texts(submit).texts]

    def finish(self) -> None:
        """Wait for what `begin` has started and take it."""
        if self._pending is not None:
            tier, work = self._pending
            self._pending = None
            self._link(tier, [code.result() for code in work])

    def pieces(self) -> tuple[int, int]:
        """Return how many objects that `begin` has asked for are done, and how many it asked for."""
        jobs = self._pending[1] if self._pending is not None else []
        return sum(job.is_done for job in jobs), len(jobs)

    @property
    def is_compiled(self) -> bool:
        """Say whether all that `begin` has asked for is done."""
        done, count = self.pieces()
        return 0 < done == count

    def abandon(self) -> None:
        """Drop what `begin` has asked for and no thread has begun."""
        for job in self._pending[1] if self._pending is not None else ():
            job.cancel()

    def improve(self, tier: Tier) -> None:
        """Ask the background thread for better code, once for each tier."""
        rank = _RANKS[tier.name]
        if rank > self._rank and rank > self._asked:
            self._asked = rank
            _background.submit(lambda: self._compile(tier))

    def upgrade(self) -> bool:
        """Link better code if it is ready; say whether the addresses have changed.

        Raises what went wrong in the background thread.
        """
        if self._error is not None:
            raise self._error
        ready = self._ready
        if ready is None:
            return False
        self._ready = None
        if self._rank >= _RANKS[ready[0].name]:
            return False
        self._link(*ready)
        return True

    def _link(self, tier: Tier, objects: list[bytes]) -> None:
        assert self._known is not None
        self.library, self.tier = Library(objects, list(self._known.exports)), tier
        self._rank = _RANKS[tier.name]
        self.object_bytes = sum(map(len, objects))

    def _texts(self, finished: Finished = unwatched) -> Unit:
        with self._lock:
            if self._unit is None:
                self._unit = self._kept_texts() or self._emit(finished)
                self._known = self._index.keep(self.name, self._unit)
            return self._unit

    def _kept_texts(self) -> Unit | None:
        """Return the texts that an earlier run has emitted and not compiled."""
        if self._known is None:
            return None
        try:
            texts = tuple(map(self._compiler.text, self._known.texts))
        except LookupError:
            return None
        return Unit(texts, self._known.exports, self._known.scratch)

    def _compile(self, tier: Tier) -> None:
        """Make better code in the background thread, unless Python is about to end."""
        try:
            texts = self._texts().texts
            if tier in (FULL, LEAN):
                self._compile_slowly(texts, tier)
            else:
                # Whoever waits for this runs on much slower code: use every core.
                work = [self._compiler.submit(text, tier) for text in texts]
                self._ready = tier, [job.result() for job in work]
        except Dropped:
            return
        except Exception as error:
            self._error = error  # `upgrade` raises it in the thread that can handle it

    def _compile_slowly(self, texts: Sequence[str], tier: Tier) -> None:
        """Compile text after text.

        If Python is about to end, one that is new, so that short runs get there too, unless this one has got somewhere.
        The texts are kept then, so that a later run need not emit them again.
        """
        objects: list[bytes] = []
        begun = _background.finished > 0
        for text in texts:
            code = self._compiler.find(text_digest(text), tier)
            if code is None:
                if _background.stopping and begun:
                    for each in texts:
                        self._compiler.keep_text(text_digest(each), each)
                    return
                code = self._compiler.object(text, tier)
                begun = True
            objects.append(code)
        self._ready = tier, objects
        self._unit = None  # there is nothing better to be made of its texts
