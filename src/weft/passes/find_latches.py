"""Find latches: drives whose value still depends on what the variable held before the process ran.

A combinational process that does not assign a variable on every path leaves a `hold` use in its value (`fragment.Use`).
One forward sweep over a fragment gives each node the set of holds that it depends on, as an int of bits. A drive that
is a concatenation is cut between parts that hold and parts that do not, so that only bits that must become state do.
"""

from __future__ import annotations

from dataclasses import dataclass

from weft.ir.ops import CODE
from weft.passes.fragment import Drive, Fragment

_CONCAT, _READ, _MEMREAD = CODE["concat"], CODE["read"], CODE["memread"]


@dataclass(frozen=True, slots=True)
class PlannedDrive:
    """Be the part of a drive from bit `bit` of its value up; `holds`: it is a latch."""

    low: int
    width: int
    bit: int
    drive: Drive
    holds: bool


def plan_drives(fragment: Fragment) -> list[PlannedDrive]:
    """Return a fragment's drives, cut into latches and plain logic."""
    depends = _hold_dependencies(fragment)
    if not depends:
        return [PlannedDrive(drive.low, drive.width, 0, drive, False) for drive in fragment.drives]
    names = {(use.signal, use.path): 1 << k for k, use in enumerate(fragment.uses) if use.hold}
    result: list[PlannedDrive] = []
    for drive in fragment.drives:
        use = fragment.uses[drive.target]
        result += _cut_drive(fragment, drive, depends, names.get((use.signal, use.path), 0))
    return result


def _hold_dependencies(fragment: Fragment) -> list[int]:
    """Return for each node the bit set of hold uses that it depends on; empty if no node reads a hold."""
    builder, uses = fragment.builder, fragment.uses
    if not any(use.hold for use in uses):
        return []
    depends = [0] * len(builder.op)
    for node, (op, sources) in enumerate(zip(builder.op, builder.srcs, strict=True)):
        found = 0
        for source in sources:
            found |= depends[source]
        if op in (_READ, _MEMREAD) and uses[builder.param[node]].hold:
            found |= 1 << builder.param[node]
        depends[node] = found
    return depends if any(depends) else []


def _cut_drive(fragment: Fragment, drive: Drive, depends: list[int], own: int) -> list[PlannedDrive]:
    """Cut a drive at the joints of its concatenation, and join neighbours of the same kind again."""
    builder = fragment.builder
    if not depends[drive.value] & own:
        return [PlannedDrive(drive.low, drive.width, 0, drive, False)]
    sources = builder.srcs[drive.value] if builder.op[drive.value] == _CONCAT else (drive.value,)
    result: list[PlannedDrive] = []
    at = 0
    for source in sources:
        width = builder.width[source]
        holds = bool(depends[source] & own)
        if result and result[-1].holds == holds:
            last = result.pop()
            result.append(PlannedDrive(last.low, last.width + width, last.bit, drive, holds))
        else:
            result.append(PlannedDrive(drive.low + at, width, at, drive, holds))
        at += width
    return result
