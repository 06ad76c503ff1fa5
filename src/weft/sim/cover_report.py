"""How much of a design's covergroups a simulation has hit: `$get_coverage`, and the table of `weft run --coverage`.

It is read from the covergroups' objects (`ir.coverage`), by the rules of IEEE 1800-2023 19.11: a bin is hit when it has
counted `at_least` samples; a coverpoint or cross has the part of its bins that are hit; an instance the mean of these
by their weights; a covergroup the mean of its instances by theirs; the design that of its covergroups by
`type_option.weight`. A covergroup of which no instance was made does not count.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass
from weft.engines.event.host_sites import HostSite
from weft.ir.coverage import CoverGroup, CoverPart
from weft.ir.expressions import Signal
from weft.sim.tasks.dump_scopes import plain_path

if TYPE_CHECKING:
    from weft.engines.event.elaborate import Node
    from weft.sim.event_simulation import EventSimulation

_SHOWN = 8
"""How many bins that are not hit a line of the table names."""


@dataclass(frozen=True, slots=True)
class PartCoverage:
    """Be what has been hit of a coverpoint or cross of an instance; `missing` are the names of other bins."""

    part: CoverPart
    hit: int
    missing: tuple[str, ...]
    weight: int
    goal: int

    @property
    def percent(self) -> float:
        """Return the coverage, in percent."""
        return 100.0 * self.hit / len(self.part.bins) if self.part.bins else 0.0


@dataclass(frozen=True, slots=True)
class InstanceCoverage:
    """Be what has been hit of an instance of a covergroup."""

    name: str
    weight: int
    goal: int
    parts: tuple[PartCoverage, ...]

    @property
    def percent(self) -> float:
        """Return the coverage, in percent."""
        return _mean((part.percent, part.weight) for part in self.parts if part.part.bins)


@dataclass(frozen=True, slots=True)
class GroupCoverage:
    """Be what has been hit of a covergroup."""

    path: str
    weight: int
    goal: int
    instances: tuple[InstanceCoverage, ...]

    @property
    def percent(self) -> float:
        """Return the coverage, in percent."""
        return _mean((instance.percent, instance.weight) for instance in self.instances)


def read_coverage(simulation: EventSimulation) -> list[GroupCoverage]:
    """Return the coverage of each covergroup that has instances, in the order of the hierarchy."""
    found: list[GroupCoverage] = []
    for node in simulation.engine.code.design.nodes:
        for group in node.unit.module.covergroups:
            objects = _Objects(simulation, node)
            instances = tuple(objects.instances(group))
            if instances:
                path = plain_path(f"{node.path}.{group.name}")
                weight, goal = (objects.static(group.type_options[name]) for name in ("weight", "goal"))
                found.append(GroupCoverage(path, weight, goal, instances))
    return found


def total_coverage(groups: Iterable[GroupCoverage]) -> float:
    """Return the coverage of a design, in percent."""
    return _mean((group.percent, group.weight) for group in groups)


def coverage_text(simulation: EventSimulation) -> str:
    """Return the table: a line for each covergroup, its coverpoints and crosses, and for bins that are not hit."""
    groups = read_coverage(simulation)
    if not groups:
        return "coverage: no covergroup has an instance\n"
    rows: list[tuple[str, str, str]] = [("covergroup", "bins", "coverage")]
    for group in groups:
        rows += _group_rows(group)
    rows.append(("all covergroups", "", _percent(total_coverage(groups))))
    wide = [max(len(row[column]) for row in rows if row[1:] != ("", "")) for column in range(3)]
    lines: list[str] = []
    for name, bins, percent in rows:
        plain = (bins, percent) == ("", "")
        lines.append(name if plain else f"{name:<{wide[0]}}  {bins:>{wide[1]}}  {percent:>{wide[2]}}")
    return "".join(f"{line}\n" for line in lines)


def get_coverage(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, dict[int, Any]]:
    """Do `$get_coverage` (20.14, 19.9)."""
    return total_coverage(read_coverage(simulation)), {}


def _group_rows(group: GroupCoverage) -> Iterator[tuple[str, str, str]]:
    hit = sum(part.hit for instance in group.instances for part in instance.parts)
    bins = sum(len(part.part.bins) for instance in group.instances for part in instance.parts)
    yield group.path, f"{hit}/{bins}", _percent(group.percent, group.goal)
    several = len(group.instances) > 1
    for number, instance in enumerate(group.instances):
        indent = "  "
        if several or instance.name:
            name = f"{indent}instance {instance.name or number}"
            yield name, "", _percent(instance.percent, instance.goal)
            indent += "  "
        for part in instance.parts:
            count = f"{part.hit}/{len(part.part.bins)}"
            yield f"{indent}{part.part.kind} {part.part.name}", count, _percent(part.percent, part.goal)
            if part.missing:
                more = len(part.missing) - _SHOWN
                rest = f" and {more} more" if more > 0 else ""
                yield f"{indent}  not hit: {', '.join(part.missing[:_SHOWN])}{rest}", "", ""


def _percent(value: float, goal: int = 0) -> str:
    mark = " < goal" if value < goal < 100 else ""
    return f"{value:.2f} %{mark}"


def _mean(pairs: Iterable[tuple[float, int]]) -> float:
    total = weights = 0.0
    for value, weight in pairs:
        total += value * weight
        weights += weight
    return total / weights if weights > 0 else 0.0


@dataclass(slots=True, eq=False)
class _Objects:
    """Read the objects of the covergroups that an instance of a module declares."""

    simulation: EventSimulation
    node: Node

    def static(self, signal: Signal) -> int:
        """Return an option of a type."""
        bits, _ = self.simulation.engine.read(self.node, signal)
        return bits - (1 << 32) if bits >> 31 else bits

    def instances(self, group: CoverGroup) -> Iterator[InstanceCoverage]:
        """Yield what has been hit of each instance."""
        queue, _ = self.simulation.engine.read(self.node, group.instances)
        for handle in self.simulation.containers.find(queue).values():
            weight, goal = (self._number(handle, group.options[name]) for name in ("weight", "goal"))
            name = self.simulation.handles.text(self._word(handle, group.options["name"]))
            yield InstanceCoverage(name, weight, goal, tuple(self._part(handle, part) for part in group.parts))

    def _part(self, handle: int, part: CoverPart) -> PartCoverage:
        weight, goal, least = (self._number(handle, part.options[name]) for name in ("weight", "goal", "at_least"))
        missing = tuple(name for name, counter in part.bins if self._word(handle, counter) < least)
        return PartCoverage(part, len(part.bins) - len(missing), missing, weight, goal)

    def _word(self, handle: int, field: Signal) -> int:
        at = int(handle) + self.simulation.engine.code.field_offset(field)
        return ctypes.c_uint64.from_address(at).value

    def _number(self, handle: int, field: Signal) -> int:
        at = int(handle) + self.simulation.engine.code.field_offset(field)
        return ctypes.c_int32.from_address(at).value
