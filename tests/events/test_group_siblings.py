"""What a testbench's module has of clocked parts becomes one region, and does what its events would do."""

from __future__ import annotations

import io
import textwrap

import pytest

from events.mixed_modules import module_testbench
from events.programs import PROGRAMS
from weft.engines.event.walk import written_signals
from weft.ir.design import Module
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_program import program_of
from weft.sim.event_simulation import EventOptions, EventSimulation
from weft.sim.regions.build_region import RegionBuilder
from weft.sim.regions.engine_choice import EngineChoice
from weft.sim.regions.group_siblings import (
    Group,
    group_siblings,
    late_outputs,
    reached_outputs,
    surely_late_outputs,
)
from weft.sim.regions.report_parts import report_text


def grouped(text: str, worth: int = 0) -> tuple[str, EventSimulation]:
    """Return what a testbench prints whose clocked parts are regions, also those of its own module."""
    design = load_design(texts={"t.sv": textwrap.dedent(text)})
    program = program_of(design, choice=EngineChoice("auto", worth=worth, whole=False))
    out = io.BytesIO()
    simulation = EventSimulation(program.design, out, EventOptions(), program)
    assert simulation.run() == 0
    return out.getvalue().decode("latin-1"), simulation


def events(text: str) -> str:
    out = io.BytesIO()
    simulation = EventSimulation(load_design(texts={"t.sv": textwrap.dedent(text)}), out, EventOptions())
    assert simulation.run() == 0
    return out.getvalue().decode("latin-1")


def group_of(text: str) -> Group | None:
    ((_, top),) = load_design(texts={"t.sv": textwrap.dedent(text)}).tops

    def fits(module: Module) -> bool:
        return True

    return group_siblings(top, fits)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_print_the_same(name: str) -> None:
    text, expected = PROGRAMS[name]
    assert grouped(text)[0] == expected


@pytest.mark.parametrize("seed", [21, 22, 68])
def test_random_modules_do_the_same(seed: int) -> None:
    """Also at time 0, where `always @*` awaits a change, and where something changes twice in a time step."""
    text = module_testbench(seed)
    printed, simulation = grouped(text)
    assert printed == events(text)
    assert simulation.mixed.regions


TESTBENCH = """
    module stage(input clk, input [7:0] d, output reg [7:0] q = 0);
      always @(posedge clk) q <= d;
    endmodule
    module t;
      reg clk = 0, clear = 1;
      reg [7:0] given = 3, kept = 9, seen;
      wire [7:0] a, b;
      wire [7:0] sum = a + given, twice = {b[6:0], 1'b0};
      reg [7:0] table_ [0:3];
      integer i;
      stage one(clk, sum, a);
      stage two(clk, kept, b);
      always @(posedge clk) if (clear) kept <= 0; else kept <= kept ^ sum;
      always @(posedge clk) begin seen = seen + 1; if (seen[0]) kept[0] <= twice[1]; end
      always #5 clk = ~clk;
      always @(negedge clk) $display("%0t %h %h %h", $time, a, b, kept);
      initial begin
        seen = 0;
        for (i = 0; i < 4; i = i + 1) table_[i] = i;
        #17 clear = 0;
        repeat (9) @(posedge clk) given <= given * 3 + table_[given[1:0]];
        #1 given = 8'bx1;
        repeat (3) @(posedge clk);
        $finish(0);
      end
    endmodule
    """


def test_siblings_do_the_same_together() -> None:
    printed, simulation = grouped(TESTBENCH, worth=2)
    assert printed == events(TESTBENCH)
    assert report_text(simulation.mixed).splitlines()[2:] == [
        "t.one     stage   cycle   stepped by posedge clk, with its siblings",
        "t.two     stage   cycle   stepped by posedge clk, with its siblings",
    ]


def test_what_inputs_reach_without_an_edge_is_no_output_of_a_group() -> None:
    _, simulation = grouped(TESTBENCH, worth=2)
    (built,) = simulation.mixed.regions.values()
    assert not reached_outputs(built)
    # `sum` follows `given`, which the testbench sets, and is seen outside.
    assert [(port.name, port.direction) for port in built.stub.ports if port.name == "sum"] == [("sum", "input")]


def test_a_group_has_a_port_for_what_it_shares() -> None:
    group = group_of(TESTBENCH)
    assert group is not None
    # `seen` is set by an initial procedure too, so what counts it, and writes `kept`, is outside: so is its rival.
    assert [instance.name for instance in group.instances] == ["one", "two"]
    assert {port.name: port.direction for port in group.module.ports} == {
        "clk": "input",
        "given": "input",
        "kept": "input",
        "a": "output",
        "b": "output",
        "sum": "output",
        "twice": "output",
    }
    assert not group.module.processes
    assert len(group.around.processes) == 5


