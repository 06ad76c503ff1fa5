"""Regions that are stepped at clock edges do what their events would do, and `weft run` says which there are."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

import pytest

from events.mixed_modules import module_testbench
from events.mixed_runs import MACHINE, MIXED, both, regions, simulate
from events.programs import PROGRAMS
from events.run_events import run_events
from weft.base.errors import Unsupported
from weft.engines.cpu.jit import FULL, LEAN, QUICK
from weft.engines.cpu.region_habits import EdgeHabits
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.event_program import ProgramOptions, make_program, program_of
from weft.sim.event_simulation import EventOptions, EventSimulation, run
from weft.sim.regions.engine_choice import EngineChoice
from weft.sim.regions.report_parts import report_text
from weft.sim.regions.run_regions import RegionRunner
from weft.sim.run_plan import RunPlan


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_print_the_same(name: str) -> None:
    text, expected = PROGRAMS[name]
    assert simulate(text, MIXED)[0] == expected


@pytest.mark.parametrize("seed", [8, 37, 42])
@pytest.mark.parametrize("whole", [True, False])
def test_random_modules_do_the_same(seed: int, whole: bool) -> None:
    text = module_testbench(seed)
    program = program_of(load_design(texts={"t.sv": text}), choice=EngineChoice("auto", worth=0, whole=whole))
    out = io.BytesIO()
    simulation = EventSimulation(program.design, out, MIXED, program)
    assert simulation.run() == 0
    assert out.getvalue().decode("latin-1") == simulate(text, EventOptions())[0]
    assert "tb.dut" in regions(simulation)


def test_what_no_output_depends_on_is_left_out_where_nobody_can_look() -> None:
    design = load_design(texts={"t.sv": textwrap.dedent(COUNTER)})
    program = program_of(design, choice=EngineChoice("auto", worth=0, whole=False))
    (built,) = program.mixed.regions.values()
    written = {built.graph.states[write.state].name for write in (*built.graph.writes, *built.graph.memory_writes)}
    assert "counter.count" in written and not any("kept" in name for name in written)


COUNTER = """
    module counter(input clk, input rst, input [7:0] step, output reg [7:0] count, output [7:0] next);
      reg [7:0] kept [0:3];
      assign next = count + step;
      always @(posedge clk or posedge rst)
        if (rst) count <= 0; else begin count <= next; kept[count[1:0]] <= count; end
    endmodule
    module t;
      reg clk = 0, rst = 0; reg [7:0] step = 1;
      wire [7:0] count, next;
      counter dut(clk, rst, step, count, next);
      always #5 clk = ~clk;
      always @(count, next) $display("%0t %h %h", $time, count, next);
      initial begin
        #7 rst = 1; #6 rst = 0;
        repeat (3) @(posedge clk); step <= 7;
        repeat (2) @(negedge clk); step = 8'h1x;
        repeat (2) @(posedge clk); $strobe("strobe %h", count); rst <= 1;
        @(negedge clk) $finish(0);
      end
    endmodule
    """


def test_a_region_has_its_ports_and_its_edges() -> None:
    printed, simulation = both(COUNTER)
    assert printed.splitlines()[0] == "7 00 xx"
    assert report_text(simulation.mixed) == (
        "instance  module   engine  reason\n"
        "t         t        event   a procedure with delays (t.sv:12:10)\n"
        "t.dut     counter  cycle   stepped by posedge clk, posedge rst\n"
    )


TESTBENCH = """
    module t;
      reg clk = 0;
      wire [15:0] sum;
      machine m(clk, sum);
      always #5 clk = ~clk;
      always @(sum) if (sum[2:0] == 5) $display("%0t %h", $time, sum);
      initial #60000 $finish;
    endmodule
