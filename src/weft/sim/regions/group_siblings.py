"""Make one region of the clocked parts of a module that is a testbench otherwise.

A module of a testbench often holds small instances, registers and the logic between them beside procedures with delays.
None of them is worth a region by itself. Together they are: they become a module of their own, the *group*, with a port
for each signal that the rest of the module uses too, and one instance of it takes their place.

Parts are evicted until the group can be a module: what writes a signal that the rest writes too, what shares an array
or a net of a special kind with the rest, clocked procedures whose blocking assignments something else sees, and logic
that has nothing to do with anything in the group. What cannot be in a region (`module_reasons`) never gets in, nor do
calls of the module's functions, whose variables the rest may share.

Nor may the group have an output that its inputs reach: logic between the rest and the rest is computed in the order of
its events, in which the values that it takes on its way to the last one can be seen (`reached_outputs`). The same holds
at the start for what has a value without any clock (`late_outputs`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator

from weft.base.dataclass import dataclass, field, replace
from weft.engines.event.elaborate import PLAIN_NETS, roots_of
from weft.engines.reference.program import ReferenceProgram
from weft.ir.design import (
    ContinuousAssign,
    Expr,
    Function,
    Instance,
    Kind,
    Module,
    Port,
    Process,
    Signal,
    Statement,
    SystemTask,
    operands,
)
from weft.ir.expressions import WORD_KINDS, AssignExpr, Call, Element, Ref, SystemCall
from weft.ir.ops import CODE
from weft.ir.walk import calls_in, expressions_of, statements_in, subexpressions
from weft.sim.regions.known_outputs import surely_known
from weft.sim.regions.mixed_design import BuiltRegion
from weft.sim.regions.module_reasons import blocking_in, has_edge, own_reason

_READ = CODE["read"]

_PRINTING = ("$display", "$write", "$strobe", "$monitor", "$fdisplay", "$fwrite", "$fstrobe", "$fmonitor")
_READING = ("$finish", "$stop", "$fatal", "$error", "$warning", "$info", "$time", "$stime", "$realtime")
"""System tasks that do not write their arguments; printing ones may have an ending like `h`."""


@dataclass(frozen=True, slots=True)
class Group:
    """Be a module's group: its module, what is left of the module around it, and the instances that are in it."""

    module: Module
    around: Module
    instances: tuple[Instance, ...]


@dataclass(slots=True, eq=False)
class _Part:
    """Be something that may be in the group, with the signals that it reads and writes."""

    what: ContinuousAssign | Process | Instance
    reads: set[Signal] = field(default_factory=set[Signal])
    writes: set[Signal] = field(default_factory=set[Signal])
    clocked: bool = False
    blocking: set[Signal] = field(default_factory=set[Signal])


def group_siblings(module: Module, fits: Callable[[Module], bool], outside: Collection[str] = ()) -> Group | None:
    """Return the group of a module; None if nothing is clocked, or there is just an instance.

    `fits` says whether an instance of a module may be in the group, `outside` names signals that it must not write.
    """
    parts = [part for part in _parts(module, fits) if not any(signal.name in outside for signal in part.writes)]
    _evict(module, parts)
    alone = len(parts) == 1 and isinstance(parts[0].what, Instance)
    if alone or not any(part.clocked for part in parts):
        return None
    taken = {id(part.what) for part in parts}
    written = set[Signal]().union(*(part.writes for part in parts))
    used = written.union(*(part.reads for part in parts))
    rest = _Outside(module, taken)
    shared = [signal for signal in module.signals if signal in used and signal in rest.used]
    inner = used - set(shared)
    ports = [Port(signal.name, "output" if signal in written else "input", signal) for signal in shared]
    inside = Module(
        f"{module.name}$group",
        f"{module.key}$group",
        signals=[signal for signal in module.signals if signal in used],
        ports=ports,
        assigns=[each for each in module.assigns if id(each) in taken],
        processes=[each for each in module.processes if id(each) in taken],
        instances=[each for each in module.instances if id(each) in taken],
        time_unit_fs=module.time_unit_fs,
        time_precision_fs=module.time_precision_fs,
        span=module.span,
    )
    place = Instance("group$", inside, tuple(Ref(signal) for signal in shared), module.span)
    around = replace(
        module,
        signals=[signal for signal in module.signals if signal not in inner],
        assigns=[each for each in module.assigns if id(each) not in taken],
        processes=[each for each in module.processes if id(each) not in taken],
        instances=[place, *(each for each in module.instances if id(each) not in taken)],
    )
    return Group(inside, around, tuple(inside.instances))


