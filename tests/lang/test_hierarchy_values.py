"""Designs whose hierarchy is the point, run to the values that the standard gives them."""

import pytest

import weft


def run(text: str, inputs: dict[str, int], cycles: int = 0) -> weft.Simulation:
    simulation = weft.compile(texts={"t.sv": text}, top="top", cache=False)
    for name, value in inputs.items():
        simulation.poke(name, value)
    if cycles:
        simulation.run_cycles(cycles)
    return simulation


BUS = """
interface bus(input clk);
  logic valid, ready; logic [3:0] data; int count = 0;
  modport source(output valid, data, input ready, import send);
  modport sink(input valid, data, output ready);
  modport low(output .part(data[1:0])), high(output .part(data[3:2]));
  function automatic logic send(logic x); valid = x; return x & ready; endfunction
  always_ff @(posedge clk) if (valid & ready) count <= count + 1;
endinterface
module producer(bus.source b, input c, output logic sent);
  assign b.data = c ? 5 : 2;
  always_comb sent = b.send(c);
endmodule
module consumer(bus.sink b); assign b.ready = b.valid & b.data[0]; endmodule
module forward(bus b[2]); consumer c0(b[0]); consumer c1(b[1].sink); endmodule
module half_low(bus.low b); assign b.part = 2'b01; endmodule
module half_high(bus.high b); assign b.part = 2'b10; endmodule
module top(input clk, c, output [1:0] sent, output [3:0] joined, output int counts[2]);
  bus b[2](clk);
  producer p0(b[0], c, sent[0]), p1(b[1], ~c, sent[1]);
  forward f(b);
  bus halves(clk);
  half_low l(halves); half_high h(halves);
  assign joined = halves.data;
  assign counts = '{b[0].count, b[1].count};
endmodule
"""


def test_interfaces_carry_values_both_ways():
    simulation = run(BUS, {"c": 1}, 3)
    assert simulation.peek("sent") == 0b01
    assert simulation.peek("joined") == 0b1001
    assert (simulation.peek("b[0].count"), simulation.peek("b[1].count")) == (3, 0)
    assert simulation.peek("counts") == 3
    simulation.poke("c", 0)
    simulation.run_cycles(2)
    assert simulation.peek("sent") == 0b10
    assert (simulation.peek("b[0].count"), simulation.peek("b[1].count")) == (3, 2)


REFERENCES = """
package p; int total = 100; function automatic void add(int x); total = total + x; endfunction endpackage
module leaf(input clk); logic [7:0] n = 0; always_ff @(posedge clk) n <= n + holder.STEP + top.bias; endmodule
module holder #(STEP = 1)(input clk); leaf l(clk); endmodule
module top(input clk, input [7:0] bias, output [7:0] a, b, output int sum);
  holder #(1) h1(clk); holder #(10) h10(clk);
  assign a = h1.l.n, b = h10.l.n;
  always_ff @(posedge clk) p::add(h1.l.n);
  assign sum = p::total;
endmodule
"""


def test_hierarchical_references_and_package_variables():
    simulation = run(REFERENCES, {"bias": 2}, 4)
    assert (simulation.peek("a"), simulation.peek("b")) == (12, 48)
    assert simulation.peek("sum") == 100 + 0 + 3 + 6 + 9


PORTS = """
typedef struct { logic [3:0] a; logic [1:0] c[2]; } st;
module swap(input st x, output st y); assign y.a = ~x.a; assign y.c = '{x.c[1], x.c[0]}; endmodule
module listed(a, .b(q[2:1]), {c, e}, .o({q[0], q[3]}));
  input [3:0] a; output [3:0] q; input c; input [1:0] e;
  assign q = a ^ {c, e, 1'b0};
endmodule
module turned(input [3:0] i[3], output [3:0] o[3]); assign o[0] = i[0], o[1] = i[1], o[2] = ~i[2]; endmodule
module narrow(output logic signed [3:0] y); assign y = -4'sd3; endmodule
module top(input [3:0] a, input [1:0] d, output [7:0] flat, output [1:0] b, o, output [11:0] t, output [7:0] wide);
  st x, y; swap s(x, y);
  assign x.a = a, x.c = '{d, ~d};
  assign flat = {y.a, y.c[0], y.c[1]};
  listed l(a, b, {d, 1'b1}, o);
  logic [3:0] i[2:0], r[2:0]; turned u(i, r);
  assign i = '{4'd1, a, 4'd7};
  assign t = {r[2], r[1], r[0]};
  narrow n(wide);
endmodule
"""


def test_ports_of_every_kind():
    simulation = run(PORTS, {"a": 0b1010, "d": 0b01})
    assert simulation.peek("flat") == 0b0101_10_01
    q = 0b1010 ^ 0b0110
    assert simulation.peek("b") == q >> 1 & 3
    assert simulation.peek("o") == (q & 1) << 1 | q >> 3
    assert simulation.peek("t") == 0x1_A_8
    assert simulation.peek("wide") == 0xFD


GATES = """
module top(input a, b, c, input [3:0] v, output [5:0] y, output [3:0] n, output z);
  and (y[0], a, b, c); nand (y[1], a, b); or (y[2], a, b); nor (y[3], a, b); xor (y[4], a, b, c); xnor (y[5], a, b);
  not inverters[3:0](n, v);
  bufif1 (z, b, a); notif0 (z, c, a);
endmodule
"""


@pytest.mark.parametrize("value", range(8))
def test_gates(value: int):
    a, b, c = value & 1, value >> 1 & 1, value >> 2
    simulation = run(GATES, {"a": a, "b": b, "c": c, "v": value})
    bits = [a & b & c, 1 - (a & b), a | b, 1 - (a | b), a ^ b ^ c, 1 - (a ^ b)]
    assert simulation.peek("y") == sum(bit << i for i, bit in enumerate(bits))
    assert simulation.peek("n") == ~value & 15
    assert simulation.peek("z") == (b if a else 1 - c)


GENERATED = """
module cell_(input [7:0] a, output [7:0] y); parameter N = 1; assign y = a + N; endmodule
module top(input [7:0] a, output [7:0] y, z);
  wire [7:0] chain[5];
  assign chain[0] = a;
  for (genvar i = 0; i < 4; i++) begin : stage
    if (i % 2) begin : odd cell_ c(chain[i], chain[i + 1]); defparam c.N = 10; end
    else begin : even cell_ #(.N(i)) c(chain[i], chain[i + 1]); end
  end
  assign y = chain[4];
  assign z = stage[1].odd.c.y + stage[2].even.c.N;
endmodule
"""


def test_generated_hierarchy_and_defparam():
    simulation = run(GENERATED, {"a": 3})
    assert simulation.peek("y") == 3 + 0 + 10 + 2 + 10
    assert simulation.peek("z") == 13 + 2
