"""Waveforms that the design asks for: the file's shape, what is chosen, on and off, limits, ports."""

from dataclasses import dataclass

import pytest

from sim.tasks.icarus import needs_icarus, run_icarus
from sim.tasks.task_host import TaskHost, integer
from weft.sim.format_arguments import Value
from weft.sim.tasks.dump_scopes import DumpScope, DumpSignal
from weft.sim.tasks.port_states import port_state
from weft.sim.tasks.vcd_text import identifier_code, vector_digits


def design():
    """Return a host whose design has two modules, a task, an event, a real, parameters and an alias."""
    inner = DumpScope("u", "module", "t.u")
    inner.signals = [DumpSignal("p", "wire", 1, 0, direction="input"), DumpSignal("q", "wire", 4, 6, (3, 0), "output")]
    block = DumpScope("blk", "begin", "t.blk", [DumpSignal("i", "integer", 32, 7, (31, 0))])
    top = DumpScope("t", "module", "t", scopes=[inner, block])
    top.signals = [
        DumpSignal("r", "real", 64, 1),
        DumpSignal("a", "reg", 1, 0),
        DumpSignal("v", "reg", 8, 2, (7, 0)),
        DumpSignal("P", "parameter", 32, 3),
        DumpSignal("w", "wire", 1, 4),
        DumpSignal("e", "event", 1, 5),
        DumpSignal("odd.name", "reg", 2, 8, (1, 0)),
    ]
    top.elements = lambda name, index: (
        DumpSignal(f"{name}[{index}]", "reg", 4, 20 + index, (3, 0)) if name == "m" else None
    )
    host = TaskHost(tick_fs=10**3)
    host.tops = [top]
    host.values = {
        0: Value(1, 0, 1), 1: 0.5, 2: Value(8, 5), 3: Value(32, 9), 4: Value(1, 1, 1), 5: Value(1, 0),
        6: Value(4, 0, 15), 7: Value(32, 0, 0xFFFFFFFF), 8: Value(2, 1), 20: Value(4, 1), 21: Value(4, 2),
    }  # fmt: skip
    return host


def body(path):
    """Return the file without its head."""
    return path.read_text().partition("$timescale\n\t1ps\n$end\n")[2]


def test_codes_and_digits():
    assert [identifier_code(n) for n in (0, 93, 94, 95, 94 * 94)] == ["!", "~", '!"', '""', '!!"']
    assert [vector_digits(Value(4, *planes)) for planes in ((0, 0), (3, 0), (0, 15), (15, 12), (1, 14), (9, 0))] == [
        "0", "11", "x", "z11", "x1", "1001",
    ]  # fmt: skip
    assert vector_digits(Value(4, 0, 4)) == "0x00"


def test_whole_design(tmp_path):
    host = design()
    path = tmp_path / "a.vcd"
    host.call("$dumpfile", str(path))
    host.call("$dumpvars")
    assert host.said == f"VCD info: dumpfile {path} opened for output.\n"
    host.end_tick(10)
    host.change({0: Value(1, 1), 1: 2.25, 5: Value(1, 1)})
    host.end_tick(12)
    host.change({2: Value(8, 0x80, 1), 7: Value(32, 3)})
    host.state.close(20)
    assert (
        body(path).splitlines()
        == """$scope module t $end
$var event 1 ! e $end
$var wire 1 " w $end
$var parameter 32 # P $end
$var reg 1 $ a $end
$var reg 8 % v [7:0] $end
$var reg 2 & \\odd.name [1:0] $end
$var real 1 ' r $end
$scope module u $end
$var wire 1 $ p $end
$var wire 4 ( q [3:0] $end
$upscope $end
$scope begin blk $end
$var integer 32 ) i [31:0] $end
$upscope $end
$upscope $end
$enddefinitions $end
$comment Show the parameter values. $end
$dumpall
b1001 #
$end
#0
$dumpvars
bx )
bx (
r0.5 '
b1 &
b101 %
x$
z"
1!
$end
#10
1!
r2.25 '
1$
#12
b11 )
b1000000x %
#20""".splitlines()
    )


