"""Let signals of an event simulation be forced from outside: give each a process that forces it and one that releases.

The module that is added holds, for each signal, the value to force and two bits; a change of one bit begins the force,
a change of the other ends it. So a force from Python is one of the language's own (IEEE 1800-2023 10.6.2), and the
event engine knows nothing about it. The module is instantiated once, as packages are, and is in nobody's way there.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import dataclass
from weft.ir.design import Design, Event, Force, Kind, Module, Process, Ref, Release, Signal, Type

FORCES = "$forces"


@dataclass(frozen=True, slots=True, eq=False)
class EventForce:
    """Hold the variables of one signal: what it is forced to, and the bits whose changes begin and end the force."""

    value: Signal
    begin: Signal
    end: Signal


def add_force_points(design: Design, targets: Sequence[tuple[tuple[str, ...], Signal]]) -> list[EventForce]:
    """Add the module and return what it has for each target: the path of an instance from the top, and a signal."""
    if not targets:
        return []
    tick = design.tick_fs
    module = Module(FORCES, FORCES, time_unit_fs=tick, time_precision_fs=tick)
    bit = Type("bit", 1, four_state=False)
    points: list[EventForce] = []
    for number, (path, signal) in enumerate(targets):
        value = Signal(f"value{number}", signal.width, Type("logic", signal.width, ranges=((signal.width - 1, 0),)))
        point = EventForce(value, Signal(f"begin{number}", 1, bit), Signal(f"end{number}", 1, bit))
        target = Ref(signal, ("$root", *path))
        for trigger, action in (
            (point.begin, Force(target, Ref(value), "force", signal.span)),
            (point.end, Release(target, "release", signal.span)),
        ):
            module.processes.append(Process(Kind.EVENTS, action, (Event("any", Ref(trigger)),), span=signal.span))
        module.signals += [point.value, point.begin, point.end]
        points.append(point)
    design.packages.append((FORCES, module))
    return points
