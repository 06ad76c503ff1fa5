"""Specify blocks (IEEE 1800-2023 clause 30): their paths and timing checks; specparams are constants to slang."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from pyslang import ast

from weft.lang.sv.context import ModuleContext
from weft.lang.sv.specify_checks import convert_check
from weft.lang.sv.specify_paths import convert_path


def convert_specify_block(context: ModuleContext, block: ast.SpecifyBlockSymbol) -> None:
    """Add what a specify block says to the module.

    Raises Unsupported for pulse control other than the inertial delays that hold by default (30.7).
    """
    for symbol in block:
        match symbol:
            case ast.TimingPathSymbol():
                convert_path(context, symbol)
            case ast.SystemTimingCheckSymbol():
                convert_check(context, symbol)
            case ast.SpecparamSymbol() if symbol.isPathPulse:
                context.unsupported("PATHPULSE$ (pulse limits other than the path's delay)", symbol)
            case ast.PulseStyleSymbol() if symbol.pulseStyleKind == ast.PulseStyleKind.OnDetect:
                context.unsupported("pulsestyle_ondetect", symbol)
            case ast.PulseStyleSymbol() if symbol.pulseStyleKind == ast.PulseStyleKind.ShowCancelled:
                context.unsupported("showcancelled", symbol)
            case _:
                pass
