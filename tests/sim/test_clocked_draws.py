"""Random numbers in clocked processes are what `weft run` and Icarus draw: `$random`, `$urandom`, ranges, own seeds."""

import re
import subprocess
from random import Random
from shutil import which

import pytest

import weft
from weft.sim.random_sequence import random32

PORTS = "input clk, input clk2, input rst, input [3:0] in, output reg [63:0] a = 0, output reg [63:0] b = 0"

# Each body is that of `module dut(PORTS)`. Those of `ALONE` have one process that draws from the common seed.
ALONE = {
    "plain": "always @(posedge clk) a <= {$random, $random};",
    "after initial": """
        integer i; initial begin for (i = 0; i < 5; i = i + 1) a = $random; end
        always @(posedge clk) begin a <= $random; b <= {b[31:0], a[31:0]}; end""",
    "conditions": """
        always @(posedge clk)
          if (rst) a <= 0;
          else if ((in[0] ? $random : 1) % 3 == 0) a <= $random;
          else case (in[2:1])
            0: b <= $random;
            1: begin a <= $random % 100; b <= {$random} % 100; end
            2: b[7:0] <= in[3] ? $random : 8'h55;
            default: if ($random > 0) a <= 1; else b <= ~b;
          endcase""",
    "loops": """
        integer i; reg [31:0] s;
        always @(posedge clk) begin
          for (i = 0; i < 4; i = i + 1) if (in[i]) a[16 * i +: 16] <= $random;
          s = 0; repeat (in[1:0]) s = s + $random;
          i = 0; while ((i < 5 ? $random : 0) % 4 != 0) begin i = i + 1; s = s ^ {s[30:0], s[31]}; end
          b <= {i, s};
        end""",
    "calls": """
        function [31:0] pick(input [31:0] limit); pick = {$random} % limit; endfunction
        task both(output [31:0] x, input [3:0] n, output [31:0] y);
          begin x = pick(n + 1); if (n > 7) begin y = $random; x = x + pick(1000); end else y = pick(77); end
        endtask
        reg [31:0] x, y;
        always @(posedge clk) begin both(x, in, y); a <= {x, y}; b <= pick(pick(50) + 1); end""",
    "statements": """
        always @(posedge clk) begin
          case ($random % 3) 0: a <= 1; 1: a <= 2; -1: a <= 3; default: a <= {2{$random}}; endcase
          b[$random & 31 +: 8] <= $random;
          $display("drew %0d %h", $random, $random);
        end""",
    "memory": """
        reg [31:0] m [0:99]; integer i; initial for (i = 0; i < 100; i = i + 1) m[i] = i;
        always @(posedge clk) begin m[{$random} % 100] <= $random; a <= m[in]; b <= m[{$random} % 100]; end""",
    "both edges": "always @(posedge clk or negedge clk) a <= $random; always @(clk) b <= a;",
    "reset": "always @(posedge clk or posedge rst) if (rst) a <= 0; else begin a <= $random; b <= b + a; end",
    "listed": "always @(in or rst) a = {$random, 28'd0, in};",
    "blocking": "always @(posedge clk) begin a = $random; if (a[0]) a = a ^ $random; b = a + $random; end",
    "divided": """
        reg half = 0; always @(posedge clk) half <= ~half;
        always @(posedge half) begin a <= $random; b <= {$random, a[31:0]}; end""",
    "divided at once": """
        reg half = 0; always @(posedge clk) half = ~half;
        always @(posedge half) begin a <= $random; b <= {$random, a[31:0]}; end""",
    "gated": "reg on = 0; always @* if (!clk) on = in[1]; wire gated = clk & on; always @(posedge gated) a <= $random;",
    "own seeds": """
        integer s = 7; reg [31:0] u = 9; reg [15:0] h = 16'hFFFF; reg signed [15:0] g = -16'd5; integer m [0:1];
        initial begin m[0] = 3; m[1] = 4; end
        always @(posedge clk) begin a <= {$random(s), $urandom(u)}; b <= {$random(m[in[0]]), $random(h)}; end
        always @(negedge clk) begin if (in[1]) a <= {s, $random(g)}; b <= m[0] ^ m[1] ^ u ^ h ^ g; end""",
    "distribution": """
        integer s = 5, t = -9; wire signed [3:0] low = in; integer high = 3;
        always @(posedge clk) begin
          a <= {$dist_uniform(s, low, high), $dist_uniform(s, -50, 32'h7FFFFFFF)};
          b <= {$dist_uniform(t, 32'h80000000, in * 1000), $dist_uniform(t, 32'h80000000, 32'h7FFFFFFF)};
          high <= high ^ $dist_uniform(s, 0, 7);
        end""",
    "two seeds": """
        integer s = 1, t = 2;
        always @(posedge clk) begin a[31:0] <= $random(s); if (in[0]) b[31:0] <= $random(s) + s; end
        always @(posedge clk2) begin a[63:32] <= $random(t); end
        always @(posedge clk) b[63:32] <= $random;""",
}

