"""Make modules and fragments by hand, flatten them, and run the result on the reference engine."""

from __future__ import annotations

from weft.base.source import NOWHERE, SourceMap, Span
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import ConeGraph, State
from weft.ir.design import Design, Instance, Module, Port, Signal, Type
from weft.ir.graph_builder import GraphBuilder
from weft.passes.flatten_design import flatten_design
from weft.passes.fragment import (
    Clocked,
    ClockedMemory,
    Connection,
    Drive,
    Fragment,
    Trigger,
    Use,
)


class Maker:
    """Build one module and its fragment side by side."""

    def __init__(self, name: str, four_state: bool = False) -> None:
        self.module = Module(name, name)
        self.builder = GraphBuilder(four_state=four_state)
        self.fragment = Fragment(self.module, self.builder)
        self._processes = 0
        self._uses: dict[tuple[Signal, tuple[str, ...], bool, bool], int] = {}

    def signal(self, name: str, width: int = 1, net: str = "", depth: int = 0, port: str = "", span: Span = NOWHERE):
        signal = Signal(name, width, Type("logic", width), depth=depth, net=net, span=span)
        self.module.signals.append(signal)
        if port:
            self.module.ports.append(Port(name, port, signal))
        return signal

    def use(self, signal: Signal, path: tuple[str, ...] = (), hold: bool = False, memory: bool = False) -> int:
        key = (signal, path, hold, memory)
        if key not in self._uses:
            self._uses[key] = len(self.fragment.uses)
            self.fragment.uses.append(Use(signal, path, hold, memory))
            depth = signal.depth if memory else 0
            width = signal.width if memory else signal.bits
            self.builder.states.append(State(signal.name, width, depth))
        return self._uses[key]

    def read(self, signal: Signal, path: tuple[str, ...] = (), hold: bool = False) -> int:
        return self.builder.read(self.use(signal, path, hold))

    def element(self, signal: Signal, address: int) -> int:
        return self.builder.memread(self.use(signal, memory=True), address)

    def op(self, name: str, *sources: int, width: int = 0) -> int:
        width = width or self.builder.width[sources[-1]]
        return self.builder.add(name, width, *sources)

    def const(self, width: int, value: int, unknown: int = 0) -> int:
        return self.builder.const(width, value, unknown)

    def process(self) -> int:
        self._processes += 1
        return self._processes - 1

    def drive(self, signal: Signal, value: int, low: int = 0, enable: int = -1, path=(), span=NOWHERE, weak=False):
        width = self.builder.width[value]
        use = self.use(signal, path)
        self.fragment.drives.append(Drive(use, low, width, value, self.process(), enable, span, weak))

    def trigger(self, *edges: tuple[str, int] | tuple[str, int, int]) -> int:
        full = tuple((*edge, -1)[:3] for edge in edges)
        self.fragment.triggers.append(Trigger(full, "trigger"))
        return len(self.fragment.triggers) - 1

    def clocked(self, signal: Signal, value: int, trigger: int, enable: int = -1, low: int = 0, process=None, path=()):
        process = self.process() if process is None else process
        enable = self.const(1, 1) if enable < 0 else enable
        width = self.builder.width[value]
        self.fragment.clocked.append(Clocked(self.use(signal, path), low, width, value, enable, trigger, process))

    def write(self, signal: Signal, address: int, value: int, trigger: int, enable: int = -1, mask: int = -1):
        enable = self.const(1, 1) if enable < 0 else enable
        use = self.use(signal, memory=True)
        entry = ClockedMemory(use, address, value, enable, trigger, self.process(), mask)
        self.fragment.clocked_memories.append(entry)

    def instance(self, name: str, child: Maker, **connections: int | tuple[tuple[int, int, int, int], ...]) -> None:
        """Place a child; a connection is a node for an input, or targets (use, low, width, bit)."""
        number = len(self.module.instances)
        ports = [port.name for port in child.module.ports]
        self.module.instances.append(Instance(name, child.module, (None,) * len(ports)))
        for port, target in connections.items():
            index = ports.index(port)
            if isinstance(target, int):
                self.fragment.connections.append(Connection(number, index, target))
            else:
                self.fragment.connections.append(Connection(number, index, targets=target))

    def whole(self, signal: Signal) -> tuple[tuple[int, int, int, int], ...]:
        return ((self.use(signal), 0, signal.bits, 0),)


def flatten(top: Maker, *others: Maker, sources: SourceMap | None = None, packages=(), **options) -> ConeGraph:
    makers = (*others, *packages, top)
    packed = [(package.module.name, package.module) for package in packages]
    design = Design(sources or SourceMap(), [(top.module.name, top.module)], [m.module for m in makers], packed)
    return flatten_design(design, {maker.module: maker.fragment for maker in makers}, **options)


class Bench:
    """Run a graph on the reference engine, with signals by path."""

    def __init__(self, graph: ConeGraph) -> None:
        self.graph = graph
        self.program = ReferenceProgram(graph)
        self.state = self.program.layout.allocate()
        self.program.settle(self.state)

    def number(self, name: str) -> int:
        return next(i for i, state in enumerate(self.graph.states) if state.name == name)

    def node(self, path: str) -> int:
        scope, _, name = path.rpartition(".")
        for place in self.graph.scopes:
            if place.path == scope:
                index = [signal.name for signal in place.module.signals].index(name)
                return int(place.nodes[index])
        raise KeyError(path)

    def poke(self, **values: int) -> None:
        for name, value in values.items():
            self.program.layout.write(self.state, self.number(f"top.{name}"), value)
        self.program.settle(self.state)

    def peek(self, path: str) -> int:
        return self.program.evaluate(self.state, self.graph, [self.node(path)])[0]

    def element(self, name: str, index: int) -> int:
        return self.program.layout.read(self.state, self.number(name), index)

    def cycle(self, clock: str = "clk", times: int = 1) -> None:
        for _ in range(times):
            self.poke(**{clock: 1})
            self.poke(**{clock: 0})
