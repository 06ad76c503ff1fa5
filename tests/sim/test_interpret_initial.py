"""Initial procedures: equality with Icarus on a tour of the language, and each thing that Icarus 11 cannot do."""

import shutil
import subprocess
import time
from decimal import Decimal

import pytest

import weft
from weft import Unsupported, UserError

TOUR = """
`timescale 1ns/1ps
module leaf #(parameter N = 3) (input [7:0] in, output reg [7:0] out);
  reg [7:0] m [0:N];
  integer j;
  initial begin
    for (j = 0; j <= N; j = j + 1) m[j] = j * j + N;
    $display("%m N=%0d m=%0d,%0d,%0d in=%d", N, m[0], m[1], m[N], in);
    out = m[1] ^ 8'h55;
  end
endmodule
module t;
  reg [7:0] a = 8'd7, b; reg [15:0] w; reg signed [7:0] s; integer i, k; reg [3:0] nib; reg x1; reg [99:0] big;
  reg [7:0] mem [0:255]; reg [31:0] rom [4:11]; reg [2:0][3:0] pk; reg [0:7] up; time tm;
  wire [7:0] la, lb;
  leaf #(3) u1(a, la); leaf #(5) u2(a + 8'd1, lb);
  function [7:0] fact(input [7:0] n); if (n <= 1) fact = 1; else fact = n * fact(n - 1); endfunction
  function automatic integer fib(input integer n); if (n < 2) fib = n; else fib = fib(n-1) + fib(n-2); endfunction
  task swap(inout [7:0] p, inout [7:0] q); reg [7:0] h; begin h = p; p = q; q = h; end endtask
  task automatic split(input [15:0] v, output [7:0] hi, output [7:0] lo); {hi, lo} = v; endtask
  initial begin
    b = 8'hA5; $display("a=%d b=%h %b", a, b, a + b);
    swap(a, b); $display("swap %h %h", a, b);
    split(16'hBEEF, a, b); $display("split %h %h", a, b);
    $display("fib %0d", fib(12));
    w = {a, b}; $display("%h %h %h", w[11:4], w[3 +: 4], w[15 -: 3]);
    w[7:4] = 4'h3; w[0] = 0; $display("%h", w);
    i = 5; w[i] = 1; w[i + 3 +: 4] = 4'b1001; $display("%h", w);
    s = -100; s = s - 50; $display("%d %d %d", s, s >>> 2, s / 7);
    $display("%0d %0d %0d", -7 / 2, -7 % 2, 7 % -2);
    for (i = 0; i < 256; i = i + 1) mem[i] = 255 - i;
    $display("%d %d", mem[3], mem[250]);
    mem[300] = 1; $display("oob %d %b", mem[300], mem[300]);
    case (b) 8'hEF: $display("ef"); default: $display("no"); endcase
    casez (b) 8'b1110????: $display("casez"); default: $display("no"); endcase
    casex (8'b1x0z1111) 8'b10001111: $display("casex"); default: $display("no"); endcase
    case (1'b1) b[0]: $display("b0"); b[1]: $display("b1"); endcase
    i = 0; while (i < 3) begin i = i + 1; if (i != 2) $write("i%0d ", i); end $display;
  end
  initial begin : named
    i = 0;
    begin : blk
      i = 7;
    end
    $display("left at %0d", i);
    repeat (3) i = i * 2; $display("rep %0d", i);
    i = i - 20;
    $display("do %0d", i);

    up = 8'b10000001; up[0] = 0; up[6] = 1; $display("%b %b %b", up, up[6:7], up[0]);
    pk = 12'hABC; pk[1] = 4'h5; $display("%h %h %h", pk, pk[2], pk[0][3:2]);
    big = {25{4'h9}}; big = big * 3; big[70 +: 8] = 8'hFF; $display("%h %0d", big, big);
    $display("%b %b %b", &b, |b, ^b);
    $display("%0d %0d", $clog2(100), $signed(4'b1001) * 2);
    nib = 4'b1x0z; $display("%b %b %b %b %b", nib, ~nib, nib & 4'b0110, nib | 4'b0110, nib ^ 4'b1111);
    $display("%b %b %b %b", nib == 4'b1100, nib === 4'b1x0z, nib + 1, nib[2] ? 4'b1010 : 4'b1001);
    $display("%b %b %b", !nib, nib && 0, nib || 0);
    if (nib[2]) $display("t"); else $display("f");
    x1 = 1'bx; $display("%b %b %b", x1 ? 8'hF0 : 8'hFF, {3{x1}}, nib >> 1);
    $display("%b %b", nib << x1, $isunknown(nib));
    b <= 8'h11; a <= b; rom[5] <= 32'hDEADBEEF;
    $display("nba %h", b);
    tm = 64'd5; $display("%t %0d", tm, $time);
    $strobe("strobe %h %h %h", a, b, rom[5]);
    $display("%s|%0s|%10s", "abc", "de", "fg");
    $display("rand %0d %0d", $random, $random);
    i = 9; $display("%0d %0d %0d", $dist_uniform(i, -7, 30), $dist_normal(i, 50, 20), $dist_exponential(i, 30));
    $display("%0d %0d %0d %0d", $dist_poisson(i, 12), $dist_t(i, 4), $dist_erlang(i, 3, s), i);
  end
endmodule
"""


