"""What people do with a simulation works inside parts that share their code: looking, forcing, traces, checkpoints."""

from collections.abc import Iterator
from random import Random

import pytest

import weft

SOURCE = """
module engine #(parameter WIDTH = 16) (
  input clk, input reset, input gate, input [3:0] id, input [WIDTH-1:0] data, input ready,
  output logic [WIDTH-1:0] out, output logic valid, output taken
);
  logic [WIDTH-1:0] memory [0:7];
  logic [2:0] head, tail;
  logic [299:0] wide;
  logic [WIDTH-1:0] held;
  logic open;
  wire go = data[0] ^ out[3];
  assign taken = go && (ready || !valid);
  always_latch if (!clk) open = gate | id[0];
  wire gated = clk & open;
  always @(posedge gated) held <= held + data;
  always @(posedge clk)
    if (reset) begin
      head <= 0; tail <= 0; out <= id; valid <= 0; wide <= 300'(id);
    end else begin
      wide <= {wide[283:0], data} ^ (wide >> 7);
      if (go) begin
        memory[head] <= data ^ held;
        head <= head + 1'b1;
        if (head == 7) $display("engine %0d is full: %h", id, data);
      end
      valid <= head != tail;
      if (head != tail && ready) begin
        out <= memory[tail] + wide[299:284];
        tail <= tail + 1'b1;
      end
    end
endmodule

module top (input clk, input reset, input [7:0] gates, input [15:0] data, output logic [15:0] out, output [7:0] taken);
  wire [15:0] values [0:8];
  wire [8:0] valid;
  assign values[0] = data, out = values[8];
  for (genvar i = 0; i < 8; i++) begin : engines
    engine engine (.clk, .reset, .gate(gates[i]), .id(4'(i)), .data(values[i]), .ready(taken[(i + 1) % 8] | i == 7),
                   .out(values[i + 1]), .valid(valid[i]), .taken(taken[i]));
  end
endmodule
"""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.ir.find_repeats.LEAST_SAVED", 8)
    monkeypatch.setattr("weft.engines.cpu.share_code.LEAST_SAVED", 10)
    monkeypatch.setattr("weft.engines.cpu.share_code.LEAST_SHARE", 1)


def simulations(source: str = SOURCE, **options: object) -> Iterator[weft.Simulation]:
    for engine in ("reference", "cpu"):
        for background in (True, False):
            if engine == "cpu" or background:
                with weft.compile(
                    texts={"top.sv": source}, top="top", engine=engine, cache=False, background=background, **options
                ) as sim:
                    yield sim


def drive(sim: weft.Simulation, cycles: int, seed: int = 1) -> Iterator[int]:
    random = Random(seed)
    for cycle in range(cycles):
        sim.poke("reset", int(cycle < 2))
        sim.poke("data", random.getrandbits(16))
        sim.poke("gates", random.getrandbits(8))
        sim.run_cycles(1)
        yield cycle


def test_code_is_shared():
    from weft.engines.cpu.emit_step import StepEmitter
    from weft.ir.layout import place_state

    with weft.compile(texts={"top.sv": SOURCE}, top="top", cache=False) as sim:
        graph = sim.design.graph
    emitter = StepEmitter(graph, place_state(graph.states))
    assert [len(repeat.parts) for repeat in emitter.repeats] == [8]
    assert "kernel0_all" in emitter.first().texts[0] and "kernel0_all" in emitter.general().texts[0]


@pytest.mark.parametrize("four_state", [False, True])
def test_all_signals_are_the_same(four_state: bool):
    seen: list[list[str]] = []
    for sim in simulations(four_state=four_state):
        values: list[str] = []
        for _ in drive(sim, 60):
            for name in ("out", "taken", "wide"):
                values += [str(sim.peek(f"engines[{i}].engine.{name}")) for i in range(8)]
            values += [str(sim.peek(f"engines[{i}].engine.held")) for i in range(8)]
            values.append(str([int(v) for v in sim.memory("engines[5].engine.memory")[:]] if not four_state else ""))
        seen.append(values)
    assert seen[1] == seen[0] and seen[2] == seen[0]


def test_parts_draw_one_after_the_other():
    source = SOURCE.replace("held + data;", "held + data + $random;").replace("data ^ held;", "data ^ $random % 99;")
    source = source.replace("wide <= {wide[283:0], data}", "wide <= {wide[283:0], 16'($urandom)}")
    seen: list[list[str]] = []
    for sim in simulations(source):
        values: list[str] = []
        for _ in drive(sim, 60):
            values += [
                str(sim.peek(f"engines[{i}].engine.{name}")) for i in range(8) for name in ("out", "held", "wide")
            ]
        seen.append(values)
    assert seen[1] == seen[0] and seen[2] == seen[0] and len(set(seen[0])) > 100


def test_messages_come_in_the_same_order():
    found: list[bytes] = []
    printed: list[bytes] = []
    for sim in simulations(output=printed.append):
        for _ in drive(sim, 80):
            pass
        found.append(b"".join(printed))
        printed.clear()
    assert found[1] == found[0] and found[2] == found[0] and found[0].count(b"is full") > 8


def test_forces_inside_one_part():
    found: list[list[int]] = []
    for sim in simulations(forceable=["top.engines[3].engine.go", "top.engines[6].engine.out"]):
        values: list[int] = []
        for cycle in drive(sim, 60):
            if cycle == 10:
                sim.force("engines[3].engine.go", 1)
                sim.force("engines[6].engine.out", 77)
            if cycle == 40:
                sim.release("engines[3].engine.go")
                sim.release("engines[6].engine.out")
            values += [int(sim.peek("out")), int(sim.peek("taken")), int(sim.peek("engines[3].engine.head"))]
        found.append(values)
    assert found[1] == found[0] and found[2] == found[0]


def test_checkpoints_and_deposits():
    found: list[list[int]] = []
    for sim in simulations():
        for _ in drive(sim, 30):
            pass
        point = sim.checkpoint()
        first = [int(sim.peek("out")) for _ in drive(sim, 30, 2)]
        sim.restore(point)
        again = [int(sim.peek("out")) for _ in drive(sim, 30, 2)]
        assert first == again
        sim.memory("engines[2].engine.memory")[3] = 0x1234
        sim.poke("engines[4].engine.tail", 5)
        found.append(again + [int(sim.peek("out")) for _ in drive(sim, 30, 3)])
    assert found[1] == found[0] and found[2] == found[0]


def test_traces(tmp_path):
    found: list[str] = []
    for number, sim in enumerate(simulations()):
        with sim.trace(tmp_path / f"{number}.vcd"):
            for _ in drive(sim, 50):
                pass
        found.append((tmp_path / f"{number}.vcd").read_text().partition("$enddefinitions")[2])
    assert found[1] == found[0] and found[2] == found[0] and len(found[0]) > 10_000
