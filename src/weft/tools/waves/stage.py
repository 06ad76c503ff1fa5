"""Do one kind of work in a thread of its own, an item at a time: a stage of a pipeline.

`hand` gives the thread an item; so many may wait as the stage has room for. An error is kept and raised at the next
hand-over, in the thread of whoever hands over; stages that hand to one another so pass it on to the first.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Stage(Generic[Item]):
    """Do `work` with each item, in the order of the items, until one fails; `done` is called with every item.

    Without `room` nothing waits: when `hand` returns, the item before is done.
    """

    def __init__(
        self, name: str, work: Callable[[Item], None], done: Callable[[Item], None] | None = None, room: int = 0
    ) -> None:
        self._work, self._done, self._room = work, done, room
        self._items: queue.Queue[Item | None] = queue.Queue(maxsize=max(1, room))
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def hand(self, item: Item) -> None:
        """Hand an item over, when there is room; raise what has gone wrong with those before."""
        if not self._room:
            self._items.join()
        self.check()
        self._items.put(item)

    def finish(self) -> None:
        """Wait for the end of all work and raise what has gone wrong; calling it again does nothing else."""
        if self._thread.is_alive():
            self._items.put(None)
            self._thread.join()
        self.check()

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            try:
                if self._failure is None:
                    self._work(item)
            except BaseException as error:  # It is raised where somebody can do something about it.
                self._failure = error
            finally:
                if self._done is not None:
                    self._done(item)
                self._items.task_done()

    def check(self) -> None:
        """Raise what has gone wrong so far."""
        if self._failure is not None:
            raise self._failure
