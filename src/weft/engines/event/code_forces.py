"""Write `force`, `release`, `assign` and `deassign` (IEEE 1800-2023 10.6).

A signal that is forced anywhere has two planes more, of the bits that are forced and of those that a procedural
continuous assignment holds; every other write leaves those bits alone. The statement starts a thread of the instance
that writes the value now, and again whenever something in the expression changes; ending it takes the thread off its
wait site and clears the bits. A released net is resolved from its drivers again; a released variable keeps its value
until it is written, or goes back to its procedural assignment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass, field
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_strengths import write_refresh
from weft.engines.event.records import NODE_INSTANCE, WATCH_ANY
from weft.engines.event.sites import Watch
from weft.engines.event.writer import mask
from weft.ir.design import Concat, Expr, Force, Release
from weft.ir.expressions import Element, Ref, Slice
from weft.ir.reads import reads_of

if TYPE_CHECKING:
    from weft.engines.event.code_unit import UnitCode


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Be a force in the code: which bits of which signal, and the thread that keeps them."""

    ref: Ref
    low: int
    width: int
    kind: str
    thread: int


def held_parts(lhs: Expr) -> list[tuple[Ref, int, int]]:
    """Return the signals and bits that a force names; its selects are constant."""
    match lhs:
        case Ref():
            return [(lhs, 0, lhs.width)]
        case Slice(Ref() as ref, int() as offset, width):
            return [(ref, offset, width)]
        case Slice(Slice(value, int() as inner), int() as offset, width):
            return held_parts(Slice(value, inner + offset, width))
        case Concat(parts):
            return [found for part in parts for found in held_parts(part)]
        case Element():
            return []
        case _:
            return []


@dataclass(slots=True, eq=False)
class Forces:
    """Write the forces of one unit."""

    unit: UnitCode
    held: list[Held] = field(default_factory=list[Held])

    def begin(self, f: FunctionCode, force: Force) -> None:
        """Write a `force` or `assign` statement."""
        unit = self.unit
        parts = held_parts(force.lhs)
        if not parts or any(ref.signal.depth or f.is_local(ref.signal) for ref, _, _ in parts):
            raise f.unsupported(f"this target of '{force.kind}'", force.span)
        reads = list(reads_of(force.rhs))
        if any(f.is_local(ref.signal) for ref, _, _ in reads):
            raise f.unsupported(f"an automatic variable in a '{force.kind}'", force.span)
        site = unit.site([Watch(ref, WATCH_ANY, low, high) for ref, low, high in reads])
        code = FunctionCode(unit, unit.symbol("force"), "look", [], f.function)
        code.span, code.scope = f.span, f.scope
        self._write(code, force, site)
        symbol = unit.add_function(code)
        plan = unit.thread(symbol, 1)
        plan.started = False
        for ref, low, width in parts:
            self._unhold_others(f, ref, low, width, force.kind, plan.offset)
            self.held.append(Held(ref, low, width, force.kind, plan.offset))
        w = f.w
        node = unit.block_word(w, plan.offset)
        w.store_word(w.pointer(node), NODE_INSTANCE, f.instance_word())
        w.emit(f"call i64 @{symbol}(i64 {node}, i64 %S)")

    def _write(self, f: FunctionCode, force: Force, site: int) -> None:
        """Write the code of the thread: set the bits' masks, write the value, wait for a change."""
        from weft.engines.event.code_expressions import value
        from weft.engines.event.code_places import find_place, force_masks, store_lvalue

        w = f.w
        new = value(f, force.rhs)
        store_lvalue(f, force.lhs, new, force.kind)
        for ref, low, width in held_parts(force.lhs):
            place = find_place(f, ref)
            where = force_masks(f, place)[force.kind != "force"]
            ones = mask(width) << low & mask(ref.width)
            w.store(where, w.or_(ref.width, w.load(where, ref.width), ones), ref.width)
            if self.unit.program.is_graded(self.unit.unit, ref):
                write_refresh(f, ref)
        w.call("unlink", "%node")
        w.call("append", self.unit.block_word(w, site), "%node")
        w.ret()

    def end(self, f: FunctionCode, release: Release) -> None:
        """Write a `release` or `deassign` statement."""
        from weft.engines.event.code_places import find_place, force_masks

        w = f.w
        kind = "force" if release.kind == "release" else "assign"
        parts = held_parts(release.lhs)
        if not parts:
            raise f.unsupported(f"this target of '{release.kind}'", release.span)
        for ref, low, width in parts:
            place = find_place(f, ref)
            if not place.forced:
                continue
            self._unhold_others(f, ref, low, width, kind, -1)
            where = force_masks(f, place)[kind != "force"]
            keep = mask(ref.width) ^ (mask(width) << low & mask(ref.width))
            w.store(where, w.and_(ref.width, w.load(where, ref.width), keep), ref.width)
            if kind == "force":
                self._restore(f, ref, low, width)

    def _unhold_others(self, f: FunctionCode, ref: Ref, low: int, width: int, kind: str, but: int) -> None:
        """Stop the threads of forces of the same kind that hold some of these bits."""
        w = f.w
        for unit, held, address in self.unit.program.forces_of(f, ref):
            if held.kind == kind and held.low < low + width and low < held.low + held.width:
                if not (unit is self.unit and held.thread == but):
                    w.call("unlink", address)

    def _restore(self, f: FunctionCode, ref: Ref, low: int, width: int) -> None:
        """Give released bits what drives them otherwise."""
        w = f.w
        program = self.unit.program
        if program.is_graded(self.unit.unit, ref):
            write_refresh(f, ref)
            if all(program.design.net(node, ref).graded for node in self.unit.unit.nodes):
                return
        if ref.signal.net or program.net_of(self.unit, ref).drivers:
            program.resolve_net(f, ref)
            return
        for _, held, address in program.forces_of(f, ref):
            if held.kind == "assign" and held.low < low + width and low < held.low + held.width:
                listed = w.load_word(w.pointer(address), 16)
                again, done = w.fresh("again"), w.fresh("restored")
                w.branch(w.compare("ne", 64, listed, 0), again, done)
                w.label(again)
                code = w.load_word(w.pointer(address), 24)
                w.emit(f"call i64 {w.pointer(code)}(i64 {address}, i64 %S)")
                w.label(done)
