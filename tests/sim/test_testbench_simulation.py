"""Testbenches that Python drives: `weft.compile(..., engine="event")`."""

import numpy as np
import pytest

import weft
from weft.sim.engine import Stop
from weft.sim.simulation import Simulation
from weft.sim.testbench_simulation import TestbenchSimulation

BENCH = """`timescale 1ns/1ps
module dut #(parameter N = 1) (input clk, input rst, output reg [7:0] count, output [7:0] twice);
  reg [7:0] mem [0:15];
  assign twice = count * 2;
  always @(posedge clk) begin count <= rst ? 8'd0 : count + N; mem[count[3:0]] <= count; end
endmodule
module tb(input [3:0] knob);
  reg clk = 0, rst = 1; wire [7:0] count, twice;
  integer n = 0; real ratio = 1.5; string text = "hi"; int plain = 3;
  dut d(clk, rst, count, twice), e(clk, rst, , );
  always #5 clk = ~clk;
  always @(knob) n = n + 1;
  initial begin
    #12 rst = 0;
    wait (count == 40);
    $display("%0t %s", $time, text);
    $finish;
  end
  final $display("final");
endmodule
"""


def compile_bench(text=BENCH, **options):
    printed = []
    sim = weft.compile(texts={"tb.sv": text}, engine="event", cache=False, output=printed.append, **options)
    return sim, printed


def test_values_and_time():
    sim, printed = compile_bench()
    assert isinstance(sim, Simulation) and isinstance(sim, TestbenchSimulation)
    assert (sim.time_fs, sim.finished, sim.errors) == (0, False, 0)
    assert str(sim.peek("count")) == "xxxxxxxx" and sim.peek("clk") == 0
    assert sim.run_until("52ns") == Stop.TIME and sim.time_fs == 52 * 10**6
    assert sim.peek("tb.d.count") == 4 and sim.peek("d.twice") == 8 and sim["count"].value == 4
    assert sim.peek("ratio") == 1.5 and sim.peek("text") == "hi" and sim.peek("plain") == 3
    assert (sim.step(), sim.time_fs) == (Stop.TIME, 55 * 10**6)
    assert (sim.step(), sim.time_fs) == (Stop.TIME, 60 * 10**6)
    assert sim["d.count"].direction == "output" and sim["tb.d.count"].range == (7, 0)
    assert sim.run() == Stop.FINISH and sim.finished and sim.time_fs == 405 * 10**6
    assert sim.run_until("1us") == Stop.FINISH and sim.run() == Stop.FINISH and sim.step() == Stop.FINISH
    sim.close()
    sim.close()
    assert b"".join(printed) == b"405000 hi\ntb.sv:17: $finish called at 405000 (1ps)\nfinal\n" and sim.status == 0


def test_pokes_are_seen_by_the_testbench():
    sim, printed = compile_bench()
    sim.run_until("7ns")
    sim.poke("knob", 5)
    assert sim.peek("n") == 1 and sim.time_fs == 7 * 10**6
    sim["knob"].value = "1x0z"
    assert str(sim.peek("knob")) == "1x0z" and sim.peek("n") == 2
    sim.poke("text", "changed")
    sim.poke("ratio", 0.25)
    assert sim.peek("text") == "changed" and sim.peek("ratio") == 0.25
    with pytest.raises(weft.UserError, match=r"'tb.count' is driven by the design: force it instead \[read-only\]"):
        sim.poke("count", 1)
    with pytest.raises(weft.UserError, match="value-range"):
        sim.poke("knob", 16)
    sim.run()
    assert printed[0] == b"405000 changed\n"


def test_a_delay_counts_from_the_time_of_a_poke():
    text = "module t; reg go = 0; integer at = 0; always @(posedge go) begin #5 at = $time; end endmodule"
    sim, _ = compile_bench(text)
    sim.run_until(23 * 10**6)
    sim.poke("go", 1)
    assert sim.run() == Stop.TIME and sim.peek("at") == 28


