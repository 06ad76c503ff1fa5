"""Let Python code recurse as deep as the user's expressions nest.

Calls from Python to Python take no C stack (since CPython 3.11), so the limit only guards against endless recursion. It
is one for all threads: whoever leaves first must not take it away from those who are still deep. The size of the stacks
that threads are started with is also one for all; C code, pickle's for example, needs a deep one.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

_DEEP = 200_000

_lock = threading.Lock()
_wanted: list[int] = []
"""What those who are inside need, first the limit that held before any of them came."""


@contextmanager
def deep_recursion(frames: int = _DEEP) -> Generator[None]:
    """Raise the recursion limit inside to so many frames, in all threads until the last one has left."""
    with _lock:
        if not _wanted:
            _wanted.append(sys.getrecursionlimit())
        _wanted.append(frames)
        sys.setrecursionlimit(max(_wanted))
    try:
        yield
    finally:
        with _lock:
            _wanted.remove(frames)
            sys.setrecursionlimit(max(_wanted))
            if len(_wanted) == 1:
                _wanted.clear()


def start_deep(thread: threading.Thread, stack_bytes: int) -> None:
    """Start a thread with a stack of so many bytes (0: as many as usual), whatever other threads start meanwhile."""
    with _lock:
        usual = threading.stack_size()
        threading.stack_size(stack_bytes or usual)
        try:
            thread.start()
        finally:
            threading.stack_size(usual)
