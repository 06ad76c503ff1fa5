"""Strengths through ports that are connected to parts of nets (IEEE 1800-2023 23.3.3, 28.11-28.15).

The oracle is the same program with each bit a net of its own, so that ports are connected to whole nets: that all
simulators have. `@a3` stands for bit 3 of a net, and `NETS(tri0, a)` declares it.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from tests.engines.test_event_nets import needs_icarus, run_icarus, run_text

from weft.engines.event.elaborate import elaborate
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions

CELLS = """
module drive(input d, input e, output wire q, inout io);
  assign (pull0, weak1) q = d;
  bufif1 (supply0, strong1) (io, d, e);
endmodule
module switch(input i, input c, inout x, inout y, output wire z);
  nmos (z, i, c); tranif1 (x, y, c); rtran (x, z); RESIST
endmodule
module middle(input a, output wire b, inout c, input e);
  drive d(a, e, b, c); switch s(.i(a), .c(e), .x(c), .y(b), .z());
  initial #3 forever #10 $display("%m %v %v %v", a, b, c);
endmodule
module keep(q, i); output q; input i; KEEP assign q = i; assign (pull0, pull1) q = 1;
  initial #3 forever #10 $display("%m %v %v", i, q);
endmodule
module t;
  NETS(wire, a) NETS(wire, b) NETS(tri1, c) NETS(LAST, w)
  reg [9:0] r; integer i;
  assign (weak0, weak1) @a0 = r[0]; assign (strong0, pull1) @a1 = r[1]; assign @a2 = r[2]; pullup (@a3);
  assign (weak0, supply1) @a3 = r[3]; assign (weak0, weak1) @b0 = r[4]; assign (strong0, pull1) @b1 = r[5];
  assign @b2 = r[6]; pulldown (@b3); assign @w0 = r[7]; assign @w0 = r[8]; assign @w1 = r[7];
  assign (pull0, pull1) @w1 = r[9];
  assign (pull0, pull1) @w2 = r[8];
  middle m0(@a0, @b1, @c2, r[9]); middle m1(@a1, @b0, @c1, r[8]); middle m2(@a3, @b3, @c0, @w1);
  switch s0(@a2, r[7], @b2, @c3, @w2); keep k0(@w3, @a1); keep k1(@b2, @b0); keep k2(@w0, @a2);
  initial begin
    for (i = 0; i < 200; i = i + 1) begin
      r = $random;
      STIMULUS
      #10 $display("%b: %v %v %v %v, %v %v %v %v", r, @a0, @a1, @a2, @a3, @b0, @b1, @b2, @b3);
      $display("%v %v %v %v, %v %v %v %v", @c0, @c1, @c2, @c3, @w0, @w1, @w2, @w3);
    end
    $finish(0);
  end
