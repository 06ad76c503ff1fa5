"""Show the design of an event simulation as cycle simulations show theirs: scopes, signals, conditions, drivers.

The graph has a state for each variable and net that can be shown, and nothing that would run. Paths are looked up in
it, hierarchies and drivers are read from it, and a condition becomes nodes over its states, which are then filled with
the values of the event engine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from weft.base.dataclass import dataclass
from weft.base.source import Span
from weft.engines.event.elaborate import Elaborated, Node, roots_of
from weft.ir.cone_graph import Scope, State
from weft.ir.design import Assign, Expr, Force, Module, Process, Signal
from weft.ir.graph_builder import GraphBuilder
from weft.ir.walk import statements_in
from weft.passes.split_planes import split_planes
from weft.passes.trace_clocks import ClockReport
from weft.sim.compiled_design import CompiledDesign, DriverNote
from weft.sim.tasks.dump_scopes import plain_path

_HIDDEN = frozenset({"queue", "dynamic", "assoc", "class", "chandle", "mailbox", "semaphore", "process", "event"})
"""Kinds of variable that have no value of bits."""


@dataclass(frozen=True, slots=True)
class EventView:
    """Hold the design as it is shown, and the instance of each of its scopes."""

    design: CompiledDesign
    nodes: tuple[Node, ...]


def view_design(elaborated: Elaborated) -> EventView:
    """Return the view of a design."""
    builder = GraphBuilder(four_state=True)
    scopes: list[Scope] = []
    nodes: list[Node] = []
    for node, parent in _walk(elaborated):
        module = node.unit.module
        numbers = [_read(builder, signal) for signal in module.signals]
        scopes.append(Scope(plain_path(node.path), parent, module, np.array(numbers, np.int32)))
        nodes.append(node)
    builder.scopes = scopes
    source = elaborated.design
    design = CompiledDesign(
        graph=split_planes(builder.freeze()).graph,
        sources=source.sources,
        tops=tuple(name for name, _ in source.tops),
        digest=source.digest,
        four_state=True,
        precision_fs=source.tick_fs,
        watch_memory=-1,
        clocks=ClockReport((), (), ()),
        warnings=tuple(source.warnings),
        drivers={module: _driver_notes(module) for module in dict.fromkeys(node.unit.module for node in nodes)},
    )
    return EventView(design, tuple(nodes))


def _walk(elaborated: Elaborated) -> Iterator[tuple[Node, int]]:
    """Yield each instance after the one that it is in, with that one's number."""
    count = 0
    work = [(top, -1) for top in reversed(elaborated.tops)]
    while work:
        node, parent = work.pop()
        yield node, parent
        work += [(child, count) for child in reversed(node.children.values())]
        count += 1


def _read(builder: GraphBuilder, signal: Signal) -> int:
    """Add the state of a signal; return what `Scope.nodes` says of it."""
    if signal.automatic or signal.local or signal.type.kind in _HIDDEN or not signal.width or signal.name[0] == "$":
        return -1
    known = not signal.type.four_state
    state = State(signal.name, signal.width, signal.depth, "memory" if signal.depth else "register", known=known)
    builder.states.append(state)
    number = len(builder.states) - 1
    return -2 - number if signal.depth else builder.read(number)


def _driver_notes(module: Module) -> dict[str, tuple[DriverNote, ...]]:
    """Return what drives each signal of a module, and signals that it reaches by path."""
    notes: dict[str, list[DriverNote]] = defaultdict(list)

    def add(target: Expr | None, what: str, span: Span) -> None:
        for ref in roots_of(target) if target is not None else ():
            path = ref.path[1:] if ref.path and ref.path[0] == "$root" else ref.path
            note = DriverNote(what, span)
            found = notes[".".join((*path, ref.signal.name))]
            if note not in found:
                found.append(note)

    for assign in module.assigns:
        add(assign.lhs, assign.gate or "assign", assign.span)
    for gate in module.gates:
        for terminal in gate.outputs:
            add(terminal, gate.kind, gate.span)
    for process in module.processes:
        for statement in statements_in(process.body):
            if isinstance(statement, Assign | Force):
                add(statement.lhs, _procedure(process), statement.span)
    for instance in module.instances:
        for port, connection in zip(instance.module.ports, instance.connections, strict=True):
            if port.direction != "input" and connection is not None:
                add(connection, f"output '{port.name}' of instance '{instance.name}'", instance.span)
    return {name: tuple(found) for name, found in notes.items()}


def _procedure(process: Process) -> str:
    """Return how a procedure reads: `always @(posedge clk)`."""
    names = [f"{event.edge} {root.signal.name}" for event in process.events for root in roots_of(event.value)]
    return f"{process.keyword} @({' or '.join(names).replace('any ', '')})" if names else process.keyword
