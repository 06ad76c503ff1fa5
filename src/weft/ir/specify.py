"""What a specify block says about a module: the delays of its paths and its timing checks (IEEE 1800-2023 30, 31).

The front end writes down paths and checks as they stand; `passes/insert_path_delays` and `passes/insert_timing_checks`
turn them into signals, assignments and processes. Cycle engines, where every delay is zero, look at none of it.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.base.source import NOWHERE, Span
from weft.ir.expressions import Expr, Signal

TRANSITIONS = ("01", "10", "0z", "z1", "1z", "z0", "0x", "x1", "1x", "x0", "xz", "zx")
"""The transitions that a path may have delays for, in the order in which they are listed (table 30-3)."""


@dataclass(frozen=True, slots=True, eq=False)
class ModulePath:
    """Be one path declaration: from each of `sources` to each of `destinations`, bit by bit if `parallel`.

    Sources and destinations are signals of the module, or bits of them. With an `edge` (`posedge`, `negedge`, `edge`)
    only such changes of a source count. A path applies while `condition` holds; one that is `ifnone` while no other
    with the same ends does. `delays_fs` has one time for each of `TRANSITIONS`. `text` is the condition as written.
    """

    sources: tuple[Expr, ...]
    destinations: tuple[Expr, ...]
    delays_fs: tuple[int, ...]
    parallel: bool = False
    edge: str = ""
    condition: Expr | None = None
    ifnone: bool = False
    text: str = ""
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class CheckEvent:
    """Be an event of a timing check: a change of `terminal`, an `edge` or one of `transitions` (`01`, `1x`) of it.

    It counts only where `condition` (`&&&`) is true. `text` is the event as written.
    """

    terminal: Expr
    edge: str = ""
    transitions: tuple[str, ...] = ()
    condition: Expr | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TimingCheck:
    """Be a timing check; `kind` is its name, `$setuphold`.

    `events` are the first and, except for `$period` and `$width`, the second one as written. `limits_fs` are its times,
    signed: `$setuphold` has setup and hold, `$recrem` recovery and removal, `$width` limit and threshold, `$fullskew`
    two limits, `$nochange` two offsets. `notifier` is toggled at a violation. `conditions` are those that a time stamp
    and a time check need, `delayed` the signals that follow the two terminals, delayed. `event_based` and
    `remain_active` are the flags of `$timeskew` and `$fullskew`.
    """

    kind: str
    events: tuple[CheckEvent, ...]
    limits_fs: tuple[int, ...]
    notifier: Expr | None = None
    conditions: tuple[Expr | None, Expr | None] = (None, None)
    delayed: tuple[Expr | None, Expr | None] = (None, None)
    event_based: bool = False
    remain_active: bool = False
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class PathStamp:
    """Keep in `time`, in ticks, when `source` has last changed, or with an `edge` when its lowest bit had one."""

    source: Expr
    edge: str
    time: Signal


@dataclass(frozen=True, slots=True, eq=False)
class PathChoice:
    """Be one path to a bit; it applies unless `condition` is 0. `table` has the delays of its transitions in ticks."""

    stamp: PathStamp
    table: Signal
    condition: Expr | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PathDelay:
    """Delay the one bit of a continuous assignment by the path from the input that has changed last (30.5.1).

    Of the paths that apply, those whose stamp is the latest count, and of these the one with the least delay for the
    transition. The delay runs from the stamp, so that of path and distributed delay the greater one holds (30.6).
    """

    choices: tuple[PathChoice, ...]


_GIVEN = {
    1: (0, 0, 0, 0, 0, 0),
    2: (0, 1, 0, 0, 1, 1),
    3: (0, 1, 2, 0, 2, 1),
    6: (0, 1, 2, 3, 4, 5),
}
"""Which of so many delays holds for 0->1, 1->0, 0->z, z->1, 1->z, z->0."""

_TO_AND_FROM_X = {
    "0x": (min, "0z", "01"),
    "x1": (max, "z1", "01"),
    "1x": (min, "1z", "10"),
    "x0": (max, "z0", "10"),
    "xz": (max, "1z", "0z"),
    "zx": (min, "z1", "z0"),
}
"""How delays of transitions to and from x follow from two others (30.5.2)."""


def expand_delays(given: tuple[int, ...]) -> tuple[int, ...]:
    """Return the delays of all twelve transitions from the 1, 2, 3, 6 or 12 that are given."""
    if len(given) == len(TRANSITIONS):
        return given
    known = dict(zip(TRANSITIONS, (given[i] for i in _GIVEN[len(given)]), strict=False))
    for name, (choose, first, second) in _TO_AND_FROM_X.items():
        known[name] = choose(known[first], known[second])
    return tuple(known[name] for name in TRANSITIONS)
