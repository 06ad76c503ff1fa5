"""Find where the clocks of a split region come from, and let those be one that come from one in the same way.

Designs pass one clock on by many assignments, one for each instance (`assign core_clock = clock`). In events what waits
for these clocks runs by how many assignments lie between: all that has the same number runs at the same time, in an
order that the standard leaves open (IEEE 1800-2023 4.7). So one of them is enough as the clock of a region.
"""

from __future__ import annotations

from collections.abc import Collection

from weft.base.dataclass import replace
from weft.ir.design import (
    Binary,
    ContinuousAssign,
    Module,
    Process,
    Ref,
    Signal,
)
from weft.sim.regions.module_parts import (
    signals_in,
)
from weft.sim.regions.split_plan import SplitPlan, is_copy


def _gated_clock(plan: SplitPlan, signal: Signal) -> Signal | None:
    """Return the clock that an assignment gates; None if that is not what drives a signal."""
    match plan.drivers().get(signal, []):
        case [ContinuousAssign(rhs=Binary("and" | "or" | "land" | "lor")) as assign]:
            latches = {s for part in plan.parts if isinstance(part.what, Process) for s in part.writes}
            clocks = (plan.clocks & set(signals_in(assign.rhs))) - latches
            return clocks.pop() if len(clocks) == 1 else None
        case _:
            return None


def _find_source(
    root: SplitPlan, signal: Signal, plans: list[SplitPlan] | None = None, path: list[str] | None = None
) -> tuple[list[SplitPlan], list[str], Signal, int]:
    """Return where a signal that events drive comes from, and how many assignments lie between.

    Where is said by the modules from the root down, the names of the instances in them, and the signal. Only plain
    assignments of whole signals are followed.
    """
    plans, path = list(plans or [root]), list(path or [])

    def enter(name: str) -> None:
        numbers = {instance.name: number for number, instance in enumerate(plans[-1].module.instances)}
        plans.append(plans[-1].below[numbers[name]])
        path.append(name)

    while True:  # down to the module that has the signal
        link = next((key for key, made in plans[-1].links.items() if made is signal), None)
        if link is None:
            break
        name, signal = link
        enter(name)
    steps = 0
    while True:
        plan = plans[-1]
        ports = {port.signal: number for number, port in enumerate(plan.module.ports) if port.direction == "input"}
        if signal in ports:
            if not path:
                break
            plans.pop()
            name = path.pop()
            outer = next(i for i in plans[-1].module.instances if i.name == name).connections[ports[signal]]
            if not isinstance(outer, Ref):
                return [*plans, plan], [*path, name], signal, steps
            signal = outer.signal
            continue
        drivers = plan.drivers().get(signal, [])
        match drivers:
            case [ContinuousAssign(lhs=Ref(), rhs=Ref(source, ())) as assign] if is_copy(assign):
                signal, steps = source, steps + 1
            case [(str(name), Signal() as inner)]:
                enter(name)
                signal = inner
            case _:
                break
    return plans, path, signal, steps


def region_clocks(root: SplitPlan, region: Module) -> dict[Signal, tuple[Signal, bool]]:
    """Return, of the clocks of a region, the inputs of the module that they follow, and whether through a gate."""
    found: dict[Signal, tuple[Signal, bool]] = {}
    for port in region.ports:
        if port.direction == "input":
            plans, path, signal, _ = _find_source(root, port.signal)
            gated = False
            while (passed := _gated_clock(plans[-1], signal)) is not None:
                plans, path, signal, _ = _find_source(root, passed, plans, path)
                gated = True
            if not path:
                found[port.signal] = (signal, gated)
    return found


def with_fewer_clocks(plans: Collection[SplitPlan], root: SplitPlan, region: Module) -> Module:
    """Return a region with one clock in place of those that equally many plain assignments make of one."""
    if any(part.events and part.clocked and part.blocking for plan in plans for part in plan.parts):
        return region  # which of them comes first may matter to who reads what these assign
    here = set[Signal]().union(*(part.reads | part.writes for part in root.parts if not part.events))
    first: dict[tuple[tuple[str, ...], Signal, int], Signal] = {}
    taken: dict[Signal, Signal] = {}
    for port in region.ports:
        if port.direction == "input" and port.signal not in here and root.inner.get(port.signal, 0) == 1:
            _, path, signal, steps = _find_source(root, port.signal)
            source = (tuple(path), signal, steps)
            if first.setdefault(source, port.signal) is not port.signal:
                taken[port.signal] = first[source]
    instances = [
        replace(
            each,
            connections=tuple(
                Ref(taken.get(e.signal, e.signal)) if isinstance(e, Ref) else e for e in each.connections
            ),
        )
        for each in region.instances
    ]
    return replace(
        region,
        signals=[signal for signal in region.signals if signal not in taken],
        ports=[port for port in region.ports if port.signal not in taken],
        instances=instances,
    )
