"""Read text by a format, as `$sscanf` and `$fscanf` do (IEEE 1800-2023 21.3.4.3), the way Icarus Verilog does.

A conversion is `%`, optionally `*` (read and drop) and a greatest width, and a letter. White space in the format skips
any white space, another character must match itself. The result is the number of arguments given, or -1 when the input
had ended before anything was read.

`%u` and `%z` read 32-bit words, least significant byte and word first; `%z` the two planes of each word as VPI codes
them (z is 0 and 1, x is 1 and 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from weft.base.dataclass import dataclass
from weft.sim.tasks.task_call import TaskCall

_EOF = -1
_SPACE = frozenset(b" \t\n\r\v\f")
_DIGITS = frozenset(b"0123456789")
_SETS = {
    "b": (frozenset(b"01xzXZ?_"), 1),
    "o": (frozenset(b"01234567xzXZ?_"), 3),
    "h": (frozenset(b"0123456789abcdefxzABCDEFXZ?_"), 4),
}
_ENDLESS = 1 << 62


class ByteSource(Protocol):
    """Give bytes one at a time; -1 at the end. `unget` puts back the last."""

    def get(self) -> int:
        """Return the next byte."""
        ...

    def unget(self, byte: int) -> None:
        """Put a byte back."""
        ...


class TextSource:
    """Be a string as a source."""

    def __init__(self, text: str) -> None:
        self._data, self._at = text.encode("latin-1"), 0

    def get(self) -> int:
        """Return the next byte, or -1."""
        if self._at >= len(self._data):
            return _EOF
        self._at += 1
        return self._data[self._at - 1]

    def unget(self, byte: int) -> None:
        """Put the last byte back."""
        self._at -= 1


@dataclass(frozen=True, slots=True)
class Conversion:
    """Be one conversion of a format."""

    letter: str
    drop: bool
    width: int


class Scanner:
    """Read one source by one format; `next_argument` is the index of the argument that the next conversion fills."""

    def __init__(self, call: TaskCall, source: ByteSource, first: int) -> None:
        self.call, self.source, self.next_argument = call, source, first
        self.count = 0

    def scan(self, form: str) -> int:
        """Read by a format and return the result of the function."""
        first = self._get()
        if first == _EOF:
            return _EOF
        self._unget(first)
        at = 0
        while at < len(form):
            character = form[at]
            if ord(character) in _SPACE:
                at += 1
                self._unget(self._skip_space())
            elif character != "%":
                byte = self._get()
                if byte != ord(character):
                    self._unget(byte)
                    break
                at += 1
            else:
                conversion, at = _parse(form, at + 1)
                if not self._convert(conversion):
                    break
        return self.count

    def _get(self) -> int:
        return self.source.get()

    def _unget(self, byte: int) -> None:
        if byte != _EOF:
            self.source.unget(byte)

    def _skip_space(self) -> int:
        """Return the first byte that is no white space."""
        byte = self._get()
        while byte in _SPACE:
            byte = self._get()
        return byte

    def _convert(self, conversion: Conversion) -> bool:
        """Do one conversion; say whether it matched."""
        letter = conversion.letter
        if letter == "%":
            byte = self._get()
            if byte != 0x25:
                self._unget(byte)
            return byte == 0x25
        reader = _READERS.get(letter)
        if reader is None:
            self.call.warn(f"{self.call.name}() unknown format code: {letter}")
            return False
        return reader(self, conversion)

    def _store(self, conversion: Conversion, put: Callable[[int], None]) -> bool:
        """Give what was read to the next argument, unless it is to be dropped."""
        if conversion.drop:
            return True
        if self.next_argument >= len(self.call.args):
            self.call.fail(f"{self.call.name}() ran out of variables for %{conversion.letter} format code.")
            return False
        put(self.next_argument)
        self.next_argument += 1
        self.count += 1
        return True

    # ------------------------------------------------------------------------------------------- conversions

    def read_base(self, conversion: Conversion) -> bool:
        """Read a binary, octal or hexadecimal number, with x, z and underscores."""
        allowed, bits = _SETS["h" if conversion.letter == "x" else conversion.letter]
        byte = self._skip_space()
        if conversion.width == 0 or byte == 0x5F:
            self._unget(byte)
            return False
        text = self._take(byte, allowed, conversion.width)
        if not text:
            return False
        value, unknown, width = parse_digits(text, bits)
        return self._store(conversion, lambda index: self.call.put(index, value, unknown, width))

    def _take(self, byte: int, allowed: frozenset[int], width: int) -> str:
        """Return the characters of a set from `byte` on, `width` of them at most."""
        text = bytearray()
        while byte in allowed and len(text) < width:
            text.append(byte)
            byte = self._get()
        self._unget(byte)
        return text.decode("latin-1")

    def read_decimal(self, conversion: Conversion) -> bool:
        """Read a decimal number with a sign, or one x or z."""
        byte = self._skip_space()
        width = conversion.width
        if width == 0 or byte == 0x5F:
            self._unget(byte)
            return False
        if byte != _EOF and chr(byte) in "xX?zZ":
            value = 1 if chr(byte) in "zZ" else 0
            return self._store(conversion, lambda index: self.call.put(index, value, 1, 1))
        sign = 1
        if byte in (0x2B, 0x2D):
            sign = -1 if byte == 0x2D else 1
            if width == 1:
                return False
            byte = self._get()
            if byte not in _DIGITS:
                self._unget(byte)
                return False
            width -= 1
        text = self._take(byte, _DIGITS | {0x5F}, width)
        if not text:
            return False
        return self._store(conversion, lambda index: self.call.put(index, sign * int(text.replace("_", "") or "0")))

    def read_real(self, conversion: Conversion) -> bool:
        """Read a real."""
        number = self._number(conversion.width)
        return number is not None and self._store(conversion, lambda index: self.call.put_real(index, number))

    def read_time(self, conversion: Conversion) -> bool:
        """Read a time in the unit of `$timeformat`, rounded to its digits, and scale it to the module's unit."""
        number = self._number(conversion.width)
        if number is None:
            return False
        formats = self.call.host.state.formats
        scale = 10.0**formats.time_digits
        whole = int(abs(number) * scale + 0.5)
        number = (whole if number >= 0 else -whole) / scale
        shown = formats.shown_unit_fs or formats.precision_fs
        unit = self.call.unit_fs
        scaled = number * (shown // unit) if shown >= unit else number / (unit // shown)
        return self._store(conversion, lambda index: self.call.put_real(index, scaled))

    def _number(self, width: int) -> float | None:
        """Return the real at the front of the source, or None if there is none within `width` characters."""
        byte = self._skip_space()
        if width == 0:
            self._unget(byte)
            return None
        text = bytearray()

        def take(allowed: frozenset[int], most: int = _ENDLESS) -> int:
            nonlocal byte
            taken = 0
            while byte in allowed and len(text) < width and taken < most:
                text.append(byte)
                byte = self._get()
                taken += 1
            return taken

        take(frozenset(b"+-"), 1)
        digits = take(_DIGITS)
        if take(frozenset(b"."), 1):
            digits += take(_DIGITS)
        exponent = digits and take(frozenset(b"eE"), 1)
        if exponent:
            take(frozenset(b"+-"), 1)
        matched = bool(digits and (not exponent or take(_DIGITS)))
        self._unget(byte)
        return float(text) if matched else None

    def read_character(self, conversion: Conversion) -> bool:
        """Read one character, white space included."""
        byte = self._get() if conversion.width else _EOF
        return byte != _EOF and self._store(conversion, lambda index: self.call.put(index, byte))

    def read_string(self, conversion: Conversion) -> bool:
        """Read characters up to white space."""
        byte = self._skip_space()
        if conversion.width == 0:
            self._unget(byte)
            return False
        text = bytearray()
        while byte != _EOF and byte not in _SPACE and len(text) < conversion.width:
            text.append(byte)
            byte = self._get()
        if not text:
            return False
        self._unget(byte)
        return self._store(conversion, lambda index: self.call.put_text(index, text.decode("latin-1")))

    def read_path(self, conversion: Conversion) -> bool:
        """Give the hierarchical path of the call; nothing is read."""
        return self._store(conversion, lambda index: self.call.put_text(index, self.call.scope))

    def read_words(self, conversion: Conversion) -> bool:
        """Read `%u` or `%z`: as many words as the argument has, or as the width, in bits, asks for."""
        if conversion.width == 0:
            return False
        planes = 2 if conversion.letter == "z" else 1
        given = conversion.width < _ENDLESS
        if given:
            words = (conversion.width + 31) // 32
        elif conversion.drop or self.next_argument >= len(self.call.args):
            words = 1
        else:
            words = (self.call.value(self.next_argument).width + 31) // 32
        data = bytearray()
        needed = words * 4 * planes
        while len(data) < needed:
            byte = self._get()
            if byte == _EOF:
                self.call.warn(
                    f"{self.call.name}() only found {len(data)} of {needed} bytes needed by "
                    f"%{conversion.letter} format code."
                )
                return False
            data.append(byte)
        value, unknown = _join_words(data, planes)
        if given:
            ones = (1 << conversion.width) - 1
            value, unknown = value & ones, unknown & ones
        return self._store(conversion, lambda index: self.call.put(index, value, unknown, _ENDLESS))

    def read_strength(self, conversion: Conversion) -> bool:
        """Read a strength as `%v` prints it, of which the value is kept: `St1`, `Pu0`, `HiZ`, `35X`."""
        byte = self._skip_space()
        text = self._take(byte, frozenset(range(33, 127)) - {0x5F}, min(conversion.width, 3))
        if len(text) != 3 or text[2] not in "01xXzZLH":
            return False
        value, unknown = {"0": (0, 0), "1": (1, 0), "z": (1, 1)}.get(text[2].lower(), (0, 1))
        return self._store(conversion, lambda index: self.call.put(index, value, unknown, 1))


def _parse(form: str, at: int) -> tuple[Conversion, int]:
    """Return the conversion whose percent is before `at`, and where the format goes on."""
    drop = form[at : at + 1] == "*"
    at += drop
    start = at
    while form[at : at + 1].isdigit():
        at += 1
    width = int(form[start:at]) if at > start else _ENDLESS
    return Conversion(form[at : at + 1], drop, width), at + 1


def parse_digits(text: str, bits: int) -> tuple[int, int, int]:
    """Return value, unknown plane and width of digits of `bits` bits, with x, z, `?` (x here) and underscores."""
    value = unknown = 0
    width = 0
    ones = (1 << bits) - 1
    for character in text.lower():
        if character == "_":
            continue
        value, unknown, width = value << bits, unknown << bits, width + bits
        if character in "x?z":
            unknown |= ones
            value |= ones if character == "z" else 0
        else:
            value |= int(character, 16)
    return value, unknown, max(width, 1)


def _join_words(data: bytes | bytearray, planes: int) -> tuple[int, int]:
    """Return value and unknown plane of words as VPI lays them out."""
    first = second = 0
    for number, at in enumerate(range(0, len(data), 4 * planes)):
        first |= int.from_bytes(data[at : at + 4], "little") << 32 * number
        if planes == 2:
            second |= int.from_bytes(data[at + 4 : at + 8], "little") << 32 * number
    return first ^ second, second


_READERS: dict[str, Callable[[Scanner, Conversion], bool]] = {
    **dict.fromkeys("bohx", Scanner.read_base),
    **dict.fromkeys("efg", Scanner.read_real),
    **dict.fromkeys("uz", Scanner.read_words),
    "d": Scanner.read_decimal,
    "c": Scanner.read_character,
    "s": Scanner.read_string,
    "t": Scanner.read_time,
    "m": Scanner.read_path,
    "v": Scanner.read_strength,
}
