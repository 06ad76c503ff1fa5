"""Ports of a module, and how an instance connects them.

Every port of the source becomes one `Port`, or several where it is of unpacked struct type (one for each leaf), a
`{a, b}` port (one for each part, as slang connects them) or an interface port (one for each interface signal that the
module uses, made by `ModuleContext` at its first use). A port expression other than a name (`.p(q[2:1])`) gets a signal
of its own that is assigned from or to the expression.

For an output slang gives an assignment of the port (an empty argument, perhaps converted) to the connected expression.
Where a conversion is needed the port drives a signal of its own width, from which the expression is assigned.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from pyslang import ast

from weft.ir.design import Const, ContinuousAssign, Expr, Instance, Port, Ref, Signal
from weft.lang.sv.context import InterfaceSignal, ModuleContext, PortSlot
from weft.lang.sv.expressions import convert, convert_lvalue
from weft.lang.sv.leaf_values import convert_initializer, split
from weft.lang.sv.reals import convert_number
from weft.lang.sv.shapes import align
from weft.lang.sv.symbol_facts import DIRECTIONS


def declare_ports(context: ModuleContext, body: ast.InstanceBodySymbol) -> None:
    """Create the ports of a module whose signals are declared."""
    for name, (interface, modport) in connected_interfaces(context, body).items():
        known = context.interfaces.get(interface)
        context.interfaces[interface] = (name, modport) if known is None else (known[0], None)
    for port in _flat_ports(body):
        slot = _declare_port(context, port)
        context.slots.append(slot)
        context.module.ports += slot.ports


def connect_instance(context: ModuleContext, instance: ast.InstanceSymbol, child: ModuleContext) -> None:
    """Add an instance of a module that is completely built."""
    path = context.owner.path_of(instance.body)
    actuals: dict[ast.Symbol, ast.Expression] = {
        connection.port: connection.expression for connection in instance.portConnections
    }
    connections: list[Expr | None] = []
    for port, slot in zip(_flat_ports(instance.body), child.slots, strict=True):
        connections += _connect_slot(context, instance, path[-1], slot, port, actuals.get(port))
    if child.expanded:
        connected = connected_interfaces(context, instance.body)
        connections += [_connect_expanded(context, instance, connected, signal) for signal in child.expanded]
    context.module.instances.append(Instance(path[-1], child.module, tuple(connections), context.span(instance)))


Interfaces = dict[str, tuple[ast.InstanceBodySymbol, ast.ModportSymbol | None]]


def connected_interfaces(context: ModuleContext, body: ast.InstanceBodySymbol) -> Interfaces:
    """Return the interface behind each interface port, each element of an array of interfaces by itself."""
    found: Interfaces = {}
    for port in body.portList:
        if isinstance(port, ast.InterfacePortSymbol):
            symbol, modport = port.connection
            if symbol is None:
                context.unsupported("an interface port that nothing is connected to", port)
            _add_interfaces(found, port.name, symbol, modport, list(port.declaredRange or ()))
    return found


def _add_interfaces(
    found: Interfaces,
    name: str,
    symbol: ast.Symbol,
    modport: ast.ModportSymbol | None,
    ranges: list[object],
) -> None:
    if isinstance(symbol, ast.InstanceSymbol):
        found[name] = (symbol.body, modport)
    elif isinstance(symbol, ast.InstanceArraySymbol):
        bounds = ranges[0] if ranges else symbol.range
        left, right = bounds.left, bounds.right  # pyright: ignore[reportAttributeAccessIssue]
        step = 1 if right >= left else -1
        for offset, element in enumerate(symbol.elements):
            _add_interfaces(found, f"{name}[{left + step * offset}]", element, modport, ranges[1:])


def _flat_ports(body: ast.InstanceBodySymbol) -> list[ast.PortSymbol]:
    found: list[ast.PortSymbol] = []
    for port in body.portList:
        if isinstance(port, ast.MultiPortSymbol):
            found += port.ports
        elif isinstance(port, ast.PortSymbol) and not port.isNullPort:
            found.append(port)
    return found


def _declare_port(context: ModuleContext, port: ast.PortSymbol) -> PortSlot:
    direction = DIRECTIONS[port.direction]
    if port.internalExpr is not None or port.internalSymbol is None:
        return PortSlot((_declare_port_expression(context, port, direction),))
    inside = port.internalSymbol
    signal = context.own(inside)
    if port.initializer is not None and direction == "output":
        assert isinstance(inside, ast.ValueSymbol)
        convert_initializer(context, inside, port.initializer)
    if isinstance(signal, dict):
        ports = tuple(Port(".".join((port.name, *leaf)), direction, one) for leaf, one in signal.items())
        return PortSlot(ports, tuple(signal))
    return PortSlot((Port(port.name, direction, signal),))


def _declare_port_expression(context: ModuleContext, port: ast.PortSymbol, direction: str) -> Port:
    if direction not in ("input", "output"):
        context.unsupported(f"a port expression of an {direction} port", port)
    if not port.type.isIntegral:
        context.unsupported("a port expression of an unpacked type", port)
    name = port.name or f"part{len(context.slots)}"
    if context.has(name):
        name += "$port"
    width, signed = port.type.bitWidth, port.type.isSigned
    signal = Signal(name, width, context.describe(port.type), 0, signed, "wire", span=context.span(port))
    context.module.signals.append(signal)
    span = context.span(port)
    if direction == "input":
        assign = ContinuousAssign(convert_lvalue(context, port.internalExpr), Ref(signal), span)
    else:
        assign = ContinuousAssign(Ref(signal), convert(context, port.internalExpr), span)
    context.module.assigns.append(assign)
    return Port(name, direction, signal)


def _connect_slot(
    context: ModuleContext,
    instance: ast.InstanceSymbol,
    name: str,
    slot: PortSlot,
    port: ast.PortSymbol,
    expression: ast.Expression | None,
) -> list[Expr | None]:
    """Return what each of the ports that a port of the source became is connected to."""
    if expression is None:
        return [_undriven(instance, one) if one.direction == "input" else None for one in slot.ports]
    inside = context.state.layout(port.type)
    if port.direction == ast.ArgumentDirection.In:
        whole = align(convert(context, expression), context.state.layout(expression.type), inside)
    elif not isinstance(expression, ast.AssignmentExpression):
        whole = convert_lvalue(context, expression)
    elif expression.right.kind == ast.ExpressionKind.EmptyArgument:
        whole = align(convert_lvalue(context, expression.left), context.state.layout(expression.left.type), inside)
    elif port.direction != ast.ArgumentDirection.Out:
        context.unsupported("a connection of another width or type to an inout port", expression)
    else:
        whole = _connect_converted(context, f"{name}${port.name}", slot.ports[0].signal, expression)
    if not slot.leaves:
        return [whole]
    parts = split(whole, inside)
    return [parts[leaf] for leaf in slot.leaves]


def _undriven(instance: ast.InstanceSymbol, port: Port) -> Expr | None:
    """Return what drives an unconnected input: nothing, or what `unconnected_drive` says."""
    match instance.body.definition.unconnectedDrive:
        case ast.UnconnectedDrive.Pull0:
            return Const(port.signal.bits, 0)
        case ast.UnconnectedDrive.Pull1:
            return Const(port.signal.bits, (1 << port.signal.bits) - 1)
        case _:
            return None


def _connect_converted(context: ModuleContext, name: str, inside: Signal, expression: ast.AssignmentExpression) -> Expr:
    """Connect an output through a signal of the port's width, from which the actual is assigned."""
    lhs = convert_lvalue(context, expression.left)
    signal = Signal(name, inside.width, inside.type, inside.depth, inside.signed, "wire", span=context.span(expression))
    driven: Expr = Ref(signal)
    for conversion in _conversions(context, expression):
        source, target = conversion.operand.type, conversion.type
        if not all(found.isIntegral or found.isFloating for found in (source, target)):
            context.unsupported("a connection of an output that converts an unpacked type", expression)
        driven = convert_number(driven, context.state.layout(source), context.state.layout(target))
    if isinstance(driven, Ref):
        return lhs
    context.module.signals.append(signal)
    context.module.assigns.append(ContinuousAssign(lhs, driven, context.span(expression)))
    return Ref(signal)


def _conversions(context: ModuleContext, expression: ast.AssignmentExpression) -> list[ast.ConversionExpression]:
    """Return the conversions from the port's value to what is assigned, in the order in which they happen."""
    found: list[ast.ConversionExpression] = []
    value = expression.right
    while isinstance(value, ast.ConversionExpression):
        found.insert(0, value)
        value = value.operand
    if value.kind != ast.ExpressionKind.EmptyArgument:
        context.unsupported("this connection of an output", expression)
    return found


def _connect_expanded(
    context: ModuleContext, instance: ast.InstanceSymbol, connected: Interfaces, used: InterfaceSignal
) -> Expr:
    """Connect the port for one signal of an interface to that signal of the interface that this instance is given."""
    name, body = used.interface, None
    inner: list[str] = []
    while name not in connected:
        name, _, last = name.rpartition(".")
        inner.insert(0, last)
    body = connected[name][0]
    for step in inner:
        found = body.find(step)
        if not isinstance(found, ast.InstanceSymbol):
            context.unsupported("an array of interfaces inside an interface that is connected to a port", instance)
        body = found.body
    signal, path = context.reach_named(body, used.name)
    if isinstance(signal, dict):
        signal = signal[used.leaf]
    return Ref(signal, path)
