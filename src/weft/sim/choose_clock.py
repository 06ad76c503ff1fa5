"""Decide which inputs are clocks and resets, from what the user says and what the graph shows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.ir.program import Clock
from weft.passes.trace_clocks import ClockReport
from weft.sim.signal_map import SignalMap
from weft.sim.times import parse_time, time_text


@dataclass(frozen=True, slots=True)
class ChosenClock:
    """Be a clock with its input's name."""

    name: str
    clock: Clock

    def describe(self) -> str:
        """Return a phrase for the user."""
        return f"clock {self.name}, period {time_text(self.clock.period_fs)}"


@dataclass(frozen=True, slots=True)
class ChosenReset:
    """Be a reset input: its path, whether it is active when 0, and for how many cycles to hold it."""

    name: str
    active_low: bool
    cycles: int

    def describe(self) -> str:
        """Return a phrase for the user."""
        level = "low" if self.active_low else "high"
        return f"reset {self.name}, active {level}, for {self.cycles} cycles"


def choose_clocks(
    wish: str | Mapping[str, str | int] | None, period: str | int, report: ClockReport, signals: SignalMap
) -> tuple[ChosenClock, ...]:
    """Return the clocks to toggle. Without a wish that is the design's only clock; several are ambiguous."""
    if isinstance(wish, str):
        wish = dict.fromkeys(wish.split(","), period)
    if wish is not None:
        return tuple(
            ChosenClock(name, make_clock(_input_state(name, signals), parse_time(each))) for name, each in wish.items()
        )
    if not report.clocks:
        return ()
    if len(report.clocks) > 1:
        names = [found.name.partition(".")[2] or found.name for found in report.clocks]
        example = ",".join(names)
        raise UserError(
            "ambiguous-clock",
            f"the design has {len(names)} clocks: {', '.join(names)}; choose with --clock {names[0]}, or toggle several"
            f" with --clock {example} (in Python: clock={{'{names[0]}': '10ns', ...}})",
        )
    found = next(iter(report.clocks))
    return (ChosenClock(found.name, make_clock(found.state, parse_time(period))),)


def make_clock(state: int, period_fs: int) -> Clock:
    """Return a clock that rises at half its period and falls at its end."""
    if period_fs < 2:
        raise UserError("bad-option", f"a clock cannot have a period of {period_fs} fs")
    return Clock(state, period_fs, period_fs // 2, period_fs)


def choose_reset(
    wish: str | None, report: ClockReport, signals: SignalMap, default_cycles: int = 10
) -> ChosenReset | None:
    """Return the reset to apply: `rst`, `rst:10` (cycles), `!rst_n:10` (active low), `none`, or the only one found."""
    if wish == "none":
        return None
    if wish:
        match = re.fullmatch(r"(!?)([^:]+)(?::(\d+))?", wish)
        if match is None:
            raise UserError("bad-option", f"--reset is NAME or NAME:CYCLES, not '{wish}'")
        inverted, name, cycles = match.groups()
        state = _input_state(name, signals)
        known = next((reset for reset in report.resets if reset.state == state), None)
        low = bool(inverted) or (known.active_low if known is not None else _named_low(name))
        return ChosenReset(name, low, int(cycles) if cycles else default_cycles)
    if not report.resets:
        return None
    if len(report.resets) > 1:
        names = [found.name.partition(".")[2] or found.name for found in report.resets]
        raise UserError(
            "ambiguous-reset",
            f"the design has {len(names)} resets: {', '.join(names)};"
            f" choose with --reset {names[0]}:10 or --reset none",
        )
    found = next(iter(report.resets))
    return ChosenReset(found.name, found.active_low, default_cycles)


def _named_low(name: str) -> bool:
    return bool(re.search(r"(_n|_ni|_b|n)$", name.rpartition(".")[2], re.IGNORECASE))


def _input_state(name: str, signals: SignalMap) -> int:
    """Return the state of an input of the top."""
    found = signals.find(name)
    parts = signals.parts(found.node) if found.node >= 0 else None
    if parts is None or len(parts) != 1 or signals.graph.states[parts[0].state].kind != "input" or parts[0].width != 1:
        raise UserError("bad-option", f"'{name}' cannot be driven: it is not a 1-bit input of the top module")
    return parts[0].state
