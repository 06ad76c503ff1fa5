"""What a waveform can show: the scopes and signals of a design, and what writes them.

The engine makes the tree once, when a dump task asks for it; the tasks choose from it, a `WaveSink` writes the file.
`VcdSink` is one; a factory may know others by the file's name, such as FST, which is written a layer above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from weft.base.dataclass import dataclass, field
from weft.sim.format_arguments import Value

_EVENTS = ("event",)
_CONSTANTS = ("parameter", "real_parameter")
_VARIABLES = ("integer", "real", "time")


@dataclass(frozen=True, slots=True)
class DumpSignal:
    """Be a name of a signal; `number` is the signal's, which aliases such as the two sides of a port share.

    `kind` is what VCD calls a variable (`wire`, `tri0`, `supply1`, `reg`, `integer`, `time`, `real`, `event`,
    `parameter`, `real_parameter`); `bounds` are the declared ones of a vector, `direction` that of a port.
    """

    name: str
    kind: str
    width: int
    number: int
    bounds: tuple[int, int] | None = None
    direction: str = ""

    @property
    def constant(self) -> bool:
        """Say whether it never changes."""
        return self.kind in _CONSTANTS

    @property
    def rank(self) -> int:
        """Return its place in a scope: events, nets, parameters, registers, other variables, as Icarus Verilog."""
        if self.kind in _EVENTS:
            return 0
        return 2 if self.constant else 3 if self.kind == "reg" else 4 if self.kind in _VARIABLES else 1


@dataclass(slots=True)
class DumpScope:
    """Be a scope: `kind` is `module`, `generate`, `task`, `function`, `begin` or `fork`; `path` its full name.

    `elements` returns an element of an unpacked array as a signal, given its name and index, or None.
    """

    name: str
    kind: str
    path: str
    signals: list[DumpSignal] = field(default_factory=list[DumpSignal])
    scopes: list[DumpScope] = field(default_factory=list["DumpScope"])
    elements: Callable[[str, int], DumpSignal | None] | None = None

    def walk(self) -> Iterator[DumpScope]:
        """Yield this scope and all inside it."""
        yield self
        for scope in self.scopes:
            yield from scope.walk()


@dataclass(frozen=True, slots=True)
class Declaration:
    """Be a line of a waveform's declarations: a scope's beginning, a signal, or (neither) a scope's end."""

    scope: DumpScope | None = None
    signal: DumpSignal | None = None


Shown: TypeAlias = Value | float


class WaveSink(Protocol):
    """Write one waveform; times are ticks, `values` pairs of signal and value."""

    title: str

    def begin(self, declarations: Sequence[Declaration], time: int, values: Sequence[tuple[DumpSignal, Shown]]) -> None:
        """Write the declarations, and the values at the time at which the dump begins."""
        ...

    def change(self, time: int, values: Sequence[tuple[DumpSignal, Shown]]) -> None:
        """Write new values."""
        ...

    def section(self, keyword: str, time: int, values: Sequence[tuple[DumpSignal, Shown | None]]) -> None:
        """Write `dumpoff`, `dumpon` or `dumpall`; no value is x."""
        ...

    def comment(self, text: str) -> None:
        """Write a comment, where the format has any."""
        ...

    def size(self) -> int:
        """Return the bytes written so far."""
        ...

    def flush(self) -> None:
        """Bring everything to the file."""
        ...

    def close(self, time: int | None) -> None:
        """Complete the file; `time`, if given, is the last shown."""
        ...


WaveFactory: TypeAlias = Callable[[str, int], "WaveSink | None"]
"""Return the sink for a path and the size of a tick in femtoseconds; None if the name means a VCD file."""


class ScopeIndex:
    """Find scopes and signals by path."""

    def __init__(self, tops: Sequence[DumpScope]) -> None:
        self.tops = tops
        self._scopes = {scope.path: scope for top in tops for scope in top.walk()}

    def scope(self, path: str) -> DumpScope | None:
        """Return a scope, or None."""
        return self._scopes.get(path)

    def signal(self, path: str) -> tuple[DumpScope, DumpSignal] | None:
        """Return a signal or an array's element with its scope, or None."""
        parent, _, name = path.rpartition(".")
        scope = self._scopes.get(parent)
        if scope is None:
            return None
        found = next((signal for signal in scope.signals if signal.name == name), None)
        base, bracket, index = name.rpartition("[")
        if found is None and bracket and scope.elements is not None and index.rstrip("]").lstrip("-").isdigit():
            found = scope.elements(base, int(index.rstrip("]")))
        return None if found is None else (scope, found)

    def around(self, path: str) -> list[DumpScope]:
        """Return the scopes that lead to a path, outermost first, without the path itself."""
        parts = path.split(".")
        found = (self._scopes.get(".".join(parts[: count + 1])) for count in range(len(parts) - 1))
        return [scope for scope in found if scope is not None]
