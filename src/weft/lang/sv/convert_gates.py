"""Gate primitives as continuous assignments (IEEE 1800-2023 28); switches and user-defined ones are `Gate`s.

A gate treats a z input as x, which the logical operators do by themselves. A three-state gate that is off gives z;
where its control is unknown `Cond` gives x, which stands for the standard's L and H (28.6).
"""

from __future__ import annotations

from functools import reduce

from pyslang import ast

from weft.ir.design import Binary, Cond, Const, ContinuousAssign, Expr, Unary
from weft.lang.sv.context import ModuleContext
from weft.lang.sv.driver_details import convert_delay, drive_strength
from weft.lang.sv.expressions import convert, convert_lvalue
from weft.lang.sv.primitives import SWITCHES, convert_switch, convert_udp

_Z = Const(1, 1, 1)

_INPUT_GATES = {"and": "and", "nand": "and", "or": "or", "nor": "or", "xor": "xor", "xnor": "xor"}
_INVERTING = frozenset({"nand", "nor", "xnor", "not", "notif0", "notif1"})
_PULLS = {"pullup": 1, "pulldown": 0}


def convert_gate(context: ModuleContext, gate: ast.PrimitiveInstanceSymbol, position: int = 0) -> None:
    """Add the assignments that a gate stands for; `position` is its bit in an array of gates."""
    name = gate.primitiveType.name
    terminals = list(gate.portConnections)
    inverting = name in _INVERTING
    if name in _INPUT_GATES:
        inputs = [convert(context, terminal) for terminal in terminals[1:]]
        op = _INPUT_GATES[name]
        value = reduce(lambda lhs, rhs: Binary(op, lhs, rhs, 1), inputs) if len(inputs) > 1 else _driven(inputs[0])
        _drive(context, gate, terminals[:1], _inverted(value, inverting))
    elif name in ("buf", "not"):
        value = convert(context, terminals[-1])
        _drive(context, gate, terminals[:-1], _inverted(value, True) if inverting else _driven(value))
    elif name in ("bufif0", "bufif1", "notif0", "notif1"):
        value = convert(context, terminals[1])
        value = _inverted(value, True) if inverting else _driven(value)
        control = convert(context, terminals[2])
        on_one = name.endswith("1")
        value = Cond(control, value if on_one else _Z, _Z if on_one else value, 1)
        _drive(context, gate, terminals[:1], value, three_state=name)
    elif name in _PULLS:
        _drive(context, gate, terminals[:1], Const(1, _PULLS[name]), pull=True)
    elif name in SWITCHES:
        context.module.gates.append(convert_switch(context, gate, position))
    else:
        context.module.gates.append(convert_udp(context, gate, context.owner.tables))


def _driven(value: Expr) -> Expr:
    """Turn z into x, as a gate's input does."""
    return Binary("and", value, value, 1)


def _inverted(value: Expr, inverting: bool) -> Expr:
    return Unary("not", value, 1) if inverting else value


def _drive(
    context: ModuleContext,
    gate: ast.PrimitiveInstanceSymbol,
    outputs: list[ast.Expression],
    value: Expr,
    pull: bool = False,
    three_state: str = "",
) -> None:
    strength = drive_strength(gate)
    if pull and strength == ("strong", "strong"):
        strength = ("pull", "pull")
    for output in outputs:
        if isinstance(output, ast.AssignmentExpression):
            lhs = convert_lvalue(context, output.left)
            span = context.span(gate)
            context.module.assigns.append(
                ContinuousAssign(lhs, value, span, strength, convert_delay(context, gate.delay), three_state)
            )
