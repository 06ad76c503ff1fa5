"""Strengths and delays of assignments, net declarations and gates.

The strengths are read from the syntax, because pyslang 12 cannot return `driveStrength`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from pyslang import ast, syntax

from weft.ir.design import Delay
from weft.lang.sv.context import ModuleContext
from weft.lang.sv.timing import delay_of

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
    """Convert the delay of an assignment, net or gate: one, or those of a rise, a fall and a change to z."""
    match control:
        case None:
            return None
        case ast.DelayControl():
            return delay_of(context.state, control.expr)
        case ast.Delay3Control():
            return delay_of(context.state, control.expr1, control.expr2, control.expr3)
        case _:
            return context.unsupported("this delay", control)
