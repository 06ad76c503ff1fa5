"""A host for system tasks without an engine: time, output, memories and signals are plain Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.base.source import Span
from weft.ir.assertion_control import AssertionControl
from weft.sim.design_files import DesignFiles
from weft.sim.format_arguments import Value
from weft.sim.tasks.dump_scopes import DumpScope, DumpSignal
from weft.sim.tasks.port_states import Drive
from weft.sim.tasks.registry import TASKS
from weft.sim.tasks.task_call import Result, TaskArgument, TaskCall
from weft.sim.tasks.task_state import TaskState


class Memory:
    """Be an unpacked array argument."""

    def __init__(self, left: int, right: int, width: int, name: str = "t.m", signed: bool = False) -> None:
        self.left, self.right, self.width, self.name, self.signed = left, right, width, name, signed
        unknown = Value(width, 0, (1 << width) - 1, signed)
        self.words = dict.fromkeys(range(min(left, right), max(left, right) + 1), unknown)

    def get(self, index: int) -> Value:
        return self.words[index]

    def set(self, index: int, value: Value) -> None:
        assert index in self.words and value.width == self.width
        self.words[index] = value

    def fill(self, index: int, values: Sequence[int]) -> None:
        for number, value in enumerate(values, index):
            assert value >> self.width == 0
            self.set(number, Value(self.width, value, 0, self.signed))

    def numbers(self) -> list[int | str]:
        """Return the words by ascending index; one with unknown bits as `x`."""
        return ["x" if self.words[index].unknown else self.words[index].value for index in sorted(self.words)]


class Output:
    """Collect what is printed."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes, /) -> None:
        self.data += data


class TaskHost:
    """Be the simulation as system tasks see it."""

    def __init__(self, tick_fs: int = 10**6, plusargs: Sequence[str] = ()) -> None:
        self.time, self.tick_fs = 0, tick_fs
        self.out = Output()
        self.state = TaskState(DesignFiles(self.out.write), tick_fs, plusargs)
        self.finished: int | None = None
        self.stopped = False
        self.errors = 0
        self.monitoring = True
        self.cancelled: list[Callable[[int], bool]] = []
        self.tops: list[DumpScope] = []
        self.values: dict[int, Value | float] = {}
        self.watchers: list[tuple[set[int], Callable[[Sequence[int]], None]]] = []
        self.postponed: list[Callable[[], None]] = []
        self.ports: list[DumpSignal] = []
        self.port_changed: Callable[[Sequence[int]], None] | None = None
        self.drives: dict[int, list[tuple[Drive, Drive]]] = {}
        self.scales: dict[str, tuple[int, int]] = {}

    def place(self, span: Span) -> str:
        return "t.v:1"

    def finish(self, code: int) -> None:
        self.finished = code

    def stop(self) -> None:
        self.stopped = True

    def report_error(self) -> None:
        self.errors += 1

    def dump_scopes(self) -> Sequence[DumpScope]:
        return self.tops

    def read(self, signal: int) -> Value | float:
        return self.values[signal]

    def watch(self, signals: Sequence[int], change: Callable[[Sequence[int]], None]) -> None:
        self.watchers.append((set(signals), change))

    def follow_ports(
        self, ports: Sequence[tuple[str, DumpSignal]], change: Callable[[Sequence[int]], None]
    ) -> Callable[[int], Sequence[tuple[Drive, Drive]]]:
        self.ports, self.port_changed = [signal for _, signal in ports], change
        return lambda number: self.drives[self.ports[number].number]

    def at_end_of_tick(self, action: Callable[[], None]) -> None:
        self.postponed.append(action)

    def enable_monitor(self, enabled: bool) -> None:
        self.monitoring = enabled

    def cancel_monitors(self, matches: Callable[[int], bool]) -> None:
        self.cancelled.append(matches)

    def time_scale(self, path: str) -> tuple[int, int]:
        return self.scales[path]

    def control_assertions(self, change: Callable[[str, AssertionControl, int], int]) -> None:
        """Refuse it: nothing here has assertions that are controlled."""
        raise NotImplementedError("no assertion can be controlled here")

    def driver_counts(self, path: str) -> tuple[int, int, int, bool]:
        raise KeyError(path)

    # ---------------------------------------------------------------------------------------------- for tests

    def call(self, name: str, *args: TaskArgument, unit_fs: int = 10**6, precision_fs: int = 10**6) -> Result:
        """Call a task or function and return its result."""
        return self.perform(name, *args, unit_fs=unit_fs, precision_fs=precision_fs)[0]

    def perform(
        self, name: str, *args: TaskArgument, unit_fs: int = 10**6, precision_fs: int = 10**6
    ) -> tuple[Result, TaskCall]:
        """Call a task or function; return its result and the call with its outputs."""
        call = TaskCall(name, list(args), self, "t", unit_fs=unit_fs, precision_fs=precision_fs)
        return TASKS[name](call), call

    def end_tick(self, time: int, **_: int) -> None:
        """Run the postponed region and go to a time."""
        postponed, self.postponed = self.postponed, []
        for action in postponed:
            action()
        self.time = time

    def change(self, values: dict[int, Value | float]) -> None:
        """Give signals new values at the present time, and tell who watches them."""
        self.values.update(values)
        for signals, change in self.watchers:
            changed = [signal for signal in values if signal in signals]
            if changed:
                change(changed)

    @property
    def said(self) -> str:
        """Return what has been printed since last asked."""
        text = self.out.data.decode("latin-1")
        self.out.data.clear()
        return text


def integer(value: int, width: int = 32, signed: bool = True) -> Value:
    return Value(width, value & (1 << width) - 1, 0, signed)


def unknown(width: int = 32) -> Value:
    return Value(width, 0, (1 << width) - 1)


def number(result: Result) -> int:
    """Return a function's result as an integer."""
    if isinstance(result, Value):
        assert not result.unknown
        return (
            result.value - (1 << result.width) if result.signed and result.value >> result.width - 1 else result.value
        )
    assert isinstance(result, int)
    return result