def reached_outputs(built: BuiltRegion) -> set[str]:
    """Return the output ports of a region that inputs reach without a clock edge."""
    graph = built.graph
    starts, sources, params = graph.start.tolist(), graph.src.tolist(), graph.param.tolist()
    reached: list[bool] = []
    for node, op in enumerate(graph.op.tolist()):
        given = op == _READ and graph.states[params[node]].kind == "input"
        reached.append(given or any(reached[source] for source in sources[starts[node] : starts[node + 1]]))
    found: set[str] = set()
    for outputs, nodes in ((built.region.direct, built.shape.direct), (built.region.through, built.shape.through)):
        at = 0
        for output in outputs:
            planes = 1 if output.unknown < 0 else 2
            if any(reached[node] for node in nodes[at : at + planes]):
                found.add(output.signal.name)
            at += planes
    return found


def late_outputs(built: BuiltRegion, module: Module) -> set[str]:
    """Return the output ports of a group that have a value at the start, which events would give them later.

    An instance runs before the assignments around it, so what it makes of nets that those assign comes when procedures
    wait already, and wakes `always @*`. A group gives its outputs their first values at once.
    """
    late = _late_signals(module)
    found: set[str] = set()
    reference = ReferenceProgram(built.graph)
    for outputs, nodes in ((built.region.direct, built.shape.direct), (built.region.through, built.shape.through)):
        at = 0
        for output in outputs:
            planes = 1 if output.unknown < 0 else 2
            if output.signal.name in late:
                values = reference.evaluate(built.state.copy(), built.graph, list(nodes[at : at + planes]))
                if planes == 1 or values[1] != (1 << output.signal.width) - 1:
                    found.add(output.signal.name)
            at += planes
    return found


def surely_late_outputs(module: Module) -> set[str]:
    """Return some of a group's `late_outputs` before it is built; none if it may have `reached_outputs`."""
    return surely_known(module, _late_signals(module))


def _late_signals(module: Module) -> set[str]:
    """Return the signals of a group that follow what its assignments and instances give nets."""
    parts = _parts(module, lambda inside: True)
    logic = set[Signal]().union(*(p.writes for p in parts if not isinstance(p.what, Process) or not p.clocked))
    return {
        signal.name
        for p in parts
        if p.reads & logic and (isinstance(p.what, Instance) or not p.clocked)
        for signal in p.writes
    }


# ------------------------------------------------------------------------------------------- parts


def _parts(module: Module, fits: Callable[[Module], bool]) -> list[_Part]:
    """Return what can be in a region as far as it is looked at alone."""
    empty = Module(module.name, module.key, span=module.span)
    known = set(module.signals)
    found: list[_Part] = []
    for assign in module.assigns:
        if own_reason(replace(empty, assigns=[assign])) is None and not _calls([assign.lhs, assign.rhs]):
            part = _Part(assign)
            _note(part, (assign.rhs,), (assign.lhs,))
            found.append(part)
    for process in module.processes:
        plain = process.kind in (Kind.COMB, Kind.EVENTS) and not process.region and not process.reactive
        if plain and not any(calls_in(process.body)) and own_reason(replace(empty, processes=[process])) is None:
            part = _Part(process, clocked=has_edge(process))
            _note(part, [e for event in process.events for e in (event.value, event.condition) if e is not None], ())
            for statement in statements_in(process.body):
                _note(part, *expressions_of(statement))
            if part.clocked:
                part.blocking = {signal for signal, _ in blocking_in(process)}
            found.append(part)
    for instance in module.instances:
        if fits(instance.module):
            part = _Part(instance, clocked=True)
            for port, expression in zip(instance.module.ports, instance.connections, strict=True):
                if expression is not None:
                    _note(part, *(((expression,), ()) if port.direction == "input" else ((), (expression,))))
            found.append(part)
    return [part for part in found if part.reads | part.writes <= known]


def _calls(expressions: Iterable[Expr]) -> bool:
    return any(isinstance(part, Call | SystemCall) for each in expressions for part in subexpressions(each))


