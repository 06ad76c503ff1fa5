"""Classes (IEEE 1800-2023 clause 8): their properties, methods and constructors, and what is done with objects.

A `Class` is made for each class or specialisation when something first needs it, together with its bases and all its
methods, because any of them may be called by a virtual call. It belongs to the package or module that declares it: its
static properties are signals there (`key::name`), its methods functions. A property of an object is one flat vector.

The constructor calls the base's, gives the properties their initial values, then runs the body of `new` (8.7): the
standard's `super.new`, which can only come first, is taken out of the body.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false, reportUnnecessaryIsInstance=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pyslang import ast, syntax

from weft.base.dataclass import dataclass, field
from weft.ir.design import (
    Assign,
    Block,
    Call,
    Class,
    Evaluate,
    Expr,
    Field,
    Function,
    New,
    Ref,
    Signal,
    Statement,
    SystemCall,
    Type,
)
from weft.lang.sv.arguments import convert_arguments
from weft.lang.sv.dispatch import value_of
from weft.lang.sv.leaf_values import convert_initializer
from weft.lang.sv.ownership import assigned, vector_signal
from weft.lang.sv.randomize import convert_block
from weft.lang.sv.side_effects import held_value

if TYPE_CHECKING:
    from weft.lang.sv.state import State


@dataclass(slots=True, eq=False)
class ObjectTable:
    """Hold what all contexts of one design know of classes: each class, and the signal of each property."""

    classes: dict[ast.Type, Class] = field(default_factory=dict[ast.Type, Class])
    fields: dict[ast.Symbol, Signal] = field(default_factory=dict[ast.Symbol, Signal])
    pending: list[tuple[State, ast.ClassType, Class]] = field(
        default_factory=list["tuple[State, ast.ClassType, Class]"]
    )
    busy: bool = False
    event: Class | None = None
    groups: dict[ast.Type, Any] = field(default_factory=dict[ast.Type, Any])

    def clear(self) -> None:
        """Let go of everything of slang's."""
        self.classes.clear()
        self.fields.clear()
        self.pending.clear()
        self.event = None
        self.groups.clear()


def class_of(state: State, found: ast.ClassType) -> Class:
    """Return the class that a type of slang's stands for, made with all that belongs to it when first asked for."""
    table = state.context.objects
    made = table.classes.get(found)
    if made is not None:
        return made
    made = _declare(state, found)
    if not table.busy:
        table.busy = True
        while table.pending:
            _complete(*table.pending.pop())
        table.busy = False
    return made


def _declare(state: State, found: ast.ClassType) -> Class:
    """Create a class with its fields, and with a constructor without a body if it needs one."""
    table = state.context.objects
    home = state.context.home_of(found)
    made = Class(found.name, home.class_key(found), span=home.span(found))
    table.classes[found] = made
    state.context.add_class(made)
    base = found.baseClass
    if isinstance(base, ast.ClassType):
        made.base = table.classes.get(base) or _declare(state, base)
    made.interfaces += [
        table.classes.get(one) or _declare(state, one)
        for one in found.implementedInterfaces
        if isinstance(one, ast.ClassType)
    ]
    initialised = False
    statics: list[ast.ClassPropertySymbol] = []
    for member in found:
        if not isinstance(member, ast.ClassPropertySymbol):
            continue
        if member.lifetime == ast.VariableLifetime.Static:
            home.declare(member, f"{made.key}::{member.name}")
            statics.append(member)
        else:
            signal = table.fields[member] = vector_signal(home.state, member, member.name)
            made.fields.append(signal)
            if member.randMode in (ast.RandMode.Rand, ast.RandMode.RandC):
                made.random[signal.name] = "rand" if member.randMode == ast.RandMode.Rand else "randc"
            initialised |= member.initializer is not None
    constructor = found.constructor
    if isinstance(constructor, ast.SubroutineSymbol):
        made.constructor = home.declare_function(constructor)
    elif initialised or (made.base is not None and made.base.constructor is not None):
        made.constructor = Function("new", span=made.span)
    for member in found:
        method = _method(member)
        if method is not None:
            made.methods[method.name] = home.declare_function(method)
    table.pending.append((home.state, found, made))
    outer = home.state.enter_method(None)
    for member in statics:
        if member.initializer is not None:
            convert_initializer(home, member, member.initializer)
    home.state.leave_subroutine(outer)
    return made


