"""The user's API on a small design: signals, time, conditions, watches, checkpoints, errors; in both modes."""

import signal
import threading

import numpy as np
import pytest

import weft
from weft import Logic, LogicArray, UserError

SOURCE = """
module sub(input logic clk, input logic rst, output logic [7:0] q, input logic [7:0] d);
  logic [7:0] mem [16:31];
  logic [99:0] wide [0:3];
  integer i;
  initial for (i = 16; i < 32; i = i + 1) mem[i] = i * 3;
  initial wide[2] = {4'hf, 96'd1};
  always_ff @(posedge clk) if (rst) q <= 0; else begin q <= q + d; mem[16 + q[3:0]] <= q; end
endmodule
module top(input logic clk, input logic rst, output logic [7:0] q, output logic irq,
           input logic signed [3:0] s, output logic signed [4:0] t);
  reg [3:0] k = 5;
  reg [0:3] up = 4'b1000;
  wire [7:0] d = k + 1;
  sub u(.clk, .rst, .q, .d);
  assign irq = q == 8'd60;
  assign t = s - 1;
endmodule
"""


@pytest.fixture(params=[("reference", False), ("reference", True), ("cpu", False), ("cpu", True)], ids=str)
def sim(request):
    engine, four_state = request.param
    with weft.compile(texts={"top.sv": SOURCE}, engine=engine, four_state=four_state, cache=False) as simulation:
        simulation.poke("rst", 1)
        simulation.run_cycles(1)
        simulation.poke("rst", 0)
        yield simulation


def test_values(sim):
    assert sim.peek("q") == 0 and sim["u.q"].value == 0 and sim.peek("top.u.q") == 0
    assert sim.peek("d") == 6 and sim["k"].width == 4 and sim["k"].value == 5
    sim["s"].value = -8
    assert int(sim.peek("t")) in (-9, 23)
    sim.poke("k", 15)
    assert sim.peek("d") == 16
    assert sim["q"].direction == "output" and sim["s"].signed and sim["up"].range == (0, 3)
    assert "q" in sim and "nothing" not in sim


def test_cycles_and_times(sim):
    assert (sim.time_fs, sim.cycle) == (10**7, 1)
    assert sim.run_cycles(3).value == "time"
    assert sim.peek("q") == 18 and sim.cycle == 4
    sim.run_until("100ns")
    assert sim.time_fs == 10**8 and sim.peek("q") == 54
    sim.step()
    assert sim.time_fs == 105 * 10**6 and sim.peek("q") == 60 and sim.peek("irq") == 1


@pytest.mark.parametrize(
    ("condition", "q"),
    [
        ("q == 30", 30),
        ("irq", 60),
        ("u.q[7:4] == 4'h4 && !irq", 66),
        ("u.q >= 8'd13 || irq", 18),
        ("{u.q[0], q[1]} == 2'b01 & q > 40", 42),
        ("u.mem[16] == 0", 6),
        ("u.mem[16 + 6] == 6 && ^q !== 1'bx", 12),
        ("up[0] && q[3 +: 2] == 3", 24),
        ("(q + q) == 9'd504", 252),
        ("q % 7 == 3 ? 1 : 0", 24),
        ("{2{q}} == 16'h2424", 36),
        ("top.q / 2 - 1 == 20", 42),
    ],
)
def test_run_until(sim, condition, q):
    assert sim.run_until(condition, max_cycles=60) is weft.sim.engine.Stop.CONDITION
    assert sim.peek("q") == q


def test_run_until_gives_up(sim):
    assert sim.run_until("q == 31", max_cycles=20).value == "time"
    assert sim.cycle == 21


@pytest.mark.parametrize(
    "condition", ["q ==", "q = 1", "nothing == 1", "1 + 1", "q[9:1]", "u.mem", "q @ 2", "(q", "8'o9 == q"]
)
def test_bad_conditions(sim, condition):
    with pytest.raises(UserError, match=r"\[(bad-expression|unknown-signal)\]"):
        sim.run_until(condition)