endmodule"""
ALL_VALUES = "if (i % 3 == 0) begin r[i % 10] = 1'bz; r[(i / 5) % 10] = 1'bx; r[(i / 7) % 10] = 1'bz; end"
DATA_ALONE = "r[i % 7] = 1'bz; if (i % 3 == 0) r[(i / 7) % 7] = 1'bz;"


def parts(text: str) -> str:
    """Return a program whose ports are connected to bits of vectors."""
    return re.sub(r"@(\w)(\d)", r"\1[\2]", re.sub(r"NETS\((\w+), (\w)\)", r"\1 [3:0] \2;", text))


def wholes(text: str) -> str:
    """Return a program whose ports are connected to whole nets."""
    text = re.sub(r"NETS\((\w+), (\w)\)", lambda m: "".join(f"{m[1]} {m[2]}_{bit}; " for bit in range(4)), text)
    return re.sub(r"@(\w)(\d)", r"\1_\2", text)


@pytest.mark.parametrize("kind", ["wire", "wor", "wand", "tri0"])
def test_parts_of_nets_have_the_strengths_that_whole_nets_have(kind: str, tmp_path: Path) -> None:
    """Drive nets of several kinds from inside and outside, through switches and two levels of ports."""
    text = CELLS.replace("RESIST", "wire m; rnmos (m, i, c);").replace("KEEP", "wand q; tri0 i;")
    text = text.replace("LAST", kind).replace("STIMULUS", ALL_VALUES)
    assert run_text(tmp_path, parts(text)) == run_text(tmp_path, wholes(text))


@needs_icarus
def test_parts_of_nets_have_the_strengths_that_whole_nets_have_in_icarus(tmp_path: Path) -> None:
    """Compare with what Icarus Verilog has for whole nets, as it loses strengths of parts."""
    text = CELLS.replace("RESIST", "").replace("KEEP", "").replace("LAST", "wire").replace("STIMULUS", DATA_ALONE)
    source = tmp_path / "whole.v"
    source.write_text(wholes(text))
    assert run_text(tmp_path, parts(text))[:-1] == run_icarus(source, tmp_path)[:-1]


WIRES, WIRED = ("wire", "tri"), ("wand", "triand", "wor", "trior")
DOMINATES = {
    # The net inside, those outside that take its kind; else the kind outside is that of both.
    **dict.fromkeys(WIRES, ()),
    **dict.fromkeys((*WIRED, "trireg"), WIRES),
    **dict.fromkeys(("tri0", "tri1"), (*WIRES, "trireg")),
    **dict.fromkeys(("supply0", "supply1"), (*WIRES, *WIRED, "trireg", "tri0", "tri1")),
}


@pytest.mark.parametrize("direction", ["input", "output", "inout"])
def test_nets_of_different_kinds_are_of_the_dominating_one(direction: str, tmp_path: Path) -> None:
    """Give both sides of a port the kind that IEEE 1800-2023 table 23-1 has, for whole nets and for parts."""
    modules = "".join(
        f"module u_{kind}(p, d); input d; {direction} p; {kind} p; assign p = d; endmodule " for kind in DOMINATES
    )
    declared = shows = ""
    for number, (inside, outside) in enumerate(product(DOMINATES, DOMINATES)):
        kind = inside if outside in DOMINATES[inside] else outside
        declared += f"""{outside} a{number}; u_{inside} ua{number}(a{number}, d); assign a{number} = e;
          {outside} [1:0] b{number}; u_{inside} ub{number}(b{number}[1], d); assign b{number}[1] = e;
          {kind} c{number}; assign c{number} = d; assign c{number} = e;\n"""
        names = f"a{number}, ua{number}.p, b{number}[1], ub{number}.p, c{number}"
        shows += f'$display("%0d {inside} {outside} %v %v %v %v %v", i, {names});\n'
    text = f"""{modules} module t; reg d, e; integer i; {declared} initial for (i = 0; i < 16; i = i + 1) begin
      d = i[0] ? 1'bz : i[1]; e = i[2] ? 1'bz : i[3]; #1 {shows} end endmodule"""
    for line in run_text(tmp_path, text):
        assert len({*line.split()[3:]}) == 1, line


def test_what_is_no_net_is_assigned_beside_what_is(tmp_path: Path) -> None:
    """Connect a concatenation of bits of nets, variables and expressions, and elements of an array of nets."""
    text = """module p(input [4:0] i, output [5:0] o, input [1:0] u [0:1]);
        assign (pull0, weak1) o = i; pullup (i[4]); initial #1 $display("%v %v %v %v", i, o, u[0], u[1]);
      endmodule
      module t; wire [5:0] a, b; reg [3:0] r = 4'b0110; wire [1:0] n [0:3]; logic [1:0] v;
        assign (weak0, weak1) a = {2'b01, r}; assign (supply0, strong1) b[2] = 0; assign (pull0, weak1) b[5] = 0;
        assign (weak0, weak1) n[1] = r; assign n[2][0] = 1; pulldown (n[2][1]);
        p u({a[0], 1'b1, r[0], a[1] & a[2], b[5]}, {v, b[3:0]}, n[1:2]);
        initial #2 $display("%v %v %v %v %b", a, b, n[1], n[2], v); endmodule"""
    assert run_text(tmp_path, text) == [
        "Pu1_St1_St0_St1_Pu0 Pu0_We1_We1_Su0_We1_Pu0 We1_We0 Pu0_St1",
        "We0_We1_We0_We1_We1_Pu1 Pu0_HiZ_We1_Su0_We1_Pu0 We1_We0 Pu0_St1 01",
    ]