"""


def test_better_code_does_the_same() -> None:
    out = io.BytesIO()
    simulation = EventSimulation(load_design(texts={"t.sv": textwrap.dedent(COUNTER)}), out, MIXED)
    (program,) = simulation.regions.programs.values()
    assert not program.edge(0)
    simulation.regions.take_for_granted()
    program.compile(FULL)
    assert program.edge(0)
    simulation.regions.enter_code()
    simulation.run()
    assert out.getvalue().decode() == simulate(COUNTER, EventOptions())[0]


def test_code_for_habits_does_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While samples are taken, with what they have shown, and when a later run finds that in the cache."""
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("weft.engines.cpu.region_habits.FEWEST", 100)
    monkeypatch.setattr("weft.sim.regions.run_regions._START_SECONDS", 1000.0)  # better code is made here alone
    text = MACHINE + TESTBENCH
    expected = simulate(text, EventOptions())[0]
    for known in (False, True, True):
        out = io.BytesIO()
        simulation = EventSimulation(load_design(texts={"t.sv": textwrap.dedent(text)}), out, MIXED)
        runner = simulation.regions
        (program,) = runner.programs.values()
        runner.take_for_granted()
        program.compile(QUICK)
        program.compile_habits()
        assert program.settled == known
        runner.enter_code()
        simulation.run()
        program.end(())
        assert out.getvalue().decode() == expected


def habits_of(simulation: EventSimulation) -> EdgeHabits:
    """Return the habits of the only edge of the only region, as a run begins with them."""
    (program,) = simulation.regions.programs.values()
    simulation.regions.take_for_granted()
    (habits,) = program._better.habits  # pyright: ignore[reportPrivateUsage]
    return habits


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("weft.engines.cpu.region_habits.FEWEST", 100)

    def start(runner: RegionRunner) -> None:
        """Leave better code to the test."""

    monkeypatch.setattr(RegionRunner, "start", start)


def machine_simulation() -> EventSimulation:
    return EventSimulation(load_design(texts={"t.sv": textwrap.dedent(MACHINE + TESTBENCH)}), io.BytesIO(), MIXED)


@pytest.mark.parametrize(("before", "covered"), [(0, True), (4_000, True), (30_000, False)])
@pytest.mark.usefixtures("own_cache")
def test_samples_of_a_part_of_a_run_do_not_count(before: int, covered: bool) -> None:
    simulation = machine_simulation()
    (program,) = simulation.regions.programs.values()
    simulation.engine.run(before)
    assert habits_of(simulation).habits is None
    program.compile(QUICK)
    program.look(simulation.engine.time)
    simulation.regions.enter_code()
    simulation.run()
    program.end((), simulation.engine.time)
    later = habits_of(machine_simulation())
    assert later.habits is None
    later.look(0)  # for which no run waits
    assert (later.habits is not None) == covered


@pytest.mark.usefixtures("own_cache")
def test_units_are_compiled_by_what_they_gain() -> None:
    simulation = machine_simulation()
    (program,) = simulation.regions.programs.values()
    habits_of(simulation)
    program.compile(QUICK)
    simulation.regions.enter_code()
    simulation.run()
    program.end(())
    habits = habits_of(machine_simulation())
    habits.look_back()
    assert habits.habits is not None and len(habits.situations) > 1
    units, at = habits.units, habits.habits.lean_at
    assert units == [habits.choice, *habits.situations[:at], habits.lean, *habits.situations[at:]]
    assert {tier for unit, tier in habits.wanted if unit is not habits.lean} == {LEAN}
    assert [tier for unit, tier in habits.wanted if unit is habits.lean] == [QUICK]  # this process has not run long
    assert not habits.usual_matters and not habits.settled


def test_regions_go_through_the_design_cache() -> None:
    assert run_events(COUNTER, MIXED) == run_events(COUNTER)


