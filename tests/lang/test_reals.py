"""Real numbers: where they may stand, and which operations the mixed ones become."""

from __future__ import annotations

from collections.abc import Callable

from tests.lang.compile_text import load, show

from weft.ir.design import Const, Delay, Real, Wait

REALS = """
`timescale 1ns / 1ps
module t;
  parameter real P = 1.5; localparam real TABLE [2] = '{0.5, 1.5};
  real r, a [3]; real start = 2; real pair [1:0] = '{1.5, 2.5}; shortreal s; realtime rt; time now;
  integer n; reg [3:0] v; wire [3:0] w = r; real rr; assign rr = r * 2;
  m #(.D(3.25)) inner (.a(r), .b(rb)); real rb;
  initial begin
    r = n * 1.5; n = r; r = v; s = r; a[1] = r + s; s = s * s; s = 0.1; v = P; r = -1.5e3; r = 1 / 3;
    if (r) n = 1; n = r < v; r = -r; r = r ** 2; r++; r += n; n += 1.5; n = !r || r && v; r = v ? r : n;
    r = a[n]; r = TABLE[n]; now = r; r = now; n = r inside {1, [2 : 3.5]};
    while (r) r -= 1; repeat (r) n = 1; repeat (n) n = 2;
    case (r) 1.0: n = 1; 2, 3: n = 2; default: n = 3; endcase
    case (r + 1) 1: n = 1; endcase
    r = f(n, r); g(n); g(r);
  end
  initial begin
    r = $itor(n); n = $rtoi(r); r = $bitstoreal(64'h0); now = $realtobits(r); s = $bitstoshortreal(n);
    r = $ln(n); r = $pow(2, n); n = $dist_normal(n, 1, 2); n = $realtime; rt = $realtime; n = 10ns; r = 10.5ns;
    $display("%f", r, 1.5, n, $realtime, r + 1); n = int'(r); r = real'(n);
    #1.5 n = 1; #(1:2:3) n = 1; #r n = 1; #(r + 1) n = 1; #2.0 n = 1;
  end
  function real f(input real x, input integer y); f = x * y; endfunction
  task g(output real x); x = 1; endtask
endmodule
module m #(parameter D = 1) (input real a, output real b); assign #D b = a + D; endmodule
"""


def test_reals(golden: Callable[[str, str], None]) -> None:
    golden("reals.txt", show(REALS))


def test_min_typ_max_delays() -> None:
    text = "module t; reg a; initial #(1:2:3) a = 1; endmodule"
    for choice, value in (("min", 1), ("typ", 2), ("max", 3)):
        (process,) = load(text, delays=choice).modules[0].processes
        assert isinstance(process.body, Wait)
        assert process.body.timing.value == Const(32, value)


def test_whole_real_delays_are_numbers() -> None:
    (process,) = load("module t; reg a; initial begin #2.0; #2.5; end endmodule").modules[0].processes
    whole, half = (wait.timing for wait in process.body.body)
    assert isinstance(whole, Delay) and whole.value == Const(64, 2) and not whole.real
    assert isinstance(half, Delay) and half.value == Real(2.5) and half.real


def test_a_net_of_reals_is_assigned_continuously() -> None:
    (module,) = load("module t; wire real a = 1.5, b [2]; assign b[1] = a; endmodule").modules
    assert [(signal.net, signal.type.kind) for signal in module.signals] == [("", "real"), ("", "real")]
    assert len(module.assigns) == 2
