"""Compile what one display task prints to a template, for designs that print a line a cycle.

Most messages are literal text with numbers in it, and everything but the numbers is known before the run: the format,
the widths, where each value lies in the effect's record. So a message becomes one `struct` that takes the record apart
and one `%` template of Python's own that puts the text together, ten times as fast as walking the format each time.
`format_values` remains the meaning: specifications that Python's template does not have are formatted by it, value by
value, and a record with unknown bits is left to it altogether.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from operator import ne
from typing import Any

from weft.base.dataclass import dataclass
from weft.ir.cone_graph import Effect
from weft.ir.expressions import Text
from weft.ir.layout import container_bytes
from weft.sim.format_arguments import FormatContext, Value
from weft.sim.format_bases import decimal_digits
from weft.sim.format_specifications import Specification, split_format

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}

_LETTERS = "bodhsctvefg"
"""The specifications that `Specification.apply` knows."""

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class CompiledMessage:
    """Print one effect's records. With `to_file`, the first value is the descriptor."""

    unpack: Callable[[bytes, int], tuple[Any, ...]]
    values: int
    template: bytes
    conversions: tuple[tuple[int, Convert], ...]
    to_file: bool

    def text(self, records: bytes, at: int) -> tuple[int, bytes] | None:
        """Return the descriptor (1 if the task has none) and text of a record whose values begin at `at`.

        None if the record has unknown bits.
        """
        values = self.unpack(records, at)
        count = self.values
        if len(values) > count and any(values[count:]):
            return None
        if self.conversions or self.to_file or len(values) > count:
            shown = list(values[:count])
            for position, convert in self.conversions:
                shown[position] = convert(shown[position])
            if self.to_file:
                descriptor = shown.pop(0)
                return descriptor, self.template % tuple(shown)
            return 1, self.template % tuple(shown)
        return 1, self.template % values


def compile_message(
    effect: Effect, widths: Sequence[int], context: FormatContext, container: Callable[[int], int] = container_bytes
) -> CompiledMessage | None:
    """Return an effect's message compiled, or None for tasks that do more than print; `widths` is by argument.

    `context` is what formats such as `%t` look at when a record is printed; `container` returns in how many bytes a
    record keeps a value of some bits.
    """
    parts = _task_parts(effect.task.name)
    if parts is None:
        return None
    to_file, base, line_end = parts
    if to_file and (not effect.args or effect.args[0] < 0 or widths[0] > 64):
        return None
    builder = _Builder(effect, widths, context, container)
    if to_file:
        builder.take(0)
    builder.arguments(1 if to_file else 0, base)
    builder.template += line_end
    return builder.finish(to_file)


def _task_parts(name: str) -> tuple[bool, str, bytes] | None:
    """Return whether a task writes to a file, its default base and what ends its lines."""
    stem = name.removeprefix("$")
    to_file = stem.startswith("f")
    stem = stem.removeprefix("f")
    for kind, end in (("display", b"\n"), ("write", b""), ("strobe", b"\n")):
        if stem.startswith(kind) and stem[len(kind) :] in ("", "b", "o", "h"):
            return to_file, stem[len(kind) :] or "d", end
    return None


