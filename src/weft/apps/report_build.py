"""`weft build` and `weft hierarchy`: compile without running, and show what came of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from weft.apps.show_progress import compile_progress, print_note, print_warnings
from weft.engines.cpu.program import CpuProgram
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.compile_design import Build, BuildOptions, build_design, compile_fully, make_program
from weft.sim.compiled_design import CompiledDesign
from weft.sim.hierarchy import HierarchyNode, build_hierarchy
from weft.sim.pipeline_options import PipelineOptions, use_pipeline
from weft.sim.stages import Stages


def report_build(
    words: Sequence[str],
    top: str,
    four_state: bool,
    loops: str,
    assertions: str,
    cache: bool,
    all_warnings: bool,
    pipeline: PipelineOptions,
) -> None:
    """Compile a design to machine code and report how long that took and how large it is."""
    with use_pipeline(pipeline, print_note, print_note), compile_progress() as progress:
        stages = Stages(progress)
        options = BuildOptions(_front_end(words, top, assertions), four_state, loops, cache)
        build = build_design((), options, stages=stages)
        with stages.stage("generate code"):
            program = make_program(build.design, "cpu")
            assert isinstance(program, CpuProgram)
            program.compile_edges([clock.state for clock in build.design.clocks.clocks])
        if not pipeline.background:
            with stages.stage("compile fully"):
                compile_fully(build.design, program)
    print_warnings(build.design.warnings, all_warnings)
    _show_stages(build, stages)
    _show_sizes(build.design, program.layout.size)


def _front_end(words: Sequence[str], top: str, assertions: str) -> FrontEndOptions:
    return FrontEndOptions(top=(top,) if top else (), assertions=assertions, arguments=tuple(words))


def _show_stages(build: Build, stages: Stages) -> None:
    table = Table("stage", "seconds", title="from the cache" if build.cached else None, title_justify="left")
    table.columns[1].justify = "right"
    for name, seconds in stages.seconds.items():
        table.add_row(name, f"{seconds:.3f}")
    table.add_row("total", f"{sum(stages.seconds.values()):.3f}", style="bold")
    Console().print(table)


def _show_sizes(design: CompiledDesign, state_bytes: int) -> None:
    graph = design.graph
    memories = [state for state in graph.states if state.kind == "memory" and not state.name.startswith("$")]
    table = Table("size", "")
    table.columns[1].justify = "right"
    rows = {
        "instances": len(graph.scopes),
        "modules": len({id(scope.module) for scope in graph.scopes}),
        "nodes": len(graph),
        "registers and latches": sum(state.kind in ("register", "latch") for state in graph.states),
        "memories": len(memories),
        "memory bits": sum(state.width * state.depth for state in memories),
        "clock domains": len(graph.domains) - 1,
        "effects": len(graph.effects),
        "state bytes": state_bytes,
    }
    for name, value in rows.items():
        table.add_row(name, f"{value:,}")
    Console().print(table)
    print(design.clocks.describe(), file=sys.stderr)


def show_hierarchy(
    words: Sequence[str], top: str, signals: bool, depth: int, loops: str, assertions: str, cache: bool
) -> None:
    """Print the tree of instances."""
    with compile_progress() as progress:
        options = BuildOptions(_front_end(words, top, assertions), False, loops, cache)
        build = build_design((), options, stages=Stages(progress))
    console = Console()
    for node in build_hierarchy(build.design):
        console.print(_tree(node, signals, depth), soft_wrap=True, highlight=False)


def _tree(top: HierarchyNode, signals: bool, depth: int) -> Tree:
    branches: list[Tree] = []
    for level, node in top.walk():
        if depth and level >= depth:
            continue
        label = f"{node.name} ({node.module})"
        branch = Tree(label) if not level else branches[level - 1].add(label)
        branches[level:] = [branch]
        for name, width, elements in node.signals if signals else ():
            branch.add(f"{name} \\[{width}]" + (f" x {elements}" if elements else ""), style="dim")
    return branches[0]