TOGETHER = {
    "what is not evaluated": """
        always @(posedge clk) begin
          if (in[0] && $random % 3 == 0) a <= $random; else if (in[1] || $random) a[0] <= (in[2] && $random) || in[3];
          b <= in[3] ? $random : in[2] ? {$random, $random} : b;
        end""",
    "several": """
        always @(posedge clk) a[31:0] <= $random;
        always @(posedge clk) if (in[0]) b[31:0] <= $random;
        always @(posedge clk) begin a[63:32] <= $random; if (in[1]) b[63:32] <= $random; end""",
    "edges": """
        always @(posedge clk) a[31:0] <= $random;
        always @(negedge clk) a[63:32] <= $random;
        always @(posedge clk or posedge rst) if (!rst) b[31:0] <= $random;
        always @(clk) b[63:32] <= $random;""",
    "clocks": """
        always @(posedge clk) a[31:0] <= $random;
        always @(posedge clk2) a[63:32] <= $random;
        always @(negedge clk2 or posedge rst) b[31:0] <= rst ? 0 : $random;""",
    "at once": """
        reg half = 0, quarter = 0;
        always @(posedge quarter) b[63:32] <= $random;
        always @(posedge half) b[31:0] <= $random;
        always @(posedge half) begin quarter = ~quarter; a[63:32] <= $random; end
        always @(posedge clk) begin half = ~half; a[31:0] <= $random; end""",
    "a drawn clock": """
        reg tick = 0;
        always @(posedge clk) begin tick = $random; a <= $random; end
        always @(posedge tick) b <= $random;""",
    "streams": """
        always @(posedge clk) begin a[31:0] <= $urandom; if (in[0]) b[31:0] <= $urandom_range(in, 3); end
        initial begin a = $urandom; b = $urandom_range(1000); end
        always @(posedge clk) if (in[1]) a[63:32] <= $urandom;
        always @(negedge clk) b[63:32] <= {$urandom_range(5), $urandom_range(32'hFFFFFFFF, 1) & 28'd0};""",
    "randcase": """
        always @(posedge clk) randcase 1: a <= 1; in: a <= 2; 3: a <= $urandom; endcase""",
}

HIERARCHY = """
module leaf #(parameter N = 1) (input clk, input [3:0] in, output reg [31:0] q = 0, output reg [31:0] u = 0);
  reg [31:0] p = 0; always @(posedge clk) if (in[N]) p <= $random;
  always @(posedge clk) begin u <= $urandom_range(0, 999); if (in[0]) q <= $random ^ p; end
endmodule
module middle(input clk, input [3:0] in, output [63:0] a, output [63:0] b);
  leaf #(1) u1(clk, in, a[31:0], b[31:0]);
  reg [31:0] own = 0; always @(posedge clk) own <= $random ^ own;
  leaf #(2) u2(clk, in ^ own[3:0], a[63:32], b[63:32]);
endmodule
"""
INSTANCES = """
  wire [63:0] a0, a1, b0, b1; middle m0(clk, in, a0, b0); middle m1(clk, ~in, a1, b1);
  always @(posedge clk) begin a <= a0 ^ {a1[0], a1[63:1]}; b <= b0 ^ {b1[0], b1[63:1]} ^ {$random, 32'd0}; end
"""


def design(body):
    """Return a design whose path to the module is that in the testbench."""
    more = HIERARCHY if "middle" in body else ""
    ports = ("input clk, input clk2, input rst, input [3:0] in, output [63:0] a, output [63:0] b", ".*")
    return f"{more}module dut({PORTS}); {body}\nendmodule\nmodule bench({ports[0]}); dut dut({ports[1]}); endmodule\n"


