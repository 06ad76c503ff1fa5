"""Simulate faults one at a time with a plain simulation, to compare campaigns with."""

from collections.abc import Callable
from typing import Any


def outputs_of(sim: Any, names: list[str]) -> list[int]:
    return [int(sim.peek(name)) for name in names]


def good_rows(sim: Any, names: list[str], stimulus: dict[str, list[int]], cycles: int) -> list[list[int]]:
    """Return what the good machine shows at the end of each cycle; the simulation moves."""
    rows = []
    for cycle in range(cycles):
        for name, values in stimulus.items():
            sim.poke(name, values[cycle])
        rows.append(outputs_at_end(sim, names))
    return rows


def outputs_at_end(sim: Any, names: list[str]) -> list[int]:
    """Let a cycle pass, and return what is shown just before the clock falls; a combinational design only settles."""
    if not sim.clocks:
        return outputs_of(sim, names)
    sim.step()
    shown = outputs_of(sim, names)
    sim.step()
    return shown


def first_difference(
    sim: Any,
    names: list[str],
    stimulus: dict[str, list[int]],
    good: list[list[int]],
    fault: Callable[[Any, int], None],
) -> tuple[int, int] | None:
    """Return the cycle and output at which a fault shows first; `fault` is called before each cycle."""
    for cycle, want in enumerate(good):
        for name, values in stimulus.items():
            sim.poke(name, values[cycle])
        fault(sim, cycle)
        have = outputs_at_end(sim, names)
        if have != want:
            return cycle, next(number for number, pair in enumerate(zip(have, want, strict=True)) if pair[0] != pair[1])
    return None
