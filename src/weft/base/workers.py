"""Threads for work that runs without Python's lock, LLVM's above all, and that must be over before Python ends.

A thread that is inside native code while the interpreter is torn down crashes it, so every thread finishes its present
job when Python ends, and drops those that wait. `concurrent.futures` would run all of them; its import also costs as
much as compiling a small kernel.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from weft.base.recursion import start_deep

T = TypeVar("T")


class Dropped(Exception):
    """Say that a job was not begun before it was cancelled, or Python ended."""


class Job(Generic[T]):
    """Be work given to a thread; `result` waits for it."""

    def __init__(self, work: Callable[[], T], then: Callable[[], None] | None = None) -> None:
        self._work: Callable[[], T] | None = work
        self._then = then
        self.cancelled = False
        self._done = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None

    @classmethod
    def done(cls, value: T) -> Job[T]:
        """Return a job that has already returned a value."""
        job = cls(lambda: value)
        job.run()
        return job

    def run(self) -> None:
        """Do the work, in whichever thread this is called."""
        assert self._work is not None
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error
        self._work = None
        self._finish()

    def drop(self) -> None:
        """Give up, because somebody has cancelled it or Python ends."""
        self._error = Dropped("cancelled" if self.cancelled else "Python is about to end")
        self._finish()

    def cancel(self) -> None:
        """Drop the job if it has not begun when its turn comes."""
        self.cancelled = True

    @property
    def is_done(self) -> bool:
        """Say whether it is over."""
        return self._done.is_set()

    def _finish(self) -> None:
        self._done.set()
        if self._then is not None:
            self._then()

    def settled(self) -> None:
        """Wait until the work is done, whatever became of it."""
        self._done.wait()

    def result(self) -> T:
        """Wait until the work is done, and return what it returned or raise what it raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value


class Workers:
    """Do jobs in the order in which they come, in up to `count` threads that start when there is something to do."""

    def __init__(self, name: str, count: int, stack_bytes: int = 0) -> None:
        self._name, self._count, self._stack_bytes = name, count, stack_bytes
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.stopping = False
        self.finished = 0
        """How many jobs have been done."""
        _every.append(self)

    def submit(self, work: Callable[[], T], then: Callable[[], None] | None = None) -> Job[T]:
        """Queue some work; `then` is called in the thread when it is over."""
        job = Job(work, then)
        with self._lock:
            if self.stopping:  # nobody would take it any more
                job.drop()
                return job
            self._jobs.put(job)
            if len(self._threads) < self._count:
                name = f"{self._name}-{len(self._threads)}"
                thread = threading.Thread(target=self._loop, name=name, daemon=True)
                start_deep(thread, self._stack_bytes)
                self._threads.append(thread)
        return job

    def _loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self.stopping or job.cancelled:
                job.drop()
            else:
                job.run()
                self.finished += 1
            del job  # what it returned may be large

    def end(self) -> None:
        """Wait for what the threads do; what waits has been dropped."""
        with self._lock:
            threads = list(self._threads)
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join()


_every: list[Workers] = []


def _end_all() -> None:
    """Stop all at once, for some wait for the results of others."""
    for workers in _every:
        workers.stopping = True
    for workers in _every:
        workers.end()


atexit.register(_end_all)