def test_a_cached_program_is_not_for_other_plusargs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    text = COUNTER.replace("initial begin", 'initial begin if ($test$plusargs("vcd")) $dumpvars(0, t);', 1)
    (tmp_path / "t.sv").write_text(textwrap.dedent(text))
    front_end = FrontEndOptions(arguments=("t.sv",))
    for plusargs, cached, dumps in [((), False, False), ((), True, False), (("vcd",), False, True), ((), False, False)]:
        choice = EngineChoice("auto", plusargs, worth=0)
        program = make_program((), ProgramOptions(front_end, choice=choice))
        program.machine.link()
        assert (program.cached, program.code.observe, bool(program.mixed.regions)) == (cached, dumps, not dumps)


LATE_LATCHES = """
    module dut(input clk, input [3:0] d, output [3:0] q);
      reg [3:0] a = 0, l, m, n;
      reg [1:0] phase = 0;
      always @* if (phase[0]) l = a + 1;
      always_latch if (phase == 2) m <= l ^ a;
      always @* if (!phase[1]) n = d;
      assign q = l + m + n;
      always @(posedge clk) begin phase <= phase + 1; a <= a + d + m; end
    endmodule
    module t;
      reg clk = 0; reg [3:0] d = 1; wire [3:0] q;
      dut u(clk, d, q);
      always #5 clk = ~clk;
      initial $monitor("%0t %b", $time, q);
      initial begin
        repeat (11) begin @(negedge clk) d <= d * 5 + 3; if (d == 2) #1 d = 7; end
        $finish(0);
      end
    endmodule
    """


@pytest.mark.parametrize("better", [False, True])
def test_latches_that_no_input_reaches_follow_in_steps(better: bool) -> None:
    """Whether all code is plain, or edges and outputs have code of their own from some edge on."""
    out = io.BytesIO()
    simulation = EventSimulation(load_design(texts={"t.sv": textwrap.dedent(LATE_LATCHES)}), out, MIXED)
    (program,) = simulation.regions.programs.values()
    assert regions(simulation) == ["t.u"]
    simulation.engine.run(12)
    if better:
        simulation.regions.take_for_granted()
        program.compile(QUICK)
        simulation.regions.enter_code()
    assert simulation.run() == 0
    assert out.getvalue().decode() == simulate(LATE_LATCHES, EventOptions())[0]


def test_random_numbers_do_not_depend_on_regions() -> None:
    printed, _ = both("""
        module dut(input clk, output reg q = 0); always @(posedge clk) q <= ~q; endmodule
        module other; initial #1 $display("%h", $urandom); endmodule
        module t; reg clk = 0; wire q; other first(); dut u(clk, q); other last();
          initial begin #2 clk = 1; $display("%h", $urandom); end
        endmodule
        """)
    assert len(set(printed.split())) == 3


def test_initial_procedures_of_a_region_run_in_their_place() -> None:
    both("""
        module dut(input clk, output reg [3:0] q = 1, output reg [3:0] y, output [3:0] z);
          reg [3:0] m [0:3]; integer i;
          assign z = m[q[1:0]];
          always @* y = q + 1;
          initial begin q = 3; for (i = 0; i < 4; i = i + 1) m[i] = i + 7; end
          always @(posedge clk) begin q <= q + 1; m[q[1:0]] <= y; end
        endmodule
        module t;
          reg clk = 0; wire [3:0] q, y, z;
          dut u(.*);
          always @(q) $display("q %d", q);
          initial begin $display("%d", q); $monitor("%0t %d %d %d", $time, q, y, z); end
          initial repeat (8) #5 clk = ~clk;
        endmodule
        """)


_IMAGES = """
module dut(input clk, input [3:0] a, output reg [7:0] q, r);
  reg [7:0] m [0:15], n [3:0];
  initial begin $readmemh("m.hex", m); $readmemh("m.hex", n); end
  always @(posedge clk) begin q <= m[a]; r <= n[a[1:0]]; m[a] <= r; end
endmodule
module t;
  reg clk = 0; reg [3:0] a = 0; wire [7:0] q, r, s, t;
  dut u(clk, a, q, r), v(clk, ~a, s, t);
  always @(negedge clk) begin a <= a + 1; $display("%0t %h %h %h %h", $time, q, r, s, t); end
  initial repeat (8) #5 clk = ~clk;
endmodule
"""