def test_conditions_and_watches():
    sim, _ = compile_bench()
    seen = []
    number = sim.watch("count", lambda value: seen.append((sim.time_fs // 10**6, str(value))))
    assert sim.run_until("count == 2 && twice == 8'd4") == Stop.CONDITION
    assert sim.time_fs == 25 * 10**6 and sim.run_until("count == 2") == Stop.CONDITION
    assert seen == [(5, "00000000"), (15, "00000001"), (25, "00000010")]
    assert sim.run_until("d.mem[3] === 3") == Stop.CONDITION and sim.time_fs == 45 * 10**6
    sim.unwatch(number)
    assert sim.run_until("count == 200") == Stop.FINISH and len(seen) == 5
    with pytest.raises(weft.UserError, match="unknown-signal"):
        sim.run_until("nothing == 1")


def test_stop_from_a_watch():
    sim, _ = compile_bench()
    sim.watch("count", lambda value: sim.stop() if value == 3 else None)
    assert sim.run() == Stop.STOP and sim.peek("count") == 3 and sim.peek("twice") == 6
    assert sim.run() == Stop.FINISH


def test_an_error_of_a_watch_is_raised():
    sim, _ = compile_bench()
    sim.watch("count", lambda value: 1 // (int(value) - 3))
    with pytest.raises(ZeroDivisionError):
        sim.run()
    assert sim.peek("count") == 3


def test_stop_of_the_design():
    text = "module t; integer n = 0; initial begin #3 n = 1; $stop; #3 n = 2; $stop(0); #3 n = 3; end endmodule"
    sim, _ = compile_bench(text)
    assert (sim.run(), sim.peek("n")) == (Stop.STOP, 1)
    assert (sim.run_until("n == 3"), sim.peek("n")) == (Stop.STOP, 2)
    assert (sim.run(), sim.peek("n"), sim.finished) == (Stop.TIME, 3, False)


def test_forces():
    sim, _ = compile_bench(forceable=["tb.twice", "d.count", "tb.n"])
    sim.run_until("32ns")
    sim.force("twice", "1111zx00")
    assert str(sim.peek("tb.twice")) == "1111zx00" and str(sim.peek("d.twice")) == "1111zx00", "they are one net"
    sim.force("twice", 7)
    sim.run_until("52ns")
    assert sim.peek("twice") == 7
    sim.release("twice")
    assert sim.peek("twice") == 8
    sim.force("d.count", 20)
    sim.run_until("72ns")
    assert sim.peek("count") == 20 and sim.peek("twice") == 40 and sim.peek("e.count") == 6
    sim.release("d.count")
    assert sim.peek("count") == 20
    sim.run_until("75ns")
    assert sim.peek("count") == 21
    sim["n"].force(5)
    sim["n"].release()
    assert sim.peek("n") == 5
    message = r"'tb.clk' cannot be forced: .* or a pattern such as 'tb.\*', in forceable= \[not-forceable\]"
    with pytest.raises(weft.UserError, match=message):
        sim.force("clk", 1)
    with pytest.raises(weft.UserError, match=r"there is no signal 'tb.none' to be forced \[unknown-signal\]"):
        compile_bench(forceable=["tb.none"])


def test_forces_by_patterns():
    sim, printed = compile_bench(forceable=["d.*", "*.text", "tb.r?tio"])
    sim.run_until("32ns")
    for path, value in (("d.rst", 1), ("d.clk", 1), ("d.twice", 1), ("text", "forced"), ("ratio", 2.5)):
        sim.force(path, value)
    assert sim.peek("tb.clk") == 0 and sim.peek("d.clk") == 1 and sim.peek("text") == "forced"
    sim.run_until("62ns")
    assert sim.peek("twice") == 1 and sim.peek("count") == 0 and sim.peek("e.count") == 5 and sim.peek("ratio") == 2.5
    for path in ("d.clk", "d.rst", "d.twice", "text", "ratio"):
        sim.release(path)
    assert (sim.peek("d.clk"), sim.peek("d.twice"), sim.peek("ratio")) == (0, 0, 2.5)
    with pytest.raises(weft.UserError, match="not-forceable"):
        sim.force("e.rst", 1)
    sim.run()
    assert printed[0].endswith(b" forced\n")
    with pytest.raises(weft.UserError, match=r"no signal that can be forced matches 'd.m\*' \[unknown-signal\]"):
        compile_bench(forceable=["d.m*"])
    design = {"m.v": "module m(input clk, output reg q = 0); always @(posedge clk) q <= ~q; endmodule"}
    cycles = weft.compile(texts=design, engine="cycle", forceable=["m.*"], cache=False)
    cycles.force("q", 1)
    assert cycles.peek("q") == 1


def test_memories():
    sim, _ = compile_bench()
    memory = sim.memory("d.mem")
    assert len(memory) == 16 and str(memory[0]) == "xxxxxxxx" and memory.unknown[0] == 255
    sim.run_until("100ns")
    assert memory[0:8].tolist() == list(range(8)) and memory[5] == 5 and not memory.unknown[:8].any()
    memory[5] = "1x"
    assert str(memory[5]) == "0000001x"
    memory[2:4] = [70, 80]
    assert memory[2:4].tolist() == [70, 80] and np.shares_memory(memory.value, memory.value)
    with pytest.raises(weft.UserError, match="index-range"):
        memory[16]
    wide, _ = compile_bench("module t; reg [99:0] m [1:3]; initial m[2] = 100'd1 << 70; endmodule")
    assert wide.memory("m")[2] == 1 << 70 and wide.memory("m").value[1].tolist() == [0, 64]


def test_hierarchy_and_drivers():
    sim, _ = compile_bench()
    (top,) = sim.hierarchy()
    assert [(node.path, node.module) for _, node in top.walk()] == [("tb", "tb"), ("tb.d", "dut"), ("tb.e", "dut")]
    assert ("mem", 8, 16) in top.children[0].signals
    assert [(d.what, d.where) for d in sim.drivers("d.count")] == [("always @(posedge clk)", "tb.sv:5:31")]
    assert [d.what for d in sim.drivers("tb.count")] == ["output 'count' of instance 'd'"]
    assert "d.count" in sim and "tb.d.nothing" not in sim and "q" not in sim


def test_waveforms(tmp_path):
    sim, _ = compile_bench()
    sim.run_until("32ns")
    with sim.trace(tmp_path / "part.vcd", "d.*", depth=2):
        sim.run_until("52ns")
    sim.run_until("62ns")
    text = (tmp_path / "part.vcd").read_text()
    assert "#32000" in text and "#45000" in text and "#55000" not in text and "b100 " in text
    with sim.trace(tmp_path / "all.fst"):
        sim.run()
    assert (tmp_path / "all.fst").stat().st_size > 300
    with pytest.raises(weft.UserError, match="bad-option"), sim.trace("wave.txt"):
        pass
    with pytest.raises(weft.Unsupported, match="memories"), sim.trace("wave.vcd", memories=True):
        pass


STATEFUL = """
class Packet; rand bit [7:0] size; int id; function new(int n); id = n; endfunction endclass
module t;
  string log = ""; int q[$]; int map[string]; mailbox #(int) box = new(2); semaphore key = new(1);
  Packet p; event ping; integer s = 4; reg [7:0] late = 0;
  always begin box.put(s); #3; end
  always begin int got; box.get(got); q.push_back(got); s = s + 1; map[$sformatf("k%0d", got)] = got; #4; end
  always begin #5 p = new(s); void'(p.randomize()); log = {log, $sformatf("%0d.%0d,", p.id, p.size)}; -> ping; end
  always @ping begin key.get(); fork begin #6 key.put(); end join_none late <= #7 p.size; end
  always #10 begin
    $display("%0t %s %p %0d %0d %h %0d", $time, log, q, map.num(), late, $random, $urandom);
  end
endmodule
"""


def test_a_checkpoint_is_everything():
    sim, printed = compile_bench(STATEFUL, seed=3)
    sim.run_until("52ns")
    saved = sim.checkpoint()
    del printed[:]
    sim.run_until("203ns")
    first = b"".join(printed)
    for _ in range(2):
        del printed[:]
        sim.restore(saved)
        assert sim.time_fs == 52 * 10**6
        sim.run_until("203ns")
        assert b"".join(printed) == first
    assert first.count(b"\n") == 15
    later = sim.checkpoint()
    sim.restore(saved)
    sim.restore(later)
    assert sim.time_fs == 203 * 10**6


def test_watches_last_beyond_a_restore():
    sim, _ = compile_bench()
    saved = sim.checkpoint()
    seen = []
    sim.watch("count", lambda value: seen.append(str(value)))
    sim.run_until("22ns")
    sim.restore(saved)
    sim.run_until("22ns")
    assert seen == ["00000000", "00000001"] * 2
    assert sim.run() == Stop.FINISH
    sim.restore(saved)
    assert not sim.finished and sim.run_until("count == 9") == Stop.CONDITION


def test_what_cannot_be_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sim, _ = compile_bench("module t; integer n = 0; initial begin #5 $stop; #5 n = 1; end endmodule")
    assert sim.run() == Stop.STOP
    with pytest.raises(weft.Unsupported, match=r"a checkpoint while a process rests at its \$stop"):
        sim.checkpoint()
    sim.run()
    saved = sim.checkpoint()
    sim.close()
    with pytest.raises(weft.UserError, match=r"this checkpoint is of another simulation \[bad-state-file\]"):
        compile_bench()[0].restore(saved)
    dumping, _ = compile_bench('module t; reg a; initial begin $dumpfile("x.vcd"); $dumpvars; end endmodule')
    with pytest.raises(weft.Unsupported, match="a checkpoint while a waveform is written"):
        dumping.checkpoint()
    with pytest.raises(weft.Unsupported, match="a checkpoint while a waveform is written"):
        dumping.save("state")
    dumping.close()
    device, _ = compile_bench('module t; integer f; initial f = $fopen("/dev/null", "w"); endmodule')
    with pytest.raises(weft.Unsupported, match=r"the design has '/dev/null' open, which is no plain file, is not"):
        device.checkpoint()
    device.close()


def test_choosing_the_engine():
    design = "module m(input clk, output reg q = 0); always @(posedge clk) q <= ~q; endmodule"
    assert not isinstance(weft.compile(texts={"m.v": design}, engine="auto", cache=False), TestbenchSimulation)
    assert not isinstance(weft.compile(texts={"m.v": design}, engine="cycle", cache=False), TestbenchSimulation)
    for text in ("module t; reg a; initial #5 a = 1; endmodule", "module t; reg a = 1; endmodule"):
        assert isinstance(weft.compile(texts={"t.v": text}, engine="auto", cache=False), TestbenchSimulation)
    for options, message in (
        ({"engine": "gpu"}, "engine is auto, cycle, cpu, reference or event, not 'gpu'"),
        ({"engine": "event", "clock": "clk"}, "clock, x_initial and loops are for designs that run by cycles"),
        ({"engine": "cycle", "shuffle": 1}, "shuffle, delays and sdf are for testbenches"),
        ({"engine": "event", "delays": "most"}, "delays is min, typ, max or none, not 'most'"),
    ):
        with pytest.raises(weft.UserError, match=message):
            weft.compile(texts={"m.v": design}, **options)
    sim, _ = compile_bench()
    with pytest.raises(weft.UserError, match="a testbench makes its clocks itself: use run_until"):
        sim.run_cycles(3)
    with pytest.raises(weft.UserError, match="max_cycles counts nothing"):
        sim.run_until("count == 1", max_cycles=3)


def test_delays(tmp_path):
    text = "module t; reg a = 0; wire b; buf #(1:2:3) g(b, a); initial #10 a = 1; endmodule"
    times = []
    for delays in ("min", "typ", "max", "none"):
        sim, _ = compile_bench(text, delays=delays)
        sim.run_until("b === 1")
        times.append(sim.time_fs // 10**6)
    assert times == [11, 12, 13, 10]


def test_repeat_takes_a_count_as_it_is():
    text = """module t; reg [3:0] in = 2; reg signed [1:0] s = 2; integer n, i = -3; initial begin
      n = 0; repeat (in[1:0]) n = n + 1; $write("%0d ", n);
      n = 0; repeat (2'd3) n = n + 1; $write("%0d ", n);
      n = 0; repeat (s) n = n + 1; $write("%0d ", n);
      n = 0; repeat (i) n = n + 1; $write("%0d ", n);
      n = 0; repeat (-2'sd2) n = n + 1; $write("%0d ", n);
      n = 0; repeat (4'bx) n = n + 1; $write("%0d ", n); end endmodule"""
    for engine in ("event", "cpu"):
        printed = []
        with weft.compile(texts={"t.sv": text}, engine=engine, cache=False, output=printed.append) as sim:
            sim.step()
        # Without unknown values 4'bx is 0.
        assert b"".join(printed).split() == [b"2", b"3", b"0", b"0", b"0", b"0"], engine