def rows(body, count=40):
    """Return what the inputs are at each time: one clock changes at a time, and no reset with it."""
    draw = Random(len(body))
    row = {"clk": 0, "clk2": 0, "rst": 0, "in": 0}
    found = []
    for _ in range(count):
        changed = draw.choice(["clk", "clk", "clk2", "in", "rst"])
        row = {**row, changed: draw.getrandbits(4) if changed == "in" else 1 - row[changed]}
        found.append(row)
    return found


def bench_of(body, stimulus):
    show = '#1 $display("%h %h", a, b);'
    lines = ["#1 " + " ".join(f"{name} = {value};" for name, value in row.items()) + show for row in stimulus]
    drive = "reg clk = 0, clk2 = 0, rst = 0; reg [3:0] in = 0; wire [63:0] a, b; dut dut(clk, clk2, rst, in, a, b);"
    more = HIERARCHY if "middle" in body else ""
    return (
        f"{more}module dut({PORTS}); {body}\nendmodule\n"
        f"module bench; {drive}\ninitial begin\n" + "\n".join(lines) + "\n$finish(0); end endmodule\n"
    )


def by_cycles(body, stimulus, engine, four_state=False, seed=0):
    printed = []
    sim = weft.compile(
        texts={"d.sv": design(body)}, top="bench", engine=engine, four_state=four_state, cache=False, seed=seed,
        output=printed.append, clock={}, background=False,
    )  # fmt: skip
    found = []
    with sim:
        if four_state:
            for name in ("clk", "clk2", "rst", "in"):
                sim.poke(name, 0)
            sim.step()
        for row in stimulus:
            for name, value in row.items():
                sim.poke(name, value)
            sim.step()
            found.append(f"{int(sim.peek('a')):016x} {int(sim.peek('b')):016x}")
    return found, drawn_lines(b"".join(printed))


def by_events(body, stimulus, seed=0):
    printed = []
    text = bench_of(body, stimulus)
    with weft.compile(
        texts={"t.sv": text}, top="bench", engine="event", cache=False, output=printed.append, seed=seed
    ) as sim:
        sim.run_until(1 << 60)
    return shown(b"".join(printed))


def drawn_lines(printed):
    return [line for line in printed.decode().splitlines() if line.startswith("drew")]


def shown(printed):
    outs = [line for line in printed.decode().splitlines() if re.match(r"[0-9a-f]{16} ", line)]
    return outs, drawn_lines(printed)


FROM_Z = {"both edges", "listed", "edges", "clocks", "gated"}
"""What also runs when an input that is z at first is set to 0."""
CASES = [(name, False) for name in (*ALONE, *TOGETHER, "instances")]
CASES += [(name, True) for name, _ in CASES if name not in FROM_Z]


@pytest.mark.parametrize(("name", "four_state"), CASES)
def test_as_events_draw(name, four_state):
    body = {**ALONE, **TOGETHER, "instances": INSTANCES}[name]
    stimulus = rows(body)
    expected = by_events(body, stimulus)
    assert len(set(expected[0])) > 2
    for engine in ("reference", "cpu"):
        assert by_cycles(body, stimulus, engine, four_state) == expected, engine


