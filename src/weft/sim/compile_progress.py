"""Say how far a compilation is, how long it took and will take; and stop it when asked.

Each step has an expected length: what it took the last time that this design was compiled, which the design cache
remembers, else its usual part of a small design's time. What the finished steps took in relation to that scales what is
still to come; at first that says little, and counts little.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from weft.base.dataclass import dataclass, field
from weft.base.errors import WeftError

_STEPS = {
    # step: (stage, usual part of a compilation); those that not every design needs have no part of it
    "load from cache": ("load", 0.02),
    "parse and elaborate": ("elaborate", 0.3),
    "lower modules": ("optimise", 0.1),
    "flatten": ("optimise", 0.15),
    "find clocks": ("optimise", 0.01),
    "split planes": ("optimise", 0.0),
    "generate code": ("generate", 0.07),
    "write code": ("generate", 0.0),
    "store in cache": ("generate", 0.1),
    "assemble": ("assemble", 0.2),
    "initialise": ("load", 0.05),
    "compile fully": ("assemble", 0.0),
}
_ORDER = list(_STEPS)
_USUAL_SECONDS = 2.0
"""What a compilation takes for which nothing better is known."""

_TRUST = 0.15
"""The part of the whole after which the pace so far counts as much as what was expected."""

_LEAST = 0.05
"""The fraction before which nothing is said of the rest, if nothing was measured."""

_STRAIGHT = 0.7
"""The part of a step's length up to which progress is even; what takes longer than expected approaches the end."""


_KERNEL_STEPS = {"load from cache": 0.05, "generate code": 0.1, "write code": 0.4, "assemble": 0.8, "initialise": 0.05}
"""Usual seconds of the kernels of a batch, which begin with a lane program; a GPU's take longest."""


class CompilationCancelled(WeftError):
    """Say that a compilation ended because somebody cancelled it."""

    def __init__(self) -> None:
        super().__init__("cancelled", "the compilation was cancelled")


@dataclass(frozen=True, slots=True)
class Progress:
    """Say where a compilation is.

    `stage` is `elaborate`, `optimise`, `generate`, `assemble`, `load` or `done`, and `step` what is done in it;
    `fraction` of the whole goes from 0 to 1. `remaining_s` is an estimate, better the second time; None at the very
    beginning, when nothing is known.
    """

    stage: str
    step: str
    fraction: float
    elapsed_s: float
    remaining_s: float | None

    def describe(self) -> str:
        """Return it as a line for people."""
        if self.stage == self.step:
            return f"{self.step}, {self.elapsed_s:.1f} s"
        left = "" if self.remaining_s is None else f", about {self.remaining_s:.1f} s left"
        return f"{self.stage} ({self.step}) {100 * self.fraction:.0f} %, {self.elapsed_s:.1f} s{left}"


@dataclass(slots=True)
class ProgressTracker:
    """Be told the name of each step as it begins; `snapshot`, in any thread, says how far it is.

    Once `cancelled` is true, or `stopping` says so, the next step, or `check`, raises CompilationCancelled.
    `cancellable` is for those that want that at once, also while LLVM works. `pieces` returns how many of the objects
    that are being compiled are done, and how many there are; it is set once there are some.
    """

    cancellable: bool = False
    stopping: Callable[[], bool] | None = None
    cancelled: bool = False
    pieces: Callable[[], tuple[int, int]] | None = None
    _expected: dict[str, float] = field(
        default_factory=lambda: {name: part * _USUAL_SECONDS for name, (_, part) in _STEPS.items()}
    )
    _began: float = field(default_factory=lambda: time.perf_counter())
    _step: str = "load from cache"
    _step_began: float = field(default_factory=lambda: time.perf_counter())
    _spent: float = 0.0
    _scale: float = 1.0
    _ended: float = 0.0
    _highest: float = 0.0
    _measured: bool = False

    @classmethod
    def of_kernels(cls) -> ProgressTracker:
        """Return one for the kernels of a batch (`Batch.compile`)."""
        return cls(_expected={name: _KERNEL_STEPS.get(name, 0.0) for name in _STEPS}, _step="generate code")

    def __call__(self, step: str) -> None:
        """Note that a step begins."""
        self.check()
        now = time.perf_counter()
        if self._step != _ORDER[0]:  # Python imports the front end in this one, or does not
            self._spent += now - self._step_began
        self._step, self._step_began = step, now
        if step in _STEPS:
            prior = _TRUST * sum(self._expected.values())
            self._scale = (self._spent + prior) / (max(0.0, self._before(step) - self._expected[_ORDER[0]]) + prior)

    def check(self) -> None:
        """Raise CompilationCancelled if somebody has cancelled, or Python ends."""
        if self.cancelled or (self.stopping is not None and self.stopping()):
            raise CompilationCancelled

    def expect(self, seconds: Mapping[str, float]) -> None:
        """Take what steps took the last time; the others keep their usual parts of the whole."""
        known = {name: value for name, value in seconds.items() if name in _STEPS}
        part = sum(_STEPS[name][1] for name in known)
        if part > 0:
            self._measured = True
            whole = sum(known.values()) / part
            self._expected = {name: known.get(name, usual * whole) for name, (_, usual) in _STEPS.items()}

    def end(self) -> None:
        """Note that everything is done."""
        self._ended = time.perf_counter()

    def snapshot(self) -> Progress:
        """Return how far it is."""
        if self._ended:
            return Progress("done", "done", 1.0, self._ended - self._began, 0.0)
        step, now = self._step, time.perf_counter()
        stage = _STEPS.get(step, (step, 0.0))[0]
        elapsed, total = now - self._began, sum(self._expected.values())
        finished, inside = self._before(step) if step in _STEPS else 0.0, self._inside(now)
        done, count = self.pieces() if self.pieces is not None else (0, 0)
        if step in ("assemble", "initialise") and done < count:
            stage, step, finished = "assemble", f"{done} of {count} objects", self._before("assemble")
            inside = self._expected["assemble"] * done / count
        # What has been said is not taken back when the estimate changes.
        self._highest = fraction = max(self._highest, min((finished + inside) / total, 0.99))
        known = self._measured or fraction > _LEAST
        return Progress(stage, step, fraction, elapsed, (1 - fraction) * total * self._scale if known else None)

    def _before(self, step: str) -> float:
        """Return the expected length of all that comes before a step."""
        return sum(self._expected[name] for name in _ORDER[: _ORDER.index(step)])

    def _inside(self, now: float) -> float:
        """Return how much of the present step's expected length is over, if all goes as fast as so far."""
        expected = self._expected.get(self._step, 0.0)
        if not expected:
            return 0.0
        part = (now - self._step_began) / (expected * self._scale)
        rest = 1 - _STRAIGHT
        return expected * (part if part < _STRAIGHT else 1 - rest * math.exp((_STRAIGHT - part) / rest))
