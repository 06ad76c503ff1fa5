"""Write the code of a whole design, and work out where everything lies.

Units are written one after the other; what one needs of another (a routine, a signal's place) is asked for by name and
made when first asked. When nothing more is asked for, blocks get their addresses and the marks in the text (`layout`)
are replaced.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from weft.base.dataclass import dataclass, field
from weft.base.errors import WeftError
from weft.base.text_bytes import latin_text
from weft.engines.event.choose_netlists import choose_netlists
from weft.engines.event.code_calls import parameters_of, results_of
from weft.engines.event.code_classes import Classes
from weft.engines.event.code_forces import Held
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_host import STOPPING
from weft.engines.event.code_paths import write_stamp
from weft.engines.event.code_places import Place, store_whole
from weft.engines.event.code_processes import (
    combine,
    write_assign,
    write_function,
    write_process,
    write_task,
)
from weft.engines.event.code_races import RaceSite
from weft.engines.event.code_randomize import Entries
from weft.engines.event.code_regions import write_region
from weft.engines.event.code_shapes import Shape, write_shaped
from weft.engines.event.code_unit import UnitCode
from weft.engines.event.container_layout import ContainerTypes
from weft.engines.event.elaborate import Elaborated, Key, Net, Node, Unit, elaborate
from weft.engines.event.find_mixed import find_mixed
from weft.engines.event.find_waits import waited, waited_expressions
from weft.engines.event.host_sites import HostSite
from weft.engines.event.layout import FrameLayout
from weft.engines.event.pack_modules import pack_modules
from weft.engines.event.records import CONTROL_SIZE, STACK_LIMIT
from weft.engines.event.sites import Watch
from weft.engines.event.walk import Suspensions
from weft.engines.event.writer import Operand, Value, Writer, mask
from weft.ir.design import (
    Design,
    Disable,
    Expr,
    Function,
    Module,
    Signal,
    SystemTask,
    Type,
)
from weft.ir.expressions import Call, Element, Field, Ref
from weft.ir.random_streams import stream_names
from weft.ir.region import Region
from weft.ir.walk import calls_in, statements_in, subexpressions

_MARK = re.compile(r"\$([NCZ])([^$]*)\$")


@dataclass(slots=True, eq=False)
class ProgramCode:
    """Hold the code of a design while it is written, and its layout afterwards.

    `observe` makes every signal tell its changes, for waveforms and for Python; without it only those that the design
    itself waits for do. `netlists` lets gates be data (`netlist_gates`), for which events have the documented order.
    """

    design: Elaborated
    observe: bool
    tick_fs: int
    netlists: bool = True
    regions: Mapping[Module, Region] = field(default_factory=dict[Module, Region])
    records: dict[Unit, int] = field(default_factory=dict[Unit, int])
    """Where the instances of a region have its record."""
    races: list[RaceSite] | None = None
    """The places that touch signals, if the code notes them for the race detector."""
    codes: dict[Unit, UnitCode] = field(default_factory=dict[Unit, UnitCode])
    shapes: dict[tuple[object, ...], Shape] = field(default_factory=dict[tuple[object, ...], Shape])
    sites: list[HostSite] = field(default_factory=list[HostSite])
    frames: list[FrameLayout] = field(default_factory=list[FrameLayout])
    texts: dict[str, int] = field(default_factory=dict[str, int])
    containers: ContainerTypes = field(default_factory=ContainerTypes)
    suspensions: Suspensions = field(default_factory=Suspensions)
    classes: Classes = field(init=False)
    entries: Entries = field(default_factory=Entries)
    resolvers: dict[Key, str] = field(default_factory=dict[Key, str])
    initializers: dict[Unit, str] = field(default_factory=dict[Unit, str])
    size: int = 0
    digests: list[str] = field(default_factory=list[str])
    """Of the text of each module, once it is compiled."""
    text_bytes: int = 0
    """The size of all text."""
    begun: set[Key] = field(default_factory=set[Key])
    _symbols: dict[Function, str] = field(default_factory=dict[Function, str])
    _pending: list[Function] = field(default_factory=list[Function])
    _written: set[Function] = field(default_factory=set[Function])
    _tasks: dict[Function, FrameLayout] = field(default_factory=dict[Function, FrameLayout])
    _stops: dict[Function, bool] = field(default_factory=dict[Function, bool])
    _watched: set[Key] = field(default_factory=set[Key])
    _watch_cache: dict[tuple[Unit, Signal, tuple[str, ...]], bool] = field(
        default_factory=dict[tuple[Unit, Signal, tuple[str, ...]], bool]
    )
    _disabled: set[tuple[Module, str]] = field(default_factory=set[tuple[Module, str]])
    _mixed: set[Key] = field(default_factory=set[Key])
    _forced: set[Key] = field(default_factory=set[Key])
    _forced_signals: set[Signal] = field(default_factory=set[Signal])
    _shadows: dict[Signal, Ref] = field(default_factory=dict[Signal, Ref])
    _totals: dict[Unit, int] = field(default_factory=dict[Unit, int])
    _child_offsets: dict[tuple[int, str], int] = field(default_factory=dict[tuple[int, str], int])

    # ------------------------------------------------------------------------------------------- names

    def add_site(self, site: HostSite) -> int:
        """Number a call of the host."""
        self.sites.append(site)
        return len(self.sites) - 1

    def text_handle(self, text: str) -> int:
        """Return the handle of a string literal; the empty string's is 0."""
        if not text:
            return 0
        return self.texts.setdefault(latin_text(text), len(self.texts) + 1)

    def frame_name(self) -> str:
        """Return a name for a new frame layout."""
        return f"f{len(self.frames)}"

    def function_symbol(self, function: Function) -> str:
        """Return the name of a routine's code."""
        symbol = self._symbols.get(function)
        if symbol is None:
            symbol = self._symbols[function] = f"r{len(self._symbols)}.{re.sub(r'[^A-Za-z0-9_]', '_', function.name)}"
        return symbol

    @property
    def tasks(self) -> list[str]:
        """Return the names of the code that threads enter."""
        return [self._symbols[function] for function in self._written if self.suspensions.function(function)]

    def need(self, function: Function) -> None:
        """Have a routine written."""
        if function not in self._stops:
            self.may_stop(function)
        if function not in self._written and function not in self._pending:
            self._pending.append(function)

    def task_frame(self, function: Function) -> FrameLayout:
        """Return the frame of a task that can suspend, its arguments placed."""
        layout = self._tasks.get(function)
        if layout is None:
            layout = self._tasks[function] = FrameLayout(self.frame_name())
            self.frames.append(layout)
            if function.this is not None:
                layout.signal(function.this)
            for signal in (*parameters_of(function), *results_of(function)):
                if function.automatic or signal.automatic:
                    layout.signal(signal)
        return layout

    def task_address(self, f: FunctionCode, call: Call) -> Operand:
        """Return the address of a task's code."""
        return f.w.emit(f"ptrtoint ptr @{self.function_symbol(call.function)} to i64")

    # ------------------------------------------------------------------------------------------- properties

    def suspends(self, call: Call) -> bool:
        """Say whether a call enters a task that can suspend."""
        if call.virtual:
            return any(self.suspensions.function(found) for found in self.classes.candidates(call.function))
        return self.suspensions.function(call.function)

    def may_stop(self, function: Function) -> bool:
        """Say whether a routine may end the run."""
        known = self._stops.get(function)
        if known is None:
            self._stops[function] = False
            known = any(
                isinstance(inner, SystemTask) and inner.name in STOPPING for inner in statements_in(function.body)
            ) or any(isinstance(call, Call) and self.may_stop(call.function) for call in calls_in(function.body))
            self._stops[function] = known
        return known

    def holder(self, node: Node, signal: Signal) -> Key:
        """Return the instance and signal that hold a signal's value."""
        return self.design.find(node, signal)

    def watched(self, unit: Unit, signal: Signal, path: tuple[str, ...]) -> bool:
        """Say whether some instance's signal is waited for."""
        if self.observe:
            return True
        key = (unit, signal, path)
        known = self._watch_cache.get(key)
        if known is None:
            known = any(self.design.find(self.design.reach(node, path), signal) in self._watched for node in unit.nodes)
            self._watch_cache[key] = known
        return known

    def watched_in(self, unit: Unit, signal: Signal) -> bool:
        """Say whether a static variable of a routine is waited for."""
        return self.watched(unit, signal, ())

    def only_nonblocking(self, unit: Unit, signal: Signal, path: tuple[str, ...]) -> bool:
        """Say whether plain nonblocking assignments are all that writes a signal (`find_mixed`)."""
        return all(self.design.find(self.design.reach(node, path), signal) not in self._mixed for node in unit.nodes)

    def is_forced(self, unit: Unit, signal: Signal, path: tuple[str, ...]) -> bool:
        """Say whether some instance's signal is forced."""
        if not self._forced:
            return False
        return any(self.design.find(self.design.reach(node, path), signal) in self._forced for node in unit.nodes)

    def is_forced_signal(self, signal: Signal) -> bool:
        """Say whether a signal holds a forced value somewhere, so that it needs the planes for it."""
        return signal in self._forced_signals

    def is_disabled(self, module: Module, scope: str) -> bool:
        """Say whether a block or task is named by a `disable` somewhere else."""
        return (module, scope) in self._disabled

    def forces_of(self, f: FunctionCode, ref: Ref) -> list[tuple[UnitCode, Held, Operand]]:
        """Return the forces in the code that hold the same signal, with the addresses of their threads here."""
        found: list[tuple[UnitCode, Held, Operand]] = []
        own = f.unit.unit
        for code in self.codes.values():
            for held in code.forces.held:
                if code is f.unit and held.ref.path == ref.path and held.ref.signal is ref.signal:
                    found.append((code, held, f.unit.block_word(f.w, held.thread)))
                elif own.fixed and code.unit.fixed:
                    mine = self.design.find(self.design.reach(own.nodes[0], ref.path), ref.signal)
                    node = code.unit.nodes[0]
                    if self.design.find(self.design.reach(node, held.ref.path), held.ref.signal) == mine:
                        address = f.w.op("add", 64, "%S", f"$N{node.number}+{held.thread}$")
                        found.append((code, held, address))
        return found

    def net_of(self, unit: UnitCode, ref: Ref) -> Net:
        """Return the net that a reference names in the first instance."""
        node = self.design.reach(unit.unit.nodes[0], ref.path)
        return self.design.nets[self.design.find(node, ref.signal)]

    def resolve_net(self, f: FunctionCode, ref: Ref) -> None:
        """Write the resolution of a net from its drivers."""
        if not f.unit.unit.fixed and not (ref.path and ref.path[0] == "$root"):
            raise f.unsupported("a release of a net in a module with several instances")
        net = self.net_of(f.unit, ref)
        f.w.emit(f"call i64 @{self.resolver(net)}(i64 0, i64 %S)")
        f.w.declare(self.resolver(net), "")

    def is_graded(self, unit: Unit, ref: Ref) -> bool:
        """Say whether some instance's net has strengths."""
        return any(self.design.net(node, ref).graded for node in unit.nodes)

    def resolver(self, net: Net) -> str:
        """Return the name of the function that resolves a net."""
        return self.resolvers.setdefault(net.key, f"net{len(self.resolvers)}")

    def check_null(self, f: FunctionCode, handle: Operand) -> None:
        """Write the check of an object's handle."""
        self.classes.check_null(f, handle)

    def field_offset(self, member: Signal) -> int:
        """Return where a property lies in its object."""
        return self.classes.field_offset(member)

    def shadow(self, signal: Signal) -> Ref | None:
        """Return what stands for all copies of a property or automatic variable, if somebody waits for one.

        Copies have no watches of their own: a change of any of them is told to those who wait for some copy, and they
        look again at theirs.
        """
        return self._shadows.get(signal)

    def _add_shadow(self, signal: Signal) -> None:
        if signal not in self._shadows:
            top = self.design.tops[0]
            shadow = Signal(f"shadow${len(self._shadows)}", 1, Type("bit", 1, four_state=False))
            self._shadows[signal] = Ref(shadow, ("$root", top.name))

    def _add_shadows(self, expression: Expr) -> None:
        """Let all copies of the properties and automatic variables be followed that somebody waits for."""
        for part in subexpressions(expression):
            if isinstance(part, Field):
                self._add_shadow(part.member)
            elif isinstance(part, Ref | Element) and part.signal.automatic:
                self._add_shadow(part.signal)

    def member_watches(self, expression: Expr, kind: int, code: str) -> list[Watch]:
        """Return the watches for the properties and automatic variables in an expression."""
        found: dict[Signal, Watch] = {}
        for part in subexpressions(expression):
            signal = (
                part.member if isinstance(part, Field) else part.signal if isinstance(part, Ref | Element) else None
            )
            shadow = self._shadows.get(signal) if signal is not None else None
            if shadow is not None:
                found[shadow.signal] = Watch(shadow, kind, 0, 1 << 31, code)
        return list(found.values())

    def check_stack(self, f: FunctionCode) -> None:
        """Write the check that recursion has not used up the stack."""
        w = f.w
        w.declare("llvm.frameaddress.p0", "declare ptr @llvm.frameaddress.p0(i32)")
        here = w.emit("call ptr @llvm.frameaddress.p0(i32 0)")
        word = w.emit(f"ptrtoint ptr {here} to i64")
        limit = w.load_word("%Sp", STACK_LIMIT)
        from weft.engines.event.code_host import stop_if

        stop_if(f, w.compare("ult", 64, word, limit), "$weft$recursion")

    # ------------------------------------------------------------------------------------------- writing

    def prepare(self) -> None:
        """Find what is waited for, forced and disabled before any code is written."""
        design = self.design
        self._forced = {design.find(*key) for key in design.forced}
        self._mixed, self.begun = find_mixed(design, self.suspensions)
        self._forced_signals = {signal for _, signal in self._forced}
        for unit in design.units.values():
            module = unit.module
            bodies = [*module.processes, *module.functions]
            for body in bodies:
                for statement in statements_in(body.body):
                    if isinstance(statement, Disable):
                        for node in unit.nodes:
                            target = design.reach(node, statement.path)
                            self._disabled.add((target.unit.module, statement.scope))
                    for expression in waited_expressions(statement):
                        self._add_shadows(expression)
            for event in (event for process in module.processes for event in process.events):
                self._add_shadows(event.value)
            for ref, _, _ in waited(unit):
                for node in unit.nodes:
                    self._watched.add(design.find(design.reach(node, ref.path), ref.signal))
            for gate in unit.gates:
                for bit in gate.inputs:
                    for node in unit.nodes:
                        self._watched.add(design.find(design.reach(node, bit.ref.path), bit.ref.signal))
            if module in self.regions:
                inputs = self.regions[module].watched()
                self._watched |= {design.find(node, signal) for node in unit.nodes for signal in inputs}

    def write(self) -> None:
        """Write all code."""
        self.prepare()
        for unit in self.design.units.values():
            self.codes[unit] = UnitCode(self, unit)
        if self.netlists and self.races is None:
            choose_netlists(self)
        for unit, code in self.codes.items():
            self._write_initializer(unit, code)
            for index, assign in enumerate(unit.assigns):
                if index in code.netlist:
                    continue
                if self.races is not None or not write_shaped(code, index, assign):
                    write_assign(code, index, assign)
            for stamp in unit.module.stamps:
                write_stamp(code, stamp)
            processes = unit.module.processes
            for stream, process in zip(stream_names(processes), processes, strict=True):
                write_process(code, stream, process)
            if unit.module in self.regions:
                self.records[unit] = write_region(code, self.regions[unit.module])
        while self._pending:
            function = self._pending.pop()
            if function in self._written:
                continue
            self._written.add(function)
            unit = self.design.functions[function]
            if self.suspensions.function(function):
                write_task(self.codes[unit], function)
            else:
                write_function(self.codes[unit], function)
        for net in self.design.nets.values():
            if net.resolved and (net.drivers or net.key in self.resolvers or net.kind not in ("", "wire", "tri")):
                self._write_resolver(net)

    def _write_initializer(self, unit: Unit, code: UnitCode) -> None:
        from weft.engines.event.code_expressions import value
        from weft.engines.event.code_places import store_lvalue

        f = FunctionCode(code, code.symbol("initial"), "look")
        signals = [signal for signal in unit.module.signals if signal.initial is not None and not signal.automatic]
        for function in unit.module.functions:
            signals += [signal for signal in function.locals if signal.initial is not None and not signal.automatic]
        for signal in dict.fromkeys(signals):
            assert signal.initial is not None
            f.span = signal.span
            store_lvalue(f, Ref(signal), value(f, signal.initial))
        if signals:
            f.w.ret()
            self.initializers[unit] = code.add_function(f)

    def _write_resolver(self, net: Net) -> None:
        node, signal = net.key
        code = self.codes[node.unit]
        f = FunctionCode(code, self.resolver(net), "bare")
        w = f.w
        width = net.width
        offset = code.place_signal(signal)
        pointer = w.address("%Sp", f"$N{node.number}+{offset}$")
        place = Place(signal, pointer, pointer, 1, self.observe or net.key in self._watched, net.key in self._forced)
        total = Value(width, mask(width), mask(width))
        for driver in net.drivers:
            cell, at, _ = self.codes[driver.node.unit].cells[(driver.index, driver.number)]
            where = w.address("%Sp", f"$N{driver.node.number}+{at}$")
            part = f.load_signal(cell, where)
            wide = _spread(w, part, driver.low, width)
            total = combine(f, net.kind, total, wide)
        store_whole(f, place, total)
        w.ret()
        code.add_function(f)

    # ------------------------------------------------------------------------------------------- layout

    def place(self) -> None:
        """Give every instance's block an address, once all code is written."""
        at = CONTROL_SIZE
        for top in (*self.design.packages.values(), *self.design.tops):
            self._place_node(top, at)
            at += self._total(top.unit)
        self.size = at

    def _total(self, unit: Unit) -> int:
        total = self._totals.get(unit)
        if total is None:
            total = self.codes[unit].layout.size
            for name, child in unit.children.items():
                self._child_offsets[(unit.number, name)] = total
                total += self._total(child)
            self._totals[unit] = total
        return total

    def _place_node(self, node: Node, at: int) -> None:
        stack = [(node, at)]
        while stack:
            found, base = stack.pop()
            found.base = base
            self._total(found.unit)
            for name, child in found.children.items():
                stack.append((child, base + self._child_offsets[(found.unit.number, name)]))

    def modules(self) -> list[str]:
        """Return the LLVM IR of all units, with the marks replaced, as modules that can be compiled side by side."""
        sizes = {layout.name: layout.size for layout in self.frames}
        bases = {node.number: node.base for node in self.design.nodes}

        def replace(match: re.Match[str]) -> str:
            kind, content = match.groups()
            if kind == "Z":
                return str(sizes[content])
            if kind == "N":
                number, _, offset = content.partition("+")
                return str(bases[int(number)] + int(offset))
            number, _, name = content.partition("/")
            return str(self._child_offsets[(int(number), name)])

        declarations: dict[str, str] = {}
        for code in self.codes.values():
            declarations.update({name: text for name, text in code.declarations.items() if text})
        bodies = [text for code in self.codes.values() for text in code.functions]
        return [_MARK.sub(replace, module) for module in pack_modules(bodies, declarations)]

    def forget_text(self) -> None:
        """Drop the text of the code, which machine code has taken the place of."""
        for code in self.codes.values():
            code.functions.clear()
            code.declarations.clear()


def _spread(w: Writer, part: Value, low: int, width: int) -> Value:
    """Return a value at its place in a wider one, with z around it."""
    around = mask(width) ^ (mask(part.width) << low)
    planes: list[Operand] = []
    for plane in (part.bits, part.unknown):
        wide = w.op("shl", width, w.resize(plane, part.width, width), low)
        planes.append(w.or_(width, wide, around))
    return Value(width, planes[0], planes[1])


def write_program(
    design: Design,
    observe: bool = False,
    netlists: bool = True,
    regions: Mapping[Module, Region] | None = None,
    races: bool = False,
) -> ProgramCode:
    """Write the code of a design and lay out its state; for the arguments see `ProgramCode`."""
    usual = sys.get_int_max_str_digits()
    # Constants of tens of thousands of bits are written as decimal numbers.
    sys.set_int_max_str_digits(0)
    try:
        marks = [] if races else None
        program = ProgramCode(elaborate(design), observe, design.tick_fs, netlists, regions or {}, races=marks)
        program.classes = Classes(program, design.classes)
        program.write()
    except WeftError as error:
        error.sources = error.sources or design.sources
        raise
    finally:
        sys.set_int_max_str_digits(usual)
    program.place()
    return program
