"""System functions, and the methods of enums and arrays.

What slang can evaluate is a constant. `$clog2`, `$countones` and their like are operations of the design; functions of
the simulation's state (`$random`, `$time`, `$value$plusargs`, file input) are left to it as `SystemCall`. A string
literal among the arguments stays a `Text`.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING

from pyslang import ast, syntax

from weft.ir.design import Binary, Const, Expr, Real, SystemCall, Text, Type, Unary
from weft.lang.sv.build import bits_of, choose, concat, constant, known, resize
from weft.lang.sv.casts import convert_cast
from weft.lang.sv.constants import decode_text, flatten, index_value, literal_text
from weft.lang.sv.containers import convert_container_method, convert_query
from weft.lang.sv.dispatch import LVALUES, layout_of, lvalue_of, value_of
from weft.lang.sv.events import convert_triggered
from weft.lang.sv.iterations import ITERATIONS, LOCATORS, ORDERING, convert_iteration
from weft.lang.sv.ownership import typed
from weft.lang.sv.randomize import convert_mode, convert_randomize
from weft.lang.sv.reals import as_real
from weft.lang.sv.sampling import convert_matched, convert_sampled
from weft.lang.sv.shapes import elements_of, to_stream
from weft.lang.sv.strings import STRING_TYPE, convert_string_method
from weft.lang.sv.types import ARRAY, CONTAINER, EVENT, STRING, STRUCT, Layout

if TYPE_CHECKING:
    from weft.lang.sv.state import State

Arguments = list[ast.Expression]
SystemFunction = Callable[["State", ast.CallExpression, Arguments], Expr]


def add_system_functions(compilation: ast.Compilation) -> None:
    """Tell slang of `$simtime`, which is in no standard, and which testbenches use all the same."""
    time = compilation.getType(syntax.SyntaxKind.TimeType)
    compilation.addSystemSubroutine(ast.NonConstantFunction("$simtime", time))


def convert_system_call(state: State, node: ast.CallExpression, info: ast.CallExpression.SystemCallInfo) -> Expr:
    """Convert a call of a system function or built-in method whose value slang has not kept."""
    name = node.subroutineName
    arguments = list(node.arguments)
    handler = _FUNCTIONS.get(name)
    if handler is not None:
        return handler(state, node, arguments)
    if name in _OF_THE_SIMULATION:
        return _convert_simulation_call(state, node, arguments)
    if name == "randomize":
        return convert_randomize(state, node, arguments)
    if name in ("rand_mode", "constraint_mode"):
        return convert_mode(state, node, arguments)
    if name in _QUERIES and arguments:
        query = convert_query(state, node, arguments)
        if query is not None:
            return query
    method = _method(state, name, arguments)
    if method is not None:
        return method(state, node, arguments)
    value = node.eval(ast.EvalContext(info.scope.compilationUnit)).value
    result = Text(value) if isinstance(value, str) else flatten(value, state.layout(node.type))
    if result is None:
        what = f"the system function '{name}'" if name.startswith("$") else f"the method '{name}'"
        state.context.unsupported(what, node)
    return result


_QUERIES = frozenset({"$size", "$left", "$right", "$low", "$high", "$increment", "$bits"})


def _method(state: State, name: str, arguments: Arguments) -> SystemFunction | None:
    """Return what converts a built-in method, by the type that it is a method of."""
    if name.startswith("$") or not arguments:
        return None
    receiver = arguments[0]
    if isinstance(receiver, ast.AssertionInstanceExpression):
        return {"triggered": convert_triggered, "matched": convert_matched}.get(name)
    kind = state.layout(receiver.type).kind
    if name == "index" and isinstance(receiver, ast.NamedValueExpression) and receiver.symbol in state.indices:
        return _container_index
    if kind == CONTAINER:
        return convert_iteration if name in ITERATIONS else convert_container_method
    if kind == ARRAY and name in ORDERING | LOCATORS:
        return convert_iteration
    if kind == STRING:
        return convert_string_method
    return _METHODS.get(name) if kind <= STRUCT or kind == EVENT or name == "triggered" else None


def _container_index(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
    receiver = arguments[0]
    assert isinstance(receiver, ast.NamedValueExpression)
    if len(arguments) > 1 and index_value(arguments[1]) != 1:
        state.context.unsupported("the index of an inner dimension", node)
    return state.indices[receiver.symbol]


# --------------------------------------------------------------------------------------- functions of the simulation

_OF_THE_SIMULATION: dict[str, tuple[int, ...]] = {
    "$random": (),
    "$urandom": (),
    "$urandom_range": (),
    "$time": (),
    "$stime": (),
    "$simtime": (),
    "$realtime": (),
    "$test$plusargs": (0,),
    "$value$plusargs": (0,),
    "$sformatf": (0,),
    "$fopen": (0, 1),
    "$fgetc": (),
    "$fgets": (),
    "$feof": (),
    "$ferror": (),
    "$fread": (),
    "$fscanf": (1,),
    "$sscanf": (1,),
    "$ftell": (),
    "$fseek": (),
    "$rewind": (),
    "$ungetc": (),
    "$fflush": (),
    "$fclose": (),
    "$system": (0,),
    "$psprintf": (0,),
    "$dist_uniform": (),
    "$dist_normal": (),
    "$dist_exponential": (),
    "$dist_poisson": (),
    "$dist_chi_square": (),
    "$dist_t": (),
    "$dist_erlang": (),
    "$q_full": (),
    "$countdrivers": (),
    "$get_coverage": (),
    "$rtoi": (),
    "$bitstoreal": (),
    "$realtobits": (),
    "$bitstoshortreal": (),
    "$shortrealtobits": (),
    **dict.fromkeys(("$ln", "$log10", "$exp", "$sqrt", "$pow", "$floor", "$ceil"), ()),
    **dict.fromkeys(("$sin", "$cos", "$tan", "$asin", "$acos", "$atan", "$atan2", "$hypot"), ()),
    **dict.fromkeys(("$sinh", "$cosh", "$tanh", "$asinh", "$acosh", "$atanh"), ()),
}
"""The functions that depend on the simulation or compute with reals, and which of their arguments are strings."""

_SEEDED = frozenset({"$random", "$urandom"})
"""The functions that change their seed, which slang takes for a value, other than that of `$dist_normal`."""

_DISTRIBUTIONS = ("uniform", "normal", "exponential", "poisson", "chi_square", "t", "erlang")
_WITH_SIGNS = _SEEDED | {"$sformatf", "$psprintf", *(f"$dist_{name}" for name in _DISTRIBUTIONS)}
"""The functions to which it matters whether an argument is signed."""


def _convert_simulation_call(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
    name = node.subroutineName
    layout = state.layout(node.type)
    texts = _OF_THE_SIMULATION[name]
    args = tuple(convert_argument(state, argument, i in texts) or Text("") for i, argument in enumerate(arguments))
    if name in _SEEDED and arguments:
        args = (_seed(state, arguments[0], args[0]), *args[1:])
    return SystemCall(
        name,
        args,
        layout.width,
        layout.signed,
        state.context.span(node),
        state.context.describe(node.type) if layout.has_word else None,
        tuple(state.layout(argument.type).signed for argument in arguments) if name in _WITH_SIGNS else (),
        argument_types(state, arguments, texts),
    )


def _seed(state: State, node: ast.Expression, value: Expr) -> Expr:
    """Return the variable that a seed is, whatever slang has converted it to; a constant stays a value."""
    while isinstance(node, ast.ConversionExpression):
        node = node.operand
    return lvalue_of(state, node) if type(node) in LVALUES else value


def argument_types(state: State, arguments: Arguments, texts: Container[int] = ()) -> tuple[Type | None, ...]:
    """Return the types of arguments that are no plain vectors, nothing if none is; `texts` are given as text."""
    nodes = [_unconverted(argument) if i in texts else argument for i, argument in enumerate(arguments)]
    types = tuple(typed(state, node, state.layout(node.type)) for node in nodes)
    return types if any(types) else ()


def _unconverted(node: ast.Expression) -> ast.Expression:
    """Return what was given for an argument before it became a string."""
    while isinstance(node, ast.ConversionExpression) and node.isImplicit:
        node = node.operand
    return node


def convert_argument(state: State, node: ast.Expression, text: bool = False) -> Expr | None:
    """Convert an argument of a system task or function; None if it is left out.

    A string literal is a `Text`, and so is a parameter without a type that stands for one (IEEE 1800-2023 6.20.2), as
    Icarus Verilog and Verilator show it; where a string is wanted (`text`), so is any constant.
    """
    if isinstance(node, ast.EmptyArgumentExpression):
        return None
    if isinstance(node, ast.AssignmentExpression) and node.isLValueArg:
        return lvalue_of(state, node.left)
    if isinstance(node, ast.AssignmentExpression):
        state.context.unsupported("an output argument of another type than the system's", node)
    if isinstance(node, ast.ArbitrarySymbolExpression):
        return Text(state.context.absolute_path(node.symbol))
    if text:
        node = _unconverted(node)
    if isinstance(node, ast.StringLiteral):
        return Text(literal_text(node))
    value = value_of(state, node)
    if isinstance(value, Const) and not value.unknown and (text or node.isImplicitString):
        return Text(decode_text(value))
    return value


# ------------------------------------------------------------------------------------------------- bit vectors


def _bits(state: State, node: ast.Expression) -> Expr:
    """Return any fixed-size value as a vector."""
    return to_stream(value_of(state, node), layout_of(state, node))


def _same(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
    return value_of(state, arguments[0])


def _vector_function(op: str) -> SystemFunction:
    def convert(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
        return Unary(op, _bits(state, arguments[0]), layout_of(state, node).width)

    return convert


def _count_bits(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
    """Convert `$countbits`: the bits of a value that are `===` to any of the control bits (IEEE 1800-2023 20.9)."""
    value = _bits(state, arguments[0])
    width = layout_of(state, node).width
    controls = {c if isinstance(c, Const) else id(c): c for c in (_control(state, a) for a in arguments[1:])}
    matches: list[Expr] = []
    for i in range(value.width):
        bit = bits_of(value, i, 1)
        tests = [Binary("ceq", bit, control, 1) for control in controls.values()]
        match: Expr = tests[0]
        for test in tests[1:]:
            match = Binary("or", match, test, 1)
        matches.append(match)
    return Unary("countones", concat(matches), width)


def _control(state: State, node: ast.Expression) -> Expr:
    return bits_of(value_of(state, node), 0, 1)


def _real(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
    return as_real(value_of(state, arguments[0]), layout_of(state, arguments[0]))


def _bit_width(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
    layout = layout_of(state, arguments[0])
    return constant(layout_of(state, node).width, layout.width)


# ------------------------------------------------------------------------------------------------- enums


def _enum_values(node: ast.Expression) -> list[ast.EnumValueSymbol]:
    enum = node.type.canonicalType
    if not isinstance(enum, ast.EnumType):
        return []
    return [member for member in enum if isinstance(member, ast.EnumValueSymbol)]


def _enum_step(direction: int) -> SystemFunction:
    """Convert `next` or `prev`: a choice by the present value (IEEE 1800-2023 6.19.5)."""

    def convert(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
        receiver = arguments[0]
        layout = layout_of(state, receiver)
        values = [flatten(member.value.value, layout) for member in _enum_values(receiver)]
        present = [value for value in values if value is not None]
        count = 1
        if len(arguments) > 1:
            steps = value_of(state, arguments[1])
            if not isinstance(steps, Const):
                return _enum_walk(value_of(state, receiver), present, steps, direction, layout)
            count = steps.value
        subject = value_of(state, receiver)
        # A value that is no member has the default of the base type after it.
        result: Expr = constant(layout.width, 0, (1 << layout.width) - 1 if layout.four_state else 0)
        for i, value in reversed(list(enumerate(present))):
            follower = present[(i + direction * count) % len(present)]
            result = choose(Binary("ceq", subject, value, 1), follower, result)
        return result

    return convert


def _enum_walk(subject: Expr, members: list[Const | Real], steps: Expr, direction: int, layout: Layout) -> Expr:
    """Return the member that lies a number of steps from the present one, which is known when it runs."""
    count = len(members)
    wide = resize(known(steps), 64, False)
    ahead: Expr = Binary("umod", wide, constant(64, count), 64)
    if direction < 0:
        ahead = Binary("sub", constant(64, count), ahead, 64)
    position: Expr = constant(64, 0)
    for i, member in reversed(list(enumerate(members))):
        position = choose(Binary("ceq", subject, member, 1), constant(64, i), position)
    number = Binary("umod", Binary("add", position, ahead, 64), constant(64, count), 64)
    table = concat(list(members[::-1]))
    found = bits_of(table, resize(Binary("mul", number, constant(64, layout.width), 64), 65, False), layout.width)
    default = constant(layout.width, 0, (1 << layout.width) - 1 if layout.four_state else 0)
    test: Expr = constant(1, 0)
    for member in members:
        test = Binary("or", test, Binary("ceq", subject, member, 1), 1)
    return choose(test, found, default)


def _enum_name(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
    """Leave `name` to the simulation: its arguments are the value, then each member's name and value."""
    receiver = arguments[0]
    layout = layout_of(state, receiver)
    args: list[Expr] = [value_of(state, receiver)]
    for member in _enum_values(receiver):
        value = flatten(member.value.value, layout)
        assert value is not None
        args += Text(member.name), value
    return SystemCall("name", tuple(args), 64, span=state.context.span(node), type=STRING_TYPE)