def test_watch(sim):
    seen = []
    number = sim.watch("irq", lambda value: seen.append((sim.time_fs // 10**6, int(value))))
    sim.watch("u.q", lambda value: seen.append(int(value)) if int(value) > 70 else None)
    sim.run_until("q == 78", max_cycles=100)
    assert seen == [(105, 1), (115, 0), 72, 78]
    sim.unwatch(number)
    sim.poke("rst", 1)
    sim.run_cycles(1)
    sim.poke("rst", 0)
    sim.run_cycles(11)
    assert seen == [(105, 1), (115, 0), 72, 78]


def test_memory(sim):
    memory = sim.memory("u.mem")
    assert len(memory) == 16 and memory.width == 8
    assert memory[31] == 93 and memory[16:20].tolist() == [48, 51, 54, 57]
    view = memory.value
    memory[20] = 7
    assert view[4] == 7 and np.shares_memory(view, sim.engine.state)
    memory[16:18] = [1, 2]
    assert memory[17] == 2
    for index in (15, 32):
        with pytest.raises(UserError, match="index-range"):
            memory[index]
    with pytest.raises(UserError, match="index-range"):
        memory[16:33]
    wide = sim.memory("u.wide")
    assert wide[2] == (15 << 96) + 1 and wide[0:4].shape == (4, 2)
    wide[3] = (1 << 100) - 1
    assert wide[3] == (1 << 100) - 1
    with pytest.raises(UserError, match="value-range"):
        wide[3] = 1 << 100


def test_checkpoints(sim, tmp_path):
    sim.run_cycles(4)
    point = sim.checkpoint()
    sim.save(tmp_path / "s.weft")
    sim.run_cycles(5)
    after = int(sim.peek("q")), sim.memory("u.mem").value.tolist()
    sim.restore(point)
    assert (sim.peek("q"), sim.cycle) == (24, 5)
    sim.run_cycles(5)
    assert (int(sim.peek("q")), sim.memory("u.mem").value.tolist()) == after
    sim.load(tmp_path / "s.weft")
    assert (sim.peek("q"), sim.cycle) == (24, 5)


def test_bad_state_files(sim, tmp_path):
    path = tmp_path / "s.weft"
    sim.save(path)
    good = path.read_bytes()
    with pytest.raises(UserError, match="no-such-file"):
        sim.load(tmp_path / "none.weft")
    for damage in (
        good[:-3],
        good[:40] + b"!" + good[41:],
        b"hello",
        good[:-5] + bytes([good[-5] ^ 1]) + good[-4:],
        b"WEFTSTATE\n{}\n",
    ):
        path.write_bytes(damage)
        with pytest.raises(UserError, match="bad-state-file"):
            sim.load(path)
    other = weft.compile(
        texts={"o.sv": "module o(input clk, output reg q); always @(posedge clk) q <= !q; endmodule"},
        engine="reference",
        cache=False,
    )
    other.save(path)
    with pytest.raises(UserError, match="another design"):
        sim.load(path)
    with pytest.raises(UserError, match="cannot-write"):
        sim.save(tmp_path / "no" / "folder.weft")


def test_errors(sim):
    with pytest.raises(UserError, match="did you mean 'irq'"):
        sim.peek("irk")
    with pytest.raises(UserError, match=r"did you mean 'u\.mem'"):
        sim.peek("u.men")
    with pytest.raises(UserError, match="value-range"):
        sim.poke("k", 16)
    with pytest.raises(UserError, match="value-range"):
        sim.poke("k", "00011")
    with pytest.raises(UserError, match="read-only"):
        sim.poke("irq", 1)
    with pytest.raises(UserError, match="read-only"):
        sim.poke("u.rst", 1)


def test_hierarchy_and_drivers(sim):
    (top,) = sim.hierarchy()
    assert [(depth, node.path, node.module) for depth, node in top.walk()] == [(0, "top", "top"), (1, "top.u", "sub")]
    assert ("mem", 8, 16) in top.children[0].signals
    (driver,) = sim.drivers("u.q")
    assert driver.what == "always_ff @(posedge clk)" and driver.where.startswith("top.sv:8:")
    assert [driver.what for driver in sim.drivers("q")] == ["output 'q' of instance 'u'"]
    assert sim.drivers("irq")[0].text == "assign irq = q == 8'd60;"


def test_four_state_values():
    sim = weft.compile(texts={"top.sv": SOURCE}, engine="cpu", four_state=True, cache=False)
    assert str(sim.peek("q")) == "xxxxxxxx" and isinstance(sim.peek("q"), LogicArray)
    assert sim.peek("irq") == Logic("x") and str(sim.peek("s")) == "zzzz"
    sim.poke("s", "01x0")
    assert str(sim.peek("t")) == "xxxxx"
    sim.poke("rst", Logic("1"))
    assert sim.run_until("q === 0", max_cycles=5).value == "condition"
    assert sim.peek("up")[0] == 1 and sim.peek("irq") == 0


def test_ambiguous_clock():
    text = "module t(input a, b, output reg p, q); always @(posedge a) p <= !p; always @(posedge b) q <= !q; endmodule"
    sim = weft.compile(texts={"t.sv": text}, engine="reference", cache=False)
    with pytest.raises(UserError, match=r"--clock a,b .*ambiguous-clock"):
        sim.run_cycles(1)
    sim = weft.compile(texts={"t.sv": text}, engine="reference", cache=False, clock={"a": "10ns", "b": "4ns"})
    sim.run_cycles(2)
    assert (sim.peek("p"), sim.peek("q"), sim.time_fs) == (0, 1, 20 * 10**6)
    with pytest.raises(UserError, match="bad-option"):
        weft.compile(texts={"t.sv": text}, engine="reference", cache=False, clock="p")


def test_poked_clocks():
    sim = weft.compile(texts={"top.sv": SOURCE}, engine="cpu", cache=False, clock={})
    for level in (1, 0, 1, 0):
        sim.poke("clk", level)
        sim.step()
    assert sim.peek("q") == 12 and sim.run_until("1us").value == "time" and sim.peek("q") == 12


def test_x_initial():
    text = """module t(input clk, output reg [7:0] q);
      reg [7:0] m [0:9];
      always @(posedge clk) begin q <= m[q]; m[q] <= 1; end
    endmodule"""
    values = {}
    for wish in ("0", "1", "random:1", "random:2", "random:1"):
        sim = weft.compile(texts={"t.sv": text}, engine="reference", cache=False, x_initial=wish)
        values.setdefault(wish, []).append((sim.peek("q"), sim.memory("m").value.tolist()))
    assert values["0"] == [(0, [0] * 10)] and values["1"] == [(255, [255] * 10)]
    assert values["random:1"][0] == values["random:1"][1] != values["random:2"][0]
    with pytest.raises(UserError, match="bad-option"):
        weft.compile(texts={"t.sv": text}, x_initial="2")


@pytest.mark.parametrize("four_state", [False, True])
def test_latch_begins_with_its_initialiser(four_state):
    source = """
    module top(input logic en, input logic [3:0] d, output logic [7:0] q);
      logic [7:0] held = 8'h5a;
      always_latch begin
        if (en) held[7:4] = d;
        if (!en) held[3:0] = 4'h6;
      end
      assign q = held;
    endmodule"""
    with weft.compile(texts={"top.sv": source}, four_state=four_state, cache=False) as sim:
        sim.poke("en", 0)
        sim.poke("d", 3)
        assert sim.peek("q") == 0x56
        sim.poke("en", 1)
        assert sim.peek("q") == 0x36
        sim.poke("en", 0)
        sim.poke("d", 4)
        assert sim.peek("q") == 0x36


@pytest.mark.parametrize("named", [(), ("top.u.q", "top.irq", "top.d", "top.u.rst")])
@pytest.mark.parametrize("four_state", [False, True])
@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_force(engine, four_state, named):
    """A forced variable holds and keeps the value when released; a net goes back to what drives it (10.6.2)."""
    sim = weft.compile(texts={"top.sv": SOURCE}, engine=engine, four_state=four_state, cache=False, forceable=named)
    sim.poke("rst", 1)
    sim.run_cycles(2)
    sim.poke("rst", 0)
    seen = []
    sim.watch("irq", lambda value: seen.append(int(value)))
    handle, irq = sim["u.q"], sim["irq"]
    sim.run_cycles(2)
    sim.force("u.q", 60)
    assert (handle.value, sim.peek("q"), irq.value, sim.cycle, seen) == (60, 60, 1, 4, [1])
    sim.run_cycles(3)
    assert handle.value == 60
    sim.release("u.q")
    assert handle.value == 60 and sim.peek("q") == 60
    sim.run_cycles(1)
    assert (handle.value, irq.value) == (66, 0)
    irq.force(1)
    sim.run_cycles(1)
    assert irq.value == 1
    irq.release()
    assert irq.value == 0
    sim.force("d", 100)
    sim.run_cycles(1)
    assert sim.peek("q") == 172 and sim.peek("u.d") == 100
    sim.release("d")
    sim.release("d")
    assert sim.peek("d") == 6
    sim["u.rst"].force(1)
    sim.run_cycles(1)
    assert sim.peek("u.q") == 0
    sim.release("u.rst")
    assert sim.cycle == 11
    with pytest.raises(UserError, match="value-range"):
        sim.force("irq", 2)


@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_interrupt(engine):
    """Ctrl-C ends a run at a settled time; the simulation goes on from there."""
    sim = weft.compile(texts={"top.sv": SOURCE}, engine=engine, cache=False)
    sim.poke("rst", 1)
    sim.run_cycles(1)
    sim.poke("rst", 0)
    number = sim.watch("irq", lambda value: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        sim.run_until("1s")
    assert sim.peek("q") == 60 and sim.time_fs == 105 * 10**6
    sim.unwatch(number)
    sim.run_cycles(1)
    assert sim.peek("q") == 66 and sim.cycle == 11


def test_stop_from_another_thread():
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    threading.Timer(0.05, sim.stop).start()
    assert sim.run_until("1000s").value == "stop"
    assert sim.run_cycles(1).value == "time"


def test_stop_from_a_callback():
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    sim.watch("irq", lambda value: sim.stop())
    assert sim.run_until("1s").value == "stop" and sim.peek("irq") == 1


def test_oscillation():
    text = "module t(input go, output y); wire a; assign a = go & ~a; assign y = a; endmodule"
    sim = weft.compile(texts={"t.sv": text}, cache=False, loops="iterate")
    sim.poke("go", 1)
    with pytest.raises(UserError, match="no-convergence"):
        sim.peek("y")
    with pytest.raises(UserError, match="combinational-loop"):
        weft.compile(texts={"t.sv": text}, cache=False)


def test_trace(tmp_path):
    """Pokes and cycles are both seen; a trace that cannot be written is one error."""
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    with sim.trace(tmp_path / "o.vcd", signals=["u.*", "k"], depth=2):
        sim.poke("k", 9)
        sim.run_cycles(3)
        with pytest.raises(weft.Unsupported, match="trace is open"):
            sim.force("u.q", 1)
    sim.run_cycles(3)
    text = (tmp_path / "o.vcd").read_text()
    assert text.rstrip().endswith("#30") and "b1001 " in text and "irq" not in text
    for path in (tmp_path / "no" / "o.fst", tmp_path / "o.png"):
        with pytest.raises(UserError, match=r"cannot-write|bad-option"), sim.trace(path):
            pass
    with pytest.raises(UserError), sim.trace(tmp_path / "o.fst", signals="nothing.*"):
        pass
