"""Apply one format specification, as `%-5d`, to one argument (IEEE 1800-2023 21.2.1), as Icarus Verilog does it.

Widths, `-`, `+`, `0` and a precision mean what they mean to C's printf; `%0d` drops the padding to a value's natural
width, as `%h` and its like with a zero alone drop leading zeros.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from weft.base.dataclass import dataclass
from weft.base.decimal_text import decimal_text
from weft.base.errors import Unsupported
from weft.base.text_bytes import text_bytes
from weft.sim.format_arguments import Argument, FormatContext, NetValue, Shaped, Value, as_value, number_of
from weft.sim.format_bases import decimal, decimal_digits, digits
from weft.sim.format_patterns import pattern_text

_SPECIFICATION = re.compile(r"%([-+]*)(0?)(\d*)(?:\.(\d*))?(.?)", re.DOTALL)
_KNOWN = "bodhsctvefgmlpuz%"
_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Specification:
    """Be one parsed specification. `field` is None without a width, 0 for `%0d`; `text` is it without the percent."""

    text: str
    letter: str
    left: bool
    plus: bool
    zeros: bool
    field: int | None
    precision: int | None

    @property
    def takes_argument(self) -> bool:
        """Say whether it consumes an argument."""
        return self.letter not in "%ml" and self.letter in _KNOWN

    def without_argument(self, context: FormatContext) -> bytes:
        """Return what a specification prints that takes no argument; one that is none prints as it is."""
        match self.letter:
            case "%":
                return b"%"
            case "m":
                return self._pad_bytes(text_bytes(context.scope))
            case "l":
                return f"work.{context.scope.partition('.')[0]}".encode()
            case "":
                self._warn(
                    context, f"a single % at the end of format string {context.task}<%> will be displayed as '%'"
                )
                return b"%"
            case _:
                return self.complain(context, "unknown format")

    def complain(self, context: FormatContext, problem: str) -> bytes:
        """Warn about the specification, and return what stands in its place."""
        self._warn(context, f"{problem} {context.task}<%{self.text}>")
        return text_bytes(f"<%{self.text}>")

    def _warn(self, context: FormatContext, text: str) -> None:
        if context.warn is not None:
            context.warn(text + ".")

    def apply(self, argument: Argument, context: FormatContext) -> bytes:
        """Return an argument formatted."""
        letter = self.letter
        if letter == "p":
            if not context.shapes:
                raise Unsupported("the format %p", context.span)
            return self._pad_bytes(pattern_text(argument, self.field == 0))
        if isinstance(argument, Shaped):
            argument = as_value(argument) if isinstance(argument.value, tuple) else argument.value
        if letter in "efg":
            return self._real(argument).encode()
        if letter == "s":
            return self._string(argument)
        value = as_value(argument)
        match letter:
            case "c":
                return self._pad_bytes(bytes([number_of(value) & 0xFF]))
            case "t":
                return self._time(argument, value, context)
            case "v":
                return self._pad_bytes(_strengths(value).encode())
            case "u" | "z":
                return _raw(value, letter == "z")
            case _:
                return self._digits(argument, value).encode()

    def _digits(self, argument: Argument, value: Value) -> str:
        """Return the digits in base 2, 8, 10 or 16; a real has no natural width."""
        real = isinstance(argument, float)
        letter = self.letter
        if letter == "d":
            text = decimal_text(number_of(value)) if real else decimal(value, 0)
            text = "+" + text if self.plus and text[0] != "-" else text
            natural = 0 if real else decimal_digits(value.width, value.signed)
            return self._pad(text, natural if self.field is None else self.field)
        text = digits(value, {"b": 1, "o": 3, "h": 4}[letter])
        if real or self.field == 0 or (self.left and self.zeros):
            text = text.lstrip("0") or "0"
        return self._pad(text, self.field or 0)

    def _pad(self, text: str, width: int) -> str:
        if self.left:
            return text.ljust(width)
        if self.zeros and width > len(text):
            sign, rest = (text[0], text[1:]) if text[0] in "+-" else ("", text)
            return sign + rest.rjust(width - len(sign), "0")
        return text.rjust(width)

    def _real(self, argument: Argument) -> str:
        value = argument if isinstance(argument, float) else float(number_of(as_value(argument)))
        zeros = self.zeros and math.isfinite(value)  # C pads what is no number with blanks
        flags = ("-" if self.left else "") + ("+" if self.plus else "") + ("0" if zeros else "")
        precision = "" if self.precision is None else f".{self.precision}"
        return f"%{flags}{self.field or ''}{precision}{self.letter}" % value

    def _string(self, argument: Argument) -> bytes:
        """Return an argument's characters: leading zero bytes are none, others print as spaces."""
        if isinstance(argument, str):
            text = text_bytes(argument)
        else:
            value = as_value(argument)
            known = value.value & ~value.unknown
            text = known.to_bytes((value.width + 7) // 8, "big")
        return self._pad_bytes(text.lstrip(b"\0").replace(b"\0", b" "), len(text))

    def _pad_bytes(self, text: bytes, natural: int = 0) -> bytes:
        width = natural if self.field is None else self.field
        fill = b"0" if self.zeros and self.letter == "c" else b" "
        return text.ljust(width) if self.left else text.rjust(width, fill)

    def _time(self, argument: Argument, value: Value, context: FormatContext) -> bytes:
        number = float(argument) if isinstance(argument, float) else decimal(value, 0)
        text = text_bytes(context.time_text(number, self.precision))
        width = context.time_width if self.field is None else self.field
        return text.ljust(width) if self.left else text.rjust(width, b"0" if self.zeros else b" ")


@lru_cache(maxsize=4096)
def split_format(text: str) -> tuple[bytes | Specification, ...]:
    """Cut a format string into literal bytes and specifications."""
    pieces: list[bytes | Specification] = []
    end = 0
    for match in _SPECIFICATION.finditer(text):
        if match.start() > end:
            pieces.append(text_bytes(text[end : match.start()]))
        flags, zero, width, precision, letter = match.groups()
        pieces.append(
            Specification(
                text=match[0][1:],
                letter="h" if letter in ("x", "X") else letter.lower(),
                left="-" in flags,
                plus="+" in flags,
                zeros=bool(zero),
                field=int(width) if width else (0 if zero else None),
                precision=int(precision or 0) if precision is not None else None,
            )
        )
        end = match.end()
    if end < len(text):
        pieces.append(text_bytes(text[end:]))
    return tuple(pieces)


# -------------------------------------------------------------------------------------------- other notations


def _strengths(value: Value) -> str:
    """Return `%v`; what is no net is driven strongly (21.2.1.5)."""
    if isinstance(value, NetValue) and value.strengths:
        return "_".join(value.strengths)
    bits = ((value.value >> at & 1, value.unknown >> at & 1) for at in reversed(range(value.width)))
    return "_".join(_STRONG[bit] for bit in bits)


_STRONG = {(0, 0): "St0", (1, 0): "St1", (0, 1): "StX", (1, 1): "HiZ"}


def strength_text(value: str, zero: int, one: int) -> str:
    """Return what `%v` shows for a bit `0`, `1`, `x` or `z` driven with strengths 0 (high impedance) to 7 (supply).

    `zero` and `one` are the strongest levels of the two sides; an x with one side at 0 is an L or H (28.12.4).
    """
    if value == "z":
        return "HiZ"
    names = ("Hi", "Sm", "Me", "We", "La", "Pu", "St", "Su")
    if value != "x":
        return names[zero if value == "0" else one] + value
    if not zero:
        return f"{names[one]}H"
    if not one:
        return f"{names[zero]}L"
    return f"{names[zero]}X" if zero == one else f"{zero}{one}X"


def _raw(value: Value, four_state: bool) -> bytes:
    """Return `%u` or `%z`: words of 32 bits, for `%z` each followed by its unknown plane as VPI has it (21.2.1.8)."""
    pieces: list[bytes] = []
    # VPI codes z as (0, 1) and x as (1, 1) in (aval, bval); here they are (1, 1) and (0, 1).
    plane = value.value ^ value.unknown if four_state else value.value & ~value.unknown
    for at in range(0, value.width, 32):
        pieces.append((plane >> at & _WORD).to_bytes(4, "little"))
        if four_state:
            pieces.append((value.unknown >> at & _WORD).to_bytes(4, "little"))
    return b"".join(pieces)