def test_memory_images_say_what_they_say_to_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is too short, and bounds that only name a range the other way round, are warned of."""
    monkeypatch.chdir(tmp_path)
    Path("m.hex").write_text("01 02 03 104\n")
    printed, simulation = both(_IMAGES)
    assert regions(simulation) == ["t.u", "t.v"]
    assert printed.count("Not enough words") == printed.count("The behaviour for reg") == 2
    assert printed.count("Excess hex digits") == 4


def test_a_changed_memory_image_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache has what the region's memory begins with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    Path("t.sv").write_text(_IMAGES)
    seen: list[tuple[str, bool]] = []
    for image in ("01 02 03 04", "01 02 03 04", "0a 02 03 04"):
        Path("m.hex").write_text(image)
        program, out = make_program(["t.sv"], ProgramOptions(choice=EngineChoice("auto", worth=0))), io.BytesIO()
        assert EventSimulation(program.design, out, MIXED, program).run() == 0
        seen.append((next(line for line in out.getvalue().decode().splitlines() if line[0] == "1"), program.cached))
    assert seen == [("10 01 01 xx 04", False), ("10 01 01 xx 04", True), ("10 0a 0a xx 04", False)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("always @(posedge clk) begin q <= d; $display; end", "a call of $display"),
        ("always @(posedge clk) q <= #1 d;", "a delay in an assignment"),
        ("always @(posedge clk) q = d;", "'q', which a clocked procedure assigns with '=' and others see"),
        ("wire c = clk & d; always @(posedge c) q <= d;", "a clock that is computed inside"),
        ("always @(posedge clk) q <= d; tri1 w;", "a net of type tri1 ('w')"),
        ("always @* q = d;", "nothing in it waits for a clock edge"),
        ("wire c = clk; always @(posedge c) q <= d;", "a clock that an assignment inside passes on"),
        ("always @(posedge clk iff d) q <= d;", "an event control with iff"),
        (
            "reg [3:0] v; always @(posedge clk or posedge d) begin v[v[1:0]] <= d; q <= v[0]; end",
            "bits chosen by a variable, which two edges of a time step assign",
        ),
        (
            "reg [3:0] v; always @(posedge clk) begin v = d; v <= v + 1; q <= d; end",
            "'v', which is assigned with both '=' and '<='",
        ),
        (
            "reg w; function f(input x); f = x ^ d; endfunction always @* w = f(q); always @(posedge clk) q <= w;",
            "a function that reads 'd', for which the 'always @*' that calls it does not wait",
        ),
    ],
)
def test_what_is_no_region_has_a_reason(body: str, reason: str) -> None:
    text = f"""
        module dut(input clk, input d, output reg q); {body} endmodule
        module t; reg clk = 0, d = 0; wire q; dut u(clk, d, q); initial begin #1 clk = 1; #1 clk = 0; end endmodule
        """
    _, simulation = both(text)
    assert [part.reason.text for part in simulation.mixed.parts if part.path == "t.u"] == [reason]


def test_arguments_that_functions_only_read_keep_nothing_out() -> None:
    _, simulation = both("""
        module dut(input clk, rst_n, input [3:0] d, output reg [3:0] p, q);
          reg [3:0] w, v = 0;
          function automatic [3:0] f(input [3:0] x); f = x + 1; endfunction
          always @* w = f(d);
          always @(posedge clk or negedge rst_n) if (!rst_n) v <= 0; else v[d[1:0]] <= w[0];
          always @(posedge clk) begin q <= f(w); p <= v; end
        endmodule
        module t;
          reg clk = 0, rst_n = 1; reg [3:0] d = 0; wire [3:0] p, q;
          dut u(clk, rst_n, d, p, q);
          always #5 clk = ~clk;
          always @(posedge clk) d = d + 3;
          initial begin $monitor("%0t %h %h", $time, p, q); #22 rst_n = 0; #4 rst_n = 1; #200 $finish(0); end
        endmodule
        """)
    assert regions(simulation) == ["t.u"]


def test_what_is_named_from_outside_runs_as_events() -> None:
    _, simulation = both("""
        module dut(input clk, output reg q = 0); reg s = 0; always @(posedge clk) begin s <= ~s; q <= s; end endmodule
        module t; reg clk = 0; wire q; dut u(clk, q);
          initial repeat (4) begin #1 clk = ~clk; #1 $display("%b %b", q, u.s); end
        endmodule
        """)
    assert [part.reason.text for part in simulation.mixed.parts] == [
        "a delay or wait in a procedure",
        "its 's' is reached by a hierarchical name",
    ]


def test_waveforms_shuffling_and_small_parts_leave_all_to_events(tmp_path: Path) -> None:
    for options, reason in [
        (EventOptions(engine="auto", wave=str(tmp_path / "w.vcd")), "a run that looks at every signal"),
        (EventOptions(engine="auto", shuffle=3), "a run whose order of events is shuffled"),
        (EventOptions(engine="auto"), "too small to gain"),
        (EventOptions(), "asked for by --engine=event"),
    ]:
        _, simulation = simulate(COUNTER, options)
        assert not regions(simulation)
        assert simulation.mixed.parts[-1].reason.text.startswith(reason)


def test_a_dump_that_a_plusarg_leaves_out_does_not_count() -> None:
    text = COUNTER.replace("initial begin", 'initial begin if ($test$plusargs("vcd")) $dumpvars(0, t);', 1)
    assert regions(simulate(text, MIXED)[1]) == ["t.dut"]


def test_the_prompt_reads_inside_a_region() -> None:
    text = COUNTER.replace("@(negedge clk) $finish(0);", "@(negedge clk) $stop; $finish(0);")
    out = io.BytesIO()
    simulation = EventSimulation(load_design(texts={"t.sv": textwrap.dedent(text)}), out, MIXED)
    seen: list[str | None] = []

    def prompt(stop: object, scope: str) -> bool:
        read = stop.value_text  # pyright: ignore
        seen.extend(read(path) for path in ("t.dut.kept[1]", "t.dut.next", "t.dut.count", "t.dut.none", "t.count"))
        return True

    simulation.ask_at_stop(prompt)
    simulation.run()
    assert seen == ["8'h01", "8'hxx", "8'h00", None, "8'h00"]


def test_engine_cycle_points_at_what_keeps_a_part_out(tmp_path: Path) -> None:
    source = tmp_path / "t.v"
    source.write_text(
        "module dut(input clk, input g, output reg q);\n"
        "  wire c = clk & g;\n  always @(posedge c) q <= ~q;\nendmodule\n"
        "module t; reg clk = 0; wire q; dut u(clk, 1'b1, q); initial #1 $finish(0); endmodule\n"
    )
    with pytest.raises(Unsupported) as caught:
        run(RunPlan((str(source),), engine="cycle"))
    assert caught.value.render() == (
        f"{source}:1:8: error: a clock that is computed inside, in 't.u' with --engine=cycle, is not supported yet "
        "[unsupported]\n"
        "module dut(input clk, input g, output reg q);\n"
        "       ^~~"
    )


def test_engine_cycle_refuses_runs_that_look_at_everything(tmp_path: Path) -> None:
    source = tmp_path / "t.v"
    source.write_text("module t; initial $finish(0); endmodule")
    with pytest.raises(Unsupported, match="for a waveform or from Python, with --engine=cycle"):
        run(RunPlan((str(source),), engine="cycle", wave=str(tmp_path / "w.vcd")))


def test_the_report_goes_to_the_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "t.v"
    source.write_text("module t; initial $finish(0); endmodule")
    assert run(RunPlan((str(source),), report=True)) == 0
    assert capsys.readouterr().err.splitlines()[0] == "instance  module  engine  reason"
