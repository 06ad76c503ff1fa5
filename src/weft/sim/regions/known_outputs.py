"""Look at a group's outputs before it is built, so that it is not built in vain.

A group with an output that has a value too early is thrown away once that is found (`group_siblings.late_outputs`),
which costs as much as the region that is kept. Most such outputs are constants that an instance drives, or choices
between constants that agree in some bits. So before anything is built, the bits are followed that are surely known:
through whole assignments and ports to constants and to declared values of registers; of all else, no bit is known. What
this overlooks is found when the group is built.

Outputs that inputs reach without an edge come first (`reached_outputs`), since others may no longer be late without
them. Where there may be any, nothing is said here: what signals an output follows is found by their names alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from weft.base.dataclass import dataclass, field
from weft.engines.event.elaborate import roots_of
from weft.engines.event.walk import written_signals
from weft.ir.design import ContinuousAssign, Expr, Instance, Kind, Module, Process, Signal
from weft.ir.expressions import Call, Concat, Cond, Const, Element, Ref, Resize, Slice, SystemCall
from weft.ir.ops import mask
from weft.ir.walk import calls_in, expressions_of, statements_in, subexpressions
from weft.sim.regions.module_reasons import has_edge

_Bits = tuple[int, int]
"""A mask of the bits that are known, and their values."""

_NONE: _Bits = (0, 0)


def surely_known(module: Module, names: Collection[str]) -> set[str]:
    """Return those output ports, of some, that have a value at the start; none if inputs may reach any output."""
    place = _Place(module)
    outputs = [port.signal for port in module.ports if port.direction == "output"]
    known = {signal.name for signal in outputs if signal.name in names and _has_value(place, signal)}
    return known if known and not _may_reach(place, outputs) else set()


@dataclass(slots=True, eq=False)
class _Place:
    """Be an instance, with what drives the signals of its module: all but the procedures that wait for an edge."""

    module: Module
    above: _Place | None = None
    outside: dict[Signal, Expr | None] = field(default_factory=dict[Signal, "Expr | None"])
    """What each input port is connected to, above."""
    drivers: dict[Signal, list[ContinuousAssign | Instance | Process]] = field(
        default_factory=dict[Signal, "list[ContinuousAssign | Instance | Process]"]
    )
    known: dict[Signal, _Bits] = field(default_factory=dict[Signal, _Bits])
    _below: dict[int, _Place] = field(default_factory=dict[int, "_Place"])

    def __post_init__(self) -> None:
        for assign in self.module.assigns:
            self._note(assign, [assign.lhs])
        for process in self.module.processes:
            if not has_edge(process):
                self._note(process, written_signals(process.body))
        for instance in self.module.instances:
            ports = zip(instance.module.ports, instance.connections, strict=True)
            self._note(instance, [outer for port, outer in ports if port.direction != "input" and outer is not None])

    def below(self, instance: Instance) -> _Place:
        """Return the place of an instance in the module."""
        found = self._below.get(id(instance))
        if found is None:
            ports = zip(instance.module.ports, instance.connections, strict=True)
            outside = {port.signal: outer for port, outer in ports if port.direction == "input"}
            found = self._below[id(instance)] = _Place(instance.module, self, outside)
        return found

    def _note(self, driver: ContinuousAssign | Instance | Process, targets: Iterable[Expr]) -> None:
        for signal in {ref.signal for target in targets for ref in roots_of(target)}:
            self.drivers.setdefault(signal, []).append(driver)


# ------------------------------------------------------------------------------------------- what is known


def _has_value(place: _Place, signal: Signal) -> bool:
    return not signal.type.four_state or _signal(place, signal)[0] != 0


def _signal(place: _Place, signal: Signal) -> _Bits:
    known = place.known.get(signal)
    if known is None:
        place.known[signal] = _NONE  # as long as it is looked for: a loop knows nothing
        known = place.known[signal] = _NONE if signal.depth else _driven(place, signal)
    return known


def _driven(place: _Place, signal: Signal) -> _Bits:
    match place.drivers.get(signal, []):
        case [ContinuousAssign(lhs=Ref(), rhs=value)]:
            return _bits(place, value)
        case [Instance() as instance]:
            for port, outer in zip(instance.module.ports, instance.connections, strict=True):
                if isinstance(outer, Ref) and outer.signal is signal and port.signal.bits == signal.bits:
                    return _signal(place.below(instance), port.signal)
        case [] if signal in place.outside and place.above is not None:
            outer = place.outside[signal]
            if outer is not None and outer.width == signal.bits:
                return _bits(place.above, outer)
        case [] if not signal.net and isinstance(signal.initial, Const):
            return _bits(place, signal.initial)
        case _:
            pass
    return _NONE


def _bits(place: _Place, value: Expr) -> _Bits:
    """Return the bits of an expression that are known."""
    match value:
        case Const(width, bits, unknown):
            known = mask(width) & ~unknown
            return known, bits & known
        case Ref(signal, ()):
            return _signal(place, signal)
        case Cond(_, then, other):
            (first, ones), (second, others) = _bits(place, then), _bits(place, other)
            known = first & second & ~(ones ^ others)
            return known, ones & known
        case Resize(inner, width, signed):
            known, ones = _bits(place, inner)
            above = 0 if signed else mask(width) & ~mask(inner.width)
            return (known | above) & mask(width), ones & mask(width)
        case Slice(inner, int(offset), width) if offset >= 0:
            known, ones = _bits(place, inner)
            return known >> offset & mask(width), ones >> offset & mask(width)
        case Concat(parts):
            known = ones = 0
            for part in parts:
                more, bits = _bits(place, part)
                known, ones = known << part.width | more, ones << part.width | bits
            return known, ones
        case _:
            return _NONE


# ------------------------------------------------------------------------------------------- what inputs may reach


def _may_reach(place: _Place, outputs: Iterable[Signal]) -> bool:
    """Say whether an input of the top may reach one of its outputs without an edge."""
    given = {port.signal for port in place.module.ports if port.direction == "input"}
    seen: set[tuple[_Place, Signal]] = set()
    stack = [(place, signal) for signal in outputs]
    while stack:
        here, signal = found = stack.pop()
        if found in seen:
            continue
        seen.add(found)
        if here is place and signal in given:
            return True
        outer = here.outside.get(signal)
        if outer is not None and here.above is not None:
            stack += [(here.above, read) for read in _read(outer)]
        for driver in here.drivers.get(signal, ()):
            if isinstance(driver, Instance):
                ports = zip(driver.module.ports, driver.connections, strict=True)
                inside = here.below(driver)
                stack += [
                    (inside, port.signal)
                    for port, target in ports
                    if port.direction != "input"
                    and target is not None
                    and any(ref.signal is signal for ref in roots_of(target))
                ]
                continue
            expressions = list(_expressions(driver))
            if any(isinstance(part, Call | SystemCall) for each in expressions for part in subexpressions(each)):
                return True  # what it reads is not looked for
            stack += [(here, read) for each in expressions for read in _read(each)]
    return False


def _expressions(driver: ContinuousAssign | Process) -> Iterator[Expr]:
    if isinstance(driver, ContinuousAssign):
        yield from (driver.lhs, driver.rhs)
    elif driver.kind != Kind.INITIAL:
        yield from calls_in(driver.body)
        for statement in statements_in(driver.body):
            reads, writes = expressions_of(statement)
            yield from (*reads, *writes)


def _read(expression: Expr) -> Iterator[Signal]:
    for part in subexpressions(expression):
        if isinstance(part, Ref | Element):
            yield part.signal
