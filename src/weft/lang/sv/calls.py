"""Calls of the user's functions and tasks (IEEE 1800-2023 13.5).

A method is called on an object: the one before the dot, or the one that the calling method itself is called on. Methods
of the built-in classes are system calls (`ir.expressions`).
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pyslang import ast, syntax

from weft.ir.design import Call, Expr, SystemCall, Text, Type
from weft.lang.sv.arguments import convert_arguments
from weft.lang.sv.build import constant
from weft.lang.sv.classes import implicit_object
from weft.lang.sv.covergroups import convert_group_method
from weft.lang.sv.dispatch import layout_of, lvalue_of, value_of
from weft.lang.sv.operators import folded
from weft.lang.sv.ownership import assigned, typed
from weft.lang.sv.references import bound_references
from weft.lang.sv.system_calls import convert_system_call
from weft.lang.sv.types import VOID
from weft.lang.sv.virtual_interfaces import free_receiver, free_root, function_of, is_virtual, value_through

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def convert_call(state: State, node: ast.Expression) -> Expr:
    """Convert a call of a function, the user's or the system's, to its result."""
    constant_value = folded(state, node)
    if constant_value is not None:
        return constant_value
    call = cast("ast.CallExpression", node)
    if node.constant is not None and isinstance(node.constant.value, str):
        return Text(node.constant.value)
    if isinstance(call.subroutine, ast.SubroutineSymbol):
        return convert_user_call(state, call, call.subroutine)
    root = free_root(state, call.arguments[0]) if call.arguments and call.subroutineName[0] != "$" else None
    if root is not None:
        return value_through(state, root, node, lambda: convert_call(state, node))
    return convert_system_call(state, call, call.subroutine)


def convert_user_call(state: State, node: ast.CallExpression, subroutine: ast.SubroutineSymbol) -> Expr:
    """Convert a call of a user's function, task or method; a task's has width 0."""
    sampled = convert_group_method(state, node)
    if sampled is not None:
        return sampled
    layout = state.layout(node.type)
    width = 0 if layout.kind == VOID else layout_of(state, node).width
    if subroutine.flags & ast.MethodFlags.BuiltIn:
        return _built_in_method(state, node, subroutine, width)
    owner = node.thisClass
    if owner is not None and is_virtual(owner.type):
        if free_receiver(state, node) is not None:
            return value_through(state, owner, node, lambda: convert_user_call(state, node, subroutine))
        function, path = function_of(state, owner, subroutine)
        return Call(function, convert_arguments(state, subroutine, node), width, state.context.span(node), path=path)
    bound, indices = bound_references(state, subroutine, node)
    if bound:
        function = state.context.bound_function(subroutine, bound)
        args = (*convert_arguments(state, subroutine, node, bound), *indices)
        return Call(function, args, width, state.context.span(node))
    function, path = state.context.callee(subroutine)
    receiver = None
    if subroutine.thisVar is not None or subroutine.flags & ast.MethodFlags.Pure:
        receiver = value_of(state, owner) if owner is not None else implicit_object(state, subroutine, node)
        if receiver is None:
            state.context.unsupported("a method without an object here", node)
    args = convert_arguments(state, subroutine, node)
    virtual = receiver is not None and subroutine.isVirtual and not _is_direct(node)
    return Call(function, args, width, state.context.span(node), receiver, virtual, path)


def _is_direct(node: ast.CallExpression) -> bool:
    """Say whether a call names the class whose method it means: `super.f()`, `base::f()` (IEEE 1800-2023 8.15)."""
    name = getattr(node.syntax, "left", None)
    return isinstance(name, syntax.ScopedNameSyntax) and (
        name.separator.valueText == "::" or name.left.kind == syntax.SyntaxKind.SuperHandle
    )


def _built_in_method(state: State, node: ast.CallExpression, subroutine: ast.SubroutineSymbol, width: int) -> Expr:
    """Convert a method of a mailbox, semaphore or process, or one that every object has."""
    scope, _, _ = subroutine.hierarchicalPath.rpartition("::")
    standard = scope.startswith("std::")
    prefix = scope.removeprefix("std::").partition("#")[0] if standard else "class"
    if subroutine.name in ("pre_randomize", "post_randomize"):
        return constant(0, 0)
    args: list[Expr] = []
    types: list[Type | None] = []
    signs: list[bool] = []
    if not subroutine.flags & ast.MethodFlags.Static:
        owner = value_of(state, node.thisClass) if node.thisClass is not None else state.this
        if owner is None:
            state.context.unsupported("a method without an object here", node)
        args.append(owner)
        types.append(state.context.describe(node.thisClass.type) if node.thisClass is not None else None)
        signs.append(False)
        if subroutine.name in ("rand_mode", "constraint_mode"):
            args.append(Text(""))
            types.append(None)
            signs.append(False)
    for formal, actual in zip(subroutine.arguments, node.arguments, strict=True):
        if formal.direction == ast.ArgumentDirection.In:
            args.append(assigned(state, actual, actual.type))
        elif isinstance(actual, ast.AssignmentExpression):
            actual = actual.left
            args.append(lvalue_of(state, actual))
        else:
            args.append(lvalue_of(state, actual))
        layout = layout_of(state, actual)
        types.append(typed(state, actual, layout))
        signs.append(layout.signed)
    result = state.layout(node.type)
    return SystemCall(
        f"{prefix}.{subroutine.name}",
        tuple(args),
        width,
        result.signed,
        state.context.span(node),
        state.context.describe(node.type) if result.has_word else None,
        tuple(signs),
        tuple(types),
    )
