"""Convert what a module consists of: ports, assignments, procedures and instances.

Instances come first, so that every module below is complete (with the ports that its interface signals became) before
it is connected; then assignments and procedures in source order, then the connections.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

import pyslang
from pyslang import ast

from weft.base.errors import UserError
from weft.ir.design import ContinuousAssign, Event, Kind, Module, Process, Ref
from weft.lang.sv.checkers import connect_outputs, sampled_body
from weft.lang.sv.clocking import convert_clocking
from weft.lang.sv.concurrent_assertions import convert_assertion_item, is_assertion_item
from weft.lang.sv.connect_ports import connect_instance, declare_ports
from weft.lang.sv.context import DesignScope, ModuleContext
from weft.lang.sv.convert_gates import convert_gate
from weft.lang.sv.declare_scope import declare_scope
from weft.lang.sv.driver_details import convert_delay, drive_strength
from weft.lang.sv.expressions import convert_assignment, value_as
from weft.lang.sv.leaf_values import convert_initializer, split
from weft.lang.sv.primitives import convert_alias
from weft.lang.sv.procedure_clocks import clock_of_procedure
from weft.lang.sv.specify_block import convert_specify_block
from weft.lang.sv.statements import convert_statement, convert_timing
from weft.lang.sv.symbol_facts import instances_of

_KEYWORDS = {
    ast.ProceduralBlockKind.Initial: "initial",
    ast.ProceduralBlockKind.Final: "final",
    ast.ProceduralBlockKind.Always: "always",
    ast.ProceduralBlockKind.AlwaysComb: "always_comb",
    ast.ProceduralBlockKind.AlwaysLatch: "always_latch",
    ast.ProceduralBlockKind.AlwaysFF: "always_ff",
}

_FS_EXPONENTS = {
    pyslang.TimeUnit.Seconds: 15,
    pyslang.TimeUnit.Milliseconds: 12,
    pyslang.TimeUnit.Microseconds: 9,
    pyslang.TimeUnit.Nanoseconds: 6,
    pyslang.TimeUnit.Picoseconds: 3,
    pyslang.TimeUnit.Femtoseconds: 0,
}


def declare_module(context: ModuleContext, scope: DesignScope) -> None:
    """Declare the signals and ports of a module body, package or compilation unit, and describe it."""
    module = context.module
    declare_scope(context, scope)
    time_scale = scope.timeScale
    if time_scale is not None:
        module.time_unit_fs = _femtoseconds(time_scale.base)
        module.time_precision_fs = _femtoseconds(time_scale.precision)
    if context.body is not None:
        _describe_parameters(module, context.body)
        declare_ports(context, context.body)
    else:
        for member in context.members:
            _convert_initializer(context, member.symbol)


def build_module(context: ModuleContext) -> None:
    """Convert everything in a declared module, and the modules below it."""
    instances = [found for member in context.members for found in instances_of(member.symbol)]
    inner = [context.owner.module_of(instance.body) for instance in instances]
    for member in context.members:
        symbol = member.symbol
        context.state.checker = context.state.checkers.get(symbol)
        match symbol:
            case ast.CheckerInstanceSymbol():
                connect_outputs(context, symbol)
            case ast.ContinuousAssignSymbol():
                _convert_assign(context, symbol)
            case ast.ProceduralBlockSymbol():
                _convert_process(context, symbol, member.scope)
            case ast.ClockingBlockSymbol():
                convert_clocking(context, symbol)
            case ast.PrimitiveInstanceSymbol():
                convert_gate(context, symbol)
            case ast.NetAliasSymbol():
                context.module.gates.append(convert_alias(context, symbol))
            case ast.ValueSymbol():
                _convert_initializer(context, symbol)
            case ast.SpecifyBlockSymbol():
                convert_specify_block(context, symbol)
            case ast.InstanceArraySymbol():
                for gate, position in _gates(context, symbol):
                    convert_gate(context, gate, position)
            case _:
                pass
    context.state.checker = None
    for instance, child in zip(instances, inner, strict=True):
        connect_instance(context, instance, child)
        context.rooted |= child.rooted


def _gates(context: ModuleContext, array: ast.InstanceArraySymbol) -> list[tuple[ast.PrimitiveInstanceSymbol, int]]:
    """Return the primitives of an array, each with the bit of a vector that it connects to (IEEE 1800-2023 28.3.6)."""
    bounds = array.range
    found: list[tuple[ast.PrimitiveInstanceSymbol, int]] = []
    for number, element in enumerate(array.elements):
        if isinstance(element, ast.InstanceArraySymbol) and _holds_gates(element):
            # pyslang 12 connects such arrays to wrong bits.
            context.unsupported("an array of primitives of several dimensions", array)
        if isinstance(element, ast.PrimitiveInstanceSymbol):
            found.append((element, number if bounds.left >= bounds.right else bounds.width - 1 - number))
    return found


def _holds_gates(array: ast.InstanceArraySymbol) -> bool:
    return any(
        isinstance(element, ast.PrimitiveInstanceSymbol)
        or (isinstance(element, ast.InstanceArraySymbol) and _holds_gates(element))
        for element in array.elements
    )


def _convert_assign(context: ModuleContext, symbol: ast.ContinuousAssignSymbol) -> None:
    assignment = symbol.assignment
    assert isinstance(assignment, ast.AssignmentExpression)
    target, value = convert_assignment(context, assignment)
    context.module.assigns.append(
        ContinuousAssign(
            target,
            value,
            context.span(assignment),
            drive_strength(symbol),
            convert_delay(context, symbol.delay),
        )
    )


def _convert_initializer(context: ModuleContext, symbol: ast.Symbol) -> None:
    """Drive a net by its declaration's assignment, give it its delay, or give a variable its value at the start."""
    assert isinstance(symbol, ast.ValueSymbol)
    if not isinstance(symbol, ast.NetSymbol):
        convert_initializer(context, symbol, symbol.initializer)
        return
    if symbol.initializer is None:
        # Without an assignment the delay is the net's own, whatever drives it (IEEE 1800-2023 10.3.3).
        own = context.own(symbol)
        delay = convert_delay(context, symbol.delay)
        for signal in own.values() if isinstance(own, dict) else (own,):
            signal.delay = delay
        return
    value = value_as(context.state, symbol.initializer, symbol)
    own = context.own(symbol)
    if isinstance(own, dict):
        leaves = split(value, context.state.layout(symbol.type))
        parts = [(signal, leaves[leaf]) for leaf, signal in own.items()]
    else:
        parts = [(own, value)]
    strength, delay, span = drive_strength(symbol), convert_delay(context, symbol.delay), context.span(symbol)
    context.module.assigns += [ContinuousAssign(Ref(signal), part, span, strength, delay) for signal, part in parts]


