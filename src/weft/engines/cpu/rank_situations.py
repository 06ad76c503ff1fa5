"""Say in which order code for situations is worth its compilation.

Code is compiled piece by piece while runs go on, and runs may be short. So what saves most for each second of compiling
comes first: a greedy choice by the ratio of gain and cost (Dantzig, "Discrete-variable extremum problems", 1957, of the
knapsack problem). What a step costs, `step_price`, stands for both: how long it runs, and how long it takes to compile,
which grows faster (of PicoRV32's steps, ten times as long a text takes 24 times as long).

Until a situation has code, its edges run the step for all situations together, the *lean* one, or the usual step as
long as there is not even that. The lean step is long, and worth the less the more situations have code of their own: it
is one more candidate, for all edges that have none yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import dataclass

GUARD_PRICE = 0.05
"""What compiling a guard costs, as a part of the usual step."""

GROWTH = 1.38
"""The power of a step's price with which the time to compile it grows."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Be a step that may be compiled: the part of all edges that it is for, and its price."""

    share: float
    price: float


def rank_situations(situations: Sequence[Candidate], lean: float, usual: float) -> tuple[list[int], int]:
    """Return the order of situations, and how many of them come before the lean step.

    `lean` and `usual` are prices of the steps that run otherwise.
    """
    guard = GUARD_PRICE * usual
    order: list[int] = []
    rest = list(range(len(situations)))
    others, otherwise, lean_at = 1.0, usual, -1

    def worth(at: int) -> float:
        each = situations[at]
        return each.share * (otherwise - each.price) / (each.price + guard) ** GROWTH

    while rest:
        best = max(rest, key=worth)
        if lean_at < 0 and others * (usual - lean) / (lean + guard) ** GROWTH >= worth(best):
            lean_at, otherwise = len(order), lean
        else:
            order.append(best)
            rest.remove(best)
            others -= situations[best].share
    return order, len(order) if lean_at < 0 else lean_at
