"""Read signals inside a region, for the prompt of `$stop`.

Nobody computes most of them while the region runs. They are computed when they are asked for, from a copy of its state
into which the present inputs are written.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.engines.event.elaborate import Node
from weft.engines.event.engine import EventEngine
from weft.ir.layout import place_state
from weft.ir.program import StateArray
from weft.sim.format_arguments import Value
from weft.sim.regions.mixed_design import BuiltRegion
from weft.sim.signal_map import Found, SignalMap


@dataclass(slots=True, eq=False)
class RegionValues:
    """Read signals of one instance of a region."""

    built: BuiltRegion
    engine: EventEngine
    node: Node
    state: StateArray

    def read(self, path: str) -> Value | None:
        """Return the value of a signal or an array's element, by its path below the instance, or None."""
        signals = SignalMap(self.built.graph)
        name = f"{self.built.stub.name}.{path}"
        found = signals.look_up(name)
        if found is not None:
            return self._value(found) if found.node >= 0 and not found.signal.depth else None
        base, bracket, index = name.rpartition("[")
        found = signals.look_up(base) if bracket else None
        number = index.rstrip("]")
        if found is None or found.node == -1 or not found.signal.depth or not number.isdigit():
            return None
        bounds = found.signal.type.unpacked[:1]
        place = int(number) - (min(bounds[0]) if bounds else 0)
        if not 0 <= place < found.signal.depth:
            return None
        return (
            self._element(found, place) if found.memory >= 0 else _part(self._value(found), place, found.signal.width)
        )

    def _value(self, found: Found) -> Value:
        from weft.engines.reference.program import ReferenceProgram  # only loaded where somebody asks

        graph = self.built.graph
        state = self.state.copy()
        region = self.built.region
        for port in (*region.ports, *region.samples, *region.followed):
            planes = self.engine.read(self.node, port.signal)
            for at, plane in zip((port.value, port.unknown), planes, strict=True):
                if at >= 0:
                    state[at : at + port.stride] = list(plane.to_bytes(port.stride, "little"))
        nodes = [found.node] if found.unknown < 0 else [found.node, found.unknown]
        values = ReferenceProgram(graph).evaluate(state, graph, nodes)
        return Value(found.signal.bits, values[0], values[1] if len(values) > 1 else 0)

    def _element(self, found: Found, index: int) -> Value:
        layout, memory = place_state(self.built.graph.states), found.memory
        twin = self.built.graph.states[memory].twin
        unknown = layout.read(self.state, twin, index) if twin >= 0 else 0
        return Value(found.signal.width, layout.read(self.state, memory, index), unknown)


def _part(value: Value, index: int, width: int) -> Value:
    ones = (1 << width) - 1
    return Value(width, value.value >> index * width & ones, value.unknown >> index * width & ones)
