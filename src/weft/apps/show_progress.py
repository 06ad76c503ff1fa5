"""Show on a terminal what takes more than a second: how far a compilation or a run is, what else is being done.

Progress goes to the standard error and only when that is a terminal. What the design prints comes first: its first
output ends the display of a run for good, so that the two never mix.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.sim.cycle_simulation import CycleSimulation

_DELAY = 1.0
_SHOWN_WARNINGS = 10


@contextmanager
def compile_progress(kernels: bool = False) -> Generator[Callable[[str], None] | None]:
    """Give a function that takes the name of each step, of a design or of a batch's kernels.

    How far it is is shown once a second has passed.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from weft.sim.compile_progress import ProgressTracker

    tracker = ProgressTracker.of_kernels() if kernels else ProgressTracker()
    with show_status(lambda: tracker.snapshot().describe()):
        yield tracker


@contextmanager
def show_status(describe: Callable[[], str]) -> Generator[None]:
    """Show what is being done inside, as `describe` says at each moment, once a second has passed."""
    if not sys.stderr.isatty():
        yield
        return
    end = threading.Event()
    thread = threading.Thread(target=_show_until, args=(end, describe), daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _show_until(end: threading.Event, describe: Callable[[], str]) -> None:
    if end.wait(_DELAY):
        return
    from rich.console import Console

    with Console(stderr=True).status(describe()) as status:
        while not end.wait(0.1):
            status.update(describe())


class RunStatus:
    """Show how far a run is, until the design prints something itself."""

    def __init__(self) -> None:
        self._end = threading.Event()
        self._done = threading.Event()
        self._done.set()

    def write(self, data: bytes) -> None:
        """Write what the design prints to the standard output."""
        from weft.sim.run_effects import write_stdout  # a command that only shows stages does without

        if not self._end.is_set():
            self._end.set()
            self._done.wait()
        write_stdout(data)

    @contextmanager
    def follow(self, simulation: CycleSimulation) -> Generator[None]:
        """Show the progress of what runs inside."""
        if not sys.stderr.isatty() or self._end.is_set():
            yield
            return
        self._done.clear()
        thread = threading.Thread(target=self._show, args=(simulation,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()

    def _show(self, simulation: CycleSimulation) -> None:
        try:
            if self._end.wait(_DELAY):
                return
            from rich.console import Console

            period = simulation.engine.clocks[0].period_fs if simulation.engine.clocks else 0
            with Console(stderr=True).status("running") as status:
                while not self._end.wait(0.2):
                    now = simulation.time_fs
                    status.update(f"{now // period:,} cycles" if period else f"{now / 1e9:,.3f} us")
        finally:
            self._done.set()


def print_note(text: str) -> None:
    """Print a sentence of Weft's own."""
    print(f"weft: {text}", file=sys.stderr)


def print_warnings(warnings: Sequence[str], show_all: bool) -> None:
    """Print the front end's warnings, by default only the first few."""
    shown = warnings if show_all else warnings[:_SHOWN_WARNINGS]
    for warning in shown:
        print(warning.rstrip(), file=sys.stderr)
    if len(shown) < len(warnings):
        print(f"... and {len(warnings) - len(shown)} more warnings; --all-warnings shows them", file=sys.stderr)
