"""Run what happens at time 0: declaration initialisers, then initial procedures (IEEE 1800-2023 6.21, 9.2.1).

All initialisers run first, then the initial procedures in source order, instance by instance, those of inner instances
first (the standard leaves that open; so does Icarus, and so a memory that is cleared inside can be loaded from
outside), then their nonblocking assignments. Procedures run once, so they are not compiled to machine code but
translated to Python source, once for each module (`initial_statements`), and run on the state array. What needs time to
pass raises `Unsupported`. `final` procedures run the same way, at the end (9.2.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableSequence, Sequence
from typing import cast

from weft.base.dataclass import dataclass, field
from weft.base.errors import InternalError, Unsupported, WeftError
from weft.base.recursion import deep_recursion
from weft.base.source import NOWHERE, SourceMap, Span
from weft.ir.cone_graph import ConeGraph, Scope
from weft.ir.design import Assign, Block, Kind, Module, Statement, SystemTask
from weft.ir.expressions import (
    Binary,
    Call,
    Concat,
    Cond,
    Element,
    Expr,
    Ref,
    Repeat,
    Resize,
    Signal,
    Slice,
    SystemCall,
    Unary,
)
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray
from weft.ir.random_streams import DECLARED, first_state, moved_state, stream_names
from weft.sim import initial_storage, unknown_values
from weft.sim.format_arguments import Argument, Value
from weft.sim.initial_names import Names
from weft.sim.initial_statements import StatementWriter
from weft.sim.initial_storage import Cell, CellArray, ComputedCell, StoredCell, StoredMemory, memory_view
from weft.sim.memory_files import read_memory_file, write_memory_file
from weft.sim.randomize.random_stream import RandomStream
from weft.sim.run_effects import EffectRunner
from weft.sim.signal_map import Found, SignalMap
from weft.sim.tasks.registry import TASKS
from weft.sim.tasks.task_call import TaskCall
from weft.sim.unknown_values import Bits, Unknown, bits, known, planes

Evaluate = Callable[[Sequence[int]], list[int]]
Deferred = tuple[SystemTask, Callable[[], list[Argument]], "InstanceSystem"]


_FUNCTIONS = frozenset(("$random", "$time", "$stime", "$test$plusargs", "$fopen"))
"""The system functions that need no time to pass."""


_Body = tuple[Statement, str, str]
"""What runs, the name of its block for `%m`, and that of its stream of random numbers: empty for initialisers."""

_ONES = 0xFFFFFFFF


class Finish(Exception):
    """Stop the procedure that called `$finish`, `$stop` or `$fatal`."""


@dataclass(slots=True)
class World:
    """Hold what procedures act on: the state, the effects, how warnings are given, what waits for time 0 to settle.

    `loaded` is told of memory images that have been read, with the addresses of the task's call, if it has any. `seed`
    is the run's, which streams of random numbers begin with.
    """

    graph: ConeGraph
    layout: StateLayout
    state: StateArray
    evaluate: Evaluate
    effects: EffectRunner
    sources: SourceMap
    four_state: bool
    warn: Callable[[str, Span], None] = lambda message, span: None
    loaded: Callable[[SystemTask, str, Signal, tuple[int, ...]], None] = lambda task, path, signal, bounds: None
    seed: int = 0
    time_fs: int = 0
    strobes: list[Deferred] = field(default_factory=list["Deferred"])
    monitor: Deferred | None = None


@dataclass(frozen=True, slots=True)
class _Code:
    """Be a translated procedure: `make` binds it to cells, which `signals` lists."""

    make: Callable[..., Callable[[], None]]
    signals: list[tuple[int, Signal, tuple[str, ...]]]


class Interpreter:
    """Run procedures of a design's instances on a state array."""

    def __init__(self, world: World, signals: SignalMap) -> None:
        self.world, self.signals = world, signals
        self._cells: dict[tuple[int, Signal], object] = {}
        self._stored: list[StoredCell] = []
        self._codes: dict[Statement, _Code] = {}
        self._declared: dict[Module, tuple[_Body, ...]] = {}
        self._twins = [state.twin if state.plane == "value" else -1 for state in world.graph.states]
        self._seed = next((n for n, state in enumerate(world.graph.states) if state.name == "$random"), -1)
        self._declaring = RandomStream(moved_state(DECLARED, world.seed))
        self._load_seed()

    def run_declared(self) -> None:
        """Run all initialisers, and bring the results to the state array."""
        for number, scope in enumerate(self.world.graph.scopes):
            self._run_scope(number, scope, self._initialisers(scope.module))
        self.flush()

    def run_initial(self) -> None:
        """Run all initialisers, then all initial procedures, and bring the results to the state array."""
        for number, scope in enumerate(self.world.graph.scopes):
            self._run_scope(number, scope, self._initialisers(scope.module))
        nonblocking: list[Callable[[], None]] = []
        for number in _children_first(self.world.graph.scopes):
            scope = self.world.graph.scopes[number]
            self._run_scope(number, scope, _bodies(scope.module, Kind.INITIAL), nonblocking)
            if self.world.effects.outcome.finished:
                break
        for update in nonblocking:
            update()
        self.flush()

    def run_final(self) -> None:
        """Run every final procedure on the present state."""
        for number, scope in enumerate(self.world.graph.scopes):
            self._run_scope(number, scope, _bodies(scope.module, Kind.FINAL))
        self.flush()

    def reload(self) -> None:
        """Read every variable from the state array again, after the design has run."""
        for cell in self._stored:
            cell.load(self.world.layout, self.world.state)
        self._load_seed()

    def _load_seed(self) -> None:
        """Let `$random` go on from where the design has got to."""
        if self._seed >= 0:
            self.world.effects.host.state.random_seed = self.world.layout.read(self.world.state, self._seed)

    def read_by(self, task: SystemTask, system: InstanceSystem) -> list[Found]:
        """Return the signals that a `$monitor` shows; changes of time do not count (IEEE 1800-2023 21.2.3)."""
        found: dict[tuple[int, int], Found] = {}
        for signal, path in _signals_in(task.args):
            scope = self._scope(system.scope_number, path) if path else system.scope_number
            index = self.signals.indices(scope).get(signal.name, -1)
            if index >= 0 and self.world.graph.scopes[scope].nodes[index] >= 0:
                found[scope, index] = self.signals.at(scope, index)
        return list(found.values())

    def flush(self) -> None:
        """Write every variable to the state array."""
        world = self.world
        for cell in self._stored:
            cell.flush(world.layout, world.state)
        if self._seed >= 0:
            world.layout.write(world.state, self._seed, world.effects.host.state.random_seed)

    def _run_scope(
        self,
        number: int,
        scope: Scope,
        bodies: tuple[_Body, ...],
        nonblocking: list[Callable[[], None]] | None = None,
    ) -> None:
        updates = nonblocking if nonblocking is not None else []
        for statement, label, stream in bodies:
            code, random = self._code(statement), self._declaring
            if stream:
                random = RandomStream(moved_state(first_state(scope.path, stream), self.world.seed))
            system = InstanceSystem(self.world, number, f"{scope.path}.{label}" if label else scope.path, random)
            cells = [self._cell(number, signal, path) for _, signal, path in code.signals]
            try:
                code.make(*cells, system, updates)()
            except Finish:
                if self.world.effects.outcome.finished:
                    return
            except WeftError as error:
                error.sources = error.sources or self.world.sources
                raise

    def _initialisers(self, module: Module) -> tuple[_Body, ...]:
        """Return the statement that runs a module's declaration initialisers, made once."""
        made = self._declared.get(module)
        if made is None:
            functions = (function for function in module.functions if not function.automatic)
            signals = [*module.signals, *(signal for function in functions for signal in function.locals)]
            assigns = tuple(
                Assign(Ref(signal), signal.initial, True, signal.span)
                for signal in signals
                if signal.initial is not None and not signal.net and not signal.automatic
            )
            made = self._declared[module] = ((Block(assigns), "", ""),) if assigns else ()
        return made

    def _code(self, statement: Statement) -> _Code:
        """Return a procedure's translation, made once for all instances of its module."""
        found = self._codes.get(statement)
        if found is None:
            found = self._codes[statement] = _translate(statement, self.world)
        return found

    # ---------------------------------------------------------------------------------------------- variables

    def _cell(self, scope: int, signal: Signal, path: tuple[str, ...]) -> object:
        """Return the cell or array of a signal as one instance sees it."""
        target = self._scope(scope, path) if path else scope
        # A function of a package, or a local of a function, belongs to no signal table: it is shared or private.
        key = (target, signal)
        if key not in self._cells:
            self._cells[key] = self._make_cell(target, signal)
        return self._cells[key]

    def _scope(self, scope: int, path: tuple[str, ...]) -> int:
        scopes = self.world.graph.scopes
        full = ".".join(path[1:]) if path[0] == "$root" else ".".join((scopes[scope].path, *path))
        found = self.signals.scopes.get(full)
        if found is None:
            raise InternalError(f"no instance '{full}' in the graph")
        return found

    def _make_cell(self, scope: int, signal: Signal) -> object:
        world = self.world
        index = self.signals.indices(scope).get(signal.name, -1)
        module = world.graph.scopes[scope].module
        if index < 0 or module.signals[index] is not signal or world.graph.scopes[scope].nodes[index] == -1:
            return self._local(signal)
        found = self.signals.at(scope, index)
        if found.memory >= 0:
            return self._memory(found.memory)
        parts = self.signals.parts(found.node)
        if parts is None and not signal.net:
            parts = self.signals.latch_parts(scope, signal.name) or None
        is_input = any(port.signal is signal and port.direction != "output" for port in module.ports)
        if parts is None or signal.net or is_input:
            cell: Cell | ComputedCell = ComputedCell(lambda: self._compute(found.node, found.unknown))
        else:
            cell = StoredCell(parts, tuple(self._twins[part.state] for part in parts))
            cell.load(world.layout, world.state)
            self._stored.append(cell)
        return CellArray(cell, signal.width, signal.depth) if signal.depth else cell

    def _memory(self, state: int) -> MutableSequence[int] | StoredMemory:
        world = self.world
        if self._twins[state] < 0:
            view = memory_view(world.layout, world.state, state)
            return StoredMemory(world.layout, world.state, state, -1) if world.four_state else view
        return StoredMemory(world.layout, world.state, state, self._twins[state])

    def _local(self, signal: Signal) -> object:
        default: Bits = 0
        if self.world.four_state and signal.type.four_state:
            default = Unknown(0, (1 << signal.width) - 1)
        return [default] * signal.depth if signal.depth else Cell(default)

    def _compute(self, node: int, unknown: int) -> Bits:
        self.flush()
        if unknown < 0:
            return self.world.evaluate([node])[0]
        return bits(*self.world.evaluate([node, unknown]))


