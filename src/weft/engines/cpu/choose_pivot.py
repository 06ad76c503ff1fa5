"""Choose the register by whose value a clock edge's code is split into versions.

Many designs are a machine with a few states: in each, most enables are 0 and most selections are decided. As one piece
of code they are hundreds of gates, for lowering has made data flow of the source's `case`. In a version for one state
they are constants. (Polyvariant specialisation; Jones, Gomard and Sestoft, "Partial Evaluation", 1993, ch. 4.)

A register that had few values in samples of the state is a candidate. The most used ones are tried: for each of its
values, what is left of the step is priced, and the sum is weighed by how often each value was seen.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.engines.cpu.sink_regions import step_price
from weft.ir.step_graph import READ, Specialiser, StepGraph, live_nodes

TRIED = 4
"""How many candidates are priced."""

LEAST_GAIN = 0.15
"""What part of the step's price versions must save."""

MOST_CODE = 12_000
"""The sum of all versions' prices: more does not fit into a processor's first-level cache."""


def choose_pivot(step: StepGraph, varied: Mapping[int, Mapping[int, int]]) -> tuple[int, dict[int, StepGraph]] | None:
    """Return a state and the step for each of its usual values, or None if no split saves enough."""
    whole = step_price(step)
    best: tuple[float, int, dict[int, StepGraph]] | None = None
    if whole > MOST_CODE:
        return None
    for state in _most_used(step, varied):
        versions = {value: Specialiser(step).run({state: value}, {}) for value in sorted(varied[state])}
        prices = {value: step_price(version) for value, version in versions.items()}
        counts = varied[state]
        expected = sum(prices[value] * count for value, count in counts.items()) / sum(counts.values())
        fits = expected <= whole * (1 - LEAST_GAIN) and sum(prices.values()) <= MOST_CODE
        if fits and (best is None or expected < best[0]):
            best = (expected, state, versions)
    return None if best is None else best[1:]


def _most_used(step: StepGraph, varied: Mapping[int, Mapping[int, int]]) -> list[int]:
    """Return the states whose reads, and what is computed of them alone, have the most users."""
    live = live_nodes(step)
    users = [0] * len(step.op)
    origin: list[int] = [-1] * len(step.op)
    for node, lives in enumerate(live):
        if not lives:
            continue
        sources = step.srcs[node]
        for source in sources:
            users[source] += 1
        if step.op[node] == READ:
            origin[node] = step.param[node]
        else:
            found = {origin[source] for source in sources if step.constant(source) is None}
            origin[node] = found.pop() if len(found) == 1 else -1
    weight = dict.fromkeys(varied, 0)
    for node, state in enumerate(origin):
        if state in weight:
            weight[state] += users[node]
    return sorted(weight, key=lambda state: (-weight[state], state))[:TRIED]
