"""Match the paths of signals with glob patterns: `*` and `?`, across dots too, with and without the top's name."""

from __future__ import annotations

import fnmatch
import re


def is_pattern(text: str) -> bool:
    """Say whether a text may stand for several paths."""
    return "*" in text or "?" in text


class PathPattern:
    """Be a pattern, with its `text`. An index is part of a name here, not a set of characters."""

    __slots__ = ("_test", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._test = re.compile(fnmatch.translate(text.replace("[", "[[]")))

    def matches(self, path: str) -> bool:
        """Say whether a full path is meant."""
        return bool(self._test.match(path) or self._test.match(path.partition(".")[2]))
