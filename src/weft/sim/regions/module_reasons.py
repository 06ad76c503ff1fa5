"""Say why a module cannot be part of a region (`ir.region`), if there is a reason.

What a region can be is what clocked and combinational logic can be: no delays, no output, no forces, no latches, ports
that go one way. Two more things would show at its ports. A variable that a clocked procedure assigns with `=` changes
in the active region, before the other registers; where only that procedure reads it nobody can tell. And what another
module reaches by a hierarchical name would not be there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from weft.base.errors import Unsupported
from weft.base.source import Span
from weft.engines.event.elaborate import PLAIN_NETS, roots_of
from weft.engines.event.port_links import STRONG
from weft.ir.design import (
    Assertion,
    Assign,
    Block,
    Design,
    Disable,
    Expr,
    Function,
    If,
    Kind,
    Module,
    Process,
    RepeatTimes,
    Signal,
    Statement,
    SystemTask,
    Trigger,
    Wait,
    WaitUntil,
)
from weft.ir.expressions import AssignExpr, Call, Element, Ref, Slice, SystemCall, Unary
from weft.ir.reads import statement_reads
from weft.ir.walk import calls_in, expressions_of, statements_in, subexpressions, written_arguments
from weft.passes.check_cycle_support import check_module
from weft.sim.regions.mixed_design import Reason

LOADS = frozenset({"$readmemh", "$readmemb"})


class _Found(Exception):
    """Carry the first reason out of the walk."""

    def __init__(self, text: str, span: Span, testbench: bool = True) -> None:
        super().__init__(text)
        self.reason = Reason(text, span, testbench)


def own_reason(module: Module) -> Reason | None:
    """Return why a module itself cannot be in a region, or None; its instances are not looked at."""
    try:
        _check_wiring(module)
        for process in module.processes:
            _check_process(process)
        for function in module.functions:
            _check_body(function.body, function.span)
        check_module(module)
        _check_blocking(module)
    except _Found as found:
        return found.reason
    except Unsupported as refusal:
        return refused(refusal)
    return None


def refused(refusal: Unsupported) -> Reason:
    """Return the reason that a pass has given."""
    text = refusal.message.removesuffix(" is not supported yet").removesuffix(" (it needs the event engine)")
    return Reason(text, refusal.span, testbench="needs the event engine" in refusal.message)


def is_clocked(module: Module) -> bool:
    """Say whether a module has a procedure that waits for an edge."""
    return any(has_edge(process) for process in module.processes)


def reached_modules(design: Design) -> dict[Module, Reason]:
    """Return the modules that hierarchical names lead into or through."""
    reached: dict[Module, Reason] = {}
    roots = dict((*design.packages, *design.tops))
    for module in dict.fromkeys([*design.modules, *roots.values()]):
        for path, name, span in _paths_in(module):
            found: Module | None = module
            steps = path
            if path[0] == "$root":
                found, steps = roots.get(path[1]), path[2:]
                if found is not None and not steps:
                    reached.setdefault(found, Reason(f"its '{name}' is reached by a hierarchical name", span))
            for step in steps:
                below = {instance.name: instance.module for instance in found.instances} if found is not None else {}
                found = below.get(step)
                if found is not None:
                    reached.setdefault(found, Reason(f"its '{name}' is reached by a hierarchical name", span))
    return reached


# ------------------------------------------------------------------------------------------- checks


def _check_wiring(module: Module) -> None:
    for port in module.ports:
        if port.direction not in ("input", "output"):
            raise _Found(f"an {port.direction} port ('{port.name}')", port.signal.span, testbench=False)
    for signal in module.signals:
        if signal.net not in PLAIN_NETS:
            raise _Found(f"a net of type {signal.net} ('{signal.name}')", signal.span, testbench=False)
    for assign in module.assigns:
        if assign.delay is not None:
            raise _Found("a delay", assign.span)
        if assign.strength != STRONG or assign.gate:
            raise _Found("a drive strength or three-state gate", assign.span, testbench=False)
        _check_paths((assign.lhs, assign.rhs), assign.span)
    for instance in module.instances:
        _check_paths([part for part in instance.connections if part is not None], instance.span)
    if module.paths or module.checks:
        raise _Found("a specify block", module.span)


def _check_process(process: Process) -> None:
    if process.kind == Kind.FREE:
        raise _Found("a procedure with delays", process.span)
    if process.kind == Kind.FINAL:
        raise _Found("a final procedure", process.span)
    if any(event.condition is not None for event in process.events):
        # It counts as it is when the edge comes, which is before the procedure runs and reads its inputs.
        raise _Found("an event control with iff", process.span, testbench=False)
    if process.kind == Kind.COMB and process.keyword == "always":
        _check_waits(process)
    if len(process.events) > 1 and has_edge(process):
        _check_choices(process)
    _check_paths([part for event in process.events for part in (event.value, event.condition) if part], process.span)
    _check_body(process.body, process.span, LOADS if process.kind == Kind.INITIAL else frozenset())


def _check_waits(process: Process) -> None:
    """Refuse an `always @*` that calls functions which read what it does not wait for (IEEE 1800-2023 9.4.2.2)."""
    waits = {ref.signal for ref, _, _ in statement_reads(process.body)}
    for ref, _, _ in statement_reads(process.body, True):
        signal = ref.signal
        if signal not in waits and not signal.local and not signal.automatic:
            what = f"a function that reads '{signal.name}', for which the 'always @*' that calls it does not wait"
            raise _Found(what, process.span, testbench=False)


def _check_choices(process: Process) -> None:
    """Refuse a procedure that two edges of a time step can start twice, if it assigns bits that variables choose.

    A step knows which registers it assigns, and for these a whole value: bits that only the step before it assigned
    would be lost. Where one of two edges is a reset's, whose level the procedure looks at first, it runs once for each.
    """
    edges = {(event.value, event.edge) for event in process.events}
    body = process.body
    while len(edges) > 1 and body is not None:
        while isinstance(body, Block) and len(body.body) == 1 and not body.scope:
            body = body.body[0]
        if not isinstance(body, If) or _edge_to(body.cond) not in edges:
            break
        edges.remove(_edge_to(body.cond))
        _refuse_choices(body.then)
        body = body.other
    if len(edges) > 1:
        _refuse_choices(body)


def _refuse_choices(body: Statement | None) -> None:
    for statement in statements_in(body):
        if isinstance(statement, Assign) and not statement.blocking:
            for part in subexpressions(statement.lhs):
                if isinstance(part, Slice) and not isinstance(part.offset, int):
                    raise _Found(
                        "bits chosen by a variable, which two edges of a time step assign", statement.span, False
                    )


def _edge_to(cond: Expr) -> tuple[Expr, str]:
    """Return the edge after which a condition holds that asks for the level of a signal."""
    edge = "posedge"
    while isinstance(cond, Unary) and cond.op in ("not", "lnot") and cond.value.width == 1:
        cond, edge = cond.value, "negedge" if edge == "posedge" else "posedge"
    return cond, edge


def _check_body(body: Statement | None, span: Span, allowed: frozenset[str] = frozenset()) -> None:
    for statement in statements_in(body):
        span = getattr(statement, "span", span)
        match statement:
            case SystemTask(name) if name not in allowed:
                raise _Found(f"a call of {name}", span)
            case Wait() | WaitUntil() | RepeatTimes(body=Wait()):
                raise _Found("a delay or wait in a procedure", span)
            case Assign(timing=timing) if timing is not None:
                raise _Found("a delay in an assignment", span)
            case Assertion():
                raise _Found("an assertion", span)
            case _:
                pass
        reads, writes = expressions_of(statement)
        _check_paths((*reads, *writes), span)
    for call in calls_in(body):
        if isinstance(call, SystemCall):
            raise _Found(f"a call of {call.name}", span)


def _check_paths(expressions: Sequence[Expr], span: Span) -> None:
    for expression in expressions:
        for part in subexpressions(expression):
            if isinstance(part, Ref | Element | Call) and part.path:
                raise _Found("a hierarchical name", span, testbench=False)
            if isinstance(part, SystemCall):
                raise _Found(f"a call of {part.name}", span)


def has_edge(process: Process) -> bool:
    """Say whether a procedure waits for an edge."""
    return process.kind == Kind.EVENTS and any(event.edge != "any" for event in process.events)


def _check_blocking(module: Module) -> None:
    """Refuse variables that a clocked procedure assigns with `=` and that something else can see."""
    own = {signal for function in module.functions for signal in function.variables}
    assigned: dict[Signal, Span] = {}
    owners: dict[Signal, set[Process]] = defaultdict(set)
    late: set[Signal] = set()
    for process in module.processes:
        if has_edge(process):
            for signal, span in blocking_in(process):
                # What a function has in its own variables between two calls is looked at when it is lowered.
                if signal not in own:
                    assigned.setdefault(signal, span)
                    owners[signal].add(process)
            late.update(nonblocking_in(process.body))
    for signal in assigned:
        if signal in late:
            raise _Found(f"'{signal.name}', which is assigned with both '=' and '<='", assigned[signal], False)
    for signal in _seen_outside(module, owners) if owners else ():
        what = f"'{signal.name}', which a clocked procedure assigns with '=' and others see"
        raise _Found(what, assigned[signal], testbench=False)


def blocking_in(process: Process) -> Iterator[tuple[Signal, Span]]:
    """Yield the variables that a procedure assigns with `=`, also by what it calls, and where."""
    bodies: list[tuple[Statement | None, Span]] = [(process.body, process.span)]
    seen: set[Function] = set()
    while bodies:
        body, span = bodies.pop()
        for statement in statements_in(body):
            if isinstance(statement, Assign) and statement.blocking:
                for ref in roots_of(statement.lhs):
                    yield ref.signal, statement.span
            reads, _ = expressions_of(statement)
            for expression in reads:
                for part in subexpressions(expression):
                    if isinstance(part, AssignExpr):
                        for ref in roots_of(part.lhs):
                            yield ref.signal, span
        for call in calls_in(body):
            if isinstance(call, Call):
                for argument in written_arguments(call):
                    for ref in roots_of(argument):
                        yield ref.signal, call.span
                if call.function not in seen:
                    seen.add(call.function)
                    bodies.append((call.function.body, call.span))


def nonblocking_in(body: Statement | None) -> Iterator[Signal]:
    """Yield the variables that a procedure assigns with `<=` itself."""
    for statement in statements_in(body):
        if isinstance(statement, Assign) and not statement.blocking:
            yield from (ref.signal for ref in roots_of(statement.lhs))


def _seen_outside(module: Module, owners: dict[Signal, set[Process]]) -> Iterator[Signal]:
    """Yield those variables that something reads besides the procedures that assign them."""

    def reads(expressions: Sequence[Expr], process: Process | None) -> Iterator[Signal]:
        for expression in expressions:
            for part in subexpressions(expression):
                if isinstance(part, Ref | Element) and part.signal in owners and process not in owners[part.signal]:
                    yield part.signal

    yield from (port.signal for port in module.ports if port.signal in owners)
    wiring = [assign.rhs for assign in module.assigns]
    wiring += [part for instance in module.instances for part in instance.connections if part is not None]
    yield from reads(wiring, None)
    for process in module.processes:
        if process.kind == Kind.INITIAL:
            continue
        found: list[Expr] = [event.value for event in process.events]
        bodies: list[Statement | None] = [process.body]
        seen: set[Function] = set()
        while bodies:
            body = bodies.pop()
            for statement in statements_in(body):
                reading, writing = expressions_of(statement)
                found += [*reading, *writing]
            for call in calls_in(body):
                if isinstance(call, Call) and call.function not in seen:
                    seen.add(call.function)
                    bodies.append(call.function.body)
        yield from reads(found, process)


# ------------------------------------------------------------------------------------------- hierarchical names


def _paths_in(module: Module) -> Iterator[tuple[tuple[str, ...], str, Span]]:
    """Yield the hierarchical names in a module: path, what is named there, and where."""
    expressions: list[tuple[Expr, Span]] = [
        (signal.initial, signal.span) for signal in module.signals if signal.initial is not None
    ]
    for assign in module.assigns:
        expressions += [(assign.lhs, assign.span), (assign.rhs, assign.span)]
    for gate in module.gates:
        expressions += [(part, gate.span) for part in (*gate.outputs, *gate.inputs)]
    for instance in module.instances:
        expressions += [(part, instance.span) for part in instance.connections if part is not None]
    for process in module.processes:
        for event in process.events:
            expressions.append((event.value, process.span))
            if event.condition is not None:
                expressions.append((event.condition, process.span))
    for body, span in [
        *((process.body, process.span) for process in module.processes),
        *((function.body, function.span) for function in module.functions),
    ]:
        for statement in statements_in(body):
            span = getattr(statement, "span", span)
            if isinstance(statement, Disable) and statement.path:
                yield statement.path, statement.scope, span
            if isinstance(statement, Trigger):
                expressions.append((statement.event, span))
            reads, writes = expressions_of(statement)
            expressions += [(part, span) for part in (*reads, *writes)]
    for expression, span in expressions:
        for part in subexpressions(expression):
            if isinstance(part, Ref | Element) and part.path:
                yield part.path, part.signal.name, span
            elif isinstance(part, Call) and part.path:
                yield part.path, part.function.name, span
