"""Keep what `always @*` has not computed yet: it waits for a change before it first runs (IEEE 1800-2023 9.2.2.2).

Logic has its value at once, and so has what a graph makes of a combinational procedure. But `always @*`, and `always`
with a list of signals, begin with waiting: until something that they read changes, their variables are as declared. For
a design that lives by events that can be seen, at the start of a run as a rule, for ever where nothing changes.

They begin before continuous assignments first run. So a net changes when it gets its first value, be it a constant; a
variable is as declared, and so is a net that a port joins to one.

Each such procedure gets two latches. `start` follows what it reads until the run has begun (a state that stands for
a plusarg, `BEGUN`, says so), `ran` is set when that differs from `start`, and the procedure's body depends on `ran`. A
variable that only this procedure assigns has its declared value until then; any other keeps its bits in a latch. What
has run has run for good, so better code, which comes later, takes set `ran` latches for constants: nothing is left of
all this. A procedure that reads an array does not await changes: it has its values at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from weft.base.dataclass import replace
from weft.base.source import Span
from weft.engines.event.elaborate import roots_of
from weft.ir.design import (
    Assign,
    Block,
    Function,
    If,
    Instance,
    Kind,
    Module,
    Process,
    Signal,
    Statement,
    Type,
    joins,
)
from weft.ir.expressions import AssignExpr, Binary, Call, Concat, Const, Expr, Ref, Slice, SystemCall, Text, Unary
from weft.ir.ops import mask
from weft.ir.reads import Read, reads_of, statement_reads
from weft.ir.walk import calls_in, expressions_of, statements_in, subexpressions, written_arguments

BEGUN, STARTED = "$weft$begun", "$weft$started"
"""The plusargs by whose names the states are known that say whether procedures have begun to wait for levels, and
whether `always_comb` and `always_latch` have first run."""

RAN = "$ran"
"""What the names of the latches end with that say whether a procedure has run."""

_LOGIC, _BIT = Type("logic", 1), Type("bit", 1, four_state=False)


def await_changes(module: Module, late: Collection[Signal]) -> Module:
    """Return the module with its waiting combinational procedures awaiting changes; its instances are as they were.

    `late` are the signals that are unknown until assignments have first run (`late_signals`).
    """
    writers = Counter(signal for process in module.processes for signal in set(_written(process.body)))
    writers.update(ref.signal for assign in module.assigns for ref in roots_of(assign.lhs))
    signals, processes = list(module.signals), list[Process]()
    for number, process in enumerate(module.processes):
        reads = _awaited(process)
        inferred = process.kind == Kind.COMB and process.keyword != "always"
        if reads is None and not inferred:
            processes.append(process)
            continue
        first = [
            Assign(Ref(signal), value, True, process.span)
            for signal in dict.fromkeys(_written(process.body))
            if writers[signal] == 1 and (value := _declared(signal)) is not None
        ]
        otherwise = Block(tuple(first)) if first else None
        if reads is None:
            processes.append(replace(process, body=If(_plusarg(STARTED), process.body, otherwise)))
            continue
        names = f"combinational.{number}"
        values = _joined([read for read in reads if _root(read) not in late])
        coming = _joined([read for read in reads if _root(read) in late])
        start = Signal(f"{names}$start", values.width, replace(_LOGIC, width=values.width))
        ran = Signal(f"{names}{RAN}", 1, _BIT, initial=Const(1, 0))
        signals += [start, ran]
        processes += _latches(values, coming, start, ran, process.span)
        body = If(Ref(ran), process.body, otherwise)
        processes.append(replace(process, kind=Kind.COMB, body=body))
    return replace(module, signals=signals, processes=processes)


def late_signals(module: Module, ports: Collection[str]) -> set[Signal]:
    """Return the signals of a module that get their first values from assignments; `ports` names such input ports."""
    late = {signal for signal in module.signals if signal.net}
    for port in module.ports:
        if port.direction == "input":
            (late.add if port.name in ports else late.discard)(port.signal)
    for instance in module.instances:
        inside: set[Signal] | None = None
        for port, outer in zip(instance.module.ports, instance.connections, strict=True):
            if port.direction == "output" and isinstance(outer, Ref) and joins(port.signal, outer.signal):
                if inside is None:
                    inside = late_signals(instance.module, ())
                if port.signal not in inside:
                    late.discard(outer.signal)
    return late


def late_ports(instance: Instance, late: Collection[Signal]) -> frozenset[str]:
    """Return the names of an instance's input ports that get their first values from assignments."""
    return frozenset(
        port.name
        for port, outer in zip(instance.module.ports, instance.connections, strict=True)
        if port.direction == "input"
        and not (isinstance(outer, Ref) and joins(port.signal, outer.signal) and outer.signal not in late)
    )


