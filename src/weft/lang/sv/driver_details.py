"""Strengths and delays of assignments, net declarations and gates.

The strengths are read from the syntax, because pyslang 12 cannot return `driveStrength`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from pyslang import ast, syntax

from weft.ir.design import Delay
from weft.lang.sv.context import ModuleContext
from weft.lang.sv.expressions import convert

STRONG = ("strong", "strong")


def drive_strength(symbol: ast.Symbol) -> tuple[str, str]:
    """Return the strengths with which a 0 and a 1 are driven (IEEE 1800-2023 6.3.2.2)."""
    declaration = symbol.syntax.parent if symbol.syntax is not None else None
    match getattr(declaration, "strength", None):
        case syntax.DriveStrengthSyntax() as found:
            words = (found.strength0.valueText, found.strength1.valueText)
            zero, one = sorted(words, key=lambda word: word[-1])
            return zero[:-1], one[:-1]
        case syntax.PullStrengthSyntax() as found:
            word = found.strength.valueText[:-1]
            return word, word
        case _:
            return STRONG


def convert_delay(context: ModuleContext, control: ast.TimingControl | None) -> Delay | None:
    """Convert the delay of an assignment or gate; different delays to 0, 1 and z are not supported."""
    if control is None:
        return None
    match control:
        case ast.DelayControl():
            value = control.expr
        case ast.Delay3Control() if control.expr2 is None:
            value = control.expr1
        case _:
            context.unsupported("a delay with several values", control)
    return Delay(convert(context, value))