def test_levels_signals_and_repeats(tmp_path):
    host = design()
    path = tmp_path / "a.vcd"
    host.call("$dumpfile", str(path))
    host.call("$dumpvars", integer(1), "t")
    host.call("$dumpvars", integer(0), "t.u.q", "t.m[1]", "t.v", "t.u.q")
    assert host.said.splitlines()[1:] == [
        "VCD warning: skipping signal t.v, it was previously included.",
        "VCD warning: skipping signal t.u.q, it was previously included.",
    ]
    host.call("$dumpvars", integer(2), "t")
    assert host.said == "VCD warning: ignoring signals in previously scanned scope t.\n"
    host.call("$dumpvars", integer(0), "t.nothing")
    assert host.finished == 1
    host.end_tick(1)
    host.call("$dumpflush")
    text = body(path).partition("$enddefinitions")[0]
    assert "$scope module u $end\n$var wire 4 ( q [3:0] $end\n$upscope" in text
    assert "$scope module t $end\n$var reg 4 ) \\m[1] [3:0] $end\n$upscope" in text
    host.call("$dumpvars")
    assert "ignored, previously called at simtime 0" in host.said
    host.call("$dumpfile", "b.vcd")
    assert "called after $dumpvars started" in host.said
    host.state.close(1)


def test_off_on_all_and_limit(tmp_path):
    host = design()
    path = tmp_path / "a.vcd"
    host.call("$dumpfile", str(path))
    host.call("$dumpvars", integer(0), "t.a", "t.v", "t.r")
    host.end_tick(5)
    host.call("$dumpoff")
    host.call("$dumpoff")
    host.change({0: Value(1, 1)})
    host.end_tick(6)
    host.call("$dumpon")
    host.call("$dumpall")
    host.end_tick(7)
    host.call("$dumpflush")
    host.call("$dumplimit", integer(10))
    host.change({0: Value(1, 0)})
    host.state.close(9)
    assert host.said.endswith("WARNING: Dump file limit (10 bytes) exceeded.\n")
    assert body(path).partition("#5\n")[2].splitlines() == [
        "$dumpoff", "rNaN #", 'bx "', "x!", "$end", "#6", "$dumpon", "r0.5 #", 'b101 "', "1!", "$end",
        "$dumpall", "r0.5 #", 'b101 "', "1!", "$end", "$comment Dump file limit (10 bytes) exceeded. $end",
    ]  # fmt: skip


def test_file_that_cannot_be_written(tmp_path):
    host = design()
    host.call("$dumpfile", str(tmp_path / "no" / "a"))
    host.call("$dumpvars")
    assert host.finished == 1
    assert f"Unable to open {tmp_path}/no/a.vcd for output." in host.said


@dataclass
class Driven:
    """Be one side's drive of a bit."""

    levels: tuple[int, int]
    active: int = 0
    present: bool = True


def drive(low, high=None, active=1):
    """Return the drive of a side: a level from -7 to 7, a range of them, or with 0 none of its drivers active."""
    return Driven((low, low if high is None else high), active if low or high else 0)


ABSENT = Driven((0, 0), 0, False)
OFF = drive(0)
X = drive(-6, 6)


@pytest.mark.parametrize(
    ("outside", "inside", "expected"),
    [
        *((drive(level, active=n), off, state) for off in (OFF, ABSENT) for level, n, state in
          ((-6, 1, "D60"), (5, 1, "U05"), (-7, 2, "d70"), (3, 4, "u03"))),
        (X, OFF, "N66"), (drive(-6, 0, active=2), ABSENT, "N60"),
        *((off, drive(level, active=n), state) for off in (OFF, ABSENT) for level, n, state in
          ((-6, 1, "L60"), (5, 1, "H05"), (-7, 2, "l70"), (3, 4, "h03"))),
        (OFF, X, "X66"), (ABSENT, drive(0, 5), "X05"),
        (ABSENT, ABSENT, "F00"), (OFF, ABSENT, "Z00"), (ABSENT, OFF, "T00"), (OFF, OFF, "f00"),
        (drive(-6), drive(-7), "070"), (drive(3), drive(1), "103"), (X, drive(-3, 3), "?66"),
        (drive(-6), drive(5), "A65"), (drive(-6), X, "a66"), (drive(6), drive(-5), "B56"), (drive(6), X, "b66"),
        (X, drive(-7), "C76"), (X, drive(5), "c66"),
        (drive(-6), drive(-3), "d60"), (drive(5), drive(-4), "u05"), (drive(-5), drive(-3, 3), "d50"),
        (drive(-1), drive(-6), "l60"), (drive(-3), drive(7), "h07"), (X, drive(-3), "C66"),
    ],
)  # fmt: skip
def test_port_states(outside, inside, expected):
    """Compare with the table and the rules for conflicts of IEEE 1800-2023 21.7.4.3."""
    assert "".join(map(str, port_state(outside, inside))) == expected


