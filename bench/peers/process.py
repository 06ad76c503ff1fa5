"""Run a simulator as a process of its own and say what it cost.

Time is wall-clock time; memory is the largest resident set that the kernel reports for the process and its children.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Cost:
    """Say what a command took: wall-clock seconds, CPU seconds, peak memory in bytes, and what it printed."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


@dataclass(frozen=True, slots=True)
class Build:
    """Describe a design built by a peer: how to run it, and what each stage of building cost in seconds."""

    command: tuple[str, ...]
    stages: dict[str, float] = field(default_factory=dict[str, float])
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def seconds(self) -> float:
        """Return the time from source to a program that can run."""
        return sum(self.stages.values())

    def save(self, folder: Path) -> None:
        """Write this build's description beside it, so that another session need not build again."""
        (folder / "build.json").write_text(json.dumps(asdict(self)))

    @staticmethod
    def load(folder: Path) -> Build | None:
        """Return a finished build's description, or None."""
        path = folder / "build.json"
        if not path.exists():
            return None
        data: dict[str, Any] = json.loads(path.read_text())
        return Build(tuple(data["command"]), data["stages"], data["cpu_seconds"], data["peak_bytes"])


@dataclass(frozen=True, slots=True)
class Run:
    """Say how a run went: the cycle loop's seconds, the time to its first cycle, and what the design did."""

    cycles: int
    seconds: float
    start_seconds: float
    peak_bytes: int
    hash: str
    text: str

    @property
    def rate(self) -> float:
        """Return cycles per second."""
        return self.cycles / self.seconds if self.seconds > 0 else 0.0


class PeerFailed(Exception):
    """Say that a peer could not build or run a design, with the end of what it printed."""


def execute(command: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> Cost:
    """Run a command to its end; raise `PeerFailed` if it fails."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode:
        raise PeerFailed(f"{' '.join(command)}\nended with status {process.returncode}:\n{text[-3000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, text)


def parse_report(output: str) -> dict[str, Any]:
    """Return the JSON object on the last line that has one: what our drivers print at the end of a run."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    raise PeerFailed(f"the simulation printed no report:\n{output[-3000:]}")