PARTS = {
    "it is written outside, too": "reg q; always @(posedge clk) q <= d; initial q = 0;",
    "a task may write it": 'reg q; always @(posedge clk) q <= d; initial $value$plusargs("q=%d", q);',
    "an output argument writes it": """reg q; always @(posedge clk) q <= d;
        task set(output v); v = 0; endtask initial #1 set(q);""",
    "an array is shared": 'reg [7:0] q [0:3]; always @(posedge clk) q[d] <= 1; initial #1 $display("%h", q[0]);',
    "others see a blocking assignment": "reg q, r; always @(posedge clk) q = d; always @(posedge clk) r <= q;",
    "a function is called": "function f(input v); f = ~v; endfunction reg q; always @(posedge clk) q <= f(d);",
    "a net has a delay": "wire #1 w = d; reg q; always @(posedge clk) q <= w;",
    "it waits": "reg q; always @(posedge clk) begin q <= d; @(negedge clk); end",
}


@pytest.mark.parametrize("why", PARTS)
def test_what_does_not_fit_stays_outside(why: str) -> None:
    part = PARTS[why]
    inside = {"always_in"} | ({"r"} if "r <=" in part else {"q"} if "#1 w" in part else set())
    text = f"""
        module t;
          reg clk = 0, d = 0;
          reg [1:0] always_in = 0;
          always @(posedge clk) always_in <= always_in + 1;
          {part}
          always #5 clk = ~clk;
          initial begin
            repeat (8) @(posedge clk) begin d <= ~d; $display("%b", always_in); end
            $finish(0);
          end
        endmodule
        """
    group = group_of(text)
    assert group is not None
    assert {ref.signal.name for each in group.module.processes for ref in written_signals(each.body)} == inside
    assert grouped(text)[0] == events(text)


def test_logic_that_nothing_in_the_group_uses_stays_outside() -> None:
    group = group_of("""
        module t;
          reg clk, d, q; wire near = ~q, far = ~d, for_q = d & far;
          always @(posedge clk) q <= for_q;
          initial $monitor("%b %b", near, far);
        endmodule
        """)
    assert group is not None
    assert {assign.lhs.signal.name for assign in group.module.assigns} == {"near", "far", "for_q"}  # pyright: ignore[reportAttributeAccessIssue]
    assert (
        group_of("""
        module t;
          reg clk, d, q; wire far = ~d;
          initial $monitor("%b %b", q, far);
        endmodule
        """)
        is None
    )


LATE = """
    module inner(input clk, input [3:0] d, output [3:0] none, output [2:0] same, kept, output reg [3:0] q,
      output reg [3:0] n = 5, output reg [3:0] m, output bit two, output [7:0] joined, output [3:0] z);
      assign none = 4'bx, same = q[0] ? 3'b100 : 3'b000, z = 4'(1'b1) | d;
      stage #(2) deep(clk, kept);
      assign joined = {q, 2'b1x, d[1:0]};
      always @(posedge clk) begin q <= d; two <= d[0]; n <= d; end
      always_comb if (d == 1) m = 1;
    endmodule
    module stage #(parameter int P = 0) (input clk, output [2:0] y);
      reg [2:0] held;
      wire [2:0] loop;
      assign y = P > 0 ? {1'b1, loop[0], held[0]} : held;
      always @(posedge clk) held <= held + 1;
    endmodule
    module t;
      reg clk = 0; reg [3:0] given = 1; wire [3:0] d = given + 1;
      wire [3:0] none, q, n, m, z; wire [2:0] same, kept; wire two; wire [7:0] joined;
      inner one(clk, d, none, same, kept, q, n, m, two, joined, z);
      always #5 clk = ~clk;
      initial begin repeat (4) @(negedge clk) $display("%b", {none, same, kept, q, n, m, two, joined, z});
        $finish(0); end
    endmodule
    """


def test_what_has_a_value_at_the_start_is_mostly_known_beforehand() -> None:
    """A group is not built in vain for constants, parts of them, and registers that are declared with a value."""
    group = group_of(LATE)
    assert group is not None
    known = surely_late_outputs(group.module)
    assert known == {"same", "kept", "n", "joined"}
    design = load_design(texts={"t.sv": textwrap.dedent(LATE)})
    late = late_outputs(RegionBuilder(design, whole=False).build(group.module), group.module)
    # What operators make of unknown values is not followed, nor what other procedures than clocked ones assign.
    assert late - known == {"two", "z"}
    assert grouped(LATE)[0] == events(LATE)


@pytest.mark.parametrize("seed", [13, 21, 28, 49])
def test_what_is_known_beforehand_has_a_value_at_the_start(seed: int) -> None:
    design = load_design(texts={"t.sv": textwrap.dedent(module_testbench(seed))})
    group = group_siblings(design.tops[0][1], lambda inside: True)
    assert group is not None
    built = RegionBuilder(design, whole=False).build(group.module)
    known = surely_late_outputs(group.module)
    assert known <= late_outputs(built, group.module)
    assert not known or not reached_outputs(built)