def test_ports(tmp_path):
    host = design()
    unknown = (X, ABSENT)
    host.drives = {
        0: [unknown],
        6: [(ABSENT, drive(-6)), (ABSENT, drive(5)), (ABSENT, OFF), (drive(6), drive(6))],
    }
    path = tmp_path / "a.evcd"
    host.call("$dumpports", "t.u", str(path))
    host.end_tick(4)
    host.drives[0] = [(drive(6), ABSENT)]
    host.port_changed([0, 1])
    host.end_tick(5)
    host.call("$dumpportsoff", str(path))
    host.drives[0] = [(drive(-6), ABSENT)]
    host.port_changed([0])
    host.end_tick(6)
    host.call("$dumpportson", str(path))
    host.end_tick(7)
    host.drives[6][3] = (drive(6), ABSENT)
    host.port_changed([1, 0])
    host.state.close(9)
    assert body(path).splitlines() == [
        "$scope module t $end", "$scope module u $end", "$var port 1 <0 p $end", "$var port [3:0] <1 q $end",
        "$upscope $end", "$upscope $end", "$enddefinitions $end",
        "#0", "$dumpports", "pN 6 6 <0", "pLHT1 6000 0506 <1", "$end", "#4", "pU 0 6 <0",
        "#5", "$dumpportsoff", "pN 6 6 <0", "pXXXX 6666 6666 <1", "$end",
        "#6", "$dumpportson", "pD 6 0 <0", "pLHT1 6000 0506 <1", "$end", "#7", "pLHTU 6000 0506 <1",
        "$vcdclose #9 $end",
    ]  # fmt: skip


@pytest.mark.peer
@needs_icarus
def test_as_icarus(tmp_path, monkeypatch):
    """A small design through both, line by line; parameters are left out, as Icarus Verilog 11 shows none."""
    monkeypatch.chdir(tmp_path)
    source = """`timescale 1ps/1ps
    module u(input p, output [3:0] q); assign q = {4{p}}; endmodule
    module t; reg a; reg [7:0] v; real r; event e; wire [3:0] y;
      u u(a, y);
      initial begin : blk integer i; $dumpfile("a.vcd"); $dumpvars; v = 5; r = 0.5;
        #10 a = 1; #2 v = 8'b1000000x; #1 $dumpoff; #1 a = 0; #1 $dumpon; #1 $dumpall;
        #1 r = 1e100; -> e; i = -1; #3 $finish;
      end
    endmodule"""
    run_icarus(tmp_path, source)
    theirs = body(tmp_path / "a.vcd").splitlines()
    inner = DumpScope("u", "module", "t.u")
    inner.signals = [DumpSignal("p", "wire", 1, 0), DumpSignal("q", "wire", 4, 5, (3, 0))]
    block = DumpScope("blk", "begin", "t.blk", [DumpSignal("i", "integer", 32, 6, (31, 0))])
    top = DumpScope("t", "module", "t", scopes=[inner, block])
    top.signals = [
        DumpSignal("a", "reg", 1, 0), DumpSignal("v", "reg", 8, 2, (7, 0)), DumpSignal("y", "wire", 4, 1, (3, 0)),
        DumpSignal("r", "real", 64, 3), DumpSignal("e", "event", 1, 4),
    ]  # fmt: skip
    host = TaskHost(tick_fs=10**3)
    host.tops = [top]
    host.values = {0: Value(1, 0, 1), 1: Value(4, 0, 15), 2: Value(8, 5), 3: 0.5, 4: Value(1, 0), 5: Value(4, 0, 15)}
    host.values[6] = Value(32, 0, 0xFFFFFFFF)
    (tmp_path / "a.vcd").unlink()
    host.call("$dumpfile", "a.vcd")
    host.call("$dumpvars")
    host.end_tick(10)
    host.change({0: Value(1, 1), 5: Value(4, 15), 1: Value(4, 15)})
    host.end_tick(12)
    host.change({2: Value(8, 0x80, 1)})
    host.end_tick(13)
    host.call("$dumpoff")
    host.change({0: Value(1, 0), 5: Value(4, 0), 1: Value(4, 0)})
    host.end_tick(15)
    host.call("$dumpon")
    host.end_tick(16)
    host.call("$dumpall")
    host.end_tick(17)
    host.change({3: 1e100, 4: Value(1, 1), 6: Value(32, 0xFFFFFFFF)})
    host.state.close(20)
    mine = body(tmp_path / "a.vcd").replace("$comment Show the parameter values. $end\n$dumpall\n$end\n", "")
    assert mine.splitlines() == theirs
