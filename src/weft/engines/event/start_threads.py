"""Start a design: threads in their first order, declared values of variables, nets with strengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.engines.event.elaborate import Node
from weft.engines.event.netlist_records import AREA_FIRST
from weft.engines.event.records import (
    ACTIVE,
    FLAG_REACTIVE,
    FRAME_HEADER,
    NODE_BASE,
    NODE_CODE,
    NODE_FLAGS,
    NODE_FRAME,
    NODE_INSTANCE,
    NODE_LIST,
    NODE_NEXT,
    NODE_PREV,
    NODE_PROCESS,
    NODE_SEED,
    NODE_SHORT,
    NODE_SIZE,
    REACTIVE,
)
from weft.engines.event.sites import ThreadPlan
from weft.ir.random_streams import DECLARED, first_state, moved_state

if TYPE_CHECKING:
    from weft.engines.event.engine import EventEngine


def start_threads(engine: EventEngine) -> None:
    """Lay out the threads that run from the start, and put them into the order in which they first run."""
    design = engine.code.design
    frames = 0
    plans: list[tuple[int, Node, ThreadPlan]] = []
    for node in design.nodes:
        for plan in engine.code.codes[node.unit].threads:
            plans.append((plan.order, node, plan))
            if plan.frame is not None:
                frames += (plan.frame.size + 15) // 8 * 8
    room = engine.arena.words(frames // 8 + 1)
    engine.kept.append(room)
    at = room.ctypes.data
    plans.sort(key=lambda entry: entry[0])
    started: dict[int, list[tuple[int, int]]] = {ACTIVE: [], REACTIVE: []}
    for order, node, plan in plans:
        offset = node.base + plan.offset
        engine.set_word(offset + NODE_CODE, engine.address(plan.symbol))
        engine.set_word(offset + NODE_INSTANCE, engine.state + node.base)
        engine.set_word(offset + NODE_PROCESS, len(engine.threads))
        if plan.whole:
            engine.set_word(offset + NODE_SEED, moved_state(first_state(node.path, plan.seed), engine.seed))
        engine.threads.append((node, plan))
        engine.memory[offset + NODE_FLAGS] = plan.flags
        for i, (ref, number) in enumerate(plan.words):
            base = engine.state + engine.pointer_of(design.reach(node, ref.path), ref.signal) if ref is not None else 0
            engine.set_word(offset + NODE_SHORT + 8 * i, base + number)
        if plan.frame is not None:
            engine.set_word(offset + NODE_FRAME, at)
            engine.set_word(offset + NODE_BASE, at)
            room[(at - room.ctypes.data) // 8] = 1 << 20
            at += (plan.frame.size + 15) // 8 * 8
        if plan.started:
            started[REACTIVE if plan.flags & FLAG_REACTIVE else ACTIVE].append((order, offset))
    if engine.netlist.gates:
        started[ACTIVE].insert(0, (0, engine.netlist.start + AREA_FIRST))
    started[ACTIVE] += _number_gates(engine)
    if engine.place:
        return
    _initialize(engine)
    for list_offset, entries in started.items():
        nodes = [offset for _, offset in sorted(entries, key=lambda entry: entry[0])]
        for previous, offset, following in zip([0, *nodes], nodes, [*nodes[1:], 0], strict=False):
            engine.set_word(offset + NODE_LIST, engine.state + list_offset)
            engine.set_word(offset + NODE_PREV, engine.state + previous if previous else 0)
            engine.set_word(offset + NODE_NEXT, engine.state + following if following else 0)
        if nodes:
            engine.set_word(list_offset, engine.state + nodes[0])
            engine.set_word(list_offset + 8, engine.state + nodes[-1])
    _resolve_nets(engine)
    if engine.netlist.gates:
        engine.call("begin_gates", engine.state)


def _number_gates(engine: EventEngine) -> list[tuple[int, int]]:
    """Give the nodes of gates the numbers of their processes; return when they first run, and them."""
    numbers: dict[int, int] = {}
    for offset, node, plan in engine.area.gates:
        number = numbers.get(id(plan))
        if number is None:
            number = numbers[id(plan)] = len(engine.threads)
            engine.threads.append((node, plan))
        engine.set_word(offset + NODE_PROCESS, number)
    return [(plan.order, offset) for offset, _, plan in engine.area.gates]


def _resolve_nets(engine: EventEngine) -> None:
    """Give nets with strengths what they have before anything runs."""
    for key, place in engine.area.nets.items():
        engine.call("resolve", engine.state + place, 0, engine.code.design.nets[key].width, engine.state)
    if engine.area.island_node:
        node = engine.state + engine.area.island_node
        engine.call("unlink", node)
        engine.call("run_islands", node, engine.state)


def _initialize(engine: EventEngine) -> None:
    """Give variables their declared values, packages' first (IEEE 1800-2023 6.8)."""
    design = engine.code.design
    pseudo, frame = engine.arena.words(NODE_SIZE // 8), engine.arena.words(1 << 13)
    engine.kept += [pseudo, frame]
    pseudo[NODE_SEED // 8] = moved_state(DECLARED, engine.seed)
    pseudo[NODE_FRAME // 8] = frame.ctypes.data + FRAME_HEADER
    for node in design.nodes:
        symbol = engine.code.initializers.get(node.unit)
        if symbol is not None:
            pseudo[NODE_INSTANCE // 8] = engine.state + node.base
            engine.call(symbol, pseudo.ctypes.data, engine.state)
            engine.raise_error()
