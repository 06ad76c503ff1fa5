"""The boundary between an engine and the system tasks: what a call carries, and what a task asks of its host.

An engine evaluates a call's arguments and makes a `TaskCall`; the handler of that name in `registry.TASKS` does the
rest, returns a function's result and leaves the new values of output arguments in `outputs`, each already of the
argument's own kind and width. Strings hold one character per byte (latin-1). What must outlive a call is in the host's
`TaskState`, so that two simulations of one process share nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from weft.base.dataclass import dataclass, field
from weft.base.source import NOWHERE, Span
from weft.base.text_bytes import bytes_text
from weft.ir.assertion_control import AssertionControl
from weft.sim.format_arguments import Argument, Shaped, Value, number_of, rounded

if TYPE_CHECKING:
    from weft.sim.tasks.dump_scopes import DumpScope, DumpSignal
    from weft.sim.tasks.port_states import Drive
    from weft.sim.tasks.task_state import TaskState


class MemoryView(Protocol):
    """Be an unpacked array argument: `left` and `right` are its declared bounds, `name` its full path."""

    name: str
    left: int
    right: int
    width: int
    signed: bool

    def get(self, index: int) -> Value:
        """Return the element at a declared index."""
        ...

    def set(self, index: int, value: Value) -> None:
        """Write the element at a declared index."""
        ...

    def fill(self, index: int, values: Sequence[int]) -> None:
        """Write elements without unknown bits from a declared index up."""
        ...


TaskArgument: TypeAlias = Argument | MemoryView
Result: TypeAlias = Value | str | float | int | None


class Writer(Protocol):
    """Take bytes."""

    def write(self, data: bytes, /) -> object:
        """Write bytes."""
        ...


class Host(Protocol):
    """Be the simulation as system tasks see it. `time` counts ticks of `tick_fs`, the design's finest precision."""

    tick_fs: int
    state: TaskState

    @property
    def time(self) -> int:
        """Return the time in ticks."""
        ...

    @property
    def out(self) -> Writer:
        """Return what takes the simulation's output."""
        ...

    def place(self, span: Span) -> str:
        """Return `file:line` of a call."""
        ...

    def finish(self, code: int) -> None:
        """End the simulation after the present statement; `code` is the exit status."""
        ...

    def stop(self) -> None:
        """Suspend the simulation (`$stop`)."""
        ...

    def report_error(self) -> None:
        """Count an error that the design has reported (`$error`, `$fatal`)."""
        ...

    def dump_scopes(self) -> Sequence[DumpScope]:
        """Return the top scopes of the design, with everything that a waveform can show."""
        ...

    def read(self, signal: int) -> Value | float:
        """Return the value of a signal, by its number in the dump scopes."""
        ...

    def watch(self, signals: Sequence[int], change: Callable[[Sequence[int]], None]) -> None:
        """Call `change(changed)` from now on in the postponed region of each tick in which signals have changed.

        It is called once a tick, with those that have changed, or were triggered, in the order of their first change;
        `read` returns settled values then.
        """
        ...

    def follow_ports(
        self, ports: Sequence[tuple[str, DumpSignal]], change: Callable[[Sequence[int]], None]
    ) -> Callable[[int], Sequence[tuple[Drive, Drive]]]:
        """Call `change`, as `watch` does, for ports of which the value or what drives it may have changed.

        `ports` are paths of instances, and ports of theirs, known by their place here. What is returned tells what
        drives each bit of a port from outside and from inside, the highest bit first.
        """
        ...

    def at_end_of_tick(self, action: Callable[[], None]) -> None:
        """Call `action` in the postponed region of the present tick."""
        ...

    def enable_monitor(self, enabled: bool) -> None:
        """Do `$monitoron` or `$monitoroff`."""
        ...

    def cancel_monitors(self, matches: Callable[[int], bool]) -> None:
        """End each `$fmonitor` to whose descriptor `matches` says yes; its file is closed."""
        ...

    def control_assertions(self, change: Callable[[str, AssertionControl, int], int]) -> None:
        """Give each assertion the word that `change` returns for its path, what it is, and its present word."""
        ...

    def time_scale(self, path: str) -> tuple[int, int]:
        """Return unit and precision, in femtoseconds, of the module that a path leads to; KeyError if none does."""
        ...

    def driver_counts(self, path: str) -> tuple[int, int, int, bool]:
        """Return how many drivers drive a net's bit to 0, 1 and x, and whether it is forced."""
        ...