def test_nets_with_delays_follow_ports_with_strength(tmp_path: Path) -> None:
    """Pass strengths one way where a net delays its changes, and join the other bits."""
    text = """module p(i, o); input [1:0] i; output [1:0] o; wire [1:0] #3 o; pullup (i[1]);
        assign (weak0, weak1) o = i; endmodule
      module t; reg r = 0; wire #4 d; wire [2:0] n; assign (pull0, pull1) d = r; assign (weak0, weak1) n[0] = r;
        p u({n[0], d}, n[2:1]); pullup (n[2]); integer i;
        initial begin for (i = 0; i < 3; i = i + 1) begin #8 $display("%v %v %v %v", n, d, u.i, u.o); r = ~r; #1;
          for (int j = 0; j < 8; j++) begin #1 $write(" %v", n[1]); end $display; end $finish(0); end endmodule"""
    assert run_text(tmp_path, text) == [
        "Pu1_We0_Pu1 Pu0 Pu1_Pu0 We1_We0",
        " We0 We0 We0 We0 We0 We0 We1 We1",
        "Pu1_We1_Pu1 Pu1 Pu1_Pu1 We1_We1",
        " We1 We1 We1 We1 We1 We1 We0 We0",
        "Pu1_We0_Pu1 Pu0 Pu1_Pu0 We1_We0",
        " We0 We0 We0 We0 We0 We0 We1 We1",
    ]


def test_charge_is_kept_on_both_sides_of_a_port(tmp_path: Path) -> None:
    """Keep the charge of a `trireg` outside or inside, and lose it where the kind outside is another one."""
    text = """module p(i); input i; trireg (large) i; endmodule module q(input i); wire w; rtran (i, w); endmodule
      module t; reg d = 1; trireg (small) [1:0] a; wire [1:0] b; wand [1:0] c; assign a[1] = d; assign b[1] = d;
        assign c[1] = d; q qa(a[1]); p pb(b[1]); p pc(c[1]);
        initial begin repeat (2) begin #1 $display("%v %v %v, %v %v, %v %v", a[1], qa.i, qa.w, b[1], pb.i, c[1], pc.i);
          d = 1'bz; end end endmodule"""
    assert run_text(tmp_path, text) == ["St1 St1 Pu1, St1 St1, St1 St1", "Sm1 Sm1 Sm1, La1 La1, HiZ HiZ"]


@needs_icarus
def test_a_net_that_is_a_variable_stays_one_only_without_other_drivers(tmp_path: Path) -> None:
    """Pull up bits of a net, through ports, that an output variable drives whole."""
    source = tmp_path / "v.sv"
    source.write_text("""module src(output reg [3:0] q); initial begin q = 4'b1z0z; #10 q = 4'bz1z0; end endmodule
      module sink(input i, inout m); pullup (i); nmos(m, i, 1'b1); initial #15 $display("%v %v", i, m); endmodule
      module pass(input [3:0] x, output o); wire n; sink s(x[0], n); assign o = x[2]; endmodule
      module t; wire [3:0] a; reg [3:0] r = 4'bzz01; wire o, n; src s(a); sink u0(a[0], a[2]); sink u1(a[3], n);
        pass p(r, o); initial begin #5 $display("%b %v %b %v", a, a, s.q, p.x); #15 $display("%b %v %b", a, a, s.q);
        r = 4'b000z; #1 $display("%b %b %v", r, p.x, p.x); end endmodule""")
    assert run_text(tmp_path, source.read_text()) == run_icarus(source, tmp_path)


def test_connections_stay_assignments_where_no_strength_matters(tmp_path: Path) -> None:
    """Keep nets plain beside those that are pulled, as joined bits cost more."""
    source = tmp_path / "t.sv"
    source.write_text("""module p(input i, output o); assign o = ~i; endmodule
      module q(input i); pullup (i); endmodule
      module t; wire [7:0] a; wire [3:0] b; genvar k; assign a[0] = 1; q q(b[2]); p r(b[2], b[1]);
        for (k = 0; k < 7; k = k + 1) begin : g p u(a[k], a[k + 1]); end endmodule""")
    nets = elaborate(load_design([str(source)], FrontEndOptions())).nets.values()
    assert {f"{net.key[0].name}.{net.key[1].name}" for net in nets if net.graded} == {"q.i", "t.b"}
