"""Python's cyclic garbage collector, kept from walking what is no garbage.

It is one for all threads: whoever is done first must not let it in on those who still work.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")

_lock = threading.Lock()
_enabled: list[bool] = []
"""For each that works without it, whether it was on when that one came."""


def without_collector(work: Callable[[], Made]) -> Made:
    """Do work that makes a million objects and no garbage without the cyclic collector walking them over and over."""
    with _lock:
        _enabled.append(gc.isenabled() if not _enabled else _enabled[0])
        gc.disable()
    try:
        return work()
    finally:
        with _lock:
            if _enabled.pop() and not _enabled:
                gc.enable()
