"""Make the drive plan of a batch (`passes.drive_inputs`) of what the user says about its inputs.

The text of a generator is an expression of `sim.build_condition`, with Verilog's operators and numbers over the
design's signals, and three names more: `lane` (32 bits), `cycle` (64 bits) and `random`, which is as wide as the input
but has at least 32 bits. Like the right side of an assignment it is evaluated in the width of the input or its own,
whichever is more (IEEE 1800-2023 11.6), and cut to the input's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.ir.cone_graph import ConeGraph
from weft.ir.graph_builder import GraphBuilder
from weft.passes.drive_inputs import CYCLE, DriveBuilder, DrivePlan
from weft.passes.insert_random import random_node
from weft.sim.build_condition import ExpressionBuilder
from weft.sim.choose_clock import ChosenClock
from weft.sim.copy_cones import hook_builder
from weft.sim.parse_condition import Parser
from weft.sim.signal_map import Found, SignalMap

_RANDOM_BITS = 32


@dataclass(frozen=True, slots=True)
class Port:
    """Be an input of the top that can be driven: its path with the top's name, its state and its width."""

    path: str
    found: Found
    state: int

    @property
    def width(self) -> int:
        """Return the number of bits."""
        return self.found.signal.bits


@dataclass(frozen=True, slots=True)
class Generator:
    """Be the expression that drives an input, and the seed of its random numbers."""

    port: Port
    text: str
    seed: int


def find_port(path: str, signals: SignalMap, clocks: Sequence[ChosenClock]) -> Port:
    """Return the input of a path; raises what is wrong with it."""
    if not clocks:
        raise UserError(
            "ambiguous-clock", "stimulus changes with a clock, and the design has none; name one with clock="
        )
    found = signals.find(path)
    parts = signals.parts(found.node) if found.node >= 0 else None
    states = signals.graph.states
    if parts is None or len(parts) != 1 or states[parts[0].state].kind != "input":
        raise UserError("read-only", f"'{path}' is no input of the top module, so it cannot be driven")
    if any(chosen.clock.state == parts[0].state for chosen in clocks):
        raise UserError("bad-option", f"'{path}' is a clock, so it cannot be driven")
    return Port(f"{signals.graph.scopes[found.scope].path}.{found.signal.name}", found, parts[0].state)


class _Expression:
    """Be a generator's expression with its widths."""

    def __init__(self, generator: Generator, signals: SignalMap) -> None:
        port = generator.port
        self.port = port
        terms = {"lane": 32, "cycle": 64, "random": max(_RANDOM_BITS, port.width)}
        self.random_width = terms["random"]
        parser = Parser(generator.text)
        self._builder = ExpressionBuilder(parser, signals, terms)
        tree = parser.parse()
        width = max(self._builder.width(tree), port.width)
        node = self._builder.node(tree, width)
        self._target = self._builder.builder.slice(node, 0, port.width)

    def uses(self, name: str) -> bool:
        """Say whether a name occurs."""
        return name in self._builder.found

    def join(self, final: GraphBuilder, terms: Mapping[str, int]) -> tuple[int, int]:
        """Return the nodes of the value and the unknown plane."""
        return self._builder.join(self._target, final, terms)


def check_generator(generator: Generator, signals: SignalMap) -> None:
    """Raise what is wrong with an expression."""
    _Expression(generator, signals)


def make_plan(
    generators: Sequence[Generator], blocks: Sequence[Port], depth: int, signals: SignalMap, period_fs: int
) -> DrivePlan:
    """Return the plan in which generators drive some inputs, and blocks of up to `depth` cycles others."""
    drive = DriveBuilder(signals.graph, period_fs, tuple(port.state for port in blocks), depth)
    for generator in generators:
        expression = _Expression(generator, signals)
        terms: dict[str, int] = {}
        if expression.uses("lane"):
            terms["lane"] = drive.lane()
        if expression.uses("cycle"):
            terms["cycle"] = drive.count(CYCLE)
        if expression.uses("random"):
            path, seed, width = generator.port.path, generator.seed, expression.random_width
            terms["random"] = random_node(drive.builder, drive.counter(), path, seed, width)
        value, unknown = expression.join(drive.builder, terms)
        drive.store(generator.port.state, *_planes(drive.builder, signals, generator.port, value, unknown))
    return drive.plan()


def make_cone(generator: Generator, lane: int, signals: SignalMap, period_fs: int) -> tuple[ConeGraph, int, int]:
    """Return a generator for one lane that runs alone: a graph over the design's states, and its two planes in it.

    The number of the cycle is the time, divided.
    """
    builder, expression = hook_builder(signals.graph), _Expression(generator, signals)
    time = next(number for number, state in enumerate(signals.graph.states) if state.kind == "time")
    cycle = builder.add("udiv", 64, builder.read(time), builder.const(64, period_fs))
    number = builder.const(32, lane)
    counter = builder.concat([builder.slice(cycle, 0, 32), number])
    random = random_node(builder, counter, generator.port.path, generator.seed, expression.random_width)
    value, unknown = expression.join(builder, {"lane": number, "cycle": cycle, "random": random})
    value, unknown = _planes(builder, signals, generator.port, value, unknown)
    return builder.freeze(), value, unknown


def _planes(builder: GraphBuilder, signals: SignalMap, port: Port, value: int, unknown: int) -> tuple[int, int]:
    """Return what the planes of an input become; one that has no unknown bits reads them as 0."""
    if signals.graph.states[port.state].twin >= 0:
        return value, unknown
    known = builder.add("not", port.width, unknown)
    return builder.add("and", port.width, value, known), builder.const(port.width, 0)
