"""Let Ctrl-C wait until a piece of work is done, so that it leaves everything in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupt:
    """Say whether somebody has pressed Ctrl-C."""

    def __init__(self) -> None:
        self.pending = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Be the handler of the signal."""
        self.pending = True


@contextmanager
def defer_interrupt() -> Generator[Interrupt]:
    """Note Ctrl-C instead of raising KeyboardInterrupt; it is raised when the work inside has ended.

    Where the signal has another handler, or in another thread than the main one, nothing changes.
    """
    interrupt = Interrupt()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupt
        return
    before: Any = signal.signal(signal.SIGINT, interrupt.note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupt.pending:
        raise KeyboardInterrupt