@dataclass(slots=True)
class TaskCall:
    """Be one call. `unit_fs` and `precision_fs` are the time scale of the calling module, `scope` is its `%m` path."""

    name: str
    args: list[TaskArgument]
    host: Host
    scope: str = ""
    span: Span = NOWHERE
    unit_fs: int = 1_000_000
    precision_fs: int = 1_000_000
    outputs: dict[int, Value | float | str] = field(default_factory=dict[int, "Value | float | str"])

    # ---------------------------------------------------------------------------------------------- messages

    def warn(self, text: str) -> None:
        """Print a warning as Icarus Verilog words them."""
        self.host.out.write(f"WARNING: {self.host.place(self.span)}: {text}\n".encode("utf-8", "surrogateescape"))

    def error(self, text: str) -> None:
        """Print an error that does not end the simulation, as Icarus Verilog words them."""
        self.host.out.write(f"ERROR: {self.host.place(self.span)}: {text}\n".encode("utf-8", "surrogateescape"))

    def fail(self, text: str) -> None:
        """Print an error and end the simulation with exit status 1."""
        self.error(text)
        self.host.report_error()
        self.host.finish(1)

    # --------------------------------------------------------------------------------------------- arguments

    def value(self, index: int) -> Value:
        """Return an argument as bits."""
        argument = self.args[index] if index < len(self.args) else None
        match argument:
            case Value():
                return argument
            case str():
                data = argument.encode("latin-1")
                return Value(8 * len(data) or 8, int.from_bytes(data, "big"))
            case float():
                return Value(64, rounded(argument) & (1 << 64) - 1, 0, True)
            case Shaped(_, Value() as value):
                return value
            case _:
                return Value(32, 0)

    def number(self, index: int, default: int = 0) -> int:
        """Return an argument as an integer; unknown bits count as 0, a missing one is the default."""
        if index >= len(self.args) or self.args[index] is None:
            return default
        return number_of(self.value(index))

    def int32(self, index: int, default: int = 0) -> int:
        """Return an argument as a signed integer of 32 bits, as VPI gives it to a task."""
        number = self.number(index, default) & 0xFFFFFFFF
        return number - (1 << 32) if number >> 31 else number

    def real(self, index: int) -> float:
        """Return an argument as a real."""
        argument = self.args[index] if index < len(self.args) else None
        return argument if isinstance(argument, float) else float(self.number(index))

    def text(self, index: int) -> str:
        """Return an argument as a string; zero bytes of a vector are no characters."""
        argument = self.args[index] if index < len(self.args) else None
        if isinstance(argument, Shaped) and isinstance(argument.value, str):
            argument = argument.value
        if isinstance(argument, str):
            return argument
        value = self.value(index)
        data = (value.value & ~value.unknown).to_bytes((value.width + 7) // 8, "big")
        return data.replace(b"\0", b"").decode("latin-1")

    def path(self, index: int) -> str:
        """Return an argument as a file name of the operating system."""
        return bytes_text(self.text(index).encode("latin-1"))

    def shown(self, start: int = 0) -> list[Argument]:
        """Return the arguments from `start` on for formatting, where text is UTF-8."""
        shown: list[Argument] = []
        for argument in self.args[start:]:
            match argument:
                case str():
                    plain = argument.isascii()
                    shown.append(argument if plain else bytes_text(argument.encode("latin-1")))
                case Value() | float() | Shaped() | None:
                    shown.append(argument)
                case _:
                    shown.append("<?>")
        return shown

    # ----------------------------------------------------------------------------------------------- outputs

    def put(self, index: int, value: int, unknown: int = 0, width: int = 0) -> None:
        """Give an output argument a number, signed and of any size, converted to the argument's own kind.

        With unknown bits `width` is the width of the number: what an argument has beyond that, the topmost bit fills
        if it is unknown, as VPI does it.
        """
        match self.args[index]:
            case float():
                self.outputs[index] = float(value & ~unknown)
            case str():
                count = (max(value.bit_length(), 1) + 7) // 8
                data = (value & (1 << 8 * count) - 1).to_bytes(count, "big").lstrip(b"\0")
                self.outputs[index] = data.decode("latin-1")
            case Value() as old:
                ones = (1 << old.width) - 1
                if unknown and width < old.width and unknown >> (width - 1) & 1:
                    fill = ones ^ (1 << width) - 1
                    unknown |= fill
                    value |= fill if value >> (width - 1) & 1 else 0
                self.outputs[index] = Value(old.width, value & ones, unknown & ones, old.signed)
            case _:
                self.fail(f"{self.name}: argument {index + 1} cannot be written.")

    def put_unknown(self, index: int) -> None:
        """Give an output argument all x."""
        argument = self.args[index]
        if isinstance(argument, Value):
            self.outputs[index] = Value(argument.width, 0, (1 << argument.width) - 1, argument.signed)
        else:
            self.put(index, 0)

    def put_real(self, index: int, number: float) -> None:
        """Give an output argument a real, rounded for an integer."""
        if isinstance(self.args[index], float):
            self.outputs[index] = number
        else:
            self.put(index, rounded(number))

    def put_text(self, index: int, text: str) -> None:
        """Give an output argument a string: a vector takes its last characters, with zero bytes before them."""
        argument = self.args[index]
        if isinstance(argument, str):
            self.outputs[index] = text.replace("\0", "")
        else:
            self.put(index, int.from_bytes(text.encode("latin-1"), "big"))


Handler: TypeAlias = Callable[[TaskCall], Result]
"""What performs a task: the result of a function, None of a task."""
