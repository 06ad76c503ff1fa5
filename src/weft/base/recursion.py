"""Let Python code recurse as deep as the user's expressions nest.

Calls from Python to Python take no C stack (since CPython 3.11), so the limit only guards against endless recursion.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

_DEEP = 200_000


@contextmanager
def deep_recursion() -> Generator[None]:
    """Raise the recursion limit inside."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEEP))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
