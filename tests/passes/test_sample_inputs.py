"""Samples of inputs: who reads an input at which edges or with which others, and which outputs are registers."""

from __future__ import annotations

from weft.lang.sv.compile_sources import load_design
from weft.passes.flatten_design import flatten_design
from weft.passes.lower_module import lower_module
from weft.passes.sample_inputs import SampledInputs

TEXT = """
    module leaf(input clk, input [3:0] d, output reg [3:0] q);
      always @(posedge clk) q <= d;
    endmodule
    module dut(input clk, rst_n, input [3:0] d, e, output reg [3:0] a, output [3:0] b, c, y, z);
      wire [3:0] w = e + 1, copy = d;
      assign z = a ^ (e[2:1] + w[0] + d[3]);
      leaf u(clk, d, b);
      leaf v(clk, d ^ 4'd3, c);
      leaf k(clk, copy, y);
      always @(posedge clk or negedge rst_n) if (!rst_n) a <= 0; else a <= w + d;
    endmodule
    """


def sampled() -> SampledInputs:
    design = load_design(texts={"t.sv": TEXT})
    found = SampledInputs()
    fragments = {module: lower_module(module, four_state=True, sampled=True) for module in design.modules}
    flatten_design(design, fragments, four_state=True, sampled=found)
    return found


def test_each_set_of_edges_has_samples_of_what_its_processes_read() -> None:
    samples = [sample for sample in sampled().samples if sample.group < 0]
    domains = {sample.domain for sample in samples}
    assert len(domains) == 2 and -1 not in domains
    readers = sorted((sample.port.name, sample.domain) for sample in samples)
    # The leaf's process reads `d` through its port; behind an expression or an assignment it reads logic.
    clocked = next(sample.domain for sample in samples if sample.port.name == "rst_n")
    (other,) = domains - {clocked}
    assert readers == sorted([("d", other), ("d", clocked), ("rst_n", clocked)])


def test_each_set_of_bits_that_logic_waits_for_has_samples() -> None:
    groups: dict[int, set[tuple[str, frozenset[tuple[int, int]]]]] = {}
    for sample in sampled().samples:
        if sample.group >= 0:
            assert sample.domain < 0
            groups.setdefault(sample.group, set()).add((sample.port.name, sample.ranges))
    d, e = ("d", frozenset({(0, 4)})), ("e", frozenset({(0, 4)}))
    parts = {("d", frozenset({(3, 4)})), ("e", frozenset({(1, 3)}))}
    assert sorted(map(sorted, groups.values())) == sorted(map(sorted, [{d}, {e}, parts]))


def test_outputs_are_registers_or_logic() -> None:
    assert {signal.name for signal in sampled().registers} == {"a", "b", "c", "y"}


def test_fragments_tell_readers_apart_only_if_asked() -> None:
    design = load_design(texts={"t.sv": TEXT})
    leaf = next(module for module in design.modules if module.name == "leaf")
    assert all(use.trigger < 0 for use in lower_module(leaf, four_state=True).uses)
    assert any(use.trigger >= 0 for use in lower_module(leaf, four_state=True, sampled=True).uses)
    top = next(module for module in design.modules if module.name == "dut")
    assert all(use.logic < 0 for use in lower_module(top, four_state=True).uses)
    assert any(use.logic >= 0 for use in lower_module(top, four_state=True, sampled=True).uses)
