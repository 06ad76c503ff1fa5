"""Write everything of one unit: where its signals are, its wait sites, threads and helper functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass, field
from weft.engines.event.code_forces import Forces
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.elaborate import Node, Unit
from weft.engines.event.layout import BlockLayout
from weft.engines.event.records import NODE_INSTANCE, NODE_SIZE
from weft.engines.event.sites import Site, ThreadPlan, Watch
from weft.engines.event.writer import Operand, Writer
from weft.ir.design import Expr, Function, Module, Signal, SystemTask
from weft.ir.expressions import Concat, Element, Field, Item, Ref, Slice

if TYPE_CHECKING:
    from weft.engines.event.code_places import Place
    from weft.engines.event.code_program import ProgramCode
    from weft.engines.event.netlist_gates import NetlistGate


@dataclass(slots=True, eq=False)
class UnitCode:
    """Hold the code of a unit and the layout of its instances' blocks."""

    program: ProgramCode
    unit: Unit
    layout: BlockLayout = field(default_factory=BlockLayout)
    functions: list[str] = field(default_factory=list[str])
    declarations: dict[str, str] = field(default_factory=dict[str, str])
    sites: list[Site] = field(default_factory=list[Site])
    threads: list[ThreadPlan] = field(default_factory=list[ThreadPlan])
    cells: dict[tuple[int, int], tuple[Signal, int, int]] = field(
        default_factory=dict[tuple[int, int], tuple[Signal, int, int]]
    )
    """For each driver with a cell: the cell, its offset, and the offset of the word that has the resolver's address."""
    driver_words: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    """For each driver of a net with strengths the offset of the word that has its record's address."""
    net_words: dict[tuple[Signal, tuple[str, ...]], tuple[Ref, int]] = field(
        default_factory=dict[tuple[Signal, tuple[str, ...]], tuple[Ref, int]]
    )
    """For each net that is forced here the offset of the word that has its record's address."""
    netlist: dict[int, NetlistGate] = field(default_factory=dict[int, "NetlistGate"])
    """The assignments that are gates of a netlist."""
    forces: Forces = field(init=False)
    _scopes: dict[str, int] = field(default_factory=dict[str, int])
    _applies: dict[tuple[object, ...], str] = field(default_factory=dict[tuple[object, ...], str])
    _count: int = 0

    def __post_init__(self) -> None:
        self.forces = Forces(self)
        for signal in self.unit.signals:
            if not signal.automatic:
                self.place_signal(signal)

    @property
    def module(self) -> Module:
        """Return the module."""
        return self.unit.module

    @property
    def number(self) -> int:
        """Return the unit's number."""
        return self.unit.number

    @property
    def ticks_per_unit(self) -> int:
        """Return how many ticks the module's time unit has."""
        return self.module.time_unit_fs // self.program.tick_fs

    @property
    def ticks_per_precision(self) -> int:
        """Return how many ticks the module's time precision has."""
        return max(1, self.module.time_precision_fs // self.program.tick_fs)

    def symbol(self, stem: str) -> str:
        """Return a new name for a function."""
        self._count += 1
        return f"u{self.number}.{stem}{self._count}"

    def add_function(self, code: FunctionCode, text: str = "") -> str:
        """Keep a finished function; return its name."""
        self.functions.append(text or code.finish())
        self.declarations.update(code.w.declarations)
        return code.name

    # ------------------------------------------------------------------------------------------- addresses

    def place_signal(self, signal: Signal) -> int:
        """Return the offset of a signal that is held in the unit's blocks."""
        if signal in self.unit.slotted:
            self.layout.slot(signal)
            if self.unit.fixed:
                return -1
        return self.layout.signal(signal, self.program.is_forced_signal(signal))

    def prologue(self, kind: str) -> list[str]:
        """Return the lines that find the instance's block: `%inst` is its address, `%Ip` the pointer."""
        if kind == "bare":
            return []
        if self.unit.fixed:
            where = f"$N{self.unit.nodes[0].number}+0$"
            lines = [] if kind == "routine" else [f"  %inst = add i64 %S, {where}"]
            return [*lines, f"  %Ip = getelementptr i8, ptr %Sp, i64 {where}"]
        lines = ["  %Ip = inttoptr i64 %inst to ptr"]
        if kind != "routine":
            loads = [f"  %inst.p = getelementptr i8, ptr %N, i64 {NODE_INSTANCE}", "  %inst = load i64, ptr %inst.p"]
            lines = [*loads, *lines]
        return lines

    def instance_word(self, w: Writer) -> Operand:
        """Return the address of the instance's block."""
        return "%inst"

    def block_word(self, w: Writer, offset: int) -> Operand:
        """Return the address of something in the instance's block."""
        return w.op("add", 64, "%inst", offset)

    def signal_pointer(self, w: Writer, signal: Signal, path: tuple[str, ...]) -> str:
        """Return a pointer to a signal's value."""
        if self.unit.fixed or (path and path[0] == "$root"):
            node = self.program.design.reach(self.unit.nodes[0], path)
            node, held = self.program.holder(node, signal)
            return w.address("%Sp", self._mark(node, held))
        base, unit = "%Ip", self.unit
        for name in path:
            base = w.address(base, f"$C{unit.number}/{name}$")
            unit = unit.children[name]
        code = self.program.codes[unit]
        if signal in unit.slotted:
            return w.address("%Sp", w.load_word(base, code.layout.slot(signal)))
        return w.address(base, code.place_signal(signal))

    def _mark(self, node: Node, signal: Signal) -> str:
        offset = self.program.codes[node.unit].place_signal(signal)
        return f"$N{node.number}+{offset}$"

    def remote_pointer(self, w: Writer, unit: Unit, signal: Signal, path: tuple[str, ...] = ()) -> str:
        """Return a pointer to a static variable of a routine, of this unit, of another instance or of a package."""
        if unit is self.unit or path:
            return self.signal_pointer(w, signal, path)
        return w.address("%Sp", self._mark(unit.nodes[0], signal))

    def callee_instance(self, w: Writer, function: Function, path: tuple[str, ...] = ()) -> Operand:
        """Return the address of the block of the instance that a routine belongs to."""
        if path:
            return self._instance_at(w, path, 0)
        unit = self.program.design.functions.get(function, self.unit)
        if unit is self.unit:
            return "%inst"
        return w.op("add", 64, "%S", f"$N{unit.nodes[0].number}+0$")

    # ------------------------------------------------------------------------------------------- properties

    def is_watched(self, signal: Signal, path: tuple[str, ...] = ()) -> bool:
        """Say whether somebody may wait for a change of a signal, in some instance."""
        return self.program.watched(self.unit, signal, path)

    def is_forced(self, signal: Signal, path: tuple[str, ...] = ()) -> bool:
        """Say whether a signal may be forced, in some instance."""
        return self.program.is_forced(self.unit, signal, path)

    # ------------------------------------------------------------------------------------------- sites, threads

    def site(self, watches: list[Watch]) -> int:
        """Return the offset of a new wait site."""
        offset = self.layout.take(16)
        self.sites.append(Site(offset, tuple(watches)))
        return offset

    def thread(self, symbol: str, order: int) -> ThreadPlan:
        """Return a new thread of each instance."""
        plan = ThreadPlan(self.layout.take(NODE_SIZE), symbol, order, whole=True)
        self.threads.append(plan)
        return plan

    def look_function(self, f: FunctionCode) -> FunctionCode:
        """Begin a function that looks, in a waiting thread's frame, at what that thread waits for."""
        look = FunctionCode(self, self.symbol("look"), "look", list(f.frames), f.function)
        look.span, look.scope, look.this = f.span, f.scope, f.this
        return look

    def scope_list(self, scope: str) -> int:
        """Return the offset of the list of activations of a block or task that can be disabled."""
        if scope not in self._scopes:
            self._scopes[scope] = self.layout.take(16)
        return self._scopes[scope]

    def remote_scope_list(self, w: Writer, scope: str, path: tuple[str, ...]) -> Operand:
        """Return the address of such a list of another instance."""
        if not path:
            return self.block_word(w, self.scope_list(scope))
        node = self.program.design.reach(self.unit.nodes[0], path)
        return self._instance_at(w, path, self.program.codes[node.unit].scope_list(scope))

    def _instance_at(self, w: Writer, path: tuple[str, ...], offset: int) -> Operand:
        """Return the address of something in the block of the instance that a path leads to."""
        if self.unit.fixed or path[0] == "$root":
            node = self.program.design.reach(self.unit.nodes[0], path)
            return w.op("add", 64, "%S", f"$N{node.number}+{offset}$")
        word: Operand = "%inst"
        unit = self.unit
        for name in path:
            word = w.op("add", 64, word, f"$C{unit.number}/{name}$")
            unit = unit.children[name]
        return w.op("add", 64, word, offset)

    # ------------------------------------------------------------------------------------------- helpers

    def apply_function(self, place: Place, offset: int | None, dynamic: bool, width: int) -> str:
        """Return the function that applies a pending nonblocking assignment of this shape."""
        from weft.engines.event.code_nonblocking import write_apply, write_fire

        signal = place.signal
        event = signal.type.kind == "event"
        shape = (signal.width, signal.type.four_state, place.watched, offset, dynamic, width, event)
        key: tuple[object, ...] = (*shape, signal) if place.forced else shape
        known = self._applies.get(key)
        if known is None:
            f = FunctionCode(self, self.symbol("nba"), "bare")
            if event:
                write_fire(f, place)
            else:
                write_apply(f, place, offset, dynamic, width)
            known = self._applies[key] = self.add_function(f)
        return known

    def apply_change(self, place: Place) -> str:
        """Return the function that applies a pending assignment to a variable that nothing else writes."""
        from weft.engines.event.code_nonblocking import write_change

        key: tuple[object, ...] = ("change", place.signal.width, place.signal.type.four_state, place.watched)
        known = self._applies.get(key)
        if known is None:
            f = FunctionCode(self, self.symbol("nba"), "bare")
            write_change(f, place)
            known = self._applies[key] = self.add_function(f)
        return known

    def notify_container(self, f: FunctionCode, container: Expr) -> None:
        """Tell those who watch a string or container that it may have changed."""
        from weft.engines.event.code_places import Place, notify_change

        for target in _roots(container):
            signal = target.member if isinstance(target, Field) else target.signal
            shadow = self.program.shadow(signal)
            if shadow is not None:
                pointer = self.signal_pointer(f.w, shadow.signal, shadow.path)
                notify_change(f, Place(signal, pointer, pointer), 1, [], 0, signal.bits)
            elif isinstance(target, Ref) and not f.is_local(signal) and self.is_watched(signal, target.path):
                pointer = f.signal_pointer(signal, target.path)
                notify_change(f, Place(signal, pointer, pointer), 1, [], 0, signal.bits)

    def postponed_task(self, f: FunctionCode, task: SystemTask, monitor: bool) -> None:
        """Write `$strobe`, `$monitor` or one of their kind."""
        from weft.engines.event.code_postponed import write_monitor, write_strobe

        (write_monitor if monitor else write_strobe)(f, task)

    def switch_monitor(self, f: FunctionCode, on: bool) -> None:
        """Write `$monitoron` or `$monitoroff`."""
        from weft.engines.event.code_postponed import write_switch

        write_switch(f, on)


def _roots(target: Expr) -> list[Ref | Field]:
    match target:
        case Ref() | Field():
            return [target]
        case Element(signal, _, path):
            return [Ref(signal, path)]
        case Slice(inner) | Item(inner):
            return _roots(inner)
        case Concat(parts):
            return [ref for part in parts for ref in _roots(part)]
        case _:
            return []