@pytest.mark.peer
@pytest.mark.skipif(which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("name", [name for name in ALONE if name != "own seeds"])
def test_as_icarus_draws(tmp_path, name):
    stimulus = rows(ALONE[name])
    (tmp_path / "t.sv").write_text(bench_of(ALONE[name], stimulus))
    subprocess.run(["iverilog", "-g2012", "-s", "bench", "-o", "t", "t.sv"], cwd=tmp_path, check=True)
    expected = shown(subprocess.run(["vvp", "-n", "t"], cwd=tmp_path, check=True, capture_output=True).stdout)
    assert by_cycles(ALONE[name], stimulus, "cpu") == expected


SMALL = """
module m(input clk, input [1:0] in, output reg [31:0] a = 0, b = 0, output reg [31:0] c = 0);
  integer s = 3; initial a = $random;
  always @(posedge clk) begin if (in[0]) a <= $random; c <= $urandom_range(1000); end
  always @(posedge clk) if (in[1]) b <= $random(s) ^ $random;
endmodule
"""


def small(**options):
    return weft.compile(texts={"m.sv": SMALL}, top="m", cache=False, background=False, **options)


def values(sim, cycles=1):
    found = []
    for _ in range(cycles):
        sim.run_cycles(1)
        found.append(tuple(int(sim.peek(name)) for name in "abc"))
    return found


@pytest.mark.parametrize("four_state", [False, True])
def test_what_is_kept_has_the_seeds(tmp_path, four_state):
    sim = small(four_state=four_state)
    sim.poke("in", 3)
    values(sim, 3)
    kept = sim.checkpoint()
    sim.save(tmp_path / "state")
    after = values(sim, 5)
    sim.restore(kept)
    assert values(sim, 5) == after
    other = small(four_state=four_state)
    other.load(tmp_path / "state")
    assert values(other, 5) == after


def test_a_force_keeps_the_seeds():
    sim, free = small(), small()
    for each in (sim, free):
        each.poke("in", 3)
        values(each, 3)
    sim.force("b", 1)
    assert [(a, c) for a, _, c in values(sim, 4)] == [(a, c) for a, _, c in values(free, 4)]


def test_lanes_draw_as_one_simulation_does():
    sim = small()
    batch = sim.batch(lanes=5, device="cpu")
    batch["in"][:] = [0, 1, 2, 3, 3]
    batch["s"][4:5] = 99
    expected = []
    for lane in range(5):
        alone = small()
        alone.poke("in", min(lane, 3))
        if lane == 4:
            alone.poke("s", 99)
        expected.append(values(alone, 6))
    for cycle in range(6):
        batch.run_cycles(1)
        got = [tuple(int(batch.peek(name)[lane]) for name in "abc") for lane in range(5)]
        assert got == [each[cycle] for each in expected]
    assert expected[3] != expected[4]
    alone = batch.lane(2)
    values(alone, 2)


def test_long_runs_draw_the_same():
    """Code for clock edges, and code that takes habits for granted, draws as the reference does."""
    fast, plain = small(), small(engine="reference")
    for sim in (fast, plain):
        sim.poke("in", 1)
        sim.run_cycles(3000)
        sim.poke("in", 3)
        sim.run_cycles(3000)
    assert values(fast) == values(plain)


@pytest.mark.parametrize("seed", [1, 77, -3, (1 << 40) + 5])
def test_a_run_has_a_seed(seed):
    for name in ("after initial", "streams"):
        body = {**ALONE, **TOGETHER}[name]
        stimulus = rows(body, 12)
        expected = by_events(body, stimulus, seed)
        assert by_cycles(body, stimulus, "cpu", seed=seed) == expected != by_events(body, stimulus)
    assert small(seed=seed).peek("a") == random32(seed)[0] & 0xFFFFFFFF


def test_final_procedures_go_on():
    printed = []
    text = """module m(input clk, output reg [31:0] q); initial $display("%0d", $random);
      always @(posedge clk) q <= $random; final $display("%0d", $random); endmodule"""
    with weft.compile(texts={"m.sv": text}, output=printed.append, cache=False) as sim:
        sim.run_cycles(2)
    numbers, seed = [], 0
    for _ in range(4):
        number, seed = random32(seed)
        numbers.append(number)
    assert b"".join(printed).split() == [str(numbers[0]).encode(), str(numbers[3]).encode()]


def test_initial_procedures_have_the_streams_of_events():
    body = """
      int unsigned d = $urandom; int unsigned e;
      function int unsigned f(int unsigned top); return $urandom_range(top, 10) + $urandom; endfunction
      initial begin e = f(99); $display("drew %0d %0d %0d", d, e, $urandom); end
      initial begin #0; end
      initial $display("drew %0d", $urandom);
      final $display("drew %0d", $urandom);"""
    printed = {"cpu": [], "event": []}
    for engine, lines in printed.items():
        text = f"module m(input clk); {body.replace('#0;', '')} always @(posedge clk) ; endmodule"
        with weft.compile(texts={"m.sv": text}, engine=engine, cache=False, output=lines.append) as sim:
            sim.step()
    assert len(set(b"".join(printed["cpu"]).split())) == 6
    assert b"".join(printed["cpu"]) == b"".join(printed["event"])
