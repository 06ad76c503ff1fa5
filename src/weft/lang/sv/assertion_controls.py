"""What `$assertoff` and its like act on: a word for each assertion of a design that calls them (IEEE 1800-2023 20.11).

The word says whether the assertion is off, whether its actions are, and how often its attempts have been killed
(`ir.assertion_control`). `SystemCall`s mark where it is looked at, so that engines without these tasks can leave it
out. In a design without such a call there are no words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from pyslang import ast

from weft.ir.assertion_control import (
    CONCURRENT,
    DEFERRED,
    DIRECTIVES,
    EXPECT,
    FAILS_OFF,
    FINAL,
    KILLS,
    OFF,
    PASSES_OFF,
    SIMPLE,
    VIOLATIONS,
    AssertionControl,
    control_name,
)
from weft.ir.design import Const, Expr, If, Ref, Signal, Slice, Statement, SystemCall, Type, Unary
from weft.lang.sv.constants import index_value

if TYPE_CHECKING:
    from weft.base.source import Span
    from weft.lang.sv.context import ModuleContext
    from weft.lang.sv.state import State

CONTROL = re.compile(r"\$assert(?:control|on|off|kill|pass|fail|nonvacuous|vacuous)")
CHECK = re.compile(r"\b(?:unique0?|priority)\s+(?:if|case)")
_WORD = Type("bit", 32, four_state=False)


def make_control(state: State, kind: int, directive: str, span: Span) -> Ref | None:
    """Return the word of the assertion in the present scope; None if nothing in the design controls assertions."""
    context = cast("ModuleContext", state.context)
    if not context.owner.controls_assertions:
        return None
    signal = Signal(control_name(state.fresh_label("assertion")), 32, _WORD, span=span)
    context.add_signals(signal)
    context.module.controls.append(AssertionControl(state.scope, kind, DIRECTIVES[directive], signal))
    return Ref(signal, context.home)


def concurrent_kind(node: ast.ConcurrentAssertionStatement) -> tuple[int, str]:
    """Return which type and directive a concurrent assertion is to `$assertcontrol`."""
    match node.assertionKind:
        case ast.AssertionKind.Expect:
            return EXPECT, "assert"
        case ast.AssertionKind.Assume:
            return CONCURRENT, "assume"
        case ast.AssertionKind.CoverProperty | ast.AssertionKind.CoverSequence:
            return CONCURRENT, "cover"
        case _:
            return CONCURRENT, "assert"


def immediate_kind(node: ast.ImmediateAssertionStatement) -> int:
    """Return which type an immediate assertion is to `$assertcontrol`."""
    return FINAL if node.isFinal else DEFERRED if node.isDeferred else SIMPLE


def is_on(control: Expr, bit: int = OFF) -> Expr:
    """Return whether an assertion, or its actions of one kind, is on."""
    return SystemCall("assertion.enabled", (Unary("lnot", Slice(control, Const(32, bit), 1), 1),), 1)


def kills_of(control: Expr) -> Expr:
    """Return how often the attempts of an assertion have been killed."""
    return SystemCall("assertion.kills", (Slice(control, Const(32, KILLS), 32 - KILLS),), 32 - KILLS)


def guard_actions(
    control: Expr | None, passed: Statement | None, failed: Statement | None
) -> tuple[Statement | None, Statement | None]:
    """Return the actions of an assertion, done only while they are on."""
    if control is None:
        return passed, failed
    return (
        None if passed is None else If(is_on(control, PASSES_OFF), passed),
        None if failed is None else If(is_on(control, FAILS_OFF), failed),
    )


def check_control(state: State, node: ast.CallExpression) -> None:
    """Refuse an `$assertcontrol` of the reports of `unique` and `priority`, which have no words."""
    context = cast("ModuleContext", state.context)
    if node.subroutineName != "$assertcontrol" or not context.owner.checks_choices:
        return
    given = node.arguments[1] if len(node.arguments) > 1 else None
    types = None if given is None or isinstance(given, ast.EmptyArgumentExpression) else index_value(given)
    if types is None or types & VIOLATIONS:
        context.unsupported("'$assertcontrol' of the reports of 'unique' and 'priority'", node)
