"""Traces of whole designs: every change at its time, and what happens when the disk is full."""

import resource
import subprocess
import sys
from itertools import pairwise

import pytest

import weft
from weft.base.errors import UserError
from weft.tools.waves.stage import Stage

pywellen = pytest.importorskip("pywellen", reason="reads the waveforms back; pip install 'weft[dev]'")

DESIGNS = {
    "registers": """module top(input clk, input [7:0] k, output reg [7:0] q);
        always @(posedge clk) q <= q + k; endmodule""",
    "both edges": """module top(input clk, input [7:0] k, output reg [7:0] q, n);
        always @(posedge clk) q <= q + k;
        always @(negedge clk) n <= q ^ k; endmodule""",
    "a latch that follows a register": """module top(input clk, input [7:0] k, output reg [7:0] q, l);
        always @(posedge clk) q <= q + k;
        always_latch if (q[0]) l = q; endmodule""",
    "a gated clock": """module top(input clk, input [7:0] k, output reg [7:0] q, g, output gated);
        reg enable;
        always_latch if (!clk) enable = q[1];
        assign gated = clk & enable;
        always @(posedge clk) q <= q + k;
        always @(posedge gated) g <= q; endmodule""",
    "clocks gated without a latch": """module top(input clk, input [7:0] k, output reg [7:0] q, g, h);
        wire up = clk & ~q[2], down = ~(clk | q[1]);
        always @(posedge clk) q <= q + k;
        always @(posedge up) g <= q;
        always @(negedge down) h <= q; endmodule""",
    "a derived clock": """module top(input clk, input [7:0] k, output reg [7:0] q, d);
        always @(posedge clk) q <= q + k;
        always @(negedge q[0]) d <= ~d; endmodule""",
    "a memory": """module top(input clk, input [7:0] k, output reg [7:0] q, output [7:0] y, z);
        reg [7:0] m [0:7];
        integer i;
        initial for (i = 0; i < 8; i = i + 1) m[i] = 3 * i;
        assign y = m[q[2:0]], z = m[{q[3:2], clk}];
        always @(posedge clk) begin q <= q + k; m[q[4:2]] <= q; end endmodule""",
    "an asynchronous reset": """module top(input clk, rst_n, input [7:0] k, output reg [7:0] q);
        always @(posedge clk or negedge rst_n) if (!rst_n) q <= 9; else q <= q + k; endmodule""",
    "time": """module top(input clk, input [7:0] k, output reg [7:0] q, output [63:0] now);
        assign now = $time;
        always @(posedge clk) q <= q + k; endmodule""",
}