def _note(part: _Part, reads: Iterable[Expr], writes: Iterable[Expr]) -> None:
    for expression in writes:
        roots = {ref.signal for ref in roots_of(expression)}
        part.writes |= roots
        # Of what is written, indexes are read.
        part.reads |= set(_signals(expression)) - roots
    for expression in reads:
        part.reads |= set(_signals(expression))
        for inner in subexpressions(expression):
            if isinstance(inner, AssignExpr):
                part.writes |= {ref.signal for ref in roots_of(inner.lhs)}


def _signals(expression: Expr) -> Iterator[Signal]:
    for part in subexpressions(expression):
        if isinstance(part, Ref | Element):
            yield part.signal


# ------------------------------------------------------------------------------------------- the rest


class _Outside:
    """Collect what the rest of a module uses, and what of that it writes or may write."""

    def __init__(self, module: Module, taken: set[int]) -> None:
        self.used: set[Signal] = set()
        self.written: set[Signal] = set()
        for port in module.ports:
            self._use([Ref(port.signal)], port.direction != "output")
        for assign in module.assigns:
            if id(assign) not in taken:
                self._use([assign.rhs])
                self._use([assign.lhs], True)
        for gate in module.gates:
            self._use([*gate.inputs, *gate.outputs], True)
        for process in module.processes:
            if id(process) not in taken:
                self._use([e for event in process.events for e in (event.value, event.condition) if e is not None])
                self._body(process.body)
        for function in module.functions:
            self._function(function)
        for instance in module.instances:
            if id(instance) not in taken:
                for port, expression in zip(instance.module.ports, instance.connections, strict=True):
                    self._use([] if expression is None else [expression], port.direction != "input")
        for signal in module.signals:
            if signal.initial is not None and not isinstance(signal.initial, Ref):
                self._use([signal.initial])

    def _function(self, function: Function) -> None:
        self._body(function.body)

    def _body(self, body: Statement | None) -> None:
        for statement in statements_in(body):
            reads, writes = expressions_of(statement)
            self._use(reads, isinstance(statement, SystemTask) and not _only_reads(statement.name))
            self._use(writes, True)
        for call in calls_in(body):
            match call:
                case Call(function, args) if len(function.args) == len(args):
                    for (direction, _), argument in zip(function.args, args, strict=True):
                        self._use([argument], direction != "input")
                case SystemCall(name) if _only_reads(name):
                    pass
                case _:
                    self._use(operands(call), True)

    def _use(self, expressions: Iterable[Expr], writes: bool = False) -> None:
        for expression in expressions:
            found = set(_signals(expression))
            self.used |= found
            if writes:
                self.written |= found
            for part in subexpressions(expression):
                if isinstance(part, AssignExpr):
                    self.written |= {ref.signal for ref in roots_of(part.lhs)}


def _only_reads(name: str) -> bool:
    return name in _READING or name.rstrip("bho") in _PRINTING


# ------------------------------------------------------------------------------------------- evictions


def _evict(module: Module, parts: list[_Part]) -> None:
    """Take parts out until the rest can be a module of its own."""
    while True:
        outside = _Outside(module, {id(part.what) for part in parts})
        if module.paths or module.checks:
            parts.clear()
        readers = Counter(signal for part in parts for signal in part.reads)
        writers = Counter(signal for part in parts for signal in part.writes)
        kept = [part for part in parts if _stays(part, outside, readers, writers)]
        if len(kept) == len(parts):
            return
        parts[:] = kept


def _stays(part: _Part, outside: _Outside, readers: Counter[Signal], writers: Counter[Signal]) -> bool:
    used = part.reads | part.writes
    if part.writes & outside.written or any(not _plain(signal) for signal in used):
        return False
    if any(signal.depth or signal.automatic or signal.local for signal in used & outside.used):
        return False
    for signal in part.blocking:
        others = readers[signal] - (signal in part.reads) + writers[signal] - (signal in part.writes)
        if others or signal in outside.used:
            return False
    if part.clocked:
        return True
    feeds = any(readers[signal] > (signal in part.reads) for signal in part.writes)
    follows = any(writers[signal] > (signal in part.writes) for signal in part.reads)
    return feeds or follows


def _plain(signal: Signal) -> bool:
    if signal.net not in PLAIN_NETS or signal.delay is not None or signal.charge:
        return False
    return signal.type.kind not in WORD_KINDS