def _method(member: ast.Symbol) -> ast.SubroutineSymbol | None:
    """Return a member that is a method of the user's other than the constructor."""
    if isinstance(member, ast.MethodPrototypeSymbol):
        member = member.subroutine
    if not isinstance(member, ast.SubroutineSymbol):
        return None
    hidden = ast.MethodFlags.BuiltIn | ast.MethodFlags.Constructor | ast.MethodFlags.Randomize
    return None if member.flags & hidden else member


def _complete(state: State, found: ast.ClassType, made: Class) -> None:
    """Convert the bodies of the constructor and the methods."""
    home = state.context
    constructor = found.constructor
    if isinstance(constructor, ast.SubroutineSymbol):
        assert made.constructor is not None
        home.complete_function(constructor)
    elif made.constructor is not None:
        home.convert_inside(made.constructor, lambda: _implicit_constructor(state, found, made))
    for member in found:
        method = _method(member)
        if method is not None:
            home.complete_function(method)
        if isinstance(member, ast.ConstraintBlockSymbol):
            made.constraints.append(convert_block(state, member, this_signal(state, found)))


def _implicit_constructor(state: State, found: ast.ClassType, made: Class) -> Function:
    this = this_signal(state, found)
    outer = state.enter_method(Ref(this))
    before = constructor_prologue(state, found)
    state.leave_subroutine(outer)
    name = f"{made.name}::new"
    return Function("new", body=Block(tuple(before)), automatic=True, span=made.span, scope=name, this=this)


def this_signal(state: State, found: ast.ClassType) -> Signal:
    """Create the variable that holds the object on which a method is called."""
    return Signal("this", 64, state.context.describe(found), automatic=True, local=True)


def constructor_prologue(state: State, found: ast.ClassType) -> list[Statement]:
    """Return what a constructor does before its own body: the base's constructor, then the initial values."""
    table = state.context.objects
    made = class_of(state, found)
    this = state.this
    assert this is not None
    span = made.span
    statements: list[Statement] = []
    base, base_type = made.base, found.baseClass
    if base is not None and base.constructor is not None and isinstance(base_type, ast.ClassType):
        args = _base_arguments(state, found, base_type)
        statements.append(Evaluate(Call(base.constructor, args, 0, span, this), span))
    for member in found:
        if isinstance(member, ast.ClassPropertySymbol) and member in table.fields and member.initializer is not None:
            target = Field(this, table.fields[member], state.context.span(member))
            statements.append(Assign(target, assigned(state, member.initializer, member.type), True, target.span))
    return statements


def _base_arguments(state: State, found: ast.ClassType, base: ast.ClassType) -> tuple[Expr, ...]:
    """Return the arguments of the base's constructor, by `super.new` or `extends`; else their default values."""
    call = found.baseConstructorCall
    if isinstance(call, ast.NewClassExpression):
        call = call.constructorCall
    constructor = base.constructor
    if not isinstance(constructor, ast.SubroutineSymbol):
        return ()
    if isinstance(call, ast.CallExpression):
        return convert_arguments(state, constructor, call)
    home = state.context.home_of(base)
    defaults = [formal.defaultValue for formal in constructor.arguments]
    return tuple(value_of(home.state, default) for default in defaults if default is not None)


# ------------------------------------------------------------------------------------------------- objects


def property_of(state: State, symbol: ast.ClassPropertySymbol, owner: ast.Expression | None, node: object) -> Expr:
    """Return a property of an object; of the one that the present method is called on if there is no `owner`."""
    table = state.context.objects
    if symbol not in table.fields:
        class_of(state, class_around(symbol))
    this = held_value(state, owner) if owner is not None else implicit_object(state, symbol, node)
    if this is None:
        state.context.unsupported("a property without an object here", node)
    return Field(this, table.fields[symbol], state.context.span(node))


