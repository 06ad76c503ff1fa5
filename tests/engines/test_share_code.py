"""Code that parts of a design share gives the values that the reference engine, and code without sharing, give."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.engines.test_cpu import compare

from random_graphs import FIRST_CLOCK
from random_parts import random_parts
from weft.engines.cpu.emit_step import StepEmitter
from weft.engines.cpu.jit import Compiler
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.program import CpuProgram
from weft.engines.cpu.share_code import share_code
from weft.ir.cone_graph import ConeGraph
from weft.ir.find_repeats import find_repeats
from weft.ir.layout import place_state
from weft.ir.ops import OPS
from weft.ir.program import Clock
from weft.ir.step_graph import StepGraph, edge_graph, step_graph
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.compile_design import BuildOptions, build_design

CLOCKS = [Clock(FIRST_CLOCK, 10, 5, 10), Clock(FIRST_CLOCK + 2, 14, 7, 14)]


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Compiler:
    return Compiler(ObjectCache(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[pytest.MonkeyPatch]:
    """Share even what is not worth it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.ir.find_repeats.LEAST_SAVED", 1)
        patch.setattr("weft.engines.cpu.part_groups.LEAST_SINKS", 0)
        patch.setattr("weft.engines.cpu.share_code.LEAST_SAVED", 0)
        patch.setattr("weft.engines.cpu.share_code.LEAST_SHARE", 0)
        patch.setattr("weft.engines.cpu.share_code.OUTPUT_COST", 0)
        yield patch


graphs = st.builds(random_parts, st.integers(0, 10**6), st.integers(2, 6), st.integers(0, 40))


def shared(graph: ConeGraph):
    return share_code(step_graph(graph), place_state(graph.states), find_repeats(graph.states), 4096)


def test_random_parts_are_shared():
    found = [shared(random_parts(seed, 4, 30)) for seed in range(20)]
    assert sum(each is not None for each in found) > 15
    assert any(each is not None and each.before for each in found)


@given(graph=graphs, seed=st.integers(0, 10**6))
@hypothesis_settings(max_examples=60)
def test_shared_steps_run_as_the_reference_says(compiler: Compiler, graph: ConeGraph, seed: int):
    compare(graph, seed, CpuProgram(graph, compiler, tier="quick"), CLOCKS, range(40, 200, 40))


@given(graph=graphs, seed=st.integers(0, 10**6))
@hypothesis_settings(max_examples=30)
def test_the_first_tier_is_shared_too(compiler: Compiler, graph: ConeGraph, seed: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.engines.cpu.program._BUSY_SECONDS", 1e9)
        patch.setattr("weft.engines.cpu.emit_plain_step.PIECE_NODES", 10)
        patch.setattr("weft.engines.cpu.emit_kernels.MOST_CALLS", 2)
        compare(graph, seed, CpuProgram(graph, compiler), CLOCKS, range(40, 200, 40))


@given(graph=graphs, seed=st.integers(0, 10**6))
@hypothesis_settings(max_examples=30)
def test_long_kernels_are_cut(compiler: Compiler, graph: ConeGraph, seed: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.engines.cpu.emit_regions.PIECE_LINES", 40)
        patch.setattr("weft.engines.cpu.emit_step.FLAT_NODES", 30)
        patch.setattr("weft.engines.cpu.sink_regions.BRANCH_COST", 1)
        patch.setattr("weft.engines.cpu.sink_regions.SINK_COST", 2)
        patch.setattr("weft.engines.cpu.emit_kernels.MOST_CALLS", 2)
        compare(graph, seed, CpuProgram(graph, compiler, tier="quick"), CLOCKS, range(40, 120, 40))


@given(graph=graphs, seed=st.integers(0, 10**6))
@hypothesis_settings(max_examples=30)
def test_speculative_code_is_shared_too(compiler: Compiler, graph: ConeGraph, seed: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.engines.cpu.speculation.FIRST_LOOK", 2)
        patch.setattr("weft.engines.cpu.speculation.LONGEST", 2)
        patch.setattr("weft.engines.cpu.emit_speculation.GUARD_SHARE", 0)
        patch.setattr("weft.engines.cpu.tabulate_logic.LEAST_GAIN", -20)
        patch.setattr("weft.engines.cpu.tabulate_logic.MOST_BITS", 7)
        patch.setattr("weft.engines.cpu.choose_pivot.LEAST_GAIN", -10)
        patch.setattr("weft.engines.cpu.emit_speculation.LEAST_PARTS", 2)
        patch.setattr("weft.engines.cpu.part_habits.ALIKE", 0.3)
        compare(graph, seed, CpuProgram(graph, compiler, tier="quick"), CLOCKS, range(80, 480, 80))


def test_a_step_of_one_part_stays_as_it_is():
    graph = random_parts(1, 1, 30)
    assert find_repeats(graph.states) == [] and StepEmitter(graph, place_state(graph.states)).repeats == []


SMALL_CORES = """
module core #(parameter SIZE = 4) (input clk, input [3:0] id, input [7:0] data, output [7:0] sum, output busy);
  reg [7:0] total, last;
  reg [7:0] seen [0:SIZE-1];
  assign sum = total ^ (last + seen[total[1:0]]), busy = |data & last[0];
  always @(posedge clk) begin
    total <= total + data + id;
    if (data[0]) last <= sum;
    seen[data[1:0]] <= last;
  end
endmodule
module top (input clk, input [7:0] data, output [7:0] sum, output [2:0] busy);
  wire [7:0] sums [0:3];
  assign sums[0] = data, sum = sums[3];
  for (genvar i = 0; i < 3; i++) begin : cores
    core core (.clk, .id(4'(3 * i)), .data(sums[i]), .sum(sums[i + 1]), .busy(busy[i]));
  end
endmodule
"""


def describe(title: str, step: StepGraph) -> list[str]:
    """Return the text of a step, for people."""
    lines = [title]
    for node, op in enumerate(step.op):
        value = step.constant(node)
        what = f"{value}" if value is not None else " ".join(f"%{source}" for source in step.srcs[node])
        if OPS[op].name in ("read", "memread"):
            what += f"@{step.param[node]} {step.states[step.param[node]].name}"
        elif OPS[op].name == "slice":
            what += f" [{step.param[node]}]"
        lines.append(f"  %{node} = {OPS[op].name}:{step.width[node]} {what}")
    lines += [f"  write @{w.state} {step.states[w.state].name} = %{w.value} if %{w.enable}" for w in step.writes]
    lines += [f"  write @{w.state}[%{w.address}] = %{w.value} if %{w.enable}" for w in step.memory_writes]
    return lines


def test_the_text_of_a_split_step(golden: Callable[[str, str], None]):
    options = BuildOptions(FrontEndOptions(top=("top",)), cache=False)
    graph = build_design((), options, {"top.sv": SMALL_CORES}).design.graph
    layout = place_state(graph.states)
    clock = next(state for state, each in enumerate(graph.states) if each.name == "top.clk")
    found = share_code(edge_graph(step_graph(graph), clock, 1, {}), layout, find_repeats(graph.states), 4096)
    assert found is not None
    lines = [line for kernel in found.before for line in describe(f"before {kernel.moves}", kernel.step)]
    lines += describe("outer", found.outer)
    lines += [line for kernel in found.after for line in describe(f"after {kernel.moves}", kernel.step)]
    golden("split_step.txt", "\n".join(lines) + "\n")