class InstanceSystem:
    """Be the system tasks and functions, as the procedures of one instance see them."""

    def __init__(self, world: World, scope_number: int, path: str, random: RandomStream) -> None:
        scope = world.graph.scopes[scope_number]
        self.random = random
        self.world, self.path, self.unit = world, path, scope.module.time_unit_fs
        self.scope_number = scope_number
        self._instance = scope.path

    def scope(self, task: SystemTask) -> str:
        """Return the path that `%m` shows."""
        return f"{self._instance}.{task.scope}" if task.scope else self._instance

    def perform(self, task: SystemTask, values: Sequence[Argument]) -> None:
        """Perform a system task; `$finish` and its kin end the procedure."""
        world = self.world
        world.effects.perform(task, values, self.scope(task), world.time_fs, self.unit)
        if task.name in ("$finish", "$stop", "$fatal"):
            raise Finish

    def strobe(self, task: SystemTask, arguments: Callable[[], list[Argument]]) -> None:
        """Remember a `$strobe` for when time 0 has settled."""
        self.world.strobes.append((task, arguments, self))

    def monitor(self, task: SystemTask, arguments: Callable[[], list[Argument]]) -> None:
        """Make this the one active `$monitor` (IEEE 1800-2023 21.2.3)."""
        self.world.monitor = (task, arguments, self)

    def text_bits(self, task: SystemTask, values: Sequence[Argument], width: int) -> int:
        """Return formatted text as the bits of a variable (`$sformat`, `$swrite`)."""
        world = self.world
        call = world.effects.call(task, [Value(width, 0), *values], self.scope(task), world.time_fs, self.unit)
        TASKS[task.name](call)
        text = call.outputs[0]
        assert isinstance(text, Value)
        return text.value

    def read_memory(
        self, task: SystemTask, path: str, memory: MutableSequence[Bits], signal: Signal, *bounds: Bits
    ) -> None:
        """Do `$readmemh` or `$readmemb`."""
        limits = tuple(known(bound) for bound in bounds)
        read_memory_file(path, _base(task), memory, signal, limits, task.span, self.world.warn)
        self.world.loaded(task, path, signal, limits)

    def write_memory(
        self, task: SystemTask, path: str, memory: MutableSequence[Bits], signal: Signal, *bounds: Bits
    ) -> None:
        """Do `$writememh` or `$writememb`."""
        write_memory_file(path, _base(task), memory, signal, tuple(known(bound) for bound in bounds), task.span)

    def value_plusargs(self, form: str, width: int, span: Span) -> Bits | None:
        """Return the value of `$value$plusargs`, or None when no plusarg matches (IEEE 1800-2023 21.6)."""
        call = self._call("$value$plusargs", span, [form, Value(width, 0)])
        TASKS[call.name](call)
        if self.world.effects.outcome.finished:
            raise Finish
        return _output(call, 1) if 1 in call.outputs else None

    def seeded(self, name: str, seed: Bits, *parameters: Bits) -> tuple[int, int]:
        """Return the next number of `$random(seed)`, `$urandom(seed)` or a distribution, and the next seed."""
        call = self._call(name, NOWHERE, [Value(32, known(bits) & _ONES, 0, True) for bits in (seed, *parameters)])
        result = TASKS[name](call)
        assert isinstance(result, Value)
        return result.value, known(_output(call, 0))

    def call(self, name: str, width: int, span: Span, *arguments: Bits | str) -> Bits:
        """Return the value of a system function."""
        if name == "$urandom":
            return self.random.word() >> 32
        if name == "$urandom_range":
            bounds = [bound & _ONES if isinstance(bound, int) else 0 for bound in arguments]  # 18.13.2
            low, high = sorted((*bounds, 0)[:2])
            return self.random.between(low, high)
        if name not in _FUNCTIONS:
            raise Unsupported(f"the system function {name} in an initial procedure", span)
        values = [argument if isinstance(argument, str) else _wide_value(argument) for argument in arguments]
        result = TASKS[name](self._call(name, span, values))
        value = result.value if isinstance(result, Value) else result
        assert isinstance(value, int)
        return value & (1 << width) - 1

    def _call(self, name: str, span: Span, values: Sequence[Argument]) -> TaskCall:
        world = self.world
        return world.effects.call(SystemTask(name, (), (), span), values, self._instance, world.time_fs, self.unit)


