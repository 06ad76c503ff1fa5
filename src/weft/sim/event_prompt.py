"""What the prompt of `$stop` sees of an event simulation (`apps.stop_prompt.StoppedSimulation`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from weft.base.dataclass import dataclass, field
from weft.engines.event.elaborate import Node
from weft.engines.event.engine import EventEngine
from weft.engines.event.records import CURRENT, FLAG_ENDED, NODE_FLAGS, NODE_LIST, NODE_TIME, WHEEL_BITS
from weft.engines.event.sites import ThreadPlan
from weft.sim.event_host import EventHost
from weft.sim.format_arguments import Value
from weft.sim.format_bases import digits
from weft.sim.tasks.dump_scopes import ScopeIndex
from weft.sim.times import time_text

_PROCEDURES = ("initial", "final", "always")


@dataclass(slots=True, eq=False)
class EventStop:
    """Be a simulation that has stopped. Its methods are for the main thread, while the run is parked or paused."""

    host: EventHost
    inside: Callable[[str], Value | None] = lambda path: None
    """Read a signal inside a region, which has no scope of the event engine's."""
    _index: ScopeIndex | None = None
    _waits: dict[int, str] = field(default_factory=dict[int, str])

    @property
    def engine(self) -> EventEngine:
        """Return the engine."""
        return self.host.engine

    @property
    def index(self) -> ScopeIndex:
        """Return the scopes, made when first asked for."""
        if self._index is None:
            self._index = ScopeIndex(self.host.dump_scopes())
        return self._index

    def scope(self) -> str:
        """Return the path of the instance whose process is running."""
        return self.host.current[1].path if self.host.current is not None else ""

    def time_text(self) -> str:
        """Return the time as people read it."""
        return time_text(self.engine.time * self.host.tick_fs)

    def scopes(self, path: str) -> Sequence[str] | None:
        """Return the names of the scopes inside a path (empty: the tops), or None if it is no scope."""
        if not path:
            return [top.name for top in self.index.tops]
        found = self.index.scope(path)
        return None if found is None else [inner.name for inner in found.scopes]

    def signals(self, path: str) -> Sequence[str]:
        """Return the names of the signals in a scope."""
        found = self.index.scope(path)
        return [] if found is None else [signal.name for signal in found.signals]

    def value_text(self, path: str) -> str | None:
        """Return the value of a signal, an element or bits of one as text, or None if there is no such signal."""
        found = self.index.signal(path)
        if found is not None:
            return _shown(self.host.read(found[1].number))
        base, bracket, bits = path.rpartition("[")
        found = self.index.signal(base) if bracket else None
        if found is None:
            hidden = self.inside(path)
            return None if hidden is None else _shown(hidden)
        value = self.host.read(found[1].number)
        first, colon, last = bits.rstrip("]").partition(":")
        if not isinstance(value, Value) or not first.isdigit() or (colon and not last.isdigit()):
            return None
        left, right = found[1].bounds or (value.width - 1, 0)
        places = [abs(int(index) - right) for index in (first, last or first)]
        if not all(min(left, right) <= int(index) <= max(left, right) for index in (first, last or first)):
            return None
        low, width = min(places), abs(places[0] - places[1]) + 1
        ones = (1 << width) - 1
        return _shown(Value(width, value.value >> low & ones, value.unknown >> low & ones))

    def processes(self) -> Iterator[str]:
        """Yield a line for each procedure: where it is, and what it waits for."""
        for node, plan in self.engine.threads:
            if plan.what.startswith(_PROCEDURES) and plan.what != "final":
                place = self._place(plan)
                yield f"{plan.what} in {node.path} ({place}) {self._state_of(node, plan)}"

    def _place(self, plan: ThreadPlan) -> str:
        return self.engine.code.design.design.sources.describe(plan.span)

    def _state_of(self, node: Node, plan: ThreadPlan) -> str:
        engine = self.engine
        offset = node.base + plan.offset
        if engine.word(CURRENT) == engine.memory.ctypes.data + offset:
            return "is running"
        if int(engine.memory[offset + NODE_FLAGS]) & FLAG_ENDED:
            return "has ended"
        place = engine.word(offset + NODE_LIST) - engine.memory.ctypes.data
        if not 0 <= place < engine.memory.size:
            # A thread that watches name is in no list while it waits.
            place = offset
            if place not in self._sites:
                return "waits for others"
        if place in self._sites:
            return f"waits for {self._sites[place]}"
        if place < WHEEL_BITS:
            return "is about to run"
        return f"waits until {time_text(engine.word(offset + NODE_TIME) * self.host.tick_fs)}"

    @property
    def _sites(self) -> dict[int, str]:
        """Return, for each wait site by its place in the memory, what it waits for."""
        if not self._waits:
            for code in self.engine.code.codes.values():
                for site in code.sites:
                    names = [".".join((*watch.ref.path, watch.ref.signal.name)) for watch in site.watches]
                    text = "a change of " + ", ".join(dict.fromkeys(names)) if names else "nothing"
                    for node in code.unit.nodes:
                        self._waits[node.base + site.offset] = text
        return self._waits

    def step(self, count: int) -> str | None:
        """Run until so many processes have run to where they wait; return the last one, or None at the end."""
        more = self.engine.step(count)
        current = self.engine.word(CURRENT)
        if not more or self.host.status is not None:
            return None
        for node, plan in self.engine.threads:
            if self.engine.memory.ctypes.data + node.base + plan.offset == current:
                return f"{plan.what or 'net'} in {node.path} ({self._place(plan)})"
        return "a delayed change or forked process"


def _shown(value: Value | float) -> str:
    if not isinstance(value, Value):
        return f"{value:g}"
    if value.width == 1:
        return digits(value, 1)
    return f"{value.width}'h{digits(value, 4)}"
