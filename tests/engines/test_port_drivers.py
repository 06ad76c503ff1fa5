"""What `$dumpports` writes of real designs: who drives a port, and how strongly (IEEE 1800-2023 21.7.4.3)."""

from __future__ import annotations

from pathlib import Path

from tests.engines.test_event_nets import run_text


def dumped(tmp_path: Path, text: str) -> dict[str, list[str]]:
    """Run a program that dumps ports; return, for each time, the lines of its ports."""
    path = tmp_path / "ports.evcd"
    run_text(tmp_path, text.replace("FILE", f'"{path}"'))
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            found[line] = []
        elif line.startswith("p"):
            found[next(reversed(found))].append(line)
    return found


def test_both_sides_of_inout_ports(tmp_path: Path) -> None:
    """Drive bits of a port from both sides with equal and other strengths, and let go of them."""
    text = """module pad(inout [2:0] io, input i, input oe);
        assign io[0] = oe ? i : 1'bz; assign (weak0, weak1) io[1] = i; bufif1 (io[2], i, oe); endmodule
      module t; wire [2:0] b; reg i = 0, oe = 0, w = 1'bz; reg [2:0] r = 3'bz;
        pad p(b, i, oe); pullup (b[0]); assign b = r; assign (weak0, weak1) b[1] = w;
        initial begin $dumpports(p, FILE); #1 oe = 1; #1 i = 1; #1 r = 3'b111; #1 r = 3'b000; #1 r = 3'bz; w = 0;
          #1 w = 1; #1 i = 1'bx; #1 i = 0; r = 0; #1 oe = 0; #1 w = 0; #1 force p.io[2] = 1; #1 $finish(0); end
      endmodule"""
    assert dumped(tmp_path, text) == {
        "#0": ["pfLU 030 005 <0", "pD 6 0 <1", "pD 6 0 <2"],
        "#1": ["pU 0 6 <2", "pLLB 636 005 <0"],
        "#2": ["pU 0 6 <1", "pHH1 000 636 <0"],
        "#3": ["p1u1 000 666 <0"],
        "#4": ["pAdA 666 606 <0"],
        "#5": ["pHA1 030 636 <0"],
        "#6": ["pH11 000 636 <0"],
        "#7": ["pN 6 6 <1", "pXbb 636 636 <0"],
        "#8": ["pD 6 0 <1", "p0d0 666 000 <0"],
        "#9": ["pD 6 0 <2", "pDdd 666 000 <0"],
        "#11": ["pUdd 066 600 <0"],
    }


def test_switches_variables_and_kinds_of_nets(tmp_path: Path) -> None:
    """Count a switch where it is, with what is behind it, a variable, and a net that pulls itself."""
    text = """module m(inout a, input c, output reg q, input tri1 u, output [1:0] n, inout o);
        tranif1 (a, n[0], c); rtran (a, o); assign n[0] = 0; always @(c) q = c; endmodule
      module t; reg c = 0, d = 1'bz, e = 1'bz; wire a, q, o; wire [3:0] n; m m(a, c, q, , n[2:1], o);
        wire far; tran (o, far); assign (weak0, weak1) far = e; assign n[2] = d; assign a = d;
        initial begin $dumpports(m, FILE); #1 c = 1; #1 d = 1; #1 d = 1'bz; c = 0; #1 e = 0; #1 c = 1'bx;
          #1 $finish(0); end endmodule"""
    assert dumped(tmp_path, text) == {
        "#0": ["pf 0 0 <0", "pD 6 0 <1", "pX 6 6 <2", "pH 0 5 <3", "pZL 06 00 <4", "pf 0 0 <5"],
        "#1": ["pU 0 6 <1", "pH 0 6 <2", "pL 5 0 <5", "pL 6 0 <0"],
        "#2": ["pUX 06 66 <4", "pB 6 6 <0", "pX 5 5 <5"],
        "#3": ["pD 6 0 <1", "pZL 06 00 <4", "pf 0 0 <0", "pL 6 0 <2", "pf 0 0 <5"],
        "#4": ["pL 2 0 <0", "pD 3 0 <5"],
        "#5": ["pN 6 6 <1", "pX 6 6 <2", "pZl 06 00 <4", "pa 5 0 <5", "pl 6 0 <0"],
    }


def test_a_driver_that_changes_nothing_is_written(tmp_path: Path) -> None:
    """Write a port when a second driver joins, leaves or takes over, in two files at a time."""
    text = """module m(inout a); reg d = 1'bz; assign a = d; endmodule
      module u(inout p); m m(p); endmodule
      module t; wire [1:0] a; reg d = 1'b1, e = 1'bz; u u(a[1]); assign a[1] = d; assign a[1] = e;
        initial begin $dumpports(u.m, FILE); $dumpports(u, "OTHER"); #1 e = 1; #1 u.m.d = 1; #1 e = 1'bz; d = 1'bz;
          #1 u.m.d = 1'bz; d = 1; #1 u.m.d = 1; #0 u.m.d = 1'bz; #1 $finish(0); end endmodule"""
    other = tmp_path / "other.evcd"
    found = dumped(tmp_path, text.replace("OTHER", str(other)))
    assert found == {
        "#0": ["pU 0 6 <0"], "#1": ["pu 0 6 <0"], "#2": ["p1 0 6 <0"], "#3": ["pH 0 6 <0"], "#4": ["pU 0 6 <0"],
    }  # fmt: skip
    lines = [line for line in other.read_text().splitlines() if line.startswith("p")]
    assert lines == [line for lines in found.values() for line in lines]


def test_ports_that_are_variables_or_expressions(tmp_path: Path) -> None:
    """Take a variable outside of an input, and what an expression or constant drives, for drivers outside."""
    text = """module m(input [2:0] i, input k, output logic [1:0] v, output w, input x, output y);
        assign w = i[0]; always_comb v = i; endmodule
      module t; logic [2:0] r = 3'b01x; logic [1:0] v; m m(r, 1'b1, v, , r[1] & 1'b1, );
        initial begin $dumpports(m, FILE); #1 r = 3'b1z0; #1 $finish(0); end endmodule"""
    assert dumped(tmp_path, text) == {
        "#0": ["pDUN 606 066 <0", "pU 0 6 <1", "pHX 06 66 <2", "pX 6 6 <3", "pU 0 6 <4", "pF 0 0 <5"],
        "#1": ["pUZD 006 600 <0", "pN 6 6 <4", "pL 6 0 <3", "pTL 06 00 <2"],
    }


def test_joined_drivers_are_counted(tmp_path: Path) -> None:
    """Count the drivers of a bit on both sides of a port."""
    text = """module u(inout p); integer f, d, z, o, x, m; assign (pull0, pull1) p = 0; assign p = 1'b1;
        initial begin #1 m = $countdrivers(p, f, d, z, o, x); $display("%0d %0d %0d %0d %0d %0d", m, f, d, z, o, x); end
      endmodule
      module t; wire [3:0] a; u u(a[2]); assign (weak0, weak1) a[2] = 1'bx; assign a[2] = 1'bz; endmodule"""
    assert run_text(tmp_path, text) == ["1 0 3 1 1 1"]