def _wide_value(value: Bits) -> Value:
    """Return bits as an argument, in whole bytes, as they may be characters."""
    number, unknown = planes(value)
    return Value(max(64, -(-number.bit_length() // 8) * 8), number, unknown)


def _output(call: TaskCall, index: int) -> Bits:
    """Return what a call has given an argument."""
    value = call.outputs[index]
    assert isinstance(value, Value)
    return bits(value.value, value.unknown)


def _children_first(scopes: Sequence[Scope]) -> list[int]:
    """Return the scopes so that each comes after those inside it, siblings in source order."""
    children: dict[int, list[int]] = {}
    for number, scope in enumerate(scopes):
        children.setdefault(scope.parent, []).append(number)
    order: list[int] = []
    work = children.get(-1, [])[:]
    while work:
        number = work.pop()
        order.append(number)
        work += children.get(number, ())
    # Each parent was listed before its children, the last child first: backwards that is children first, in order.
    return order[::-1]


def _bodies(module: Module, kind: Kind) -> tuple[_Body, ...]:
    """Return a module's procedures of a kind, in source order."""
    named = zip(module.processes, stream_names(module.processes), strict=True)
    return tuple((process.body, process.scope, name) for process, name in named if process.kind is kind)


def _translate(statement: Statement, world: World) -> _Code:
    """Translate a procedure to Python source and compile that."""
    names = Names(world.four_state)
    try:
        with deep_recursion():
            source = StatementWriter(names).process(statement)
    except WeftError as error:
        error.sources = error.sources or world.sources
        raise
    space: dict[str, object] = {**_HELPERS, **names.constants}
    exec(compile(source, "<initial>", "exec"), space)
    make = cast("Callable[..., Callable[[], None]]", space["make"])
    return _Code(make, list(names.signals.values()))


def _signals_in(expressions: Sequence[Expr | None]) -> Iterator[tuple[Signal, tuple[str, ...]]]:
    """Yield every signal that expressions read, with the path to it."""
    work: list[object] = list(expressions)
    while work:
        match work.pop():
            case Ref(signal, path):
                yield signal, path
            case Element(signal, index, path):
                yield signal, path
                work.append(index)
            case Slice(value, offset):
                work += [value, offset]
            case Resize(value) | Unary(_, value) | Repeat(_, value):
                work.append(value)
            case Binary(_, lhs, rhs):
                work += [lhs, rhs]
            case Cond(cond, then, other):
                work += [cond, then, other]
            case Concat(parts):
                work += parts
            case Call(_, arguments) | SystemCall(_, arguments):
                work += arguments
            case _:
                pass


def _shown(value: Bits, width: int, signed: bool) -> Value:
    """Return a value as the argument of a display task."""
    known_bits, unknown = planes(value)
    return Value(width, known_bits, unknown, signed)


def _in_range(value: Bits, low: Bits, high: Bits, width: int, signed: bool) -> bool:
    """Say whether a value is within `[low:high]` of a case-inside label (11.4.13)."""
    if not (isinstance(value, int) and isinstance(low, int) and isinstance(high, int)):
        return False
    flip = 1 << (width - 1) if signed else 0
    return low ^ flip <= value ^ flip <= high ^ flip


_HELPERS: dict[str, object] = {
    **{name: function for name, function in vars(unknown_values).items() if not name.startswith("_")},
    "join": initial_storage.join,
    "spread": initial_storage.spread,
    "shown": _shown,
    "in_range": _in_range,
}


def _base(task: SystemTask) -> int:
    return 16 if task.name.endswith("h") else 2
