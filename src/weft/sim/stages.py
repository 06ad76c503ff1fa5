"""Measure the stages of a compilation, and say which one runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from weft.base.dataclass import dataclass, field

Progress = Callable[[str], None]


@dataclass(slots=True)
class Stages:
    """Measure stages: seconds by name, in order; tells `progress` what begins."""

    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Measure a stage."""
        if self.progress is not None:
            self.progress(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