class _Builder:
    """Walk a message's arguments as `format_message` does, with places for the values.

    A record has the values of the arguments in their order, and a message shows each once, in the same order.
    """

    def __init__(
        self, effect: Effect, widths: Sequence[int], context: FormatContext, container: Callable[[int], int]
    ) -> None:
        self.effect, self.widths, self.context, self.container = effect, widths, context, container
        self.template = b""
        self.positions: list[int] = []
        self.conversions: list[tuple[int, Convert]] = []
        self.possible = True

    def arguments(self, at: int, base: str) -> None:
        """Add the arguments from one on."""
        effect = self.effect
        while at < len(effect.args):
            literal = self._literal(at)
            at += 1
            if isinstance(literal, str):
                at = self._format(literal, at)
            elif effect.args[at - 1] < 0:
                self.template += b" "
            else:
                self.template += self._show(at - 1, Specification("", base, False, False, False, None, None))

    def _literal(self, position: int) -> str | None:
        arguments = self.effect.task.args
        literal = arguments[position] if position < len(arguments) else None
        return literal.value if isinstance(literal, Text) else None

    def _format(self, text: str, at: int) -> int:
        """Add a format and the arguments that it takes; return the next argument."""
        for piece in split_format(text):
            if isinstance(piece, bytes):
                self.template += _escape(piece)
            elif not piece.takes_argument or at >= len(self.effect.args):
                # One that takes none may be an error, and one without its argument is: both print a warning each time.
                if piece.letter not in ("%", "m") or piece.takes_argument:
                    self.possible = False
                else:
                    self.template += _escape(piece.without_argument(FormatContext(self.effect.scope)))
            else:
                self.template += self._show(at, piece)
                at += 1
        return at

    def _show(self, position: int, piece: Specification) -> bytes:
        """Return the template of one argument."""
        if piece.letter not in _LETTERS:
            self.possible = False
            return b""
        if self.effect.args[position] < 0:
            self.possible &= piece.letter != "t"  # which depends on more than its argument
            return _escape(piece.apply(self._literal(position), self.context))
        width, field, signed = self.widths[position], piece.field, self._is_signed(position)
        if width <= 64 and not piece.left and not piece.plus:
            if piece.letter == "d":
                self.take(position)
                size = decimal_digits(width, signed) if field is None else field
                return f"%{'0' if piece.zeros and field else ''}{size or ''}d".encode()
            if piece.letter == "h" and not field:
                self.positions.append(position)
                return b"%x" if field == 0 else f"%0{-(-width // 4)}x".encode()
            if piece.letter == "c" and field is None:
                if width <= 8:
                    self.positions.append(position)
                else:
                    self._convert(position, lambda value: value & 0xFF)
                return b"%c"
            if piece.letter == "s" and not piece.zeros:
                size = (width + 7) // 8
                self._convert(position, _string_of(size, size if field is None else field))
                return b"%b"
        context = self.context
        self._convert(position, lambda value: piece.apply(Value(width, value, 0, signed), context))
        return b"%b"

    def _convert(self, position: int, convert: Convert) -> None:
        self.conversions.append((len(self.positions), convert))
        self.positions.append(position)

    def take(self, position: int) -> None:
        """Take a value of up to 64 bits from the record as a number with its sign."""
        width = self.widths[position]
        if self._is_signed(position):
            half, whole = 1 << (width - 1), 1 << width
            self._convert(position, lambda value: value - whole if value >= half else value)
        else:
            self.positions.append(position)

    def _is_signed(self, position: int) -> bool:
        signed = self.effect.task.signed
        return position < len(signed) and signed[position]

    def finish(self, to_file: bool) -> CompiledMessage | None:
        """Return the message, if it can be compiled."""
        if not self.possible:
            return None
        sizes = [self.container(self.widths[position]) for position in self.positions]
        wide = [place for place, size in enumerate(sizes) if size not in _CODES]
        planes = 2 if self.effect.unknowns else 1
        layout = struct.Struct("<" + "".join(planes * _CODES.get(size, f"{size}s") for size in sizes))
        conversions = [*((place, _from_bytes) for place in wide), *self.conversions]
        unpack = layout.unpack_from
        if planes == 2:
            zeros = [bytes(size) if place in wide else 0 for place, size in enumerate(sizes)]
            unpack = _unpack_planes(layout, zeros)
        return CompiledMessage(unpack, len(sizes), self.template, tuple(conversions), to_file)


def _unpack_planes(layout: struct.Struct, zeros: list[Any]) -> Callable[[bytes, int], tuple[Any, ...]]:
    """Return a function that returns the values of a record, then which of them have unknown bits."""

    def unpack(records: bytes, at: int) -> tuple[Any, ...]:
        both = layout.unpack_from(records, at)
        return (*both[::2], *map(ne, both[1::2], zeros))

    return unpack


def _string_of(size: int, field: int) -> Convert:
    """Return what shows a value of some bytes as `Specification` shows a `%s`, in a field of this size."""
    return lambda value: value.to_bytes(size, "big").lstrip(b"\0").replace(b"\0", b" ").rjust(field)


def _escape(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")


def _from_bytes(data: bytes) -> int:
    return int.from_bytes(data, "little")
