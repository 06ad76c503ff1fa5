"""Read delay files in the Standard Delay Format (IEEE 1497; versions 1.0 to 3.0 of OVI).

The file is nested lists of words, so it is read as such, with the line of every list, and each list is then understood
by its first word. Values stay as the three (minimum, typical, maximum) that are given, in units of the time scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError

Triple = tuple[Fraction | None, Fraction | None, Fraction | None]

_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"]*"|[()]|(?:\\.|[^\s()"\\])+', re.DOTALL)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_SCALE = re.compile(r"(1|10|100)(?:\.0*)?\s*(s|ms|us|ns|ps|fs)")
_UNITS_FS = {"s": 10**15, "ms": 10**12, "us": 10**9, "ns": 10**6, "ps": 10**3, "fs": 1}
_EDGES = frozenset({"POSEDGE", "NEGEDGE", "01", "10", "0Z", "Z1", "1Z", "Z0"})
_HEADER = frozenset(
    {"SDFVERSION", "DESIGN", "DATE", "VENDOR", "PROGRAM", "VERSION", "VOLTAGE", "PROCESS", "TEMPERATURE"}
)
_PORTS = {
    "IOPATH": 2,
    "INTERCONNECT": 2,
    "PORT": 1,
    "NETDELAY": 1,
    "DEVICE": 0,
    "SETUP": 2,
    "HOLD": 2,
    "SETUPHOLD": 2,
    "RECOVERY": 2,
    "REMOVAL": 2,
    "RECREM": 2,
    "SKEW": 2,
    "WIDTH": 1,
    "PERIOD": 1,
    "NOCHANGE": 2,
}
"""How many ports come first in an entry; a DEVICE may have one."""

CHECKS = frozenset(_PORTS) - {"IOPATH", "INTERCONNECT", "PORT", "NETDELAY", "DEVICE"}


@dataclass(frozen=True, slots=True)
class SdfPort:
    """Be a port in an entry: its name, with its path and bits, the edge and the condition that it is meant for."""

    name: str
    edge: str = ""
    condition: str = ""


@dataclass(frozen=True, slots=True)
class SdfEntry:
    """Be one delay or limit. `condition` is that of a COND around it; `otherwise` says that a CONDELSE is."""

    kind: str
    line: int
    ports: tuple[SdfPort, ...]
    values: tuple[Triple, ...]
    condition: str = ""
    otherwise: bool = False
    increment: bool = False


@dataclass(slots=True)
class SdfCell:
    """Be what is said of the instances of a cell; `instance` is a path, empty for the scope, `*` for all."""

    kind: str
    instance: str
    line: int
    entries: list[SdfEntry] = field(default_factory=list[SdfEntry])


@dataclass(slots=True)
class SdfFile:
    """Be a delay file. `skipped` are (line, what) of entries that have no meaning here."""

    path: str
    scale_fs: Fraction = Fraction(10**6)
    divider: str = "."
    cells: list[SdfCell] = field(default_factory=list[SdfCell])
    skipped: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


@dataclass(slots=True)
class _List:
    line: int
    items: list[str | _List] = field(default_factory=list["str | _List"])

    @property
    def head(self) -> str:
        """Return the first word, in capitals."""
        first = self.items[0] if self.items else ""
        return first.upper() if isinstance(first, str) else ""


def read_sdf_file(path: str) -> SdfFile:
    """Read a delay file. Raises UserError `no-such-file` or `bad-sdf-file` with the line."""
    try:
        text = Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UserError("no-such-file", f"cannot read the delays '{path}': {error.strerror}") from None
    return _Reader(path).read(text)


@dataclass(slots=True)
class _Reader:
    path: str

    def error(self, line: int, what: str) -> UserError:
        """Return the error for a malformed file."""
        return UserError("bad-sdf-file", f"{self.path}:{line}: {what}")

    def read(self, text: str) -> SdfFile:
        """Understand the whole file."""
        root = self._lists(text)
        if root.head != "DELAYFILE":
            raise self.error(root.line, "this is no SDF file: it does not begin with (DELAYFILE")
        file = SdfFile(self.path)
        for item in root.items[1:]:
            if not isinstance(item, _List):
                raise self.error(root.line, f"'{item}' does not belong into DELAYFILE")
            match item.head:
                case "TIMESCALE":
                    scale = _SCALE.fullmatch(" ".join(_words(item.items[1:])))
                    if scale is None:
                        raise self.error(item.line, "a TIMESCALE is 1, 10 or 100 and a unit, such as 1ns")
                    file.scale_fs = Fraction(int(scale[1]) * _UNITS_FS[scale[2]])
                case "DIVIDER":
                    words = _words(item.items[1:])
                    if words not in ([], ["."], ["/"], [":"]):
                        raise self.error(item.line, "the DIVIDER is . or /")
                    file.divider = words[0] if words else "."
                case "CELL":
                    file.cells.append(self._cell(file, item))
                case head if head in _HEADER:
                    pass
                case head:
                    raise self.error(item.line, f"'{head}' does not belong into DELAYFILE")
        return file

    def _lists(self, text: str) -> _List:
        stack: list[_List] = []
        root: _List | None = None
        line, at = 1, 0
        for token in self._tokens(text):
            line += text.count("\n", at, token.start())
            at = token.start()
            word = token[0]
            if word == "(":
                made = _List(line)
                if stack:
                    stack[-1].items.append(made)
                elif root is not None:
                    raise self.error(line, "there is more behind the end of DELAYFILE")
                root = root or made
                stack.append(made)
            elif word == ")":
                if not stack:
                    raise self.error(line, "there is a ')' too many")
                stack.pop()
            elif not word.startswith(("//", "/*")):
                if not stack:
                    raise self.error(line, f"this is no SDF file: it has '{word[:20]}' outside of parentheses")
                stack[-1].items.append(word)
        if root is None:
            raise self.error(line, "the file is empty")
        if stack:
            raise self.error(stack[-1].line, "this '(' has no ')'")
        return root

    def _tokens(self, text: str) -> Iterator[re.Match[str]]:
        at = 0
        for token in _TOKEN.finditer(text):
            between = text[at : token.start()]
            if between.strip():
                line = text.count("\n", 0, at) + 1
                raise self.error(line, f"'{between.strip()[0]}' is not understood here")
            at = token.end()
            yield token
        if text[at:].strip():
            raise self.error(text.count("\n", 0, at) + 1, f"'{text[at:].strip()[0]}' is not understood here")

    # ------------------------------------------------------------------------------------------- cells

    def _cell(self, file: SdfFile, found: _List) -> SdfCell:
        cell = SdfCell("", "", found.line)
        for item in self._inner(found):
            match item.head:
                case "CELLTYPE":
                    cell.kind = " ".join(_words(item.items[1:])).strip('"')
                case "INSTANCE":
                    cell.line = item.line
                    cell.instance = file.divider.join(_words(item.items[1:]))
                case "DELAY":
                    self._delays(file, cell, item)
                case "TIMINGCHECK":
                    for check in self._inner(item):
                        if check.head not in CHECKS:
                            file.skipped.append((check.line, check.head or "this"))
                        else:
                            cell.entries.append(self._entry(check))
                case "TIMINGENV" | "LABEL" | "CORRELATION":
                    file.skipped.append((item.line, item.head))
                case head:
                    raise self.error(item.line, f"'{head}' does not belong into CELL")
        return cell

    def _inner(self, found: _List) -> Iterator[_List]:
        for item in found.items[1:]:
            if not isinstance(item, _List):
                raise self.error(found.line, f"'{item}' does not belong into {found.head}")
            yield item

    def _delays(self, file: SdfFile, cell: SdfCell, found: _List) -> None:
        for kind in self._inner(found):
            if kind.head in ("PATHPULSE", "PATHPULSEPERCENT"):
                file.skipped.append((kind.line, kind.head))
                continue
            if kind.head not in ("ABSOLUTE", "INCREMENT"):
                raise self.error(kind.line, f"'{kind.head}' does not belong into DELAY")
            for item in self._inner(kind):
                cell.entries.append(self._delay(item, kind.head == "INCREMENT"))

    def _delay(self, item: _List, increment: bool) -> SdfEntry:
        if item.head not in ("COND", "CONDELSE"):
            return self._entry(item, increment=increment)
        inner = item.items[-1]
        if not isinstance(inner, _List) or inner.head != "IOPATH":
            raise self.error(item.line, f"a {item.head} has an IOPATH at its end")
        words = item.items[1:-1]
        if words and isinstance(words[0], str) and words[0].startswith('"'):
            words = words[1:]
        return self._entry(inner, _flat(words), item.head == "CONDELSE", increment)

    def _entry(self, item: _List, condition: str = "", otherwise: bool = False, increment: bool = False) -> SdfEntry:
        count = _PORTS.get(item.head)
        if count is None:
            raise self.error(item.line, f"'{item.head}' is no delay and no timing check")
        rest = item.items[1:]
        if item.head == "DEVICE" and rest and isinstance(rest[0], str):
            count = 1
        if len(rest) <= count:
            raise self.error(item.line, f"{item.head} needs {count} ports and values")
        ports = tuple(self._port(part, item) for part in rest[:count])
        values: list[Triple] = []
        for part in rest[count:]:
            if isinstance(part, _List) and part.head == "RETAIN":
                continue
            values.append(self._value(part, item))
        if len(values) not in (1, 2, 3, 6, 12):
            raise self.error(item.line, f"{item.head} has {len(values)} values; 1, 2, 3, 6 or 12 are possible")
        return SdfEntry(item.head, item.line, ports, tuple(values), condition, otherwise, increment)

    def _port(self, part: str | _List, item: _List) -> SdfPort:
        if isinstance(part, str):
            return SdfPort(part)
        if part.head in _EDGES and len(part.items) == 2 and isinstance(part.items[1], str):
            return SdfPort(part.items[1], part.head.lower())
        if part.head == "COND" and len(part.items) > 2:
            words = part.items[1:-1]
            if isinstance(words[0], str) and words[0].startswith('"'):
                words = words[1:]
            inner = self._port(part.items[-1], item)
            return SdfPort(inner.name, inner.edge, _flat(words))
        raise self.error(part.line, f"this is no port of {item.head}")

    def _value(self, part: str | _List, item: _List) -> Triple:
        """Understand `(1)`, `(1:2:3)`, `()`, or a delay with its pulse limits, of which only the delay counts."""
        if isinstance(part, str):
            raise self.error(item.line, f"'{part}' is no value of {item.head}; values are in parentheses")
        if not part.items:
            return (None, None, None)
        first = part.items[0]
        if isinstance(first, _List):
            return self._value(first, item)
        fields = "".join(_words(part.items)).split(":")
        if len(fields) not in (1, 3) or not any(fields):
            raise self.error(part.line, f"'{':'.join(fields)}' is no value: it has one number, or three")
        numbers: list[Fraction | None] = []
        for text in fields:
            if text and _NUMBER.fullmatch(text) is None:
                raise self.error(part.line, f"'{text}' is no number")
            numbers.append(Fraction(text) if text else None)
        return (numbers[0],) * 3 if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])


def _words(items: Sequence[str | _List]) -> list[str]:
    return [item for item in items if isinstance(item, str)]


def _flat(items: Sequence[str | _List]) -> str:
    """Return a condition as text without spaces."""
    return "".join(item if isinstance(item, str) else f"({_flat(item.items)})" for item in items)


def name_parts(path: str, divider: str) -> list[str]:
    """Split a path at its dividers, those behind a backslash excepted, and take the backslashes away."""
    parts = re.findall(rf"((?:\\.|[^\\{re.escape(divider)}])+)", path)
    return [re.sub(r"\\(.)", r"\1", part) for part in parts]
