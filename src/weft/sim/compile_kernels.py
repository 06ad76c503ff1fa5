"""Compile the kernels of a batch before its first run, and say how far that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.sim.batch import Batch


def compile_kernels(batch: Batch, tell: Callable[[str], None] | None = None, *, ahead: bool = True) -> None:
    """Compile what the next run of cycles needs now; otherwise that run does, and takes longer by it.

    It is `Batch.compile`. `tell` hears the name of each step, such as a `ProgressTracker.of_kernels()`. While a reset
    is active, `ahead` begins the kernel for when all rest, too: another thread makes it while this one waits or runs.
    """
    _, kernel = batch.build("", steady=None)
    kernel.begin(tell or _say_nothing)
    if ahead and batch.design.clocks.resets:
        batch.build("", steady=True)[1].begin()
    kernel.compile()
    if tell is not None:
        tell("initialise")


def _say_nothing(step: str) -> None:
    """Say nothing."""
