"""`weft.compile_async`: compile in the background; look at the progress, wait, await or cancel.

    compilation = weft.compile_async("soc.sv", top="soc")
    print(compilation.progress)
    sim = await compilation              # or compilation.result()

Compilations run in one thread, one after the other; LLVM works for them in others. Cancelling takes effect when the
present step ends, a second at most even for large designs, or at once while LLVM is waited for; what LLVM has not begun
is dropped. Python's end cancels all.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from weft.base.workers import Dropped, Job, Workers
from weft.sim.compile_design import compile_design
from weft.sim.compile_progress import CompilationCancelled, Progress, ProgressTracker
from weft.sim.simulation import Simulation

_STACK_BYTES = 64 << 20
"""The front end recurses as deep as sources nest; threads have little room by default on some systems."""

_compilers = Workers("weft-compilation", 1, _STACK_BYTES)


class Compilation:
    """Be a compilation in the background; `weft.compile_async` makes one."""

    def __init__(self, compile: Callable[[ProgressTracker], Simulation]) -> None:  # noqa: A002
        self._compile = compile
        self._tracker = ProgressTracker(cancellable=True, stopping=lambda: _compilers.stopping)
        self._done = threading.Event()
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._job: Job[Simulation] = _compilers.submit(self._work, self._finish)

    def _work(self) -> Simulation:
        self._tracker.check()
        simulation = self._compile(self._tracker)
        self._tracker.end()
        return simulation

    def _finish(self) -> None:
        with self._lock:
            self._done.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    @property
    def done(self) -> bool:
        """Say whether it is over, well or not."""
        return self._done.is_set()

    @property
    def progress(self) -> Progress:
        """Return the stage, the fraction done, and the seconds it took and will take."""
        return self._tracker.snapshot()

    def cancel(self) -> bool:
        """Stop as soon as possible; `result` raises CompilationCancelled. Returns False if it is over already."""
        self._tracker.cancelled = True
        self._job.cancel()
        return not self.done

    def result(self, timeout_s: float | None = None) -> Simulation:
        """Wait, and return the simulation or raise what the compilation raised; TimeoutError when time is up."""
        if not self._done.wait(timeout_s):
            raise TimeoutError(f"the compilation is not done after {timeout_s} s: {self.progress.describe()}")
        try:
            return self._job.result()
        except Dropped:
            raise CompilationCancelled from None

    def __await__(self) -> Generator[Any, None, Simulation]:
        return self._wait().__await__()

    async def _wait(self) -> Simulation:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        def finished() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(wake)

        with self._lock:
            if self.done:
                future.set_result(None)
            else:
                self._callbacks.append(finished)
        try:
            await future
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self.result()


def compile_async(*files: str | Path, **options: Any) -> Compilation:
    """Begin to compile in the background, with the options of `weft.compile`, and return the compilation.

    It has no `progress` option; the compilation has a progress.
    """
    if "progress" in options:
        raise TypeError("compile_async takes no progress: look at the compilation's")

    def work(tracker: ProgressTracker) -> Simulation:
        given: dict[str, Any] = {**options, "progress": tracker}
        return compile_design(*files, **given)

    return Compilation(work)
