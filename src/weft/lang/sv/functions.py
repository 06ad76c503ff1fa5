"""Functions and tasks (IEEE 1800-2023 clause 13).

A function's result is a variable of its own, which its name assigns and `return` sets. The variables of an automatic
function come into being at each call; a static one's keep their values between calls.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Assign, Block, Function, Ref, Signal, Statement, Type
from weft.lang.sv.build import constant, unknown
from weft.lang.sv.statements import statement_of
from weft.lang.sv.types import EVENT, VOID

if TYPE_CHECKING:
    from weft.lang.sv.state import Context, State

_DIRECTIONS = {
    ast.ArgumentDirection.In: "input",
    ast.ArgumentDirection.Out: "output",
    ast.ArgumentDirection.InOut: "inout",
    ast.ArgumentDirection.Ref: "ref",
}


def convert_function(context: Context, subroutine: ast.SubroutineSymbol) -> Function:
    """Convert a function or task. The context registers it before, so that it may call itself."""
    state = context.state
    automatic = subroutine.defaultLifetime == ast.VariableLifetime.Automatic
    args = [(_DIRECTIONS[formal.direction], _variable(state, subroutine, formal)) for formal in subroutine.arguments]
    task = subroutine.subroutineKind == ast.SubroutineKind.Task
    result_symbol = subroutine.returnValVar
    result = None
    if not task and result_symbol is not None and state.layout(subroutine.returnType).kind != VOID:
        result = _variable(state, subroutine, result_symbol)
    body = _convert_body(state, subroutine)
    if automatic:
        fresh = [signal for direction, signal in args if direction == "output"]
        fresh += [result] if result is not None else []
        body = Block((*(_reset(state, signal, subroutine) for signal in fresh), body))
    return Function(
        subroutine.name,
        args,
        result,
        body=body,
        automatic=automatic,
        task=task,
        span=context.span(subroutine),
        scope=subroutine.hierarchicalPath.removeprefix(context.prefix),
    )


def _variable(state: State, subroutine: ast.SubroutineSymbol, symbol: ast.ValueSymbol) -> Signal:
    """Return the signal of a formal argument or result; one of unpacked struct type is a single vector."""
    layout = state.layout(symbol.type)
    passed = isinstance(symbol, ast.FormalArgumentSymbol) and symbol.direction != ast.ArgumentDirection.Ref
    if not layout.is_flat or (layout.kind == EVENT and passed):
        state.context.unsupported(f"a function argument or result of type '{symbol.type}'", symbol)
    if not layout.has_struct:
        return state.context.signal(symbol)
    signal = Signal(
        f"{subroutine.name}.{symbol.name}",
        layout.width,
        Type("struct", layout.width, four_state=layout.four_state),
        automatic=subroutine.defaultLifetime == ast.VariableLifetime.Automatic,
        local=True,
        span=state.context.span(symbol),
    )
    state.vectors.add(symbol)
    state.names[symbol] = Ref(signal)
    return signal


def _convert_body(state: State, subroutine: ast.SubroutineSymbol) -> Statement:
    """Convert the body, apart from the statement whose call it is that has led here."""
    outer = state.enter_subroutine(subroutine)
    body = statement_of(state, subroutine.body)
    state.leave_subroutine(outer)
    return body


def _reset(state: State, signal: Signal, subroutine: ast.SubroutineSymbol) -> Statement:
    value = unknown(signal.bits) if signal.type.four_state else constant(signal.bits, 0)
    return Assign(Ref(signal), value, True, state.context.span(subroutine))