def _awaited(process: Process) -> list[Expr] | None:
    """Return what a procedure waits for a change of; None if it does not begin with waiting for changes."""
    if process.kind == Kind.COMB and process.keyword == "always" and not process.region:
        # What it assigns itself does not change before it runs.
        own = set(_written(process.body))
        found = [read for read in statement_reads(process.body) if not read[0].signal.automatic]
        return _parts(read for read in found if read[0].signal not in own)
    if process.kind != Kind.EVENTS or any(event.edge != "any" or event.condition for event in process.events):
        return None
    listed = [read for event in process.events for read in reads_of(event.value)]
    read = {ref.signal for ref, _, _ in statement_reads(process.body, True) if not ref.signal.automatic}
    own = set(_written(process.body))
    # A list that leaves something out means more than logic; that is found, and refused, when it is lowered.
    if not read - own <= {ref.signal for ref, _, _ in listed}:
        return None
    values = list(dict.fromkeys(event.value for event in process.events))
    plain = all(isinstance(v.value if isinstance(v, Slice) else v, Ref) for v in values)
    constant = all(isinstance(v.offset, int) for v in values if isinstance(v, Slice))
    return values if plain and constant and _parts(listed) is not None else _parts(listed)


def _parts(reads: Iterable[Read]) -> list[Expr] | None:
    """Return the signals that are read, each once; None if an array is among them, which is too much to compare.

    Who reads a part without naming it is woken by an assignment that changes anything of the whole.
    """
    found = list(dict.fromkeys(ref for ref, _, _ in reads))
    return None if any(ref.signal.depth for ref in found) else list(found)


def _root(read: Expr) -> Signal | None:
    return next((ref.signal for ref in roots_of(read)), None)


def _joined(parts: Sequence[Expr]) -> Expr:
    return Concat(tuple(parts), sum(part.width for part in parts)) if parts else Const(1, 0)


def _latches(values: Expr, coming: Expr, start: Signal, ran: Signal, span: Span) -> Iterator[Process]:
    begun = _plusarg(BEGUN)
    follow = If(Unary("lnot", begun, 1), Assign(Ref(start), values, True, span))
    differs = Binary("cne", values, Ref(start), 1)
    if not isinstance(coming, Const):
        arrived = Binary("cne", coming, Const(coming.width, 0, mask(coming.width)), 1)
        differs = Binary("lor", differs, arrived, 1)
    note = If(Binary("land", begun, differs, 1), Assign(Ref(ran), Const(1, 1), True, span))
    for body in (follow, note):
        yield Process(Kind.COMB, body, (), "always_latch", span)


def _plusarg(name: str) -> Expr:
    return SystemCall("$test$plusargs", (Text(name),), 1)


def _declared(signal: Signal) -> Const | None:
    """Return what a variable holds at the start, if it is a plain vector and that is constant."""
    if signal.depth or signal.local:
        return None
    if signal.initial is None:
        return Const(signal.width, 0, mask(signal.width) if signal.type.four_state else 0)
    return signal.initial if isinstance(signal.initial, Const) else None


def _written(body: Statement | None) -> Iterator[Signal]:
    """Yield the signals that a procedure assigns, the routines that it calls included."""
    bodies, seen = [body], set[Function]()
    while bodies:
        body = bodies.pop()
        for statement in statements_in(body):
            reads, writes = expressions_of(statement)
            targets = list(writes)
            for expression in reads:
                targets += [part.lhs for part in subexpressions(expression) if isinstance(part, AssignExpr)]
            for target in targets:
                yield from (ref.signal for ref in roots_of(target) if not ref.signal.automatic)
        for call in calls_in(body):
            if isinstance(call, Call):
                for argument in written_arguments(call):
                    yield from (ref.signal for ref in roots_of(argument) if not ref.signal.automatic)
                if call.function not in seen:
                    seen.add(call.function)
                    bodies.append(call.function.body)
