"""Virtual interfaces: variables that stand for one of several instances of an interface (IEEE 1800-2023 25.9).

slang has resolved each such type to one parameterisation of an interface. The instances of that in the design are
numbered in the order of the hierarchy; a virtual interface is the number of the one that it stands for, 0 for null. An
expression that reaches through a virtual interface is converted once for each instance, with the variable bound to it,
and the number chooses; a statement that assigns or calls through one likewise. So no engine knows virtual interfaces,
and with one instance of an interface they cost a comparison with null.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Case,
    CaseItem,
    Cond,
    Expr,
    Function,
    Ref,
    Statement,
    SystemCall,
    SystemTask,
    Type,
)
from weft.lang.sv.build import constant
from weft.lang.sv.dispatch import layout_of, value_of
from weft.lang.sv.side_effects import is_pure
from weft.lang.sv.symbol_facts import instances_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State

Path = tuple[str, ...]
Bodies = list[ast.InstanceBodySymbol]


def list_interfaces(root: ast.RootSymbol) -> dict[object, Bodies]:
    """Return the bodies of all instances of interfaces, by parameterisation, in the order of the hierarchy."""
    found: dict[object, Bodies] = {}
    for top in root.topInstances:
        _list_inside(top.body, found)
    return found


def _list_inside(scope: Iterable[ast.Symbol], found: dict[object, Bodies]) -> None:
    for symbol in scope:
        if isinstance(symbol, ast.GenerateBlockSymbol):
            if not symbol.isUninstantiated:
                _list_inside(symbol, found)
        elif isinstance(symbol, ast.GenerateBlockArraySymbol):
            _list_inside(symbol.entries, found)
        else:
            for instance in instances_of(symbol):
                if instance.isInterface:
                    found.setdefault(parameterisation(instance), []).append(instance.body)
                _list_inside(instance.body, found)


def parameterisation(instance: ast.InstanceSymbol) -> object:
    """Return what instances of one interface with the same parameters have in common."""
    body = instance.body
    values = tuple((parameter.name, _text(parameter)) for parameter in body.parameters)
    return body.definition.location.buffer.id, body.definition.location.offset, values


def _text(parameter: ast.ParameterSymbol | ast.TypeParameterSymbol) -> str:
    if isinstance(parameter, ast.ParameterSymbol):
        return str(parameter.value)
    return str(parameter.targetType.type.canonicalType)  # however the type is called


def is_virtual(slang_type: ast.Type) -> bool:
    """Say whether a type is that of a virtual interface."""
    return isinstance(slang_type.canonicalType, ast.VirtualInterfaceType)


def convert_interface(state: State, node: ast.Expression) -> Expr:
    """Convert the name of an interface, or of a modport of one, to the number of the instance."""
    assert isinstance(node, ast.ArbitrarySymbolExpression)
    symbol = node.symbol
    if isinstance(symbol, ast.ModportSymbol):
        body = symbol.parentScope.containingInstance
    elif isinstance(symbol, ast.InstanceSymbol) and symbol.isInterface:
        body = symbol.body
    else:
        state.context.unsupported("this name as a value", node)
    # The number differs among instances of a module that has an interface of its own.
    path = state.context.absolute_path(body.parentInstance)
    bodies = state.context.interfaces_like(body.parentInstance)
    number = next(i for i, other in enumerate(bodies) if other.parentInstance.hierarchicalPath == path)
    return constant(64, number + 1)


# ------------------------------------------------------------------------------------------------- members


def free_root(state: State, node: ast.Expression) -> ast.Expression | None:
    """Return the virtual interface through which a name with selects reaches, unless it is bound to an instance."""
    while isinstance(node, ast.ElementSelectExpression | ast.RangeSelectExpression | ast.MemberAccessExpression):
        inner = node.value
        if isinstance(node, ast.MemberAccessExpression) and is_virtual(inner.type):
            constant_member = isinstance(node.member, ast.ParameterSymbol | ast.EnumValueSymbol)
            return None if constant_member or bound_body(state, inner) is not None else inner
        node = inner
    return None


def bound_body(state: State, root: ast.Expression) -> ast.InstanceBodySymbol | None:
    """Return the body of the interface that a virtual interface is bound to, while something is converted for it."""
    if not state.bound:
        return None
    found = state.bound.get(root)
    if found is None and isinstance(root, ast.NamedValueExpression):
        found = state.bound.get(root.symbol)
    return found


def member_name(state: State, member: ast.Symbol) -> str:
    """Return the name below its interface of what a virtual interface has selected."""
    if isinstance(member, ast.ModportClockingSymbol):
        member = member.target
    if isinstance(member, ast.ModportPortSymbol):
        if member.internalSymbol is None:
            state.context.unsupported("a modport expression through a virtual interface", member)
        member = member.internalSymbol
    body = member.parentScope.containingInstance
    return member.hierarchicalPath[len(body.hierarchicalPath) + 1 :]


def value_through(state: State, root: ast.Expression, node: ast.Expression, convert: Callable[[], Expr]) -> Expr:
    """Return what `convert` makes of `node` for each instance that `root` may stand for, as the number says."""
    layout = state.layout(node.type)
    number = value_of(state, root)
    described = state.context.describe(node.type) if layout.has_word else None
    width = layout_of(state, node).width if layout.is_flat else 64
    return chosen(state, root, number, convert, width, described)


def chosen(
    state: State, root: ast.Expression, number: Expr, convert: Callable[[], Expr], width: int, kind: Type | None
) -> Expr:
    """Return the value of the instance with the given number; using null is an error when it happens."""
    span = state.context.span(root)
    result: Expr = SystemCall("$weft$null", (), width, span=span, type=kind)
    for i, body in reversed(list(enumerate(instances(state, root)))):
        kept = _bind(state, root, body, ())
        value = convert()
        state.bound = kept
        result = Cond(Binary("eq", number, constant(64, i + 1), 1), value, result, width)
    return result


def instances(state: State, root: ast.Expression) -> Bodies:
    """Return the bodies of the instances that a virtual interface may stand for."""
    virtual = root.type.canonicalType
    assert isinstance(virtual, ast.VirtualInterfaceType)
    return state.context.interfaces_like(virtual.iface)


def _bind(
    state: State, root: ast.Expression, body: ast.InstanceBodySymbol, more: tuple[ast.Symbol, ...]
) -> dict[ast.Expression | ast.Symbol, ast.InstanceBodySymbol]:
    """Bind a virtual interface to an instance; return the bindings before."""
    kept = state.bound
    state.bound = {**kept, root: body, **dict.fromkeys(more, body)}
    return kept


def function_of(state: State, root: ast.Expression, subroutine: ast.SubroutineSymbol) -> tuple[Function, Path]:
    """Return the function or task of the instance that a virtual interface is bound to, and the path to it."""
    body = bound_body(state, root)
    assert body is not None
    return state.context.function_in(body, subroutine, member_name(state, subroutine))


# ------------------------------------------------------------------------------------------------- statements


def statement_through(
    state: State, node: ast.Expression, targets: Iterable[ast.Expression], convert: Callable[[], Statement]
) -> Statement:
    """Convert a statement, for each instance that a virtual interface in its `targets` may stand for if there is one.

    The statement's other uses of the same variable mean the same instance then, unless a call could change it.
    """
    root = next((found for target in targets if (found := target_root(state, target)) is not None), None)
    if root is None:
        return convert()
    span = state.context.span(node)
    number = value_of(state, root)
    before: list[Statement] = []
    if not isinstance(number, Ref):
        holder = Ref(state.context.temporary("interface", 64))
        before.append(Assign(holder, number, True, span))
        number = holder
    same = (root.symbol,) if isinstance(root, ast.NamedValueExpression) and _calls_nothing(node) else ()
    items: list[CaseItem] = []
    for i, body in enumerate(instances(state, root)):
        kept = _bind(state, root, body, same)
        branch = statement_through(state, node, targets, convert)
        state.bound = kept
        items.append(CaseItem((constant(64, i + 1),), branch))
    null = SystemTask("$weft$null", (), (), state.context.span(root), state.scope)
    choice = Case("case", number, tuple(items), null, span=span)
    return Block((*before, choice)) if before else choice


def _calls_nothing(node: ast.Expression) -> bool:
    return is_pure(node.right) if isinstance(node, ast.AssignmentExpression) else False


def target_root(state: State, node: ast.Expression) -> ast.Expression | None:
    """Return a free virtual interface through which a target of an assignment reaches, or the receiver of a call."""
    match node:
        case ast.ConcatenationExpression():
            parts = node.operands
        case ast.SimpleAssignmentPatternExpression():
            parts = node.elements
        case ast.AssignmentExpression():
            parts = [node.left]
        case ast.CallExpression():
            return free_receiver(state, node)
        case _:
            return free_root(state, node)
    return next((found for part in parts if (found := target_root(state, part)) is not None), None)


def free_receiver(state: State, call: ast.CallExpression) -> ast.Expression | None:
    """Return the virtual interface whose function or task a call means, unless it is bound."""
    owner = call.thisClass
    if owner is None or not is_virtual(owner.type) or bound_body(state, owner) is not None:
        return None
    return owner


def targets_of(node: ast.Expression) -> list[ast.Expression]:
    """Return what an expression that is a statement assigns or calls."""
    match node:
        case ast.AssignmentExpression():
            return [node.left]
        case ast.UnaryExpression():
            return [node.operand]
        case ast.CallExpression():
            return [node, *_written_arguments(node)]
        case _:
            return []


def _written_arguments(call: ast.CallExpression) -> list[ast.Expression]:
    arguments: list[ast.Expression] = [
        argument for argument in call.arguments if isinstance(argument, ast.AssignmentExpression)
    ]
    if call.isSystemCall and call.arguments and not call.subroutineName.startswith("$"):
        return [call.arguments[0]]  # the container that a method changes
    subroutine = call.subroutine
    if isinstance(subroutine, ast.SubroutineSymbol):
        pairs = zip(subroutine.arguments, call.arguments, strict=True)
        references = [actual for formal, actual in pairs if formal.direction == ast.ArgumentDirection.Ref]
        return [*arguments, *references]
    return arguments