def implicit_object(state: State, symbol: ast.Symbol, node: object) -> Expr | None:
    """Return the object that a property or method without one belongs to.

    In a `randomize() with` call it is the object that is randomised, if it has such a thing (IEEE 1800-2023 18.7).
    """
    if state.randomized is None:
        return state.this
    value, found = state.randomized
    name = getattr(node, "syntax", None)
    if found is None or _is_local(getattr(name, "left", name)) or _is_local(name):
        return state.this if found is not None else value
    owner = class_around(symbol)
    while isinstance(found, ast.ClassType):
        if found is owner:
            return value
        found = found.baseClass.canonicalType if found.baseClass is not None else None
    return state.this


def _is_local(name: object) -> bool:
    return isinstance(name, syntax.ScopedNameSyntax) and name.left.kind == syntax.SyntaxKind.LocalScope


def class_around(symbol: ast.Symbol) -> ast.ClassType:
    """Return the class that a property or method is declared in; slang only gives its scope."""
    this = symbol.parentScope.lookupName("this")
    assert isinstance(this, ast.VariableSymbol), symbol.name
    found = this.type.canonicalType
    assert isinstance(found, ast.ClassType)
    return found


def is_method(subroutine: ast.SubroutineSymbol) -> bool:
    """Say whether a function or task belongs to a class."""
    return subroutine.thisVar is not None or bool(subroutine.flags & (ast.MethodFlags.Static | ast.MethodFlags.Pure))


def is_static(symbol: ast.Symbol) -> bool:
    """Say whether a symbol is a static property of a class."""
    return isinstance(symbol, ast.ClassPropertySymbol) and symbol.lifetime == ast.VariableLifetime.Static


def declare_statics(state: State, symbol: ast.Symbol) -> None:
    """See to it that the class of a static property is there, and so its signal."""
    class_of(state, class_around(symbol))


def convert_new(state: State, node: ast.Expression) -> Expr:
    """Convert `new` of a class."""
    new = cast("ast.NewClassExpression", node)
    found = node.type.canonicalType
    assert isinstance(found, ast.ClassType)
    call = new.constructorCall
    if is_built_in(found):
        args = list(call.arguments) if isinstance(call, ast.CallExpression) else []
        types = tuple(None for _ in args)
        values = tuple(value_of(state, argument) for argument in args)
        described = state.context.describe(node.type)
        return SystemCall(f"{found.name}.new", values, 64, False, state.context.span(node), described, types=types)
    made = class_of(state, found)
    constructor = found.constructor
    arguments: tuple[Expr, ...] = ()
    if isinstance(call, ast.CallExpression) and isinstance(constructor, ast.SubroutineSymbol):
        arguments = convert_arguments(state, constructor, call)
    return New(made, arguments, state.context.span(node))


def convert_copy(state: State, node: ast.Expression) -> Expr:
    """Convert `new object`, a shallow copy (IEEE 1800-2023 8.12)."""
    source = cast("ast.CopyClassExpression", node).sourceExpr
    described = state.context.describe(source.type)
    return SystemCall("class.copy", (value_of(state, source),), 64, False, state.context.span(node), described)


def is_built_in(found: ast.Type) -> bool:
    """Say whether a class is one of the standard package's: `mailbox`, `semaphore`, `process`."""
    return isinstance(found, ast.ClassType) and found.hierarchicalPath.startswith("std::")


def cast_object(state: State, target: Expr, source: Expr, wanted: ast.Type, node: ast.Expression) -> Expr:
    """Convert `$cast` of an object: 1 if it may be held by the target, which then holds it (IEEE 1800-2023 8.16)."""
    canonical = wanted.canonicalType
    if isinstance(canonical, ast.ClassType) and not is_built_in(canonical):
        class_of(state, canonical)
    described: Type = state.context.describe(wanted)
    span = state.context.span(node)
    return SystemCall("class.cast", (target, source), 32, True, span, types=(described, None))
