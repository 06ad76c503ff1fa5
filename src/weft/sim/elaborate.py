"""From sources to a compiled design: front end, lowering, flattening, plane split; and what is kept for people."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from weft.base.dataclass import replace
from weft.base.errors import WeftError
from weft.base.recursion import deep_recursion
from weft.ir.cone_graph import ConeGraph, State
from weft.ir.design import Design, Kind, Module, SystemTask
from weft.ir.expressions import Expr, Text
from weft.ir.verify_graph import verify_graph
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.passes.check_cycle_support import check_cycle_support
from weft.passes.clock_assertions import clock_assertions
from weft.passes.flatten_design import flatten_design
from weft.passes.fragment import Fragment
from weft.passes.lower_module import lower_module
from weft.passes.rebuild_graph import drop_dead_nodes
from weft.passes.sample_made_clocks import sample_made_clocks
from weft.passes.simplify_nodes import simplify_exact, simplify_two_state
from weft.passes.split_planes import split_planes
from weft.passes.trace_clocks import find_clocks
from weft.sim.compiled_design import CompiledDesign, DriverNote
from weft.sim.cycle_engine import WATCH_WORDS
from weft.sim.stages import Stages


def read_sources(
    files: Sequence[str | Path], options: FrontEndOptions, texts: Mapping[str, str], stages: Stages
) -> Design:
    """Parse and elaborate sources."""
    with stages.stage("parse and elaborate"), deep_recursion():
        return load_design(files, options, texts)


def elaborate(
    design: Design, *, four_state: bool, loops: str, forced: tuple[str, ...], digest: str, stages: Stages
) -> CompiledDesign:
    """Turn a design into the graph that engines run."""
    simplify = simplify_exact if four_state else simplify_two_state
    try:
        with stages.stage("lower modules"):
            modules = all_modules(design)
            for module in modules:
                clock_assertions(module)
            check_cycle_support(design)
            fragments = {module: lower_module(module, four_state=four_state, simplify=simplify) for module in modules}
        with stages.stage("flatten"):
            graph = flatten_design(
                design, fragments, four_state=four_state, loops=loops, simplify=simplify, forced=forced
            )
            graph, _ = drop_dead_nodes(sample_made_clocks(graph))
            _verify(graph)
    except WeftError as error:
        error.sources = error.sources or design.sources
        raise
    with stages.stage("find clocks"):
        clocks = find_clocks(graph)
    if four_state:
        with stages.stage("split planes"):
            graph = split_planes(graph, simplify_two_state).graph
            _verify(graph)
    drivers = {module: _driver_notes(fragment) for module, fragment in fragments.items()}
    precision = min((module.time_precision_fs for module in fragments), default=1_000_000)
    watch_memory = _add_watch_memory(graph)
    _forget_bodies(graph, fragments)
    return CompiledDesign(
        graph=graph,
        sources=design.sources,
        tops=tuple(name for name, _ in design.tops),
        digest=digest,
        four_state=four_state,
        precision_fs=precision,
        watch_memory=watch_memory,
        clocks=clocks,
        drivers=drivers,
        forwarded={module: frozenset(fragment.forwarded) for module, fragment in fragments.items()},
        warnings=tuple(design.warnings),
        forced=forced,
    )


def _verify(graph: ConeGraph) -> None:
    """Check what a pass has made, where the environment asks for it, as the tests do."""
    if os.environ.get("WEFT_VERIFY"):
        verify_graph(graph)


def all_modules(design: Design) -> list[Module]:
    """Return every module, those of packages too, once."""
    modules = dict.fromkeys(design.modules)
    modules.update(dict.fromkeys(module for _, module in (*design.packages, *design.tops)))
    return list(modules)


def _add_watch_memory(graph: ConeGraph) -> int:
    """Add the state in which watches remember values; it is last, so that it moves no other state."""
    graph.states = [*graph.states, State("$watch", 64, WATCH_WORDS, "memory", 0)]
    return len(graph.states) - 1


def _driver_notes(fragment: Fragment) -> dict[str, tuple[DriverNote, ...]]:
    """Return what drives each signal of a module, and signals that it reaches by path."""
    module, notes = fragment.module, defaultdict[str, list[DriverNote]](list)

    def add(target: int, note: DriverNote) -> None:
        use = fragment.uses[target]
        name = ".".join((*use.path, use.signal.name))
        if note not in notes[name]:
            notes[name].append(note)

    for drive in fragment.drives:
        number = drive.process - len(module.assigns)
        what = module.processes[number].keyword if 0 <= number < len(module.processes) else "assign"
        add(drive.target, DriverNote(what, drive.span))
    for clocked in (*fragment.clocked, *fragment.clocked_memories):
        number = clocked.process - len(module.assigns)
        keyword = module.processes[number].keyword if 0 <= number < len(module.processes) else "always"
        add(clocked.target, DriverNote(f"{keyword} @({fragment.triggers[clocked.trigger].name})", clocked.span))
    for connection in fragment.connections:
        instance = module.instances[connection.instance]
        port = instance.module.ports[connection.port]
        for target, *_ in connection.targets:
            add(target, DriverNote(f"output '{port.name}' of instance '{instance.name}'", instance.span))
    return {name: tuple(found) for name, found in notes.items()}


def _forget_bodies(graph: ConeGraph, fragments: Mapping[Module, Fragment]) -> None:
    """Drop what only lowering needed: running needs initial and final procedures, declarations and effects."""
    for module in fragments:
        module.assigns = []
        module.instances = []
        module.processes = [p for p in module.processes if p.kind in (Kind.INITIAL, Kind.FINAL)]
        module.functions = [
            function
            for function in module.functions
            if not function.automatic and any(signal.initial is not None for signal in function.locals)
        ]
    tasks: dict[SystemTask, SystemTask] = {}
    effects = graph.effects
    for number, effect in enumerate(effects):
        task = effect.task
        short = tasks.get(task)
        if short is None:
            short = tasks[task] = replace(task, args=tuple(_literal(argument) for argument in task.args))
        effects[number] = replace(effect, task=short)


def _literal(argument: Expr | None) -> Expr | None:
    return argument if isinstance(argument, Text) else None
