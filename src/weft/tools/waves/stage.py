"""Do one kind of work in a thread of its own, an item at a time: a stage of a pipeline.

`hand` gives the thread an item and returns as soon as it has begun with it, so whoever hands over may reuse what the
item before referred to: two buffers are enough for any stage. An error is kept and raised at the next hand-over, in the
thread of whoever hands over; stages that hand to one another so pass it on to the first.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Stage(Generic[Item]):
    """Do `work` with each item, in the order of the items."""

    def __init__(self, name: str, work: Callable[[Item], None]) -> None:
        self._work = work
        self._items: queue.Queue[Item | None] = queue.Queue(maxsize=1)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def hand(self, item: Item) -> None:
        """Hand an item over, once the work on the one before is done; raise what has gone wrong with it."""
        self._items.join()
        self._raise()
        self._items.put(item)

    def finish(self) -> None:
        """Wait for the end of all work and raise what has gone wrong; calling it again does nothing else."""
        if self._thread.is_alive():
            self._items.put(None)
            self._thread.join()
        self._raise()

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            try:
                if self._failure is None:
                    self._work(item)
            except BaseException as error:  # It is raised where somebody can do something about it.
                self._failure = error
            finally:
                self._items.task_done()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure
