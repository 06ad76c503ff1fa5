"""Find latches: drives whose value still depends on what the variable held before the process ran.

A combinational process that does not assign a variable on every path leaves a `hold` use in its value (`fragment.Use`).
One forward sweep over a fragment gives each node the set of holds that it depends on, as an int of bits. A drive that
is a concatenation is cut between parts that hold and parts that do not, so that only bits that must become state do.

A latch is evaluated as often as there are steps, so doing it twice must be the same as doing it once: every bit may
only be kept as it is, in place, or be replaced. `q = q + 1` without a clock is not that (it counts how often something
changed), and is not supported.
"""

from __future__ import annotations

from typing import Any

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported
from weft.base.source import Span
from weft.ir.expressions import Signal
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE, signed
from weft.passes.check_latches import LatchChecker
from weft.passes.fragment import Drive, Fragment

_CONCAT, _READ, _MEMREAD, _SLICE, _MUX = (CODE[name] for name in ("concat", "read", "memread", "slice", "mux"))
_AND, _OR, _INSERT, _EXTRACT = (CODE[name] for name in ("and", "or", "insert", "extract"))
_IN_PLACE = (_CONCAT, _SLICE, _MUX, _AND, _OR, _INSERT, _EXTRACT, CODE["zext"])
"""Operations that keep or replace bits; `insert` puts back where `extract` with the same index has taken."""

Path = tuple[str, ...]
_Place = tuple[tuple[Any, ...], int]
"""Where bit 0 of a node is in the held value: an offset from a window, which is empty or (index node, its place)."""


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
    _check_readers(fragment, result, depends, names)
    return result


def _check_readers(
    fragment: Fragment, planned: list[PlannedDrive], depends: list[int], names: dict[tuple[Signal, Path], int]
) -> None:
    """Refuse what depends on other latches of its process and on how often they are evaluated."""
    parts: dict[int, list[tuple[int, int, int, int]]] = {}
    for plan in planned:
        if plan.holds:
            use = fragment.uses[plan.drive.target]
            hold = names[use.signal, use.path].bit_length() - 1
            parts.setdefault(hold, []).append((plan.low, plan.width, plan.drive.value, plan.bit))
    latched = sum(1 << hold for hold in parts)
    readers: dict[int, tuple[Span, str]] = {}
    for drive in fragment.drives:
        use = fragment.uses[drive.target]
        if depends[drive.value] & latched & ~names.get((use.signal, use.path), 0):
            readers[drive.value] = drive.span, repr(use.signal.name)
    for effect in fragment.effects:
        for node in (effect.enable, *effect.args):
            if node >= 0 and depends[node] & latched:
                readers.setdefault(node, (effect.task.span, f"an argument of {effect.task.name}"))
    if readers:
        checker = LatchChecker(fragment, depends, {hold: sorted(found) for hold, found in parts.items()})
        for node, (span, what) in readers.items():
            if not checker.settles(node):
                raise Unsupported(f"computing {what} from the old value of a latch without a clock", span)


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
    if not _is_stable(builder, depends, own, drive):
        name = fragment.uses[drive.target].signal.name
        raise Unsupported(f"computing {name!r} from its own old value without a clock", drive.span)
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


def _is_stable(builder: GraphBuilder, depends: list[int], own: int, drive: Drive) -> bool:
    """Say whether a latch's value keeps each held bit where it is.

    Each node on the way gets the place of its bit 0; where sources disagree, or a held bit chooses, nothing is kept.
    """
    cone = {drive.value}
    pending = [drive.value]
    while pending:
        for source in builder.srcs[pending.pop()]:
            if depends[source] & own and source not in cone:
                cone.add(source)
                pending.append(source)
    places: dict[int, _Place] = {}
    for node in sorted(cone):
        place = _held_place(builder, node, places)
        if place is None:
            return False
        places[node] = place
    return places[drive.value] == ((), drive.low)


def _held_place(builder: GraphBuilder, node: int, places: dict[int, _Place]) -> _Place | None:
    """Return where a node's bit 0 is in the held value, given that of its sources, or None if it is nowhere."""
    op, sources = builder.op[node], builder.srcs[node]
    if op == _READ:
        return (), 0
    found: set[_Place] = set()
    at = 0
    for position, source in enumerate(sources):
        place = places.get(source)
        if place is not None:
            if op == _EXTRACT and position == 0:
                known = builder.value(sources[1])
                at = 0 if known is None else -signed(known, builder.width[sources[1]])
                place = ((sources[1], place), 0) if known is None else place
            elif op == _INSERT and position == 2:
                known = builder.value(sources[1])
                at = 0 if known is None else signed(known, builder.width[sources[1]])
                if known is None:
                    window, offset = place
                    if offset or not window or window[0] != sources[1]:
                        return None
                    place = window[1]
            elif not (position > 0 if op == _MUX else position == 0 or op in (_CONCAT, _AND, _OR)):
                return None
            found.add((place[0], place[1] - at))
        at += builder.width[source] if op == _CONCAT else 0
    if len(found) != 1 or op not in _IN_PLACE:
        return None
    window, offset = found.pop()
    return window, offset + (builder.param[node] if op == _SLICE else 0)
