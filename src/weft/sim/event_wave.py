"""Write the waveform that the user has asked for (`--wave FILE`, `--signals GLOB...`) of an event simulation.

A pattern is matched against a signal's path, with and without the top's name; `*` crosses dots. The file begins at the
end of the first time, with settled values, whatever the design dumps itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.base.path_patterns import PathPattern
from weft.sim.tasks.dump_scopes import Declaration, DumpScope, DumpSignal, Shown, WaveSink
from weft.sim.tasks.task_call import Host


@dataclass(slots=True, eq=False)
class EventWave:
    """Follow the chosen signals and write them to a sink, which is opened when the patterns are known to be good."""

    host: Host
    open_sink: Callable[[], WaveSink]
    patterns: Sequence[str] = ("*",)
    depth: int | None = None
    """How many levels of the hierarchy are followed, the top being one."""
    sink: WaveSink = field(init=False)
    _declarations: list[Declaration] = field(default_factory=list[Declaration])
    _signals: dict[int, DumpSignal] = field(default_factory=dict[int, DumpSignal])
    _used: set[str] = field(default_factory=set[str])
    _begun: bool = False
    _closed: bool = False

    def __post_init__(self) -> None:
        tests = [PathPattern(text) for text in self.patterns]
        for top in self.host.dump_scopes():
            self._choose(top, tests, 1)
        unused = next((text for text in self.patterns if text not in self._used), None)
        if unused is not None:
            raise UserError("unknown-signal", f"no signal matches '{unused}'")
        self.sink = self.open_sink()

    def begin_later(self) -> None:
        """Begin at the end of the present time step."""
        self.host.at_end_of_tick(self.begin)

    def _choose(self, scope: DumpScope, tests: list[PathPattern], level: int) -> bool:
        """Declare what is chosen in a scope; say whether that is anything."""
        start = len(self._declarations)
        self._declarations.append(Declaration(scope=scope))
        for signal in scope.signals if self.depth is None or level <= self.depth else ():
            path = f"{scope.path}.{signal.name}"
            hits = [test.text for test in tests if test.matches(path)]
            if hits:
                self._used.update(hits)
                self._declarations.append(Declaration(signal=signal))
                self._signals.setdefault(signal.number, signal)
        empty = len(self._declarations) == start + 1
        for inner in scope.scopes:
            deeper = level + (inner.kind == "module")
            empty = not self._choose(inner, tests, deeper) and empty
        if empty:
            del self._declarations[start:]
        else:
            self._declarations.append(Declaration())
        return not empty

    def begin(self) -> None:
        """Begin now, at a settled time."""
        self._begun = True
        values = [(signal, self.host.read(number)) for number, signal in self._signals.items()]
        self.sink.begin(self._declarations, self.host.time, values)
        self.host.watch([number for number, signal in self._signals.items() if not signal.constant], self._change)

    def _change(self, numbers: Sequence[int]) -> None:
        if self._closed:
            return
        values: list[tuple[DumpSignal, Shown]] = [(self._signals[n], self.host.read(n)) for n in numbers]
        self.sink.change(self.host.time, values)

    def close(self, time: int) -> None:
        """Complete the file."""
        if not self._begun:
            self.begin()
        self._closed = True
        self.sink.close(time)