def run(text, tmp_path=None, four_state=True, **options):
    """Return what a design prints at time 0, and the simulation."""
    printed = []
    sim = weft.compile(
        texts={"t.sv": text}, engine="reference", cache=False, four_state=four_state, output=printed.append, **options
    )
    return b"".join(printed).decode("latin-1"), sim


def said(body, declarations="", **options):
    text = f"module t;\n{declarations}\ninitial begin\n{body}\nend\nendmodule\n"
    return run(text, **options)[0]


@pytest.mark.peer
@pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus Verilog is not installed")
def test_same_as_icarus(tmp_path):
    (tmp_path / "t.sv").write_text(TOUR)
    subprocess.run(["iverilog", "-g2012", "-o", "t", "t.sv"], cwd=tmp_path, check=True, capture_output=True)
    expected = subprocess.run(["./t"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    got = run(TOUR, top="t")[0]
    assert got.splitlines() == expected.splitlines()


def test_two_state_tour_is_the_same_where_nothing_is_unknown():
    four, two = (run(TOUR, top="t", four_state=mode)[0].splitlines() for mode in (True, False))
    same = [a == b for a, b in zip(four, two, strict=True)]
    assert all("x" in line or "z" in line or "X" in line or agree for line, agree in zip(four, same, strict=True))


@pytest.mark.parametrize("four_state", [False, True])
def test_jumps(four_state):
    body = """
    for (int q = 0; q < 5; q++) begin if (q == 1) continue; if (q == 4) break; $write("q%0d ", q); end
    i = 56;
    do begin i = i - 10; if (i > 30) continue; if (i < 20) break; end while (i > 0);
    $write("do%0d ", i);
    begin : outer
      forever begin : inner
        i = i + 1;
        if (i % 2) disable inner;
        if (i > 20) disable outer;
        $write("e%0d ", i);
      end
    end
    $write("f%0d ", first(8'h18));
    """
    functions = """integer i;
    function automatic int first(input [7:0] v);
      for (int b = 0; b < 8; b++) if (v[b]) return b;
      return -1;
    endfunction"""
    assert said(body, functions, four_state=four_state) == "q0 q2 q3 do16 e18 e20 f3 "


def test_side_effects_in_expressions():
    body = """
    i = 3; j = i++ + 10; $write("%0d %0d ", i, j);
    if (i == 5 && bump(0)) $write("no "); $write("%0d ", i);
    if (i == 4 && bump(0)) $write("yes "); $write("%0d ", i);
    j = i == 5 ? bump(2) : bump(50); $write("%0d %0d ", i, j);
    while (bump(0) < 9) $write("w "); $write("%0d", i);
    """
    functions = """integer i, j;
    function int bump(input int by); i = i + 1 + by; return i; endfunction"""
    for four_state in (False, True):
        assert said(body, functions, four_state=four_state) == "4 13 4 yes 5 8 8 9"


@pytest.mark.parametrize("four_state", [False, True])
def test_clearing_a_memory_is_quick(four_state):
    start = time.perf_counter()
    _, sim = run(
        "module t(input clk, input [15:0] a, output reg [31:0] q); reg [31:0] m [0:65535]; integer i;"
        "initial for (i = 0; i < 65536; i = i + 1) m[i] = i * 3;"
        "always @(posedge clk) q <= m[a]; endmodule",
        four_state=four_state,
    )
    assert time.perf_counter() - start < 2
    assert sim.memory("m")[65535] == 65535 * 3


def test_memory_files(tmp_path, capfd):
    image = tmp_path / "m.hex"
    declarations = "reg [11:0] m [16:31]; reg [11:0] n [0:3]; integer i;"
    body = f'$readmemh("{image}", m); for (i = 16; i < 32; i = i + 1) $write("%h ", m[i]);'
    image.write_text("// a comment\n1_23 /* two\nlines */ xZ4\n@1a abc\ndef @1F 00f")
    words = ["123", "xz4", *["xxx"] * 8, "abc", "def", *["xxx"] * 3, "00f"]
    assert said(body, declarations).split() == words
    image.write_text("1 2 3 4")
    ranged = f'$readmemh("{image}", m, 20, 18); for (i = 17; i < 22; i = i + 1) $write("%h ", m[i]);'
    assert said(ranged, declarations).split() == ["xxx", "003", "002", "001", "xxx"]
    assert "more words" in capfd.readouterr().err
    image.write_text("1010 x1 1111_0000_1111 z")
    binary = f'$readmemb("{image}", n); for (i = 0; i < 4; i = i + 1) $write("%b ", n[i]);'
    assert said(binary, declarations).split() == ["000000001010", "0000000000x1", "111100001111", "00000000000z"]
    out = tmp_path / "out.hex"
    said(f'n[0] = 1; n[1] = 12\'hxab; n[2] = 3; n[3] = 4; $writememh("{out}", n);', declarations)
    assert out.read_text().splitlines() == ["// 0x00000000", "001", "xab", "003", "004"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12 3g", ":1: '3g' is no number"),
        ("12\n@zz 1", ":2: '@zz' is no address"),
        ("@99 1", "outside the memory"),
        ("1 /* open", "comment does not end"),
        ("1 -2", "is no number"),
    ],
)
def test_bad_memory_files(tmp_path, text, message):
    image = tmp_path / "m.hex"
    image.write_text(text)
    with pytest.raises(UserError, match="bad-memory-file") as error:
        said(f'$readmemh("{image}", m);', "reg [11:0] m [16:31];")
    assert message in str(error.value) and "t.sv:4:" in str(error.value)
    with pytest.raises(UserError, match="no-such-file"):
        said('$readmemh("no such file", m);', "reg [11:0] m [16:31];")


def test_plusargs():
    body = """
    if ($test$plusargs("tra")) $write("tra ");
    if ($test$plusargs("nothing")) $write("no ");
    if ($value$plusargs("N=%d", n)) $write("n%0d ", n);
    if ($value$plusargs("H=%h", n)) $write("h%0h ", n);
    if ($value$plusargs("S=%s", s)) $write("s%0s ", s);
    if (!$value$plusargs("M=%d", n)) $write("none");
    """
    options = {"plusargs": ["+trace", "N=42", "+H=beef", "S=hello"]}
    assert said(body, "integer n; reg [79:0] s;", **options) == "tra n42 hbeef shello none"


def test_random_sequences():
    """The first numbers of annex N's generator, and those of seeded ones."""
    body = """
    for (i = 0; i < 3; i = i + 1) $write("%0d ", $random);
    s = 42; $write("%0d ", $random(s)); $write("%0d ", s);
    """
    assert said(body, "integer i, s;").split() == [
        "303379748", "-1064739199", "-2071669239", "-2144582656", "2900899"
    ]  # fmt: skip


def test_files(tmp_path):
    path = tmp_path / "log.txt"
    body = f"""
    f = $fopen("{path}"); g = $fopen("{path}2", "w"); $fdisplay(f | 1, "both"); $fwrite(g, "%0d", 7);
    $fclose(f); $fdisplay(f, "closed"); $fclose(g); $write("%0d", $fopen("{tmp_path}/no/such/folder", "w"));
    """
    assert said(body, "integer f, g;") == ("both\nWARNING: t.sv:6: invalid MCD (0x2) given to $fdisplay().\n0")
    assert path.read_text() == "both\n" and (tmp_path / "log.txt2").read_text() == "7"


def test_finish_at_time_zero():
    printed, sim = run('module t(input clk); initial begin $display("a"); $finish(0); $display("b"); end endmodule')
    assert printed == "a\n" and sim.finished
    assert sim.run_until("1us").value == "finish" and sim.time_fs == 0
    printed, sim = run('module t(input clk); initial $fatal(1, "no"); endmodule')
    assert sim.finished and sim.errors == 1 and printed.startswith("FATAL: t.sv:1: no\n")


def test_monitor_and_strobe():
    text = """module t(input clk, input [3:0] d, output reg [3:0] q);
      initial q = 0;
      always @(posedge clk) q <= d;
      initial $monitor("%0t q=%0d", $time, q);
      initial begin $strobe("strobe q=%0d", q); q = 5; end
    endmodule"""
    printed = []
    sim = weft.compile(texts={"t.sv": text}, cache=False, output=printed.append)
    for value in (5, 3, 3, 9):
        sim.poke("d", value)
        sim.run_cycles(1)
    assert b"".join(printed).decode().splitlines() == ["strobe q=5", "0 q=5", "15 q=3", "35 q=9"]


def test_final_procedures(capfd):
    text = """module t(input clk); integer n = 0;
      always @(posedge clk) n <= n + 1;
      final $display("%0d cycles at %0t", n, $time);
    endmodule"""
    with weft.compile(texts={"t.sv": text}, cache=False) as sim:
        sim.run_cycles(7)
    assert capfd.readouterr().out == "7 cycles at 70\n"


def test_assertions_at_time_zero():
    body = 'assert (1 == 1); assert (1 == 2); assert (0) else $info("custom");'
    printed, sim = run(f"module t; initial begin {body} end endmodule")
    assert sim.errors == 1 and "ERROR: t.sv:1:" in printed and "INFO: t.sv:1: custom" in printed


@pytest.mark.parametrize(
    "body", ["#5 a = 1;", "@(a) a = 1;", "wait (a) a = 0;", "a = #3 1;", "fork a = 1; join", "forever #1 a = !a;"]
)
def test_time_needs_the_event_engine(body):
    with pytest.raises(Unsupported, match="event engine") as error:
        said(body, "reg a;")
    assert "t.sv:4:" in str(error.value) and "^" in str(error.value)


def test_computed_values_are_seen():
    """A net that an initial procedure reads follows what it has written."""
    text = """module sub(input [3:0] i, output [3:0] o); assign o = i + 1; endmodule
    module t; reg [3:0] a; wire [3:0] b; sub u(a, b);
    initial begin a = 3; $write("%0d ", b); a = 9; $write("%0d %0d", b, u.i); u.deep; end
    endmodule""".replace(" u.deep;", "")
    assert run(text, top="t")[0] == "4 10 9"


def test_initial_values_cause_no_edges():
    text = """module t(input go, output reg [3:0] n = 0); reg clk = 1; reg rst = 1; reg [3:0] m = 0;
      always @(posedge clk) n <= n + 1;
      always @(negedge rst or posedge go) m <= m + 1;
      initial begin clk = 0; clk = 1; end
    endmodule"""
    _, sim = run(text, four_state=False)
    assert sim.peek("n") == 0 and sim.peek("m") == 0


@pytest.mark.parametrize("four_state", [False, True])
def test_values_of_any_size(four_state):
    """Neither source text nor Python limits the digits of an integer."""
    body = """big = '1; part = big[19999:10]; big[5] = 0; big = ~big ^ {2{10000'h1}};
      $display("%0d %0d %0d", &part, big == (20000'h21 | 20000'h1 << 10000), big < part);
      $display("%0d", 20000'h1 << 16000);"""
    printed = said(body, "reg [19999:0] big; reg [19989:0] part;", four_state=four_state)
    assert printed.split() == ["1", "1", "1", format(Decimal(1 << 16000), "f")]


@pytest.mark.parametrize("engine", ["reference", "cpu"])
@pytest.mark.parametrize("four_state", [False, True])
def test_combinational_procedures_run_at_time_zero(engine, four_state):
    """IEEE 1800-2023 9.2.2.2.2: once, even if nothing that they read ever changes."""
    text = """module t(input [3:0] a);
      reg [3:0] r; initial r = 5;
      function void show; $display("r=%0d", r); endfunction
      always_comb show();
      always_comb $display("always");
      always_comb if (r == 4) $display("never");
      always_comb begin : check assert (r == 5); end
    endmodule"""
    printed = []
    sim = weft.compile(texts={"t.sv": text}, engine=engine, cache=False, four_state=four_state, output=printed.append)
    assert sorted(b"".join(printed).split()) == [b"always", b"r=5"] and not sim.errors


def test_parameters_that_are_strings():
    """One without a type is like the literal, a format too; of a vector's type, it is a number."""
    names = 'parameter S = "abc", F = "f=%0d.", V = {"x", S}; parameter [31:0] N = "four";'
    body = '$write(S,, V,, F, 7); $write(" %0d %h %5s", S, S, S); $write(" %0d %s ", N, N); $write(N);'
    assert said(body, names) == "abc xabc f=7. 6382179 616263   abc 1718580594 four 1718580594"


@pytest.mark.parametrize("four_state", [False, True])
def test_any_byte_in_strings(four_state):
    """Escapes make any byte, and UTF-8 stays as it is, in formats, arguments, parameters and vectors."""
    text = """module t(output [31:0] p, q);
      localparam S = "\\377\u00e9"; reg [23:0] r = "\\376\\001b"; reg [15:0] e = "\u00e9";
      initial begin $write("\\375\u00e9|"); $write(S); $write("|%s|%s|%s|%h|%h", "\\377", S, r, r, e); end
      assign p = "\\377\u00e9", q = "\u00e9";
    endmodule"""
    printed, sim = run(text, four_state=four_state)
    assert printed.encode("latin-1") == b"\xfd\xc3\xa9|\xff\xc3\xa9|\xff|\xff\xc3\xa9|\xfe\1b|fe0162|c3a9"
    assert (sim.peek("p"), sim.peek("q")) == (0xFFC3A9, 0xC3A9)


def test_dumpvars(tmp_path):
    """The design's own dump shows the scopes and levels that it asks for, until the simulation is closed."""
    text = """module sub(input clk, output reg r = 0); always @(posedge clk) r <= !r; endmodule
    module t(input clk, output reg [7:0] q = 0);
      wire r; sub u(clk, r);
      initial begin $dumpfile("PATH"); $dumpvars(ARGUMENTS); end
      always @(posedge clk) q <= q + 1;
    endmodule"""
    for arguments, names in (("", "clk q r"), ("1, t", "clk q r"), ("0, t.u", "clk r"), ("0, q", "q")):
        path = tmp_path / "d.vcd"
        with weft.compile(
            texts={"t.sv": text.replace("PATH", str(path)).replace("ARGUMENTS", arguments)}, cache=False, top="t"
        ) as sim:
            sim.run_cycles(4)
        dumped = path.read_text()
        found = {line.split()[4] for line in dumped.splitlines() if line.startswith("$var")}
        assert found == set(names.split()), arguments
        assert dumped.rstrip().endswith("#40") and ("$scope module u" in dumped) == (arguments in ("", "0, t.u"))
    late = (
        text.replace("initial begin", "always @(posedge clk) begin").replace("PATH", "x.vcd").replace("ARGUMENTS", "")
    )
    sim = weft.compile(texts={"t.sv": late}, cache=False, top="t")
    with pytest.raises(Unsupported, match="after time 0"):
        sim.run_cycles(1)
