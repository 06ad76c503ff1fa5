"""Spans for slang's locations.

slang names a place by buffer and byte offset; Weft by file number and character offset (`base.source`). A buffer
becomes a file of the `SourceMap` when something in it is first shown or recorded. A place inside a macro's expansion is
the place where the macro is used, as in slang's own diagnostics.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import numpy as np
import pyslang
from numpy.typing import NDArray
from pyslang import ast, syntax

from weft.base.dataclass import dataclass, field
from weft.base.source import NOWHERE, SourceMap, Span


class Located(Protocol):
    """Be anything of slang's that has a range in the source: an expression, statement or timing control."""

    @property
    def sourceRange(self) -> pyslang.SourceRange: ...  # noqa: N802, D102


@dataclass(slots=True, eq=False)
class SourceIndex:
    """Map slang's locations to spans and hold the texts they lie in."""

    manager: pyslang.SourceManager
    sources: SourceMap = field(default_factory=SourceMap)
    _made: dict[int, Span] = field(default_factory=dict[int, Span])
    _files: dict[int, int] = field(default_factory=dict[int, int])
    _characters: dict[int, NDArray[np.int64]] = field(default_factory=dict[int, "NDArray[np.int64]"])

    def span(self, node: Located | ast.Symbol) -> Span:
        """Return where an expression or statement stands, or where a symbol is declared."""
        if isinstance(node, ast.Symbol):
            return self.symbol_span(node)
        found = node.sourceRange
        return self.range_span(found.start, found.end)

    def stand_for(self, text: str, name: str, node: Located) -> syntax.SyntaxTree:
        """Return the tree of a text that is made from a node of the source, whose place everything in it has."""
        tree = syntax.SyntaxTree.fromText(text, self.manager, name)
        self._made[tree.root.sourceRange.start.buffer.id] = self.span(node)
        return tree

    def symbol_span(self, symbol: ast.Symbol) -> Span:
        """Return the span of a symbol's name where it is declared."""
        location = self._expanded(symbol.location)
        if location.buffer.id in self._made:
            return self._made[location.buffer.id]
        file = self._file(location.buffer)
        if file < 0:
            return NOWHERE
        start = location.offset
        return self._in_characters(file, start, start + max(1, len(symbol.name)))

    def range_span(self, start: pyslang.SourceLocation, end: pyslang.SourceLocation) -> Span:
        """Return the span between two of slang's locations; only the start where they lie in different files."""
        first, last = self._expanded(start), self._expanded(end)
        buffer = first.buffer
        if buffer.id in self._made:
            return self._made[buffer.id]
        file = self._file(buffer)
        if file < 0:
            return NOWHERE
        stop = last.offset if last.buffer == buffer else first.offset + 1
        return self._in_characters(file, first.offset, max(stop, first.offset + 1))

    def text_of(self, buffer: pyslang.BufferID) -> str:
        """Return a buffer's text; one that is not UTF-8 is read as Latin-1, where a byte is a character."""
        if self._is_utf8(buffer):
            return self.manager.getSourceText(buffer).rstrip("\0")
        return self.manager.getFullPath(buffer).read_bytes().decode("latin-1")

    def mentions(self, word: str, pattern: re.Pattern[str]) -> bool:
        """Say whether some source text has a match of a pattern, all of whose matches have a word in them."""
        buffers = [buffer for buffer in self.manager.getAllBuffers() if self.manager.getRawFileName(buffer)]
        # Most texts do not have the word, and to find that out takes a tenth of a search for the pattern.
        return any(word in text and pattern.search(text) for text in map(self.text_of, buffers))

    def _is_utf8(self, buffer: pyslang.BufferID) -> bool:
        try:
            self.manager.getSourceText(buffer)
        except UnicodeDecodeError:
            return False
        return True

    def _expanded(self, location: pyslang.SourceLocation) -> pyslang.SourceLocation:
        return self.manager.getFullyExpandedLoc(location) if self.manager.isMacroLoc(location) else location

    def _file(self, buffer: pyslang.BufferID) -> int:
        file = self._files.get(buffer.id)
        if file is None:
            file = self._files[buffer.id] = self._add(buffer)
        return file

    def _add(self, buffer: pyslang.BufferID) -> int:
        path = self.manager.getRawFileName(buffer)
        if not path:
            return -1
        text = self.text_of(buffer)
        file = self.sources.add(_shown_path(path), text)
        if not text.isascii() and self._is_utf8(buffer):
            data = np.frombuffer(text.encode(), np.uint8)
            self._characters[file] = np.concatenate(([0], np.cumsum((data & 0xC0) != 0x80)))
        return file

    def _in_characters(self, file: int, start: int, end: int) -> Span:
        table = self._characters.get(file)
        if table is None:
            return Span(file, start, end)
        last = len(table) - 1
        return Span(file, int(table[min(start, last)]), int(table[min(end, last)]))


def _shown_path(path: str) -> str:
    """Return a path as slang's own messages show it: relative to the working folder if it lies there."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