def record(sim, changes):
    """Add each signal's value to its changes, if it is one, at the time in nanoseconds."""
    for name, series in changes.items():
        value = int(sim.peek(name))
        if not series or series[-1][1] != value:
            series.append((sim.time_fs // 1_000_000, value))


@pytest.mark.parametrize("suffix", ["fst", "vcd"])
@pytest.mark.parametrize("text", DESIGNS.values(), ids=DESIGNS)
def test_every_change_is_at_its_time(tmp_path, text, suffix):
    """The run that is traced goes on by itself; a second one is looked at after every edge."""
    path, source = tmp_path / f"o.{suffix}", {"top.sv": f"`timescale 1ns/1ns\n{text}"}
    traced, watched = (weft.compile(texts=source, cache=False, clock="clk", period="10ns") for _ in range(2))
    names = [name.partition(".")[2] for name, _, _ in traced.engine.signals.paths()]
    expected = {name: [] for name in names if name not in ("m", "i")}
    for sim in (traced, watched):
        if "rst_n" in names:
            sim.poke("rst_n", 1)
    record(watched, expected)
    with traced.trace(path):
        for k in (1, 3, 0, 250):
            for sim in (traced, watched):
                sim.poke("k", k)
            record(watched, expected)
            traced.run_cycles(20)
            for _ in range(40):
                watched.step()
                record(watched, expected)
    assert traced.time_fs == watched.time_fs
    for var in pywellen.Waveform(str(path)).all_vars():
        name = var.full_name.split(" ")[0].partition(".")[2]
        if name in expected:
            found = [(time, value if isinstance(value, int) else int(value, 2)) for time, value in var.tv]
            assert found == expected[name], name
            del expected[name]
    assert not expected


NOISE = """module top(input clk, output reg [255:0] q);
    initial q = 1;
    always @(posedge clk) q <= {q[254:0], q[255] ^ q[253] ^ q[250] ^ q[245]} ^ (q << 7); endmodule"""

FULL_DISK = """
import resource, sys
import weft
import weft.engines.cpu.row_ring as row_ring
import weft.engines.cpu.unroller as unroller
unroller.ARENA_BYTES = unroller.LOG_BYTES = row_ring.SEGMENT_BYTES = 1 << 16
sim = weft.compile("noise.sv", clock="clk", period="10ns")
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
errors, inside = [], None
try:
    with sim.trace(sys.argv[1]):
        try:
            sim.run_cycles(100_000)
        except weft.UserError as error:
            errors.append(error)
            inside = sim.time_fs
            raise
except weft.UserError as error:
    assert error is errors[0]
assert len(errors) == 1 and 0 < inside < 1_000_000_000_000, (errors, inside)
print(errors[0])
# The run goes on from where it was, and is the run that it would have been.
sim.run_cycles(100)
other = weft.compile("noise.sv", clock="clk", period="10ns")
other.run_until(sim.time_fs)
assert sim.peek("q") == other.peek("q") and sim.time_fs == inside + 100 * 10_000_000
"""


@pytest.mark.parametrize("suffix", ["fst", "vcd"])
def test_a_full_disk_is_one_error_and_the_run_goes_on(tmp_path, suffix):
    """The system refuses to let the file grow, in the middle of a write."""
    (tmp_path / "noise.sv").write_text(NOISE)
    words = [sys.executable, "-c", FULL_DISK, f"o.{suffix}"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"cannot write waveform o.{suffix}: File too large" in done.stdout
    assert not done.stderr
    wave = pywellen.Waveform(str(tmp_path / f"o.{suffix}"))
    changes = next(list(var.tv) for var in wave.all_vars() if "q" in var.full_name)
    assert len(changes) > 1000
    value, mask = 1, (1 << 256) - 1
    for _, text in changes[:1000]:
        assert int(text, 2) == value if isinstance(text, str) else text == value
        bit = (value >> 255 ^ value >> 253 ^ value >> 250 ^ value >> 245) & 1
        value = ((value << 1 & mask) | bit) ^ (value << 7 & mask)


def limit_files():
    """Let no file of this process grow beyond half a megabyte."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))


@pytest.mark.parametrize(("wave", "target", "message"), [
    ("o.fst", "", "File too large"),
    ("o.vcd", "", "File too large"),
    ("o.fst", "/dev/full", "No space left on device"),
    ("o.vcd", "/dev/full", "No space left on device"),
])  # fmt: skip
def test_a_full_disk_on_the_command_line(tmp_path, wave, target, message):
    """One line of error, status 2, and the state is saved, of whatever time the run came to."""
    (tmp_path / "noise.sv").write_text(NOISE)
    if target:
        (tmp_path / wave).symlink_to(target)
    code = "from weft.apps.cli import main; main()"
    words = [sys.executable, "-c", code, "sim", "noise.sv", "--clock", "clk", "--cycles", "200000"]
    words += ["--wave", wave, "--save", "o.state"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, preexec_fn=limit_files)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1 and f"cannot write waveform {wave}: {message}" in done.stderr
    sim, other = (weft.compile(tmp_path / "noise.sv", clock="clk") for _ in range(2))
    sim.load(tmp_path / "o.state")
    # A device that is full from the beginning does not even take the header.
    assert (sim.time_fs == 0) == bool(target)
    other.run_until(sim.time_fs)
    assert sim.peek("q") == other.peek("q")


def test_a_stage_passes_errors_on():
    """An error reaches whoever hands over next, however many stages are between."""
    done = []

    def last(item):
        if item == 2:
            raise UserError("cannot-write", "two")
        done.append(item)

    second = Stage("second", last)
    first = Stage("first", second.hand)
    with pytest.raises(UserError, match="two"):
        for item in range(100):
            first.hand(item)
    with pytest.raises(UserError, match="two"):
        first.finish()
    with pytest.raises(UserError, match="two"):
        second.finish()
    assert done == [0, 1]


@pytest.mark.parametrize("patience", [0, 100])
def test_a_ring_goes_round(tmp_path, monkeypatch, patience):
    """Few small segments, of which the run waits for each; without patience the other thread sleeps after each, too."""
    monkeypatch.setattr("weft.engines.cpu.row_ring.SEGMENT_BYTES", 1 << 12)
    monkeypatch.setattr("weft.engines.cpu.row_ring.RING_BYTES", 1 << 14)
    monkeypatch.setattr("weft.engines.cpu.unroller.PATIENCE", patience)
    (tmp_path / "count.sv").write_text("""module top(input clk, output reg [15:0] q, output odd);
        initial q = 0;
        assign odd = q[0];
        always @(posedge clk) q <= q + 1; endmodule""")
    path = tmp_path / "out.fst"
    with weft.compile(tmp_path / "count.sv", clock="clk", period="2ns") as sim:
        with sim.trace(path, signals=["q", "odd"]):
            for _ in range(3):
                sim.run_cycles(4000)
        count = int(sim.peek("q"))
    found = {var.full_name.split(" ")[0]: list(var.tv) for var in pywellen.Waveform(str(path)).all_vars()}
    assert [value for _, value in found["top.q"]] == list(range(count + 1))
    assert len(found["top.odd"]) == count + 1
    steps = {b - a for (a, _), (b, _) in pairwise(found["top.q"][1:])}
    assert len(steps) == 1


def test_what_is_discarded_is_not_in_the_file(tmp_path, monkeypatch):
    """After an error of the file nothing more is traced, and the run hears of it again a segment later."""
    monkeypatch.setattr("weft.engines.cpu.row_ring.SEGMENT_BYTES", 1 << 12)
    monkeypatch.setattr("weft.engines.cpu.row_ring.RING_BYTES", 1 << 12)
    monkeypatch.setattr("weft.engines.cpu.unroller.FIRST_BYTES", 1 << 10)
    monkeypatch.setattr("weft.engines.cpu.unroller.SIGNAL_BYTES", 1 << 10)

    def fail(self, section):
        raise UserError("cannot-write", "no room")

    monkeypatch.setattr("weft.tools.waves.fst_writer.FstWriter.write_chains", fail)
    (tmp_path / "noise.sv").write_text(NOISE)
    with weft.compile(tmp_path / "noise.sv", clock="clk", period="10ns") as sim:
        with pytest.raises(UserError, match="no room"), sim.trace(tmp_path / "out.fst"):
            times = []
            for _ in range(3):
                with pytest.raises(UserError, match="no room"):
                    sim.run_cycles(100_000)
                times.append(sim.time_fs)
            assert times == sorted(set(times))
        sim.run_cycles(10)
