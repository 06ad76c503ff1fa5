"""Read and write memory images: `$readmemh`, `$readmemb`, `$writememh`, `$writememb` (IEEE 1800-2023 21.4, 21.5).

A file holds numbers separated by white space, `//` and `/* */` comments, and `@hex` addresses, which are declared
addresses: of `reg [7:0] m [16:31]`, `@10` is the first element. Digits may be x or z and hold underscores.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from pathlib import Path

from weft.base.errors import Note, UserError
from weft.base.source import Span
from weft.ir.expressions import Signal
from weft.sim.format_arguments import Value
from weft.sim.format_bases import digits
from weft.sim.unknown_values import Bits, bits, planes

_TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|/\*|@[^\s/]*|[^\s/@]+|/", re.DOTALL)
_PER_DIGIT = {16: 4, 2: 1}


def read_memory_file(
    path: str,
    base: int,
    memory: MutableSequence[Bits],
    signal: Signal,
    bounds: tuple[int, ...],
    span: Span,
    warn: Callable[[str, Span], None],
) -> None:
    """Load a memory image; `bounds` is the task's first and last address, if given."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError("no-such-file", f"cannot read the memory image '{path}': {error.strerror}", span) from error
    lowest, stride = _addresses(signal)
    count = signal.depth // stride
    first = bounds[0] if bounds else lowest
    last = bounds[1] if len(bounds) > 1 else (lowest + count - 1)
    for bound in bounds:
        if not lowest <= bound < lowest + count:
            raise UserError("index-range", f"address {bound} is outside '{signal.name}'", span)
    down = last < first
    at, end = (first - lowest) * stride, (last - lowest) * stride + (0 if down else stride - 1)
    step = -1 if down else 1
    loaded = addressed = 0
    width = signal.width
    for offset, token in image_tokens(text):
        if token in ("/", "/*"):
            raise _malformed(path, text, offset, "a comment does not end" if token == "/*" else "stray '/'", span)
        if token.startswith("@"):
            try:
                address = int(token[1:].replace("_", ""), 16)
            except ValueError:
                raise _malformed(path, text, offset, f"'{token}' is no address", span) from None
            if not min(first, last) <= address <= max(first, last):
                raise _malformed(path, text, offset, f"address @{address:x} is outside the memory", span)
            at, addressed = (address - lowest) * stride, addressed + 1
            continue
        if (at - end) * step > 0:
            warn(f"'{path}' has more words than '{signal.name}' takes", span)
            return
        planes_read = image_word(token, base)
        if planes_read is None:
            raise _malformed(path, text, _offset(text, offset, token), f"'{token}' is no number", span)
        value = bits(*planes_read)
        memory[at] = value if isinstance(value, int) and value >> width == 0 else value & ((1 << width) - 1)
        at += step
        loaded += 1
    if bounds and not addressed and loaded < abs(end - (first - lowest) * stride) + 1:
        warn(f"'{path}' has fewer words than the range that {signal.name} is to take from it", span)


def write_memory_file(
    path: str, base: int, memory: MutableSequence[Bits], signal: Signal, bounds: tuple[int, ...], span: Span
) -> None:
    """Write a memory image, one word a line."""
    lowest, stride = _addresses(signal)
    first = (bounds[0] - lowest) * stride if bounds else 0
    last = (bounds[1] - lowest) * stride + stride - 1 if len(bounds) > 1 else signal.depth - 1
    step = 1 if last >= first else -1
    words = (Value(signal.width, *planes(memory[at])) for at in range(first, last + step, step))
    try:
        Path(path).write_text(image_lines(words, base))
    except OSError as error:
        raise UserError("cannot-write", f"cannot write '{path}': {error.strerror}", span) from error


def memory_bounds(signal: Signal) -> tuple[int, int]:
    """Return the left and right bounds of a memory; one of several dimensions counts its elements."""
    ranges = signal.type.unpacked
    return ranges[0] if len(ranges) == 1 else (0, signal.depth - 1)


def _addresses(signal: Signal) -> tuple[int, int]:
    """Return the lowest declared address of the first dimension, and how many elements each address stands for."""
    dimensions = signal.type.unpacked
    if not dimensions:
        return 0, 1
    left, right = dimensions[0]
    count = abs(left - right) + 1
    return min(left, right), max(signal.depth // count, 1)


def image_tokens(text: str) -> Iterator[tuple[int, str]]:
    """Yield (offset, token) of everything but comments; an image without any is cut at white space, which is fast.

    The offset is -1 where it was not worth finding. A stray `/` and the `/*` of a comment without end are tokens too.
    """
    if "/" not in text and "@" not in text:
        yield from ((-1, token) for token in text.split())
        return
    for match in _TOKEN.finditer(text):
        token = match[0]
        if not token.startswith("//") and not (token.startswith("/*") and len(token) > 3):
            yield match.start(), token


def image_word(token: str, base: int) -> tuple[int, int] | None:
    """Return the value and unknown planes of a word, or None if it is none."""
    try:
        if token[0] not in "+-" and token[:2] not in ("0x", "0b", "0X", "0B"):
            return int(token, base), 0
    except ValueError:
        pass
    per, value, unknown = _PER_DIGIT[base], 0, 0
    ones = (1 << per) - 1
    for character in token.replace("_", ""):
        value, unknown = value << per, unknown << per
        if character in "xXzZ?":
            unknown |= ones
            value |= 0 if character in "xX" else ones
        elif character.isascii() and character.isalnum() and int(character, 36) < base:
            value |= int(character, 36)
        else:
            return None
    return value, unknown


def image_lines(words: Iterable[Value], base: int) -> str:
    """Return a memory image as `$writememh` writes it: one word a line, every sixteenth after its number."""
    lines: list[str] = []
    for number, word in enumerate(words):
        if number % 16 == 0:
            lines.append(f"// 0x{number:08x}\n")
        lines.append(f"{digits(word, _PER_DIGIT[base])}\n")
    return "".join(lines)


def _offset(text: str, offset: int, token: str) -> int:
    """Return where a token is: known, or found as a whole word."""
    if offset >= 0:
        return offset
    found = re.search(rf"(?<!\S){re.escape(token)}(?!\S)", text)
    return found.start() if found else 0


def _malformed(path: str, text: str, offset: int, message: str, span: Span) -> UserError:
    line = text.count("\n", 0, offset) + 1
    return UserError("bad-memory-file", f"{path}:{line}: {message}", span, (Note("the image is read here", span),))
