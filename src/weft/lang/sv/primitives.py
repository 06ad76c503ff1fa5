"""Switches and user-defined primitives, which no assignment can stand for (IEEE 1800-2023 clauses 28 and 29)."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from pyslang import ast

from weft.base.logic import digits
from weft.ir.design import Expr, Gate, Slice, UdpTable
from weft.lang.sv.constants import integer
from weft.lang.sv.context import ModuleContext
from weft.lang.sv.driver_details import convert_delay, drive_strength
from weft.lang.sv.expressions import convert, convert_lvalue

_ONE_WAY = ("nmos", "pmos", "cmos", "rnmos", "rpmos", "rcmos")
_TWO_WAY = ("tran", "tranif0", "tranif1", "rtran", "rtranif0", "rtranif1")

SWITCHES = frozenset((*_ONE_WAY, *_TWO_WAY))
"""The names of the switch primitives."""


def convert_switch(context: ModuleContext, gate: ast.PrimitiveInstanceSymbol, position: int = 0) -> Gate:
    """Convert a switch: one output or, where it conducts both ways, two ends; then data and controls.

    In an array of switches slang leaves a vector at an end whole: `position` is the bit of it that is meant.
    """
    kind = gate.primitiveType.name
    ends = 2 if kind in _TWO_WAY else 1
    return _convert(context, gate, kind, ends, None, position)


def convert_udp(context: ModuleContext, gate: ast.PrimitiveInstanceSymbol, tables: dict[str, UdpTable]) -> Gate:
    """Convert an instance of a user-defined primitive; `tables` holds each table once."""
    primitive = gate.primitiveType
    table = tables.get(primitive.name)
    if table is None:
        table = tables[primitive.name] = _table(primitive)
    return _convert(context, gate, "udp", 1, table)


def convert_alias(context: ModuleContext, alias: ast.NetAliasSymbol) -> Gate:
    """Convert an `alias` (IEEE 1800-2023 10.11): what it joins are the outputs."""
    joined = tuple(convert_lvalue(context, reference) for reference in alias.netReferences)
    return Gate("alias", joined, (), context.span(alias))


def _convert(
    context: ModuleContext,
    gate: ast.PrimitiveInstanceSymbol,
    kind: str,
    ends: int,
    table: UdpTable | None,
    position: int = 0,
) -> Gate:
    terminals = list(gate.portConnections)
    outputs = tuple(_output(context, gate, terminal, position) for terminal in terminals[:ends])
    inputs = tuple(convert(context, terminal) for terminal in terminals[ends:])
    return Gate(
        kind,
        outputs,
        inputs,
        context.span(gate),
        drive_strength(gate),
        convert_delay(context, gate.delay),
        table,
        gate.name or gate.arrayName,
    )


def _output(context: ModuleContext, gate: ast.PrimitiveInstanceSymbol, terminal: ast.Expression, position: int) -> Expr:
    if isinstance(terminal, ast.AssignmentExpression):
        target = convert_lvalue(context, terminal.left)
        in_array = target.width > 1 and terminal.left.type.bitWidth > 1 and bool(list(gate.arrayPath))
        return Slice(target, position, 1) if in_array else target
    if isinstance(terminal, ast.EmptyArgumentExpression):
        context.unsupported("a primitive without a net at its output", gate)
    return convert_lvalue(context, terminal)


def _table(primitive: ast.PrimitiveSymbol) -> UdpTable:
    rows = tuple((row.inputs, "" if row.state == "\0" else row.state, row.output) for row in primitive.table)
    start = primitive.initVal
    initial = "x" if start is None else _digit(start.value)
    return UdpTable(primitive.name, rows, primitive.isSequential, initial)


def _digit(value: object) -> str:
    bit = integer(value, 1)  # pyright: ignore[reportArgumentType]
    return digits(bit.value, bit.unknown, 1)
