"""Source positions: which file, which characters.

Every statement, signal and diagnostic carries a `Span`. Files are held once, in a `SourceMap`; a span names its file
by index so that it stays three machine integers. Lines and columns are computed only when something is shown.
"""

from __future__ import annotations

import bisect

from weft.base.dataclass import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """Name the characters `start` to `end` (offsets, end exclusive) of file number `file` of a `SourceMap`."""

    file: int
    start: int
    end: int


NOWHERE = Span(-1, 0, 0)


@dataclass(slots=True)
class SourceFile:
    """Hold one file's path and text, and find lines in it."""

    path: str
    text: str
    _starts: list[int] = field(default_factory=list[int])

    def position(self, offset: int) -> tuple[int, int]:
        """Return the 1-based line and column of a character offset."""
        if not self._starts:
            self._starts = [0, *(i + 1 for i, c in enumerate(self.text) if c == "\n")]
        line = bisect.bisect_right(self._starts, offset) - 1
        return line + 1, offset - self._starts[line] + 1

    def line(self, number: int) -> str:
        """Return the text of a 1-based line, without its end."""
        self.position(0)
        start = self._starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")


@dataclass(slots=True)
class SourceMap:
    """Hold the files of one compilation."""

    files: list[SourceFile] = field(default_factory=list[SourceFile])

    def add(self, path: str, text: str) -> int:
        """Add a file and return its index."""
        self.files.append(SourceFile(path, text))
        return len(self.files) - 1

    def describe(self, span: Span) -> str:
        """Return `path:line:column` of a span's start, or `<nowhere>`."""
        if span.file < 0:
            return "<nowhere>"
        source = self.files[span.file]
        line, column = source.position(span.start)
        return f"{source.path}:{line}:{column}"