def _convert_process(context: ModuleContext, symbol: ast.ProceduralBlockSymbol, scope: str) -> None:
    body = symbol.body
    if is_assertion_item(body):
        if not context.ignore_assertions:
            convert_assertion_item(context, body, scope.removesuffix("."))
        return
    keyword = _KEYWORDS[symbol.procedureKind]
    kind, events = Kind.FREE, ()
    match symbol.procedureKind:
        case ast.ProceduralBlockKind.Initial:
            kind = Kind.INITIAL
        case ast.ProceduralBlockKind.Final:
            kind = Kind.FINAL
        case ast.ProceduralBlockKind.AlwaysComb | ast.ProceduralBlockKind.AlwaysLatch:
            kind = Kind.COMB
        case _:
            if body.kind == ast.StatementKind.ImmediateAssertion:
                kind = Kind.COMB
            elif isinstance(body, ast.TimedStatement):
                kind, events = _convert_head(context, body.timing)
                if kind != Kind.FREE:
                    body = body.stmt
            elif symbol.procedureKind == ast.ProceduralBlockKind.Always:
                _check_waits(context, body)
    context.state.clock = clock_of_procedure(symbol.body, events)
    context.state.combinational = kind == Kind.COMB
    converted = convert_statement(context, body, scope.removesuffix("."))
    if context.state.checker is not None and symbol.procedureKind == ast.ProceduralBlockKind.AlwaysFF:
        converted = sampled_body(context.state, converted, symbol.body)
    context.module.processes.append(
        Process(
            kind,
            converted,
            events,
            keyword,
            context.span(symbol.body),
            scope.removesuffix("."),
            context.body is not None and context.body.definition.definitionKind == ast.DefinitionKind.Program,
        )
    )
    context.state.clock, context.state.combinational = (), False


_PAUSES = frozenset(
    {
        ast.StatementKind.Timed,
        ast.StatementKind.Wait,
        ast.StatementKind.WaitFork,
        ast.StatementKind.WaitOrder,
        ast.StatementKind.ConcurrentAssertion,
    }
)


def _check_waits(context: ModuleContext, body: ast.Statement) -> None:
    """Raise UserError for an `always` procedure that never lets time pass, which would hang every simulation (9.2.2).

    A task that it calls might wait; so might an assignment with a delay.
    """
    pauses: list[object] = []

    def look(expression: ast.Expression) -> None:
        match expression:
            case ast.AssignmentExpression() if expression.timingControl is not None and not expression.isNonBlocking:
                pauses.append(expression)
            case ast.CallExpression() if not expression.isSystemCall:
                pauses.append(expression)
            case _:
                pass

    table: dict[object, object] = dict.fromkeys(_PAUSES, pauses.append)
    table |= dict.fromkeys((ast.ExpressionKind.Assignment, ast.ExpressionKind.Call), look)
    body.visit(lookup_table=table)
    if not pauses:
        what = "this 'always' procedure has no delay, event or wait, so it would run for ever without time passing"
        raise UserError("source-errors", what, context.span(body), sources=context.owner.index.sources)


def _convert_head(context: ModuleContext, timing: ast.TimingControl) -> tuple[Kind, tuple[Event, ...]]:
    """Say what the timing control at the head of an always procedure makes of it (IEEE 1800-2023 9.2.2)."""
    if timing.kind == ast.TimingControlKind.ImplicitEvent:
        return Kind.COMB, ()
    if timing.kind in (ast.TimingControlKind.SignalEvent, ast.TimingControlKind.EventList):
        return Kind.EVENTS, convert_timing(context, timing)
    return Kind.FREE, ()


def _describe_parameters(module: Module, body: ast.InstanceBodySymbol) -> None:
    for parameter in body.parameters:
        if isinstance(parameter, ast.ParameterSymbol):
            module.parameters[parameter.name] = str(parameter.value)
        elif isinstance(parameter, ast.TypeParameterSymbol):
            module.parameters[parameter.name] = str(parameter.targetType.type)


def _femtoseconds(value: pyslang.TimeScaleValue) -> int:
    return value.magnitude.value * 10 ** _FS_EXPONENTS[value.unit]
