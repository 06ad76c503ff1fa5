"""Specialise a graph to a phase of its clocks: "clk rises" is `clk` = 1 while its sample is 0.

With such scalar states known, most triggers fold to constants: the sinks of a domain that cannot fire disappear, and
an engine gets straight code for an edge instead of tests for every domain (the classic static schedule of cycle
simulators). States and domains keep their numbers; scopes and hooks belong to the general graph and are left out.

`find_woken_domains` says which domains could fire in the step after a phase: those whose clock depends on a state that
the phase writes. If there is none, the phase is one step and the design has settled.

Only what sinks need is rebuilt: one backward sweep marks it, one forward pass builds it, about 3 microseconds a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from weft.ir.cone_graph import SETTLE, ConeGraph, Domain, Effect, MemoryWrite, Write
from weft.ir.graph_builder import GraphBuilder, Simplify
from weft.ir.ops import CODE

_CONST, _READ, _MEMREAD, _MUX, _AND, _OR = (CODE[name] for name in ("const", "read", "memread", "mux", "and", "or"))

_Sink = TypeVar("_Sink", Write, MemoryWrite)


def specialise_phase(graph: ConeGraph, fixed: Mapping[int, int], simplify: Simplify | None = None) -> ConeGraph:
    """Return the graph of a phase in which the scalar states `fixed` have the given values.

    The state table and the domains' order stay; a domain that cannot fire has constant 0 as trigger and no sinks.
    Effects keep their numbers, which the effect buffer uses; one that cannot happen has constant 0 as enable.
    """
    builder = GraphBuilder(simplify or fold_logic, graph.four_state)
    builder.states += graph.states
    rebuild = _Rebuilder(graph, builder, fixed)
    triggers = rebuild.nodes(domain.trigger for domain in graph.domains)
    builder.domains[:] = [Domain(d.name, t) for d, t in zip(graph.domains, triggers, strict=True)]
    dead = {number for number, trigger in enumerate(triggers) if builder.value(trigger) == 0}
    writes = _enabled(rebuild, [write for write in graph.writes if write.domain not in dead])
    memory_writes = _enabled(rebuild, [write for write in graph.memory_writes if write.domain not in dead])
    effects = rebuild.nodes(-1 if effect.domain in dead else effect.enable for effect in graph.effects)
    happens = [enable >= 0 and builder.value(enable) != 0 for enable in effects]
    needed = [write.value for write in writes]
    needed += [node for write in memory_writes for node in (write.address, write.value, write.mask)]
    for effect, may in zip(graph.effects, happens, strict=True):
        needed += (*effect.args, *effect.unknowns) if may else ()
    rebuild.nodes(needed)
    new, never = rebuild.new, builder.const(1, 0)
    builder.writes += [Write(w.state, new[w.value], new[w.enable], w.domain) for w in writes]
    builder.memory_writes += [
        MemoryWrite(w.state, new[w.address], new[w.value], new[w.enable], w.domain, _at(new, w.mask), w.count)
        for w in memory_writes
    ]
    builder.effects += [
        _move_effect(effect, new) if may else replace(effect, enable=never, args=(), unknowns=())
        for effect, may in zip(graph.effects, happens, strict=True)
    ]
    return builder.freeze()


def find_woken_domains(phase: ConeGraph, quiet: ConeGraph) -> list[int]:
    """Return the domains that could fire in the step after `phase`.

    `quiet` is the same graph specialised to what holds then: the clocks as they are and their samples equal to them.
    Every other sample equals its clock too, so a domain fires only if something that its clock is computed from was
    written: a register, a memory, or a latch that changed.
    """
    written = np.zeros(len(phase.states), np.bool_)
    for write in phase.writes:
        kept = phase.op[write.value] == _READ and phase.param[write.value] == write.state
        if phase.states[write.state].kind != "sample" and not kept:
            written[write.state] = True
    for write in phase.memory_writes:
        written[write.state] = True
    reads = (quiet.op == _READ) | (quiet.op == _MEMREAD)
    touched = np.zeros(len(quiet), np.bool_)
    touched[reads] = written[quiet.param[reads]]
    starts, srcs = quiet.start.tolist(), quiet.src.tolist()
    wanted = mark_cones(quiet, [domain.trigger for domain in quiet.domains])
    for node in np.flatnonzero(wanted).tolist():
        if not touched[node]:
            touched[node] = any(touched[source] for source in srcs[starts[node] : starts[node + 1]])
    return [number for number, d in enumerate(quiet.domains) if number != SETTLE and touched[d.trigger]]


def drop_unread(graph: ConeGraph) -> ConeGraph:
    """Return the graph without scopes, and without registers, latches and memories that nothing reads.

    A state counts as read if a sink that remains needs it: a write of another state that is read, an effect, a trigger.
    The state table keeps its length, so that state numbers stay; only sinks and the nodes for them go.
    """
    live_state = np.array([state.kind == "sample" for state in graph.states], np.bool_)
    roots = [domain.trigger for domain in graph.domains]
    roots += [node for effect in graph.effects for node in (effect.enable, *effect.args, *effect.unknowns)]
    wanted = mark_cones(graph, roots)
    sinks: list[Write | MemoryWrite] = [*graph.writes, *graph.memory_writes]
    reads = (graph.op == _READ) | (graph.op == _MEMREAD)
    pending = sinks
    while True:
        live_state[graph.param[reads & wanted]] = True
        alive = [sink for sink in pending if live_state[sink.state]]
        if not alive:
            break
        pending = [sink for sink in pending if not live_state[sink.state]]
        wanted |= mark_cones(graph, [node for sink in alive for node in _sink_nodes(sink)])
    builder = GraphBuilder(None, graph.four_state)
    builder.states += graph.states
    rebuild = _Rebuilder(graph, builder, {})
    builder.domains[:] = [Domain(d.name, rebuild.node(d.trigger)) for d in graph.domains]
    rebuild.nodes(np.flatnonzero(wanted).tolist())
    new = rebuild.new
    builder.writes += [
        Write(w.state, new[w.value], new[w.enable], w.domain) for w in graph.writes if live_state[w.state]
    ]
    builder.memory_writes += [
        MemoryWrite(w.state, new[w.address], new[w.value], new[w.enable], w.domain, _at(new, w.mask), w.count)
        for w in graph.memory_writes
        if live_state[w.state]
    ]
    builder.effects += [_move_effect(effect, new) for effect in graph.effects]
    return builder.freeze()


def mark_cones(graph: ConeGraph, roots: Iterable[int]) -> NDArray[np.bool_]:
    """Return a mask of the nodes that `roots` depend on, themselves included."""
    wanted = np.zeros(len(graph), np.bool_)
    stack = [root for root in roots if root >= 0]
    wanted[stack] = True
    starts, srcs = graph.start.tolist(), graph.src.tolist()
    seen = wanted.tolist()
    while stack:
        node = stack.pop()
        for source in srcs[starts[node] : starts[node + 1]]:
            if not seen[source]:
                seen[source] = True
                stack.append(source)
    return np.array(seen, np.bool_)


def fold_logic(builder: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
    """Simplify the operations that triggers are made of: `and`, `or` and `mux` with a constant."""
    if op == _MUX:
        chosen = builder.value(sources[0])
        if chosen is not None:
            return sources[1] if chosen else sources[2]
        return sources[1] if sources[1] == sources[2] else None
    if op in (_AND, _OR):
        ones = (1 << width) - 1
        for known, other in ((sources[0], sources[1]), (sources[1], sources[0])):
            value = builder.value(known)
            if value == (0 if op == _AND else ones):
                return known
            if value == (ones if op == _AND else 0) and not builder.four_state:
                return other  # in 4-state, and and or turn z into x
    return None


class _Rebuilder:
    """Copy nodes of a graph into a builder on demand, with some states known."""

    def __init__(self, graph: ConeGraph, builder: GraphBuilder, fixed: Mapping[int, int]) -> None:
        self.graph, self.builder, self.fixed = graph, builder, fixed
        self.new = [-1] * len(graph)
        self._starts, self._srcs = graph.start.tolist(), graph.src.tolist()
        self._op, self._width, self._param = graph.op.tolist(), graph.width.tolist(), graph.param.tolist()

    def node(self, root: int) -> int:
        """Return the new id of one node."""
        return self.nodes([root])[0]

    def nodes(self, roots: Iterable[int]) -> list[int]:
        """Return the new ids of nodes (-1 for -1); a multiplexer whose condition is known takes one arm only."""
        new, starts, srcs, ops = self.new, self._starts, self._srcs, self._op
        wanted = list(roots)
        stack = [root for root in wanted if root >= 0 and new[root] < 0]
        while stack:
            node = stack[-1]
            if new[node] >= 0:
                stack.pop()
                continue
            sources = srcs[starts[node] : starts[node + 1]]
            if ops[node] == _MUX and new[sources[0]] >= 0:
                chosen = self.builder.value(new[sources[0]])
                if chosen is not None:
                    arm = sources[1] if chosen else sources[2]
                    if new[arm] < 0:
                        stack.append(arm)
                    else:
                        new[node] = new[arm]
                    continue
                sources = sources[1:]
            elif ops[node] == _MUX:
                stack.append(sources[0])
                continue
            missing = [source for source in sources if new[source] < 0]
            if missing:
                stack += missing
            else:
                stack.pop()
                new[node] = self._build(node)
        return [new[root] if root >= 0 else -1 for root in wanted]

    def _build(self, node: int) -> int:
        op, width, param, builder = self._op[node], self._width[node], self._param[node], self.builder
        if op == _CONST:
            return builder.const(width, *self.graph.constants[param])
        if op == _READ and param in self.fixed:
            return builder.const(width, self.fixed[param])
        new = self.new
        sources = tuple([new[source] for source in self._srcs[self._starts[node] : self._starts[node + 1]]])
        return builder.node(op, width, sources, param)


def _enabled(rebuild: _Rebuilder, sinks: list[_Sink]) -> list[_Sink]:
    """Return the sinks whose enable does not fold to 0."""
    enables = rebuild.nodes(sink.enable for sink in sinks)
    return [sink for sink, enable in zip(sinks, enables, strict=True) if rebuild.builder.value(enable) != 0]


def _sink_nodes(sink: Write | MemoryWrite) -> tuple[int, ...]:
    if isinstance(sink, Write):
        return sink.value, sink.enable
    return sink.address, sink.value, sink.enable, sink.mask


def _at(new: list[int], node: int) -> int:
    return new[node] if node >= 0 else -1


def _move_effect(effect: Effect, new: list[int]) -> Effect:
    args = tuple([_at(new, arg) for arg in effect.args])
    unknowns = tuple([_at(new, arg) for arg in effect.unknowns])
    return replace(effect, enable=new[effect.enable], args=args, unknowns=unknowns)
