"""Runs SystemVerilog functions twice: as slang evaluates constant functions, and as Weft converts them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pyslang import Diags, ast, syntax
from tests.lang.evaluator import Value, call_function, ones

from weft.ir.design import Const, Design, Function, Module
from weft.lang.sv.constants import flatten
from weft.lang.sv.context import ModuleContext
from weft.lang.sv.elaboration import Elaboration
from weft.lang.sv.functions import convert_function
from weft.lang.sv.source_index import SourceIndex
from weft.lang.sv.types import LayoutTable

_REFUSED_BY_SLANG = {Diags.IndexValueInvalid, Diags.SysFuncNotConst}
"""What slang does not evaluate, where the standard has a meaning: an unknown index in an indexed part select."""


@dataclass
class Snippet:
    """Hold one elaborated module `m` and the context of its body."""

    compilation: ast.Compilation
    body: ast.InstanceBodySymbol
    context: ModuleContext

    def function(self, name: str = "f") -> Function:
        symbol = self.body.find(name)
        assert isinstance(symbol, ast.SubroutineSymbol)
        return self.context.function(symbol)

    def parameter(self, name: str) -> Const | None:
        """Return the value of a parameter; None where slang refuses to compute it."""
        symbol = self.body.find(name)
        assert isinstance(symbol, ast.ParameterSymbol)
        value = symbol.value.value
        return None if value is None else flatten(value, LayoutTable()(symbol.type))


def elaborate(source: str) -> Snippet:
    """Elaborate a module `m`, whose text is given without its head and end, and assert that slang finds no error."""
    tree = syntax.SyntaxTree.fromText(f"module m;\n{source}\nendmodule\n", "m.sv")
    compilation = ast.Compilation()
    compilation.addSyntaxTree(tree)
    body = compilation.getRoot().topInstances[0].body
    diagnostics = [d for d in compilation.getAllDiagnostics() if d.isError() and d.code not in _REFUSED_BY_SLANG]
    assert not diagnostics, [(str(d.code), d.args, d.location.offset) for d in diagnostics]
    index = SourceIndex(compilation.sourceManager)
    owner = Elaboration(
        compilation,
        index,
        Design(index.sources, [], []),
        convert_function,
        build=lambda context: None,
        declare=lambda context, scope: None,
    )
    return Snippet(compilation, body, owner.context_of(body))


def random_value(chance: random.Random, width: int, four_state: bool) -> Value:
    """Return a random value; extremes are frequent, and in some values a few bits are x or z."""
    kind = chance.randrange(8)
    bits = {0: 0, 1: ones(width), 2: 1, 3: 1 << (width - 1), 4: chance.randrange(min(1 << width, 16))}.get(
        kind, chance.getrandbits(width)
    )
    unknown = 0
    if four_state and chance.randrange(4) == 0:
        unknown = chance.getrandbits(width) & chance.getrandbits(width)
        bits = bits & ~unknown | (unknown & chance.getrandbits(width))
    return bits, unknown


def literal(value: Value, width: int) -> str:
    """Return a value as a literal of Verilog."""
    digits = "".join("01xz"[(value[0] >> i & 1) + 2 * (value[1] >> i & 1)] for i in reversed(range(width)))
    return f"{width}'b{digits}"


def check_against_slang(source: str, runs: int = 24, seed: int = 1) -> None:
    """Assert that function `f` of a module means the same to slang and to Weft, for random arguments."""
    first = elaborate(source)
    symbol = first.body.find("f")
    assert isinstance(symbol, ast.SubroutineSymbol)
    formals = [(str(a.type), a.type.bitWidth, a.type.isFourState) for a in symbol.arguments]
    chance = random.Random(seed)
    calls = [[random_value(chance, width, four_state) for _, width, four_state in formals] for _ in range(runs)]
    lines: list[str] = []
    for number, values in enumerate(calls):
        args = ", ".join(literal(value, width) for value, (_, width, _) in zip(values, formals, strict=True))
        lines.append(f"localparam type(f({args})) R{number} = f({args});")
    second = elaborate("\n".join([source, *lines]))
    function = second.function()
    compared = 0
    for number, values in enumerate(calls):
        wanted = second.parameter(f"R{number}")
        if wanted is None:
            continue
        compared += 1
        got = call_function(function, values)
        shown = [literal(value, width) for value, (_, width, _) in zip(values, formals, strict=True)]
        # slang leaves x bits in a 2-state result where a part select was out of range.
        bits = (wanted.value, wanted.unknown) if symbol.returnType.isFourState else (wanted.value & ~wanted.unknown, 0)
        expected = literal(bits, wanted.width)
        assert literal(got, wanted.width) == expected, (
            f"{source}: {shown} gave {literal(got, wanted.width)}, slang {expected}"
        )
    assert compared > runs // 3, "slang has computed too few of the calls"


__all__ = ["Module", "Snippet", "check_against_slang", "elaborate"]
