"""Functions and tasks (IEEE 1800-2023 clause 13).

A function's result is a variable of its own, which its name assigns and `return` sets. The variables of an automatic
function come into being at each call; a static one's keep their values between calls.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Assign, Block, Function, Ref, Signal, Statement
from weft.lang.sv.classes import class_around, constructor_prologue, is_method, this_signal
from weft.lang.sv.ownership import default_value
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
    formals = [formal for formal in subroutine.arguments if formal not in state.references]
    args = [(_DIRECTIONS[formal.direction], _variable(state, subroutine, formal)) for formal in formals]
    bound = [state.references[formal] for formal in subroutine.arguments if formal in state.references]
    args += [("input", index) for reference in bound for index in reference.captured]
    task = subroutine.subroutineKind == ast.SubroutineKind.Task
    result_symbol = subroutine.returnValVar
    result = None
    if not task and result_symbol is not None and state.layout(subroutine.returnType).kind != VOID:
        result = _variable(state, subroutine, result_symbol)
    elif subroutine.flags & ast.MethodFlags.Pure and state.layout(subroutine.returnType).is_flat:
        result = _pure_result(state, subroutine)
    this = _this(state, subroutine)
    body = _convert_body(state, subroutine, this)
    if automatic and body is not None:
        fresh = [
            (signal, formal.type)
            for (direction, signal), formal in zip(args, formals, strict=False)
            if direction == "output"
        ]
        fresh += [(result, subroutine.returnType)] if result is not None else []
        body = Block((*(_reset(state, signal, kind, subroutine) for signal, kind in fresh), body))
    return Function(
        subroutine.name,
        args,
        result,
        body=body,
        automatic=automatic,
        task=task,
        span=context.span(subroutine),
        scope=subroutine.hierarchicalPath.removeprefix(context.prefix),
        this=this,
        virtual=subroutine.isVirtual,
    )


def _pure_result(state: State, subroutine: ast.SubroutineSymbol) -> Signal:
    """Create the result of a pure virtual method, for which slang has no variable."""
    layout = state.layout(subroutine.returnType)
    described, name = state.context.describe(subroutine.returnType), f"{subroutine.name}.{subroutine.name}"
    return Signal(name, layout.width, described, signed=layout.signed, automatic=True, local=True)


def _this(state: State, subroutine: ast.SubroutineSymbol) -> Signal | None:
    """Create the variable that holds the object on which a method is called."""
    if not is_method(subroutine) or subroutine.flags & ast.MethodFlags.Static:
        return None
    this = this_signal(state, class_around(subroutine))
    if subroutine.thisVar is not None:
        state.names[subroutine.thisVar] = Ref(this)
    return this


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
        state.context.describe(symbol.type),
        automatic=subroutine.defaultLifetime == ast.VariableLifetime.Automatic,
        local=True,
        span=state.context.span(symbol),
    )
    state.vectors.add(symbol)
    state.names[symbol] = Ref(signal)
    return signal


def _convert_body(state: State, subroutine: ast.SubroutineSymbol, this: Signal | None) -> Statement | None:
    """Convert the body, apart from the statement whose call it is that has led here."""
    if subroutine.flags & ast.MethodFlags.Pure:
        return None
    outer = state.enter_subroutine(subroutine)
    state.this = Ref(this) if this is not None else None
    before: list[Statement] = []
    if subroutine.flags & ast.MethodFlags.Constructor:
        before = constructor_prologue(state, class_around(subroutine))
    body = statement_of(state, subroutine.body)
    if before:
        body = Block((*before, body))
    state.leave_subroutine(outer)
    return body


def _reset(state: State, signal: Signal, kind: ast.Type, subroutine: ast.SubroutineSymbol) -> Statement:
    return Assign(Ref(signal), default_value(state.layout(kind)), True, state.context.span(subroutine))
