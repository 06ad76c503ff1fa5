"""Run the scheduler in a Python thread of its own, while the main thread waits, prompts or sees Ctrl-C.

The thread has a stack for deep recursion. A design that stops (`$stop`) *parks* it in the middle of the call, so that
everything can be looked at as it is at that statement; the main thread then decides how the run goes on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from weft.base.dataclass import dataclass, field
from weft.base.recursion import start_deep

STACK_BYTES = 256 << 20


@dataclass(slots=True, eq=False)
class Runner:
    """Call `work`, which runs events and returns a reason; `interrupt` makes it return soon.

    `on_park` is called in the main thread when the design has parked the run; it may call `go_on`.
    """

    work: Callable[[], int]
    interrupt: Callable[[], None]
    on_park: Callable[[], None] | None = None
    _said: queue.SimpleQueue[int | None] = field(default_factory=queue.SimpleQueue[int | None])
    _parked: bool = False
    _resume: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _thread: threading.Thread | None = None

    @property
    def parked(self) -> bool:
        """Say whether the design has parked the run."""
        return self._parked

    def run(self) -> int:
        """Run until `work` returns for good; return its reason. Ctrl-C ends the run and is raised."""
        reason = self.go_on()
        while reason is None and self.on_park is not None:
            self.on_park()
            reason = self.go_on() if self._parked or self._thread is None else None
        return reason or 0

    def go_on(self) -> int | None:
        """Go on until `work` returns, and return its reason, or until the design parks the run, and return None."""
        if self._parked:
            self._parked = False
            self._resume.release()
        else:
            self._thread = threading.Thread(target=self._main, name="weft-events", daemon=True)
            start_deep(self._thread, STACK_BYTES)
        try:
            reason = self._said.get()
        except KeyboardInterrupt:
            self._end()
            raise
        if reason is None:
            self._parked = True
        elif self._thread is not None:
            self._thread.join()
            self._thread = None
        return reason

    def drop(self) -> None:
        """End a run that is parked; what it was about to do is not done."""
        if self._parked:
            self.interrupt()
            self._parked = False
            on_park, self.on_park = self.on_park, None
            self._resume.release()
            self._said.get()
            self.on_park = on_park
            if self._thread is not None:
                self._thread.join()
                self._thread = None

    def _main(self) -> None:
        self._said.put(self.work())

    def _end(self) -> None:
        """Have the thread end, also where it parks on its way."""
        self.interrupt()
        self.on_park = None
        if self._said.get() is None:
            self._resume.release()
            self._said.get()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def park(self) -> None:
        """Wait, in the run's own thread, until the main thread lets it go on."""
        if self.on_park is not None:
            self._said.put(None)
            self._resume.acquire()
