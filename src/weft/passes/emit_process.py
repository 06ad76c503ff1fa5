"""From an executed process to the fragment's drives, registers, memory writes and effects.

A combinational process gives a drive for each piece that it assigns. Where it does not always assign one, the value
that the process left there last (a *hold*) remains: a latch. When a process reads bits before it assigns them, it reads
what it left there, so it is run again with those bits held; that is rare, and known only at the end.

A process with a plain sensitivity list is combinational if the list names all that it reads, as every synthesis tool
takes it; otherwise, and if it draws random numbers, it keeps the standard's meaning and runs when something in the list
changes.
"""

from __future__ import annotations

from functools import partial

from weft.base.dataclass import replace
from weft.base.errors import Unsupported
from weft.base.source import Span
from weft.ir.design import Event, Kind, Process
from weft.ir.expressions import Element, Expr, Ref, Resize, Signal, Slice
from weft.ir.ops import mask
from weft.passes.execute_statements import Executor
from weft.passes.fragment import Clocked, Drive, Trigger
from weft.passes.lower_draws import Unclocked, drawn
from weft.passes.module_context import ModuleContext
from weft.passes.symbolic_state import Environment, Variable

Key = tuple[Signal, tuple[str, ...]]


class ProcessLowering:
    """Lower the processes of one module."""

    def __init__(self, context: ModuleContext) -> None:
        self.context = context
        self.fragment = context.fragment
        self._triggers: dict[tuple[tuple[str, int, int], ...], int] = {}

    def lower(self, process: Process, number: int) -> None:
        """Lower one process; initial and final ones are the simulation's."""
        match process.kind:
            case Kind.COMB:
                self._combinational(process, number, -1)
            case Kind.EVENTS:
                trigger = self._trigger(process.events, process.span)
                listed = all(event.edge == "any" and event.condition is None for event in process.events)
                if not listed or not self._listed(process, number, trigger):
                    self._clocked(process, number, trigger)
            case Kind.FREE:
                what = "an always procedure that starts with a delay (it needs the event engine)"
                raise Unsupported(what, process.span)
            case Kind.INITIAL | Kind.FINAL:
                pass

    def _trigger(self, events: tuple[Event, ...], span: Span) -> int:
        reader = Executor(self.context, Environment(self.context.builder))
        reader.span = span
        edges: list[tuple[str, int, int]] = []
        names: list[str] = []
        for event in events:
            node = reader.evaluate(event.value)
            if event.edge != "any":
                node = self.context.builder.slice(node, 0, 1)
            condition = -1 if event.condition is None else reader.condition(event.condition)
            edges.append((event.edge, node, condition))
            names.append(f"{'' if event.edge == 'any' else event.edge + ' '}{_name(event.value)}")
        self.context.note_reads(reader.variables.values())
        key = tuple(edges)
        if key not in self._triggers:
            self._triggers[key] = len(self.fragment.triggers)
            self.fragment.triggers.append(Trigger(key, " or ".join(names), span))
        return self._triggers[key]

    def _run(self, process: Process, number: int, trigger: int, held: dict[Key, int]) -> Executor:
        executor = Executor(self.context, Environment(self.context.builder), number, trigger)
        executor.held, executor.span = held, process.span
        executor.logic = number if trigger < 0 else -1
        executor.execute(process.body)
        return executor

    # ---------------------------------------------------------------------------------------- combinational

    def _listed(self, process: Process, number: int, trigger: int) -> bool:
        """Lower as combinational logic; return False, undone, if the list leaves reads out or the process draws."""
        try:
            return self._combinational(process, number, trigger)
        except Unclocked:
            return False

    def _combinational(self, process: Process, number: int, trigger: int) -> bool:
        """Lower as combinational logic; return False, undone, if the sensitivity list `trigger` leaves reads out."""
        held: dict[Key, int] = {}
        while True:
            executor = self._run(process, number, -1, held)
            again: dict[Key, int] = {}
            for variable in executor.variables.values():
                assigned = self._assigned(executor, variable)
                if not variable.private and assigned & variable.read_first & ~held.get(
                    (variable.signal, variable.path), 0
                ):
                    again[variable.signal, variable.path] = assigned
            if not again:
                break
            for key, bits in again.items():
                held[key] = held.get(key, 0) | bits
        if trigger >= 0 and not self._covered(process, executor):
            return False
        self._finish(executor, process, partial(self._drive, executor, number))
        self.fragment.effects += [replace(effect, trigger=trigger) for effect in executor.effects]
        return True

    def _covered(self, process: Process, executor: Executor) -> bool:
        listed = {signal for event in process.events for signal in _signals(event.value)}
        return all(
            variable.signal in listed
            for variable in executor.variables.values()
            if variable.read_first and not variable.private
        )

    def _assigned(self, executor: Executor, variable: Variable) -> int:
        width = executor.builder.width
        bits = 0
        for twin in (variable, variable.pending):
            if twin is not None:
                for low, entry in executor.environment.pieces(twin):
                    bits |= mask(width[executor.environment.settle(entry[0])]) << low
        return bits

    def _drive(self, executor: Executor, number: int, variable: Variable, span: Span) -> None:
        builder, environment, context = self.context.builder, executor.environment, self.context
        target = context.use(variable.signal, variable.path)
        for low, value, enable in self._results(executor, variable):
            width = builder.width[value]
            if enable != environment.one:
                hold = builder.read(context.use(variable.signal, variable.path, hold=True))
                value = environment.mux(enable, value, builder.slice(hold, low, width))
            self.fragment.drives.append(Drive(target, low, width, value, number, span=span))

    # ---------------------------------------------------------------------------------------------- clocked

    def _clocked(self, process: Process, number: int, trigger: int) -> None:
        executor = self._run(process, number, trigger, {})
        self._finish(executor, process, partial(self._registers, executor, number, trigger))
        self.fragment.clocked_memories += executor.blocking_writes
        self.fragment.clocked_memories += executor.nonblocking_writes
        self.fragment.effects += executor.effects
        draw = drawn(executor)
        if draw is not None:
            self.fragment.draws.append(draw)

    def _registers(self, executor: Executor, number: int, trigger: int, variable: Variable, span: Span) -> None:
        target = self.context.use(variable.signal, variable.path)
        width = self.context.builder.width
        for low, value, enable in self._results(executor, variable):
            blocking = variable.pending is None
            entry = Clocked(target, low, width[value], value, enable, trigger, number, span, blocking)
            self.fragment.clocked.append(entry)

    # ----------------------------------------------------------------------------------------------- common

    def _finish(self, executor: Executor, process: Process, emit: partial[None]) -> None:
        context = self.context
        context.note_reads(executor.variables.values())
        for variable in list(executor.variables.values()):
            if variable.private or variable.memory:
                continue
            assigned = self._assigned(executor, variable)
            if not assigned:
                continue
            if variable.forwarded:
                self.fragment.forwarded.add(".".join((*variable.path, variable.signal.name)))
            if variable.pending is None:
                context.writers.setdefault(variable.signal, set()).add(executor.process)
            own = variable.signal.local or variable.signal in context.static
            if own and not assigned & variable.read_first:
                continue  # nobody sees what a block or a function has left in its variable
            emit(variable, process.span)

    def _results(self, executor: Executor, variable: Variable) -> list[tuple[int, int, int]]:
        """Return what a process assigns to a variable: (low bit, value, enable); nonblocking assignments win."""
        environment, twin = executor.environment, variable.pending
        if twin is None:
            return [(low, *environment.final(entry)) for low, entry in environment.pieces(variable)]
        late = environment.pieces(twin)
        if not environment.pieces(variable):
            return [(low, *environment.final(entry)) for low, entry in late]
        if twin.read_first:
            raise Unsupported(
                f"blocking and nonblocking assignments to '{variable.signal.name}' at variable positions",
                variable.signal.span,
            )
        for low, entry in late:
            value, enable = environment.final(entry)
            environment.write_if(variable, low, value, enable)
        return [(low, *environment.final(entry)) for low, entry in environment.pieces(variable)]


def _signals(expression: Expr) -> list[Signal]:
    match expression:
        case Ref(signal) | Element(signal):
            return [signal]
        case Slice(value) | Resize(value):
            return _signals(value)
        case _:
            return []


def _name(expression: Expr) -> str:
    match expression:
        case Ref(signal, path) | Element(signal, _, path):
            return ".".join([*path, signal.name])
        case Slice(value, int(offset), 1):
            return f"{_name(value)}[{offset}]"
        case Slice(value) | Resize(value):
            return _name(value)
        case _:
            return "(...)"