# ------------------------------------------------------------------------------------------------- arrays


def _reduction(op: str) -> SystemFunction:
    """Convert an array reduction method, with or without a `with` clause (IEEE 1800-2023 7.12.3)."""

    def convert(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
        layout = layout_of(state, node)
        array = layout_of(state, arguments[0])
        result: Expr | None = None
        for value in _reduced(state, node, arguments[0], array):
            result = value if result is None else Binary(op, result, value, layout.width)
        assert result is not None
        return result

    return convert


def _reduced(state: State, node: ast.CallExpression, receiver: ast.Expression, array: Layout) -> list[Expr]:
    flat = value_of(state, receiver)
    single = array if array.kind == ARRAY else Layout(ARRAY, array.width, count=array.count, element=array.element)
    info = node.subroutine
    extra = info.extraInfo if not isinstance(info, ast.SubroutineSymbol) else None
    elements = elements_of(flat, single) if extra is None else _outer_elements(flat, single)
    if not isinstance(extra, ast.CallExpression.IteratorCallInfo):
        return [value for value, _ in elements]
    results: list[Expr] = []
    for i, (value, _) in enumerate(elements):
        state.iterators[extra.iterVar] = (value, array.low + i)
        results.append(value_of(state, extra.iterExpr))
    del state.iterators[extra.iterVar]
    return results


def _outer_elements(flat: Expr, layout: Layout) -> list[tuple[Expr, Layout]]:
    element = layout.element
    assert element is not None
    return [(bits_of(flat, i * element.width, element.width), element) for i in range(layout.count)]


def _iterator_index(state: State, node: ast.CallExpression, arguments: Arguments) -> Expr:
    receiver = arguments[0]
    if not isinstance(receiver, ast.NamedValueExpression) or receiver.symbol not in state.iterators:
        state.context.unsupported("the method 'index' here", node)
    return constant(32, state.iterators[receiver.symbol][1] & 0xFFFFFFFF)


_FUNCTIONS: dict[str, SystemFunction] = {
    "$cast": convert_cast,
    "$signed": _same,
    "$unsigned": _same,
    "$bits": _bit_width,
    "$itor": _real,
    "$clog2": _vector_function("clog2"),
    "$countones": _vector_function("countones"),
    "$onehot": _vector_function("onehot"),
    "$onehot0": _vector_function("onehot0"),
    "$isunknown": _vector_function("isunknown"),
    "$countbits": _count_bits,
    **dict.fromkeys(("$sampled", "$past", "$rose", "$fell", "$stable", "$changed"), convert_sampled),
    **dict.fromkeys((f"${name}_gclk" for name in ("past", "rose", "fell", "stable", "changed")), convert_sampled),
}

_METHODS: dict[str, SystemFunction] = {
    "next": _enum_step(1),
    "prev": _enum_step(-1),
    "name": _enum_name,
    "sum": _reduction("add"),
    "product": _reduction("mul"),
    "and": _reduction("and"),
    "or": _reduction("or"),
    "xor": _reduction("xor"),
    "index": _iterator_index,
    "triggered": convert_triggered,
}
