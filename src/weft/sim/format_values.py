"""Format values as `$display` and its family do (IEEE 1800-2023 21.2.1), byte for byte as Icarus Verilog prints them.

A message is a list of arguments: text, values, reals, or nothing (`$display(a,,b)` prints a space there). Any text
argument may hold format specifications, which take the arguments after it; a value that no specification takes prints
in the task's default base (`$displayh`).

The result is bytes, since %c, %s, %u and %z write any byte a design sends.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.sim.format_arguments import Argument, FormatContext, NetValue, RealTime, Shaped, Value
from weft.sim.format_bases import BASES
from weft.sim.format_patterns import pattern_text
from weft.sim.format_specifications import split_format

__all__ = [
    "Argument",
    "FormatContext",
    "NetValue",
    "RealTime",
    "Shaped",
    "Value",
    "format_first",
    "format_message",
]


def format_message(arguments: Sequence[Argument], context: FormatContext, base: str = "d") -> bytes:
    """Return what a display task prints for its arguments, without the line end."""
    pieces: list[bytes] = []
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        at += 1
        if isinstance(argument, Shaped) and isinstance(argument.value, str):
            argument = argument.value
        match argument:
            case None:
                pieces.append(b" ")
            case str():
                at = _format_text(argument, arguments, at, context, pieces)
            case RealTime():
                unit, precision = context.time_unit_fs, context.module_precision_fs or context.precision_fs
                pieces.append(b"%.*f" % (max(len(str(unit)) - len(str(precision)), 0), float(argument)))
            case float() | int():
                pieces.append(b"%#g" % argument)
            case Value():
                pieces.append(BASES[base](argument).encode())
            case Shaped(_, Value() as value) if not argument.type.unpacked:
                pieces.append(BASES[base](value).encode())
            case Shaped():
                pieces.append(pattern_text(argument, short=False))
    return b"".join(pieces)


def format_first(form: str, arguments: Sequence[Argument], context: FormatContext) -> bytes:
    """Return what one format string makes of its arguments (`$sformat`); warn if there are more than it takes."""
    pieces: list[bytes] = []
    taken = _format_text(form, arguments, 0, context, pieces)
    if taken < len(arguments) and context.warn is not None:
        context.warn(f"{context.task} has {len(arguments) - taken} extra argument(s).")
    return b"".join(pieces)


def _format_text(form: str, arguments: Sequence[Argument], at: int, context: FormatContext, pieces: list[bytes]) -> int:
    """Append what a format string prints; return the index of the first argument that it has not taken."""
    for piece in split_format(form):
        if isinstance(piece, bytes):
            pieces.append(piece)
        elif not piece.takes_argument:
            pieces.append(piece.without_argument(context))
        elif at >= len(arguments):
            pieces.append(piece.complain(context, "missing argument for"))
        else:
            pieces.append(piece.apply(arguments[at], context))
            at += 1
    return at
